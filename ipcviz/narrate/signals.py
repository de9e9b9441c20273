"""Signals in words: sent, delivered, taken, handled; why the kernel sent one, and what it meant for
a call.
"""

from __future__ import annotations

from typing import Final

from ipcviz.events import (
    Call,
    Disposition,
    Exited,
    HandlerReturned,
    Mask,
    Sent,
    SignalDelivered,
    Taken,
)
from ipcviz.events.calls import having
from ipcviz.events.signals import LIBRARY_SIGNALS, bit_of, signal_name
from ipcviz.model.mechanisms.families import list_members, tty_name
from ipcviz.model.state import Process, SignalSent, State
from ipcviz.narrate.memory import explain_fault
from ipcviz.narrate.sentence import DETAIL, NOISE, STEP, TURN, Clause, Sentence
from ipcviz.narrate.words import name_process, signal_names

_FATES: Final = {
    "handler": "its handler runs",
    "ignore": "ignored",
    "terminate": "it ends",
    "core": "it ends and dumps core",
    "stop": "it stops",
    "continue": "it goes on",
}
_CHILD: Final = {
    "CLD_EXITED": "exited",
    "CLD_KILLED": "was killed",
    "CLD_DUMPED": "was killed and dumped core",
    "CLD_STOPPED": "stopped",
    "CLD_CONTINUED": "continued",
}
_TIMERS: Final = (14, 26, 27)
"""SIGALRM, SIGVTALRM, SIGPROF: those of alarm and setitimer."""

SIGHUP, SIGINT, SIGQUIT, SIGKILL, SIGPIPE, SIGTSTP, SIGTTIN, SIGTTOU, SIGXFSZ = (
    1,
    2,
    3,
    9,
    13,
    20,
    21,
    22,
    25,
)
SIGSEGV: Final = 11

_FROM_KERNEL: Final = {
    SIGSEGV: ", since it used an address that can't be one (the kernel does not say which),",
    23: ", since urgent data came on one of its sockets,",
    24: ", since it has used up its CPU time limit,",
    28: ", since its terminal has another size,",
    29: ", since one of its descriptors is ready (O_ASYNC),",
}
_OWN_FAULT: Final = {
    SIGPIPE: ", since nobody is left to read what it wrote,",
    SIGXFSZ: ", since it wrote beyond its limit of a file's size,",
}
"""Signals that the kernel sends a thread for its own write, with that thread as the sender."""


def narrate_delivered(event: SignalDelivered, before: State, after: State) -> Sentence:
    """A signal reached a thread."""
    target = name_process(after, event.pid, event.tid)
    fate = _FATES.get(event.action, event.action)
    thread = after.threads.get(event.tid)
    if event.action == "handler" and thread is not None and len(thread.handlers) > 1:
        fate += f" inside that for {signal_name(thread.handlers[-2])}"
    text = (
        f"{signal_name(event.signo)}{_describe_source(event, before, after)} reached {target}:"
        f" {fate}{_describe_interrupted(event, before)}"
    )
    return Sentence(
        event.n, event.t, event.pid, text, STEP if event.action == "ignore" else TURN, "signal"
    )


def _describe_interrupted(event: SignalDelivered, before: State) -> str:
    """What became of the call that it cut short."""
    call = event.interrupted
    if not call or event.action in ("terminate", "core"):
        return ""
    if event.outcome == "EINTR":
        return f", and its {call} fails with EINTR"
    if event.outcome == "part":
        return f", and its {call} comes back with a part"
    if event.outcome == "again":
        process = before.processes.get(event.pid)
        how = process.handling.get(event.signo) if process is not None else None
        asked = event.action == "handler" and how is not None and "SA_RESTART" in how.flags
        return f"; its {call} goes on afterwards{' (SA_RESTART)' if asked else ''}"
    return f", and cut short its {call}"


def _describe_source(
    event: SignalDelivered | Taken, before: State, after: State, pid: int = 0
) -> str:
    """Who sent it, or why the kernel did; with a space before it."""
    pid = event.pid if isinstance(event, SignalDelivered) else pid
    process = before.processes.get(pid)
    if event.code in _CHILD and event.sender:
        return f" ({name_process(after, event.sender)} {_CHILD[event.code]})"
    if event.code == "SI_TIMER" or (event.signo in _TIMERS and not event.sender):
        source = f" from its timer{f' {event.timer}' if event.timer >= 0 else ''}"
        if event.overrun:
            source += (
                f", which expired {event.overrun:,} time{'s' if event.overrun > 1 else ''} more"
                " meanwhile,"
            )
        return source
    if event.sender:
        return _describe_sender(event, pid, before, after)
    if isinstance(event, SignalDelivered) and event.fault is not None:
        return f" ({explain_fault(before, event)})"
    if isinstance(event, SignalDelivered) and event.address:
        return f" at address {event.address:#x}"
    if event.code.startswith("POLL_"):
        return _FROM_KERNEL[29]
    if event.code == "SI_USER":
        return " from outside its PID namespace"
    if event.code == "SI_KERNEL":
        terminal = tty_name(process.tty if process is not None else 0)
        on = f" {terminal}" if terminal else ""
        if event.signo in (SIGINT, SIGQUIT, SIGTSTP):
            return f" from a key of its terminal{on}"
        if event.signo in (SIGTTIN, SIGTTOU):
            what = "read from" if event.signo == SIGTTIN else "wanted to write to or change"
            return f", since it {what} its terminal{on} in the background,"
        if event.signo == SIGHUP and process is not None:
            return _explain_hangup(process, before)
        return _FROM_KERNEL.get(event.signo, "")
    return ""


