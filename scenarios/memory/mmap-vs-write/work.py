"""The same work in two ways: work.py pass|updates write|map KIB UPDATES
Prints seconds, calls of the write family, bytes that these copied, and page faults."""

import mmap
import os
import resource
import sys
import time

PIECE = 64 << 10


def count_faults():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_minflt + usage.ru_majflt


def read_counts():
    """What the kernel has counted for this process (proc_pid_io(5))."""
    with open("/proc/self/io") as file:
        counts = dict(line.split(": ") for line in file)
    return int(counts["syscw"]), int(counts["wchar"])


task, way = sys.argv[1:3]
size, updates = int(sys.argv[3]) << 10, int(sys.argv[4])
fd = os.open("work.dat", os.O_RDWR)
buffer = b"x" * PIECE
memory = None
faults = count_faults()
begin = time.monotonic()
if way == "map":
    memory = mmap.mmap(fd, size)
if task == "pass":  # once through the file, piece by piece
    for at in range(0, size, PIECE):
        if memory:
            memory[at : at + PIECE] = buffer
        else:
            os.write(fd, buffer)
else:  # eight bytes here and there, as a database does
    for n in range(updates):
        at = n * 7919 * 8 % size
        if memory:
            memory[at : at + 8] = n.to_bytes(8, "little")
        else:
            os.pwrite(fd, n.to_bytes(8, "little"), at)
seconds = time.monotonic() - begin
faults = count_faults() - faults
calls, copied = read_counts()
print(f"{seconds:.9f} {calls} {copied} {faults}")
