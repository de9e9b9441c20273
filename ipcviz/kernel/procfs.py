"""/proc/PID as values: stat, status, io, the call that a thread is inside, its descriptors' numbers
and facts.

Every reader gives None (or nothing) for a process that is gone or that we may not read: both are
normal life. They parse bytes read with one read(2) each, because a sampler calls them for every
thread many times a second. Sources: proc(5), the kernel's Documentation/filesystems/proc.rst.
Numbers are as in our own PID namespace.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

CHUNK: Final = 16384


def read_bytes(path: str, whole: bool = False, directory: int | None = None) -> bytes | None:
    """What a /proc file holds; None if it is not there or not ours to read.

    `whole` is for files of many records: the kernel may end any one read(2) of those early, so only
    an empty one is the end. Files of one record come with one read. With a descriptor of a
    `directory` the path begins there.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=directory)
    except OSError:
        return None
    try:
        data = os.read(fd, CHUNK)
        if not data or (len(data) < CHUNK and not whole):
            return data
        parts = [data]
        while data:
            data = os.read(fd, CHUNK)
            parts.append(data)
        return b"".join(parts)
    except OSError:
        # ESRCH: it ended between open and read.
        return None
    finally:
        os.close(fd)


def _read_link(path: str) -> str | None:
    try:
        return os.readlink(path)
    except OSError:
        return None


def decode_text(raw: bytes) -> str:
    """Bytes of /proc as text; what is not UTF-8 stays visible as escapes."""
    return raw.decode("utf-8", "surrogateescape")


class Stat(NamedTuple):
    """/proc/PID/stat, or that of one thread.

    Attributes:
        pid: The id in the first column.
        name: The command name (comm), at most 15 bytes.
        state: R, S, D, T (stopped), t (stopped by a tracer), Z, X, I.
        ppid: Parent.
        pgrp: Process group.
        session: Session.
        tty: Device number of the controlling terminal, 0 if it has none.
        tpgid: Foreground process group of that terminal, -1 if it has none.
        minflt: Minor faults.
        majflt: Major faults.
        utime: User time in clock ticks (sysconf(_SC_CLK_TCK), 100 a second).
        stime: System time in clock ticks.
        num_threads: Threads.
        starttime: Clock ticks after boot at which it started: with the pid, an identity that is not
            reused.
        rss: Resident pages, approximate (proc(5)).
        processor: The CPU that it ran on last.
        flags: The kernel's PF_* bits (linux/sched.h).
        exit_code: How a zombie ended, as wait(2) gives it; 0 while it lives or if we may not know.
    """

    pid: int
    name: str
    state: str
    ppid: int
    pgrp: int
    session: int
    tty: int
    tpgid: int
    minflt: int
    majflt: int
    utime: int
    stime: int
    num_threads: int
    starttime: int
    rss: int
    processor: int
    flags: int = 0
    exit_code: int = 0


PF_KTHREAD: Final = 0x00200000
PF_EXITING: Final = 0x4


def parse_stat(raw: bytes) -> Stat | None:
    """Parse a line of /proc/PID/stat; the name may itself hold blanks and parentheses."""
    opening, closing = raw.find(b"("), raw.rfind(b")")
    f = raw[closing + 2 :].split()
    if opening < 0 or closing < opening or len(f) < 37:
        return None
    return Stat(
        pid=int(raw[:opening]),
        name=decode_text(raw[opening + 1 : closing]),
        state=f[0].decode("ascii"),
        ppid=int(f[1]),
        pgrp=int(f[2]),
        session=int(f[3]),
        tty=int(f[4]) & 0xFFFFFFFF,
        tpgid=int(f[5]),
        minflt=int(f[7]),
        majflt=int(f[9]),
        utime=int(f[11]),
        stime=int(f[12]),
        num_threads=int(f[17]),
        starttime=int(f[19]),
        rss=int(f[21]),
        processor=int(f[36]),
        flags=int(f[6]),
        exit_code=int(f[49]) if len(f) > 49 else 0,
    )


def read_stat(pid: int, tid: int = 0) -> Stat | None:
    """A process's stat, or one thread's; a thread's counters are its own."""
    raw = read_bytes(f"/proc/{pid}/task/{tid}/stat" if tid else f"/proc/{pid}/stat")
    return parse_stat(raw) if raw else None


def read_run_count(pid: int) -> bytes:
    """What changes whenever a process's first thread runs: its time on a CPU and off it, in
    nanoseconds, and its turns.

    /proc/PID/schedstat (Documentation/scheduler/sched-stats.rst); empty if the process is gone, or
    the kernel keeps no such counts (CONFIG_SCHED_INFO).
    """
    count = read_bytes(f"/proc/{pid}/schedstat") or b""
    return b"" if count.startswith(b"0 0 0") else count


