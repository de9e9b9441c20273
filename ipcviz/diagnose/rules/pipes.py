"""Hangs by pipes, FIFOs and sockets: who waits for bytes, room or a peer that nobody gives."""

from __future__ import annotations

from collections.abc import Iterable

from ipcviz.diagnose.findings import Finding
from ipcviz.diagnose.moment import CaseMoment
from ipcviz.diagnose.rules.ends import (
    find_other_end,
    list_ends,
    list_long_readers,
    list_pids,
    list_waits_for_bytes,
    list_waits_for_room,
    name_kind,
)
from ipcviz.diagnose.rules.inherited import list_leaked_ends
from ipcviz.events.kinds import PEERED, SOCKETS, UNNAMED_PIPES
from ipcviz.events.signals import SIGCHLD, signals_in
from ipcviz.model.addresses import takes_datagrams
from ipcviz.model.mechanisms.sockets import CLOSED
from ipcviz.model.noise import SHELLS
from ipcviz.model.state import State
from ipcviz.model.waits.chains import is_stopped
from ipcviz.model.waits.hangs import Hang
from ipcviz.model.waits.rules import explain_waiting
from ipcviz.model.waits.values import Children, Ready, Wait, WantedSignals, Why
from ipcviz.narrate.words import label_of

_READS_ALL_FIRST = frozenset(
    {"sort", "tac", "wc", "tail", "shuf", "sponge", "cksum", "b2sum", "md5sum", "sum"}
    | {f"sha{bits}sum" for bits in (1, 224, 256, 384, 512)}
)
"""Programs that write nothing before the end of what they read."""
_WRITES_BLOCKS = frozenset(
    {"gzip", "pigz", "bzip2", "pbzip2", "xz", "lzma", "zstd", "lz4", "brotli", "openssl", "gpg"}
)
"""Programs that write when they have a block of output, in buffers that are not those of stdio."""
_WAITS_FOR_OTHERS = frozenset({Why.CHILD, Why.JOIN})


def find_wait_before_read(moment: CaseMoment, hang: Hang) -> Finding | None:
    """Whoever has the read end waits for the end of the one that fills the pipe."""
    for wait in list_waits_for_room(moment, hang):
        other = find_other_end(wait)
        readers = list_pids(moment.holders(other, "r rw"))
        if wait.pid in readers and len(readers) > 1:
            readers.remove(wait.pid)
        keeper = _find_keeper(moment.state, hang, wait.pid, readers)
        if keeper is None or _reader_left(moment, wait, readers):
            continue
        names = moment.name_parties(wait.pid, *readers)
        kind = name_kind(moment.state, wait.object)
        only = "the only reader" if len(readers) == 1 else "of the readers,"
        if len(readers) > 1:
            who = f"none of its readers, {names.join(sorted(readers))}, reads:"
            tail = f"{who} {names.name_thread(keeper.pid, keeper.tid)} waits for"
        else:
            tail = f"{only}, {names.name_thread(keeper.pid, keeper.tid)}, waits for"
        sentence = (
            f"{names.name_process(wait.pid)} waits for room in its {kind}, and {tail}"
            f" {_whose_end(names.name_process(wait.pid), moment.state, keeper, wait.pid)} to end."
        )
        return moment.make_finding(
            "wait-before-read",
            (keeper.pid, wait.pid, *readers),
            sentence,
            "Read the pipe before you wait, or use communicate().",
            waits=hang.waits,
            objects=(wait.object,),
            ends=((wait.pid, wait.fd), *list_ends(moment, other, "r rw")),
            doubts=hang.doubts,
        )
    return None


