"""Writes one text into four kinds of shared memory, and ends: writer.py NAME"""

import ctypes
import mmap
import os
import sys

import posix_ipc

IPC_CREAT, SIZE = 0o1000, mmap.PAGESIZE
name = sys.argv[1] if len(sys.argv) > 1 else "/persistence"


def make_file():
    fd = os.open("kept.dat", os.O_RDWR | os.O_CREAT, 0o600)
    os.ftruncate(fd, SIZE)
    return mmap.mmap(fd, SIZE)


def make_posix():
    segment = posix_ipc.SharedMemory(name, posix_ipc.O_CREAT, mode=0o600, size=SIZE)
    return mmap.mmap(segment.fd, SIZE)


def make_system_v():
    libc = ctypes.CDLL(None)  # Python has no calls for System V's objects
    libc.shmat.restype = ctypes.c_void_p
    segment = libc.shmget(libc.ftok(b"kept.dat", 1), SIZE, 0o600 | IPC_CREAT)
    address = libc.shmat(segment, None, 0)
    return memoryview((ctypes.c_char * SIZE).from_address(address)).cast("B")


def make_anonymous():
    return mmap.mmap(-1, SIZE)


mapped = []
for make in (make_file, make_posix, make_system_v, make_anonymous):
    mapped.append(make())
    mapped[-1][:11] = b"Hello World"  # and no msync anywhere
    print(f"{make.__name__[5:]:10} written", flush=True)
