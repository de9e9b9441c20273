"""usage: in_time.py return|raise [LIMIT] [LATE]
A reader gives a writer LIMIT seconds, first to come and then to write. The writer is LATE."""

import os
import signal
import sys
import time

NAME = "door"
how = sys.argv[1]
limit = int(sys.argv[2]) if len(sys.argv) > 2 else 1
late = float(sys.argv[3]) if len(sys.argv) > 3 else 2.5


def ring(signo, frame):
    if how == "raise":
        raise TimeoutError
    # If it only returns, Python makes the interrupted call again (PEP 475).


def in_time(call, *arguments):
    signal.alarm(limit)
    try:
        return call(*arguments)
    finally:
        signal.alarm(0)  # it came, or it is too late: nobody else is to be interrupted


def writer():
    if late:
        time.sleep(late)
    fd = os.open(NAME, os.O_WRONLY)
    if late:
        time.sleep(late)
    os.write(fd, b"at last")


os.mkfifo(NAME, 0o600)
signal.signal(signal.SIGALRM, ring)
child = os.fork()
if child == 0:
    writer()
    os._exit(0)

try:
    fd = in_time(os.open, NAME, os.O_RDONLY)
    text = in_time(os.read, fd, 100)
    print(f"read: {text.decode()}", flush=True)
except TimeoutError:
    print("it was not there in time: I give up", flush=True)
    os.access("/.ipcviz/step/out of time", os.F_OK)
    os.kill(child, signal.SIGTERM)
os.unlink(NAME)
os.wait()