def find_own_read_end(moment: CaseMoment, hang: Hang) -> Finding | None:
    """A read end that nobody will use is left open: the writer is never told that its reader is
    gone.
    """
    for wait in list_waits_for_room(moment, hang):
        if name_kind(moment.state, wait.object) != "pipe":
            continue
        readers = list_pids(moment.holders(wait.object, "r rw"))
        waiters = {one.pid for one in hang.waits if one.why in _WAITS_FOR_OTHERS}
        own = readers == {wait.pid}
        if not readers or not (own or (readers <= waiters | {wait.pid})):
            continue
        if not own and not _reader_left(moment, wait, readers):
            continue
        names = moment.name_parties(wait.pid, *readers)
        keeper = wait.pid if own else min(readers - {wait.pid})
        whose = "itself" if own else names.name_at(keeper)
        sentence = (
            f"{names.name_at(wait.pid, wait.tid)} waits for room in its pipe, and the only read"
            f" end left is one that {whose} has open and does not read: so it gets no SIGPIPE."
        )
        return moment.make_finding(
            "own-read-end",
            (keeper, wait.pid),
            sentence,
            f"Close the read end in {names.name_process(keeper)} once it is passed on.",
            waits=hang.waits,
            objects=(wait.object,),
            ends=((wait.pid, wait.fd), *list_ends(moment, wait.object, "r rw")),
            doubts=hang.doubts,
        )
    return None


def find_waits_for_input(moment: CaseMoment, hang: Hang) -> Finding | None:
    """A parent waits for the end of a child that reads what the parent alone can write."""
    for wait in list_waits_for_bytes(moment, hang):
        other = find_other_end(wait)
        writers = list_pids(moment.holders(other, "w rw")) - {wait.pid}
        keeper = _find_keeper(moment.state, hang, wait.pid, writers)
        if keeper is None or len(writers) != 1:
            continue
        if wait.fd != 0 and _has_read(moment.state, wait.pid, wait.object):
            # It has had its input, and waits for its end.
            continue
        names = moment.name_parties(wait.pid, keeper.pid)
        kind = name_kind(moment.state, wait.object)
        fd = _find_write_end(moment, keeper.pid, other)
        end = "other end" if other != wait.object else "write end"
        sentence = (
            f"{names.name_process(wait.pid)} waits for input from its {kind}, and"
            f" {names.name_thread(keeper.pid, keeper.tid)}, which alone has the {end}"
            f" (fd {fd}) open, waits for"
            f" {_whose_end(names.name_process(wait.pid), moment.state, keeper, wait.pid)} to end."
        )
        return moment.make_finding(
            "waits-for-input",
            (keeper.pid, wait.pid),
            sentence,
            "Close the child's standard input before you wait for the child.",
            waits=hang.waits,
            objects=(wait.object,),
            ends=((wait.pid, wait.fd), *list_ends(moment, other, "w rw")),
            doubts=hang.doubts,
        )
    return None


def find_own_write_end(moment: CaseMoment, hang: Hang) -> Finding | None:
    """A write end, or the other socket of a pair, is left open in the reader itself, or in somebody
    who waits: no end of file.
    """
    for wait in list_waits_for_bytes(moment, hang):
        other = find_other_end(wait)
        thing = moment.state.objects.get(wait.object)
        if thing is None or not other or takes_datagrams(thing.info):
            continue
        paired = thing.info.kind in SOCKETS
        if not paired and thing.info.kind not in UNNAMED_PIPES:
            continue
        writers = list_pids(moment.holders(other, "w rw"))
        waiters = {one.pid for one in hang.waits}
        busy = {one.pid for one in hang.waits if one.why is Why.EMPTY and one.pid != wait.pid}
        own = wait.pid in writers
        if not writers or not writers <= waiters or (paired and not own):
            continue
        if not own and (writers & busy) and not _all_written(moment, wait, writers):
            continue
        names = moment.name_parties(wait.pid, *writers)
        keeper = wait.pid if own else min(writers)
        fd = _find_write_end(moment, keeper, other)
        whose = "it has" if own else f"{names.name_at(keeper)} has"
        if own and len(writers) > 1:
            whose = f"{names.join(sorted(writers))} have"
        end = "the other end" if paired else "the write end"
        sentence = (
            f"{names.name_at(wait.pid, wait.tid)} waits for the end of file on its"
            f" {'socket' if paired else 'pipe'}, which does not come: {whose} {end} open"
            f"{'' if len(writers) > 1 else f' (fd {fd})'}."
        )
        return moment.make_finding(
            "own-write-end",
            (keeper, wait.pid, *writers),
            sentence,
            f"Close {end} in {names.name_process(keeper)} before it reads or waits.",
            waits=hang.waits,
            objects=(wait.object,),
            ends=((wait.pid, wait.fd), *list_ends(moment, other, "w rw")),
            doubts=hang.doubts,
        )
    return None


