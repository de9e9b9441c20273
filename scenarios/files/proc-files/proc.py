"""usage: proc.py
/proc looks like files on a disk; what is read there the kernel makes at that moment."""

import os
import signal


def say(text):
    print(f"{text}\n", end="", flush=True)


def read_again(fd):
    return os.pread(fd, 4096, 0).decode()  # from the beginning


def find_line(text, word):
    return next(line for line in text.splitlines() if line.startswith(word))


file = os.stat("/proc/loadavg")
say(f"/proc/loadavg: {file.st_size} bytes, {file.st_blocks} blocks on a disk")
loadavg = os.open("/proc/loadavg", os.O_RDONLY)
say("now:        " + read_again(loadavg).strip())
worker = os.fork()
if worker == 0:
    signal.pause()
    os._exit(0)
say("later:      " + read_again(loadavg).strip())  # the last number is that of the newest process

status = os.open(f"/proc/{worker}/status", os.O_RDONLY)
say("worker:     " + find_line(read_again(status), "State:"))
os.kill(worker, signal.SIGKILL)
os.waitid(os.P_PID, worker, os.WEXITED | os.WNOWAIT)  # until it has ended: it is a zombie now
say("killed:     " + find_line(read_again(status), "State:"))
os.waitpid(worker, 0)
try:
    read_again(status)
except ProcessLookupError as error:
    say("waited for: " + error.strerror)

vmstat = os.open("/proc/vmstat", os.O_RDONLY)
say("vmstat:     " + find_line(read_again(vmstat), "pgfault"))  # page faults since the boot
