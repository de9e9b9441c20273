"""usage: connect2.py close|forget P1 [ARGUMENT...] -- P2 [ARGUMENT...]
Runs two programs with a pipe between them, as a shell does for P1 | P2."""

import os
import sys

forgets = sys.argv[1] == "forget"
middle = sys.argv.index("--")
p1, p2 = sys.argv[2:middle], sys.argv[middle + 1 :]

read_end, write_end = os.pipe()

left = os.fork()
if left == 0:
    os.dup2(write_end, 1)  # what p1 prints goes into the pipe
    os.close(read_end)
    os.close(write_end)
    os.execvp(p1[0], p1)

right = os.fork()
if right == 0:
    os.dup2(read_end, 0)  # what p2 reads comes out of it
    os.close(read_end)
    os.close(write_end)
    os.execvp(p2[0], p2)

if not forgets:
    os.close(read_end)
    os.close(write_end)  # else p2 never sees the end of file
os.waitpid(left, 0)
os.waitpid(right, 0)
print("both have ended")
