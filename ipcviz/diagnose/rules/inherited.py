"""Descriptors that fork passed on and exec kept, and that do harm where nobody knows of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ipcviz.diagnose.deeds import EventRule
from ipcviz.diagnose.findings import Evidence, Finding
from ipcviz.diagnose.moment import CaseMoment
from ipcviz.diagnose.rules.ends import (
    LASTS_SECONDS,
    find_other_end,
    list_long_readers,
    list_pids,
    list_waits_for_bytes,
    name_kind,
)
from ipcviz.events import Call, FileLock
from ipcviz.events.calls import CALLS, LOCKS
from ipcviz.events.kinds import PIPES, SOCKETS
from ipcviz.model.mechanisms.locks import find_wanted_lock, list_blocking_locks
from ipcviz.model.noise import SHELLS
from ipcviz.model.state import Descriptor, Process, State
from ipcviz.model.waits.hangs import Hang
from ipcviz.model.waits.rules import explain_waiting
from ipcviz.model.waits.values import ConflictingLocks, Doubted, Ready, Wait
from ipcviz.narrate.words import label_of

if TYPE_CHECKING:
    from ipcviz.model.query import Holder

_OF_DESCRIPTIONS: Final = frozenset({"flock", "ofd"})
"""Kinds of locks that belong to an open file description, and not to a process."""


# Leaked descriptors.


def find_leaked_end(moment: CaseMoment, hang: Hang) -> Finding | None:
    """A hang in which somebody waits for an end of file that leaked descriptors alone keep off."""
    for wait in list_waits_for_bytes(moment, hang):
        rows = _find_leaked(moment, wait)
        if rows:
            return _tell_leaked_end(moment, wait, rows, hang.waits, hang.doubts)
    return None


def find_leaked_descriptor(moment: CaseMoment) -> Iterable[Finding]:
    """Who has waited for long for the end of a pipe or connection that leaked descriptors alone
    keep open, though their processes go on.
    """
    hanging = {tid for hang in moment.hangs for tid in hang.ways}
    for wait in list_long_readers(moment, PIPES | SOCKETS):
        if wait.tid not in hanging:
            rows = list_leaked_ends(moment, wait)
            if rows:
                yield _tell_leaked_end(moment, wait, rows, (wait,))


def list_leaked_ends(moment: CaseMoment, wait: Wait) -> tuple[Holder, ...]:
    """Who has the other end of what is waited for, if all of them have it by a leak, and somebody
    else has used one before: whoever passes an end on only to learn of another process's end writes
    nothing.
    """
    rows = _find_leaked(moment, wait)
    return rows if rows and _has_carried(moment.state, wait, rows) else ()


def is_leaked(moment: CaseMoment, row: Holder) -> bool:
    """Whether a descriptor came to a program that does not know of it: fork passed it on, exec kept
    it under a number that is not 0, 1 or 2 and that no argument names, and it was not used.
    """
    table = moment.state.find_descriptor(row.pid, row.fd)
    process = moment.state.processes.get(row.pid)
    if table is None or process is None or not process.executed or row.fd <= 2:
        return False
    if table.used or not table.how.startswith("inherited") or not process.full:
        return False
    return not _is_told(process, row.fd) and not _is_waited_at(moment.state, process, row)


def _is_told(process: Process, fd: int) -> bool:
    """Whether a program's arguments may name a descriptor: `--fd 3`, `/dev/fd/3`, `main(3)`."""
    return bool(re.search(rf"(?i)(fd\S*[ =,/]|[=,/(]){fd}(?!\d)", " ".join(process.argv)))


def _is_waited_at(state: State, process: Process, row: Holder) -> bool:
    """Whether a process waits for something at a descriptor: it accepts, or polls it."""
    for tid in process.threads:
        thread = state.threads.get(tid)
        if thread is None or thread.waiting is None:
            continue
        wait = explain_waiting(state, thread, thread.waiting)
        if wait.object == row.object:
            return True
        if isinstance(wait.facts, Ready) and any(o.key == row.object for o in wait.facts.things):
            return True
    return False


def _find_leaked(moment: CaseMoment, wait: Wait) -> tuple[Holder, ...]:
    """Who has the other end of what is waited for, if all of them have it by a leak."""
    rows = moment.holders(find_other_end(wait), "w rw")
    if not rows or wait.pid in list_pids(rows):
        return ()
    return rows if all(is_leaked(moment, row) for row in rows) else ()


