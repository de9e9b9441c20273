"""What is said of a program that a process has just executed: that its calls can't be decoded, that
it lacks rights.
"""

from __future__ import annotations

import os
import stat
import struct
from typing import Final

from ipcviz.events import Trouble
from ipcviz.kernel import elf, procfs
from ipcviz.tracer.context import Context
from ipcviz.tracer.executable import LaunchError
from ipcviz.tracer.tasks import TracedProcess

_CAPABILITIES: Final = "security.capability"
_VFS_CAP_DATA: Final = struct.Struct("<IIIII")
"""linux/capability.h: magic and flags, permitted and inheritable (low halves), the same (high
halves).
"""


def introduce_program(
    context: Context, process: TracedProcess, path: str, kind: elf.ElfClass | None, *, first: bool
) -> None:
    """A process has executed a program.

    Args:
        context: The session's.
        process: The process; `foreign` and `full` become what they are for this program.
        path: The program's.
        kind: What its file says of itself.
        first: It is the command itself.

    Raises:
        LaunchError: It is the command itself, and its calls can't be decoded.
    """
    before, process.foreign = process.foreign, not elf.runs_on(kind, context.arch.elf_machine)
    name = path.rpartition("/")[2] or "the program"
    if process.foreign:
        message = (
            f"{name} is not a 64-bit {context.arch.machine} program: ipcviz can't decode its calls"
        )
        if first:
            raise LaunchError(f"{message}. Run a 64-bit build.")
        _emit_trouble(context, process, f"{message}; it runs on and is only sampled.")
        if process.full:
            context.set_coverage(process, full=False, reason="its calls can't be decoded")
    elif before and not process.full and context.policy.from_start:
        context.set_coverage(process, full=True, reason="its calls can be decoded again")
    rights = lost_rights(process.pid) if os.geteuid() != 0 and context.policy.from_start else ""
    if rights:
        words = (
            f"{name} runs without {rights}, which Linux withholds from what an ordinary user"
            " watches"
        )
        _emit_trouble(context, process, f"{words}: run ipcviz as root to watch it with them.")


def inherit_program(process: TracedProcess, parent: TracedProcess) -> None:
    """A process has made another, which runs the same program."""
    process.foreign, process.executed, process.doubted = (
        parent.foreign,
        parent.executed,
        parent.doubted,
    )
    process.full = process.full and not parent.foreign


def lost_rights(pid: int) -> str:
    """Which rights the program's file gives whoever executes it, and the process does not have;
    empty if none.

    In a user namespace of its own, or on a file system mounted with nosuid, it would not get them
    anyway.
    """
    program = f"/proc/{pid}/exe"
    try:
        status = os.stat(program)
        capabilities = _read_capabilities(program)
        if not (capabilities or status.st_mode & (stat.S_ISUID | stat.S_ISGID)):
            return ""
        if os.statvfs(program).f_flag & os.ST_NOSUID or not procfs.same_namespace(pid, "user"):
            return ""
        has = _read_credentials(pid)
    except OSError:
        return ""
    if status.st_mode & stat.S_ISUID and has.get("Uid", [status.st_uid] * 2)[1] != status.st_uid:
        return "the rights of its owner (set-user-ID)"
    executable = status.st_mode & stat.S_IXGRP
    if (
        status.st_mode & stat.S_ISGID
        and executable
        and has.get("Gid", [status.st_gid] * 2)[1] != status.st_gid
    ):
        return "the rights of its group (set-group-ID)"
    if capabilities & ~has.get("CapPrm", [capabilities])[0]:
        return "the capabilities of its file"
    return ""


def _read_capabilities(path: str) -> int:
    try:
        raw = os.getxattr(path, _CAPABILITIES)
    except OSError:
        return 0
    if len(raw) < _VFS_CAP_DATA.size:
        return 0
    _, low, _, high, _ = _VFS_CAP_DATA.unpack_from(raw)
    return int(low | high << 32)


def _read_credentials(pid: int) -> dict[str, list[int]]:
    """Lines of `/proc/PID/status` with ids (real, effective, ...) and capabilities."""
    found = {}
    for line in (
        (procfs.read_bytes(f"/proc/{pid}/status") or b"").decode(errors="replace").splitlines()
    ):
        name, _, words = line.partition(":")
        if name in ("Uid", "Gid"):
            found[name] = [int(word) for word in words.split()]
        elif name == "CapPrm":
            found[name] = [int(words, 16)]
    return found


def _emit_trouble(context: Context, process: TracedProcess, message: str) -> None:
    context.emit(Trouble(pid=process.pid, message=message))
