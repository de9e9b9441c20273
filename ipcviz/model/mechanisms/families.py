"""Process groups, sessions, terminals, reapers, namespaces: questions to a state, and what changes
them. Pure.
"""

from __future__ import annotations

import msgspec

from ipcviz.events import Grouped
from ipcviz.model.draft import Draft
from ipcviz.model.state import Process, State

replace = msgspec.structs.replace


def apply_group(draft: Draft, effect: Grouped) -> None:
    """A process is in another group or session, or its terminal has another foreground group."""
    process = draft.processes.get(effect.pid)
    if process is not None:
        draft.store_process(
            replace(
                process,
                pgrp=effect.pgrp,
                session=effect.session,
                tty=effect.tty,
                foreground=effect.foreground,
            )
        )
    if not effect.tty:
        return
    for other in draft.processes.values():
        if (
            other.session == effect.session
            and other.tty == effect.tty
            and other.foreground != effect.foreground
        ):
            draft.store_process(replace(other, foreground=effect.foreground))


def tty_name(number: int) -> str:
    """A terminal by the device number of /proc/PID/stat: `pts/3`, `tty1`, `ttyS0`; empty for none
    (devices.txt).
    """
    if not number:
        return ""
    major, minor = number >> 8 & 0xFFF, number & 0xFF | number >> 12 & 0xFFF00
    if 136 <= major <= 143:
        return f"pts/{(major - 136) * 256 + minor}"
    if major == 4:
        return f"tty{minor}" if minor < 64 else f"ttyS{minor - 64}"
    return f"terminal {major}:{minor}"


def list_members(state: State, pgrp: int) -> tuple[Process, ...]:
    """The living processes of a group that are watched, its leader first."""
    found = [p for p in state.processes.values() if p.fate == "alive" and p.pgrp == pgrp]
    return tuple(sorted(found, key=lambda p: (p.pid != pgrp, p.born, p.pid)))


def reaper_of(state: State, pid: int) -> int:
    """Who would get a process's children if it ended now: its nearest ancestor that asked for
    orphans.

    Returns:
        0 if none of the watched ones has: then it is one further up, or the first process of the
            PID namespace.
    """
    process = state.processes.get(pid)
    seen = {pid}
    while process is not None and process.parent not in seen:
        seen.add(process.parent)
        process = state.processes.get(process.parent)
        if process is not None and process.fate == "alive" and process.subreaper:
            return process.pid
    return 0


def _name_process(state: State, pid: int) -> str:
    process = state.processes.get(pid)
    return process.called if process is not None else str(pid)


def describe_group(state: State, process: Process) -> str:
    """`group 12 (leads it, with cat[13]), session 11 (sh[11]), terminal pts/3 (foreground)`; empty
    if not known.
    """
    if not process.pgrp:
        return ""
    others = [
        p.pid for p in list_members(state, process.pgrp) if p.pid not in (process.pid, process.pgrp)
    ]
    words = [_name_process(state, pid) for pid in others[:2]] + (
        [f"{len(others) - 2} more"] if len(others) > 2 else []
    )
    leads = process.pgrp == process.pid
    lead = "leads it" if leads else f"led by {_name_process(state, process.pgrp)}"
    parts = [f"group {process.pgrp} ({lead}{', with ' + ', '.join(words) if words else ''})"]
    parts.append(
        f"session {process.session}"
        + (
            " (leads it)"
            if process.session == process.pid
            else f" (of {_name_process(state, process.session)})"
        )
    )
    if not process.tty:
        parts.append("no terminal")
    else:
        name = tty_name(process.tty)
        front = process.foreground
        parts.append(
            f"terminal {name} "
            + (
                "(in the foreground)"
                if front == process.pgrp
                else f"(in the background: group {front} has it)"
            )
        )
    return ", ".join(parts)


def describe_reaper(state: State, process: Process) -> str:
    """Who gets orphans: `gets the orphans among its descendants (subreaper)`, or who would get its
    children.
    """
    if process.subreaper:
        return "gets the orphans among its descendants (subreaper)"
    reaper = reaper_of(state, process.pid)
    return f"its children would go to {_name_process(state, reaper)} (subreaper)" if reaper else ""


def describe_namespaces(process: Process) -> str:
    """`in another pid and net namespace, as process 1 there`; empty if all are ours, or were not
    read yet.
    """
    known = process.surroundings
    if known is None or not known.namespaces:
        return ""
    *most, last = known.namespaces
    kinds = f"{', '.join(most)} and {last}" if most else last
    inner = (
        f", as process {known.inner[-1]} there" if known.inner and "pid" in known.namespaces else ""
    )
    return f"in another {kinds} namespace{inner}"
