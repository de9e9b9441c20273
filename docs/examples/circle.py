"""Two clerks each lock one book and then want the other's book: neither ever goes on.

The books are files in the folder where it is run.
"""

import fcntl
import os
import time


def work(mine: str, other: str) -> None:
    """Lock one book, and then want the other."""
    with open(mine, "w") as first, open(other, "w") as second:
        fcntl.flock(first, fcntl.LOCK_EX)
        time.sleep(0.5)
        fcntl.flock(second, fcntl.LOCK_EX)  # each waits here for ever


for mine, other in (("book-a", "book-b"), ("book-b", "book-a")):
    if os.fork() == 0:
        work(mine, other)
        os._exit(0)
for _ in range(2):
    os.wait()
