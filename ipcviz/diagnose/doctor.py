"""The doctor: takes events in, and says what is wrong. Pure: it is told what time it is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final

import msgspec

from ipcviz.diagnose.deeds import EventRule, EventRules
from ipcviz.diagnose.findings import Finding
from ipcviz.diagnose.history import History
from ipcviz.diagnose.moment import CaseMoment
from ipcviz.diagnose.rules import (
    inherited,
    locks,
    memory,
    names,
    pipes,
    polls,
    records,
    signals,
    transfers,
    unwoken,
)
from ipcviz.events import Event
from ipcviz.model.query import Holders
from ipcviz.model.reduce import reduce
from ipcviz.model.state import State
from ipcviz.model.waits.hangs import Hang

HangRule = Callable[[CaseMoment, Hang], Finding | None]
MomentRule = Callable[[CaseMoment], Iterable[Finding]]
HANGS: Final[tuple[HangRule, ...]] = (
    locks.find_stopped,
    locks.find_vfork_wait,
    locks.find_forked_lock,
    locks.find_handler_lock,
    locks.find_dead_owner,
    locks.find_private_semaphore,
    locks.find_copied_semaphore,
    locks.find_stale_semaphore,
    locks.find_lock_order,
    unwoken.find_own_readiness,
    inherited.find_leaked_end,
    pipes.find_wait_before_read,
    pipes.find_own_read_end,
    pipes.find_waits_for_input,
    pipes.find_feeding_circle,
    pipes.find_own_write_end,
    pipes.find_fifo_open,
    locks.find_queue_hang,
    locks.find_lost_wakeup,
    locks.find_circle,
    unwoken.find_nobody_left,
)
"""What makes a hang, the most particular first: the first that fits is told."""

MOMENTS: Final[tuple[MomentRule, ...]] = (
    inherited.find_leaked_descriptor,
    inherited.find_inherited_lock,
    pipes.find_orphan_keeps_pipe,
    pipes.find_idle_heir,
    pipes.find_datagram_end,
    pipes.find_buffered_stage,
    signals.find_ignored_term,
    signals.find_zombies,
)
"""What keeps somebody waiting though others go on, and what nobody sees to."""
DEEDS: Final[tuple[type[EventRule], ...]] = (
    transfers.ShortWrites,
    records.ShortReads,
    transfers.EndlessEnds,
    polls.HangUpLoops,
    transfers.BrokenPipes,
    transfers.MixedWrites,
    transfers.SharedInput,
    transfers.OutputTwice,
    transfers.CutDatagrams,
    signals.MergedSignals,
    signals.Interrupted,
    names.AddressesInUse,
    names.LeftBehind,
    memory.BeyondTheFile,
    memory.MappingFaults,
    memory.SharedPointers,
    memory.DroppedLocks,
    inherited.LocksRefused,
    locks.PrivatePosts,
)
"""What events prove, each by itself or with those before it."""

_FORGET: Final = 5000
"""Events after which the history is rid of what no state has any more."""


class Doctor:
    """Follows a session and gathers findings.

    Args:
        ignored: Names of rules that are not told.

    Attributes:
        state: The latest state.
        findings: All so far, in the order in which they were found; each in its latest words.
    """

    def __init__(self, ignored: Collection[str] = ()) -> None:
        self.state = State()
        self.history = History()
        self._ignored = frozenset(ignored)
        self._holders = Holders()
        self._found: dict[tuple[str, tuple[int, ...], str], Finding] = {}
        self._left = _FORGET
        self._deeds = EventRules(tuple(rule() for rule in DEEDS))

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All so far."""
        return tuple(self._found.values())

    def follow_events(self, events: Sequence[Event]) -> None:
        """Take events in; what they alone prove is found."""
        for event in events:
            before = self.state
            self.follow_event(event, before, reduce(before, event))

    def follow_event(self, event: Event, before: State, after: State) -> None:
        """Take one event in, whose effect on the state is known; what it proves is found."""
        self.state = after
        self.history.add_event(event, after)
        rules = self._deeds.list_rules(event)
        if rules:
            moment = CaseMoment(after, self.history, before=before, known=self._holders)
            for rule in rules:
                found = rule.follow_event(moment, event)
                if found:
                    self._keep(found)
        self._left -= 1
        if self._left < 0:
            self._left = _FORGET
            self.history.forget(after)
            self._deeds.forget_objects(after)

    def examine(self, now: float | None = None) -> tuple[Finding, ...]:
        """What is wrong at this moment; what is new of it is kept among the findings.

        Args:
            now: The moment in session seconds; that of the last event if it is not given.
        """
        return self._keep(find_at(CaseMoment(self.state, self.history, now, known=self._holders)))

    def _keep(self, found: Iterable[Finding]) -> tuple[Finding, ...]:
        """Take these among the findings; they as they are kept, without those that are ignored."""
        kept = []
        for one in found:
            if one.rule in self._ignored:
                continue
            known = self._found.get(one.key)
            self._found[one.key] = one if known is None else _keep_first(known, one)
            kept.append(self._found[one.key])
        return tuple(kept)


def find_at(moment: CaseMoment) -> tuple[Finding, ...]:
    """What is wrong at a moment, the hangs first."""
    found: list[Finding] = []
    for hang in moment.hangs:
        one = next(filter(None, (rule(moment, hang) for rule in HANGS)), None)
        if one is not None:
            found.append(one)
    for keeps in MOMENTS:
        found += keeps(moment)
    return tuple(found)


def _keep_first(known: Finding, again: Finding) -> Finding:
    """A finding that was made again: with the moment of the first time, and today's words, since
    source lines may be known now.
    """
    if known.sure and not again.sure:
        return known
    return msgspec.structs.replace(again, t=known.t, n=known.n)