def _explain_hangup(process: Process, before: State) -> str:
    """Why the kernel sent SIGHUP (disassociate_ctty and kill_orphaned_pgrp in the kernel,
    exit(3)).
    """
    leader = before.processes.get(process.session)
    if process.session == process.pid:
        return ", since its terminal is gone,"
    if leader is not None and leader.fate != "alive":
        return f", since the leader of its session, {name_process(before, leader.pid)}, has ended,"
    stopped = process.stopped_by or any(
        d.pid == process.pid and d.action == "stop" for d in before.delivered
    )
    if stopped or leader is not None:
        return ", since its group was stopped, and nobody in its session is left to let it go on,"
    return ", since its terminal is gone, or the leader of its session has ended,"


def _describe_sender(event: SignalDelivered | Taken, pid: int, before: State, after: State) -> str:
    """The process that sent it; or why the kernel did in its name."""
    process = before.processes.get(pid)
    if event.code == "SI_USER" and not any(
        s.signo == event.signo
        and s.sender == event.sender
        and s.delivered is None
        and s.target in (pid, 0, -1)
        for s in before.sent
    ):
        if event.sender == pid and event.signo in _OWN_FAULT:
            return _OWN_FAULT[event.signo]
        if (
            process is not None
            and event.signo == process.death_signal
            and _was_parent(before, process, event.sender)
        ):
            return (
                f", since its parent {name_process(after, event.sender)} has ended"
                " (PR_SET_PDEATHSIG),"
            )
    if event.sender in after.processes:
        name = name_process(after, event.sender)
    else:
        name = f"{event.sender_name or 'process'}[{event.sender}], which is not watched,"
    if event.code == "SI_MESGQ":
        return f", since {name} put a message into an empty queue (mq_notify),"
    value = f" with the value {event.value}" if event.code == "SI_QUEUE" else ""
    return f" from {name}{value}"


def _was_parent(state: State, process: Process, pid: int) -> bool:
    """Whether a process is, or was until it ended, another one's parent."""
    other = state.processes.get(pid)
    made = other is not None and process.lineage.rpartition(".")[0] == other.lineage
    return pid == process.parent or (made and other is not None and other.fate != "alive")


def describe_taken(event: Call, before: State, after: State) -> str:
    """The signals that a call took, with their senders; empty if none are known."""
    found = [effect for effect in event.effects if isinstance(effect, Taken)]
    words = [
        f"{signal_name(one.signo)}{_describe_source(one, before, after, event.pid).rstrip(',')}"
        for one in found[:4]
    ]
    more = f" and {len(found) - 4} more" if len(found) > 4 else ""
    return ", ".join(words) + more


def describe_sigwait(event: Call, before: State, after: State) -> Clause | None:
    """rt_sigtimedwait: sigwait(3), sigwaitinfo(2), sigtimedwait(2)."""
    words = describe_taken(event, before, after)
    if words:
        return Clause(f"took {words} (sigwait)", TURN, "signal")
    if event.error == "EAGAIN":
        return Clause("waited in vain for a signal (sigtimedwait: EAGAIN)", DETAIL, "signal")
    return None


def narrate_handler_returned(event: HandlerReturned, before: State, after: State) -> Sentence:
    """A handler was left."""
    thread = before.threads.get(event.tid)
    which = f" for {signal_name(thread.handlers[-1])}" if thread and thread.handlers else ""
    how = "was left by a jump (siglongjmp)" if event.jumped else "returned"
    text = f"The handler{which} of {name_process(after, event.pid, event.tid)} {how}"
    return Sentence(event.n, event.t, event.pid, text, STEP, "signal")


_REFUSED: Final = {
    "ESRCH": "there is no such process",
    "EPERM": "that is not permitted",
    "EAGAIN": "the limit of pending signals is reached",
}


def describe_kill(event: Call, before: State, after: State) -> Clause | None:
    """A call that sends a signal."""
    effect = next((e for e in event.effects if isinstance(e, Sent)), None)
    if effect is not None:
        return describe_sent(event, effect, after)
    number = event.args.get("pid", event.args.get("tid", "?"))
    target = f"process {number}"
    if isinstance(number, int) and (number <= 0 or number in after.processes):
        target = _name_target(event, number, 0, after)
    if "pidfd" in event.args:
        target = f"the process behind descriptor {event.args['pidfd']}"
    if event.args.get("signal") == 0:
        found = {"": "it is", "EPERM": "it is, and it may not be signalled (EPERM)"}
        answer = found.get(event.error, "it is not")
        return Clause(f"asked whether {target} is there: {answer}", DETAIL, "signal")
    if event.error:
        why = _REFUSED.get(event.error, "")
        words = f"{event.error}, {why}" if why else event.error
        return Clause(
            f"could not send {event.args.get('signal', 'a signal')} to {target}: {words}",
            STEP,
            "signal",
            (),
        )
    return None


