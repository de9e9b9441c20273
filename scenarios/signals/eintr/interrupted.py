"""usage: interrupted.py [SECONDS]
A read sleeps on an empty pipe; a signal with a handler comes before the data. Python makes the
read again by itself: its own loop is in the interpreter (PEP 475)."""

import os
import signal
import sys
import time

seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 0.5

signal.signal(signal.SIGUSR1, lambda signo, frame: None)
read_end, write_end = os.pipe()
if os.fork() == 0:
    os.close(read_end)
    if seconds:
        time.sleep(seconds)
    os.kill(os.getppid(), signal.SIGUSR1)
    if seconds:
        time.sleep(seconds)
    os.write(write_end, b"hello")
    os._exit(0)
os.close(write_end)

text = os.read(read_end, 100)  # a handler that raised an exception would end it
print(f"read {len(text)} bytes: {text.decode()}", flush=True)
os.wait()
