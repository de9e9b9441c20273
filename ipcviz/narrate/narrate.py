"""`narrate(event, before, after)`: an event as a sentence, or None if it says nothing that the log
needs.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import Any, Final

from ipcviz.events import (
    Accessed,
    Call,
    Continued,
    Counted,
    Coverage,
    Dropped,
    EndForced,
    Entered,
    Event,
    Executed,
    Exited,
    Finished,
    Forked,
    HandlerReturned,
    Held,
    Marker,
    OpenedOutside,
    Outsiders,
    Poised,
    Reaped,
    Released,
    SemaphoreOp,
    SignalDelivered,
    Started,
    Stopped,
    Table,
    ThreadCreated,
    ThreadExited,
    Trouble,
    VariableFound,
    Waiting,
)
from ipcviz.events.calls import CHANGES_SEMAPHORES, WRITES
from ipcviz.events.signals import signal_name
from ipcviz.model.mechanisms.programs import is_named_otherwise
from ipcviz.model.mechanisms.queues import SENDS
from ipcviz.model.state import State
from ipcviz.model.waits.circles import find_circle
from ipcviz.model.waits.rules import wait_of
from ipcviz.narrate.calls import narrate_call
from ipcviz.narrate.circles import describe_circle
from ipcviz.narrate.families import describe_orphans, waits_for_nobody
from ipcviz.narrate.locks import released_by_exit
from ipcviz.narrate.memory import explain_fault
from ipcviz.narrate.outsiders import narrate_outsiders
from ipcviz.narrate.pipes import describe_lost_ends, still_open
from ipcviz.narrate.semaphores import describe_entered_semop, narrate_semaphore_op
from ipcviz.narrate.sentence import DETAIL, STEP, TURN, Sentence
from ipcviz.narrate.signals import (
    kept_across_exec,
    narrate_delivered,
    narrate_handler_returned,
    sender_of_end,
)
from ipcviz.narrate.sockets import explain_closed
from ipcviz.narrate.steps import narrate_held, narrate_poised, narrate_released
from ipcviz.narrate.variables import narrate_access, narrate_variable_found
from ipcviz.narrate.waits import describe_reason_clause, format_call
from ipcviz.narrate.words import count_bytes, label_of, name_process, name_with_kind

COUNTED_NAMED: Final = 3
"""So many calls are told by their names where calls were only counted."""


def narrate(event: Event, before: State, after: State) -> Sentence | None:
    """An event in one plain sentence.

    Args:
        event: The event.
        before: The state before it.
        after: The state that it led to, `reduce(before, event)`.

    Returns:
        The sentence, or None for what is not an event between processes: samples, output, whole
            tables.
    """
    tell = _TELL.get(type(event))
    return tell(event, before, after) if tell else None


def _narrate_started(event: Started, before: State, after: State) -> Sentence:
    how = "Attached to" if event.mode == "attached" else "Started"
    where = ", on a terminal of its own" if event.terminal else ""
    return Sentence(event.n, event.t, 0, f"{how} {shlex.join(event.argv)}{where}", TURN, "session")


_MADE: Final = {"fork": "forked", "vfork": "vforked", "clone": "cloned"}


def _narrate_forked(event: Forked, before: State, after: State) -> Sentence:
    child = name_process(after, event.pid)
    if event.how == "launched":
        text = f"{child} was launched"
    elif event.how == "attached":
        text = f"{child} is watched from now on"
    else:
        text = f"{name_process(after, event.parent)} {_MADE.get(event.how, 'made')} {child}"
        if event.shares_files:
            text += ", which shares its descriptor table"
        elif event.how == "vfork":
            text += " and waits until that executes or exits"
    return Sentence(event.n, event.t, event.pid, text, TURN)


def _narrate_thread_created(event: ThreadCreated, before: State, after: State) -> Sentence:
    return Sentence(
        event.n,
        event.t,
        event.pid,
        f"{name_process(after, event.pid)} made the thread {event.tid}",
        STEP,
    )


def _narrate_thread_exited(event: ThreadExited, before: State, after: State) -> Sentence:
    return Sentence(
        event.n,
        event.t,
        event.pid,
        f"Thread {event.tid} of {name_process(after, event.pid)} ended",
        STEP,
    )


def _narrate_executed(event: Executed, before: State, after: State) -> Sentence:
    old = name_process(before, event.pid)
    closed = len(before.descriptors_of(event.pid)) - len(after.descriptors_of(event.pid))
    text = f"{old} executes {_format_command(event)}"
    if closed > 0:
        text += f": {closed} close-on-exec descriptor{'s are' if closed > 1 else ' is'} closed"
    text += kept_across_exec(after, event.pid)
    left = describe_lost_ends(before, after, before.object_keys_of(event.pid)) if closed > 0 else {}
    if left:
        text += f"; {', '.join(left.values())}"
    return Sentence(event.n, event.t, event.pid, text, TURN, objects=tuple(left))


def _format_command(event: Executed) -> str:
    """A program with its arguments; by its file where argv[0] does not name it."""
    if not is_named_otherwise(event.argv, event.name, event.path):
        return shlex.join(event.argv) if event.argv else event.path
    program = event.path or event.name
    if not event.argv:
        return f"{shlex.quote(program)} without arguments, not even argv[0]"
    return f"{shlex.join((program, *event.argv[1:]))} (argv[0] is {shlex.quote(event.argv[0])})"


def _narrate_exited(event: Exited, before: State, after: State) -> Sentence:
    subject = name_process(after, event.pid)
    if event.unknown:
        text = f"{subject} is gone; how it ended is not known, since it was only sampled"
    elif event.signo:
        text = f"{subject} was killed by {signal_name(event.signo)}" + (
            " (core dumped)" if event.core else ""
        )
        text += sender_of_end(event, before)
        process = before.processes.get(event.pid)
        if process is not None and process.fault is not None and process.fault.signo == event.signo:
            text += f": {explain_fault(before, process.fault)}"
    else:
        text = f"{subject} exited with status {event.code}"
    orphans = describe_orphans(event.orphans, after)
    if orphans:
        text += f"; {orphans}"
    keys = _ended_by(before, after, event.pid) | released_by_exit(event.pid, before, after)
    if keys:
        text += f": {'; '.join(keys.values())}"
    return Sentence(event.n, event.t, event.pid, text, TURN, objects=tuple(keys))


def _ended_by(before: State, after: State, pid: int) -> dict[str, str]:
    """What a process's end closed the last ends of, in words, by object key."""
    held = before.object_keys_of(pid)
    words = describe_lost_ends(before, after, held)
    for key in sorted(held):
        old, thing = before.objects.get(key), after.objects.get(key)
        ended = explain_closed(old, before, after) if old is not None and not old.shut else ""
        if thing is not None and ended:
            words[key] = f"{thing.label} is closed: {ended}"
    return words


