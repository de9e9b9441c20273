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
    Located,
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
    Surroundings,
    Table,
    ThreadCreated,
    ThreadExited,
    Trouble,
    VariableFound,
    Waiting,
)
from ipcviz.events.calls import OPENS
from ipcviz.events.kinds import PIPES, SOCKETS
from ipcviz.model.calls import apply_call, apply_sampled_bytes
from ipcviz.model.draft import Draft
from ipcviz.model.forgetting import forget_oldest
from ipcviz.model.ledger import knowledge, ledger
from ipcviz.model.mechanisms import semaphores, sockets, traffic, variables
from ipcviz.model.mechanisms.futexes import apply_futex
from ipcviz.model.mechanisms.locks import apply_locks, drop_locks
from ipcviz.model.mechanisms.memory import apply_memory, forget_pages
from ipcviz.model.mechanisms.notifiers import apply_notifier
from ipcviz.model.mechanisms.outsiders import apply_outsiders, forget_outsiders
from ipcviz.model.mechanisms.queues import drop_uses, note_use
from ipcviz.model.mechanisms.signals import (
    apply_delivery,
    apply_end,
    apply_handler_return,
    apply_pending,
    borrow_mask,
    find_targets,
    restore_own_mask,
    update_handling,
)
from ipcviz.model.mechanisms.step_mode import (
    apply_held,
    apply_located,
    apply_poised,
    apply_released,
    apply_settled,
    apply_stepped,
)
from ipcviz.model.names import choose_own_name
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
    _APPLY[type(event)](draft, event)
    if draft.freed:
        sockets.forget_closed(draft)
        knowledge.apply_closed(draft, getattr(event, "pid", 0))
        forget_outsiders(draft, {file.object for file in draft.freed} if draft.outsiders else ())
    if draft.grown:
        forget_oldest(draft)
    return draft.finish(event.n or state.n + 1)


def reduce_all(events: Iterable[Event], state: State | None = None) -> State:
    """The state after a whole sequence of events."""
    state = state or State()
    for event in events:
        state = reduce(state, event)
    return state


def _apply_started(draft: Draft, event: Started) -> None:
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


