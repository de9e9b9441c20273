"""Writes texts into shared.dat, by memory alone: producer.py ROUNDS DELAY"""

import mmap
import os
import sys
import time

SIZE = 64  # an int, the length, and 60 bytes of text
TEXTS = [b"Hello World", b"Good Evening"]

rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 2
delay = float(sys.argv[2]) if len(sys.argv) > 2 else 0.3

fd = os.open("shared.dat", os.O_RDWR | os.O_CREAT, 0o600)
os.ftruncate(fd, SIZE)  # a new file has no bytes, and a mapping adds none
shared = mmap.mmap(fd, SIZE)  # shared, to be read and written, unless one says otherwise
length = memoryview(shared)[:4].cast("i")
os.close(fd)  # the mapping stays
for n in range(rounds):
    text = TEXTS[n % 2]
    shared[4 : 4 + len(text)] = text  # one store ...
    length[0] = len(text)  # ... and another: between them they don't fit
    time.sleep(delay)
