"""usage: blocking.py BYTES WRITES CAPACITY REST
A writer and a reader with a pipe between them: whoever is ahead sleeps in the kernel."""

import fcntl
import os
import sys
import time

size, writes, capacity = (int(word) for word in sys.argv[1:4])
rest = float(sys.argv[4])

read_end, write_end = os.pipe()
fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, capacity)  # the kernel rounds up to whole pages
print(f"the pipe has room for {fcntl.fcntl(write_end, fcntl.F_GETPIPE_SZ)} bytes", flush=True)

if os.fork() == 0:
    os.close(write_end)
    while data := os.read(read_end, size):  # sleeps while there is nothing
        print(f"reader: {len(data)} bytes", flush=True)
        time.sleep(rest)
    os._exit(0)

os.close(read_end)
time.sleep(rest)
for number in range(1, writes + 1):
    os.write(write_end, b"x" * size)  # sleeps while there is no room
    print(f"writer: {number * size} bytes in all", flush=True)
os.close(write_end)
os.wait()
