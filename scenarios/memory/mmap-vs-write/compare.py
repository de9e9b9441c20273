"""Runs the same work by write() and by a mapping, in turn, and lays the figures side by side:
compare.py KIB UPDATES ROUNDS text|csv|json PROGRAM..."""

import csv
import json
import os
import statistics
import sys

FIELDS = ("task", "way", "median_s", "least_s", "most_s", "calls", "copied", "faults")
kib = (int(sys.argv[1]) + 63) // 64 * 64  # whole pieces
updates, rounds, form = sys.argv[2], int(sys.argv[3]), sys.argv[4]
program = sys.argv[5:]


def is_traced():
    with open("/proc/self/status") as status:
        return any(line.startswith("TracerPid:") and line.split()[1] != "0" for line in status)


def run(task, way):
    words = [*program, task, way, str(kib), updates]
    answer, end = os.pipe()
    to_us = [(os.POSIX_SPAWN_DUP2, end, 1)]
    pid = os.posix_spawnp(words[0], words, os.environ, file_actions=to_us)
    os.close(end)
    with open(answer) as file:
        figures = [float(word) for word in file.read().split()]
    _, status = os.waitpid(pid, 0)
    if status:
        sys.exit(f"{' '.join(words)} failed")
    return figures


with open("work.dat", "wb") as file:
    file.write(bytes(kib << 10))  # its pages are in memory from the start, for both ways
found = {(task, way): [] for task in ("pass", "updates") for way in ("write", "map")}
try:
    for _ in range(rounds):  # in turn, so that what disturbs the machine disturbs both ways
        for key, runs in found.items():
            runs.append(run(*key))
finally:
    os.unlink("work.dat")

rows = []
for (task, way), runs in found.items():
    times = [one[0] for one in runs]
    counts = [int(count) for count in runs[0][1:]]
    rows.append((task, way, statistics.median(times), min(times), max(times), *counts))
if form == "json":
    print(json.dumps([dict(zip(FIELDS, row)) for row in rows], indent=1))
elif form == "csv":
    csv.writer(sys.stdout).writerows([FIELDS, *rows])
else:
    longest = max(row[2] for row in rows)
    print(f"{'':8} {'':6} {'ms':>8} {'least..most':>16} {'calls':>7} {'copied':>11} {'faults':>7}")
    for task, way, median, least, most, calls, copied, faults in rows:
        spread = f"{least * 1e3:.2f}..{most * 1e3:.2f}"
        bar = "#" * round(12 * median / longest)
        print(f"{task:8} {way:6} {median * 1e3:8.2f} {spread:>16} {calls:7} {copied:11,} {faults:7} {bar}")
    if is_traced():
        print("ipcviz was watching: take the counts, and not the times, from this run")
