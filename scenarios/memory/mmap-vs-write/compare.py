"""Runs the same work by write() and by a mapping, in turn, and lays the figures side by side:
compare.py KIB UPDATES ROUNDS text|csv|json PROGRAM..."""

import csv
import json
import math
import os
import shlex
import statistics
import sys

WAYS = ("write", "map")
STEPS = "▁▂▃▄▅▆▇█"
kib = (int(sys.argv[1]) + 63) // 64 * 64  # whole pieces
updates, rounds, form = int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
program = sys.argv[5:]


def is_traced():
    with open("/proc/self/status") as status:
        return any(line.startswith("TracerPid:") and line.split()[1] != "0" for line in status)


def run(task, way, count):
    """Seconds, calls, bytes copied by the kernel, and faults of one run."""
    words = [*program, task, way, str(kib), str(count)]
    answer, end = os.pipe()
    to_us = [(os.POSIX_SPAWN_DUP2, end, 1)]
    pid = os.posix_spawnp(words[0], words, os.environ, file_actions=to_us)
    os.close(end)
    line = b""
    while not line.endswith(b"\n") and (data := os.read(answer, 4096)):
        line += data
    os.close(answer)
    figures = [float(word) for word in line.split()]
    _, status = os.waitpid(pid, 0)
    if status:
        sys.exit(f"{shlex.join(words)} failed")
    return figures


def measure():
    """A row for each task and way: medians over the rounds, and the spread."""
    counts = [10**power for power in range(8) if 10**power < updates] if timed else []
    tasks = [("pass", 0), *(("updates", count) for count in (*counts, updates))]
    found = {(task, count, way): [] for task, count in tasks for way in WAYS}
    for number in range(rounds):  # in turn, so that what disturbs the machine disturbs both ways
        if live:
            show(f"round {number + 1} of {rounds}: {'milliseconds' if timed else 'calls'}")
        for task, count in tasks:
            both = [run(task, way, count) for way in WAYS]
            for way, figures in zip(WAYS, both):
                found[task, count, way].append(figures)
            if live:  # now, while nothing is being measured
                show(draw_row(task, count, both))
    for (task, count, way), runs in found.items():
        times = [one[0] for one in runs]
        calls, copied, faults = (int(number) for number in runs[0][1:])
        yield {
            "task": task,
            "updates": count,
            "way": way,
            "median_s": statistics.median(times) if timed else None,
            "least_s": min(times) if timed else None,
            "most_s": max(times) if timed else None,
            "calls": calls,
            "copied": copied,
            "faults": faults,
        }


def show(line):
    print(line, flush=True)


def draw_row(task, count, both):
    """What one run of each way has taken, with bars."""
    numbers = [figures[0] * 1e3 if timed else figures[1] for figures in both]
    line = f"{task:8} {count if count else '':>9}"
    for way, number in zip(WAYS, numbers):
        bar = "█" * round(12 * number / (max(numbers) or 1))
        line += f"  {way:5} {number:10,.{2 if timed else 0}f} {bar:12}"
    return line.rstrip()


def draw_table(rows):
    """Both ways side by side, with a bar for the time; for the calls if there is no time."""
    shown = "median_s" if timed else "calls"
    times = f" {'ms':>8} {'least..most':>16}" if timed else ""
    yield f"{'':8} {'':6}{times} {'calls':>7} {'copied':>11} {'faults':>7}"
    longest = max(row[shown] for row in rows) or 1
    for row in rows:
        if timed:
            spread = f"{row['least_s'] * 1e3:.2f}..{row['most_s'] * 1e3:.2f}"
            times = f" {row['median_s'] * 1e3:8.2f} {spread:>16}"
        counts = f"{row['calls']:7} {row['copied']:11,} {row['faults']:7}"
        bar = "█" * round(10 * row[shown] / longest)
        yield f"{row['task']:8} {row['way']:6}{times} {counts} {bar}".rstrip()


def draw_curve(rows):
    """What one update takes, by their number: a mapping pays for its faults at first."""
    counts = sorted({row["updates"] for row in rows})
    costs = {(r["way"], r["updates"]): r["median_s"] * 1e6 / r["updates"] for r in rows}
    low, high = math.log(min(costs.values())), math.log(max(costs.values()))
    yield "microseconds per update, by the number of updates"
    yield f"{'':6}" + "".join(f"{count:>9,}" for count in counts)
    for way in WAYS:
        parts = [(math.log(costs[way, count]) - low) / (high - low or 1) for count in counts]
        curve = "".join(STEPS[round(part * (len(STEPS) - 1))] for part in parts)
        yield f"{way:6}" + "".join(f"{costs[way, count]:9.3g}" for count in counts) + f" {curve}"
    behind = [count for count in counts if costs["map", count] >= costs["write", count]]
    ahead = [count for count in counts if count > max(behind, default=0)]
    if ahead:
        yield f"the mapping is ahead here from {ahead[0]:,} updates on"
    else:
        yield "the mapping is not ahead here at the greatest number of updates"


def report(rows):
    yield from draw_table([row for row in rows if row["updates"] in (0, updates)])
    if timed:
        yield from draw_curve([row for row in rows if row["task"] == "updates"])
    else:
        yield "ipcviz watches: that takes time, so no times are shown. Take the counts."
    if not timed and live:
        yield f"To measure, run it alone: {shlex.join([sys.executable, *sys.argv])}"


timed = not is_traced()
live = rounds > 1 and form == "text"
if not timed:
    rounds = 1  # the counts are the same each time
sys.stdout.reconfigure(errors="replace")
with open("work.dat", "wb") as file:
    file.write(bytes(kib << 10))  # its pages are in memory from the start, for both ways
try:
    figures = list(measure())
finally:
    os.unlink("work.dat")
if form == "json":
    text = json.dumps(figures, indent=1) + "\n"
elif form == "csv":
    table = csv.DictWriter(sys.stdout, figures[0])
    table.writeheader()
    table.writerows(figures)
    text = ""
else:
    text = "\n".join(report(figures)) + "\n"
if live:
    show("")
sys.stdout.write(text)
