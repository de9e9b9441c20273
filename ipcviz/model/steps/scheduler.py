"""What a schedule wants next in a state that is at rest, and where a run has departed from it.

Pure.
"""

from __future__ import annotations

from typing import Final

import msgspec

from ipcviz.events import (
    AnyCommand,
    Breakpoint,
    Event,
    Held,
    Let,
    Poised,
    Released,
    RunUntil,
    SendSignal,
    Settled,
    Stepped,
)
from ipcviz.events.calls import is_same_operation
from ipcviz.events.signals import bit_of, signal_name, signal_number
from ipcviz.model.state import Process, State, Thread
from ipcviz.model.steps import stepping
from ipcviz.model.steps.schedule import (
    ACCESSES,
    NO_NAMES,
    GivenNames,
    Line,
    Schedule,
    name_object,
    name_target,
)
from ipcviz.model.waits.rules import wait_of
from ipcviz.model.waits.values import Wait

MOST_STEPS: Final = 10_000
"""Operations after which a goal that was not reached is given up."""
LEFT_BY_HAND: Final = "left by hand"
"""Why a schedule is no longer followed where the viewer has let another one go."""
_ALL: Final = -1


class Move(msgspec.Struct, frozen=True):
    """What a schedule wants next.

    Attributes:
        place: Where the schedule goes on, by its line counted from 0; after the last one if it is
            done.
        line: Which line wants it.
        steps: How many operations this line's goal has taken, with this one.
        command: What the tracer is to be told; None if nothing.
        tid: The thread that it lets go; 0 if none.
        waits: What only time can bring, in words; empty if nothing is waited for.
        departed: How the run has departed from the schedule, in a sentence; empty if it has not.
        wait: What the thread sleeps in that `waits` is about; None if it is about none that does.
            `ipcviz.narrate.steps.awaited_words` says why.
        done: Nothing is left to do.
    """

    place: int = 0
    line: int = 0
    steps: int = 0
    command: AnyCommand | None = None
    tid: int = 0
    waits: str = ""
    departed: str = ""
    wait: Wait | None = None
    done: bool = False


class Scheduler:
    """Follows a schedule through a run: asked at each moment of rest, it says what to do next.

    Args:
        schedule: What to follow.

    Attributes:
        schedule: What is followed.
        place: The line that is next, counted from 0.
        left: Why the schedule is no longer followed, in words; empty as long as it is.
    """

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.place = 0
        self.left = ""
        self._steps = 0
        self._last = 0
        self._asked = 0

    def apply_event(self, event: Event) -> None:
        """Take an event: what was asked for has begun, or come to rest."""
        if isinstance(event, Stepped | Released | Settled):
            self._asked = 0
        elif isinstance(event, Held):
            self._asked = _ALL

    def is_busy(self, state: State) -> bool:
        """Whether the last command is still under way: all is not at rest, or has not begun to
        move.
        """
        thread = state.threads.get(self._asked)
        waiting = self._asked == _ALL or (thread is not None and thread.poised is not None)
        return not state.finished and (bool(state.moving) or waiting)

    def peek_move(self, state: State, names: GivenNames = NO_NAMES) -> Move:
        """What comes next in a state that is at rest; the schedule stays where it is."""
        return decide_move(self.schedule, state, (self.place, self._steps), names, self._last)

    def pop_move(self, state: State, names: GivenNames = NO_NAMES) -> Move:
        """What comes next in a state that is at rest; the caller sends its command."""
        move = self.peek_move(state, names)
        self._follow_move(move)
        return move

    def note_let_go(self, tid: int) -> None:
        """A thread was let go by others than the schedule: until it moves, all is not at rest."""
        self._asked = tid

    def step_by_hand(self, tid: int, state: State, names: GivenNames = NO_NAMES) -> None:
        """The viewer lets a thread go: as the schedule wants it, or instead. Where all take turns
        it is as good as any other.
        """
        if self.left:
            return
        move = self.peek_move(state, names)
        if move.tid == tid:
            self._follow_move(move)
        elif not move.done:
            lines = self.schedule.lines
            if move.line < len(lines) and lines[move.line].kind == "turns":
                self.place, self._steps, self._last = move.line, 0, tid
            else:
                self.left = LEFT_BY_HAND

    def _follow_move(self, move: Move) -> None:
        if move.departed:
            self.left = move.departed
            return
        self.place, self._steps = move.place, move.steps
        self._asked = _ALL if isinstance(move.command, RunUntil) else move.tid
        self._last = move.tid or self._last


