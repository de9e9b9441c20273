"""usage: stop.py [SECONDS]
A writer is stopped in the middle of its work and continued. What does its reader see of that?"""

import os
import signal
import sys
import time

seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 0.5


def rest(times=1.0):
    if seconds:
        time.sleep(seconds * times)


read_end, write_end = os.pipe()
reader = os.fork()
if reader == 0:
    os.dup2(read_end, 0)
    os.close(read_end)
    os.close(write_end)
    os.execvp("cat", ["cat"])

writer = os.fork()
if writer == 0:
    os.close(read_end)
    for number in (1, 2, 3):
        os.write(write_end, b"line %d\n" % number)
        rest()
    os._exit(0)

os.close(read_end)
os.close(write_end)
rest(0.5)
os.kill(writer, signal.SIGSTOP)
pid, status = os.waitpid(writer, os.WUNTRACED)  # told of a child that stops, too
if os.WIFSTOPPED(status):
    print("stopped by", signal.Signals(os.WSTOPSIG(status)).name, flush=True)
    os.access("/.ipcviz/step/has asked", os.F_OK)
    rest(4)
    os.kill(writer, signal.SIGCONT)
    os.waitpid(writer, 0)
os.waitpid(reader, 0)
