"""Which running processes can be watched, and why one can't."""

from __future__ import annotations

import errno
import os
import pwd
from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Final

from ipcviz.kernel import procfs, ptrace
from ipcviz.kernel.procfs import PF_KTHREAD
from ipcviz.tracer.executable import LaunchError

MAX_PID: Final = 1 << 22
"""PID_MAX_LIMIT of linux/threads.h: no id is larger."""


class AttachError(LaunchError):
    """A process can't be watched; the message is a sentence for the viewer."""


def check_processes(
    pids: Iterable[int], *, trace: bool = False, spare: Collection[int] = ()
) -> tuple[str, ...]:
    """See whether processes can be watched.

    Args:
        pids: The processes.
        trace: Their calls are to be traced.
        spare: Processes that are ipcviz's own.

    Returns:
        What they are called: `NAME[PID]`. Raises AttachError with a sentence for the first that
            can't be watched.
    """
    return tuple(_check_one(pid, trace=trace, spare=spare) for pid in pids)


def _check_one(pid: int, *, trace: bool, spare: Collection[int]) -> str:
    status = procfs.read_status(pid) if 0 < pid <= MAX_PID else None
    stat = procfs.read_stat(pid) if status is not None else None
    if status is None or stat is None:
        raise AttachError(f"There is no process {pid}: 'ps -e' lists those that there are.")
    name = f"{status.name}[{pid}]"
    if status.tgid != pid:
        whose = f"{procfs.read_comm(status.tgid) or 'process'}[{status.tgid}]"
        raise AttachError(f"{pid} is a thread of {whose}: attach to {status.tgid}.")
    if pid in spare:
        raise AttachError(
            f"{name} is ipcviz itself, which can't watch itself: name another process."
        )
    if stat.flags & PF_KTHREAD:
        raise AttachError(
            f"{name} is a thread of the kernel and has no descriptors: name a program's process."
        )
    living = procfs.find_living_thread(pid)
    if stat.state in "ZX" and living == pid:
        parent = f"{procfs.read_comm(stat.ppid) or 'process'}[{stat.ppid}]"
        raise AttachError(
            f"{name} has ended, and of a zombie there is nothing to see; its parent, {parent}, has"
            " yet to wait for it: name a process that lives."
        )
    if procfs.read_fd_numbers(living) is None:
        raise AttachError(_explain_hidden(pid, name, status))
    refused = _find_refusal(living)
    lacks = procfs.read_capabilities(pid) & ~procfs.read_capabilities(os.getpid()) if refused else 0
    if lacks and os.geteuid() == 0:
        raise AttachError(
            f"{name} can't be watched: it has rights that ipcviz lacks here: run ipcviz outside of"
            " this container."
        )
    if refused:
        raise AttachError(ptrace.explain_refusal(OSError(refused, os.strerror(refused)), name))
    if trace and status.tracer:
        tracer = f"{procfs.read_comm(status.tracer) or 'process'}[{status.tracer}]"
        raise AttachError(
            f"{name} is traced already by {tracer}: end that first, or attach without --trace."
        )
    return name


def _explain_hidden(pid: int, name: str, status: procfs.Status) -> str:
    """Why a process's descriptors can't be read."""
    if procfs.is_ending(pid):
        return f"{name} is gone."
    if status.uid[:1] not in ((), (os.getuid(),)):
        try:
            user = pwd.getpwuid(status.uid[0]).pw_name
        except KeyError:
            user = f"user {status.uid[0]}"
        who = f"{user} or as root" if status.uid[0] else "root"
        return f"{name} is a process of {user}: run ipcviz as {who} ('sudo ipcviz attach {pid}')."
    return (
        f"{name} hides itself (a set-user-ID program, or one that cleared PR_SET_DUMPABLE):"
        f" run ipcviz as root ('sudo ipcviz attach {pid}')."
    )


def _find_refusal(pid: int) -> int:
    """The error number with which the kernel refuses what needs the rights of ptrace(2) to attach;
    0 if it does not.
    """
    try:
        fd = os.open(f"/proc/{pid}/task/{pid}/syscall", os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        return error.errno or 0 if error.errno in (errno.EPERM, errno.EACCES) else 0
    try:
        os.read(fd, 256)
    except OSError as error:
        return errno.EPERM if error.errno in (errno.EPERM, errno.EACCES) else 0
    finally:
        os.close(fd)
    return 0


def list_family(pids: Iterable[int], spare: Collection[int] = ()) -> tuple[int, ...]:
    """Processes and all their living descendants, parents before children, without those to spare
    and theirs.
    """
    children: dict[int, list[int]] = defaultdict(list)
    for pid in procfs.list_processes():
        stat = procfs.read_stat(pid)
        if stat is not None and stat.state not in "ZX":
            children[stat.ppid].append(pid)
    found: dict[int, None] = {}
    queue = list(pids)
    while queue:
        pid = queue.pop(0)
        if pid not in found and pid not in spare:
            found[pid] = None
            queue += children[pid]
    return tuple(found)
