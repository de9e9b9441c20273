"""A shared memory object with a name: it outlives who made it, and its name can go before it does.
usage: segment.py NAME"""

import mmap
import os
import socket
import sys

import posix_ipc

SIZE = 4096
name = sys.argv[1] if len(sys.argv) > 1 else "/hello"


def open_segment(flags=0, size=0):
    """The object, mapped. posix_ipc sizes a new one by ftruncate."""
    segment = posix_ipc.SharedMemory(name, flags, mode=0o600, size=size)
    memory = mmap.mmap(segment.fd, SIZE)
    segment.close_fd()
    return memory


def make():
    memory = open_segment(posix_ipc.O_CREX, SIZE)
    memory[:12] = b"Hello World "
    print(f"maker: wrote {memory[:12].decode()!r}, and ends", flush=True)


def use(turn):
    memory = open_segment()
    print(f"user: found {memory[:12].decode()!r}", flush=True)
    turn.send(b".")
    turn.recv(1)  # the name goes meanwhile
    memory[:12] = b"Good Evening"
    print(f"user: goes on, and wrote {memory[:12].decode()!r}", flush=True)


if os.fork() == 0:
    make()
    os._exit(0)
os.wait()  # nobody has the object open or mapped now
one, other = socket.socketpair()
if os.fork() == 0:
    use(other)
    os._exit(0)
one.recv(1)
posix_ipc.unlink_shared_memory(name)  # the name alone
try:
    open_segment()
except posix_ipc.ExistentialError as error:
    print(f"{name}: {error}", flush=True)
one.send(b".")
os.wait()  # with the last mapping the memory goes