def find_feeding_circle(moment: CaseMoment, hang: Hang) -> Finding | None:
    """Processes that read and write each other's pipes or sockets, and all wait."""
    state = moment.state
    full, empty = (
        list(list_waits_for_room(moment, hang)),
        list(list_waits_for_bytes(moment, hang)),
    )
    waits = {wait.tid: wait for wait in (*full, *empty)}
    way = _find_way(hang, waits)
    if len(way) < 2:
        return None
    told = [waits[tid] for tid in way]
    pids = tuple(dict.fromkeys(wait.pid for wait in told))
    if len(pids) < 2:
        return None
    names = moment.name_parties(*pids)
    who = " and ".join(names.name_at(wait.pid, wait.tid) for wait in told[:2])
    if len(told) > 2:
        who += f" and {len(told) - 2} more"
    writing = [wait for wait in told if wait in full]
    probable = ""
    if len(writing) == len(told):
        sentence = (
            f"{who} wait for room in each other's pipes: each writes, and none of them reads."
        )
        mend = "Read and write by turns (poll), or let a thread of its own do the reading."
    elif writing:
        other = next(wait for wait in told if wait not in writing)
        sentence = (
            f"{names.name_at(writing[0].pid, writing[0].tid)} waits for room, and"
            f" {names.name_at(other.pid, other.tid)} waits for input: each waits for the other."
        )
        mend = "Read and write by turns (poll), so that neither waits for the other one only."
        probable = "bytes in a buffer of a program can't be seen"
    else:
        probable = "bytes in a buffer of a program can't be seen"
        sentence = f"{who} wait for input from each other, and nothing is on its way."
        mend = "Agree who speaks first, and flush what is said (fflush, python3 -u, stdbuf -oL)."
        hider = _find_silent_reader(state, told)
        name = names.name_process(hider.pid) if hider is not None else ""
        if hider is not None and state.processes[hider.pid].name in _READS_ALL_FIRST:
            keepers = moment.holders(find_other_end(hider), "w rw")
            keeper = next((row for row in keepers if row.pid in pids), None)
            open_at = ""
            if keeper is not None:
                whose = names.name_process(keeper.pid)
                open_at = f": {whose} has the other end open (fd {keeper.fd})"
            sentence = (
                f"{who} wait for input from each other; {name} writes only when its input has"
                f" ended, and the end does not come{open_at}."
            )
            mend = f"Close that end when {name} has got all, and only then read its answer."
            probable = f"that {name} reads all first is known by its name"
        elif hider is not None:
            sentence = (
                f"{who} wait for input from each other; {name} has read, and has written nothing:"
                " its output is probably still in its stdio buffer."
            )
            mend = f"Flush {name}'s output, or run it by 'stdbuf -oL' (python3 -u, grep"
            mend += " --line-buffered)."
    return moment.make_finding(
        "feeding-circle",
        pids,
        sentence,
        mend,
        waits=hang.waits,
        objects=(wait.object for wait in told),
        ends=((wait.pid, wait.fd) for wait in told if wait.fd >= 0),
        doubts=() if probable else hang.doubts,
        probable=probable,
    )


