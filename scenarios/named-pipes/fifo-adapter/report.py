"""usage: report.py count|last FILE
Two programs that know files only: one reads from the beginning to the end, the other one goes
straight to the place that it wants."""

import os
import sys

how, path = sys.argv[1:3]
fd = os.open(path, os.O_RDONLY)

if how == "count":
    lines = 0
    while text := os.read(fd, 65536):
        lines += text.count(b"\n")
    print(f"{lines} lines", flush=True)
else:
    try:
        os.lseek(fd, -6, os.SEEK_END)  # a pipe has no place to go to: ESPIPE
    except OSError as error:
        sys.exit(f"lseek: {error.strerror}")
    print(f"the last line is {os.read(fd, 6).decode().strip()}", flush=True)
