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
from ipcviz.events.calls import COUNTS_MESSAGES, MOVES, READS, WRITES, where
from ipcviz.model.draft import Draft
from ipcviz.model.ledger import knowledge, ledger
from ipcviz.model.ledger.directions import EITHER_WAY, takes_out
from ipcviz.model.mechanisms import datagrams, semaphores, sockets
from ipcviz.model.mechanisms.families import take_group
from ipcviz.model.mechanisms.folders import forget_reused, take_filed, take_listing, take_opening
from ipcviz.model.mechanisms.locks import take_locks
from ipcviz.model.mechanisms.memory import forget_range, joined, protected, put
from ipcviz.model.mechanisms.offsets import take_offset
from ipcviz.model.mechanisms.queues import RECEIVES, SENDS, forget_queue, message_bytes, take_use
from ipcviz.model.mechanisms.signals import back_to_own_mask, take_sent, take_taken
from ipcviz.model.parts import DescriptorPart, ObjectPart, SignalPart
from ipcviz.model.state import (
    NO_DESCRIPTORS,
    POSIX,
    ArmedTimer,
    Descriptor,
    Handling,
    OpenFile,
    Process,
)

replace = msgspec.structs.replace


_RECEIVE_DESCRIPTORS: Final = where(lambda call: call.descriptors == "received")


def asked_nothing(event: Call) -> bool:
    """Whether a call was to move no bytes: that it moved none is no end of file (read(2))."""
    return event.ret == 0 and event.args.get("count", event.args.get("len")) == 0


def take_call(draft: Draft, event: Call) -> None:
    """A call returned: its thread runs, its bytes moved, its effects happened."""
    process = draft.process(event.pid)
    draft.put_process(replace(process, calls=process.calls + 1))
    thread = draft.thread(event.tid, event.pid)
    if (
        thread.waiting is not None
        or thread.state != "R"
        or (thread.semaphore and event.name != "futex")
    ):
        # A futex call that returned may be followed by another: sem_wait is over when the tracer
        # says so.
        semaphore = thread.semaphore if event.name == "futex" else ""
        thread = back_to_own_mask(thread)
        draft.put_thread(replace(thread, state="R", waiting=None, semaphore=semaphore, wchan=""))
    fd = event.fd
    reads, writes = event.name in READS, event.name in WRITES
    if writes and event.name in EITHER_WAY:
        reads = takes_out(draft, event.pid, event.name, event.args)
        writes = not reads
    if fd is not None and (reads or writes):
        _use(draft, process.table, fd, moved=event.ret > 0, out=reads)
    ledger.take_call(draft, event)
    peeked = event.has_flag("MSG_PEEK")
    if event.ret > 0 and not event.error and not peeked:
        if reads:
            _moved(draft, event.object, event.pid, event.ret, out=True)
            if event.object in draft.datagrams:
                datagrams.take_received(draft, event)
        elif writes:
            _moved(draft, event.object, event.pid, event.ret, out=False)
            sockets.take_sent(draft, event, event.ret)
        elif event.name in MOVES:
            for name, out in (("fd_in", True), ("fd_out", False)):
                number = event.number(name)
                if number is not None:
                    _use(draft, process.table, number, moved=True, out=out)
                    if out and event.name == "tee":
                        continue
                    _moved(
                        draft,
                        _object_behind(draft, process.table, number),
                        event.pid,
                        event.ret,
                        out=out,
                    )
    if event.name in SENDS or (event.name in RECEIVES and event.name not in READS):
        take_use(draft, event.pid, event.object)
        _moved(draft, event.object, event.pid, message_bytes(event), out=event.name in RECEIVES)
    elif event.name == "getdents64":
        take_listing(draft, event)
    elif event.name in COUNTS_MESSAGES and not event.error:
        moved = event.number("bytes")
        if fd is not None and moved is not None:
            out = event.name == "recvmmsg"
            _use(draft, process.table, fd, moved=bool(moved), out=out)
            _moved(draft, event.object, event.pid, 0 if peeked else moved, out=out)
            if not out:
                sockets.take_sent(draft, event, moved)
    for effect in event.effects:
        _TAKE[type(effect)](draft, event, effect)
    if event.object in draft.flights:
        sockets.take_received(draft, event)
    if event.name == "shutdown":
        sockets.take_shutdown(draft, event)
    elif event.name == "setsockopt":
        sockets.take_option(draft, event)
    semaphores.take_call(draft, event)
    take_offset(draft, event)
    if event.name == "io_uring_setup" and not event.error:
        knowledge.take_ring(draft, event.pid)


def _object_behind(draft: Draft, table: int, fd: int) -> str:
    rows = draft.tables.get(table)
    descriptor = rows.get(fd) if rows is not None else None
    found = draft.open_files.get(descriptor.ofd) if descriptor else None
    return found.object if found else ""