def find_fifo_open(moment: CaseMoment, hang: Hang) -> Finding | None:
    """Somebody opens a FIFO whose other end nobody opens."""
    state = moment.state
    opening = [w for w in hang.waits if w.why in (Why.NO_READER, Why.NO_WRITER)]
    if not opening:
        return None
    first = opening[0]
    # One that handles SIGCHLD, as shells do, hangs because of its child, too.
    hanging = (w for one in moment.hangs for w in (*one.waits, *one.victims))
    others = [w for w in hanging if w.pid != first.pid]
    every = [w for w in (first, *others) if w.why in (Why.NO_READER, Why.NO_WRITER)]
    if len(every) == 2:
        opening += [w for w in every if _is_crossed(state, first, w)]
    opening.sort(key=lambda wait: wait.pid)
    first = opening[0]
    names = moment.name_parties(*(wait.pid for wait in opening))
    label = label_of(state, first.object)
    wanted = "reading" if first.why is Why.NO_READER else "writing"
    own = "writing" if first.why is Why.NO_READER else "reading"
    crossed = next((one for one in opening[1:] if one.object != first.object), None)
    if crossed is not None:
        sentence = (
            f"{names.name_at(first.pid, first.tid)} opens {label} for {own} and"
            f" {names.name_at(crossed.pid, crossed.tid)} opens {label_of(state, crossed.object)}"
            f" for {'writing' if crossed.why is Why.NO_READER else 'reading'}: each waits for the"
            " other to open its end first."
        )
        mend = "Open the FIFOs in the same order on both sides."
        pids = [first.pid, crossed.pid]
    else:
        left = _who_had(state, first)
        gone = f": {left}, which had it, has left" if left else ""
        sentence = (
            f"{names.name_at(first.pid, first.tid)} waits in open until somebody opens {label} for"
            f" {wanted}, and nobody who is watched does{gone}."
        )
        mend = (
            f"Start the program that opens it for {wanted}, or open it with O_NONBLOCK or O_RDWR."
        )
        pids = [first.pid]
    return moment.make_finding(
        "fifo-open",
        pids,
        sentence,
        mend,
        waits=opening,
        objects=(wait.object for wait in opening),
        doubts=hang.doubts,
        probable=(
            "that each was to open the other's FIFO is not known"
            if crossed
            else "a FIFO has a name, so somebody who is not watched may open it, too"
        ),
    )


def find_orphan_keeps_pipe(moment: CaseMoment) -> Iterable[Finding]:
    """Who reads a pipe to its end waits for an orphan that has it by inheritance alone."""
    state = moment.state
    for wait in list_long_readers(moment):
        rows = moment.holders(wait.object, "w rw")
        writers = list_pids(rows)
        if not writers or wait.pid in writers or list_leaked_ends(moment, wait):
            continue
        keepers = []
        for row in rows:
            table = state.find_descriptor(row.pid, row.fd)
            process = state.processes[row.pid]
            idle = table is not None and not table.put and table.how.startswith("inherited")
            if not idle or process.parent == wait.pid or is_stopped(state, row.pid):
                break
            if not _is_orphan(state, row.pid):
                break
            keepers.append(row)
        else:
            names = moment.name_parties(wait.pid, *writers)
            keeper = keepers[0]
            started = _starter(moment, keeper.pid)
            since = f", which {started} left behind" if started else ""
            many = "" if len(writers) == 1 else f" ({names.join(sorted(writers))})"
            sentence = (
                f"{names.name_at(wait.pid, wait.tid)} waits for the end of file on its pipe, which"
                f" comes only when {names.name_process(keeper.pid)} ends{since}: it has the write"
                f" end (fd {keeper.fd}) open and has not used it{many}."
            )
            yield moment.make_finding(
                "orphan-keeps-pipe",
                (keeper.pid, wait.pid, *writers),
                sentence,
                "Start the background program with its output redirected (>/dev/null 2>&1 &).",
                waits=(wait,),
                objects=(wait.object,),
                ends=((wait.pid, wait.fd), *((row.pid, row.fd) for row in keepers)),
            )


