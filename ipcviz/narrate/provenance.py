"""Whose bytes wait in a channel, and whose were read, in words: only as far as the byte ledger
knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from ipcviz.events import Call
from ipcviz.model.channels import Read
from ipcviz.model.ledger.directions import BETWEEN, find_directions
from ipcviz.model.ledger.provenance import (
    QueuedBytes,
    latest_read,
    list_interleavings,
    sources_of,
    waiting_ranges,
)
from ipcviz.model.state import State
from ipcviz.narrate.words import count_bytes, name_process

_GOING_ON: Final = "a write that goes on"


class Stretch(NamedTuple):
    """Bytes one behind the other that one process wrote: how many, and whether their place is
    certain.

    `length` is -1 for what a write that goes on has put there. `rivals` may have written them as
    well.
    """

    pid: int
    length: int
    sure: bool
    step: int = 0
    rivals: tuple[int, ...] = ()


def _join_runs(parts: Iterable[Stretch]) -> list[Stretch]:
    """Neighbours of the same process and step, as certain as each other, made one."""
    runs: list[Stretch] = []
    for part in parts:
        last = runs[-1] if runs else None
        if (
            last is not None
            and last._replace(length=part.length) == part
            and min(last.length, part.length) >= 0
        ):
            runs[-1] = last._replace(length=last.length + part.length)
        else:
            runs.append(part)
    return runs


def _list_runs(read: Read) -> list[Stretch]:
    """From whom a read's bytes came, in order."""
    runs: list[Stretch] = []
    for source in read.sources:
        if source.rivals:
            first, *others = sorted({source.pid, *source.rivals})
            runs.append(Stretch(first, source.length, source.sure, 0, tuple(others)))
        else:
            runs.append(Stretch(source.pid, source.length, source.sure, source.step))
    return _join_runs(runs)


def describe_sources(event: Call, after: State) -> str:
    """Behind `read 4,096 bytes from P1`: `, of what cat[12] wrote`; empty if that is not known.

    Args:
        event: A read that has returned.
        after: The state that it led to.
    """
    read = sources_of(after, event.n)
    if read is None or not read.sources:
        return ""
    runs = _list_runs(read)
    probably = "" if all(run.sure or run.rivals for run in runs) else "probably "
    if read.dropped:
        are = "is" if read.dropped == 1 else "are"
        gone = f"; {count_bytes(read.dropped)} more of that packet had no room and {are} gone"
        return f", {probably}of what {_describe_writer(after, runs[-1], event.pid)}{gone}"
    if len(runs) == 1:
        return f", {probably}of what {_describe_writer(after, runs[0], event.pid)}"
    shown = [
        f"{count_bytes(run.length)} that {_describe_writer(after, run, event.pid)}"
        for run in runs[:3]
    ]
    more = f" and {len(runs) - 3} more" if len(runs) > 3 else ""
    return f": {probably}{', then '.join(shown)}{more}"


def _describe_writer(state: State, run: Stretch, reader: int) -> str:
    subject = " or ".join(
        "it" if pid == reader else name_process(state, pid)
        for pid in dict.fromkeys((run.pid, *run.rivals))
    )
    wrote = "wrote itself" if run.pid == reader and not run.rivals else "wrote"
    return f"{subject} {wrote}" + (f" in step {run.step}" if run.step else "")


def sources_group(event: Call, after: State) -> str:
    """What a read's sentence must have in common with another's to be one row with it."""
    read = sources_of(after, event.n)
    runs = _list_runs(read) if read is not None else ()
    return " ".join(f"{run.pid} {run.sure} {run.step} {run.rivals}" for run in runs)


