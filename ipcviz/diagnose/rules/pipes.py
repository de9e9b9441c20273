"""Hangs about bytes: pipes, FIFOs and stream sockets that nobody reads or writes any more."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from ipcviz.diagnose.findings import Finding
from ipcviz.diagnose.moment import CaseMoment
from ipcviz.diagnose.words import join_and
from ipcviz.events.kinds import PIPES, SOCKETS
from ipcviz.model.waits.hangs import Hang
from ipcviz.model.waits.values import Wait, Why

if TYPE_CHECKING:
    from ipcviz.model.query import Holder

_FOR_ENDS: Final = (Why.CHILD, Why.VFORK)
"""Waits for the end of another process, or for its next program."""


def find_wait_before_read(moment: CaseMoment, hang: Hang) -> Finding | None:
    """A process sleeps in write on what is full, and each one that could read it waits for the end
    of that process, or of one that waits for it.
    """
    for wait in hang.waits:
        if wait.why is not Why.FULL or not _is_channel(moment, wait.object):
            continue
        readers = _list_others(wait, _list_readers(moment, wait.object))
        waiters = _list_waiters(hang)
        if not readers or not {row.pid for row in readers} <= waiters.keys():
            continue
        pids = tuple(dict.fromkeys((*(row.pid for row in readers), wait.pid)))
        names = moment.name(*pids)
        first = waiters[readers[0].pid]
        only = "the only reader" if len({row.pid for row in readers}) == 1 else "its readers"
        who = join_and([names.name_at(pid, waiters[pid].tid) for pid in pids[:-1]])
        waits = "waits" if len(pids) == 2 else "wait"
        of = names.name(wait.pid) if wait.pid in _list_ended(hang, first) else "its child"
        return moment.make_finding(
            "wait-before-read",
            pids,
            f"{names.name_at(wait.pid, wait.tid)} waits for room in its"
            f" {_describe_channel(moment, wait.object)}, and {only}, {who}, {waits} for {of} to"
            " end.",
            "Read it until its end before you wait; in Python communicate() does both.",
            waits=hang.waits,
            objects=[wait.object],
            ends=[(wait.pid, wait.fd), *((row.pid, row.fd) for row in readers)],
            doubts=hang.doubts,
        )
    return None


def find_waits_for_input(moment: CaseMoment, hang: Hang) -> Finding | None:
    """A process reads its standard input, and all others that could write there wait for its
    end.
    """
    for wait in hang.waits:
        if wait.why is not Why.EMPTY or wait.fd != 0 or not _is_channel(moment, wait.object):
            continue
        writers = _list_others(wait, _list_writers(moment, wait.object))
        waiters = _list_waiters(hang)
        if not writers or not {row.pid for row in writers} <= waiters.keys():
            continue
        pids = tuple(dict.fromkeys((*(row.pid for row in writers), wait.pid)))
        names = moment.name(*pids)
        who = names.name_at(pids[0], waiters[pids[0]].tid)
        ends = join_and([f"{row.fd}" for row in writers if row.pid == pids[0]])
        return moment.make_finding(
            "waits-for-input",
            pids,
            f"{who} waits for {names.name(wait.pid)} to end, and"
            f" {names.name_at(wait.pid, wait.tid)} reads its standard input to the end:"
            f" {names.name(pids[0])} still has the write end of that open (descriptor {ends}).",
            "Close the child's standard input (p.stdin.close()), then wait.",
            waits=hang.waits,
            objects=[wait.object],
            ends=[(wait.pid, wait.fd), *((row.pid, row.fd) for row in writers)],
            doubts=hang.doubts,
        )
    return None


def find_own_write_end(moment: CaseMoment, hang: Hang) -> Finding | None:
    """A process reads what is empty, and the write ends are its own or those of processes that
    wait for it.
    """
    for wait in hang.waits:
        if wait.why is not Why.EMPTY or not _is_pipe(moment, wait.object):
            continue
        writers = _list_writers(moment, wait.object)
        waiters = _list_waiters(hang)
        if not writers or not {row.pid for row in writers} <= {wait.pid, *waiters}:
            continue
        pids = tuple(dict.fromkeys((wait.pid, *(row.pid for row in writers))))
        names = moment.name(*pids)
        own = [row for row in writers if row.pid == wait.pid]
        where = _describe_channel(moment, wait.object)
        if own:
            numbers = join_and([f"{row.fd}" for row in own])
            why = f"it has the write end open itself (descriptor {numbers})"
        else:
            row = writers[0]
            why = f"{names.name(row.pid)}, which waits for it, still has the write end"
            why += f" (descriptor {row.fd})"
        return moment.make_finding(
            "own-write-end",
            pids,
            f"{names.name_at(wait.pid, wait.tid)} waits for the end of its {where}, but {why}.",
            "Close the write end in every process that does not write, right after fork.",
            waits=hang.waits,
            objects=[wait.object],
            ends=[(wait.pid, wait.fd), *((row.pid, row.fd) for row in writers)],
            doubts=hang.doubts,
        )
    return None


def find_own_read_end(moment: CaseMoment, hang: Hang) -> Finding | None:
    """A process writes to a pipe that is full, and has the only read end itself."""
    for wait in hang.waits:
        if wait.why is not Why.FULL or not _is_pipe(moment, wait.object):
            continue
        readers = _list_readers(moment, wait.object)
        if not readers or {row.pid for row in readers} != {wait.pid}:
            continue
        names = moment.name(wait.pid)
        numbers = join_and([f"{row.fd}" for row in readers])
        return moment.make_finding(
            "own-read-end",
            [wait.pid],
            f"{names.name_at(wait.pid, wait.tid)} waits for room in its"
            f" {_describe_channel(moment, wait.object)}, and has the only read end itself"
            f" (descriptor {numbers}): so no SIGPIPE ends it.",
            "Close the read end in every process that does not read, right after fork.",
            waits=hang.waits,
            objects=[wait.object],
            ends=[(wait.pid, wait.fd), *((row.pid, row.fd) for row in readers)],
            doubts=hang.doubts,
        )
    return None


def find_feeding_circle(moment: CaseMoment, hang: Hang) -> Finding | None:
    """Processes that wait for each other's bytes, or for room for their own."""
    waits = [
        wait
        for wait in hang.waits
        if wait.why in (Why.EMPTY, Why.FULL) and _is_channel(moment, wait.object)
    ]
    pids = tuple(dict.fromkeys(wait.pid for wait in waits))
    if len(waits) != len(hang.waits) or len(pids) < 2:
        return None
    names = moment.name(*pids)
    told, empty = [], False
    for wait in waits:
        full = wait.why is Why.FULL
        empty |= not full
        ends = _list_readers if full else _list_writers
        others = {row.pid for row in _list_others(wait, ends(moment, wait.object))} & {*pids}
        who = names.join(sorted(others)) or "nobody"
        what = f"until {who} reads" if full else f"for bytes of {who}"
        told.append(f"{names.name_at(wait.pid, wait.tid)} waits {what}")
    return moment.make_finding(
        "feeding-circle",
        pids,
        f"{join_and(told)}.",
        "Flush after each answer (fflush, python3 -u, stdbuf -oL), and read and write by turns"
        " or in a thread each.",
        waits=hang.waits,
        objects=[wait.object for wait in waits],
        ends=[(wait.pid, wait.fd) for wait in waits],
        doubts=hang.doubts,
        probable="bytes in a buffer of a program can't be seen" if empty else "",
    )


