"""Lays the means of communication side by side:
compare.py stream,answer SIZE,SIZE... MESSAGES ROUNDS FILE.json|FILE.csv|- NAME PROGRAM..."""

import csv
import itertools
import json
import math
import os
import shlex
import statistics
import sys

MEANS = {
    "pipe": "pipe",
    "fifo": "FIFO",
    "unix": "UNIX socket",
    "tcp": "TCP",
    "queue": "message queue",
    "file": "file",
    "mapped": "mapped file",
    "memory": "shared memory",
}
WAYS = {"stream": "one way", "answer": "with an answer"}
RATES = {"stream": "bytes per second", "answer": "round trips per second"}
MOST = 32 << 20  # bytes of one run: of long messages there are fewer
STEPS = "▁▂▃▄▅▆▇█"


def is_traced():
    with open("/proc/self/status") as status:
        return any(line.startswith("TracerPid:") and line.split()[1] != "0" for line in status)


def run(mode, size, count):
    """(means, seconds, what both processes have counted) of each means, per message."""
    words = [*program, mode, str(size), str(count), name, *MEANS]
    answer, end = os.pipe()
    to_us = [(os.POSIX_SPAWN_DUP2, end, 1)]
    pid = os.posix_spawnp(words[0], words, os.environ, file_actions=to_us)
    os.close(end)
    with open(answer) as file:
        lines = sorted(line.split() for line in file)
    _, status = os.waitpid(pid, 0)
    if status:
        sys.exit(f"{' '.join(words)} failed")
    for means, pair in itertools.groupby(lines, key=lambda line: line[0]):
        one, other = ([float(word) for word in line[1:]] for line in pair)
        counts = [(a + b) / count for a, b in zip(one[1:], other[1:])]
        yield means, max(one[0], other[0]) / count, counts