def _name_target(event: Call, target: int, tid: int, after: State) -> str:
    """A process, a thread, a group or all, as kill(2) names them."""
    if target > 0:
        return name_process(after, target, tid)
    if target == -1:
        return "every process that it may signal"
    process = after.processes.get(event.pid)
    group = -target or (process.pgrp if process is not None else 0)
    words = "the process group" if target else "its own process group"
    count = len(list_members(after, group))
    if not group:
        return words
    return f"{words} {group}" + (f" ({count} process{'es' if count > 1 else ''})" if count else "")


def describe_sent(event: Call, effect: Sent, after: State) -> Clause:
    """What was sent to whom, and whether it merged with one that was pending."""
    name = signal_name(effect.signo)
    target = _name_target(event, effect.target, effect.tid, after)
    text = f"sent {name} to {target}"
    if "queueinfo" in event.name:
        text += f" with the value {effect.value}"
    last = after.sent[-1] if after.sent else None
    own = last is not None and (last.t, last.signo, last.target) == (
        event.t,
        effect.signo,
        effect.target,
    )
    if last is not None and own and last.coalesced:
        text += ", where one is pending already: they merge into one"
    return Clause(text, TURN, "signal")


def sender_of_end(event: Exited, before: State) -> str:
    """Of SIGKILL, which nobody sees being delivered: `, which sh[12] sent`; empty where much is not
    seen.
    """
    if event.signo != SIGKILL:
        return ""
    if event.forbidden:
        return f", since it called {event.forbidden}, which seccomp's strict mode forbids"
    process = before.processes.get(event.pid)
    group = -process.pgrp if process is not None and process.pgrp else None

    def fits(record: SignalSent) -> bool:
        if record.signo != SIGKILL or record.delivered is not None:
            return False
        target = record.target
        if not target and (own := before.processes.get(record.sender)) is not None:
            target = -own.pgrp
        return target in (event.pid, group, -1)

    found = next((record for record in reversed(before.sent) if fits(record)), None)
    sender = found.sender if found is not None else event.sender
    if sender:
        return f", which {name_process(before, sender)} sent"
    inner = process is not None and process.surroundings is not None and process.surroundings.inner
    if inner or before.started is None or before.started.mode == "attached":
        return ""  # the end of the first process of a PID namespace kills all others in it
    return ", which no watched process was seen to send"


def describe_disposition(event: Call, effect: Disposition, before: State) -> Clause | None:
    """sigaction(2)."""
    process = before.processes.get(event.pid)
    old = process.handling.get(effect.signo) if process else None
    was = old.action if old else "default"
    if was == effect.action:
        return None
    if effect.signo in LIBRARY_SIGNALS:
        words = {"catch": "catches", "ignore": "ignores"}.get(effect.action, "does not catch")
        return Clause(
            f"{words} signal {effect.signo}, which its C library keeps to itself",
            NOISE,
            "signal",
            (),
        )
    name = signal_name(effect.signo)
    if effect.action == "catch":
        flags = [f for f in effect.flags if f != "SA_RESTORER"]
        return Clause(
            f"catches {name} from now on" + (f" ({', '.join(flags)})" if flags else ""),
            STEP,
            "signal",
            (),
        )
    if effect.action == "ignore":
        return Clause(f"ignores {name} from now on", STEP, "signal")
    return Clause(f"lets {name} do its default again", DETAIL, "signal")


def describe_mask(event: Call, effect: Mask, before: State) -> Clause | None:
    """sigprocmask(2)."""
    thread = before.threads.get(event.tid)
    old = thread.blocked if thread else 0
    parts = []
    if more := effect.blocked & ~old:
        parts.append(f"blocks {signal_names(more)}")
    if fewer := old & ~effect.blocked:
        parts.append(f"unblocks {signal_names(fewer)}")
    return Clause(" and ".join(parts), DETAIL, "signal") if parts else None


def kept_across_exec(state: State, pid: int) -> str:
    """What a program that was just executed finds ignored and blocked; empty if nothing is."""
    process, thread = state.processes.get(pid), state.threads.get(pid)
    handling = process.handling.items() if process else ()
    ignored = sum(
        bit_of(s) for s, how in handling if how.action == "ignore" and s not in LIBRARY_SIGNALS
    )
    parts = [f"{signal_names(ignored)} ignored"] if ignored else []
    if thread is not None and thread.blocked:
        parts.append(f"{signal_names(thread.blocked)} blocked")
    return f", with {' and '.join(parts)} from before" if parts else ""


SPECIAL: Final = {
    **dict.fromkeys(
        having("sends signals"),
        describe_kill,
    ),
    "rt_sigtimedwait": describe_sigwait,
}
"""Calls that send or take signals."""
