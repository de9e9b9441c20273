"""usage: rendezvous.py wait|nonblock reader|writer
Two programs that know nothing of each other but a name meet at a FIFO."""

import os
import sys
import time

NAME = "meeting"


def open_to_write_at_once():
    """With O_NONBLOCK open never waits: without a reader it fails with ENXIO."""
    while True:
        try:
            return os.open(NAME, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            print(f"writer: {error.strerror}: nobody reads yet", flush=True)
            time.sleep(0.2)  # here it could do something else


how, side = sys.argv[1:3]
try:
    os.mkfifo(NAME, 0o600)
except FileExistsError:
    pass  # the other one came first, and made it

if side == "reader":
    fd = os.open(NAME, os.O_RDONLY)  # waits for a writer
    print("reader: open has returned", flush=True)
    while text := os.read(fd, 100):
        print(f"reader: {text.decode()}", flush=True)
    print("reader: end of file", flush=True)
    os.unlink(NAME)
else:
    if how == "nonblock":
        fd = open_to_write_at_once()
    else:
        fd = os.open(NAME, os.O_WRONLY)  # waits for a reader
    print("writer: open has returned", flush=True)
    os.write(fd, b"so we have met")