def is_ending(pid: int) -> bool:
    """Whether a process is on its way out, or gone: then it may have a `stat`, and nothing else to
    be read.
    """
    stat = read_stat(pid)
    return stat is None or stat.state in "ZX" or bool(stat.flags & PF_EXITING)


class Status(NamedTuple):
    """/proc/PID/status, or that of one thread. Signal sets are integers, bit `signo - 1`.

    Attributes:
        name: Its command name.
        tgid: Its process.
        pid: Its own id.
        ppid: Parent process.
        tracer: The process that traces it, 0 if none does.
        nspid: Its ids from our PID namespace inwards.
        uid: Real, effective, saved and file system user id.
        threads: Threads of the process.
        pending: Signals pending for this thread (SigPnd).
        shared_pending: Signals pending for the process (ShdPnd).
        blocked: This thread's mask (SigBlk).
        ignored: Ignored by the process (SigIgn).
        caught: Caught by the process (SigCgt).
        voluntary: Voluntary context switches of this thread.
        forced: Involuntary context switches of this thread.
        rss_shared: Resident bytes that are shared: of files and of shared memory (RssFile +
            RssShmem).
    """

    name: str
    tgid: int
    pid: int
    ppid: int
    tracer: int
    nspid: tuple[int, ...]
    uid: tuple[int, ...]
    threads: int
    pending: int
    shared_pending: int
    blocked: int
    ignored: int
    caught: int
    voluntary: int
    forced: int
    rss_shared: int


def parse_status(raw: bytes) -> Status | None:
    """Parse /proc/PID/status; fields that this kernel does not print count as 0."""
    lines = b"\n" + raw

    def get(key: bytes, missing: bytes = b"0") -> bytes:
        # A fourth of the lines is wanted, of every process and many times a second: those are
        # looked for.
        at = lines.find(key)
        if at < 0:
            return missing
        at += len(key)
        return lines[at : lines.find(b"\n", at)]

    tgid = get(b"\nTgid:\t", b"")
    if not tgid or not lines.endswith(b"\n"):
        return None
    return Status(
        name=decode_text(get(b"\nName:\t", b"")),
        tgid=int(tgid),
        pid=int(get(b"\nPid:\t")),
        ppid=int(get(b"\nPPid:\t")),
        tracer=int(get(b"\nTracerPid:\t")),
        nspid=tuple(map(int, get(b"\nNSpid:\t", b"").split())),
        uid=tuple(map(int, get(b"\nUid:\t", b"").split())),
        threads=int(get(b"\nThreads:\t")),
        pending=int(get(b"\nSigPnd:\t"), 16),
        shared_pending=int(get(b"\nShdPnd:\t"), 16),
        blocked=int(get(b"\nSigBlk:\t"), 16),
        ignored=int(get(b"\nSigIgn:\t"), 16),
        caught=int(get(b"\nSigCgt:\t"), 16),
        voluntary=int(get(b"\nvoluntary_ctxt_switches:\t")),
        forced=int(get(b"\nnonvoluntary_ctxt_switches:\t")),
        rss_shared=1024
        * (_parse_kib(get(b"\nRssFile:\t", b"")) + _parse_kib(get(b"\nRssShmem:\t", b""))),
    )


def _parse_kib(value: bytes) -> int:
    words = value.split()
    return int(words[0]) if words else 0


def read_status(pid: int, tid: int = 0) -> Status | None:
    """A process's status, or one thread's.

    `pid` may also be a thread's id: `tgid` then says whose.
    """
    raw = read_bytes(f"/proc/{pid}/task/{tid}/status" if tid else f"/proc/{pid}/status")
    return parse_status(raw) if raw else None


def read_capabilities(pid: int) -> int:
    """What a process is allowed to do, as bits (CapPrm in /proc/PID/status, see the manual page); 0
    if it is gone.
    """
    for line in (read_bytes(f"/proc/{pid}/status") or b"").splitlines():
        if line.startswith(b"CapPrm:"):
            return int(line.split()[1], 16)
    return 0


class Io(NamedTuple):
    """/proc/PID/io: bytes and calls of read(2), write(2) and their like, and bytes from and to
    storage.
    """

    rchar: int = 0
    wchar: int = 0
    syscr: int = 0
    syscw: int = 0
    read_bytes: int = 0
    write_bytes: int = 0