def describe_waiting_bytes(state: State, key: str) -> str:
    """Whose bytes wait in a channel, first those that are read next: `cat[12] 3,000 B, sh[13] 96
    B`.

    Empty for what is no channel and for an empty one; if it is not known whose they are, since when
    (session seconds), and why.
    """
    channel = state.channels.get(key)
    if channel is None:
        return ""
    if not channel.known:
        return f"not known since {channel.since:.1f} s: {channel.reason}"
    words: list[str] = []
    doubt: list[str] = []
    ranges = waiting_ranges(state, key)
    guessed = [one for one in ranges if one.guessed]
    if guessed:
        # What was read was laid to one of them for no reason, so only their sum is known.
        words.append(_describe_guessed(state, guessed))
    for run in [
        *_join_runs(Stretch(w.write.pid, w.length, w.sure) for w in ranges if not w.guessed),
        Stretch(0, 0, True),
    ]:
        if run.sure and doubt:
            in_order = len(doubt) == 1 or channel.named
            words.append(
                ", ".join(doubt) + ", probably"
                if in_order
                else " and ".join(doubt) + ", in whatever order"
            )
            doubt = []
        if not run.pid:
            break
        into = words if run.sure else doubt
        name = name_process(state, run.pid)
        if run.length >= 0:
            into.append(f"{name} {run.length:,} B")
        elif into and into[-1].startswith(f"{name} "):
            into[-1] += f" and more of {_GOING_ON}"
        else:
            into.append(f"{name} a part of {_GOING_ON}")
    return ", ".join(words)


def _describe_guessed(state: State, ranges: Sequence[QueuedBytes]) -> str:
    names = list(dict.fromkeys(name_process(state, one.write.pid) for one in ranges))
    if any(one.length < 0 for one in ranges):
        return f"{' and '.join(names)}, nobody can tell how many of each"
    total = sum(one.length for one in ranges)
    of = " and ".join(names)
    return f"{total:,} B of {of}" + (", nobody can tell how many of each" if names[1:] else "")


def describe_interleaving(state: State, key: str) -> str:
    """The last write to a channel that others came in between for certain; empty if none was
    seen.
    """
    found = list_interleavings(state, key)
    if not found:
        return ""
    last = found[-1]
    names = _name_writers(state, last.pid, (one.other_pid for one in found if one.n == last.n))
    return (
        f"bytes of {names} came in between those that {name_process(state, last.pid)} wrote by one"
        " call"
    )


def _name_writers(state: State, pid: int, others: Iterable[int]) -> str:
    return " and ".join(
        name_process(state, other) if other != pid else "another thread"
        for other in dict.fromkeys(others)
    )


def _has_interleavings(state: State, key: str) -> bool:
    """Whether writes to an object, or through it to its peer, are known to be interleaved."""
    thing = state.objects.get(key)
    keys = (key,) if thing is None or not thing.info.peer else (key, thing.info.peer)
    return any(list_interleavings(state, one) for one in keys)


def describe_bytes_between(event: Call, after: State) -> str:
    """Behind `wrote 90,000 bytes to P1`: whose bytes came in between for certain; empty if none are
    known to.
    """
    if event.name not in BETWEEN and not _has_interleavings(after, event.object):
        return ""
    key = find_directions(after, event.pid, event.name, event.args, event.object).target
    others = [found.other_pid for found in list_interleavings(after, key) if found.n == event.n]
    return f"; bytes of {_name_writers(after, event.pid, others)} came in between" if others else ""


def describe_parted_write(event: Call, after: State) -> str:
    """Behind a read: that the bytes speak for another write's inside of one write; empty if they do
    not.
    """
    read = sources_of(after, event.n)
    if read is None or not any(source.offset for source in read.sources):
        return ""
    former = latest_read(after, read.object, before=event.n)
    last = former.sources[-1] if former is not None and former.sources else None
    for source in read.sources:
        if (
            last is not None
            and source.offset
            and not source.rivals
            and (last.tid, last.began) != (source.tid, source.began)
        ):
            inner, outer = (
                _name_writers(after, source.pid, (last.pid,)),
                name_process(after, source.pid),
            )
            return f"; probably bytes of {inner} lay inside of one write of {outer}"
        last = source
    return ""
