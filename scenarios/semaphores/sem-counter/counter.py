"""Two processes add to one counter in shared memory, TIMES times each: counter.py TIMES no|yes"""

import ctypes
import mmap
import os
import sys

SEM_BYTES = 32  # sizeof(sem_t)


def add(counter, lock, times):
    for _ in range(times):
        if lock:
            libc.sem_wait(lock)
        mine = counter[0]  # load ...
        counter[0] = mine + 1  # ... and store: what counter[0] += 1 is, too
        if lock:
            libc.sem_post(lock)


times = int(sys.argv[1]) if len(sys.argv) > 1 else 5
locked = sys.argv[2:] == ["yes"]

libc = ctypes.CDLL(None, use_errno=True)
memory = mmap.mmap(-1, mmap.PAGESIZE)  # shared, of no file, and kept by fork
counter = memoryview(memory)[:4].cast("i")  # one int
lock = None
if locked:
    lock = (ctypes.c_char * SEM_BYTES).from_buffer(memory, 8)
    libc.sem_init(lock, 1, 1)  # 1: between processes; 1: one may pass

for _ in range(2):
    if os.fork() == 0:
        add(counter, lock, times)
        os._exit(0)
for _ in range(2):
    os.wait()
print(f"2 x {times} additions: the counter is {counter[0]}")