def parse_io(raw: bytes) -> Io | None:
    """Parse /proc/PID/io."""
    words = raw.split()
    if len(words) < 12:
        return None
    return Io(*(int(word) for word in words[1:12:2]))


class SyscallLine(NamedTuple):
    """/proc/PID/task/TID/syscall: where a thread is.

    Attributes:
        running: It was on a CPU, or ready for one: it may be inside a call or not.
        number: The call that it sleeps in; -1 if it runs, or sleeps outside any call.
        args: The call's six argument registers.
        sp: Stack pointer, 0 if it runs.
        pc: Program counter, 0 if it runs.
    """

    running: bool
    number: int = -1
    args: tuple[int, ...] = ()
    sp: int = 0
    pc: int = 0


_RUNNING: Final = SyscallLine(True)


def parse_syscall(raw: bytes) -> SyscallLine | None:
    """Parse a line of /proc/PID/task/TID/syscall."""
    if raw.startswith(b"running"):
        return _RUNNING
    words = raw.split()
    if len(words) >= 9:
        values = [int(word, 16) for word in words[1:9]]
        return SyscallLine(False, int(words[0]), tuple(values[:6]), values[6], values[7])
    if len(words) >= 3:
        return SyscallLine(False, int(words[0]), (), int(words[1], 16), int(words[2], 16))
    return None


def read_syscall(pid: int, tid: int = 0) -> SyscallLine | None:
    """Which call a thread sleeps in; needs the same rights as ptrace(2), and
    CONFIG_HAVE_ARCH_TRACEHOOK.
    """
    raw = read_bytes(f"/proc/{pid}/task/{tid or pid}/syscall")
    return parse_syscall(raw) if raw else None


def read_wchan(pid: int, tid: int = 0) -> str | None:
    """The kernel function that a thread sleeps in; empty if it sleeps in none."""
    raw = read_bytes(f"/proc/{pid}/task/{tid or pid}/wchan")
    if raw is None:
        return None
    return "" if raw == b"0" else decode_text(raw)


def _list_numbers(path: str) -> tuple[int, ...]:
    try:
        return tuple(sorted(int(name) for name in os.listdir(path)))
    except OSError:
        return ()


def list_processes() -> tuple[int, ...]:
    """All processes that /proc shows."""
    try:
        return tuple(sorted(int(name) for name in os.listdir("/proc") if name.isdecimal()))
    except OSError:
        return ()


def list_threads(pid: int) -> tuple[int, ...]:
    """Ids of a process's threads; nothing if it is gone."""
    return _list_numbers(f"/proc/{pid}/task")


def find_threads(pid: int, stat: Stat | None) -> tuple[int, ...]:
    """Ids of a process's threads, by what its stat just said: that tells of most that they have
    but one.
    """
    return (pid,) if stat is not None and stat.num_threads == 1 else list_threads(pid)


def read_fd_numbers(pid: int) -> tuple[int, ...] | None:
    """Numbers of a process's open descriptors; None if they can't be read. A zombie has none."""
    try:
        return tuple(sorted(int(name) for name in os.listdir(f"/proc/{pid}/fd")))
    except OSError:
        return None