def find_idle_heir(moment: CaseMoment) -> Iterable[Finding]:
    """Who reads a pipe to its end waits for a process that inherited a write end and does not use
    it, while all who wrote have ended.
    """
    state = moment.state
    for wait in list_long_readers(moment):
        rows = moment.holders(wait.object, "w rw")
        thing = state.objects.get(wait.object)
        if not rows or thing is None or wait.pid in list_pids(rows):
            continue
        wrote = state.processes.get(thing.last_writer)
        ended = thing.last_writer and (wrote is None or wrote.fate != "alive")
        if not ended:
            continue
        tables = [(row, state.find_descriptor(row.pid, row.fd)) for row in rows]
        if not all(
            table is not None and not table.put and table.how.startswith("inherited") and row.fd > 2
            for row, table in tables
        ):
            continue
        if any(_is_orphan(state, row.pid) for row in rows) or list_leaked_ends(moment, wait):
            continue
        names = moment.name_parties(wait.pid, *list_pids(rows))
        row = rows[0]
        sentence = (
            f"{names.name_at(wait.pid, wait.tid)} waits for the end of file on its pipe: all that"
            f" wrote to it have ended, but {names.name_process(row.pid)} has inherited its write"
            f" end (fd {row.fd}) and has not used it."
        )
        yield moment.make_finding(
            "own-write-end",
            (row.pid, wait.pid),
            sentence,
            f"Close the write end in {names.name_process(row.pid)}, or make the pipe with"
            " O_CLOEXEC.",
            waits=(wait,),
            objects=(wait.object,),
            ends=((wait.pid, wait.fd), *((one.pid, one.fd) for one in rows)),
            probable="it may use it yet",
        )


def find_datagram_end(moment: CaseMoment) -> Iterable[Finding]:
    """Who receives from a pair of datagram sockets whose other socket nobody has any more."""
    state = moment.state
    for wait in list_long_readers(moment, PEERED, 0.5):
        thing = state.objects[wait.object]
        if not takes_datagrams(thing.info) or not thing.info.peer:
            continue
        rows = moment.holders(thing.info.peer)
        if not list_pids(rows) <= {wait.pid} or len(state.processes[wait.pid].threads) > 1:
            continue
        own_row = state.find_descriptor(wait.pid, wait.fd)
        made = moment.history.made.get(own_row.ofd) if own_row is not None else None
        other = state.objects.get(thing.info.peer)
        if made is None or made.call != "socketpair" or other is None or state.flights:
            continue
        if not rows and other.shut != CLOSED:
            continue
        names = moment.name_parties(wait.pid)
        had = "else had" if rows else "had"
        own = f", but for itself (fd {rows[0].fd})" if rows else ""
        yield moment.make_finding(
            "datagram-end",
            (wait.pid,),
            f"{names.name_at(wait.pid, wait.tid)} waits for a datagram that nobody can send: all"
            f" who {had} the other socket have closed it{own}, and datagrams have no end of file.",
            "Send a last datagram that says so, or use SOCK_SEQPACKET or SOCK_STREAM, whose"
            " receivers get the end of file.",
            waits=(wait,),
            objects=(wait.object,),
            ends=((wait.pid, wait.fd), *((row.pid, row.fd) for row in rows)),
        )


