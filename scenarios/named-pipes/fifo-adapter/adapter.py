"""usage: adapter.py LINES PROGRAM...
PROGRAM wants a file's name, and the data are compressed: a FIFO stands for the file."""

import gzip
import os
import subprocess
import sys

lines, program = int(sys.argv[1]), sys.argv[2:]


def report(how):
    """Run the program on the FIFO, and gzip at its other end."""
    reader = subprocess.Popen([*program, how, "feed"])
    with open("feed", "wb", buffering=0) as feed:  # waits until the program opens it
        feeder = subprocess.Popen(["gzip", "-dc", "data.gz"], stdout=feed)
    reader.wait()
    print("status of gzip:", feeder.wait(), flush=True)


with gzip.open("data.gz", "wt") as data:
    data.writelines(f"{number:05}\n" for number in range(1, lines + 1))
os.mkfifo("feed")
try:
    report("count")  # reads from the beginning to the end: can't tell the difference
    os.access("/.ipcviz/step/and now one that seeks", os.F_OK)
    report("last")
finally:
    os.unlink("data.gz")
    os.unlink("feed")
