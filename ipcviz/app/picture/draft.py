"""A scene in the making: what is known of a state, and what has been put into the picture so
far.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple

from ipcviz.app.picture import words
from ipcviz.app.picture.scene import Edge, Node
from ipcviz.events.calls import READS, WRITES
from ipcviz.events.kinds import TYPED
from ipcviz.model import query
from ipcviz.model.mechanisms.queues import RECEIVES, SENDS
from ipcviz.model.mechanisms.sockets import list_backlogs
from ipcviz.model.parts import ObjectPart, Part, ProcessPart, ThreadPart
from ipcviz.model.waits.values import Why

if TYPE_CHECKING:
    from ipcviz.model.state import Object, Process, State, Thread

_TAKES: Final = READS | RECEIVES
_PUTS: Final = WRITES | SENDS
"""Calls that take something out of what they are on, or put it in."""

KEPT: Final = 3.0
"""Seconds of the session for which an ended process stays in the picture, faded; shorter if it
lived shorter.
"""

Changes = frozenset[Part]
"""What is shown as changed, as `State.changed` names it."""


class Use(NamedTuple):
    """What traced calls have done through descriptors of one process.

    Attributes:
        used: They have moved data through one of them.
        took: They have taken data out.
        put: They have put data in.
        received: One of them was received over a socket (SCM_RIGHTS).
    """

    used: bool
    took: bool
    put: bool
    received: bool = False


class Joins:
    """Who is connected to what, worked out again only when that changed; for one scene after the
    other.
    """

    def __init__(self) -> None:
        self._of: tuple[object, ...] = ()
        self._living: frozenset[int] = frozenset()
        self.held: dict[str, tuple[query.Holder, ...]] = {}
        """Every object's holders."""
        self.links: dict[str, list[query.Link]] = {}
        """Every object's links, by the object's key, in the order of the keys."""
        self.last: frozenset[int] = frozenset()
        """Once all have ended: those of the system as it last was."""
        self._outside: dict[tuple[str, int], bool] = {}
        self._all_outside: dict[str, bool] = {}
        self._idle: dict[tuple[str, int], bool] = {}
        self._used: dict[tuple[str, int], Use] = {}
        self._fds: dict[tuple[str, int, str, bool], str] = {}

    def update(self, state: State) -> None:
        """Be up to date with a state."""
        living = frozenset(
            pid for pid, process in state.processes.items() if process.fate == "alive"
        )
        now = (state.tables, state.open_files, state.uses, state.mappings)
        if not living and state.processes:
            self._update_past(state)
            return
        if (
            self._of
            and living == self._living
            and all(a is b for a, b in zip(self._of, now, strict=True))
        ):
            return
        self._of, self._living = now, living
        self.held = query.list_holders(state)
        self.links = {}
        for link in query.list_links(state, self.held):
            self.links.setdefault(link.object, []).append(link)
        self._forget_links()

    def _forget_links(self) -> None:
        """The links are others: what was worked out of each is worked out anew."""
        self._outside = {}
        self._all_outside = {}
        self._idle = {}
        self._used = {}
        self._fds = {}

    def _update_past(self, state: State) -> None:
        """All have ended: who was connected to what is what each has used."""
        self._of, self._living = (), frozenset()
        self.held = {}
        self.links = {}
        self._forget_links()
        self.last = query.find_last_processes(state)
        for link in query.list_past_links(state):
            if link.pid not in self.last:
                continue
            self.links.setdefault(link.object, []).append(link)
            for direction, flag in (("r", link.reads), ("w", link.writes), ("", True)):
                if flag and link.fds:
                    text = ",".join(str(fd) for fd in link.fds)
                    self._fds[link.object, link.pid, direction, False] = text

    def describe_fds(self, key: str, pid: int, direction: str, *, unused: bool = False) -> str:
        """The descriptors by which a process has an object open, for the end of a line.

        Args:
            key: The object's.
            pid: The process.
            direction: `r` or `w` for those that can be read from or written to; empty for all.
            unused: Say their directions, too.
        """
        known = self._fds.get((key, pid, direction, unused))
        if known is None:
            mine = [
                one
                for one in self.held.get(key, ())
                if one.pid == pid and one.fd >= 0 and direction in one.mode
            ]
            if unused:
                known = " ".join(f"{one.fd} {one.mode}" for one in mine)
            else:
                known = ",".join(str(one.fd) for one in mine)
            self._fds[key, pid, direction, unused] = known
        return known

    def is_all_outside(self, state: State, key: str) -> bool:
        """Whether all of an object's links are from outside; see `is_outside`."""
        found = self._all_outside.get(key)
        if found is None:
            found = all(self.is_outside(state, link) for link in self.links[key])
            self._all_outside[key] = found
        return found

    def is_idle_outside(self, state: State, link: query.Link) -> bool:
        """Whether a link is from outside (`is_outside`), and no traced call has used it."""
        found = self._idle.get((link.object, link.pid))
        if found is None:
            found = self.is_outside(state, link) and not self.find_use(state, link).used
            self._idle[link.object, link.pid] = found
        return found

    def find_use(self, state: State, link: query.Link) -> Use:
        """What traced calls have done through a link's descriptors. It changes with the tables."""
        found = self._used.get((link.object, link.pid))
        if found is None:
            table = state.descriptors_of(link.pid)
            rows = [row for fd in link.fds if (row := table.get(fd)) is not None]
            found = Use(
                used=any(row.used for row in rows),
                took=any(row.took for row in rows),
                put=any(row.put for row in rows),
                received=any(row.sender or row.how.startswith("received") for row in rows),
            )
            self._used[link.object, link.pid] = found
        return found

    def is_outside(self, state: State, link: query.Link) -> bool:
        """Whether all descriptors of a link were open before the session; what has none, as a
        System V queue, was come by in it.
        """
        found = self._outside.get((link.object, link.pid))
        if found is None and not self._living:
            thing = state.objects.get(link.object)
            found = thing is not None and thing.info.kind in TYPED
        if found is None:
            files = (state.find_description(link.pid, fd) for fd in link.fds)
            opened = any(one is not None and one.opened_by for one in files)
            found = bool(link.fds) and not link.mapped and not opened
            self._outside[link.object, link.pid] = found
        return found