def decide_move(
    schedule: Schedule,
    state: State,
    at: tuple[int, int] = (0, 0),
    names: GivenNames = NO_NAMES,
    last: int = 0,
) -> Move:
    """What is to be done next in a state that is at rest.

    Args:
        schedule: The schedule.
        state: The moment.
        at: Where the schedule is: `after` the last move.
        names: The scenario's names.
        last: The thread that was let go last, for `turns`.
    """
    place, steps = at
    while place < len(schedule.lines):
        line = schedule.lines[place]
        move = _decide_line(line, place, steps, state, names, last)
        if move is not None:
            return msgspec.structs.replace(move, line=place)
        place, steps = place + 1, 0
    return Move(place=place, line=place, done=True)


def _decide_line(
    line: Line, place: int, steps: int, state: State, names: GivenNames, last: int
) -> Move | None:
    """What a line wants; None if there is nothing left to do for it."""
    if line.kind == "turns":
        return _decide_turn(place, state, last)
    if line.kind == "run":
        return _await_run(line, place, state) if steps else _decide_run(line, place, state, names)
    process, thread = _find_thread(state, line.who, names)
    if process is None:
        known = ", ".join(sorted(_list_known(state, names))) or "nobody"
        return Move(
            place=place,
            departed=f"line {line.number} is about {line.who}, but there is only {known}",
        )
    if line.kind == "signal" and steps:
        if signal_name(line.signo) == "SIGKILL" and process.fate == "alive":
            # It ends for certain: what the next line lets go must find it so.
            return Move(place=place, steps=1, waits=f"{line.who} to end")
        return None
    if thread is None:
        return None if line.kind == "to end" else _depart_from(line, place, f"{line.who} has ended")
    if line.kind == "pending":
        if stepping.find_pending_signals(state, thread) & bit_of(line.signo):
            return None
        return Move(place=place, waits=f"{signal_name(line.signo)} to be pending on {line.who}")
    if line.kind == "signal":
        return Move(place=place, steps=1, command=SendSignal(pid=process.pid, signo=line.signo))
    return _decide_step(line, place, steps, state, names, thread)


def _await_run(line: Line, place: int, state: State) -> Move | None:
    """Everything was let go: what is waited for until the next line."""
    if not line.until:
        waits = "" if state.finished else "the end"
        return Move(place=place, steps=1, done=state.finished, waits=waits)
    if state.stepping or state.finished:
        return None
    return Move(place=place, steps=1, waits="a breakpoint")


def _decide_step(
    line: Line, place: int, steps: int, state: State, names: GivenNames, thread: Thread
) -> Move | None:
    """What a line wants of a thread that is to make one operation or several; None if it is where
    the line wants it.
    """
    poised = thread.poised
    if poised is None:
        if line.kind == "until blocked" and thread.waiting is not None:
            return None
        waits = f"{line.who} {_describe_wish(line)}, but it {_describe_stand(state, thread)}"
        return Move(place=place, steps=steps, waits=waits, wait=wait_of(state, thread.tid))
    let_go = Let(tid=thread.tid)
    # A thread is held behind its loads and stores: one that it has made before is not meant.
    made_before = poised.at == "access" and not steps
    if line.kind == "to" and not made_before and _stands_there(line, poised, state, names):
        return None
    if line.kind == "step" and _is_operation(line, poised, state, names):
        return Move(place=place + 1, command=let_go, tid=thread.tid)
    if line.kind == "step":
        return _depart_from(line, place, f"it {_describe_stand(state, thread)}")
    if steps >= MOST_STEPS:
        return _depart_from(line, place, f"{steps:,} operations did not bring it there")
    return Move(place=place, steps=steps + 1, command=let_go, tid=thread.tid)


def _depart_from(line: Line, place: int, instead: str) -> Move:
    """The run is not what the schedule wants, and can't be any more."""
    wish = f"line {line.number} wants {line.who} {_describe_wish(line)}"
    return Move(place=place, departed=f"{wish}, but {instead}")


def _decide_turn(place: int, state: State, last: int) -> Move:
    if state.finished:
        return Move(place=place, done=True)
    tid = stepping.find_next_in_turn(state, last)
    if tid:
        return Move(place=place, command=Let(tid=tid), tid=tid)
    return Move(place=place, waits="someone who can go on")


