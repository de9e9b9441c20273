"""Reads texts from shared.dat, by memory alone: consumer.py ROUNDS DELAY"""

import mmap
import os
import sys
import time

SIZE = 64  # an int, the length, and 60 bytes of text


def open_shared():
    """The file, once it is there and has its size."""
    while True:
        try:
            fd = os.open("shared.dat", os.O_RDONLY)
            break
        except FileNotFoundError:
            time.sleep(0.05)
    while os.fstat(fd).st_size < SIZE:
        time.sleep(0.05)
    return fd


rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 2
delay = float(sys.argv[2]) if len(sys.argv) > 2 else 0.3

fd = open_shared()
shared = mmap.mmap(fd, SIZE, prot=mmap.PROT_READ)
length = memoryview(shared)[:4].cast("i")
os.close(fd)
for _ in range(rounds):
    count = length[0]
    text = shared[4 : 4 + count]  # nobody says whether both are of one text
    print(f"consumer: {text.decode()!r}", flush=True)
    time.sleep(delay)
