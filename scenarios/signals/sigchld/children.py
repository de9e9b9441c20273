"""usage: children.py one|loop [COUNT]
Some children end at the same time. The parent waits for them when SIGCHLD says so."""

import os
import signal
import sys

loop = sys.argv[1:2] == ["loop"]
count = int(sys.argv[2]) if len(sys.argv) > 2 else 3

signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])  # it is taken by sigwait, below
for _ in range(count):
    if os.fork() == 0:
        os._exit(0)

reaped = 0
while reaped < count:
    signal.sigwait([signal.SIGCHLD])
    while reaped < count and os.waitpid(-1, os.WNOHANG)[0]:
        reaped += 1  # with loop: all that have ended by now
        if not loop:
            break  # wrong: a signal is not a child
    print(f"{reaped} of {count} waited for", flush=True)
