"""What a returned system call changed: from its arguments, its result and a look at /proc, the
effects.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

import msgspec

from ipcviz.events import (
    AnyEffect,
    Capacity,
    Closed,
    CloseOnExec,
    DeathSignal,
    Duplicated,
    Filed,
    Grouped,
    Identified,
    Mapped,
    Mask,
    NameCreated,
    NameRemoved,
    ObjectInfo,
    Opened,
    Passed,
    Protected,
    Sent,
    StatusFlags,
    Subreaper,
    TableEntry,
    Timer,
    Unmapped,
    Uses,
    WorkingDirectory,
)
from ipcviz.events.arguments import text_in
from ipcviz.kernel import descriptors, maps, memory, procfs, ptrace, queues
from ipcviz.kernel.names import AT_FDCWD, folder_of, key_of
from ipcviz.kernel.surroundings import read_timers
from ipcviz.tracer.calls import table as calls
from ipcviz.tracer.calls.decode import read_disposition, read_itimer
from ipcviz.tracer.calls.flags import Word
from ipcviz.tracer.calls.messages import MessageHeader, facts_of, taken_from

SIGALRM: Final = 14
_ITIMER_SIGNALS: Final = {0: 14, 1: 26, 2: 27}


_SIGEV_NONE: Final = 1
_PIDFD_SIGNAL_PROCESS_GROUP: Final = 4
"""linux/pidfd.h"""
_TIMER_ABSTIME: Final = 1
CPU_TIME: Final = "CPU time"


def _cpu_clock(clock: int) -> str:
    """`CPU time` for clocks that count that (clock_getres(2)): the fixed ones, and those made of a
    negated pid.
    """
    number = clock & 0xFFFFFFFF
    return CPU_TIME if number in (2, 3) or number >> 31 else ""


class Returned(NamedTuple):
    """A call that returned without an error.

    Attributes:
        pid: The process.
        tid: The thread, which is stopped.
        name: The call.
        raw: Its argument registers.
        args: Its arguments decoded.
        result: What it returned.
        object: Key of the object behind its descriptor argument, if it has one.
        messages: What it sent or received by struct msghdr.
    """

    pid: int
    tid: int
    name: str
    raw: tuple[int, ...]
    args: dict[str, Word]
    result: int
    object: str = ""
    messages: tuple[MessageHeader, ...] = ()


class Effects:
    """Reads what a call changed.

    Args:
        next_ofd: Gives the next free number for an open file description.
        object_of: Key of the object behind a process's descriptor, as the state has it.
        table_numbers: The numbers in a process's descriptor table, as the state has it.
        same_as: Number of the known open file description behind a process's descriptor of that
            object; 0 if it is none of those.
        under_way: Numbers and objects of the open file descriptions that wait in a socket, those
            sent first first.
        is_unbound: Whether a UDP socket, by its key, has no address that is known.
        is_shared: Whether others can see the bytes of a file, by its key: then a private mapping of
            it matters.
        length_at: Bytes of a process's known mapping that begins at an address; 0 if none does.
    """

    def __init__(
        self,
        next_ofd: Callable[[], int],
        object_of: Callable[[int, int], str],
        table_numbers: Callable[[int], tuple[int, ...]],
        same_as: Callable[[int, int, str], int],
        under_way: Callable[[str], tuple[tuple[int, str], ...]],
        is_unbound: Callable[[str], bool],
        is_shared: Callable[[str], bool],
        length_at: Callable[[int, int], int],
    ) -> None:
        self._next_ofd = next_ofd
        self._object_of = object_of
        self._table_numbers = table_numbers
        self._same_as = same_as
        self._under_way = under_way
        self._is_unbound = is_unbound
        self._is_shared = is_shared
        self._length_at = length_at

    def read_effects(self, call: Returned) -> tuple[AnyEffect, ...]:
        """The effects of a call, in the order in which they happened."""
        reader = _READERS.get(call.name)
        if reader is not None:
            return tuple(reader(self, call))
        if call.name in calls.NEW_DESCRIPTOR:
            return tuple(self._read_opened(call, call.result))
        return ()

    def read_addressed(
        self, pid: int, tid: int, name: str, raw: tuple[int, ...], args: dict[str, Word]
    ) -> tuple[AnyEffect, ...]:
        """The effects of a sendto or recvfrom with an address: a socket that is not bound is so
        after its first.
        """
        if name == "recvfrom":
            args.update(facts_of(tid, name, raw))
            return ()
        unbound = self._is_unbound(self._object_of(pid, _number_in(args, "fd")))
        return (
            tuple(self._read_identified(Returned(pid, tid, name, raw, args, 0))) if unbound else ()
        )

    def _read_listener(self, call: Returned) -> Iterator[AnyEffect]:
        """seccomp(2), which returns a descriptor only if it is asked for one."""
        if call.raw[1] & calls.SECCOMP_FILTER_FLAG_NEW_LISTENER:
            yield from self._read_opened(call, call.result)

    def _read_opened(
        self, call: Returned, fd: int, under_way: list[tuple[int, str]] | None = None
    ) -> Iterator[AnyEffect]:
        """A new open file description behind `fd`; perhaps one that is known, if there is a list of
        those under way.
        """
        entry = descriptors.read_entry(
            call.pid, fd, self._next_ofd(), calls.find_open_flags(call.name, call.raw)
        )
        if entry is None:
            entry = TableEntry(
                fd=fd, ofd=self._next_ofd(), object=_build_unreadable(call.pid, fd), mode="rw"
            )
        thing, known = entry.object, 0
        if under_way is not None:
            known = self._same_as(call.pid, fd, thing.key) or taken_from(under_way, thing.key)
            if known and thing.key.startswith("anon:"):
                thing = msgspec.structs.replace(thing, key=f"anon:{known}")
        yield Opened(
            fd=fd,
            ofd=known or entry.ofd,
            object=thing,
            mode=entry.mode,
            flags=entry.flags,
            cloexec=entry.cloexec,
        )

    def _read_borrowed(self, call: Returned) -> Iterator[AnyEffect]:
        yield from self._read_opened(call, call.result, [])

    def _read_pair(self, call: Returned) -> Iterator[AnyEffect]:
        index = 3 if call.name == "socketpair" else 0
        raw = memory.read_bytes(call.tid, call.raw[index], 8)
        if raw is None or len(raw) < 8:
            return
        for fd in struct.unpack("=ii", raw):
            yield from self._read_opened(call, fd)

    def _read_close(self, call: Returned) -> Iterator[AnyEffect]:
        yield Closed(fd=_get_number(call, "fd"))

    def _read_close_range(self, call: Returned) -> Iterator[AnyEffect]:
        first, last, flags = call.raw[0] & 0xFFFFFFFF, call.raw[1] & 0xFFFFFFFF, call.raw[2]
        for fd in self._table_numbers(call.pid):
            if first <= fd <= last:
                yield CloseOnExec(fd=fd, cloexec=True) if flags & 4 else Closed(fd=fd)

    def _read_dup(self, call: Returned) -> Iterator[AnyEffect]:
        cloexec = call.name == "dup3" and bool(call.raw[2] & os.O_CLOEXEC)
        yield Duplicated(fd=call.result, source=_get_number(call, "fd"), cloexec=cloexec)

    def _read_fcntl(self, call: Returned) -> Iterator[AnyEffect]:
        fd, command, argument = _get_number(call, "fd"), call.raw[1], call.raw[2]
        if command in (calls.F_DUPFD, calls.F_DUPFD_CLOEXEC):
            yield Duplicated(fd=call.result, source=fd, cloexec=command == calls.F_DUPFD_CLOEXEC)
        elif command == calls.F_SETFD:
            yield CloseOnExec(fd=fd, cloexec=bool(argument & 1))
        elif command == calls.F_SETFL:
            yield from self._read_status(call, fd)
        elif command == calls.F_SETPIPE_SZ:
            yield Capacity(object=self._object_of(call.pid, fd), capacity=call.result)

    def _read_status(self, call: Returned, fd: int) -> Iterator[AnyEffect]:
        entry = descriptors.read_entry(call.pid, fd, 0)
        if entry is not None:
            yield StatusFlags(fd=fd, flags=entry.flags)

    def _read_ioctl(self, call: Returned) -> Iterator[AnyEffect]:
        fd, request = _get_number(call, "fd"), call.raw[1] & 0xFFFFFFFF
        if request == calls.FIONBIO:
            yield from self._read_status(call, fd)
        elif request in (calls.TIOCSCTTY, calls.TIOCSPGRP, calls.TIOCNOTTY):
            yield from self._read_groups(call)
        elif request in (calls.FIOCLEX, calls.FIONCLEX):
            yield CloseOnExec(fd=fd, cloexec=request == calls.FIOCLEX)

    def _read_mq_attributes(self, call: Returned) -> Iterator[AnyEffect]:
        yield from self._read_status(call, _get_number(call, "fd"))

    def _read_signalfd(self, call: Returned) -> Iterator[AnyEffect]:
        if _get_number(call, "fd") == -1:
            yield from self._read_opened(call, call.result)

    def _read_received(self, call: Returned) -> Iterator[AnyEffect]:
        """Descriptors that came by SCM_RIGHTS: only the message may have had them open any more."""
        under_way = list(self._under_way(call.object))
        for fd in (fd for message in call.messages for fd in message.descriptors):
            yield from self._read_opened(call, fd, under_way)

    def _read_passed(self, call: Returned) -> Iterator[AnyEffect]:
        for message in call.messages:
            if message.descriptors:
                yield Passed(fds=message.descriptors, to=message.address)

    def _read_new_name(self, call: Returned) -> Iterator[AnyEffect]:
        mode = call.args.get("mode", "")
        if isinstance(mode, str) and mode.startswith("S_IFIFO"):
            path = str(call.args["path"])
            yield NameCreated(
                path=path, object=key_of(call.pid, path, call.args.get("dirfd", AT_FDCWD))
            )

    def _read_bind(self, call: Returned) -> Iterator[AnyEffect]:
        yield NameCreated(
            path=str(call.args["address"]),
            object=self._object_of(call.pid, _get_number(call, "fd")),
        )
        yield from self._read_identified(call)

    def _read_identified(self, call: Returned) -> Iterator[AnyEffect]:
        """A socket after a call that changes its state, its name or its peer."""
        found = descriptors.read_entry(call.pid, _get_number(call, "fd"), 0)
        if found is not None and not found.object.key.startswith("anon:"):
            yield Identified(object=found.object)

    def _read_mmap(self, call: Returned) -> Iterator[AnyEffect]:
        shared = bool(call.raw[3] & calls.MAP_SHARED)
        if not shared and not self._is_shared(self._object_of(call.pid, _get_number(call, "fd"))):
            if call.raw[3] & calls.MAP_FIXED:
                yield Unmapped(start=call.result, length=_whole_pages(call.raw[1]))
            return
        found = _mapping_at(call.pid, call.result, call.raw[1], _get_number(call, "fd"))
        if found is not None:
            yield found

    def _read_munmap(self, call: Returned) -> Iterator[AnyEffect]:
        yield Unmapped(start=call.raw[0], length=_whole_pages(call.raw[1]))

    def _read_mprotect(self, call: Returned) -> Iterator[AnyEffect]:
        prot = "".join(
            letter if call.raw[2] & bit else "-" for bit, letter in ((1, "r"), (2, "w"), (4, "x"))
        )
        yield Protected(start=call.raw[0], length=_whole_pages(call.raw[1]), prot=prot)

    def _read_mremap(self, call: Returned) -> Iterator[AnyEffect]:
        if not call.raw[3] & calls.MREMAP_DONTUNMAP:
            yield Unmapped(start=call.raw[0], length=_whole_pages(call.raw[1]))
        found = _mapping_at(call.pid, call.result)
        if found is not None:
            yield found

    def _read_shmdt(self, call: Returned) -> Iterator[AnyEffect]:
        length = self._length_at(call.pid, call.raw[0])
        if length:
            yield Unmapped(start=call.raw[0], length=length)

    def _read_shmat(self, call: Returned) -> Iterator[AnyEffect]:
        found = _mapping_at(call.pid, call.result)
        if found is not None:
            yield found

    def _read_msgget(self, call: Returned) -> Iterator[AnyEffect]:
        if procfs.same_namespace(call.pid, "ipc"):
            yield Uses(object=queues.identify_queue(call.result, call.raw[0] & 0xFFFFFFFF))

    def _read_msgctl(self, call: Returned) -> Iterator[AnyEffect]:
        if call.args.get("cmd") == "IPC_RMID" and procfs.same_namespace(call.pid, "ipc"):
            yield NameRemoved(
                path=f"msg {_get_number(call, 'id')}", object=f"msg:{_get_number(call, 'id')}"
            )

    def _read_watch(self, call: Returned) -> Iterator[AnyEffect]:
        folder, _ = folder_of(call.pid, f"{call.args.get('path', '')}/")
        if folder:
            yield Filed(action="watched", folder=folder)

    def _read_sigaction(self, call: Returned) -> Iterator[AnyEffect]:
        found = read_disposition(call.tid, call.raw[0] & 0xFF, call.raw[1])
        if found is not None:
            yield found

    def _read_mask(self, call: Returned) -> Iterator[AnyEffect]:
        mask = ptrace.get_mask(call.tid)
        if mask is not None:
            yield Mask(blocked=mask)

    def _read_kill(self, call: Returned) -> Iterator[AnyEffect]:
        signo = call.raw[1] & 0xFFFFFFFF
        if signo and isinstance(call.args.get("pid"), int):
            yield Sent(
                target=_get_number(call, "pid"), signo=signo, value=_read_queued_value(call, 2)
            )

    def _read_tkill(self, call: Returned) -> Iterator[AnyEffect]:
        signo = call.raw[1] & 0xFFFFFFFF
        tid = _get_number(call, "tid")
        if signo and tid > 0:
            yield Sent(target=_group_of(tid), tid=tid, signo=signo)

    def _read_tgkill(self, call: Returned) -> Iterator[AnyEffect]:
        signo = call.raw[2] & 0xFFFFFFFF
        if signo and isinstance(call.args.get("pid"), int):
            yield Sent(
                target=_get_number(call, "pid"),
                tid=_get_number(call, "tid"),
                signo=signo,
                value=_read_queued_value(call, 3),
            )

    def _read_pidfd_send(self, call: Returned) -> Iterator[AnyEffect]:
        facts = procfs.read_fdinfo(call.pid, _get_number(call, "pidfd"))
        lines = facts.extra.get("Pid", ()) if facts is not None else ()
        signo, pid = call.raw[1] & 0xFFFFFFFF, int(lines[0]) if lines else -1
        if signo and pid > 0:
            target = -pid if call.raw[3] & _PIDFD_SIGNAL_PROCESS_GROUP else _group_of(pid)
            yield Sent(target=target, tid=pid if pid != target > 0 else 0, signo=signo)

    def _read_alarm(self, call: Returned) -> Iterator[AnyEffect]:
        yield Timer(signo=SIGALRM, seconds=float(call.raw[0] & 0xFFFFFFFF))

    def _read_setitimer(self, call: Returned) -> Iterator[AnyEffect]:
        signo = _ITIMER_SIGNALS.get(call.raw[0] & 0xFFFFFFFF)
        times = read_itimer(call.tid, call.raw[1], 1e6)
        if signo and times is not None:
            clock = "" if signo == SIGALRM else CPU_TIME
            yield Timer(signo=signo, seconds=times[1], interval=times[0], clock=clock)

    def _read_groups(self, call: Returned) -> Iterator[AnyEffect]:
        """The caller's groups as /proc has them now, or those of the process that setpgid(2)
        named.
        """
        pid = _get_number(call, "pid") if call.name == "setpgid" else 0
        found = procfs.read_stat(pid if pid > 0 else call.pid)
        if found is not None:
            yield Grouped(
                pid=found.pid,
                pgrp=found.pgrp,
                session=found.session,
                tty=found.tty,
                foreground=max(found.tpgid, 0),
            )

    def _read_prctl(self, call: Returned) -> Iterator[AnyEffect]:
        option = call.raw[0] & 0xFFFFFFFF
        if option == calls.PR_SET_CHILD_SUBREAPER:
            yield Subreaper(enabled=bool(call.raw[1]))
        elif option == calls.PR_SET_PDEATHSIG:
            yield DeathSignal(signo=call.raw[1] & 0xFFFFFFFF)

    def _read_timer_create(self, call: Returned) -> Iterator[AnyEffect]:
        """Struct sigevent: value, signal, how to notify. A null pointer means SIGALRM."""
        number = memory.read_bytes(call.tid, call.raw[2], 4)
        event = (
            memory.read_bytes(call.tid, call.raw[1], 16)
            if call.raw[1]
            else struct.pack("=Qii", 0, SIGALRM, 0)
        )
        if number is None or len(number) < 4 or event is None or len(event) < 16:
            return
        _, signo, how = struct.unpack("=Qii", event)
        clock = _cpu_clock(call.raw[0])
        signo = 0 if how == _SIGEV_NONE else signo
        yield Timer(
            signo=signo,
            seconds=0.0,
            id=int.from_bytes(number, "little"),
            clock=clock,
            change="made",
        )

    def _read_timer_settime(self, call: Returned) -> Iterator[AnyEffect]:
        times = read_itimer(call.tid, call.raw[2], 1e9)
        if times is None:
            return
        interval, seconds = times
        number = call.raw[0] & 0xFFFFFFFF
        if call.raw[1] & _TIMER_ABSTIME and seconds:
            left = self._find_time_left(call.pid, number, seconds)
            seconds = left if left is not None else seconds
        yield Timer(signo=0, seconds=seconds, interval=interval, id=number)

    @staticmethod
    def _find_time_left(pid: int, number: int, moment: float) -> float | None:
        """Seconds until a moment of a timer's clock, where that runs alike for all processes."""
        name = next((timer.clock for timer in read_timers(pid) if timer.id == number), "")
        clock = getattr(time, name, None)
        return (
            max(moment - time.clock_gettime(clock), 1e-9)
            if clock is not None and "CPU" not in name
            else None
        )

    def _read_timer_delete(self, call: Returned) -> Iterator[AnyEffect]:
        yield Timer(signo=0, seconds=0.0, id=call.raw[0] & 0xFFFFFFFF, change="removed")

    def _read_chdir(self, call: Returned) -> Iterator[AnyEffect]:
        yield WorkingDirectory(path=procfs.read_cwd(call.pid) or text_in(call.args, "path"))


