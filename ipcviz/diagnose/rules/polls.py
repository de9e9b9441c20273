"""Loops around poll, select and epoll: what is ready again and again, and nobody sees to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from ipcviz.diagnose.deeds import RETURNED, SequenceRule, keep_others, returns_of
from ipcviz.diagnose.findings import Evidence, Finding
from ipcviz.diagnose.moment import CaseMoment
from ipcviz.events import Call, Closed, Duplicated, Opened
from ipcviz.events.calls import FOR_READY, READS, WRITES
from ipcviz.events.kinds import PIPES, SOCKETS
from ipcviz.model.ends import open_modes
from ipcviz.model.mechanisms.notifiers import list_found
from ipcviz.model.state import Object, State

TURNS: Final = 50
"""So many waits in a row that the same end ends at once are a loop."""
_INVALID: Final = "n"
_HUNG_UP: Final = "h"
_BROKEN: Final = "e"
_READABLE: Final = "r"
"""Letters of `list_found`."""
_ENDS: Final = frozenset({_HUNG_UP, _BROKEN, _INVALID})
_TRANSFERS: Final = READS | WRITES
_TOUCHING: Final = (Closed, Duplicated, Opened)
"""Effects after which a descriptor may be another one."""


class EndSeen(NamedTuple):
    """What a wait says of a descriptor that nothing more can come of.

    Attributes:
        what: How the finding says it.
        since: How often in a row it was said.
        key: Key of the object; empty if the descriptor is not open.
    """

    what: str
    since: int
    key: str


class HangUpLoops(SequenceRule):
    """A loop that a descriptor at its end wakes at each turn, and which neither reads it nor closes
    it.
    """

    calls = returns_of(FOR_READY, RETURNED)
    follows = FOR_READY | READS | WRITES

    def __init__(self) -> None:
        self._seen: dict[tuple[int, int], dict[int, EndSeen]] = {}

    def forget_process(self, pid: int | None) -> None:
        """See `SequenceRule`."""
        self._seen = keep_others(self._seen, pid, lambda key, _: key[0])

    def follow_event(self, moment: CaseMoment, event: Any) -> Iterable[Finding]:
        """See `EventRule`."""
        if event.name in FOR_READY:
            return self._follow_wait(moment, event)
        touched = {effect.fd for effect in event.effects if isinstance(effect, _TOUCHING)}
        if event.fd is not None and event.name in _TRANSFERS:
            touched.add(event.fd)
        for (pid, _), seen in self._seen.items():
            if pid == event.pid and touched:
                for fd in [fd for fd in seen if fd in touched or fd < 0]:
                    del seen[fd]
        return ()

    def _follow_wait(self, moment: CaseMoment, event: Call) -> Iterable[Finding]:
        place = (event.pid, event.tid)
        ended = event.ret > 0 and _may_be_at_end(moment.state, event)
        if not ended and place not in self._seen:
            return ()
        before = self._seen.pop(place, {})
        now: dict[int, EndSeen] = {}
        if ended:
            for thing, fd, letters in _list_ends(moment.state, event):
                what = _find_end(moment.state, thing, letters)
                if what:
                    known = before.get(fd)
                    since = known.since + 1 if known is not None and known.what == what else 1
                    key = thing.info.key if thing is not None else ""
                    now[fd] = EndSeen(what, since, key)
        if now:
            self._seen[place] = now
            self.begin(event.pid)
        elif not any(pid == event.pid for pid, _ in self._seen):
            self.end(event.pid)
        return [self._tell(moment, event, fd, one) for fd, one in now.items() if one.since == TURNS]

    def _tell(self, moment: CaseMoment, event: Call, fd: int, one: EndSeen) -> Finding:
        name = moment.name_parties(event.pid).name_at(event.pid, event.tid)
        call = event.name.rstrip("0123456789")
        thing = moment.state.objects.get(one.key)
        where = f"descriptor {fd}" + (f" ({thing.label})" if thing is not None else "")
        if fd < 0:
            where = "one of its descriptors"
        return moment.make_finding(
            "hang-up-loop",
            [event.pid],
            f"{name} calls {call} again and again, and each time it returns at once for"
            f" {where}: {one.what}, and {name} leaves it in the set.",
            "Close the descriptor, or take it out of the set, at POLLHUP, POLLERR and POLLNVAL, and"
            " when a read returns 0.",
            evidence=[
                Evidence(f"{TURNS} calls {event.name} in a row found it ready", event.n),
                Evidence("nothing read, wrote or closed it in between"),
            ],
            objects=[one.key],
            ends=[(event.pid, fd)] if thing is not None else [],
            about=f"thread {event.tid}",
        )


def _may_be_at_end(state: State, event: Call) -> bool:
    """Whether any descriptor that a wait has found may be at its end: asked at each wait, so it
    looks no further than it must.
    """
    if event.object:
        return _HUNG_UP in event.get_text("ready")
    for word in event.get_text("ready").split():
        if not _ENDS.isdisjoint(word):
            return True
        if word[-1] == _READABLE:
            fd = word[:-1]
            file = state.find_description(event.pid, int(fd)) if fd.isdigit() else None
            # What has a writer, or a peer, can still be written to.
            if file is not None and not open_modes(state.ends, file.object) & {"w", "rw"}:
                return True
    return False


def _list_ends(state: State, event: Call) -> list[tuple[Object | None, int, str]]:
    """What a wait has found ready, as `list_found`; of an epoll set whose list is not known yet, -1
    stands for the descriptor.
    """
    found = list_found(state, event)
    if not found and event.object:
        letters = [word.lstrip("0123456789") for word in event.get_text("ready").split()]
        found = [(None, -1, one) for one in letters if _HUNG_UP in one]
    return found


def _find_end(state: State, thing: Object | None, letters: str) -> str:
    """Why nothing more can come of a descriptor that was found ready, empty if it can."""
    if _INVALID in letters:
        return "it is not open"
    if thing is None:
        return "the other side has closed it" if _HUNG_UP in letters else ""
    kind, key = thing.info.kind, thing.info.key
    if kind in PIPES:
        modes = open_modes(state.ends, key)
        if _BROKEN in letters and not modes & {"r", "rw"}:
            return "nobody has the pipe open for reading"
        queued = thing.level.queued if thing.level is not None else 0
        at_end = _HUNG_UP in letters or (letters == _READABLE and not queued)
        return "nobody has it open for writing" if at_end and not modes & {"w", "rw"} else ""
    if kind in SOCKETS and _HUNG_UP in letters:
        return "the other side has closed it"
    return ""