def _decide_run(line: Line, place: int, state: State, names: GivenNames) -> Move:
    until = []
    for wanted in line.until:
        key = ""
        if "on" in wanted:
            key = _find_key(state, wanted["on"], names)
            if not key:
                return Move(
                    place=place,
                    departed=f"line {line.number} is about {wanted['on']}, which is not there yet",
                )
        pid = 0
        if "of" in wanted:
            process, _ = _find_thread(state, wanted["of"], names)
            if process is None:
                return Move(
                    place=place,
                    departed=f"line {line.number} is about {wanted['of']}, who is not there yet",
                )
            pid = process.pid
        until.append(
            Breakpoint(
                event=wanted.get("event", ""),
                call=wanted.get("call", "").removeprefix("sem_"),
                object=key,
                pid=pid,
                signo=signal_number(wanted.get("signal", "")) or 0,
                condition=wanted.get("is", ""),  # type: ignore[arg-type]
            )
        )
    return Move(place=place, steps=1, command=RunUntil(until=tuple(until)))


def _find_thread(state: State, who: str, names: GivenNames) -> tuple[Process | None, Thread | None]:
    """Whom a name means: the process (None if there was none), and its thread (None if that has
    ended).
    """
    tid = stepping.find_thread(state, who, names.roles)
    if tid:
        thread = state.threads[tid]
        return state.processes.get(thread.pid), thread
    name, _, number = who.rpartition("/")
    ended = name if name and number.isdigit() else who
    for pid, process in state.processes.items():
        if ended in (names.roles.get(pid, ""), process.lineage):
            made = not name or process.made_threads >= int(number)
            return (process if made else None), None
    return None, None


def _list_known(state: State, names: GivenNames) -> list[str]:
    return [stepping.name_thread(state, tid, names.roles) for tid in state.threads]


def _find_key(state: State, label: str, names: GivenNames) -> str:
    """The object or semaphore of that name; empty if there is none."""
    for key, name in names.labels.items():
        if name == label:
            return key
    for key, thing in state.objects.items():
        if thing.label == label:
            return key
    for key, variable in state.variables.items():
        if variable.label == label:
            return key
    return next(
        (key for key, semaphore in state.semaphores.items() if semaphore.label == label), ""
    )


def _is_operation(line: Line, poised: Poised, state: State, names: GivenNames) -> bool:
    if not is_same_operation(stepping.name_operation(poised), line.operation):
        return False
    return not line.on or name_object(state, name_target(poised), names) == line.on


def _stands_there(line: Line, poised: Poised, state: State, names: GivenNames) -> bool:
    if not is_same_operation(stepping.name_place(poised), line.operation):
        return False
    return not line.on or name_object(state, name_target(poised), names) == line.on


_MEANT: Final = {"return": "to return", "start": "to start", "run": "to run in its own code"}


def _describe_wish(line: Line) -> str:
    """What a line wants of its process: `to read`, `to come to pause`."""
    on = f" on {line.on}" if line.on else ""
    if line.kind == "to" and line.operation in ACCESSES:
        return f"to {line.operation} {line.on or 'a variable'}"
    if line.kind == "to":
        return f"to come to {line.operation}{on}"
    if line.kind == "step":
        meant = _MEANT.get(line.operation) or (
            f"to take {line.operation}"
            if line.operation.startswith("SIG")
            else f"to {line.operation}"
        )
        return meant + on
    return {
        "to end": "to end",
        "until blocked": "to block",
        "pending": "to have a signal pending",
    }.get(line.kind, "to be there")


def _describe_stand(state: State, thread: Thread) -> str:
    """Where a thread is, in words: `stands before write`, `is blocked in read`."""
    if thread.poised is not None:
        at, name = thread.poised.at, stepping.name_operation(thread.poised)
        if at == "signal":
            return f"is about to take {name}"
        if at == "return":
            return f"stands behind its {thread.poised.call or 'call'}"
        if at == "access":
            return f"stands behind its {thread.poised.op}"
        return {"start": "has just begun", "running": "is in its own code"}.get(
            at, f"stands before {name}"
        )
    wait = wait_of(state, thread.tid)
    return f"is blocked in {wait.call}" if wait is not None else "runs"