def _narrate_reaped(event: Reaped, before: State, after: State) -> Sentence:
    child = name_process(after, event.pid)
    # Who is not watched, ipcviz above all, is no part of the story.
    known = event.by in after.processes
    text = (
        f"{name_process(after, event.by)} waited for {child}: it is gone"
        if known
        else f"{child} was waited for: it is gone"
    )
    if not event.by and (why := waits_for_nobody(before, event.pid)):
        text = f"{child} is gone without a wait: {why}"
    return Sentence(event.n, event.t, event.by or event.pid, text, STEP)


def _narrate_table(event: Table, before: State, after: State) -> Sentence | None:
    if not event.differed:
        return None
    numbers = ", ".join(str(fd) for fd in event.differed)
    text = (
        f"{name_process(after, event.pid)}: descriptors {numbers} are not what the calls seen so"
        " far had made of them"
    )
    return Sentence(event.n, event.t, event.pid, text, STEP, "session")


def _narrate_entered(event: Entered, before: State, after: State) -> Sentence | None:
    """A write or send under way of which others have taken something already: its return comes
    later.
    """
    if event.call in CHANGES_SEMAPHORES:
        text = f"{name_process(after, event.pid, event.tid)} {describe_entered_semop(event, after)}"
        return Sentence(event.n, event.t, event.pid, text, STEP, "semaphore", (event.object,))
    sends = event.call in WRITES or event.call in SENDS or event.call == "sendmmsg"
    thing = after.objects.get(event.object)
    if event.cut or not sends or thing is None:
        return None
    fd = event.fd
    count = event.get_number("count")
    amount = f"{count_bytes(count)} " if count is not None and event.call not in SENDS else ""
    verb = "sending" if event.call.startswith(("send", "mq_", "msg")) else "writing"
    where = f"{thing.label} (fd {fd})" if fd is not None else thing.label
    text = (
        f"{name_process(after, event.pid, event.tid)} is {verb} {amount}to {where}: its"
        f" {event.call} has not returned yet"
    )
    group = f"{event.tid} under way {event.object}"
    return Sentence(event.n, event.t, event.pid, text, STEP, "data", (event.object,), group)


