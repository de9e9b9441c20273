"""One state that is asked who could end its waits: what many of them need is found once. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple

from ipcviz.events.calls import WRITES
from ipcviz.model.mechanisms.signals import let_in_handlers
from ipcviz.model.state import State, Thread
from ipcviz.model.waits.values import Doubt, Doubted, Waker, Wakers

if TYPE_CHECKING:
    from ipcviz.model.query import Holder

_ROWS: Final = 1000
"""Descriptors that are looked through, where nobody has done so before."""


class End(NamedTuple):
    """A descriptor of a process that refers to an object: by which description, and how."""

    pid: int
    ofd: int
    mode: str


class Lookup:
    """A state, and who has what open in it.

    Args:
        state: The moment.
        held: The result of `query.list_holders(state)`; without it, few descriptors are looked
            through instead.
    """

    def __init__(self, state: State, held: Mapping[str, tuple[Holder, ...]] | None = None) -> None:
        self.state = state
        self._held = held
        self._sharing: dict[tuple[str, str], tuple[tuple[Waker, ...], bool]] = {}
        self._own: dict[tuple[int, Doubt], Wakers] = {}
        self._tids: dict[int, tuple[tuple[Waker, ...], tuple[int, ...]]] = {}

    @cached_property
    def attached(self) -> bool:
        """Whether the processes were there before the watch."""
        return self.state.started is not None and self.state.started.mode == "attached"

    @cached_property
    def written(self) -> frozenset[str]:
        """Keys of the objects that threads sleep in a write to: some bytes of a long write may be
        there already.
        """
        calls = (thread.waiting for thread in self.state.threads.values())
        return frozenset(call.object for call in calls if call is not None and call.name in WRITES)

    def find_ends(self, key: str) -> Sequence[Holder | End]:
        """Who has an object, by which open file description, and how; nobody if that would take
        long.
        """
        if self._held is not None:
            return self._held.get(key, ())
        return self._found.get(key, ()) if self._found is not None else ()

    def find_sharers(self, key: str, needs: str) -> tuple[tuple[Waker, ...], bool]:
        """The processes that have an end of an object, and whether its descriptions were all seen
        to be made.

        Args:
            key: The object.
            needs: Which end: `r` or `w`.
        """
        kept = self._sharing.get((key, needs))
        if kept is None:
            rows = [row for row in self.find_ends(key) if row.mode in (needs, "rw")]
            files = (self.state.open_files.get(row.ofd) for row in rows)
            made = all(file.opened_by and not file.outside for file in files if file is not None)
            kept = self._sharing[key, needs] = wakers_of([row.pid for row in rows]), made
        return kept

    def find_own_threads(self, thread: Thread, doubt: Doubt) -> Wakers:
        """Of a wait for what lies in memory that no other process has: all threads of this one.

        `doubt`: Why nothing tells which of them is meant to end it.
        """
        if (thread.pid, doubt) not in self._own:
            self._own[thread.pid, doubt] = self._having_memory(thread.pid, doubt)
        return self._own[thread.pid, doubt]

    def _having_memory(self, pid: int, doubt: Doubt) -> Wakers:
        state = self.state
        process = state.processes[pid]
        sharing = any(
            p.parent == pid and p.how != "fork" and p.fate == "alive" and not p.executed
            for p in state.processes.values()
        )
        if sharing or len(process.threads) < 2:
            return Wakers(doubts=(Doubted(Doubt.UNSEEN),) if sharing else ())
        handled = any(
            let_in_handlers(state, state.threads[tid])
            for tid in process.threads
            if tid in state.threads
        )
        return Wakers(
            tuple(Waker(pid, tid, doubt) for tid in sorted(process.threads)),
            (Doubted(doubt), *((Doubted(Doubt.HANDLER),) if handled else ())),
            any_of=True,
        )

    def find_threads(self, wakers: Wakers) -> tuple[int, ...]:
        """All threads by which wakers could end a wait, ascending; one tuple for the same
        wakers.
        """
        kept = self._tids.get(id(wakers.known))
        if kept is None:
            processes = self.state.processes
            found: set[int] = set()
            for one in wakers.known:
                if one.tid:
                    found.add(one.tid)
                elif (process := processes.get(one.pid)) is not None:
                    found.update(process.threads)
            # The wakers are kept with their threads: their identity is the key.
            kept = self._tids[id(wakers.known)] = wakers.known, tuple(sorted(found))
        return kept[1]

    @cached_property
    def _found(self) -> dict[str, list[End]] | None:
        """Who has any object; None if that would take long."""
        found: dict[str, list[End]] = {}
        count = 0
        for process in self.state.processes.values():
            if process.fate != "alive":
                continue
            count += len(self.state.descriptors_of(process.pid))
            if count > _ROWS:
                return None
            for row, file in self.state.descriptions_of(process.pid):
                found.setdefault(file.object, []).append(End(process.pid, row.ofd, str(file.mode)))
        return found


def wakers_of(pids: Iterable[int], doubt: Doubt | None = None) -> tuple[Waker, ...]:
    """Processes, each once, ascending, as wakers."""
    return tuple([Waker(pid, 0, doubt) for pid in sorted(set(pids))])
