"""usage: job.py NAME once|crash [create|exclusive]
Work that only one process may do at a time: they agree by the name of a semaphore."""

import os
import signal
import sys

import posix_ipc


def open_lock(name, how):
    if how == "create":  # 1 is for a new one: one that exists keeps its value
        return posix_ipc.Semaphore(name, posix_ipc.O_CREAT, 0o600, initial_value=1)
    try:
        return posix_ipc.Semaphore(name, posix_ipc.O_CREX, 0o600, initial_value=1)
    except posix_ipc.ExistentialError:
        print("left behind by an earlier run: removed", flush=True)
        posix_ipc.unlink_semaphore(name)  # only right while no other run is at work
        return posix_ipc.Semaphore(name, posix_ipc.O_CREX, 0o600, initial_value=1)


name, end, how = sys.argv[1:] + ["/ipcviz-job", "once", "create"][len(sys.argv) - 1 :]
lock = open_lock(name, how)
lock.acquire()
print("at work", flush=True)
if end == "crash":
    os.kill(os.getpid(), signal.SIGKILL)  # as a crash would: release is never reached
lock.release()
lock.close()  # the name stays: it is not this process's
