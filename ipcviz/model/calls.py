"""How a returned system call and its effects change the state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from ipcviz.events import (
    Call,
    Capacity,
    Closed,
    CloseOnExec,
    DeathSignal,
    Disposition,
    Duplicated,
    Filed,
    Grouped,
    Identified,
    Locks,
    MapEntry,
    Mapped,
    Mask,
    NameCreated,
    NameRemoved,
    ObjectLocks,
    Opened,
    Passed,
    ProcessSample,
    Protected,
    Sent,
    StatusFlags,
    Subreaper,
    Taken,
    Timer,
    Unmapped,
    Uses,
    WorkingDirectory,
)
from ipcviz.events.calls import CHANGES_SEMAPHORES, COUNTS_MESSAGES, MOVES, READS, WRITES, where
from ipcviz.model.draft import Draft
from ipcviz.model.ledger import knowledge, ledger
from ipcviz.model.ledger.directions import CHANNEL_CALLS, EITHER_WAY, takes_out
from ipcviz.model.mechanisms import datagrams, semaphores, sockets, traffic, wakes
from ipcviz.model.mechanisms.families import apply_group
from ipcviz.model.mechanisms.folders import apply_filed, apply_listing, apply_opening, forget_reused
from ipcviz.model.mechanisms.locks import apply_locks
from ipcviz.model.mechanisms.memory import (
    forget_range,
    join_mappings,
    protect_range,
    replace_mappings,
)
from ipcviz.model.mechanisms.offsets import MOVES_OFFSET, apply_offset
from ipcviz.model.mechanisms.queues import (
    RECEIVES,
    SENDS,
    apply_message,
    count_message_bytes,
    forget_queue,
    note_use,
    reads_about_queue,
)
from ipcviz.model.mechanisms.signals import (
    apply_sent,
    apply_taken,
    end_timer,
    forget_past_timer,
    restore_own_mask,
)
from ipcviz.model.parts import DescriptorPart, ObjectPart, SignalPart
from ipcviz.model.state import (
    INPUTS,
    POSIX,
    ArmedTimer,
    Descriptor,
    Handling,
    Object,
    OpenFile,
    Process,
)

replace = msgspec.structs.replace


_RECEIVE_DESCRIPTORS: Final = where(lambda call: call.descriptors == "received")


def apply_call(draft: Draft, event: Call) -> None:
    """A call returned: its thread runs, its bytes moved, its effects happened.

    Descriptors and counts are those that the call found: what it moved comes before its effects.
    """
    if event.name in wakes.CALLS:
        wakes.apply_call(draft, event)
    _return_thread(draft, event)
    for apply in _MOVING.get(event.name, ()):
        apply(draft, event)
    for effect in event.effects:
        _APPLY[type(effect)](draft, event, effect)
    if event.object in draft.flights:
        sockets.apply_received(draft, event)
    for apply in _FOLLOWING.get(event.name, ()):
        apply(draft, event)


def _return_thread(draft: Draft, event: Call) -> None:
    """A thread is back from a call."""
    process = draft.ensure_process(event.pid)
    draft.store_process(replace(process, calls=process.calls + 1))
    thread = draft.ensure_thread(event.tid, event.pid)
    if (
        thread.waiting is not None
        or thread.state != "R"
        or thread.source is not None
        or (thread.semaphore and event.name != "futex")
    ):
        # A futex call that returned may be followed by another: sem_wait is over when the tracer
        # says so.
        semaphore = thread.semaphore if event.name == "futex" else ""
        if event.name in wakes.CALLS and thread.waiting is not None and not event.error:
            thread = wakes.note_woken(draft, thread, event.t)
        thread = restore_own_mask(thread)
        draft.store_thread(
            replace(thread, state="R", waiting=None, semaphore=semaphore, wchan="", source=None)
        )


def _mark_used(draft: Draft, event: Call) -> None:
    """The descriptor of a call that reads or writes was used."""
    fd = event.fd
    if fd is not None:
        out = takes_out(draft, event.pid, event.name, event.args)
        _note_use(draft, event.pid, fd, moved=event.ret > 0, out=out)


def _has_moved(event: Call) -> bool:
    """Whether a call that returns a number of bytes moved any; MSG_PEEK only looks at them."""
    return event.ret > 0 and not event.error and not event.has_flag("MSG_PEEK")


def _count_read(draft: Draft, event: Call) -> None:
    thing = draft.objects.get(event.object)
    if thing is not None and reads_about_queue(thing.info, event.name):
        return
    if event.object in draft.posted:
        apply_message(draft, event)
    if _has_moved(event):
        _count_bytes(draft, event.object, event.pid, event.ret, out=True)
        if event.object in draft.datagrams:
            datagrams.apply_received(draft, event)


def _count_written(draft: Draft, event: Call) -> None:
    if _has_moved(event):
        _count_bytes(draft, event.object, event.pid, event.ret, out=False)
        sockets.apply_sent(draft, event, event.ret)


def _count_either_way(draft: Draft, event: Call) -> None:
    if takes_out(draft, event.pid, event.name, event.args):
        _count_read(draft, event)
    else:
        _count_written(draft, event)


def _count_transferred(draft: Draft, event: Call) -> None:
    """Bytes went from one descriptor to another; tee(2) copies them, and takes none out."""
    if not _has_moved(event):
        return
    for name, out in (("fd_in", True), ("fd_out", False)):
        fd = event.get_number(name)
        if fd is not None:
            _note_use(draft, event.pid, fd, moved=True, out=out)
            if not out or event.name != "tee":
                key = draft.object_key_at(event.pid, fd)
                _count_bytes(draft, key, event.pid, event.ret, out=out)


def _count_message(draft: Draft, event: Call) -> None:
    """A message was put into a queue, or taken out of it."""
    note_use(draft, event.pid, event.object)
    out = event.name in RECEIVES
    if not event.error:
        traffic.note_moved(draft, event.pid, event.object, took=out, put=not out)
    _count_bytes(draft, event.object, event.pid, count_message_bytes(event), out=out)
    apply_message(draft, event)


def _count_messages(draft: Draft, event: Call) -> None:
    """How many bytes sendmmsg or recvmmsg moved: they return how many messages these were."""
    fd, moved = event.fd, event.get_number("bytes")
    if event.error or fd is None or moved is None:
        return
    out = event.name == "recvmmsg"
    peeked = event.has_flag("MSG_PEEK")
    _note_use(draft, event.pid, fd, moved=bool(moved), out=out)
    _count_bytes(draft, event.object, event.pid, 0 if peeked else moved, out=out)
    if not out:
        sockets.apply_sent(draft, event, moved)


def _set_up_ring(draft: Draft, event: Call) -> None:
    if not event.error:
        knowledge.apply_ring(draft, event.pid)


def _by_name(*rows: tuple[frozenset[str], Callable[[Draft, Call], None]]) -> Appliers:
    """The functions that a call has to go through, in the order of the rows."""
    names = {name for calls, _ in rows for name in calls}
    return {name: tuple(apply for calls, apply in rows if name in calls) for name in names}


def _note_use(draft: Draft, pid: int, fd: int, *, moved: bool, out: bool) -> None:
    table = draft.ensure_process(pid).table
    rows = draft.tables.get(table)
    descriptor = rows.get(fd) if rows is not None else None
    if descriptor is None:
        return
    drained = descriptor.took or (moved and out)
    filled = descriptor.put or (moved and not out)
    if not descriptor.used or drained != descriptor.took or filled != descriptor.put:
        draft.store_descriptor(table, replace(descriptor, used=True, took=drained, put=filled))
        if moved:
            key = draft.object_key_at(pid, fd)
            traffic.note_moved(draft, pid, key, fd, took=out, put=not out)


def _count_bytes(draft: Draft, key: str, pid: int, count: int, *, out: bool) -> None:
    found = draft.objects.get(key)
    if found is None:
        return
    if out:
        draft.store_object(replace(found, bytes_out=found.bytes_out + count, last_reader=pid))
    else:
        inputs = found.inputs
        if inputs or found.last_writer not in (0, pid):
            inputs = _add_input(found, pid, count)
        draft.store_object(
            replace(found, bytes_in=found.bytes_in + count, inputs=inputs, last_writer=pid)
        )


def _add_input(thing: Object, pid: int, count: int) -> tuple[tuple[int, int], ...]:
    """What each process has written into an object, with what one writes now."""
    known = dict(thing.inputs) or {thing.last_writer: thing.bytes_in}
    if pid in known or len(known) < INPUTS:
        known[pid] = known.get(pid, 0) + count
    return tuple(known.items())


def apply_sampled_bytes(draft: Draft, process: Process, now: ProcessSample) -> None:
    """Bytes that a process moved while its calls were not traced, from rchar and wchar of
    /proc/PID/io.

    The kernel counts them for all descriptors together. They are given to an object only where the
    traced calls have used no other one in that direction; else nobody knows, and the object's count
    stays behind.
    """
    before = process.sample
    if before is None or process.full:
        return
    for count, out in (
        (now.chars_read - before.chars_read, True),
        (now.chars_written - before.chars_written, False),
    ):
        if count > 0:
            keys = _used_objects(draft, process, out=out)
            if len(keys) == 1:
                _count_bytes(draft, keys.pop(), process.pid, count, out=out)


def _used_objects(draft: Draft, process: Process, *, out: bool) -> set[str]:
    modes = ("r", "rw") if out else ("w", "rw")
    return {
        file.object
        for descriptor, file in draft.descriptions_of(process.pid)
        if descriptor.used and file.mode in modes
    }


def _apply_opened(draft: Draft, event: Call, effect: Opened) -> None:
    forget_reused(draft, effect)
    draft.ensure_object(effect.object, event.pid)
    known = draft.open_files.get(effect.ofd)
    received = event.name in _RECEIVE_DESCRIPTORS
    if known is None:
        draft.store_description(
            OpenFile(
                ofd=effect.ofd,
                object=effect.object.key,
                mode=effect.mode,
                flags=effect.flags,
                opened_by=event.pid,
                outside=received,
            )
        )
    how, sender = "opened", 0
    if received:
        through = draft.objects.get(event.object)
        how = f"received over {through.label}" if through is not None else "received"
        flight = sockets.find_sender(draft, event, effect.ofd)
        sender = flight.pid if flight is not None else 0
    draft.place_descriptor(
        draft.ensure_process(event.pid).table,
        Descriptor(
            fd=effect.fd,
            ofd=effect.ofd,
            cloexec=effect.cloexec,
            how=how,
            sender=sender,
            since=event.t,
        ),
    )
    knowledge.apply_opened(draft, event, effect)
    apply_opening(draft, event, effect)


def _apply_passed(draft: Draft, event: Call, effect: Passed) -> None:
    sockets.apply_passed(draft, event, effect)


def _apply_identified(draft: Draft, event: Call, effect: Identified) -> None:
    draft.ensure_object(effect.object, event.pid)


def _apply_duplicated(draft: Draft, event: Call, effect: Duplicated) -> None:
    source = draft.find_descriptor(event.pid, effect.source)
    if source is None or effect.fd == effect.source:
        return
    draft.place_descriptor(
        draft.ensure_process(event.pid).table,
        Descriptor(
            fd=effect.fd,
            ofd=source.ofd,
            cloexec=effect.cloexec,
            how=f"dup of {effect.source}",
            since=event.t,
        ),
    )


def _apply_closed(draft: Draft, event: Call, effect: Closed) -> None:
    draft.close_descriptor(draft.ensure_process(event.pid).table, effect.fd)


def _apply_close_on_exec(draft: Draft, event: Call, effect: CloseOnExec) -> None:
    descriptor = draft.find_descriptor(event.pid, effect.fd)
    if descriptor is not None:
        table = draft.ensure_process(event.pid).table
        draft.store_descriptor(table, replace(descriptor, cloexec=effect.cloexec))
        draft.note_change(DescriptorPart(table, effect.fd))


def _apply_status_flags(draft: Draft, event: Call, effect: StatusFlags) -> None:
    found = draft.find_description(event.pid, effect.fd)
    if found is not None:
        draft.store_description(replace(found, flags=effect.flags))
        draft.note_change(DescriptorPart(draft.ensure_process(event.pid).table, effect.fd))
        knowledge.apply_flags(draft, found.object, effect.flags)


def _apply_capacity(draft: Draft, event: Call, effect: Capacity) -> None:
    found = draft.objects.get(effect.object)
    if found is not None:
        draft.store_object(replace(found, info=replace(found.info, capacity=effect.capacity)))


def _apply_mapped(draft: Draft, event: Call, effect: Mapped) -> None:
    draft.ensure_object(effect.object, event.pid)
    entry = MapEntry(
        start=effect.start,
        length=effect.length,
        object=effect.object,
        offset=effect.offset,
        prot=effect.prot,
        shared=effect.shared,
    )
    # What was there before is replaced (MAP_FIXED); /proc lists mappings by address.
    entries = draft.mappings.get(event.pid, ())
    forget_range(draft, event.pid, effect.start, effect.length)
    draft.mappings = draft.mappings.set(
        event.pid, replace_mappings(entries, entry.start, entry.length, entry)
    )
    if effect.shared and ("w" in effect.prot or effect.object.kind != "file"):
        traffic.note_mapped(draft, event.pid, effect.object.key)
    draft.note_change(ObjectPart(effect.object.key))


def _apply_unmapped(draft: Draft, event: Call, effect: Unmapped) -> None:
    entries = draft.mappings.get(event.pid, ())
    forget_range(draft, event.pid, effect.start, effect.length)
    draft.mappings = draft.mappings.set(
        event.pid, replace_mappings(entries, effect.start, effect.length)
    )


def _apply_protected(draft: Draft, event: Call, effect: Protected) -> None:
    entries = protect_range(
        draft.mappings.get(event.pid, ()), effect.start, effect.length, effect.prot
    )
    forget_range(draft, event.pid, effect.start, effect.length)
    draft.mappings = draft.mappings.set(event.pid, join_mappings(entries))


def _apply_disposition(draft: Draft, event: Call, effect: Disposition) -> None:
    process = draft.ensure_process(event.pid)
    handling = process.handling
    if effect.action == "default":
        if effect.signo in handling:
            handling = handling.delete(effect.signo)
    else:
        handling = handling.set(
            effect.signo, Handling(action=effect.action, flags=effect.flags, mask=effect.mask)
        )
    draft.store_process(replace(process, handling=handling))
    draft.note_change(SignalPart(event.pid, effect.signo))


def _apply_mask(draft: Draft, event: Call, effect: Mask) -> None:
    draft.store_thread(replace(draft.ensure_thread(event.tid, event.pid), blocked=effect.blocked))


def _apply_sent(draft: Draft, event: Call, effect: Sent) -> None:
    apply_sent(draft, event.pid, effect, event.began)


def _apply_name_created(draft: Draft, event: Call, effect: NameCreated) -> None:
    """A name for the viewer; the object itself becomes known when somebody opens it.

    What was known by the inode of a FIFO that was just made is gone, and its name was removed
    unseen.
    """
    known = event.name.startswith("mknod") and effect.object in draft.objects
    if known and effect.object not in draft.ends:
        draft.objects = draft.objects.delete(effect.object)


def _apply_name_removed(draft: Draft, event: Call, effect: NameRemoved) -> None:
    found = draft.objects.get(effect.object)
    if found is not None:
        draft.store_object(replace(found, unlinked=True))
        forget_queue(draft, effect.object)
    semaphores.apply_name_removed(draft, effect.path)
    sockets.apply_name_removed(draft, effect.path)


def _apply_timer(draft: Draft, event: Call, effect: Timer) -> None:
    key = (event.pid, POSIX + effect.id if effect.id >= 0 else effect.signo)
    known = draft.timers.get(key)
    signo = effect.signo or (known.signo if known is not None else 0)
    if effect.change == "removed" or (
        effect.change == "set" and effect.seconds <= 0 and effect.id < 0
    ):
        if known is not None:
            draft.timers = draft.timers.delete(key)
            end_timer(draft, key, known, cancelled=True)
    else:
        clock = effect.clock or (known.clock if known is not None else "")
        timer = ArmedTimer(
            signo=signo,
            due=effect.seconds if clock else event.t + effect.seconds,
            interval=effect.interval,
            id=effect.id,
            clock=clock,
            armed=effect.seconds > 0,
            since=event.t,
            step=draft.step,
        )
        draft.timers = draft.timers.set(key, timer)
        if timer.armed:
            forget_past_timer(draft, key)
        elif known is not None:
            end_timer(draft, key, known, cancelled=True)
    draft.note_change(SignalPart(event.pid, signo))


def _apply_grouped(draft: Draft, event: Call, effect: Grouped) -> None:
    apply_group(draft, effect)


def _apply_subreaper(draft: Draft, event: Call, effect: Subreaper) -> None:
    draft.store_process(replace(draft.ensure_process(event.pid), subreaper=effect.enabled))


def _apply_death_signal(draft: Draft, event: Call, effect: DeathSignal) -> None:
    draft.store_process(replace(draft.ensure_process(event.pid), death_signal=effect.signo))


def _apply_uses(draft: Draft, event: Call, effect: Uses) -> None:
    draft.ensure_object(effect.object, event.pid)
    note_use(draft, event.pid, effect.object.key)


def _apply_locks(draft: Draft, event: Call, effect: Locks) -> None:
    apply_locks(draft, ObjectLocks(object=effect.object, locks=effect.locks))


def _apply_working_directory(draft: Draft, event: Call, effect: WorkingDirectory) -> None:
    """Said in the log; no part of the state depends on it."""


Appliers = dict[str, tuple[Callable[[Draft, Call], None], ...]]

_MOVING: Final = _by_name(
    (READS | WRITES, _mark_used),
    (CHANNEL_CALLS, ledger.apply_call),
    (READS, _count_read),
    (WRITES - EITHER_WAY, _count_written),
    (EITHER_WAY, _count_either_way),
    (MOVES, _count_transferred),
    (SENDS | (RECEIVES - READS), _count_message),
    (COUNTS_MESSAGES, _count_messages),
    (frozenset({"getdents64"}), apply_listing),
)
"""What calls that return have moved, by their names."""

_FOLLOWING: Final = _by_name(
    (frozenset({"shutdown"}), sockets.apply_shutdown),
    (frozenset({"setsockopt"}), sockets.apply_option),
    (CHANGES_SEMAPHORES | {"semctl"}, semaphores.apply_call),
    (MOVES_OFFSET, apply_offset),
    (frozenset({"io_uring_setup"}), _set_up_ring),
)
"""What calls have changed besides their effects, by their names."""

_APPLY: Final[dict[type, Callable[[Draft, Call, Any], None]]] = {
    Opened: _apply_opened,
    Passed: _apply_passed,
    Identified: _apply_identified,
    Duplicated: _apply_duplicated,
    Closed: _apply_closed,
    CloseOnExec: _apply_close_on_exec,
    StatusFlags: _apply_status_flags,
    Capacity: _apply_capacity,
    Mapped: _apply_mapped,
    Unmapped: _apply_unmapped,
    Protected: _apply_protected,
    Disposition: _apply_disposition,
    Mask: _apply_mask,
    Sent: _apply_sent,
    NameCreated: _apply_name_created,
    NameRemoved: _apply_name_removed,
    Filed: apply_filed,
    Grouped: _apply_grouped,
    Subreaper: _apply_subreaper,
    DeathSignal: _apply_death_signal,
    Taken: apply_taken,
    Timer: _apply_timer,
    Locks: _apply_locks,
    Uses: _apply_uses,
    WorkingDirectory: _apply_working_directory,
}
