"""Who else has what somebody waits for: rare walks through /proc for processes that are not
watched.

A walk is made when a thread has waited for `LASTS` seconds for what may be theirs, and once for
what was there before the session. It goes on in slices, one with each sample, so that no stop waits
for longer than one of them; who was found is looked at again at a glance, and the next walk rests
in proportion to what the last one cost.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from typing import Final, Literal

import msgspec

from ipcviz.events import MOST_HOLDERS, ObjectInfo, Outside, Outsider, Outsiders
from ipcviz.events.kinds import PIPES
from ipcviz.kernel.holders import HolderSearch, Holding, listener_of, still_holds
from ipcviz.kernel.sockets import Listing
from ipcviz.model.ends import Ends, open_modes
from ipcviz.model.state import State, Thread
from ipcviz.model.waits.outsiders import Want, wants_of
from ipcviz.tracer.context import Context

LASTS: Final = 0.5
"""How long a thread has waited before it is asked who else could end that, in seconds."""
ASK_SECONDS: Final = 0.25
"""How often it is seen whether somebody waits for so long."""
SLICE: Final = 0.004
"""Seconds of a walk that one sample makes."""
REST_SECONDS: Final = 2.0
"""Between the end of a walk and the next one, at least."""
SHARE: Final = 0.05
"""At most this part of a CPU goes into walks."""
AGAIN_SECONDS: Final = 15.0
"""After so long it is walked again for the same wait: somebody may have come to have its object
meanwhile.
"""
CHECK_SECONDS: Final = 1.0
"""How often those who were found are looked at again."""
MOST_WANTED: Final = 256
"""Objects that one walk looks for."""

How = Literal["end", "listens", "lock"]


class OutsiderLooks:
    """Finds processes that are not watched and have what watched ones wait for.

    Args:
        context: The session's.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._spare = frozenset((os.getpid(), os.getppid(), *context.config.spare))
        self._search: HolderSearch | None = None
        self._wanted: dict[str, list[tuple[str, How]]] = {}
        """What the walk that is under way looks for, by its key or link: for which watched objects,
        and as what.
        """
        self._walked: dict[str, float] = {}
        """When it was last looked for an object's outsiders, by its key."""
        self._found: dict[str, tuple[Holding, ...]] = {}
        self._said: dict[str, Outside] = {}
        self._cost = 0.0
        self._rest_until = self._ask_at = self._check_at = 0.0
        self._files: object = None
        self._fresh = False
        self._before: set[str] = set()
        """Objects that were open before the session, or came unseen, by their keys."""

    def continue_search(self) -> None:
        """Go on with the walk, or see whether one is due. Costs at most about `SLICE` seconds."""
        now = self._context.emitter.now()
        if self._search is not None:
            began = time.thread_time()
            done = self._search.go_on(SLICE)
            self._cost += time.thread_time() - began
            if done:
                self._end_search(self._search, now)
            return
        if now >= self._check_at:
            self._check_at = now + CHECK_SECONDS
            self._check_found()
        if now >= max(self._ask_at, self._rest_until):
            self._ask_at = now + ASK_SECONDS
            due = self._list_due(now)
            if due:
                self._begin_search(due, now)

    # What is wanted.

    def _list_due(self, now: float) -> set[str]:
        """Keys of the objects whose outsiders are to be looked for."""
        state = self._context.state
        due: set[str] = set()
        if state.open_files is not self._files:
            self._files, self._fresh = state.open_files, True
            self._before = {file.object for file in state.open_files.values() if not file.opened_by}
        for thread in state.threads.values():
            call = thread.waiting
            if call is None or now - call.began < LASTS or len(due) > MOST_WANTED:
                continue
            for want in wants_of(state, thread, call):
                if self._may_be_outside(state, want) and self._is_due(want.object, thread, now):
                    due.add(want.object)
        if self._fresh and now >= LASTS:
            self._fresh = False
            due |= self._from_before(state)
        return due

    def _may_be_outside(self, state: State, want: Want) -> bool:
        """Whether it is worth a walk: not of a pipe that a watched process made, while one of those
        has that end.
        """
        if not want.object.startswith("pipe:") or want.object in self._before:
            return True
        return want.side not in ("r", "w") or not open_modes(state.ends, want.object) & {
            want.side,
            "rw",
        }

    def _is_due(self, key: str, thread: Thread, now: float) -> bool:
        walked = self._walked.get(key)
        if walked is None or now - walked >= AGAIN_SECONDS:
            return True
        # Who is known to have it answers a new wait as well.
        new = thread.waiting is not None and thread.waiting.began > walked
        return new and not self._found.get(key)

    def _from_before(self, state: State) -> set[str]:
        """Pipes and FIFOs that were there before the session, of which no watched process has one
        of the ends.
        """
        found = set()
        for key in self._before - self._walked.keys():
            thing = state.objects.get(key)
            modes = open_modes(state.ends, key)
            if thing is not None and thing.info.kind in PIPES and modes in ({"r"}, {"w"}):
                found.add(key)
        return set(sorted(found)[:MOST_WANTED])

    def _begin_search(self, keys: set[str], now: float) -> None:
        listing = Listing()
        wanted: dict[str, list[tuple[str, How]]] = defaultdict(list)
        for key in keys:
            self._walked[key] = now
            thing = self._context.state.objects.get(key)
            if thing is not None:
                for one, how in _list_identities(thing.info, listing):
                    wanted[one].append((key, how))
        self._wanted = dict(wanted)
        if not wanted:
            return
        links = [one for one in wanted if ":[" in one]
        files = [
            (int(dev), int(ino))
            for dev, _, ino in (one.partition(":") for one in wanted if ":[" not in one)
        ]
        watched = self._context.processes
        self._search = HolderSearch(links, files, self._spare | watched.keys())
        self._cost = 0.0

    # What was found.

    def _end_search(self, search: HolderSearch, now: float) -> None:
        self._search = None
        self._rest_until = now + max(REST_SECONDS, self._cost / SHARE)
        ends = self._context.state.ends
        holders: dict[str, dict[int, tuple[Holding, How]]] = {
            key: {} for wanted in self._wanted.values() for key, _ in wanted
        }
        for one in search.found:
            for key, how in self._wanted[one.key]:
                if _is_relevant(one, key, how, ends):
                    before = holders[key].get(one.pid)
                    # Of several descriptors the one counts by which more can be done.
                    if before is None or len(one.mode) > len(before[0].mode):
                        holders[key][one.pid] = (one, how)
        self._emit_outsiders(
            {key: tuple(found[pid] for pid in sorted(found)) for key, found in holders.items()},
            search.hidden,
        )

    def _check_found(self) -> None:
        """Look at those who were found: who has it no more, has ended or is watched now, is told to
        be none of them.
        """
        ends, watched = self._context.state.ends, self._context.processes
        left: dict[str, tuple[tuple[Holding, How], ...]] = {}
        for key in list(self._found):
            if key not in ends:
                del self._found[key]
                self._said.pop(key, None)
                continue
            found = self._found[key]
            kept = tuple(one for one in found if one.pid not in watched and still_holds(one))
            if len(kept) < len(found):
                hows = {one.pid: one.how for one in self._said[key].holders}
                left[key] = tuple((one, hows.get(one.pid, "end")) for one in kept)
                # Somebody else may have got it in time.
                self._walked.pop(key, None)
        for key in self._walked.keys() - ends.keys():
            del self._walked[key]
        if left:
            self._emit_outsiders(left, -1)

    def _emit_outsiders(
        self, holders: dict[str, tuple[tuple[Holding, How], ...]], hidden: int
    ) -> None:
        """Say what is new; with -1 hidden processes are as many as they were."""
        told = []
        for key, found in holders.items():
            self._found[key] = tuple(one for one, _ in found)
            before = self._said.get(key)
            now = Outside(
                object=key,
                holders=tuple(
                    Outsider(pid=one.pid, name=one.name, fd=one.fd, mode=one.mode, how=how)
                    for one, how in found[:MOST_HOLDERS]
                ),
                more=max(0, len(found) - MOST_HOLDERS),
                hidden=before.hidden if hidden < 0 and before is not None else max(hidden, 0),
            )
            same = before is not None and msgspec.structs.replace(before, hidden=now.hidden) == now
            if not same or bool(before.hidden if before is not None else 0) != bool(now.hidden):
                self._said[key] = now
                told.append(now)
        if told:
            self._context.emit(Outsiders(found=tuple(told)))


def _is_relevant(one: Holding, key: str, how: How, ends: Ends) -> bool:
    """Whether a holder could do what watched ones wait for: of a pipe or FIFO it has the end that
    none of them has.
    """
    if how == "lock":
        return one.locked
    if not key.startswith("pipe:") and not key[:1].isdigit():
        return True
    modes = open_modes(ends, key)
    reads, writes = bool(modes & {"r", "rw"}), bool(modes & {"w", "rw"})
    if reads and writes:
        return True
    return one.mode in (("w", "rw") if reads else ("r", "rw"))


def _list_identities(info: ObjectInfo, listing: Listing) -> list[tuple[str, How]]:
    """What to look for of a watched object, as links and `DEV:INO`, and what whoever has that is to
    it.
    """
    if info.kind in PIPES:
        return [(info.key, "end")]
    if info.kind.endswith(" socket"):
        if info.peer:
            return [(info.peer, "end")]
        listener = listener_of(info.ino, info.remote, listing)
        return [(f"socket:[{listener}]", "listens")] if listener else []
    return [(info.key, "lock")] if info.key[:1].isdigit() else []
