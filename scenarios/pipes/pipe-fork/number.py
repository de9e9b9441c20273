"""A number goes from print in one process to input in the other, through a pipe."""

import os
import sys

read_end, write_end = os.pipe()  # before fork: so both have both ends
if os.fork() == 0:
    os.dup2(write_end, 1)  # standard output is the pipe now
    os.close(read_end)
    os.close(write_end)
    print(5000)
    sys.stdout.flush()  # the number is written here
    os._exit(0)
os.dup2(read_end, 0)  # standard input is the pipe now
os.close(read_end)
os.close(write_end)
number = int(sys.stdin.readline())
os.wait()
print(f"the number is {number}", flush=True)