def _apply_forked(draft: Draft, event: Forked) -> None:
    parent = draft.processes.get(event.parent)
    base, table, lineage = _UNKNOWN, event.pid, "1"
    if parent is not None:
        lineage = f"{parent.lineage or parent.pid}.{parent.children + 1}"
        if event.how in ("fork", "vfork", "clone"):
            base = parent
            table = _inherit_tables(draft, event, parent)
        shares = parent.shares or (base is parent and event.shares_files)
        draft.store_process(replace(parent, children=parent.children + 1, shares=shares))
    maker = draft.threads.get(event.by)
    name, argv = event.name or base.name, event.argv or base.argv
    if event.how == "launched":
        # It has not executed the program yet that its arguments are of.
        own_name = name
    elif name == base.name and argv == base.argv and base.own_name:
        own_name = base.own_name
    else:
        own_name = choose_own_name(name, argv)
    draft.add_process(
        Process(
            pid=event.pid,
            parent=event.parent,
            how=event.how,
            name=name,
            own_name=own_name,
            number=draft.number_name(own_name) if own_name else 0,
            argv=argv,
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
    draft.store_thread(
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


def _apply_thread_created(draft: Draft, event: ThreadCreated) -> None:
    process = draft.ensure_process(event.pid)
    maker = draft.threads.get(event.by)
    number = process.made_threads + 1
    threads = process.threads if event.tid in process.threads else (*process.threads, event.tid)
    draft.store_process(replace(process, threads=threads, made_threads=number))
    draft.store_thread(
        Thread(
            tid=event.tid,
            pid=event.pid,
            name=event.name,
            state="R",
            blocked=maker.blocked if maker else 0,
            number=number,
        )
    )


def _apply_executed(draft: Draft, event: Executed) -> None:
    process = draft.ensure_process(event.pid)
    others = tuple(tid for tid in process.threads if tid != (event.former or event.pid))
    ledger.apply_end(draft, event.pid, others, event.t)
    caller = draft.threads.get(event.former or event.pid)
    draft.drop_threads(tuple(tid for tid in process.threads if tid != event.pid))
    if process.table != event.pid:
        # execve gives a process that shared its table one of its own (unshare_files in fs/exec.c).
        draft.copy_table(process.table, event.pid, f"inherited from {process.table}")
    for fd, descriptor in draft.tables.get(event.pid, NO_DESCRIPTORS).items():
        if descriptor.cloexec:
            draft.close_descriptor(event.pid, fd)
        elif descriptor.used:
            draft.store_descriptor(
                event.pid, replace(descriptor, used=False, took=False, put=False)
            )
    traffic.forget_program(draft, event.pid)
    handling = process.handling
    for signo, how in process.handling.items():
        if how.action == "catch":
            handling = handling.delete(signo)
    if event.pid in draft.mappings:
        draft.mappings = draft.mappings.delete(event.pid)
        forget_pages(draft, event.pid)
    name, argv = event.name or process.name, event.argv or process.argv
    own_name = choose_own_name(name, argv)
    draft.store_process(
        replace(
            process,
            name=name,
            own_name=own_name,
            number=_number_anew(draft, process, own_name),
            argv=argv,
            surroundings=_forget_title(process.surroundings),
            executed=True,
            threads=(event.pid,),
            table=event.pid,
            shares=False,
            handling=handling,
            located=None,
        )
    )
    draft.store_thread(
        Thread(
            tid=event.pid,
            pid=event.pid,
            state="R",
            blocked=caller.blocked if caller else 0,
            pending=caller.pending if caller else 0,
        )
    )


def _apply_thread_exited(draft: Draft, event: ThreadExited) -> None:
    process = draft.ensure_process(event.pid)
    ledger.apply_end(draft, event.pid, (event.tid,), event.t)
    semaphores.apply_end(draft, event.pid, event.tid)
    variables.forget_end(draft, event.pid, (event.tid,))
    draft.drop_threads((event.tid,))
    draft.store_process(
        replace(process, threads=tuple(tid for tid in process.threads if tid != event.tid))
    )


def _apply_exited(draft: Draft, event: Exited) -> None:
    process = draft.ensure_process(event.pid)
    ledger.apply_end(draft, event.pid, process.threads, event.t)
    semaphores.apply_end(draft, event.pid)
    variables.forget_end(draft, event.pid, process.threads)
    draft.drop_threads(process.threads)
    apply_end(draft, event)
    shared = process.shares and any(
        other.table == process.table and other.pid != process.pid and other.fate == "alive"
        for other in draft.processes.values()
    )
    if not shared:
        draft.drop_table(process.table)
    drop_locks(draft, event.pid)
    drop_uses(draft, event.pid)
    if event.pid in draft.mappings:
        traffic.note_end(draft, event.pid)
        draft.mappings = draft.mappings.delete(event.pid)
        forget_pages(draft, event.pid)
    for pid, signo in list(draft.timers):
        if pid == event.pid:
            draft.timers = draft.timers.delete((pid, signo))
    for orphan in event.orphans:
        child = draft.processes.get(orphan.pid)
        if child is not None:
            draft.store_process(replace(child, parent=orphan.reaper))
    draft.store_process(
        replace(
            process,
            died=event.t,
            died_step=draft.step,
            fate="zombie",
            exit_code=event.code,
            exit_signal=event.signo,
            exit_known=not event.unknown,
            threads=(),
            stopped_by=0,
        )
    )


def _apply_reaped(draft: Draft, event: Reaped) -> None:
    draft.store_process(replace(draft.ensure_process(event.pid), fate="gone"))


_CORRECTED = "the descriptor table of one of its users had to be corrected"


def _apply_table(draft: Draft, event: Table) -> None:
    process = draft.ensure_process(event.pid)
    old = draft.tables.get(process.table, NO_DESCRIPTORS)
    for fd in event.differed:
        if fd in old:
            knowledge.distrust_behind(draft, old[fd].ofd, _CORRECTED)
    # Tables are long: one new map for all rows, and each description is put once.
    rows = old.mutate()
    for entry in event.entries:
        unseen = entry.object.kind in MOVES_BYTES and entry.object.key not in draft.objects
        draft.ensure_object(entry.object, event.pid)
        knowledge.apply_found(draft, entry.object, event.reason)
        if unseen:
            knowledge.doubt_counts(draft, entry.object.key)
        if entry.fd in event.differed:
            knowledge.distrust_channel(draft, entry.object.key, _CORRECTED)
        before = old.get(entry.fd)
        known = draft.open_files.get(entry.ofd)
        same = before is not None and before.ofd == entry.ofd
        draft.store_description(
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
                draft.count_reference(before.ofd, -1)
        elif before.cloexec != entry.cloexec:
            row = replace(before, cloexec=entry.cloexec)
        else:
            continue
        rows[entry.fd] = row
        draft.note_change(DescriptorPart(process.table, entry.fd))
    if event.entries:
        draft.tables = draft.tables.set(process.table, rows.finish())
    kept = {entry.fd for entry in event.entries}
    for fd in list(old):
        if fd not in kept:
            draft.close_descriptor(process.table, fd)


def _apply_maps(draft: Draft, event: Maps) -> None:
    for entry in event.entries:
        draft.ensure_object(entry.object, event.pid)
    draft.mappings = draft.mappings.set(event.pid, event.entries)
    draft.note_change(ProcessPart(event.pid))


def _apply_waiting(draft: Draft, event: Waiting) -> None:
    thread = draft.ensure_thread(event.tid, event.pid)
    if event.call in OPENS and event.object and event.object not in draft.objects:
        # A FIFO that nobody has open yet: the tracer names no other object for a call that opens.
        draft.ensure_object(
            ObjectInfo(key=event.object, kind="fifo", path=event.get_text("path")),
            event.pid,
        )
    note_use(draft, event.pid, event.object)
    ledger.apply_waiting(draft, event)
    draft.store_thread(
        replace(
            borrow_mask(event, thread),
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


def _apply_resumed(draft: Draft, event: Resumed) -> None:
    thread = draft.ensure_thread(event.tid, event.pid)
    draft.store_thread(
        replace(
            restore_own_mask(thread),
            state="R",
            waiting=None,
            semaphore="",
            wchan="",
            source=None,
        )
    )


def _apply_stopped(draft: Draft, event: Stopped) -> None:
    draft.store_process(replace(draft.ensure_process(event.pid), stopped_by=event.signo))


def _number_anew(draft: Draft, process: Process, own_name: str) -> int:
    """Which one of those that have had its name a process is, if it calls itself something else
    now.
    """
    if own_name == (process.own_name or process.name):
        return process.number
    return draft.number_name(own_name)


def _forget_title(known: Surroundings | None) -> Surroundings | None:
    """What was read of a process, without the title of the program that it ran before."""
    return replace(known, title=()) if known is not None and known.title else known


def _apply_continued(draft: Draft, event: Continued) -> None:
    draft.store_process(replace(draft.ensure_process(event.pid), stopped_by=0))


def _apply_sample(draft: Draft, event: Sample) -> None:
    apply_memory(draft, event)
    for level in event.levels:
        _apply_level(draft, level, event.t)
    for seen in event.semaphores:
        semaphores.apply_level(draft, seen, event.t)
    for notifier in event.notifiers:
        apply_notifier(draft, notifier)
    for surroundings in event.surroundings:
        found = draft.processes.get(surroundings.pid)
        if found is not None and found.fate == "alive":
            found = replace(found, surroundings=surroundings)
            own_name = choose_own_name(found.name, found.title_words)
            number = _number_anew(draft, found, own_name)
            draft.store_process(replace(found, own_name=own_name, number=number))
    for facts in event.facts:
        found = draft.processes.get(facts.pid)
        if found is not None and found.fate == "alive":
            draft.store_process(replace(found, facts=facts))
    for locks in event.locks:
        apply_locks(draft, locks)
    for futex in event.futexes:
        apply_futex(draft, futex)
    sent_to = find_targets(draft) if event.processes else set()
    for sampled in event.processes:
        process = draft.processes.get(sampled.pid)
        if process is not None and process.fate != "gone":
            _apply_process_sample(draft, process, sampled, event.t)
            if sampled.pid in sent_to:
                apply_pending(draft, sampled)


def _apply_level(draft: Draft, level: Level, t: float) -> None:
    """How full an object was found."""
    found = draft.objects.get(level.object)
    if found is None:
        return
    written = found.written
    if found.info.kind in PIPES:
        written = max(written, found.bytes_out + level.queued)
    draft.store_object(replace(found, level=level, level_at=t, written=written))
    if found.info.kind in SOCKETS:
        sockets.apply_level(draft, level)
    ledger.apply_level(draft, level)


def _apply_process_sample(draft: Draft, process: Process, sampled: ProcessSample, t: float) -> None:
    """What /proc shows of a process and its threads."""
    apply_sampled_bytes(draft, process, sampled)
    # /proc shows who the parent is now: an orphan's changes.
    name, own_name, number = sampled.name or process.name, process.own_name, process.number
    if name != process.name:
        own_name = choose_own_name(name, process.title_words)
        number = _number_anew(draft, process, own_name)
    draft.store_process(
        replace(
            process,
            sample=sampled,
            stirred=t,
            parent=sampled.ppid or process.parent,
            name=name,
            own_name=own_name,
            number=number,
            handling=update_handling(process.handling, sampled),
            pgrp=sampled.pgrp or process.pgrp,
            session=sampled.session or process.session,
            tty=sampled.tty,
            foreground=sampled.foreground,
        )
    )
    for line in sampled.threads:
        thread = draft.threads.get(line.tid)
        if thread is not None:
            draft.store_thread(
                replace(thread, state=line.state, blocked=line.blocked, pending=line.pending)
            )


def _apply_coverage(draft: Draft, event: Coverage) -> None:
    process = draft.ensure_process(event.pid)
    draft.store_process(replace(process, full=event.full))
    semaphores.apply_coverage(draft, event)
    if event.calls is False:
        # When handlers are left is not told any more.
        for tid in process.threads:
            thread = draft.threads.get(tid)
            if thread is not None and thread.handlers:
                draft.store_thread(replace(thread, handlers=()))
    if event.full:
        return
    knowledge.distrust_held(draft, event.pid, knowledge.explain_untraced(process))
    knowledge.doubt_held(draft, event.pid)


def _apply_counted(draft: Draft, event: Counted) -> None:
    process = draft.ensure_process(event.pid)
    draft.store_process(replace(process, calls=process.calls + sum(event.calls.values())))


def _apply_dropped(draft: Draft, event: Dropped) -> None:
    draft.dropped += event.events
    knowledge.distrust_all(draft, f"{event.events:,} events were left out of the stream")


def _apply_entered(draft: Draft, event: Entered) -> None:
    ledger.apply_entered(draft, event)


def _apply_finished(draft: Draft, event: Finished) -> None:
    draft.command_code = event.code
    draft.command_signal = event.signo
    draft.finished = event.left == 0


def _change_nothing(draft: Draft, event: Event) -> None:
    """Events that say something to the viewer and change no state."""


_APPLY: dict[type, Callable[[Draft, Any], None]] = {
    Started: _apply_started,
    Forked: _apply_forked,
    ThreadCreated: _apply_thread_created,
    Executed: _apply_executed,
    ThreadExited: _apply_thread_exited,
    Exited: _apply_exited,
    Reaped: _apply_reaped,
    Table: _apply_table,
    Maps: _apply_maps,
    Call: apply_call,
    Entered: _apply_entered,
    Waiting: _apply_waiting,
    Resumed: _apply_resumed,
    SignalDelivered: apply_delivery,
    HandlerReturned: apply_handler_return,
    Stopped: _apply_stopped,
    Continued: _apply_continued,
    SemaphoreOp: semaphores.apply_operation,
    VariableFound: variables.apply_found,
    Accessed: variables.apply_access,
    Sample: _apply_sample,
    Coverage: _apply_coverage,
    Counted: _apply_counted,
    OpenedOutside: knowledge.apply_opened_outside,
    Outsiders: apply_outsiders,
    Dropped: _apply_dropped,
    Finished: _apply_finished,
    Held: apply_held,
    Released: apply_released,
    Poised: apply_poised,
    Stepped: apply_stepped,
    Settled: apply_settled,
    Located: apply_located,
    EndForced: _change_nothing,
    Marker: _change_nothing,
    Output: _change_nothing,
    Trouble: _change_nothing,
}
