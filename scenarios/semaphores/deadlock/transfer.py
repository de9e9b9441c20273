"""usage: transfer.py as-given|in-order [WINDOW]
Two accounts with a semaphore each. One process moves money from left to right, one from right
to left, and each takes both semaphores before it touches the money."""

import ctypes
import mmap
import os
import sys
import time

in_order = sys.argv[1:2] == ["in-order"]
window = float(sys.argv[2]) if len(sys.argv) > 2 else 0.1
libc = ctypes.CDLL(None)  # Python has no unnamed semaphores: sem_init and the like are libc's own


class Account(ctypes.Structure):
    _fields_ = [("lock", ctypes.c_long * 4), ("balance", ctypes.c_int)]  # a sem_t: 32 bytes


def transfer(source, target, amount):
    first, second = source, target
    if in_order and first is right:  # mended: whoever needs both takes left first
        first, second = second, first
    libc.sem_wait(first.lock)
    if window > 0:
        time.sleep(window)  # anything can happen here; now it takes longer
    libc.sem_wait(second.lock)
    source.balance -= amount
    target.balance += amount
    libc.sem_post(second.lock)
    libc.sem_post(first.lock)


accounts = (Account * 2).from_buffer(mmap.mmap(-1, mmap.PAGESIZE))  # shared, and kept by fork
left, right = accounts
for account in (left, right):
    account.balance = 100
    libc.sem_init(account.lock, 1, 1)  # 1: between processes; 1: one may pass

for source, target, amount in (left, right, 10), (right, left, 20):
    if os.fork() == 0:
        transfer(source, target, amount)
        os._exit(0)
os.wait()
os.wait()
print(f"left {left.balance}, right {right.balance}")
