"""One sentence that sums up a run, once all of it has ended."""

from __future__ import annotations

from collections import Counter

from ipcviz.events.kinds import KINDS, MEMORY, MESSAGES, PIPES, SOCKETS, TYPED
from ipcviz.events.signals import signal_name
from ipcviz.model import query
from ipcviz.model.mechanisms.notifiers import format_seconds
from ipcviz.model.state import Object, Process, State
from ipcviz.narrate.words import bytes_text, count_bytes, name_process

_NAMED = 3
"""So many processes are named; more are counted."""


def summarize_run(state: State) -> str:
    """What went between whom, for how long, and how all ended; empty while something runs.

    `In 0.24 s 1.6M went through 2 pipes; all 4 processes exited with status 0.`
    """
    if not query.has_ended(state):
        return ""
    ends = max(process.died or 0.0 for process in state.processes.values())
    began = min(process.born for process in state.processes.values())
    what = _join_words(_list_traffic(state)) or "nothing was passed from one process to another"
    return f"In {format_seconds(max(0.0, ends - began))} {what}; {_describe_ends(state)}."


def _list_traffic(state: State) -> list[str]:
    found = []
    pids: dict[str, set[int]] = {}
    for pid, keys in state.traffic.items():
        for key in keys:
            pids.setdefault(key, set()).add(pid)
    used = [state.objects[key] for key in pids if key in state.objects]
    for kinds, noun in ((PIPES, "pipe"), (SOCKETS, "socket"), (MESSAGES, "queue")):
        things = [thing for thing in used if thing.info.kind in kinds]
        amounts = [_count_through(state, thing) for thing in things]
        moved = sum(amount for amount, _ in amounts)
        if moved:
            least = _at_least(all(exact for _, exact in amounts))
            found.append(f"{least}{_amount(moved)} went through {_count(len(things), noun)}")
    shared = [t for t in used if t.info.kind in MEMORY | {"file"} and _is_mapped_by_two(state, t)]
    if shared:
        found.append(f"{_count(len(shared), 'piece')} of memory {_was(len(shared))} shared")
    # No other process can see an interpreter's own locks.
    semaphores = [
        semaphore
        for semaphore in state.semaphores.values()
        if semaphore.operations and not semaphore.info.private
    ]
    operations = sum(semaphore.operations for semaphore in semaphores)
    if operations:
        text = f"{_count(operations, 'operation')} {_was(operations)} made"
        found.append(f"{text} on {_count(len(semaphores), 'semaphore')}")
    signals = sum(1 for sent in state.sent if sent.delivered is not None)
    if signals:
        found.append(f"{_count(signals, 'signal')} {_was(signals)} sent and delivered")
    terminals = [t for t in used if t.info.kind in TYPED]
    written = sum(terminal.bytes_in for terminal in terminals)
    if written:
        least = _at_least(all(terminal.exact for terminal in terminals))
        found.append(f"{least}{_amount(written)} {_was(written)} written to the terminal")
    return found


def _count_through(state: State, thing: Object) -> tuple[int, bool]:
    """Bytes that went into a channel, and whether that is exact; of a connection each end has what
    was written to it.
    """
    if KINDS[thing.info.kind].name in SOCKETS:
        return thing.bytes_in, thing.exact
    return query.went_in(state, thing)


def _at_least(exact: bool) -> str:
    return "" if exact else "at least "


def _is_mapped_by_two(state: State, thing: Object) -> bool:
    key = thing.info.key
    return sum(key in used and used[key].mapped for used in state.traffic.values()) > 1


def _describe_ends(state: State) -> str:
    """How the processes ended: those that ended otherwise than most are named."""
    processes = sorted(state.processes.values(), key=lambda p: (p.born, p.pid))
    ways: dict[str, list[Process]] = {}
    for process in processes:
        ways.setdefault(_describe_end(process), []).append(process)
    if len(ways) == 1:
        way = next(iter(ways))
        if len(processes) == 1:
            return f"{name_process(state, processes[0].pid)} {way}"
        all_of = "both" if len(processes) == 2 else f"all {len(processes)}"
        return f"{all_of} processes {way}"
    usual = Counter({way: len(those) for way, those in ways.items()}).most_common(1)[0][0]
    parts = []
    for way, those in ways.items():
        if way == usual and len(those) > 1:
            continue
        names = [name_process(state, p.pid) for p in those]
        who = _join_words(names) if len(names) <= _NAMED else f"{len(names)} processes"
        parts.append(f"{who} {way}")
    if len(ways[usual]) > 1:
        parts.append(f"the other {len(ways[usual])} {usual}")
    return _join_words(parts)


def _describe_end(process: Process) -> str:
    if not process.exit_known:
        return "ended"
    if process.exit_signal:
        return f"was ended by {signal_name(process.exit_signal)}"
    return f"exited with status {process.exit_code}"


def _amount(count: int) -> str:
    """Bytes in few words, and exactly where that is short."""
    return count_bytes(count) if count < 1000 else bytes_text(count)


def _was(number: int) -> str:
    return "was" if number == 1 else "were"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _join_words(words: list[str]) -> str:
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"
