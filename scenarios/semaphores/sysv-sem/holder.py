"""usage: holder.py plain|undo [SECONDS]
A System V semaphore: one process takes it and is killed, another one waits for it."""

import ctypes
import os
import signal
import sys
import time

IPC_CREAT, IPC_EXCL, IPC_RMID = 0o1000, 0o2000, 0  # <sys/ipc.h>
SEM_UNDO, GETVAL, GETNCNT, SETVAL = 0x1000, 12, 14, 16  # <sys/sem.h>
libc = ctypes.CDLL(None)  # Python knows nothing of System V: these are libc's own


class Sembuf(ctypes.Structure):
    _fields_ = [("num", ctypes.c_ushort), ("op", ctypes.c_short), ("flags", ctypes.c_short)]


def change(by):
    # With SEM_UNDO the kernel keeps the opposite for us, and does it when this process ends.
    if libc.semop(semset, ctypes.byref(Sembuf(0, by, flags)), 1) < 0:
        os._exit(1)


def clear_away(signo=0, frame=None):
    libc.semctl(semset, 0, IPC_RMID)  # else it is there until the next boot
    os.unlink("key")
    if signo:
        os._exit(128 + signo)


flags = SEM_UNDO if sys.argv[1:2] == ["undo"] else 0
seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 0.5

open("key", "w").close()  # ftok makes a key of a file that all know
semset = libc.semget(libc.ftok(b"key", ord("S")), 1, IPC_CREAT | IPC_EXCL | 0o600)
libc.semctl(semset, 0, SETVAL, 1)  # two calls to make one: somebody could come in between

holder = os.fork()
if holder == 0:
    change(-1)
    signal.pause()  # at work, until it is killed
    os._exit(0)
if seconds:
    time.sleep(seconds)
if os.fork() == 0:
    change(-1)  # until somebody gives it back
    change(+1)
    os._exit(0)
signal.signal(signal.SIGINT, clear_away)
signal.signal(signal.SIGTERM, clear_away)
if seconds:
    time.sleep(seconds)
value, waiting = libc.semctl(semset, 0, GETVAL), libc.semctl(semset, 0, GETNCNT)
print(f"value {value}, {waiting} waiting", flush=True)
os.kill(holder, signal.SIGKILL)
os.wait()
os.wait()
print(f"value {libc.semctl(semset, 0, GETVAL)}: the other one had its turn", flush=True)
clear_away()
