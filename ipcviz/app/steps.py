"""Step mode as the app drives it: whose turn it is, what is asked of the tracer, what became of the
last step.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Final

from ipcviz.events import (
    AnyCommand,
    Breakpoint,
    Call,
    Event,
    Held,
    HoldAll,
    Let,
    RunUntil,
    SendSignal,
)
from ipcviz.model.state import State
from ipcviz.model.steps import stepping
from ipcviz.model.steps.schedule import GivenNames, Recorder, Schedule
from ipcviz.model.steps.scheduler import Move, Scheduler
from ipcviz.model.waits.rules import wait_of
from ipcviz.narrate import Outcomes, narrate
from ipcviz.narrate.steps import describe_awaited, describe_held

_MOST_WANTED: Final = 8
"""Steps that can be asked for while one is still under way."""
_NEXT: Final = 0
_OTHER_WAY: Final = "this run went another way than the lesson's order"
_ASK_AGAIN: Final = "the lesson's order waits for one who sleeps: n again leaves it."


class Steps:
    """Lets threads go one at a time, as the viewer or a schedule wants it.

    Args:
        send: Tells the tracer something.
        clock: Seconds, for slow motion; tests give one that stands still.

    Attributes:
        recorder: The steps that were made, as a schedule.
        outcomes: What became of the last one.
        title: What the schedule is called; empty without one, and for a lesson's own order, which
            nobody has asked for.
        said: What the viewer is to be told about the schedule: that it waits, is done, or was
            departed from.
        rate: Steps a second in slow motion; 0 if it is off.
        where: That all are held, and at which breakpoint, in words; empty if the viewer wanted it.
    """

    def __init__(
        self,
        send: Callable[[AnyCommand], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.recorder = Recorder()
        self.outcomes = Outcomes(narrate)
        self.title = ""
        self.said = ""
        self.rate = 0.0
        self.where = ""
        self._send = send
        self._scheduler = Scheduler(Schedule())
        self._following = False
        self._clock = clock
        self._state = State()
        self._names = GivenNames()
        self._wanted: deque[int] = deque()
        self._due = 0.0
        self._waited = -1

    def follow_schedule(self, schedule: Schedule, title: str = "") -> None:
        """Let this schedule say from now on who is next; without a title it is a lesson's own, and
        left where it leads no further.
        """
        self._scheduler, self.title, self._following = Scheduler(schedule), title, True

    # Taking in.

    def add_event(self, event: Event, before: State, after: State, names: GivenNames) -> None:
        """Add an event that came, with the states around it and the scenario's names."""
        self._state, self._names = after, names
        if not (before.stepping or after.stepping):
            if isinstance(event, Call):
                self.recorder.record_event(event, before, names)
            return
        self.recorder.record_event(event, before, names)
        self._scheduler.apply_event(event)
        self.outcomes.add_event(event, before, after)
        if isinstance(event, Held):
            self.where = describe_held(event, after) if event.reason else ""

    def tick(self) -> bool:
        """Do what was asked for while a step was under way, and what slow motion wants.

        Returns whether it did.
        """
        state = self._state
        if not state.stepping or self._scheduler.is_busy(state):
            return False
        if self._wanted:
            self._resume_next(self._wanted.popleft())
            return True
        if self.rate and self._clock() >= self._due:
            self._due = self._clock() + 1 / self.rate
            self._resume_next(_NEXT)
            return True
        return False

    # What the viewer wants.

    @property
    def busy(self) -> bool:
        """Whether what was asked for last has not come to rest yet."""
        return self._scheduler.is_busy(self._state)

    @property
    def following(self) -> bool:
        """Whether a schedule says who is next."""
        return self._following

    @property
    def in_lesson(self) -> bool:
        """Whether a lesson's own order says who is next."""
        return self._following and not self.title

    @property
    def called(self) -> str:
        """What is followed, as it is called within a sentence."""
        return "the lesson's order" if self.in_lesson else "the schedule"

    @property
    def taking_turns(self) -> bool:
        """Whether the schedule has come to where it lets all take turns."""
        lines = self._scheduler.schedule.lines
        place = self._scheduler.peek_move(self._state, self._names).line
        return place < len(lines) and lines[place].kind == "turns"

    def schedule_line(self, state: State) -> tuple[int, int, str]:
        """Which line of the schedule is next, from 1, how many there are, and what it says."""
        lines = self._scheduler.schedule.lines
        place = self._scheduler.peek_move(state, self._names).line
        return (
            min(place + 1, len(lines)),
            len(lines),
            lines[place].text if place < len(lines) else "",
        )

    def is_schedule_done(self, state: State) -> bool:
        """Whether the schedule that is followed has nothing left to do."""
        return self._scheduler.peek_move(state, self._names).done

    @property
    def preparing(self) -> bool:
        """Whether the schedule has not come further than a run at its beginning, which is there to
        leave out what comes before the story.
        """
        lines, place = self._scheduler.schedule.lines, self._scheduler.place
        return self._following and not place and bool(lines) and lines[0].kind == "run"

    def describe_wish(self, state: State) -> str:
        """What the schedule wants where it is nobody's turn; empty if it wants nothing."""
        if not self._following:
            return ""
        move = self._scheduler.peek_move(state, self._names)
        if isinstance(move.command, RunUntil):
            return f"all run by themselves, as {self.called} wants it"
        awaited = describe_awaited(state, move)
        return f"{self.called} waits for {awaited}" if awaited else ""

    def next_tid(self, state: State) -> int:
        """Who is next, by the schedule or by turns; 0 if nobody can go on."""
        if self._following:
            move = self._scheduler.peek_move(state, self._names)
            if move.tid or not (move.done or move.departed):
                return move.tid
        return stepping.find_next_in_turn(state, self.outcomes.tid)

    def let_next(self) -> None:
        """Let the next one go."""
        self._request_step(_NEXT)

    def let_thread(self, tid: int) -> None:
        """Let this one go."""
        self._request_step(tid)

    def hold_all(self) -> None:
        """Hold everything."""
        self._send(HoldAll())

    def run_until(self, until: tuple[Breakpoint, ...] = (), words: str = "") -> None:
        """Let everything run, until a breakpoint if there is any; `words` are those of a
        schedule.
        """
        self.rate = 0.0
        self._wanted.clear()
        if self.in_lesson:
            # What its next lines name may have gone by when all are held again.
            self._following = False
        if self._state.stepping:
            self.recorder.record_run(words)
        self._send(RunUntil(until=until))

    def set_rate(self, rate: float) -> None:
        """Take steps by itself, so many a second; 0 ends that."""
        self.rate = rate
        self._due = self._clock()

    def send_signal(self, pid: int, signo: int) -> None:
        """The viewer sends a signal."""
        if self._state.stepping:
            self.recorder.record_signal(self._state, pid, signo, self._names)
        self._send(SendSignal(pid=pid, signo=signo))

    def _request_step(self, tid: int) -> None:
        if self._scheduler.is_busy(self._state):
            if len(self._wanted) < _MOST_WANTED:
                self._wanted.append(tid)
        else:
            self._resume_next(tid)

    def _resume_next(self, tid: int) -> None:
        """Let one go: this one, or whoever is next."""
        if tid != _NEXT:
            thread = self._state.threads.get(tid)
            if thread is None or thread.poised is None:
                return
            called = self.called
            if self._following:
                self._scheduler.step_by_hand(tid, self._state, self._names)
            self._resume_thread(tid)
            if self._following and self._scheduler.left:
                self._leave_schedule(f"{called} was {self._scheduler.left}: all take turns.")
            return
        left = ""
        if self._following:
            if self._by_schedule(self._scheduler.pop_move(self._state, self._names)):
                return
            left = self.said
        tid = stepping.find_next_in_turn(self._state, self.outcomes.tid)
        if tid:
            self._resume_thread(tid)
            self.said = left
        elif self.rate and self._state.finished:
            self.rate = 0.0

    def _resume_thread(self, tid: int) -> None:
        self._scheduler.note_let_go(tid)
        self.said = ""
        self._send(Let(tid=tid))

    def _by_schedule(self, move: Move) -> bool:
        """Do what the schedule wants, or leave it at its end.

        Returns whether that is all. At the schedule's end it is not for a viewer who steps by hand:
        the screen has named who is next in turn. Slow motion rests there.
        """
        called = self.called
        if move.done or move.departed:
            # Which line that was is of use to who has written or asked for it, not to a class.
            departed = _OTHER_WAY if self.in_lesson else move.departed
            done = f"{called} is done: all take turns." if stepping.list_held(self._state) else ""
            self._leave_schedule(f"{departed}: all take turns." if move.departed else done)
            self._following = False
            rests = bool(move.departed) or self.rate > 0
            self.rate = 0.0
            return rests
        awaited = describe_awaited(self._state, move)
        may_leave = bool(awaited) and self._is_lesson_stuck()
        before, self._waited = self._waited, self._state.step
        if may_leave and before == self._state.step:
            self._leave_schedule(f"{called} waited in vain: all take turns.")
            self.rate = 0.0
            return True
        waits = f"{called} waits for {awaited}." if awaited else ""
        self.said = _format_sentence(_ASK_AGAIN if may_leave else waits)
        if isinstance(move.command, SendSignal):
            self.send_signal(move.command.pid, move.command.signo)
        elif move.command is not None:
            self._send(move.command)
        return True

    def _is_lesson_stuck(self) -> bool:
        """Whether nobody but those who are held could bring what a lesson waits for: time alone
        does not, and its order does not let them go. Nobody who steps through a lesson is to be
        left with a key that does nothing.
        """
        state = self._state
        if not self.in_lesson or not stepping.list_held(state):
            return False
        waits = (wait_of(state, tid) for tid in state.threads)
        timed = any(wait is not None and wait.limited for wait in waits)
        return not timed and not any(timer.armed for timer in state.timers.values())

    def _leave_schedule(self, why: str) -> None:
        if why:
            self._following = False
            self.said = _format_sentence(why)


def _format_sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}"
