"""A variable inside shared memory of no file, and one beside it: anonymous.py anonymous|zero"""

import ctypes
import mmap
import os
import sys

beside = 0  # an ordinary variable: fork gives the child a copy of its own


def map_shared(zero):
    if not zero:
        return mmap.mmap(-1, mmap.PAGESIZE)  # MAP_SHARED | MAP_ANONYMOUS
    fd = os.open("/dev/zero", os.O_RDWR)  # the old way: a shared mapping of it is of no file, too
    return mmap.mmap(fd, mmap.PAGESIZE)


if len(sys.argv) > 2:  # the stranger: it knows the address, and has no such memory
    print("stranger:", ctypes.c_int.from_address(int(sys.argv[2])).value)
    sys.exit()

memory = map_shared(sys.argv[1:] == ["zero"])
inside = memoryview(memory)[:4].cast("i")  # one int
print(f"new memory: inside = {inside[0]}", flush=True)

if os.fork() == 0:
    beside = beside + 1
    inside[0] = inside[0] + 1
    print(f"child:  beside = {beside}, inside = {inside[0]}", flush=True)
    os._exit(0)
os.wait()
print(f"parent: beside = {beside}, inside = {inside[0]}", flush=True)

address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
if os.fork() == 0:
    os.execv(sys.executable, [sys.executable, sys.argv[0], "stranger", str(address)])
_, status = os.wait()
if os.WIFSIGNALED(status):
    print(f"the stranger was ended by signal {os.WTERMSIG(status)}", flush=True)