def find_buffered_stage(moment: CaseMoment) -> Iterable[Finding]:
    """A stage of a pipeline that has read and written nothing, while somebody waits for its
    output.
    """
    state = moment.state
    hanging = {tid for hang in moment.hangs for tid in hang.ways}
    for wait in list_long_readers(moment):
        rows = moment.holders(wait.object, "w rw")
        thing = state.objects.get(wait.object)
        if (
            wait.tid in hanging
            or thing is None
            or len(rows) != 1
            or thing.bytes_in
            or not thing.exact
        ):
            continue
        row = rows[0]
        process = state.processes[row.pid]
        thread = state.threads.get(row.pid)
        if row.fd != 1 or len(process.threads) != 1 or thread is None or thread.waiting is None:
            continue
        if process.name in _READS_ALL_FIRST | _WRITES_BLOCKS | SHELLS:
            # A shell writes what each command of its own prints when that is done.
            continue
        stage = explain_waiting(state, thread, thread.waiting)
        if stage.why is not Why.EMPTY or not _has_read(state, row.pid, stage.object):
            continue
        read = state.objects[stage.object]
        names = moment.name_parties(row.pid, wait.pid)
        yield moment.make_finding(
            "stdio-buffer",
            (row.pid, wait.pid),
            f"{names.name_process(row.pid)} has read {read.bytes_out:,} bytes and written none, and"
            f" {names.name_at(wait.pid, wait.tid)} waits for them: its output is probably in its"
            " stdio buffer, which is not flushed at each line since it goes to a pipe.",
            f"Flush it, or run {names.name_process(row.pid)} by 'stdbuf -oL' (python3 -u, grep"
            " --line-buffered).",
            waits=(wait, stage),
            objects=(wait.object, stage.object),
            ends=((row.pid, row.fd),),
            probable="bytes in a stdio buffer can't be seen; it may have nothing to say yet",
        )


# What the rules ask.


def _is_crossed(state: State, one: Wait, other: Wait) -> bool:
    """Whether two relatives wait in open at the same time, each on another FIFO."""
    if other.why not in (Why.NO_READER, Why.NO_WRITER) or one.object == other.object:
        return False
    a, b = state.processes[one.pid], state.processes[other.pid]
    return a.parent in (b.pid, b.parent) or b.parent == a.pid


def _find_write_end(moment: CaseMoment, pid: int, key: str) -> int:
    return next((row.fd for row in moment.holders(key, "w rw") if row.pid == pid), -1)


def _find_keeper(state: State, hang: Hang, pid: int, holders: set[int]) -> Wait | None:
    """The wait of one of these processes for the end of a process, or of those that it hangs on."""
    waits = (wait for wait in hang.waits if wait.pid in holders)
    return next((wait for wait in waits if _waits_for_end(state, wait, pid)), None)


def _waits_for_end(state: State, wait: Wait, pid: int) -> bool:
    """Whether a wait is one for the end of a process, of one above it, or of a thread."""
    if wait.why is Why.CHILD and isinstance(wait.facts, Children):
        return any(_is_or_is_above(state, child, pid) for child in wait.facts.pids)
    if wait.why is Why.SIGNAL and isinstance(wait.facts, WantedSignals):
        # So dash waits for its children: in sigsuspend(2), for SIGCHLD.
        children = (one for one in state.processes.values() if one.parent == wait.pid)
        return SIGCHLD in signals_in(wait.facts.wanted or 0) and any(
            _is_or_is_above(state, child.pid, pid) for child in children
        )
    if wait.why is Why.JOIN:
        return wait.pid == pid
    return wait.why is Why.READY and _awaits_end(state, wait, pid)


def _awaits_end(state: State, wait: Wait, pid: int) -> bool:
    """Whether a poll waits for the end of a process alone, by its pidfd."""
    things = wait.facts.things if isinstance(wait.facts, Ready) else ()
    found = [state.objects.get(one.key) for one in things]
    told = [one.notifier for one in found if one is not None and one.notifier is not None]
    return any(one.pid == pid for one in told)


def _is_or_is_above(state: State, pid: int, below: int) -> bool:
    """Whether a process is another one, or waits for a line of children down to it."""
    seen: set[int] = set()
    while below and below not in seen:
        if below == pid:
            return True
        seen.add(below)
        process = state.processes.get(below)
        below = process.parent if process is not None else 0
    return False


