"""Ends of pipes and FIFOs in words: who was the last to have one, who still has one, and what
nobody has read.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ipcviz.events import Call
from ipcviz.events.calls import READS, WRITES
from ipcviz.events.kinds import PIPES, REACHED
from ipcviz.model import query
from ipcviz.model.ends import open_modes
from ipcviz.model.ledger.provenance import waiting_ranges
from ipcviz.model.state import Object, State
from ipcviz.model.waits.future import find_ends, find_newcomers
from ipcviz.model.waits.values import Wait
from ipcviz.narrate.future import explain_lasting, unless_reopened
from ipcviz.narrate.sentence import DETAIL, STEP, Clause
from ipcviz.narrate.words import count_bytes, label_of, name_process, name_with_kind

_READ: Final = frozenset({"r", "rw"})
_WRITE: Final = frozenset({"w", "rw"})
_NAMED: Final = 3


def is_pipe(thing: Object | None) -> bool:
    """Whether it has a read end and a write end."""
    return thing is not None and thing.info.kind in PIPES


def lost_ends(before: State, after: State, keys: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Of which of these objects an event closed the last end of a kind: (`writer` or `reader`, what
    was not read).
    """
    found: dict[str, tuple[str, str]] = {}
    for key in sorted(set(keys)):
        if not is_pipe(after.objects.get(key)):
            continue
        had, left = open_modes(before.ends, key), open_modes(after.ends, key)
        if had & _READ and not left & _READ:
            unread = describe_unread(before, key)
            if left or unread:
                found[key] = ("reader", unread)
        elif left and had & _WRITE and not left & _WRITE:
            found[key] = ("writer", "")
    return found


def describe_lost_ends(before: State, after: State, keys: Iterable[str]) -> dict[str, str]:
    """The same in words, by object: `no writer of P1 is left`."""
    words = {}
    for key, (end, unread) in lost_ends(before, after, keys).items():
        watched, _ = _describe_newcomers(before, key, end)
        words[key] = f"no {watched}{end} of {label_of(after, key)} is left" + (
            f", and {unread}" if unread else ""
        )
    return words


def explain_pipe_closed(before: State, after: State, key: str) -> str:
    """What it means that this was the last end of its kind; empty if it was not."""
    end, unread = lost_ends(before, after, (key,)).get(key, ("", ""))
    watched, reopened = _describe_newcomers(before, key, end)
    said = f"no {watched}{end} is left"
    if end == "writer":
        return (
            f"{said}: after what waits in it comes the end of file{reopened}"
            if not watched
            else said
        )
    if end == "reader":
        if key in after.ends and not watched:
            said += f": a write to it fails now, with SIGPIPE or EPIPE{reopened}"
        return f"{said}; {unread}" if unread else said
    return ""


def _describe_newcomers(before: State, key: str, end: str) -> tuple[str, str]:
    """Who may have such an end all the same: (`watched ` if others may, what is said of its
    name).
    """
    changes = find_newcomers(before, key, _READ if end == "reader" else _WRITE) if end else ()
    watched = "watched " if any(change.by == "outside" for change in changes) else ""
    return watched, unless_reopened(before, changes, end)


def describe_unread(state: State, key: str) -> str:
    """What waits in a pipe that is not going to be read: `3,996 bytes that cat[12] wrote were not
    read`.
    """
    channel = state.channels.get(key)
    if channel is not None and channel.known:
        ranges = waiting_ranges(state, key)
        total = sum(max(part.length, 0) for part in ranges)
        open_end = any(part.length < 0 for part in ranges)
        if not total:
            return "a part of a write that goes on was not read" if open_end else ""
        names = list(dict.fromkeys(name_process(state, part.write.pid) for part in ranges))
        shown = ", ".join(names[:_NAMED]) + (
            f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        )
        probably = "" if all(part.sure for part in ranges) else "probably "
        least = "at least " if open_end else ""
        return (
            f"{least}{count_bytes(total)} that {probably}{shown} wrote"
            f" {'was' if total == 1 else 'were'} not read"
        )
    return ""


def explain_end_of_file(event: Call, thing: Object, state: State) -> str:
    """Why a read found the end of a pipe, and who was the last to have a write end."""
    if not thing.writer_left and not thing.last_writer and thing.info.kind in REACHED:
        return "it is empty and nobody has it open for writing"
    last = _describe_last_end(thing.writer_left, event.pid, state, "write")
    return f"it is empty and no writer is left{last}"