def _use(draft: Draft, table: int, fd: int, *, moved: bool, out: bool) -> None:
    rows = draft.tables.get(table)
    descriptor = rows.get(fd) if rows is not None else None
    if rows is None or descriptor is None:
        return
    took, put = descriptor.took or (moved and out), descriptor.put or (moved and not out)
    if not descriptor.used or took != descriptor.took or put != descriptor.put:
        draft.tables = draft.tables.set(
            table, rows.set(fd, replace(descriptor, used=True, took=took, put=put))
        )


def _moved(draft: Draft, key: str, pid: int, count: int, *, out: bool) -> None:
    found = draft.objects.get(key)
    if found is None:
        return
    if out:
        draft.put_object(replace(found, bytes_out=found.bytes_out + count, last_reader=pid))
    else:
        draft.put_object(replace(found, bytes_in=found.bytes_in + count, last_writer=pid))


def take_sampled_bytes(draft: Draft, process: Process, now: ProcessSample) -> None:
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
                _moved(draft, keys.pop(), process.pid, count, out=out)


def _used_objects(draft: Draft, process: Process, *, out: bool) -> set[str]:
    keys = set()
    for descriptor in draft.tables.get(process.table, NO_DESCRIPTORS).values():
        found = draft.open_files.get(descriptor.ofd)
        if (
            descriptor.used
            and found is not None
            and found.mode in (("r", "rw") if out else ("w", "rw"))
        ):
            keys.add(found.object)
    return keys


def _opened(draft: Draft, event: Call, effect: Opened) -> None:
    forget_reused(draft, effect)
    draft.object(effect.object, event.pid)
    known = draft.open_files.get(effect.ofd)
    received = event.name in _RECEIVE_DESCRIPTORS
    if known is None:
        draft.put_open_file(
            OpenFile(
                ofd=effect.ofd,
                object=effect.object.key,
                mode=effect.mode,
                flags=effect.flags,
                opened_by=event.pid,
                outside=received,
            )
        )
    how = "opened"
    if received:
        through = draft.objects.get(event.object)
        how = f"received over {through.label}" if through is not None else "received"
        flight = sockets.sender_of(draft, event, effect.ofd)
        sender = draft.processes.get(flight.pid) if flight is not None else None
        if sender is not None:
            how += f" from {sender.name}[{sender.pid}]"
    draft.place(
        draft.process(event.pid).table,
        Descriptor(fd=effect.fd, ofd=effect.ofd, cloexec=effect.cloexec, how=how, since=event.t),
    )
    knowledge.take_opened(draft, event, effect)
    take_opening(draft, event, effect)


def _passed(draft: Draft, event: Call, effect: Passed) -> None:
    sockets.take_passed(draft, event, effect)


def _identified(draft: Draft, event: Call, effect: Identified) -> None:
    draft.object(effect.object, event.pid)


def _duplicated(draft: Draft, event: Call, effect: Duplicated) -> None:
    table = draft.process(event.pid).table
    rows = draft.tables.get(table)
    source = rows.get(effect.source) if rows is not None else None
    if source is None:
        return
    if effect.fd == effect.source:
        return
    draft.place(
        table,
        Descriptor(
            fd=effect.fd,
            ofd=source.ofd,
            cloexec=effect.cloexec,
            how=f"dup of {effect.source}",
            since=event.t,
        ),
    )


def _closed(draft: Draft, event: Call, effect: Closed) -> None:
    draft.remove(draft.process(event.pid).table, effect.fd)


def _close_on_exec(draft: Draft, event: Call, effect: CloseOnExec) -> None:
    table = draft.process(event.pid).table
    rows = draft.tables.get(table)
    if rows is not None and effect.fd in rows:
        draft.tables = draft.tables.set(
            table, rows.set(effect.fd, replace(rows[effect.fd], cloexec=effect.cloexec))
        )
        draft.note(DescriptorPart(table, effect.fd))


def _status_flags(draft: Draft, event: Call, effect: StatusFlags) -> None:
    table = draft.process(event.pid).table
    rows = draft.tables.get(table)
    descriptor = rows.get(effect.fd) if rows is not None else None
    found = draft.open_files.get(descriptor.ofd) if descriptor else None
    if found is not None:
        draft.put_open_file(replace(found, flags=effect.flags))
        draft.note(DescriptorPart(table, effect.fd))
        knowledge.take_flags(draft, found.object, effect.flags)


def _capacity(draft: Draft, event: Call, effect: Capacity) -> None:
    found = draft.objects.get(effect.object)
    if found is not None:
        draft.put_object(replace(found, info=replace(found.info, capacity=effect.capacity)))


def _mapped(draft: Draft, event: Call, effect: Mapped) -> None:
    draft.object(effect.object, event.pid)
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
    draft.mappings = draft.mappings.set(event.pid, put(entries, entry.start, entry.length, entry))
    draft.note(ObjectPart(effect.object.key))


