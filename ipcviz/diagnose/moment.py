"""The moment that rules are asked about, and what they answer with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Final

from ipcviz.diagnose.findings import Evidence, Finding
from ipcviz.diagnose.history import History
from ipcviz.diagnose.words import PartyNames, find_origin, make_parties, tell_waits
from ipcviz.events.kinds import MESSAGES
from ipcviz.model.query import Holders
from ipcviz.model.state import Object, Semaphore, State
from ipcviz.model.waits.circles import Circle, list_circles
from ipcviz.model.waits.hangs import Hang, list_hangs
from ipcviz.model.waits.rules import explain_waiting
from ipcviz.model.waits.values import Doubt, Doubted, Wait
from ipcviz.narrate.circles import describe_doubt

if TYPE_CHECKING:
    from ipcviz.model.query import Holder


class CaseMoment:
    """A state, and what a rule may ask of it.

    Args:
        state: The state.
        history: What went before it.
        now: The moment in session seconds; that of the last event if it is not given.
        before: The state before the last event, for rules that are asked about that; the same state
            if it is not given.
        known: Works out who has what open, for one moment after the other.
    """

    def __init__(
        self,
        state: State,
        history: History,
        now: float | None = None,
        before: State | None = None,
        known: Holders | None = None,
    ) -> None:
        self.state = state
        self.history = history
        self.now = state.t if now is None else max(now, state.t)
        self.before = before or state
        self._known = known

    @cached_property
    def held(self) -> dict[str, tuple[Holder, ...]]:
        """Who has what open."""
        return (self._known or Holders()).list_holders(self.state)

    @cached_property
    def hangs(self) -> tuple[Hang, ...]:
        """The threads that nothing known can wake."""
        return list_hangs(self.state, self.held, self.now)

    @cached_property
    def circles(self) -> tuple[Circle, ...]:
        """The circles of threads that wait for each other."""
        return list_circles(self.state, self.held, self.now)

    @cached_property
    def waits(self) -> tuple[Wait, ...]:
        """What each thread waits for that sleeps in a call, by thread."""
        state = self.state
        sleepers = (
            (state.threads[tid], state.threads[tid].waiting) for tid in sorted(state.threads)
        )
        return tuple(
            explain_waiting(state, thread, call) for thread, call in sleepers if call is not None
        )

    def holders(self, key: str, modes: str = "r w rw") -> tuple[Holder, ...]:
        """Who has an object open in one of these ways."""
        wanted = modes.split()
        return tuple(row for row in self.held.get(key, ()) if row.mode in wanted)

    def make_finding(
        self,
        rule: str,
        pids: Iterable[int],
        sentence: str,
        mend: str,
        *,
        waits: Sequence[Wait] = (),
        evidence: Sequence[Evidence] = (),
        objects: Iterable[str] = (),
        ends: Iterable[tuple[int, int]] = (),
        doubts: Sequence[Doubted] = (),
        probable: str = "",
        about: str = "",
    ) -> Finding:
        """A finding of this moment.

        Args:
            rule: The rule's name.
            pids: Who is in it; the first is the one to be mended.
            sentence: What is wrong.
            mend: What to do.
            waits: What threads wait for, told as evidence.
            evidence: What else proves it.
            objects: Keys of what it is about.
            ends: (process, descriptor) of the ends that it is about; their origins are told.
            doubts: Why it is not certain.
            probable: The same in words.
            about: What tells it from others of the rule; its first object if it is not given.
        """
        keys = tuple(dict.fromkeys(key for key in objects if key))
        ends = tuple(dict.fromkeys(ends))
        origins = (find_origin(self.state, self.history, pid, fd) for pid, fd in ends)
        doubted = [describe_doubt(self.state, one) for one in doubts if one.doubt not in _SETTLED]
        why = probable or "; ".join(dict.fromkeys([*doubted, *self._find_strangers(waits)]))
        return Finding(
            rule=rule,
            sure=not why,
            sentence=sentence,
            mend=mend,
            t=self.now,
            n=self.state.n,
            processes=make_parties(self.state, pids),
            objects=keys,
            descriptors=ends,
            evidence=(*tell_waits(self.state, waits, self.now), *evidence),
            origins=tuple(one for one in origins if one is not None),
            why_probable=why,
            about=about or (keys[0] if keys else ""),
        )

    def _find_strangers(self, waits: Iterable[Wait]) -> Iterator[str]:
        """Why somebody who is not watched could end one of these waits: what is waited for has a
        name, by which anybody can come to it.
        """
        for wait in waits:
            semaphore = self.state.semaphores.get(wait.semaphore)
            thing = self.state.objects.get(wait.object)
            if semaphore is not None:
                if _can_be_found(semaphore, self.state.objects.get(semaphore.info.object)):
                    yield f"{semaphore.label} has a name: who is not watched may post it"
            elif thing is not None and thing.info.kind in MESSAGES and _is_named(thing):
                yield f"{thing.label} has a name: who is not watched may use it"

    def name_parties(self, *pids: int) -> PartyNames:
        """What these processes are called."""
        return PartyNames(self.state, pids)


_NUMBERED: Final = ("sem ", "msg ")
"""How System V objects are labelled that were made with IPC_PRIVATE: they have a number and no key.
"""


def _is_named(queue: Object) -> bool:
    """Whether a process that is no relative can open a message queue."""
    return not queue.unlinked and not queue.label.startswith(_NUMBERED)


def _can_be_found(semaphore: Semaphore, memory: Object | None) -> bool:
    """Whether a process that is no relative can come to a semaphore: by its name or key, or by the
    name of what it lies in.
    """
    if semaphore.info.kind == "system v":
        return not semaphore.label.startswith(_NUMBERED)
    if semaphore.info.kind == "named":
        return not semaphore.unlinked
    path = memory.info.path if memory is not None else ""
    return bool(path) and not path.endswith(" (deleted)")


_SETTLED: Final = frozenset({Doubt.SEEN})
"""Doubts that are settled once a wait has lasted while samples said the same."""
