"""usage: eof.py forget|close
A writer sends a line to cat through a pipe, and ends. Does cat end, too?"""

import os
import sys

forgets = sys.argv[1:] == ["forget"]

read_end, write_end = os.pipe()
writer = os.fork()
if writer == 0:
    os.close(read_end)
    os.write(write_end, b"one line\n")
    os._exit(0)

reader = os.fork()
if reader == 0:
    os.dup2(read_end, 0)
    os.close(read_end)
    if forgets:
        os.set_inheritable(write_end, True)  # cat inherits what it was not meant to have
    else:
        os.close(write_end)
    os.execvp("cat", ["cat"])

os.close(read_end)
os.close(write_end)
for pid in (writer, reader):
    os.waitpid(pid, 0)
print("both have ended")
