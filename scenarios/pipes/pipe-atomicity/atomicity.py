"""usage: atomicity.py BYTES MESSAGES CAPACITY REST
Two writers share a pipe: each message is one write of one letter. Do they come out whole?"""

import fcntl
import itertools
import os
import sys
import time

size, messages, capacity = (int(word) for word in sys.argv[1:4])
rest = float(sys.argv[4])

read_end, write_end = os.pipe()
fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, capacity)  # little room: it comes to it sooner

for letter in (b"a", b"b"):
    if os.fork() == 0:
        os.close(read_end)
        for _ in range(messages):
            os.write(write_end, letter * size)
        os._exit(0)

os.close(write_end)
time.sleep(rest)
data = b""
while some := os.read(read_end, 65536):
    data += some
os.wait()
os.wait()

runs = [(chr(letter), len(list(run))) for letter, run in itertools.groupby(data)]
print(", ".join(f"{count} {letter}" for letter, count in runs))
if all(count % size == 0 for _, count in runs):
    os.access("/.ipcviz/step/whole", os.F_OK)
    print("each message is whole")
else:
    os.access("/.ipcviz/step/mixed", os.F_OK)
    print("a message is in the middle of another one")