def find_fifo_open(moment: CaseMoment, hang: Hang) -> Finding | None:
    """A process sleeps in open of a FIFO, and nobody who is watched goes on to open it."""
    for wait in hang.waits:
        if wait.why not in (Why.NO_READER, Why.NO_WRITER):
            continue
        names = moment.name(wait.pid)
        what = "reading" if wait.why is Why.NO_READER else "writing"
        thing = moment.state.objects.get(wait.object)
        path = thing.info.path if thing is not None and thing.info.path else "a FIFO"
        return moment.make_finding(
            "fifo-open",
            [wait.pid],
            f"{names.name_at(wait.pid, wait.tid)} waits in open until somebody opens"
            f" {path} for {what}, and every other watched process waits, too.",
            "Start the other program; open several FIFOs in the same order on both sides.",
            waits=hang.waits,
            objects=[wait.object],
            doubts=hang.doubts,
            probable="a FIFO has a name, so somebody who is not watched may open it, too",
        )
    return None


def _is_channel(moment: CaseMoment, key: str) -> bool:
    thing = moment.state.objects.get(key)
    return thing is not None and (thing.info.kind in PIPES or thing.info.kind in SOCKETS)


def _is_pipe(moment: CaseMoment, key: str) -> bool:
    thing = moment.state.objects.get(key)
    return thing is not None and thing.info.kind in PIPES


def _describe_channel(moment: CaseMoment, key: str) -> str:
    thing = moment.state.objects.get(key)
    kind = thing.info.kind if thing is not None else ""
    return {"pipe": "pipe", "fifo": "FIFO"}.get(str(kind), "socket")


def _list_readers(moment: CaseMoment, key: str) -> tuple[Holder, ...]:
    """Who could read what is written to an object: of a socket, who has its peer."""
    if _is_pipe(moment, key):
        return moment.holders(key, "r rw")
    thing = moment.state.objects.get(key)
    return moment.holders(thing.info.peer) if thing is not None and thing.info.peer else ()


def _list_writers(moment: CaseMoment, key: str) -> tuple[Holder, ...]:
    """Who could write what is read from an object."""
    if _is_pipe(moment, key):
        return moment.holders(key, "w rw")
    return _list_readers(moment, key)


def _list_others(wait: Wait, rows: Iterable[Holder]) -> tuple[Holder, ...]:
    return tuple(row for row in rows if row.pid != wait.pid)


def _list_waiters(hang: Hang) -> dict[int, Wait]:
    """The processes of a hang that wait for the end of another one, each with that wait."""
    return {wait.pid: wait for wait in hang.waits if wait.why in _FOR_ENDS}


def _list_ended(hang: Hang, wait: Wait) -> set[int]:
    """The processes for whose end a process waits."""
    return set(hang.ways[wait.tid].tids)
