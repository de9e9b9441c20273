"""usage: sleep_sigsuspend.py [SECONDS] [WINDOW]
sleep() made of alarm() and sigsuspend(): the signal is blocked until we wait for it."""
import ctypes, os, signal, sys, time

libc = ctypes.CDLL(None)  # Python has no sigsuspend: this is libc's own
seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 2
window = float(sys.argv[2]) if len(sys.argv) > 2 else 0


def wake(signo, frame):
    pass  # nothing to do: that the signal is caught ends the sigsuspend


def sleep_for():
    nothing_blocked = ctypes.create_string_buffer(128)  # a sigset_t with no signal in it
    signal.signal(signal.SIGALRM, wake)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])  # from here on it can only become pending
    signal.alarm(seconds)
    os.access("/.ipcviz/step/between alarm and sigsuspend", os.F_OK)
    if window > 0:
        time.sleep(window)
    libc.sigsuspend(nothing_blocked)  # unblocks it and waits, in one step: nothing fits in between
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGALRM])


print(f"sleeping for {seconds} s", flush=True)
sleep_for()
print("awake", flush=True)
