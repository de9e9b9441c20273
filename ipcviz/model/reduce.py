"""The next state: `reduce(state, event)`. Pure: no I/O, no clock, nothing changed in place."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from ipcviz.events import (
    Accessed,
    Call,
    Continued,
    Counted,
    Coverage,
    Dropped,
    EndForced,
    Entered,
    Event,
    Executed,
    Exited,
    Finished,
    Forked,
    HandlerReturned,
    Held,
    Level,
    Maps,
    Marker,
    ObjectInfo,
    OpenedOutside,
    Output,
    Outsiders,
    Poised,
    ProcessSample,
    Reaped,
    Released,
    Resumed,
    Sample,
    SemaphoreOp,
    Settled,
    SignalDelivered,
    Started,
    Stepped,
    Stopped,
    Table,
    ThreadCreated,
    ThreadExited,
    Trouble,
    VariableFound,
    Waiting,
)
from ipcviz.events.calls import OPENS
from ipcviz.events.kinds import PIPES, SOCKETS
from ipcviz.model.calls import take_call, take_sampled_bytes
from ipcviz.model.draft import Draft
from ipcviz.model.forgetting import forget
from ipcviz.model.ledger import knowledge, ledger
from ipcviz.model.mechanisms import semaphores, sockets, variables
from ipcviz.model.mechanisms.futexes import take_futex
from ipcviz.model.mechanisms.locks import drop_locks, take_locks
from ipcviz.model.mechanisms.memory import forget_pages, take_memory
from ipcviz.model.mechanisms.notifiers import take_notifier
from ipcviz.model.mechanisms.outsiders import forget_outsiders, take_outsiders
from ipcviz.model.mechanisms.queues import drop_uses, take_use
from ipcviz.model.mechanisms.signals import (
    back_to_own_mask,
    seen_handling,
    take_delivery,
    take_end,
    take_handler_return,
    take_pending,
    targets,
    with_mask_of,
)
from ipcviz.model.mechanisms.step_mode import (
    take_held,
    take_poised,
    take_released,
    take_settled,
    take_stepped,
)
from ipcviz.model.parts import DescriptorPart, ProcessPart
from ipcviz.model.state import (
    NO_DESCRIPTORS,
    CallInProgress,
    Descriptor,
    OpenFile,
    Process,
    State,
    Thread,
)

replace = msgspec.structs.replace

MOVES_BYTES: Final = SOCKETS | PIPES
"""Kinds of objects of which it is not known what went through them before they were found."""


def reduce(state: State, event: Event) -> State:
    """The state after an event.

    Args:
        state: The state before it; it is not changed.
        event: Any event of the stream.

    Returns:
        A new state, whose `changed` names what this event changed.
    """
    draft = Draft.begin(state, event.t)
    _TAKE[type(event)](draft, event)
    if draft.freed:
        sockets.forget_closed(draft)
        knowledge.take_closed(draft, getattr(event, "pid", 0))
        forget_outsiders(draft, {file.object for file in draft.freed} if draft.outsiders else ())
    if draft.grown:
        forget(draft)
    return draft.finish(event.n or state.n + 1)


def reduce_all(events: Iterable[Event], state: State | None = None) -> State:
    """The state after a whole sequence of events."""
    state = state or State()
    for event in events:
        state = reduce(state, event)
    return state


def _started(draft: Draft, event: Started) -> None:
    draft.started = event


_UNKNOWN: Final = Process(pid=0)
"""What a process has from a parent of which nothing is known, or that it does not take after."""


def _inherit_tables(draft: Draft, event: Forked, parent: Process) -> int:
    """Give a child what its parent has mapped and open. Returns whose descriptor table it uses."""
    if event.parent in draft.mappings:
        draft.mappings = draft.mappings.set(event.pid, draft.mappings[event.parent])
    if event.shares_files:
        return parent.table
    draft.copy_table(parent.table, event.pid, f"inherited from {event.parent}")
    return event.pid


def _forked(draft: Draft, event: Forked) -> None:
    parent = draft.processes.get(event.parent)
    base, table, lineage = _UNKNOWN, event.pid, "1"
    if parent is not None:
        lineage = f"{parent.lineage or parent.pid}.{parent.children + 1}"
        if event.how in ("fork", "vfork", "clone"):
            base = parent
            table = _inherit_tables(draft, event, parent)
        shares = parent.shares or (base is parent and event.shares_files)
        draft.put_process(replace(parent, children=parent.children + 1, shares=shares))
    maker = draft.threads.get(event.by)
    draft.add_process(
        Process(
            pid=event.pid,
            parent=event.parent,
            how=event.how,
            name=event.name or base.name,
            argv=event.argv or base.argv,
            threads=(event.pid,),
            table=table,
            shares=table != event.pid,
            born=event.t,
            handling=base.handling,
            full=base.full,
            pgrp=base.pgrp,
            session=base.session,
            tty=base.tty,
            foreground=base.foreground,
            lineage=lineage,
            ring=base.ring,
        )
    )
    draft.put_thread(
        Thread(
            tid=event.pid,
            pid=event.pid,
            state="R",
            blocked=maker.blocked if maker else 0,
            handlers=maker.handlers if maker else (),
        )
    )
    if event.how in ("launched", "attached") and not draft.root:
        draft.root = event.pid


def _thread_created(draft: Draft, event: ThreadCreated) -> None:
    process = draft.process(event.pid)
    maker = draft.threads.get(event.by)
    number = process.made_threads + 1
    threads = process.threads if event.tid in process.threads else (*process.threads, event.tid)
    draft.put_process(replace(process, threads=threads, made_threads=number))
    draft.put_thread(
        Thread(
            tid=event.tid,
            pid=event.pid,
            name=event.name,
            state="R",
            blocked=maker.blocked if maker else 0,
            number=number,
        )
    )


def _executed(draft: Draft, event: Executed) -> None:
    process = draft.process(event.pid)
    others = tuple(tid for tid in process.threads if tid != (event.former or event.pid))
    ledger.take_end(draft, event.pid, others, event.t)
    caller = draft.threads.get(event.former or event.pid)
    draft.drop_threads(tuple(tid for tid in process.threads if tid != event.pid))
    if process.table != event.pid:
        # execve gives a process that shared its table one of its own (unshare_files in fs/exec.c).
        draft.copy_table(process.table, event.pid, f"inherited from {process.table}")
    for fd, descriptor in draft.tables.get(event.pid, NO_DESCRIPTORS).items():
        if descriptor.cloexec:
            draft.remove(event.pid, fd)
        elif descriptor.used:
            draft.put_descriptor(event.pid, replace(descriptor, used=False, took=False, put=False))
    handling = process.handling
    for signo, how in process.handling.items():
        if how.action == "catch":
            handling = handling.delete(signo)
    if event.pid in draft.mappings:
        draft.mappings = draft.mappings.delete(event.pid)
        forget_pages(draft, event.pid)
    draft.put_process(
        replace(
            process,
            name=event.name or process.name,
            argv=event.argv or process.argv,
            executed=True,
            threads=(event.pid,),
            table=event.pid,
            shares=False,
            handling=handling,
        )
    )
    draft.put_thread(
        Thread(
            tid=event.pid,
            pid=event.pid,
            state="R",
            blocked=caller.blocked if caller else 0,
            pending=caller.pending if caller else 0,
        )
    )


def _thread_exited(draft: Draft, event: ThreadExited) -> None:
    process = draft.process(event.pid)
    ledger.take_end(draft, event.pid, (event.tid,), event.t)
    semaphores.take_end(draft, event.pid, event.tid)
    variables.forget_end(draft, event.pid, (event.tid,))
    draft.drop_threads((event.tid,))
    draft.put_process(
        replace(process, threads=tuple(tid for tid in process.threads if tid != event.tid))
    )


def _exited(draft: Draft, event: Exited) -> None:
    process = draft.process(event.pid)
    ledger.take_end(draft, event.pid, process.threads, event.t)
    semaphores.take_end(draft, event.pid)
    variables.forget_end(draft, event.pid, process.threads)
    draft.drop_threads(process.threads)
    take_end(draft, event)
    shared = process.shares and any(
        other.table == process.table and other.pid != process.pid and other.fate == "alive"
        for other in draft.processes.values()
    )
    if not shared:
        draft.drop_table(process.table)
    drop_locks(draft, event.pid)
    drop_uses(draft, event.pid)
    if event.pid in draft.mappings:
        draft.mappings = draft.mappings.delete(event.pid)
        forget_pages(draft, event.pid)
    for pid, signo in list(draft.timers):
        if pid == event.pid:
            draft.timers = draft.timers.delete((pid, signo))
    for orphan in event.orphans:
        child = draft.processes.get(orphan.pid)
        if child is not None:
            draft.put_process(replace(child, parent=orphan.reaper))
    draft.put_process(
        replace(
            process,
            died=event.t,
            fate="zombie",
            exit_code=event.code,
            exit_signal=event.signo,
            exit_known=not event.unknown,
            threads=(),
            stopped_by=0,
        )
    )


def _reaped(draft: Draft, event: Reaped) -> None:
    draft.put_process(replace(draft.process(event.pid), fate="gone"))


_CORRECTED = "the descriptor table of one of its users had to be corrected"


def _table(draft: Draft, event: Table) -> None:
    process = draft.process(event.pid)
    old = draft.tables.get(process.table, NO_DESCRIPTORS)
    for fd in event.differed:
        if fd in old:
            knowledge.lose_behind(draft, old[fd].ofd, _CORRECTED)
    # Tables are long: one new map for all rows, and each description is put once.
    rows = old.mutate()
    for entry in event.entries:
        unseen = entry.object.kind in MOVES_BYTES and entry.object.key not in draft.objects
        draft.object(entry.object, event.pid)
        knowledge.take_found(draft, entry.object, event.reason)
        if unseen:
            knowledge.doubt_counts(draft, entry.object.key)
        if entry.fd in event.differed:
            knowledge.lose(draft, entry.object.key, _CORRECTED)
        before = old.get(entry.fd)
        known = draft.open_files.get(entry.ofd)
        same = before is not None and before.ofd == entry.ofd
        draft.put_open_file(
            OpenFile(
                ofd=entry.ofd,
                object=entry.object.key,
                mode=entry.mode,
                flags=entry.flags,
                offset=entry.offset,
                opened_by=known.opened_by if known else 0,
                references=(known.references if known else 0) + (not same),
                outside=known.outside if known else False,
            )
        )
        if before is None or not same:
            how = "inherited" if event.reason == "launched" else "found"
            row = Descriptor(
                fd=entry.fd, ofd=entry.ofd, cloexec=entry.cloexec, how=how, since=event.t
            )
            if before is not None:
                draft.refer(before.ofd, -1)
        elif before.cloexec != entry.cloexec:
            row = replace(before, cloexec=entry.cloexec)
        else:
            continue
        rows[entry.fd] = row
        draft.note(DescriptorPart(process.table, entry.fd))
    if event.entries:
        draft.tables = draft.tables.set(process.table, rows.finish())
    kept = {entry.fd for entry in event.entries}
    for fd in list(old):
        if fd not in kept:
            draft.remove(process.table, fd)


def _maps(draft: Draft, event: Maps) -> None:
    for entry in event.entries:
        draft.object(entry.object, event.pid)
    draft.mappings = draft.mappings.set(event.pid, event.entries)
    draft.note(ProcessPart(event.pid))


def _waiting(draft: Draft, event: Waiting) -> None:
    thread = draft.thread(event.tid, event.pid)
    if event.call in OPENS and event.object and event.object not in draft.objects:
        # A FIFO that nobody has open yet: the tracer names no other object for a call that opens.
        draft.object(
            ObjectInfo(key=event.object, kind="fifo", path=event.text("path")),
            event.pid,
        )
    take_use(draft, event.pid, event.object)
    ledger.take_waiting(draft, event)
    draft.put_thread(
        replace(
            with_mask_of(event, thread),
            state=event.state,
            wchan=event.wchan,
            semaphore=event.semaphore or thread.semaphore,
            waiting=CallInProgress(
                name=event.call,
                args=event.args,
                object=event.object,
                began=event.began,
                futex=event.futex,
                deadline=event.deadline,
            ),
        )
    )


def _resumed(draft: Draft, event: Resumed) -> None:
    thread = draft.thread(event.tid, event.pid)
    draft.put_thread(
        replace(back_to_own_mask(thread), state="R", waiting=None, semaphore="", wchan="")
    )


def _stopped(draft: Draft, event: Stopped) -> None:
    draft.put_process(replace(draft.process(event.pid), stopped_by=event.signo))


def _continued(draft: Draft, event: Continued) -> None:
    draft.put_process(replace(draft.process(event.pid), stopped_by=0))


def _sample(draft: Draft, event: Sample) -> None:
    take_memory(draft, event)
    for level in event.levels:
        _apply_level(draft, level, event.t)
    for seen in event.semaphores:
        semaphores.take_level(draft, seen, event.t)
    for notifier in event.notifiers:
        take_notifier(draft, notifier)
    for surroundings in event.surroundings:
        found = draft.processes.get(surroundings.pid)
        if found is not None and found.fate == "alive":
            draft.put_process(replace(found, surroundings=surroundings))
    for facts in event.facts:
        found = draft.processes.get(facts.pid)
        if found is not None and found.fate == "alive":
            draft.put_process(replace(found, facts=facts))
    for locks in event.locks:
        take_locks(draft, locks)
    for futex in event.futexes:
        take_futex(draft, futex)
    sent_to = targets(draft) if event.processes else set()
    for sampled in event.processes:
        process = draft.processes.get(sampled.pid)
        if process is not None and process.fate != "gone":
            _apply_process_sample(draft, process, sampled, event.t)
            if sampled.pid in sent_to:
                take_pending(draft, sampled)


def _apply_level(draft: Draft, level: Level, t: float) -> None:
    """How full an object was found."""
    found = draft.objects.get(level.object)
    if found is None:
        return
    written = found.written
    if found.info.kind in PIPES:
        written = max(written, found.bytes_out + level.queued)
    draft.put_object(replace(found, level=level, level_at=t, written=written))
    if found.info.kind in SOCKETS:
        sockets.take_level(draft, level)
    ledger.take_level(draft, level)


def _apply_process_sample(draft: Draft, process: Process, sampled: ProcessSample, t: float) -> None:
    """What /proc shows of a process and its threads."""
    take_sampled_bytes(draft, process, sampled)
    # /proc shows who the parent is now: an orphan's changes.
    draft.put_process(
        replace(
            process,
            sample=sampled,
            stirred=t,
            parent=sampled.ppid or process.parent,
            name=sampled.name or process.name,
            handling=seen_handling(process.handling, sampled),
            pgrp=sampled.pgrp or process.pgrp,
            session=sampled.session or process.session,
            tty=sampled.tty,
            foreground=sampled.foreground,
        )
    )
    for line in sampled.threads:
        thread = draft.threads.get(line.tid)
        if thread is not None:
            draft.put_thread(
                replace(thread, state=line.state, blocked=line.blocked, pending=line.pending)
            )


def _coverage(draft: Draft, event: Coverage) -> None:
    process = draft.process(event.pid)
    draft.put_process(replace(process, full=event.full))
    semaphores.take_coverage(draft, event)
    if event.calls is False:
        # When handlers are left is not told any more.
        for tid in process.threads:
            thread = draft.threads.get(tid)
            if thread is not None and thread.handlers:
                draft.put_thread(replace(thread, handlers=()))
    if event.full:
        return
    knowledge.lose_held(draft, event.pid, knowledge.not_traced(process))
    knowledge.doubt_held(draft, event.pid)


def _counted(draft: Draft, event: Counted) -> None:
    process = draft.process(event.pid)
    draft.put_process(replace(process, calls=process.calls + sum(event.calls.values())))


def _dropped(draft: Draft, event: Dropped) -> None:
    draft.dropped += event.events
    knowledge.lose_all(draft, f"{event.events:,} events were left out of the stream")


def _entered(draft: Draft, event: Entered) -> None:
    ledger.take_entered(draft, event)


def _finished(draft: Draft, event: Finished) -> None:
    draft.command_code = event.code
    draft.command_signal = event.signo
    draft.finished = event.left == 0


def _nothing(draft: Draft, event: Event) -> None:
    """Events that say something to the viewer and change no state."""


_TAKE: dict[type, Callable[[Draft, Any], None]] = {
    Started: _started,
    Forked: _forked,
    ThreadCreated: _thread_created,
    Executed: _executed,
    ThreadExited: _thread_exited,
    Exited: _exited,
    Reaped: _reaped,
    Table: _table,
    Maps: _maps,
    Call: take_call,
    Entered: _entered,
    Waiting: _waiting,
    Resumed: _resumed,
    SignalDelivered: take_delivery,
    HandlerReturned: take_handler_return,
    Stopped: _stopped,
    Continued: _continued,
    SemaphoreOp: semaphores.take_operation,
    VariableFound: variables.apply_found,
    Accessed: variables.apply_access,
    Sample: _sample,
    Coverage: _coverage,
    Counted: _counted,
    OpenedOutside: knowledge.take_stranger,
    Outsiders: take_outsiders,
    Dropped: _dropped,
    Finished: _finished,
    Held: take_held,
    Released: take_released,
    Poised: take_poised,
    Stepped: take_stepped,
    Settled: take_settled,
    EndForced: _nothing,
    Marker: _nothing,
    Output: _nothing,
    Trouble: _nothing,
}