def _whose_end(name: str, state: State, keeper: Wait, pid: int) -> str:
    """For whose end somebody waits: the one that is blocked, or a process above it."""
    children = keeper.facts.pids if isinstance(keeper.facts, Children) else ()
    if pid in children or not children:
        return name
    child = state.processes.get(children[0])
    return f"{child.name if child is not None else 'its child'}, the parent of {name},"


def _reader_left(moment: CaseMoment, wait: Wait, readers: set[int]) -> bool:
    """Whether somebody who has ended was the reader, and those who are left only have the end."""
    state = moment.state
    thing = state.objects.get(wait.object)
    if thing is None:
        return False
    if thing.last_reader and thing.last_reader not in readers:
        return True
    # Whoever gave its read end to a child that has ended had it for that child.
    ofds = {row.ofd for row in moment.holders(wait.object, "r rw")}
    for pid in readers - {wait.pid}:
        rows = [row for row in moment.holders(wait.object, "w rw") if row.pid == pid]
        if rows and not any(state.open_files[ofd].references > 1 for ofd in ofds):
            return True
    return False


def _has_written(state: State, pid: int, key: str) -> bool:
    """Whether a process has put bytes into an object."""
    return any(row.put for row, file in state.descriptions_of(pid) if file.object == key)


def _has_read(state: State, pid: int, key: str) -> bool:
    return any(row.took for row, file in state.descriptions_of(pid) if file.object == key)


def _all_written(moment: CaseMoment, wait: Wait, writers: set[int]) -> bool:
    """Whether other processes wrote, and these never did."""
    thing = moment.state.objects.get(wait.object)
    return (
        thing is not None
        and bool(thing.last_writer)
        and not any(_has_written(moment.state, pid, wait.object) for pid in writers)
    )


def _find_way(hang: Hang, waits: dict[int, Wait]) -> tuple[int, ...]:
    """A way around through these waits, each thread once; empty if there is none."""
    for start in sorted(waits):
        path = [start]
        while True:
            following = sorted(
                tid for tid in hang.ways[path[-1]].tids if tid in waits and tid != path[-1]
            )
            if start in following and len(path) > 1:
                return tuple(path)
            following = [tid for tid in following if tid not in path]
            if not following:
                break
            path.append(following[0])
    return ()


def _find_silent_reader(state: State, waits: list[Wait]) -> Wait | None:
    """Which of those that read from each other has read, and has written nothing; no shell, which
    keeps back nothing of what it writes.
    """
    for wait in waits:
        read = any(
            row.took for row, file in state.descriptions_of(wait.pid) if file.object == wait.object
        )
        process = state.processes.get(wait.pid)
        out = state.find_descriptor(wait.pid, 1)
        silent = out is not None and not out.put
        if read and silent and process is not None and process.name not in SHELLS:
            return wait
    return None


def _who_had(state: State, wait: Wait) -> str:
    """Who was the last to have the end that is waited for."""
    thing = state.objects.get(wait.object)
    if thing is None:
        return ""
    pid = thing.reader_left if wait.why is Why.NO_READER else thing.writer_left
    process = state.processes.get(pid)
    return process.name if process is not None and process.fate != "alive" else ""


def _is_orphan(state: State, pid: int) -> bool:
    """Whether the parent of a process, which started it, has ended."""
    process = state.processes[pid]
    family = process.lineage.rpartition(".")[0]
    parent = next((one for one in state.processes.values() if one.lineage == family), None)
    return bool(family) and (parent is None or parent.fate != "alive")


def _starter(moment: CaseMoment, pid: int) -> str:
    """The name of the program that started a process; empty if it is not known."""
    born = moment.history.born.get(pid)
    parent = moment.state.processes.get(born.parent) if born is not None else None
    return f"{parent.name}[{parent.pid}]" if parent is not None else ""