def _narrate_waiting(event: Waiting, before: State, after: State) -> Sentence | None:
    wait = wait_of(after, event.tid)
    if wait is None:
        return None
    subject = name_process(after, event.pid, event.tid)
    call = format_call(wait)
    target, keys = "", tuple(dict.fromkeys(key for key in (wait.object, wait.semaphore) if key))
    if wait.semaphore and wait.semaphore in after.semaphores:
        target = f" on {after.semaphores[wait.semaphore].label}"
    elif wait.object in after.objects:
        target = f" on {label_of(after, wait.object)}"
    else:
        path = event.args.get("pathname", event.args.get("path", ""))
        target = f" of {path}" if path else ""
    forgotten = still_open(wait, after)
    verb = "is blocked" if wait.blocked else "waits"
    text = f"{subject} {verb} in {call}{target}{describe_reason_clause(after, wait, forgotten)}"
    around = find_circle(after, event.tid)
    if around is not None and not (forgotten and len(around.tids) == 1):
        text += f"; {describe_circle(after, around)}"
    weight = DETAIL if wait.idle and not wait.object else TURN
    group = f"wait {event.tid} {call} {wait.object or wait.semaphore}"
    return Sentence(
        event.n, event.t, event.pid, text, weight, "wait", keys, group, recurs=wait.limited
    )


def _narrate_stopped(event: Stopped, before: State, after: State) -> Sentence:
    text = f"{name_process(after, event.pid)} was stopped by {signal_name(event.signo)}"
    return Sentence(event.n, event.t, event.pid, text, TURN, "signal")


def _narrate_continued(event: Continued, before: State, after: State) -> Sentence:
    return Sentence(
        event.n,
        event.t,
        event.pid,
        f"{name_process(after, event.pid)} was continued",
        TURN,
        "signal",
    )


def _narrate_marker(event: Marker, before: State, after: State) -> Sentence:
    return Sentence(
        event.n,
        event.t,
        event.pid,
        f"{name_process(after, event.pid, event.tid)}: {event.text}",
        TURN,
        "session",
    )


def _narrate_coverage(event: Coverage, before: State, after: State) -> Sentence:
    subject = name_process(after, event.pid)
    if event.semaphores is not None:
        seen = (
            "seen again" if event.semaphores else "not seen from here on, their values are sampled"
        )
        text = f"What {subject} does with POSIX semaphores is {seen}" + (
            f": {event.reason}" if event.reason else ""
        )
    elif event.full:
        text = f"Every call of {subject} is traced again"
    elif event.calls is False:
        why = f" ({event.reason})" if event.reason else ""
        text = (
            f"Calls and signals of {subject} are only counted from here on{why}: what it has open"
            " is sampled"
        )
    else:
        why = f" ({event.reason})" if event.reason else ""
        text = f"{subject} is only sampled from here on{why}: its counts are lower bounds"
    return Sentence(
        event.n,
        event.t,
        event.pid,
        text,
        TURN,
        "session",
        group=f"coverage {event.pid} {event.full} {event.semaphores}",
    )


