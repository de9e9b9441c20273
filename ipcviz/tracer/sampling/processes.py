"""What /proc says of one process and its threads, as a sample: read at once, and made sense of when
there is time.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Final, NamedTuple

from ipcviz.events import ProcessSample, ThreadSample
from ipcviz.kernel import memory, procfs

CLOCK: Final = 100.0
"""Ticks a second of the times in /proc/PID/stat (USER_HZ), the same on all supported architectures.
"""


class RawLook(NamedTuple):
    """The files of /proc of a process and of its further threads, as they were; empty what could
    not be read.
    """

    pid: int
    stat: bytes
    status: bytes
    io: bytes
    threads: tuple[tuple[int, bytes, bytes], ...]


def read_raw(pid: int, tids: Iterable[int]) -> RawLook:
    """A look at a process and these threads of it, for `parse_look`."""

    def read(name: str) -> bytes:
        return procfs.read_bytes(f"/proc/{pid}/{name}") or b""

    stat, status, io = read("stat"), read("status"), read("io")
    # The leader's signals and state are those of /proc/PID/status and stat.
    threads = tuple(
        (
            (tid, b"", b"")
            if tid == pid
            else (tid, read(f"task/{tid}/stat"), read(f"task/{tid}/status"))
        )
        for tid in tids
    )
    return RawLook(pid, stat, status, io, threads)


def parse_look(look: RawLook) -> ProcessSample | None:
    """What a look shows; None if the process was gone."""
    pid = look.pid
    stat = procfs.parse_stat(look.stat)
    if stat is None:
        return None
    status = procfs.parse_status(look.status)
    io = procfs.parse_io(look.io)
    threads = []
    for tid, *raw in look.threads:
        own = (
            (stat, status)
            if tid == pid
            else (procfs.parse_stat(raw[0]), procfs.parse_status(raw[1]))
        )
        thread = _thread_sample(tid, *own)
        if thread is not None:
            threads.append(thread)
    return ProcessSample(
        pid=pid,
        state=_find_state(stat, status),
        tracer=status.tracer if status is not None and status.tracer != os.getpid() else 0,
        name=stat.name,
        ppid=stat.ppid,
        pgrp=stat.pgrp,
        session=stat.session,
        tty=stat.tty,
        foreground=max(stat.tpgid, 0),
        user_time=stat.utime / CLOCK,
        system_time=stat.stime / CLOCK,
        rss=stat.rss * memory.PAGE_SIZE,
        shared=status.rss_shared if status else 0,
        minor_faults=stat.minflt,
        major_faults=stat.majflt,
        voluntary_switches=status.voluntary if status else 0,
        forced_switches=status.forced if status else 0,
        chars_read=io.rchar if io else 0,
        chars_written=io.wchar if io else 0,
        calls_read=io.syscr if io else 0,
        calls_write=io.syscw if io else 0,
        pending=status.shared_pending if status else 0,
        ignored=status.ignored if status else 0,
        caught=status.caught if status else 0,
        threads=tuple(threads),
    )


def _thread_sample(
    tid: int, stat: procfs.Stat | None, status: procfs.Status | None
) -> ThreadSample | None:
    if stat is None or status is None:
        return None
    return ThreadSample(
        tid=tid, state=_find_state(stat, status), blocked=status.blocked, pending=status.pending
    )


def _find_state(stat: procfs.Stat, status: procfs.Status | None) -> str:
    """A thread that our tracer has stopped for a moment runs, as far as the viewer is concerned."""
    if stat.state != "t":
        return stat.state
    return "T" if status is not None and status.tracer not in (0, os.getpid()) else "R"
