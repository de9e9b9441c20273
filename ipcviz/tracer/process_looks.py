"""What /proc says of one process and its threads, as a sample."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Final

from ipcviz.events import ProcessSample, ThreadSample
from ipcviz.kernel import memory, procfs

CLOCK: Final = 100.0
"""Ticks a second of the times in /proc/PID/stat (USER_HZ), the same on all supported architectures."""


def read_process(pid: int, tids: Iterable[int]) -> ProcessSample | None:
    """A look at a process and these threads of it; None if it is gone."""
    stat = procfs.read_stat(pid)
    if stat is None:
        return None
    status = procfs.read_status(pid)
    io = procfs.read_io(pid)
    threads = []
    for tid in tids:
        # The leader's signals and state are those of /proc/PID/status and stat.
        own = (stat, status) if tid == pid else (procfs.read_stat(pid, tid), procfs.read_status(pid, tid))
        thread = _thread_sample(tid, *own)
        if thread is not None:
            threads.append(thread)
    return ProcessSample(
        pid=pid,
        state=_state(stat, status),
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


def _thread_sample(tid: int, stat: procfs.Stat | None, status: procfs.Status | None) -> ThreadSample | None:
    if stat is None or status is None:
        return None
    return ThreadSample(tid=tid, state=_state(stat, status), blocked=status.blocked, pending=status.pending)


def _state(stat: procfs.Stat, status: procfs.Status | None) -> str:
    """A thread that our tracer has stopped for a moment runs, as far as the viewer is concerned."""
    if stat.state != "t":
        return stat.state
    return "T" if status is not None and status.tracer not in (0, os.getpid()) else "R"