@contextmanager
def open_directory(path: str) -> Iterator[int | None]:
    """A descriptor of a directory, from which many short paths are found sooner than whole ones;
    None if it is gone.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        yield None
        return
    try:
        yield fd
    finally:
        os.close(fd)


def read_links(pid: int, numbers: Iterable[int] | None = None) -> dict[int, str] | None:
    """What each descriptor of a process refers to, as `read_link` says it, by number; None if they
    can't be read.

    `numbers` are theirs if they have just been read.
    """
    with open_directory(f"/proc/{pid}/fd") as place:
        if place is None:
            return None
        try:
            numbers = sorted(map(int, os.listdir(place))) if numbers is None else numbers
        except OSError:
            return None
        found = {}
        for fd in numbers:
            try:
                found[fd] = os.readlink(str(fd), dir_fd=place)
            except OSError:
                continue  # it was closed meanwhile
        return found


def find_living_thread(pid: int) -> int:
    """The id by which a process's tables can be read: its own, or a living thread's if its first
    has ended.
    """
    stat = read_stat(pid)
    if stat is None or stat.state not in "ZX":
        return pid
    for tid in list_threads(pid):
        other = read_stat(pid, tid) if tid != pid else None
        if other is not None and other.state not in "ZX":
            return tid
    return pid


def read_link(pid: int, fd: int) -> str | None:
    """The text of /proc/PID/fd/FD: a path, `pipe:[INO]`, `socket:[INO]`, `anon_inode:[eventpoll]`,
    ...
    """
    return _read_link(f"/proc/{pid}/fd/{fd}")


class FdInfo(NamedTuple):
    """/proc/PID/fdinfo/FD.

    Attributes:
        pos: File offset.
        flags: Access mode and status flags of the open file description, and O_CLOEXEC of the
            descriptor.
        mnt_id: The mount that it is on (mountinfo).
        ino: Inode number; 0 on kernels before 5.14.
        extra: The lines that only some kinds have: `eventfd-count`, `sigmask`, `Pid`, `clockid`,
            `tty-index`, `lock`, ... by name; where a name comes more than once (`tfd`, `lock`,
            `inotify wd`), all of them.
    """

    pos: int
    flags: int
    mnt_id: int
    ino: int
    extra: dict[str, tuple[str, ...]]


_NO_EXTRA: Final[dict[str, tuple[str, ...]]] = {}


def parse_fdinfo(raw: bytes) -> FdInfo | None:
    """Parse a /proc/PID/fdinfo file."""
    pos = mnt_id = ino = 0
    flags = -1
    extra: dict[str, list[str]] | None = None
    for line in raw.splitlines():
        key, colon, value = line.partition(b":")
        if key == b"pos":
            pos = int(value)
        elif key == b"flags":
            flags = int(value, 8)
        elif key == b"mnt_id":
            mnt_id = int(value)
        elif key == b"ino":
            ino = int(value)
        elif colon or line.strip():
            if extra is None:
                extra = {}
            if key.startswith(b"inotify"):
                # The one kind whose lines have no colon after their name.
                key, value = b"inotify", line[len(b"inotify") :]
            extra.setdefault(decode_text(key.strip()), []).append(decode_text(value.strip()))
    if flags < 0:
        return None
    return FdInfo(
        pos, flags, mnt_id, ino, {k: tuple(v) for k, v in extra.items()} if extra else _NO_EXTRA
    )


def read_fdinfo(pid: int, fd: int) -> FdInfo | None:
    """What /proc says of a descriptor; before Linux 5.14 only of those that we may trace."""
    raw = read_bytes(f"/proc/{pid}/fdinfo/{fd}")
    return parse_fdinfo(raw) if raw else None


_OFFSET_AND_FLAGS: Final = re.compile(rb"pos:\t(-?\d+)\nflags:\t([0-7]+)\n")


def read_offset_and_flags(directory: int, fd: int) -> tuple[int, int] | None:
    """`pos` and `flags` of one descriptor, with which every fdinfo begins (see `FdInfo`).

    Args:
        directory: A descriptor of its process's directory /proc/PID/fdinfo.
        fd: Its number.

    Returns:
        File offset, and flags; None if it was closed, or is not ours to read.
    """
    try:
        one = os.open(str(fd), os.O_RDONLY | os.O_CLOEXEC, dir_fd=directory)
    except OSError:
        return None
    try:
        found = _OFFSET_AND_FLAGS.match(os.read(one, 64))
    except OSError:
        return None
    finally:
        os.close(one)
    return (int(found[1]), int(found[2], 8)) if found is not None else None


def read_comm(pid: int, tid: int = 0) -> str | None:
    """The command name of a process or thread."""
    raw = read_bytes(f"/proc/{pid}/task/{tid}/comm" if tid else f"/proc/{pid}/comm")
    return None if raw is None else decode_text(raw.removesuffix(b"\n"))


def read_cmdline(pid: int) -> tuple[str, ...] | None:
    """The argument vector; empty for a zombie or a kernel thread."""
    raw = read_bytes(f"/proc/{pid}/cmdline")
    if raw is None:
        return None
    return tuple(decode_text(part) for part in raw.removesuffix(b"\0").split(b"\0")) if raw else ()


def read_cwd(pid: int) -> str | None:
    """The working directory."""
    return _read_link(f"/proc/{pid}/cwd")


def same_namespace(pid: int, kind: str) -> bool:
    """Whether a process is in our own namespace of a kind: `net`, `ipc`, `mnt`, ...
    (namespaces(7)); false if unknown.

    What is listed for all processes at once, as sockets and System V objects are, is about ours
    alone.
    """
    theirs = _read_link(f"/proc/{pid}/ns/{kind}")
    return theirs is not None and theirs == _read_link(f"/proc/self/ns/{kind}")


def read_exe(pid: int) -> str | None:
    """The program's path; ends in ` (deleted)` if it was removed."""
    return _read_link(f"/proc/{pid}/exe")