def explain_broken_pipe(event: Call, thing: Object, state: State) -> str:
    """Why a write failed with EPIPE, and who was the last to have a read end."""
    return f"no reader is left{_describe_last_end(thing.reader_left, event.pid, state, 'read')}"


def _describe_last_end(pid: int, own: int, state: State, end: str) -> str:
    if not pid:
        return ""
    return (
        f" (it closed the last {end} end itself)"
        if pid == own
        else f" ({name_process(state, pid)} had the last {end} end)"
    )


def still_open(wait: Wait, state: State) -> str:
    """Behind a wait on a pipe: who keeps it from ending although nobody who uses it is left; empty
    in ordinary cases.

    A reader waits for bytes, or for the last write end to be closed. If those who have one have
    never written, and whoever wrote last has none any more, it is an end that somebody forgot.
    Likewise a writer for whom nobody reads.
    """
    thing = state.objects.get(wait.object)
    if thing is None or not is_pipe(thing) or (wait.call not in READS and wait.call not in WRITES):
        return ""
    reads = wait.call in READS
    modes, end = (_WRITE, "write") if reads else (_READ, "read")
    found: dict[int, list[int]] = {}
    for pid in (process.pid for process in query.list_living(state)):
        for row, file in state.descriptions_of(pid):
            if file.object == wait.object and file.mode in modes:
                if pid != wait.pid and (row.put if reads else row.took):
                    return ""
                found.setdefault(pid, []).append(row.fd)
    last = thing.last_writer if reads else thing.last_reader
    process = state.processes.get(wait.pid)
    alone = set(found) == {wait.pid} and process is not None and len(process.threads) == 1
    if not found or (not alone and (not last or last in found)) or not thing.exact:
        return ""
    if alone:
        ends = f"the {end} end (fd {min(found[wait.pid])})"
        return (
            ", and only it itself has"
            f" {ends}{explain_lasting(state, find_ends(state, wait, modes))}"
        )
    names = [
        f"{'it itself' if pid == wait.pid else name_process(state, pid)} (fd {min(fds)})"
        for pid, fds in found.items()
    ]
    shown = " and ".join(names[:_NAMED]) + (
        f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    )
    used, have = "wrote" if reads else "read", "has" if len(names) == 1 else "have"
    return (
        f", and {name_process(state, last)}, who {used} last, has closed it; {shown} still {have}"
        f" the {end} end open"
    )


def describe_no_reader(event: Call, state: State) -> Clause:
    """An open of a FIFO for writing that does not wait, and found no reader (fifo(7))."""
    thing = state.objects.get(event.object)
    name = name_with_kind(thing) if thing else f"the FIFO {event.args.get('path', '?')}"
    why = "ENXIO, no reader has it open, and with O_NONBLOCK it does not wait for one"
    text = f"could not open {name} for writing: {why}"
    return Clause(text, STEP, "name", (event.object,) if event.object else ())


def describe_failed_seek(event: Call, state: State) -> Clause:
    """An lseek on what has no position: a pipe, a FIFO, a socket, a terminal (lseek(2)).

    Some programs ask for their position only to learn whether there is one; that is a detail.
    """
    fd, offset = event.args.get("fd"), event.get_number("offset")
    asks = event.args.get("whence") == "SEEK_CUR" and not offset
    text = (
        f"could not seek in {label_of(state, event.object)} (fd {fd}): ESPIPE, it has no position"
    )
    moves = is_pipe(state.objects.get(event.object)) and not asks
    return Clause(text, STEP if moves else DETAIL, "data", (event.object,))


def describe_failed_resize(event: Call, state: State) -> Clause:
    """F_SETPIPE_SZ failed (fcntl(2))."""
    label, wish = label_of(state, event.object), event.args.get("arg")
    size = count_bytes(wish) if isinstance(wish, int) else "another size"
    why = {
        "EBUSY": ": more page slots than that are in use",
        "EPERM": ": an ordinary user may have no more (pipe-max-size, pipe-user-pages-soft)",
    }.get(event.error, "")
    text = f"could not set the capacity of {label} to {size}: {event.error}{why}"
    return Clause(text, STEP, "data", (event.object,) if event.object else ())
