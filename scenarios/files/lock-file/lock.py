"""Two processes, and a file that is to let one of them in at a time.
usage: lock.py test|excl|flock|fcntl SECONDS yes|no (is a killed inside?)"""

import contextlib
import fcntl
import os
import signal
import sys
import time

TRIES = 5
how = sys.argv[1] if len(sys.argv) > 1 else "test"
rest = float(sys.argv[2]) if len(sys.argv) > 2 else 0.2
crash = sys.argv[3:] == ["yes"]


def mark(text):
    os.access("/.ipcviz/step/" + text, os.F_OK)  # says to ipcviz where we are


def enter():
    """Comes back when the file lets us in: a descriptor; None if it never did."""
    if how == "test":
        while os.path.exists("lock"):  # is there no such file? ...
            time.sleep(rest)
        mark("no lock file")
        return os.open("lock", os.O_WRONLY | os.O_CREAT, 0o600)  # ... then make it: too late, perhaps
    if how == "excl":  # look and make in one call
        for _ in range(TRIES):
            try:
                return os.open("lock", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            except FileExistsError:
                time.sleep(rest)
        return None
    fd = os.open("lock", os.O_RDWR | os.O_CREAT, 0o600)  # it stays: what counts is the lock on it
    if how == "flock":
        fcntl.flock(fd, fcntl.LOCK_EX)
    else:
        fcntl.lockf(fd, fcntl.LOCK_EX)  # Python's lockf is fcntl(F_SETLKW)
    return fd


def work(who, is_to_crash):
    fd = enter()
    if fd is None:
        print(f"{who} gives up: the lock file is there", flush=True)
        return
    print(f"{who} is inside", flush=True)
    mark("inside")
    if how == "fcntl":  # somebody in this program looks into the file, and closes it again
        os.close(os.open("lock", os.O_RDONLY))
        mark("has looked into the file")
    time.sleep(rest)
    if is_to_crash:
        mark("crashes")
        os.kill(os.getpid(), signal.SIGKILL)
    print(f"{who} leaves", flush=True)
    mark("leaves")
    if how in ("test", "excl"):
        with contextlib.suppress(FileNotFoundError):  # if both were inside, the other was first
            os.unlink("lock")
    os.close(fd)


for who in "ab":
    if os.fork() == 0:
        work(who, crash and who == "a")
        os._exit(0)
for _ in range(2):
    os.wait()
if os.path.exists("lock"):
    os.unlink("lock")
