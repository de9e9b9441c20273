"""Calls under way that move bytes through channels: what the byte ledger (`ipcviz.model.ledger`)
must be told of them.

A call's effect happens at some moment between its entry and its return. Two that are under way at
the same time can't be put into an order afterwards, so the time between is kept short: returns that
are already there are taken before a further call is let in (`list_siblings`). What is under way
when a read returns, and may have to do with its bytes, is said by `Entered` just before. A thread
that sleeps in a read of a pipe, or in a write of at most PIPE_BUF bytes, has moved nothing so far:
a look at its state in /proc saves the event, and the doubt.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from typing import Final

import msgspec

from ipcviz.events import Entered, Level
from ipcviz.events.arguments import Arguments, WithArguments
from ipcviz.model.ledger.directions import (
    CHANNEL_READS,
    CHANNEL_WRITES,
    NOWHERE,
    Directions,
    find_directions,
    untouched_asleep,
)
from ipcviz.model.state import State

QUIET_LOOKS: Final = 64
"""Of so many calls under way on a channel at most it is asked whether any may have moved bytes."""

TAKING_TURNS_SECONDS: Final = 0.001
"""Between two looks at how much long writes to one pipe have put there together, at least."""

LOOKS: Final = 8
"""How many threads are looked at, or have their returns taken first, when another one's call begins
or returns.
"""

_BY_OBJECT: Final = (CHANNEL_READS | CHANNEL_WRITES) - {"vmsplice"}
"""Calls whose directions follow from the object behind their descriptor alone."""


class MovingCall(msgspec.Struct, WithArguments, eq=False):
    """A call that is under way, and the channels that it moves bytes from and to.

    Attributes:
        pid: The process.
        tid: The thread.
        name: The call.
        args: Its arguments by name.
        object: Key of the object behind its descriptor argument.
        data: The first bytes that it is about to write.
        began: When it was entered.
        ends: From and into which channels it moves bytes.
        slept: When its thread was last seen asleep inside it, or cut short before it moved
            anything; 0 if it was not.
        said: It was said to be under way, and may have moved bytes.
    """

    pid: int
    tid: int
    name: str
    args: Arguments
    object: str
    data: bytes
    began: float
    ends: Directions = NOWHERE
    slept: float = 0.0
    said: bool = False

    @property
    def untouched(self) -> bool:
        """Whether it has moved nothing as long as it sleeps: nobody promises that of sockets."""
        return self.on_pipe and untouched_asleep(self.name, self.args)

    @property
    def on_pipe(self) -> bool:
        """Whether it moves bytes through pipes and FIFOs alone."""
        return not any(key.startswith("socket:") for key in self.ends)

    @property
    def earliest(self) -> float:
        """The moment before which it moved nothing."""
        return max(self.began, self.slept) if self.untouched else self.began


class Moving:
    """The calls that are under way on each channel.

    Args:
        state: Gives the state after the last event.
        now: Gives session seconds.
        asleep: Whether a thread (process, thread) sleeps.
        say: Emits an event, whose number it gives.
    """

    def __init__(
        self,
        state: Callable[[], State],
        now: Callable[[], float],
        asleep: Callable[[int, int], bool],
        say: Callable[[Entered], None],
    ) -> None:
        self._state = state
        self._now = now
        self._asleep = asleep
        self._say = say
        self._moves: dict[int, MovingCall] = {}
        self._readers: dict[str, dict[int, MovingCall]] = {}
        self._writers: dict[str, dict[int, MovingCall]] = {}
        self._balance: dict[str, int] = {}
        self._written: dict[str, float] = {}
        self._touched: set[str] = set()
        self._noted: dict[str, tuple[int, float]] = {}
        """The balance of a channel when it was last noted which of its long writes sleep, and when
        that was.
        """
        self.contended: set[str] = set()
        """Pipes whose level is to be read now: some of what long writes put there was read."""
        self.packets: set[str] = set()
        """Pipes in packet mode: reads throw bytes away there, so nobody knows by counting how many
        are left.
        """
        self._asked_of: State | None = None
        self._answers: dict[tuple[str, str], Directions] = {}
        """What `find_ends` found in that state."""

    def find_ends(self, pid: int, name: str, args: Arguments, key: str) -> Directions:
        """From and into which channels a call that is about to be let in moves bytes."""
        state = self._state()
        if name not in _BY_OBJECT:
            return find_directions(state, pid, name, args, key)
        if state is not self._asked_of:
            self._asked_of = state
            self._answers.clear()
        ends = self._answers.get((name, key))
        if ends is None:
            ends = self._answers[name, key] = find_directions(state, pid, name, args, key)
        return ends

    def list_siblings(self, ends: Directions) -> list[int]:
        """Threads inside calls whose order with one that is about to be let in matters."""
        readers, writers = self._readers.get(ends.source), self._writers.get(ends.target)
        return [*(readers or ()), *(writers or ())][:LOOKS] if readers or writers else []

    def writes_before(self, tid: int, moved: int) -> list[int]:
        """Threads inside writes that the bytes which a thread's read took may have come from."""
        move = self._moves.get(tid)
        return (
            [other.tid for other in self._in_doubt(move.ends.source, moved)[:LOOKS]]
            if move is not None
            else []
        )

    def begin_call(self, move: MovingCall) -> None:
        """A call is let in."""
        self.drop_call(move.tid)
        self._moves[move.tid] = move
        for key, moves in ((move.ends.source, self._readers), (move.ends.target, self._writers)):
            if key:
                moves.setdefault(key, {})[move.tid] = move

    def drop_call(self, tid: int) -> MovingCall | None:
        """A call is no longer under way."""
        move = self._moves.pop(tid, None)
        if move is not None:
            for key, moves in (
                (move.ends.source, self._readers),
                (move.ends.target, self._writers),
            ):
                if key:
                    moves[key].pop(tid, None)
                    if not moves[key]:
                        del moves[key]
        return move

    def repeat_call(self, tid: int) -> None:
        """A call that a signal cut short before it moved anything is made again."""
        move = self._moves.get(tid)
        if move is not None:
            move.slept = self._now()

    def end_call(self, tid: int, moved: int, t: float) -> float:
        """A call is about to be said to have returned; what is under way and may have to do with it
        is said first.

        Args:
            tid: The thread.
            moved: How many bytes it moved.
            t: When it is said to have returned; threads are looked at after this moment.

        Returns:
            When the thread was last seen asleep inside it; 0 if it was not.
        """
        move = self.drop_call(tid)
        if move is None:
            return 0.0
        source, target = move.ends
        if source and moved:
            self._before_read(source, moved, t)
            self._balance[source] = self._balance.get(source, 0) - moved
            self._touched.add(source)
            if source in self._writers and self._is_contended(source):
                _, noted = self._noted.get(source, (0, -1.0))
                if t - noted >= TAKING_TURNS_SECONDS:
                    self.contended.add(source)
        if target and moved:
            if target in self._writers:
                self._note_sleepers(self._writers[target].values())
            self._balance[target] = self._balance.get(target, 0) + moved
            self._written[target] = t
            self._touched.add(target)
        return move.slept

    def _before_read(self, key: str, moved: int, t: float) -> None:
        for i, other in enumerate(self._readers.get(key, {}).values()):
            untouched = i < LOOKS and other.untouched and self._asleep(other.pid, other.tid)
            if untouched:
                other.slept = self._now()
            if untouched == other.said:
                other.said = not untouched
                self._emit_entered(other, t)
        for i, other in enumerate(self._in_doubt(key, moved)):
            if i < LOOKS and other.untouched and self._asleep(other.pid, other.tid):
                other.slept = self._now()
                continue
            other.said = True
            self._emit_entered(other, t)

    def _in_doubt(self, key: str, moved: int) -> list[MovingCall]:
        """Writes under way, not said yet, that the bytes that a read of a channel took may have
        come from.
        """
        writers = self._writers.get(key)
        if not writers:
            return []
        short = key in self.packets or self._balance.get(key, 0) < moved
        last = self._written.get(key, -1.0)
        return [
            move for move in writers.values() if not move.said and (short or move.earliest < last)
        ]

    def _note_sleepers(self, moves: Iterable[MovingCall]) -> None:
        """Note which of these threads sleep."""
        for move in list(moves)[:LOOKS]:
            if move.on_pipe and self._asleep(move.pid, move.tid):
                move.slept = self._now()

    def _emit_entered(self, move: MovingCall, t: float, *, cut: bool = False) -> None:
        self._say(
            Entered(
                t=t,
                pid=move.pid,
                tid=move.tid,
                call=move.name,
                began=move.began,
                args=move.args,
                object=move.object,
                data=move.data,
                slept=0.0 if move.said else move.slept,
                cut=cut,
            )
        )

    def end_thread(self, tid: int) -> tuple[str, ...]:
        """A thread has ended.

        If it was inside a call that may have moved bytes, say so: the channels in question.
        """
        move = self.drop_call(tid)
        if move is None:
            return ()
        keys = tuple(key for key in move.ends if key)
        if keys:
            self._emit_entered(move, self._now(), cut=True)
            self._touched.update(keys)
        return keys

    # Levels.

    def keep_channels(self, keys: Container[str]) -> None:
        """Forget all channels but these: the others were closed."""
        self._balance = {key: value for key, value in self._balance.items() if key in keys}
        self._written = {key: value for key, value in self._written.items() if key in keys}
        self._touched = {key for key in self._touched if key in keys}
        self._noted = {key: value for key, value in self._noted.items() if key in keys}

    def touch_channel(self, key: str) -> None:
        """What is known of a channel may have changed: its next quiet level is to be said whatever
        it is.
        """
        self._touched.add(key)

    def is_quiet(self, key: str) -> bool:
        """Whether no call is under way that may have moved bytes of a channel whose level has just
        been read.
        """
        for moves in (self._readers.get(key), self._writers.get(key)):
            if moves and len(moves) > QUIET_LOOKS:
                # Not known: with each level of a pipe that 1,000 read, 1,000 looks would be taken.
                return False
            for move in moves.values() if moves else ():
                if not move.untouched or not self._asleep(move.pid, move.tid):
                    return False
        return True

    def is_level_wanted(self, key: str) -> bool:
        """Whether a quiet level of a channel is to be said although it is what it was."""
        return key in self._touched

    def is_filling_wanted(self, key: str) -> bool:
        """Whether a level of a channel is to be said, though it is what it was and not quiet: bytes
        were moved while several writes were under way, of which one is long, so what they have put
        there together tells whether they took turns.
        """
        balance, _ = self._noted.get(key, (0, -1.0))
        return balance != self._balance.get(key, 0) and self._is_contended(key)

    def _is_contended(self, key: str) -> bool:
        """Whether several writes to a pipe are under way, of which one may go in in parts."""
        moves = self._writers.get(key)
        if moves is None or not 1 < len(moves) <= LOOKS:
            return False
        return any(move.on_pipe and not move.untouched for move in moves.values())

    def note_levels(self, levels: Iterable[Level], t: float) -> None:
        """Levels were said with time `t`.

        Of the quiet ones nothing has moved since they were read: nobody was let.
        """
        for level in levels:
            if level.quiet:
                self._touched.discard(level.object)
                self._balance[level.object] = level.queued
                for moves in (self._readers.get(level.object), self._writers.get(level.object)):
                    for move in moves.values() if moves else ():
                        move.slept = max(move.slept, t)
            elif self._is_contended(level.object):
                self._noted[level.object] = self._balance.get(level.object, 0), t
                self._note_sleepers(self._writers[level.object].values())