def _has_carried(state: State, wait: Wait, rows: Iterable[Holder]) -> bool:
    """Whether somebody else has used an end."""
    thing = state.objects.get(find_other_end(wait))
    if thing is None:
        return False
    others = {thing.last_writer} - {0}
    if thing.info.kind in SOCKETS:
        others |= {thing.last_reader} - {0}
    return bool(others - list_pids(rows))


def _tell_leaked_end(
    moment: CaseMoment,
    wait: Wait,
    rows: tuple[Holder, ...],
    waits: tuple[Wait, ...],
    doubts: tuple[Doubted, ...] = (),
) -> Finding:
    pids = sorted(list_pids(rows))
    names = moment.name_parties(wait.pid, *pids)
    kind = name_kind(moment.state, wait.object)
    end = "the other end" if kind == "socket" else "the write end"
    what = "its connection" if kind == "socket" else f"its {kind}"
    heirs = names.join(pids)
    numbers = f" (fd {rows[0].fd})" if len(rows) == 1 else ""
    has = f"has {end}{numbers} open, which leaked into it over exec, and does not use it"
    if len(pids) > 1:
        has = f"have {end} open, which leaked into them over exec, and do not use it"
    return moment.make_finding(
        "leaked-descriptor",
        (pids[0], wait.pid, *pids),
        f"{names.name_at(wait.pid, wait.tid)} waits for the end of {what}, which does not come:"
        f" {heirs} {has}.",
        _tell_mend(moment, rows[0]),
        waits=waits,
        evidence=_prove_leaks(moment, rows),
        objects=(wait.object,),
        doubts=doubts,
        ends=((wait.pid, wait.fd), *((row.pid, row.fd) for row in rows)),
        probable="who is not watched may have the FIFO open, too" if kind == "FIFO" else "",
        about=wait.object,
    )


def _prove_leaks(moment: CaseMoment, rows: Iterable[Holder]) -> tuple[Evidence, ...]:
    """Which exec kept each descriptor."""
    found = []
    for row in rows:
        event = moment.history.executed.get(row.pid)
        name = moment.name_parties(row.pid).name_process(row.pid)
        found.append(
            Evidence(
                f"fd {row.fd} was open when {name}[{row.pid}] was executed, and was not used since",
                event.n if event is not None else 0,
            )
        )
    return tuple(found)


def _tell_mend(moment: CaseMoment, row: Holder) -> str:
    """How a leak is mended: in the program that made the descriptor, or that started the heir."""
    made = moment.history.made.get(row.ofd)
    name = made.name if made is not None else ""
    heir = moment.name_parties(row.pid).name_process(row.pid)
    if name.startswith("python"):
        return f"Leave close_fds=True when {heir} is started, and the descriptor uninheritable."
    if name in SHELLS:
        return f"Close it for that command: '{heir} ... {row.fd}>&-'."
    call = CALLS.get(made.call) if made is not None else None
    flag = "FD_CLOEXEC"
    if call is not None and call.descriptors in ("new", "pair"):
        flag = "SOCK_CLOEXEC" if call.on == "socket" else "O_CLOEXEC"
    return f"Make it with {flag}, or close it in the child before exec."


# Addresses that leaked sockets keep.


def tell_leaked_address(moment: CaseMoment, call: Call, rows: tuple[Holder, ...]) -> Finding:
    """A bind that failed, since those who have the address have it by a leak alone."""
    address = call.get_text("address")
    pids = sorted(list_pids(rows))
    names = moment.name_parties(call.pid, *pids)
    heirs = names.join(pids)
    has, it = ("has", "it") if len(pids) == 1 else ("have", "them")
    return moment.make_finding(
        "address-in-use",
        (call.pid, *pids),
        f"{names.name_process(call.pid)} can't bind to {address}: {heirs} {has} a socket there"
        f" (fd {rows[0].fd}), which leaked into {it} over exec and is not used.",
        _tell_mend(moment, rows[0]),
        evidence=(
            Evidence(f"bind to {address} failed: EADDRINUSE", call.n),
            *_prove_leaks(moment, rows),
        ),
        objects=(rows[0].object,),
        ends=tuple((row.pid, row.fd) for row in rows),
        about=address,
    )


# Locks.


class InheritedLock(NamedTuple):
    """A lock that only heirs of its open file description keep.

    Attributes:
        lock: The lock.
        opener: Who opened the file for it, and has it open no more.
        heirs: Who has inherited the description: each process, and its descriptor.
    """

    lock: FileLock
    opener: int
    heirs: tuple[tuple[Process, Descriptor], ...]

    @property
    def is_leaked(self) -> bool:
        """Whether they all execute other programs than the one that opened it."""
        return all(process.executed for process, _ in self.heirs)