def _get_number(call: Returned, name: str) -> int:
    return _number_in(call.args, name)


def _number_in(args: dict[str, Word], name: str) -> int:
    value = args.get(name, -1)
    return value if isinstance(value, int) else -1


def _read_queued_value(call: Returned, argument: int) -> int:
    """The value that a signal takes with it: si_value of the siginfo_t that rt_sigqueueinfo(2) is
    given.
    """
    found = (
        memory.read_bytes(call.tid, call.raw[argument] + 24, 8)
        if "queueinfo" in call.name
        else None
    )
    return (
        int.from_bytes(found, "little", signed=True) if found is not None and len(found) == 8 else 0
    )


def _build_unreadable(pid: int, fd: int) -> ObjectInfo:
    return ObjectInfo(key=f"unreadable:{pid}:{fd}", kind="unknown", path="[unreadable]")


def _group_of(tid: int) -> int:
    status = procfs.read_status(tid)
    return status.tgid if status is not None else tid


def _whole_pages(length: int) -> int:
    return (length + memory.PAGE_SIZE - 1) // memory.PAGE_SIZE * memory.PAGE_SIZE


def _mapping_at(pid: int, address: int, length: int = 0, fd: int = -1) -> Mapped | None:
    """What is mapped at an address: `length` bytes of it (0: all), as it was mapped through
    descriptor `fd`.

    The kernel shows neighbours that continue each other as one mapping.
    """
    line = maps.read_line(pid, address)
    if line is None:
        return None
    entry = maps.entry_of(line)
    if entry.object.key.startswith("shm:"):
        segment = queues.list_segments().get(entry.object.ino)
        size = segment.size if segment is not None else -1
    else:
        size = maps.object_size(pid, entry, [(pid, fd)] if fd >= 0 else ())
    start = address if length else entry.start
    return Mapped(
        start=start,
        length=_whole_pages(length) or entry.length,
        object=entry.object,
        offset=entry.offset + start - entry.start,
        prot=entry.prot,
        shared=entry.shared,
        size=size,
    )


