"""The words that sentences share: processes, objects, sizes, signals."""

from __future__ import annotations

from typing import Final

from ipcviz.events.kinds import KINDS, PIPES
from ipcviz.events.signals import NAMES, signal_name, signals_in
from ipcviz.model.mechanisms.anonymous import KIND as ANONYMOUS
from ipcviz.model.mechanisms.anonymous import name_kind
from ipcviz.model.mechanisms.system_v_keys import warning_of
from ipcviz.model.state import Object, State


def signal_names(mask: int, limit: int = 6) -> str:
    """A set of signals by name: `SIGINT, SIGCHLD`; `all signals`, or `all but ...`, where that is
    shorter.
    """
    numbers = signals_in(mask)
    if not numbers:
        return "no signal"
    missing = [n for n in NAMES if n not in numbers and n not in (9, 19)]
    if len(numbers) > limit and len(missing) <= limit:
        return "all signals" + (
            f" but {', '.join(signal_name(n) for n in missing)}" if missing else ""
        )
    shown = ", ".join(signal_name(n) for n in numbers[:limit])
    return shown + (f" and {len(numbers) - limit} more" if len(numbers) > limit else "")


def count_bytes(count: int) -> str:
    """An exact number of bytes: `4,096 bytes`, `1 byte`."""
    return f"{count:,} byte" + ("" if count == 1 else "s")


def with_warning(text: str, key: int | str) -> str:
    """A sentence about a System V object, with what is to be said of its key, if there is such a
    thing.
    """
    warning = warning_of(key)
    return f"{text}; {warning}" if warning else text


def quote_bytes(data: bytes, size: int, most: int) -> str:
    """The first bytes, at most so many, in quotation marks, as they are: who shows them escapes
    them.

    Args:
        data: The bytes, or the first of them.
        size: How many there are in all.
        most: How many are wanted.
    """
    text = data[:most].decode("utf-8", "surrogateescape")
    return f'"{text}"' + ("..." if size > min(len(data), most) else "")


def count_text(number: int) -> str:
    """A count with its thousands set off: `62,029`."""
    return f"{number:,}"


_MOST: Final = (1 << 31) - 1
"""SEM_VALUE_MAX of glibc and musl (semaphore.h)."""
_NEAR_MOST: Final = 1_000


def describe_near_most(value: int) -> str:
    """A semaphore's value near the most that there can be, by how far it is from that: `max`,
    `max-3`; empty for others. Python has such semaphores for queues without a limit.
    """
    below = _MOST - value
    if not 0 <= below < _NEAR_MOST:
        return ""
    return f"max-{below}" if below else "max"


def bytes_text(number: int) -> str:
    """An amount of bytes in at most six cells, in units of 1,024: `512 B`, `60.6K`, `64K`,
    `1.2G`.
    """
    if number < 1000:
        return f"{number} B"
    value = float(number)
    for unit in "KMGT":
        value /= 1024
        if value < 999.5 or unit == "T":
            return (
                f"{value:.0f}{unit}"
                if value >= 99.95 or value == int(value)
                else f"{value:.1f}{unit}"
            )
    raise AssertionError("unreachable")


def name_process(state: State, pid: int, tid: int = 0) -> str:
    """A process or thread by what it is called: `cat[12]`, `python3[12/15]` for a thread other than
    the leader; where the screen has named it, `cat 2`, `worker/3` for its third thread, and
    `redis-server/bio_aof` for one that has a name of its own.
    """
    if not pid:
        return "the kernel"
    process = state.processes.get(pid)
    other = tid and tid != pid
    if process is not None and process.label:
        thread = state.threads.get(tid) if other else None
        number = str(thread.number if thread is not None else tid)
        if thread is not None and thread.name not in ("", process.name):
            alike = sum(
                1
                for one in process.threads
                if one in state.threads and state.threads[one].name == thread.name
            )
            number = thread.name if alike == 1 else f"{thread.name} {number}"
        return f"{process.label}/{number}" if other else process.label
    name = (process.own_name or process.name) if process is not None else ""
    name = name or "process"
    return f"{name}[{pid}/{tid}]" if other else f"{name}[{pid}]"


def label_of(state: State, key: str) -> str:
    """An object's short name, or its key if it is not known."""
    found = state.objects.get(key)
    return found.label if found else key


def name_with_kind(thing: Object) -> str:
    """An object with its kind: `the FIFO fifo`, `the pipe P1`; a file by its name alone, and so is
    what a scenario calls `the FIFO` or `the queue`.
    """
    if thing.label.startswith("the "):
        return thing.label
    word = KINDS[thing.info.kind].noun
    if thing.info.kind == ANONYMOUS:
        word = f"the {name_kind(thing.info)}"
    return f"{word} {thing.label}" if word else thing.label


def end_of(mode: str, kind: str) -> str:
    """Which end of a pipe or FIFO an open file description is; empty for other objects."""
    if kind not in PIPES:
        return ""
    return {"r": "read end", "w": "write end", "rw": "both ends"}.get(mode, "")