def measure():
    """A row for each way, size and means: medians over the rounds, and the spread."""
    found = {key: [] for key in itertools.product(modes, sizes, MEANS)}
    for number in range(rounds):  # in turn, so that what disturbs the machine disturbs all alike
        for mode, size in itertools.product(modes, sizes):
            if many and size == sizes[0]:
                show(f"round {number + 1} of {rounds}: {name_rates(mode)}, {WAYS[mode]}")
                show(f"{'bytes':>9}" + "".join(f"{means:>8}" for means in MEANS))
            for means, *figures in run(mode, size, max(1, min(messages, MOST // size))):
                found[mode, size, means].append(figures)
            if many:  # now, while nothing is being measured
                show(draw_row(mode, size, [found[mode, size, means][-1] for means in MEANS]))
    for (mode, size, means), runs in found.items():
        unit = size if mode == "stream" else 1
        rates = [unit / seconds for seconds, _ in runs]
        calls, kernel, own, switches, faults = map(statistics.median, zip(*(c for _, c in runs)))
        yield {
            "mode": mode,
            "size": size,
            "means": means,
            "per_second": statistics.median(rates) if timed else None,
            "least": min(rates) if timed else None,
            "most": max(rates) if timed else None,
            "calls": calls,
            "copies_by_kernel": kernel / size,
            "copies_by_program": own / size,
            "switches": switches if timed else None,
            "faults": faults,
        }


def short(number):
    for unit in ("", "k", "M"):
        if number < 999.5:
            return f"{number:.3g}{unit}"
        number /= 1000
    return f"{number:.3g}G"


def show(line):
    print(line, flush=True)


def name_rates(mode):
    return RATES[mode] if timed else "calls that carry data"


def draw_row(mode, size, runs):
    """What one run has measured of each means, and a bar beside those of the others."""
    unit = size if mode == "stream" else 1
    rates = [unit / seconds if timed else counts[0] for seconds, counts in runs]
    bars = (STEPS[round(rate / max(rates) * (len(STEPS) - 1))] for rate in rates)
    return f"{size:9,}" + "".join(f"{short(r):>7}{bar}" for r, bar in zip(rates, bars))


def draw_bars(mode, size, rows):
    """All means at one size: rate and spread, what it takes per message, and a bar."""
    shown = "per_second" if timed else "calls"
    yield f"{name_rates(mode)}: messages of {size:,} byte{'s' * (size > 1)}, {WAYS[mode]}"
    rates = f" {'median':>6} {'least..most':>12}" if timed else ""
    yield f"{'':13}{rates} {'calls':>6} {'copies':>6} {'switches':>8} {'faults':>6}"
    most = max(row[shown] for row in rows)
    for row in rows:
        switches = "-"
        if timed:
            spread = f"{short(row['least'])}..{short(row['most'])}"
            rates = f" {short(row['per_second']):>6} {spread:>12}"
            switches = f"{row['switches']:.2f}"
        copies = f"{row['copies_by_kernel']:.0f}+{row['copies_by_program']:.0f}"
        counts = f"{row['calls']:6.4g} {copies:>6} {switches:>8} {row['faults']:6.2f}"
        bar = "█" * round(15 * row[shown] / most) or "▏" * (row[shown] > 0)
        yield f"{MEANS[row['means']]:13}{rates} {counts} {bar}".rstrip()


def draw_curves(mode, rows):
    """All sizes: medians, half the spread in percent, and the curve on a logarithmic scale."""
    yield f"{RATES[mode]} by the size of a message, {WAYS[mode]}"
    yield f"{'':13}" + "".join(f"{size:>10,}" for size in sizes)
    low, high = (math.log(end(row["per_second"] for row in rows)) for end in (min, max))
    for means, title in MEANS.items():
        line = curve = ""
        for row in (row for row in rows if row["means"] == means):
            spread = 50 * (row["most"] - row["least"]) / row["per_second"]
            cell = f"{short(row['per_second'])}±{spread:.0f}%"
            line += f"{cell:>10}"
            part = (math.log(row["per_second"]) - low) / (high - low or 1)
            curve += STEPS[round(part * (len(STEPS) - 1))]
        yield f"{title:13}{line} {curve}"


def report(rows):
    for mode in modes:
        of_mode = [row for row in rows if row["mode"] == mode]
        for size in sorted({min(sizes), max(sizes)}):
            yield from draw_bars(mode, size, [row for row in of_mode if row["size"] == size])
            yield ""
        if timed and len(sizes) > 1:
            yield from draw_curves(mode, of_mode)
            yield ""
    yield "Calls carry data; copies: by the kernel + by the program itself. In a semaphore"
    yield "each sleep is a call more, and each wake-up another one."
    if traced:
        yield "ipcviz watches: that takes time and adds switches, so neither is shown."
    if traced and many:
        yield f"To measure, run it alone: {shlex.join([sys.executable, *sys.argv])}"


def save(rows, file):
    if path.endswith(".json"):
        json.dump(rows, file, indent=1)
    else:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows(rows)


modes = sys.argv[1].split(",")
sizes = sorted({int(size) for size in sys.argv[2].split(",")})
messages, rounds, path, name = int(sys.argv[3]), int(sys.argv[4]), sys.argv[5], sys.argv[6]
program = sys.argv[7:]
if not 1 <= sizes[0] <= sizes[-1] <= 1 << 20 or len(sizes) > 6:
    sys.exit("sizes: give one to six, from 1 to 1048576 bytes")
if path != "-" and not path.endswith((".json", ".csv")):
    sys.exit(f"{path}: the file for the figures must end in .json or .csv")
traced = is_traced()
many = messages > 1  # one message is no measurement
timed = many and not traced
if traced:
    rounds = 1  # the counts are the same each time
try:
    file = None if path == "-" else open(path, "w", newline="")
except OSError as error:
    sys.exit(f"{path}: {error.strerror}")
sys.stdout.reconfigure(errors="replace")
figures = list(measure())
if many:
    show("")
if file:
    save(figures, file)
    file.close()
sys.stdout.write("\n".join(report(figures)) + "\n")