class SceneDraft:
    """One scene in the making.

    Attributes:
        state: The moment.
        slots: The digits that choose processes, by pid, to be shown.
        lit: What is shown as changed.
        about: Names of the panels that the story points at: what it is about.
        rows: Rows of the screen at hand.
        joins: Who is connected to what.
        ended: All have ended: the system is drawn as it last was.
        attached: The session attached to what ran already.
        recent: How many have ended a moment ago while others live.
        processes: Those that are drawn, by pid.
        waits: What each of them waits for.
        blocked: Processes that are blocked in a write, by object.
        waiting: Threads that wait for a semaphore, by its key.
        returning: How many were woken and have not taken it yet, by its key.
        supervisors: Processes that only wait for their children.
        alone: Ids of nodes of memory that one process alone has, the oldest first.
        strong: Processes that take part in a flow.
        fed: Processes whose standard input is a channel: what they write goes on somewhere.
        nodes: By id, so far.
        edges: By key, so far.
    """

    def __init__(
        self, state: State, lit: Changes, joins: Joins, *, without_gone: bool = False
    ) -> None:
        self.state = state
        self.slots: Mapping[int, int] = {}
        self.lit = lit
        self.about: frozenset[str] = frozenset()
        self.rows = 24
        self.joins = joins
        joins.update(state)
        self.ended = query.has_ended(state)
        started = state.started
        self.attached = started is not None and started.mode == "attached"
        self.processes = {
            p.pid: p
            for p in state.processes.values()
            if (p.pid in joins.last if self.ended else _is_shown(state, p))
        }
        gone = [p.pid for p in self.processes.values() if p.fate == "gone"]
        self.recent = 0 if self.ended else len(gone)
        if without_gone and not self.ended:
            for pid in gone:
                del self.processes[pid]
        self.waits = {pid: words.waits_of(state, p) for pid, p in self.processes.items()}
        self.nodes: dict[str, Node] = {}
        self.edges: dict[tuple[str, str, str], Edge] = {}
        self.blocked = query.blocked_on(state)
        self.waiting: dict[str, list[Thread]] = defaultdict(list)
        self.returning: Counter[str] = Counter()
        for thread in state.threads.values():
            if query.has_been_woken(thread):
                self.returning[thread.semaphore] += 1
            elif thread.semaphore:
                self.waiting[thread.semaphore].append(thread)
        parents = {p.parent for p in self.processes.values() if p.fate == "alive"}
        self.supervisors = {
            pid
            for pid, waits in self.waits.items()
            if pid in parents and waits and all(w.why is Why.CHILD for w in waits)
        }
        self.alone: list[str] = []
        self.strong: set[int] = set()
        self.fed: set[int] = set()

    def make_age_key(self, pid: int) -> tuple[float, int]:
        """A process's place in the order of age."""
        return make_process_age_key(self.processes[pid])

    def add_node(self, node: Node) -> None:
        """Put a node in."""
        self.nodes[node.id] = node

    def join_nodes(
        self,
        source: str,
        target: str,
        kind: str,
        thing: Object | None,
        pid: int,
        *,
        both: bool = False,
        through: Object | None = None,
        mapped: bool = False,
    ) -> None:
        """Draw a line between two nodes; lit if both the thing and the process changed.

        Args:
            source: Id of the node where it begins.
            target: Id of the one where it ends.
            kind: `flow`, or `hold`, which begins at the process whichever way it is given.
            thing: What is behind it.
            pid: The process at its other end.
            both: Bytes flow both ways; what is not used is open for both.
            through: What the process has open for it, if that is not `thing`: its own end of a
                connection.
            mapped: It is used as memory, without a descriptor.
        """
        lit = thing is not None and ObjectPart(thing.info.key) in self.lit and pid in self._lit_pids
        own = through or thing
        at_process = source == f"p:{pid}"
        direction = "w" if at_process else "r"
        if kind != "flow":
            source, target = (source, target) if at_process else (target, source)
            both = both or (source, target, "hold") in self.edges
        fds = ""
        if own is not None and not mapped:
            fds = self.joins.describe_fds(
                own.info.key, pid, "" if both else direction, unused=kind != "flow"
            )
        if kind == "flow":
            edge = Edge(source, target, "flow", both, lit, fds=fds)
        else:
            edge = Edge(source, target, "hold", lit=lit, fds=fds)
        self.edges[edge.key] = edge

    @cached_property
    def backlogs(self) -> dict[str, str]:
        """Key of the listening socket in whose backlog each waits that is connected and not
        accepted (UNIX).
        """
        return list_backlogs(self.state)

    @cached_property
    def _lit_pids(self) -> set[int]:
        found: set[int] = set()
        for change in self.lit:
            if isinstance(change, ProcessPart):
                found.add(change.pid)
            elif isinstance(change, ThreadPart):
                thread = self.state.threads.get(change.tid)
                found.add(thread.pid if thread else change.tid)
        return found

    def is_there(self, pid: int) -> bool:
        """Whether a process is drawn as one that is there: it lives, or all have ended."""
        process = self.processes.get(pid)
        return process is not None and (self.ended or process.fate == "alive")

    def is_recent(self, process: Process) -> bool:
        """Whether it ended only a moment ago."""
        return _is_recent(self.state, process)

    def is_outside(self, link: query.Link) -> bool:
        """Whether what a link leads to was open before the session: the terminal, or where the
        command's input and output lead to.
        """
        return self.joins.is_outside(self.state, link)

    def is_idle_outside(self, link: query.Link) -> bool:
        """Whether what a link leads to was open before the session, and nobody has used it so."""
        if self.ended:
            return self.is_outside(link) and not link.fds
        return self.joins.is_idle_outside(self.state, link)

    def is_all_outside(self, key: str) -> bool:
        """Whether all who have an object open had it before the session."""
        return self.joins.is_all_outside(self.state, key)

    def is_used(self, link: query.Link) -> bool:
        """Whether a traced call has moved data through one of its descriptors."""
        return bool(link.fds) if self.ended else self.joins.find_use(self.state, link).used

    def is_received(self, link: query.Link) -> bool:
        """Whether one of its descriptors was received over a socket."""
        return not self.ended and self.joins.find_use(self.state, link).received

    def has_read(self, link: query.Link) -> bool:
        """Whether a traced call has taken data out through one of its descriptors."""
        return link.reads if self.ended else self.joins.find_use(self.state, link).took

    def has_written(self, link: query.Link) -> bool:
        """Whether a traced call has put data in through one of its descriptors."""
        return link.writes if self.ended else self.joins.find_use(self.state, link).put

    def main_direction(self, thing: Object, link: query.Link) -> tuple[bool, bool]:
        """What a process that could do both does: (reads, writes); what it waits for goes before
        what it has done.
        """
        for wait in self.waits[link.pid]:
            if wait.object == thing.info.key and wait.call in _TAKES | _PUTS:
                return wait.call in _TAKES, wait.call in _PUTS
        took, put = self.has_read(link), self.has_written(link)
        return (
            (took, put)
            if took != put
            else (thing.last_reader == link.pid, thing.last_writer == link.pid)
        )

    def keep_past_users(self, thing: Object, node: str) -> bool:
        """Keep the places of processes that used it until they ended; whether there are any."""
        if self.ended:
            return False
        found = False
        for pid, source, target in (
            (thing.last_writer, f"p:{thing.last_writer}", node),
            (thing.last_reader, node, f"p:{thing.last_reader}"),
        ):
            process = self.processes.get(pid)
            if process is not None and process.fate != "alive":
                self.strong.add(pid)
                self.edges[source, target, "past"] = Edge(source, target, "past")
                found = found or self.is_recent(process)
        return found


def _is_shown(state: State, process: Process) -> bool:
    """Whether a process has a box: while it is there, and for a while afterwards.

    In step mode little time passes, and much happens: who has communicated with nobody leaves with
    the step after the next, and makes room for those that the steps are about.
    """
    if process.fate != "gone":
        return True
    over = state.stepping and state.step > process.died_step + 1
    return _is_recent(state, process) and (not over or query.has_communicated(state, process.pid))


def _is_recent(state: State, process: Process) -> bool:
    """Whether it ended only a moment ago."""
    if process.died is None:
        return False
    return state.t - process.died < min(KEPT, max(0.3, process.died - process.born))


def make_process_age_key(process: Process) -> tuple[float, int]:
    """Older processes come first."""
    return (process.born, process.pid)
