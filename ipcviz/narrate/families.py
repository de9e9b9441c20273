"""Groups, sessions, terminals, namespaces, orphans and POSIX timers, in words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ipcviz.events import Call, DeathSignal, Grouped, Opened, Orphan, Subreaper, Timer
from ipcviz.events.signals import LIBRARY_SIGNALS, signal_name
from ipcviz.model.mechanisms.families import tty_name
from ipcviz.model.state import POSIX, State
from ipcviz.narrate.sentence import DETAIL, STEP, TURN, Clause
from ipcviz.narrate.words import name_process, name_with_kind

SIGCHLD: Final = 17

STRICT_MODE: Final = 1
FILTER_MODE: Final = 2
"""linux/seccomp.h: the modes of prctl(PR_SET_SECCOMP)."""


def describe_grouped(event: Call, effect: Grouped, before: State, after: State) -> Clause:
    """setsid, setpgid, or an ioctl of the terminal."""
    if event.name == "setsid":
        text = (
            f"began the session {effect.session} and the group {effect.pgrp} in it, without a"
            " terminal"
        )
        return Clause(text, TURN, "process")
    if event.name == "setpgid":
        leads = effect.pgrp == effect.pid
        itself = effect.pid == event.pid
        whom = "itself" if itself else name_process(after, effect.pid)
        old = before.processes.get(effect.pid)
        if old is not None and old.pgrp == effect.pgrp:
            return Clause(
                f"put {whom} into the group {effect.pgrp}, where it was already",
                DETAIL,
                "process",
                (),
            )
        where = f"a group of its own, {effect.pgrp}" if leads else f"the group {effect.pgrp}"
        return Clause(f"put {whom} into {where}", STEP, "process")
    request = event.args.get("request")
    name = tty_name(effect.tty)
    if request == "TIOCSPGRP":
        known = before.processes.get(event.pid)
        if known is not None and known.foreground == effect.foreground:
            text = (
                f"left the group {effect.foreground} in the foreground of {name}, where it was"
                " already"
            )
            return Clause(text, DETAIL, "process")
        return Clause(
            f"put the group {effect.foreground} into the foreground of {name}",
            STEP,
            "process",
            (),
        )
    if request == "TIOCSCTTY":
        return Clause(
            f"made {name or 'a terminal'} the controlling terminal of its session",
            TURN,
            "process",
            (),
        )
    return Clause("gave up its controlling terminal", STEP, "process")


def describe_subreaper(effect: Subreaper) -> Clause:
    """prctl(PR_SET_CHILD_SUBREAPER)."""
    if effect.enabled:
        return Clause(
            "gets the orphans among its descendants from now on (subreaper)", STEP, "process", ()
        )
    return Clause("does not get orphans any more", STEP, "process")


def waits_for_nobody(state: State, pid: int) -> str:
    """Why a process that ends stays no zombie: its parent has asked for that (sigaction(2)); empty
    if it has not.
    """
    process = state.processes.get(pid)
    parent = state.processes.get(process.parent) if process is not None else None
    how = parent.handling.get(SIGCHLD) if parent is not None else None
    if parent is None or how is None or not (how.action == "ignore" or "SA_NOCLDWAIT" in how.flags):
        return ""
    asked = "ignores SIGCHLD" if how.action == "ignore" else "has set SA_NOCLDWAIT"
    return f"its parent {name_process(state, parent.pid)} {asked}"


def describe_death_signal(effect: DeathSignal) -> Clause:
    """prctl(PR_SET_PDEATHSIG)."""
    if effect.signo:
        return Clause(
            f"asked for {signal_name(effect.signo)} at its parent's end (PR_SET_PDEATHSIG)",
            STEP,
            "signal",
            (),
        )
    return Clause(
        "asked for no signal at its parent's end any more (PR_SET_PDEATHSIG)", STEP, "signal", ()
    )


def describe_orphans(orphans: Iterable[Orphan], after: State) -> str:
    """`its child b[12] is now that of init[1]`; empty if there are none."""
    by: dict[tuple[int, str], list[int]] = {}
    for orphan in orphans:
        by.setdefault((orphan.reaper, orphan.name), []).append(orphan.pid)
    parts = []
    for (reaper, name), pids in by.items():
        to = (
            name_process(after, reaper)
            if reaper in after.processes
            else f"{name or 'process'}[{reaper}]"
        )
        shown = ", ".join(name_process(after, pid) for pid in pids[:3]) + (
            f" and {len(pids) - 3} more" if len(pids) > 3 else ""
        )
        parts.append(
            f"its child{'ren' if len(pids) > 1 else ''} {shown} {'go' if len(pids) > 1 else 'goes'}"
            f" to {to}"
        )
    return ", ".join(parts)


def _describe_namespaces(event: Call, before: State, after: State) -> Clause | None:
    """unshare(2), setns(2)."""
    if event.error:
        return Clause(f"got {event.error} from {event.name}", DETAIL, "process")
    flags = [
        word
        for word in str(event.args.get("flags", event.args.get("type", ""))).split("|")
        if "CLONE_" in word
    ]
    kinds = ", ".join(_KINDS.get(flag, flag) for flag in flags)
    verb = "left what it shared and has its own" if event.name == "unshare" else "entered another"
    return Clause(f"{verb} {kinds or 'namespace'} ({event.name})", TURN, "process")


def _describe_ptrace(event: Call, before: State, after: State) -> Clause | None:
    """ptrace(2): a debugger, or what asks to be debugged. A process has one tracer."""
    request, pid = event.get_text("request"), event.args.get("pid")
    asks = request == "PTRACE_TRACEME"
    if not asks and request not in ("PTRACE_ATTACH", "PTRACE_SEIZE"):
        return None
    watched = asks or pid in after.processes
    whom = f"process {pid}"
    if asks:
        whom = "its parent"
    elif isinstance(pid, int) and watched:
        whom = name_process(after, pid)
    if event.error:
        why = f": ipcviz traces {'it' if asks else whom} already, and a process has one tracer"
        text = f"got {event.error} from ptrace ({request})"
        return Clause(
            text + (why if watched and event.error == "EPERM" else ""), TURN, "process", ()
        )
    return Clause(
        (f"asked to be traced by {whom}" if asks else f"began to trace {whom}"),
        TURN,
        "process",
        (),
    )


def _describe_confinement(event: Call, before: State, after: State) -> Clause | None:
    """prctl(PR_SET_SECCOMP) and seccomp(2): strict mode, or a filter."""
    filters = "SECCOMP_SET_MODE_FILTER" if event.name == "seccomp" else FILTER_MODE
    strict = "SECCOMP_SET_MODE_STRICT" if event.name == "seccomp" else STRICT_MODE
    mode = event.args.get("operation" if event.name == "seccomp" else "value")
    if event.name == "prctl" and event.args.get("option") != "PR_SET_SECCOMP":
        return None
    if event.error:
        return Clause(
            f"got {event.error} from {event.name}, which was to confine it (seccomp)",
            STEP,
            "process",
            (),
        )
    if mode == strict:
        return Clause(
            "may only read, write, exit and leave handlers from now on (strict seccomp)",
            TURN,
            "process",
            (),
        )
    if mode == filters:
        text = "has the kernel filter its calls from now on (seccomp)"
        made = next((effect for effect in event.effects if isinstance(effect, Opened)), None)
        thing = after.objects.get(made.object.key) if made is not None else None
        if made is None or thing is None:
            return Clause(text, STEP, "process")
        return Clause(
            f"{text}, and made {name_with_kind(thing)}: descriptor {made.fd}",
            STEP,
            "descriptor",
            (thing.info.key,),
        )
    return None


_KINDS: Final = {
    "CLONE_NEWNS": "mount namespace",
    "CLONE_NEWCGROUP": "cgroup namespace",
    "CLONE_NEWUTS": "UTS namespace",
    "CLONE_NEWIPC": "IPC namespace",
    "CLONE_NEWUSER": "user namespace",
    "CLONE_NEWPID": "PID namespace for its children",
    "CLONE_NEWNET": "network namespace",
    "CLONE_NEWTIME": "time namespace for its children",
    "CLONE_FS": "working directory",
    "CLONE_FILES": "descriptor table",
    "CLONE_SYSVSEM": "System V undo values",
}


def describe_timer(event: Call, effect: Timer, before: State, after: State) -> Clause:
    """alarm, setitimer, timer_create, timer_settime, timer_delete."""
    number = effect.id
    key = (event.pid, POSIX + number if number >= 0 else effect.signo)
    known = before.timers.get(key)
    signo = effect.signo or (known.signo if known is not None else 0)
    name = signal_name(signo) if signo else "a signal"
    which = f"the timer {number}" if number >= 0 else f"its timer for {name}"
    if effect.change == "made":
        clock = f" of {effect.clock}" if effect.clock else ""
        what = (
            f"sends {name}"
            if signo not in LIBRARY_SIGNALS
            else f"starts a thread (SIGEV_THREAD, by glibc's {name})"
        )
        return Clause(f"made the timer {number}{clock}: it {what} when it expires", STEP, "signal")
    if effect.change == "removed":
        return Clause(f"removed {which}", STEP, "signal")
    if not effect.seconds:
        return Clause(f"disarmed {which}", STEP, "signal")
    clock = effect.clock or (known.clock if known is not None else "")
    of = f" of {clock}" if clock else ""
    again = f", and again every {effect.interval:g} s" if effect.interval else ""
    subject = f"armed the timer {number}" if number >= 0 else "armed a timer"
    return Clause(f"{subject}: {name} in {effect.seconds:g} s{of}{again}", TURN, "signal")


SPECIAL: Final = {
    "prctl": _describe_confinement,
    "seccomp": _describe_confinement,
    "unshare": _describe_namespaces,
    "setns": _describe_namespaces,
    "ptrace": _describe_ptrace,
}
"""Calls that change whom a process can meet, or who watches it."""
