"""usage: handlers.py
Catches SIGUSR1 and SIGINT, again and again; SIGTERM ends it."""

import os
import signal


def handler(signo, frame):
    # Python's own handler in C only makes a note; this one is called a little later, at the next
    # place between two of its instructions.
    os.write(1, f"caught {signal.Signals(signo).name}\n".encode())


signal.signal(signal.SIGUSR1, handler)
signal.signal(signal.SIGINT, handler)
# Nothing for SIGTERM: its default is to end the process.
while True:
    signal.pause()
    os.write(1, b"pause is over\n")