def _unmapped(draft: Draft, event: Call, effect: Unmapped) -> None:
    entries = draft.mappings.get(event.pid, ())
    forget_range(draft, event.pid, effect.start, effect.length)
    draft.mappings = draft.mappings.set(event.pid, put(entries, effect.start, effect.length))


def _protected(draft: Draft, event: Call, effect: Protected) -> None:
    entries = protected(draft.mappings.get(event.pid, ()), effect.start, effect.length, effect.prot)
    forget_range(draft, event.pid, effect.start, effect.length)
    draft.mappings = draft.mappings.set(event.pid, joined(entries))


def _disposition(draft: Draft, event: Call, effect: Disposition) -> None:
    process = draft.process(event.pid)
    handling = process.handling
    if effect.action == "default":
        if effect.signo in handling:
            handling = handling.delete(effect.signo)
    else:
        handling = handling.set(
            effect.signo, Handling(action=effect.action, flags=effect.flags, mask=effect.mask)
        )
    draft.put_process(replace(process, handling=handling))
    draft.note(SignalPart(event.pid, effect.signo))


def _mask(draft: Draft, event: Call, effect: Mask) -> None:
    draft.put_thread(replace(draft.thread(event.tid, event.pid), blocked=effect.blocked))


def _sent(draft: Draft, event: Call, effect: Sent) -> None:
    take_sent(draft, event.pid, effect, event.began)


def _name_created(draft: Draft, event: Call, effect: NameCreated) -> None:
    """A name for the viewer; the object itself becomes known when somebody opens it.

    What was known by the inode of a FIFO that was just made is gone, and its name was removed
    unseen.
    """
    known = event.name.startswith("mknod") and effect.object in draft.objects
    if known and effect.object not in draft.ends:
        draft.objects = draft.objects.delete(effect.object)


def _name_removed(draft: Draft, event: Call, effect: NameRemoved) -> None:
    found = draft.objects.get(effect.object)
    if found is not None:
        draft.put_object(replace(found, unlinked=True))
        forget_queue(draft, effect.object)


def _timer(draft: Draft, event: Call, effect: Timer) -> None:
    key = (event.pid, POSIX + effect.id if effect.id >= 0 else effect.signo)
    known = draft.timers.get(key)
    signo = effect.signo or (known.signo if known is not None else 0)
    if effect.change == "removed" or (
        effect.change == "set" and effect.seconds <= 0 and effect.id < 0
    ):
        if known is not None:
            draft.timers = draft.timers.delete(key)
    else:
        clock = effect.clock or (known.clock if known is not None else "")
        timer = ArmedTimer(
            signo=signo,
            due=effect.seconds if clock else event.t + effect.seconds,
            interval=effect.interval,
            id=effect.id,
            clock=clock,
            armed=effect.seconds > 0,
        )
        draft.timers = draft.timers.set(key, timer)
    draft.note(SignalPart(event.pid, signo))


def _grouped(draft: Draft, event: Call, effect: Grouped) -> None:
    take_group(draft, effect)


def _subreaper(draft: Draft, event: Call, effect: Subreaper) -> None:
    draft.put_process(replace(draft.process(event.pid), subreaper=effect.enabled))


def _death_signal(draft: Draft, event: Call, effect: DeathSignal) -> None:
    draft.put_process(replace(draft.process(event.pid), death_signal=effect.signo))


def _uses(draft: Draft, event: Call, effect: Uses) -> None:
    draft.object(effect.object, event.pid)
    take_use(draft, event.pid, effect.object.key)


def _locks(draft: Draft, event: Call, effect: Locks) -> None:
    take_locks(draft, ObjectLocks(object=effect.object, locks=effect.locks))


def _working_directory(draft: Draft, event: Call, effect: WorkingDirectory) -> None:
    """Said in the log; no part of the state depends on it."""


_TAKE: Final[dict[type, Callable[[Draft, Call, Any], None]]] = {
    Opened: _opened,
    Passed: _passed,
    Identified: _identified,
    Duplicated: _duplicated,
    Closed: _closed,
    CloseOnExec: _close_on_exec,
    StatusFlags: _status_flags,
    Capacity: _capacity,
    Mapped: _mapped,
    Unmapped: _unmapped,
    Protected: _protected,
    Disposition: _disposition,
    Mask: _mask,
    Sent: _sent,
    NameCreated: _name_created,
    NameRemoved: _name_removed,
    Filed: take_filed,
    Grouped: _grouped,
    Subreaper: _subreaper,
    DeathSignal: _death_signal,
    Taken: take_taken,
    Timer: _timer,
    Locks: _locks,
    Uses: _uses,
    WorkingDirectory: _working_directory,
}
