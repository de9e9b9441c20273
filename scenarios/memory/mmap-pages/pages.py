"""Maps a large file, touches a few of its pages, and counts the page faults: pages.py MEGABYTES"""

import mmap
import os
import resource
import sys


def mark(text):
    os.access("/.ipcviz/step/" + text, os.F_OK)  # says to ipcviz where we are


def count_faults():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_minflt + usage.ru_majflt


def touch(memory, pages):
    """Touches some pages, each by one store, and returns how many faults that took."""
    before = count_faults()
    for page in pages:
        memory[page * PAGE] = 1  # nothing is there yet: the kernel brings the page now
    return count_faults() - before


def show_programs():
    """The program and its libraries are mapped files, too: what they execute is r-xp."""
    with open("/proc/self/maps") as maps:
        lines = [line.rstrip() for line in maps if " r-xp " in line and "/" in line]
    for line in lines[:3]:
        print("mapped to be executed:", line.rpartition("/")[2], flush=True)


length = (int(sys.argv[1]) if len(sys.argv) > 1 else 100) << 20
PAGE = os.sysconf("SC_PAGESIZE")
print(f"a page has {PAGE} bytes", flush=True)
fd = os.open("large.dat", os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
os.ftruncate(fd, length)
memory = mmap.mmap(fd, length)
os.close(fd)
os.unlink("large.dat")  # the file stays until it is unmapped
count_faults(), touch(bytearray(PAGE), [0])  # so that Python's own first faults are over
mark("mapped")
print(f"page 0: {touch(memory, [0])} fault", flush=True)
mark("one page")
print(f"page 0 once more: {touch(memory, [0])} faults", flush=True)
print(f"pages 2 and 5: {touch(memory, [2, 5])} faults", flush=True)
mark("three pages")
memory.flush()  # msync: the changed pages go to the disk, and are clean afterwards
mark("written back")
memory.close()
show_programs()
