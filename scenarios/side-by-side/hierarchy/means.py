"""How each of the means is opened. Its name is removed at once: the child inherits what is open,
and nothing stays, however this ends."""

import mmap
import os
import socket

import posix_ipc

SLOTS, LONGEST = 4, 8192  # of memory and files; a message of a queue


def connect_tcp():
    with socket.create_server(("127.0.0.1", 0)) as listener:  # port 0: any that is free
        one = socket.create_connection(listener.getsockname())
        other, _ = listener.accept()
    for end in (one, other):  # else small messages wait to be sent together
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return one.detach(), other.detach()


def open_file(path, size):
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    os.unlink(path)
    os.ftruncate(fd, size)
    return fd


def open_fifo():
    os.mkfifo("fifo", 0o600)
    fd = os.open("fifo", os.O_RDWR)  # on Linux this waits for nobody
    os.unlink("fifo")
    return fd


def open_queue(name):
    queue = posix_ipc.MessageQueue(
        name, posix_ipc.O_CREX, mode=0o600, max_messages=10, max_message_size=LONGEST
    )
    queue.unlink()
    return queue


def open_semaphore(name, value):
    semaphore = posix_ipc.Semaphore(name, posix_ipc.O_CREX, mode=0o600, initial_value=value)
    semaphore.unlink()
    return semaphore


class Channel:
    """One direction from one process to the other."""

    def __init__(self, means, name, size):
        self.to = self.source = -1  # descriptors to send by, and to receive by
        self.queue = self.memory = self.full = self.empty = None
        self.sent = self.received = 0
        if means == "pipe":
            self.source, self.to = os.pipe()
        elif means == "unix":
            one, other = socket.socketpair()
            self.to, self.source = one.detach(), other.detach()
        elif means == "tcp":
            self.to, self.source = connect_tcp()
        elif means == "fifo":
            self.to = self.source = open_fifo()
        elif means == "queue":
            self.queue = open_queue(name)
        elif means in ("file", "mapped"):
            self.to = self.source = open_file(means, SLOTS * size)
        if means in ("mapped", "memory"):  # -1: anonymous memory
            self.memory = mmap.mmap(self.to, SLOTS * size)
        if means in ("file", "mapped", "memory"):  # these wake nobody, so semaphores must
            self.empty = open_semaphore(f"{name}-{means}-empty", SLOTS)
            self.full = open_semaphore(f"{name}-{means}-full", 0)