def find_inherited_lock(moment: CaseMoment) -> Iterable[Finding]:
    """Who has waited for long for a lock that its taker has closed, and a child keeps."""
    state = moment.state
    for tid in sorted(state.threads):
        thread = state.threads[tid]
        call = thread.waiting
        if call is None or call.name not in LOCKS or moment.now - call.began < LASTS_SECONDS:
            continue
        wait = explain_waiting(state, thread, call)
        if not isinstance(wait.facts, ConflictingLocks):
            continue
        found = [_find_heirs(moment, lock) for lock in wait.facts.found]
        one = next(filter(None, found), None)
        if one is not None and wait.pid not in {process.pid for process, _ in one.heirs}:
            names = moment.name_parties(wait.pid, *(heir.pid for heir, _ in one.heirs))
            who = f"{names.name_at(wait.pid, wait.tid)} waits for the lock on"
            yield _tell_lock(moment, who, wait.pid, wait.object, one, waits=(wait,))


class LocksRefused(EventRule):
    """A try to lock a file that failed, since a program that knows nothing of it has the lock."""

    errors = frozenset({"EAGAIN"})

    def follow_event(self, moment: CaseMoment, event: Any) -> Iterator[Finding]:
        """See `EventRule`."""
        if event.name not in LOCKS or event.fd is None:
            return
        row = moment.state.find_descriptor(event.pid, event.fd)
        wish = find_wanted_lock(event.args, event.pid, row.ofd if row is not None else 0)
        if wish is None:
            return
        found = list_blocking_locks(moment.state, event.object, wish)
        one = next(filter(None, (_find_heirs(moment, lock) for lock in found)), None)
        if one is not None and one.is_leaked:
            names = moment.name_parties(event.pid, *(heir.pid for heir, _ in one.heirs))
            who = f"{names.name_at(event.pid, event.tid)} did not get the lock on"
            yield _tell_lock(moment, who, event.pid, event.object, one, refused=event)


def _find_heirs(moment: CaseMoment, lock: FileLock) -> InheritedLock | None:
    """Who keeps a lock, if who opened the file has closed it or ended: a daemon that forks into the
    background keeps it on purpose, so the heirs of one that ended have to execute other programs.
    """
    state = moment.state
    file = state.open_files.get(lock.ofd)
    if lock.kind not in _OF_DESCRIPTIONS or file is None or not file.opened_by:
        return None
    heirs = tuple(state.references_to(lock.ofd))
    if not heirs or not all(row.how.startswith(("inherited", "dup")) for _, row in heirs):
        return None
    if file.opened_by in {process.pid for process, _ in heirs}:
        return None
    if any(row.used or _is_told(process, row.fd) for process, row in heirs if process.executed):
        return None
    return InheritedLock(lock, file.opened_by, heirs)


def _tell_lock(
    moment: CaseMoment,
    who: str,
    pid: int,
    key: str,
    one: InheritedLock,
    *,
    waits: tuple[Wait, ...] = (),
    refused: Call | None = None,
) -> Finding:
    state = moment.state
    pids = tuple(dict.fromkeys(process.pid for process, _ in one.heirs))
    names = moment.name_parties(pid, *pids)
    opener = state.processes.get(one.opener)
    alive = opener is not None and opener.fate == "alive"
    name = f"{opener.name}[{one.opener}]" if opener is not None else f"process {one.opener}"
    fd = one.heirs[0][1].fd
    has = "has" if len(pids) == 1 else "have"
    probable = "" if alive or one.is_leaked else "the child may have been meant to keep it"
    if refused is not None:
        probable = "who asked may do without it"
    proof = [Evidence(f"{name}, which opened the file, has {'closed it' if alive else 'ended'}")]
    if refused is not None:
        proof.insert(0, Evidence(f"{refused.name}({refused.fd}) failed: EAGAIN", refused.n))
    return moment.make_finding(
        "inherited-lock",
        (pids[0], pid, *pids),
        f"{who} {label_of(state, key)}: {name}, which opened it, has"
        f" {'closed it' if alive else 'ended'}, but {names.join(pids)} {has} inherited its"
        f" descriptor {fd}, and the lock stays until the"
        " last one is closed.",
        "Unlock it (LOCK_UN) before you close it, and keep it from children: O_CLOEXEC, 'flock -o',"
        f" '{fd}>&-' in a shell.",
        waits=waits,
        evidence=proof,
        objects=(key,),
        ends=tuple((process.pid, row.fd) for process, row in one.heirs),
        probable=probable,
        about=key,
    )