def _narrate_counted(event: Counted, before: State, after: State) -> Sentence:
    calls = sorted(event.calls.items(), key=lambda row: -row[1])
    parts = [
        _format_count(times, "call") + f" of {name}" + _describe_failure(event, name)
        for name, times in calls[:COUNTED_NAMED]
    ]
    rest = sum(times for _, times in calls[COUNTED_NAMED:])
    if rest:
        parts.append(_format_count(rest, "other call"))
    parts += [
        f"{_format_count(times, 'signal')} {signal_name(signo)}"
        for signo, times in sorted(event.signals.items())
    ]
    text = f"{name_process(after, event.pid)}, only counted: {', '.join(parts)}"
    return Sentence(event.n, event.t, event.pid, text, TURN, "session")


def _describe_failure(event: Counted, name: str) -> str:
    """How the one call of a name ended that was looked at, if it failed."""
    error = event.errors.get(name, "")
    if not error:
        return ""
    return f" (failed: {error})" if event.calls[name] == 1 else f" (the first failed: {error})"


def _format_count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _narrate_opened_outside(event: OpenedOutside, before: State, after: State) -> Sentence:
    someone = f"{event.name or 'process'}[{event.pid}]" if event.pid else "Somebody"
    thing = after.objects.get(event.object)
    text = (
        f"{someone}, who is not watched, opened"
        f" {name_with_kind(thing) if thing is not None else 'a FIFO'}"
    )
    return Sentence(event.n, event.t, 0, text, TURN, "session", (event.object,))


def _narrate_dropped(event: Dropped, before: State, after: State) -> Sentence:
    text = f"{event.events:,} events of data calls were left out here: there were too many to show"
    return Sentence(event.n, event.t, 0, text, TURN, "session", group="dropped")


def _narrate_end_forced(event: EndForced, before: State, after: State) -> Sentence:
    attached = after.started is not None and after.started.mode == "attached"
    count = f"{event.living} process{'' if event.living == 1 else 'es'}"
    fate = "let go of" if attached else "killed"
    text = (
        f"ipcviz was left: {count} that still lived {'is' if event.living == 1 else 'are'} {fate}"
    )
    return Sentence(event.n, event.t, 0, text, TURN, "session")


def _narrate_trouble(event: Trouble, before: State, after: State) -> Sentence:
    return Sentence(event.n, event.t, event.pid, event.message, TURN, "session")


def _narrate_finished(event: Finished, before: State, after: State) -> Sentence:
    if after.started is not None and after.started.mode == "attached":
        text = "Nothing that was attached to is left"
        if event.detached:
            text = (
                f"Detached: {event.detached}"
                f" process{'es run' if event.detached > 1 else ' runs'} on"
            )
        return Sentence(event.n, event.t, after.root, text, TURN, "session")
    status = (
        f"was ended by {signal_name(event.signo)}"
        if event.signo
        else f"ended with status {event.code}"
    )
    left = f"; {event.left} of its processes still run" if event.left else ""
    text = f"The command {status}{left}"
    if before.command_code is not None and not event.left:
        text = "Nothing of the command is left running"
    return Sentence(event.n, event.t, after.root, text, TURN, "session")


_TELL: Final[dict[type, Callable[[Any, State, State], Sentence | None]]] = {
    Started: _narrate_started,
    Forked: _narrate_forked,
    ThreadCreated: _narrate_thread_created,
    ThreadExited: _narrate_thread_exited,
    Executed: _narrate_executed,
    Exited: _narrate_exited,
    Reaped: _narrate_reaped,
    Table: _narrate_table,
    Call: narrate_call,
    Entered: _narrate_entered,
    Waiting: _narrate_waiting,
    SignalDelivered: narrate_delivered,
    HandlerReturned: narrate_handler_returned,
    Stopped: _narrate_stopped,
    Continued: _narrate_continued,
    SemaphoreOp: narrate_semaphore_op,
    VariableFound: narrate_variable_found,
    Accessed: narrate_access,
    Marker: _narrate_marker,
    Coverage: _narrate_coverage,
    Counted: _narrate_counted,
    OpenedOutside: _narrate_opened_outside,
    Outsiders: narrate_outsiders,
    Dropped: _narrate_dropped,
    EndForced: _narrate_end_forced,
    Trouble: _narrate_trouble,
    Finished: _narrate_finished,
    Held: narrate_held,
    Released: narrate_released,
    Poised: narrate_poised,
}
