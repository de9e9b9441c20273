"""usage: sleep_pause.py [SECONDS] [WINDOW]
sleep() made of alarm() and pause(), as in old textbooks: right, nearly always."""
import os, signal, sys, time

seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 2
window = float(sys.argv[2]) if len(sys.argv) > 2 else 0


def wake(signo, frame):
    pass  # nothing to do: that the signal is caught ends the pause


def sleep_for():
    signal.signal(signal.SIGALRM, wake)
    signal.alarm(seconds)
    # The window: on a busy machine we may lose the processor here, for as long as it likes.
    os.access("/.ipcviz/step/between alarm and pause", os.F_OK)
    if window > 0:
        time.sleep(window)
    signal.pause()  # for the next signal: if it was in the window, there is none to come


print(f"sleeping for {seconds} s", flush=True)
sleep_for()
print("awake", flush=True)
