"""Looks for what the writer left in each kind of memory, removes it, and says what would survive a
reboot: finder.py NAME"""

import ctypes
import mmap
import os
import sys

import posix_ipc

IPC_RMID, SIZE = 0, mmap.PAGESIZE
name = sys.argv[1] if len(sys.argv) > 1 else "/persistence"


with open("/proc/mounts") as mounts:
    MOUNTS = [line.split()[1:3] for line in mounts]


def file_system_of(path):
    """The kind of file system that a file lies in: a tmpfs is memory, and empty after a reboot."""
    path = os.path.realpath(path)
    found = [row for row in MOUNTS if path.startswith(row[0].rstrip("/") + "/")]
    return max(found, key=lambda row: len(row[0]))[1]


def find_file():
    with open("kept.dat", "rb") as file:
        text = file.read(11)
    kind = file_system_of("kept.dat")
    os.unlink("kept.dat")
    return text, "no" if kind in ("tmpfs", "ramfs") else "yes", f"a file on {kind}"


def find_posix():
    segment = posix_ipc.SharedMemory(name)
    memory = mmap.mmap(segment.fd, SIZE)
    segment.unlink()
    return memory[:11], "no", f"a file on {file_system_of('/dev/shm/x')}"


def find_system_v():
    libc = ctypes.CDLL(None)
    libc.shmat.restype = ctypes.c_void_p
    segment = libc.shmget(libc.ftok(b"kept.dat", 1), 0, 0)
    text = ctypes.string_at(libc.shmat(segment, None, 0), 11)
    libc.shmctl(segment, IPC_RMID, None)
    return text, "no", "memory of the kernel"


def find_anonymous():
    return None, "no", "it has no name to look for"


print(f"{'':10} {'after exit':12} {'after reboot':12} because it is", flush=True)
for find in (find_system_v, find_file, find_posix, find_anonymous):
    text, reboot, reason = find()
    there = text.decode() if text else "gone"
    print(f"{find.__name__[5:]:10} {there:12} {reboot:12} {reason}", flush=True)