_READERS: Final[dict[str, Callable[[Effects, Returned], Iterator[AnyEffect]]]] = {
    "pipe": Effects._read_pair,
    "pipe2": Effects._read_pair,
    "socketpair": Effects._read_pair,
    "close": Effects._read_close,
    "close_range": Effects._read_close_range,
    "dup": Effects._read_dup,
    "dup2": Effects._read_dup,
    "dup3": Effects._read_dup,
    "fcntl": Effects._read_fcntl,
    "ioctl": Effects._read_ioctl,
    "mq_getsetattr": Effects._read_mq_attributes,
    "signalfd": Effects._read_signalfd,
    "signalfd4": Effects._read_signalfd,
    "pidfd_getfd": Effects._read_borrowed,
    "seccomp": Effects._read_listener,
    "recvmsg": Effects._read_received,
    "recvmmsg": Effects._read_received,
    "sendmsg": Effects._read_passed,
    "sendmmsg": Effects._read_passed,
    "mknod": Effects._read_new_name,
    "mknodat": Effects._read_new_name,
    "bind": Effects._read_bind,
    "listen": Effects._read_identified,
    "connect": Effects._read_identified,
    "shutdown": Effects._read_identified,
    "mmap": Effects._read_mmap,
    "munmap": Effects._read_munmap,
    "mprotect": Effects._read_mprotect,
    "mremap": Effects._read_mremap,
    "shmat": Effects._read_shmat,
    "msgget": Effects._read_msgget,
    "msgctl": Effects._read_msgctl,
    "shmdt": Effects._read_shmdt,
    "rt_sigaction": Effects._read_sigaction,
    "rt_sigprocmask": Effects._read_mask,
    "kill": Effects._read_kill,
    "rt_sigqueueinfo": Effects._read_kill,
    "tkill": Effects._read_tkill,
    "pidfd_send_signal": Effects._read_pidfd_send,
    "tgkill": Effects._read_tgkill,
    "rt_tgsigqueueinfo": Effects._read_tgkill,
    "alarm": Effects._read_alarm,
    "setitimer": Effects._read_setitimer,
    "timer_create": Effects._read_timer_create,
    "timer_settime": Effects._read_timer_settime,
    "timer_delete": Effects._read_timer_delete,
    "setsid": Effects._read_groups,
    "setpgid": Effects._read_groups,
    "prctl": Effects._read_prctl,
    "inotify_add_watch": Effects._read_watch,
    "chdir": Effects._read_chdir,
    "fchdir": Effects._read_chdir,
}
