"""From a state to a scene: which processes and objects matter, and how they hang together. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Final

from ipcviz.app.picture import folding, words
from ipcviz.app.picture.scene import ENDS, Edge, Gauge, Line, Node, NodeKind, Scene
from ipcviz.app.text import argv_text, bytes_text, count_text, visible
from ipcviz.model import query
from ipcviz.model.calls import READS, WRITES
from ipcviz.model.state import Object, Process, State

KEPT: Final = 3.0
"""Seconds of the session for which an ended process stays in the picture, faded; shorter if it lived shorter."""

_CHANNELS: Final[Mapping[str, NodeKind]] = {
    "pipe": "pipe",
    "fifo": "fifo",
    "unix socket": "socket",
    "tcp socket": "socket",
    "udp socket": "socket",
    "socket": "socket",
    "message queue": "queue",
}
_MEMORY: Final = frozenset({"shared memory", "memfd", "anonymous memory"})
_Changes = frozenset[tuple[str | int, ...]]


def build(
    state: State,
    *,
    opened: frozenset[str] = frozenset(),
    roles: Mapping[int, str] | None = None,
    lit: _Changes | None = None,
    most: int = 14,
) -> Scene:
    """The scene of a moment.

    Args:
        state: The moment.
        opened: Ids of groups that are shown with all their members.
        roles: What a scenario calls its processes, by pid.
        lit: What to show as changed; `state.changed` if None.
        most: Above so many processes, alike ones are folded into groups.
    """
    return folding.fold(
        _Builder(state, roles or {}, frozenset(state.changed) if lit is None else lit).scene(), opened, most
    )


class _Builder:
    """One scene in the making."""

    def __init__(self, state: State, roles: Mapping[int, str], lit: _Changes) -> None:
        self.state = state
        self.roles = roles
        self.lit = lit
        self.held = query.holders(state)
        self.processes = {p.pid: p for p in state.processes.values() if _shown(state, p)}
        self.waits = {pid: words.waits_of(state, p) for pid, p in self.processes.items()}
        self.nodes: dict[str, Node] = {}
        self.edges: dict[tuple[str, str, str], Edge] = {}
        self.blocked: dict[str, set[int]] = defaultdict(set)
        for thread in state.threads.values():
            if thread.waiting is not None and thread.waiting.object and thread.waiting.name in WRITES:
                self.blocked[thread.waiting.object].add(thread.pid)
        parents = {p.parent for p in self.processes.values() if p.fate == "alive"}
        self.supervisors = {
            pid
            for pid, waits in self.waits.items()
            if pid in parents and waits and all(w.reason == "for a child" for w in waits)
        }
        self.strong: set[int] = set()
        self.fed: set[int] = set()  # those whose standard input is a channel: what they write goes on somewhere

    def scene(self) -> Scene:
        """All of it."""
        by_object: dict[str, list[query.Link]] = defaultdict(list)
        for link in query.links(self.state, self.held):
            if link.pid in self.processes:
                by_object[link.object].append(link)
        things = [t for t in (self.state.objects.get(key) for key in sorted(by_object)) if t is not None]
        # what leads out of the system comes last, when it is known what flows inside
        for thing in sorted(things, key=lambda t: (self._outside(by_object[t.info.key]), t.info.kind in ENDS)):
            links = [x for x in by_object[thing.info.key] if not self._idle_from_outside(x)]
            if links:
                self._object(thing, links, by_object)
        self._waits_without_descriptor()
        self._semaphores(by_object)
        self._signals()
        for process in sorted(self.processes.values(), key=_age):
            self._process(process)
        nodes = {n.id: n for n in sorted(self.nodes.values(), key=lambda n: (n.order, n.id))}
        edges = tuple(e for _, e in sorted(self.edges.items()) if e.source in nodes and e.target in nodes)
        return Scene(tuple(nodes.values()), edges)

    # -- objects

    def _object(self, thing: Object, links: list[query.Link], by_object: Mapping[str, list[query.Link]]) -> None:
        kind = thing.info.kind
        if kind == "unix socket" or kind == "tcp socket":
            self._socket(thing, links, by_object)
        elif kind in _CHANNELS:
            self._channel(thing, links)
        elif kind in _MEMORY or (kind == "file" and any(x.mapped and x.writes for x in links)):
            self._memory(thing, links)
        elif kind == "file" or kind == "terminal":
            self._end(thing, links)

    def _channel(self, thing: Object, links: list[query.Link]) -> None:
        key = thing.info.key
        node = f"o:{key}"
        unit = "messages" if thing.info.kind == "message queue" else "B"
        self._add(
            Node(
                id=node,
                kind=_CHANNELS[thing.info.kind],
                title=visible(thing.label),
                lines=_through(thing),
                gauges=(self._gauge(thing, unit),),
                order=(thing.opened_at, thing.info.ino),
                lit=("object", key) in self.lit,
                select=("object", key),
            )
        )
        for link in links:
            reads, writes = link.reads, link.writes
            if reads and writes and unit == "B":
                reads, writes = self._main_direction(thing, link)
            strong = (reads or writes) and link.pid not in self.supervisors
            if strong:
                self.strong.add(link.pid)
                if reads and 0 in link.fds:
                    self.fed.add(link.pid)
            for flag, use, source, target in (
                (link.writes, writes, f"p:{link.pid}", node),
                (link.reads, reads, node, f"p:{link.pid}"),
            ):
                if flag:
                    self._join(source, target, "flow" if use and strong else "hold", thing, link.pid)

    def _main_direction(self, thing: Object, link: query.Link) -> tuple[bool, bool]:
        """What a process that could do both with a pipe does with it: (reads, writes)."""
        key = thing.info.key
        for wait in self.waits[link.pid]:
            if wait.object == key:
                return wait.call in READS, wait.call in WRITES
        return thing.last_reader == link.pid, thing.last_writer == link.pid

    def _gauge(self, thing: Object, unit: str = "B", backwards: bool = False) -> Gauge:
        level = thing.level
        blocked = bool(self.blocked.get(thing.info.key))
        if level is None:
            return Gauge(0, thing.info.capacity, blocked, False, backwards, unit)
        full = blocked or level.writable is False
        return Gauge(level.queued, level.capacity or thing.info.capacity, full, True, backwards, unit)

    def _socket(self, thing: Object, links: list[query.Link], by_object: Mapping[str, list[query.Link]]) -> None:
        key, info = thing.info.key, thing.info
        peer = self.state.objects.get(info.peer) if info.peer else None
        there = by_object.get(info.peer, []) if peer is not None else []
        if peer is None or not there:
            self._lone_socket(thing, links)
            return
        # The accepting side has the name; of a socketpair the older holder's end counts as the client's.
        server_here = bool(info.path and not info.path.startswith("socket:"))
        server_there = bool(peer.info.path and not peer.info.path.startswith("socket:"))
        mine = min(self._born(x.pid) for x in links)
        theirs = min(self._born(x.pid) for x in there)
        swap = server_here if server_here != server_there else (theirs, peer.info.key) < (mine, key)
        if swap or f"o:{key}" in self.nodes:
            return  # told from the other end
        node = f"o:{key}"
        name = f"{visible(thing.label)}-{visible(peer.label)}"
        self._add(
            Node(
                id=node,
                kind="socket",
                title=name,
                lines=(),
                gauges=(self._gauge(peer), self._gauge(thing, backwards=True)),
                order=(thing.opened_at, info.ino),
                lit=bool({("object", key), ("object", peer.info.key)} & self.lit),
                select=("object", key),
            )
        )
        ours = {x.pid for x in links}
        others = {x.pid for x in there}
        for pid in sorted(ours | others):
            both_ends = pid in ours and pid in others
            weak = both_ends or pid in self.supervisors
            if not weak:
                self.strong.add(pid)
            source, target = (f"p:{pid}", node) if pid in ours else (node, f"p:{pid}")
            self._join(source, target, "hold" if weak else "flow", thing, pid, both=not weak)

    def _lone_socket(self, thing: Object, links: list[query.Link]) -> None:
        info = thing.info
        listening = "listen" in info.detail.lower()
        title = visible(thing.label)
        path = info.path if not info.path.startswith("socket:") else ""
        self._add(
            Node(
                id=f"o:{info.key}",
                kind="socket" if not listening else "file",
                title=visible(path.rpartition("/")[2]) or title,
                corner="listening" if listening else info.kind,
                lines=(Line(visible(info.detail) or info.kind, "dim"),),
                gauges=() if listening else (self._gauge(thing),),
                order=(thing.opened_at, info.ino),
                lit=("object", info.key) in self.lit,
                select=("object", info.key),
            )
        )
        for link in links:
            weak = link.pid in self.supervisors
            if not weak:
                self.strong.add(link.pid)
            self._join(f"o:{info.key}", f"p:{link.pid}", "hold" if weak else "flow", thing, link.pid)

    def _memory(self, thing: Object, links: list[query.Link]) -> None:
        key = thing.info.key
        inside = query.semaphores_of(self.state, key)
        label = visible(thing.label)
        lines = tuple(self._semaphore_line(s.info.key) for s in inside)
        named = len(inside) == 1 and inside[0].info.kind == "named"
        size = max(
            (m.length for x in links for m in self.state.mappings.get(x.pid, ()) if m.object.key == key), default=0
        )
        self._add(
            Node(
                id=f"o:{key}",
                kind="semaphore" if named else "memory",
                title=visible(inside[0].label) if named else label,
                corner="semaphore" if named else bytes_text(size) if size else "",
                lines=lines if lines else (Line("shared memory", "dim"),),
                order=(thing.opened_at, thing.info.ino),
                lit=("object", key) in self.lit or any(line.lit for line in lines),
                select=("semaphore", inside[0].info.key) if named else ("object", key),
            )
        )
        mapped = sorted((x for x in links if x.mapped), key=lambda x: self._born(x.pid))
        self._touch(f"o:{key}", [x.pid for x in mapped], thing)

    def _touch(self, node: str, pids: list[int], thing: Object | None) -> None:
        """Join a shared thing with the processes at it: the older half at its left, the younger at its right."""
        active = [pid for pid in pids if pid not in self.supervisors]
        half = (len(active) + 1) // 2
        for place, pid in enumerate(active):
            self.strong.add(pid)
            source, target = (f"p:{pid}", node) if place < half else (node, f"p:{pid}")
            self._join(source, target, "flow", thing, pid, both=True)
        for pid in pids:
            if pid in self.supervisors:
                self._join(f"p:{pid}", node, "hold", thing, pid)

    def _end(self, thing: Object, links: list[query.Link]) -> None:
        """A file or terminal: what flows from it at the left, what flows to it at the right."""
        terminal = thing.info.kind == "terminal"
        key = thing.info.key
        inputs = [x for x in links if self._is_input(thing, x, len(links))]
        outputs = [x for x in links if self._is_output(thing, x)]
        for side, found in (("in", inputs), ("out", outputs)):
            if not found:
                continue
            node = f"t:{key}:{side}"
            moved = thing.bytes_out if side == "in" else thing.bytes_in
            mark = "" if thing.exact else ">="
            self._add(
                Node(
                    id=node,
                    kind="terminal" if terminal else "file",
                    title=visible(thing.label),
                    corner="terminal" if terminal else "file",
                    lines=(Line(f"{mark}{bytes_text(moved)}", "dim"),) if moved else (),
                    order=(thing.opened_at, thing.info.ino),
                    lit=("object", key) in self.lit,
                    select=("object", key),
                )
            )
            for link in found:
                self.strong.add(link.pid)
                ends = (node, f"p:{link.pid}") if side == "in" else (f"p:{link.pid}", node)
                self._join(*ends, "flow", thing, link.pid)

    def _is_input(self, thing: Object, link: query.Link, holders: int) -> bool:
        if link.pid in self.supervisors or not link.reads or not link.fds:
            return False
        used = self._used(link) or any(w.object == thing.info.key for w in self.waits[link.pid])
        if thing.info.kind == "terminal":
            return 0 in link.fds and any(w.object == thing.info.key and w.call in READS for w in self.waits[link.pid])
        if 0 in link.fds:
            return True
        if link.writes or min(link.fds) >= 10:
            return link.writes and used and thing.last_reader == link.pid
        argv = self.processes[link.pid].argv
        path = thing.info.path
        return any(word and (word == path or path.endswith("/" + word.removeprefix("./"))) for word in argv[1:])

    def _is_output(self, thing: Object, link: query.Link) -> bool:
        if link.pid in self.supervisors or not link.writes or not link.fds:
            return False
        if thing.info.kind == "terminal" or self._outside([link]):
            process = self.processes[link.pid]
            first = 1 in link.fds and process.executed and link.pid in self.fed
            return first or (self._used(link) and thing.last_writer == link.pid)
        return True

    def _outside(self, links: list[query.Link]) -> bool:
        """Whether it was open before the session: the terminal, or where the command's input and output lead to."""
        for link in links:
            rows = query.table_of(self.state, link.pid)
            files = [self.state.open_files.get(rows[fd].ofd) for fd in link.fds if fd in rows]
            if link.mapped or any(f is not None and f.opened_by for f in files):
                return False
        return True

    def _idle_from_outside(self, link: query.Link) -> bool:
        """Whether it is a descriptor of before the session that nobody has used: it says nothing of this system."""
        if not self._outside([link]) or (1 in link.fds and link.pid in self.fed):
            return False
        return not self._used(link) and not any(w.object == link.object for w in self.waits[link.pid])

    def _used(self, link: query.Link) -> bool:
        rows = query.table_of(self.state, link.pid)
        return any(rows[fd].used for fd in link.fds if fd in rows)

    def _waits_without_descriptor(self) -> None:
        """Who waits to open a FIFO has no descriptor yet, and belongs into the picture all the same."""
        for pid, waits in self.waits.items():
            for wait in waits:
                thing = self.state.objects.get(wait.object)
                if thing is None or thing.info.kind != "fifo" or wait.fd >= 0 or "open" not in wait.call:
                    continue
                node = f"o:{thing.info.key}"
                if node not in self.nodes:
                    self._channel(thing, [])
                writes = "no reader" in wait.reason
                self.strong.add(pid)
                self._join(*((f"p:{pid}", node) if writes else (node, f"p:{pid}")), "flow", thing, pid)

    # -- semaphores and signals

    def _semaphore_line(self, key: str) -> Line:
        found = self.state.semaphores[key]
        value = "?" if found.value is None else count_text(found.value)
        waiting = [str(t.pid) for t in query.waiters(self.state, key)]
        text = f"{visible(found.label)} = {value}"
        if waiting:
            text += f" ←{','.join(waiting)}"
        elif found.waiters > 0:
            text += f" ←{found.waiters} wait"
        return Line(text, "strong" if waiting or found.waiters > 0 else "text", ("semaphore", key) in self.lit)

    def _semaphores(self, by_object: Mapping[str, list[query.Link]]) -> None:
        """Semaphores that lie in no drawn memory."""
        for key, found in sorted(self.state.semaphores.items()):
            if found.info.object and f"o:{found.info.object}" in self.nodes:
                continue
            pids = {t.pid for t in query.waiters(self.state, key)}
            if found.info.kind != "unnamed":  # those in private memory are a run-time's own locks, mostly
                pids.add(found.last_pid)
            pids = {pid for pid in pids if pid in self.processes and self.processes[pid].fate == "alive"}
            if not pids:
                continue
            node = f"m:{key}"
            line = self._semaphore_line(key)
            self._add(
                Node(
                    id=node,
                    kind="semaphore",
                    title=visible(found.label),
                    corner="semaphore",
                    lines=(line,),
                    order=(self.state.t + 1, 0),
                    lit=line.lit,
                    select=("semaphore", key),
                )
            )
            self._touch(node, sorted(pids, key=self._born), None)

    def _signals(self) -> None:
        """Armed timers and signals on their way, at the left of the process that they are for."""
        for (pid, signo), timer in sorted(self.state.timers.items()):
            process = self.processes.get(pid)
            if process is None or process.fate != "alive":
                continue
            left = max(0.0, timer.due - self.state.t)
            self._signal(pid, signo, f"in {left:.1f} s", "timer", ("timer", pid, signo))
        newest: dict[tuple[int, int], int] = {}
        for sent in self.state.sent:
            if sent.delivered is None and not sent.coalesced and self._pending(sent.target, sent.signo):
                newest[sent.target, sent.signo] = sent.sender
        for (pid, signo), sender in sorted(newest.items()):
            node = self._signal(pid, signo, "pending", "signal", ("signal", pid, signo))
            if sender != pid and sender in self.processes and self.processes[sender].fate == "alive":
                self.edges.setdefault((f"p:{sender}", node, "signal"), Edge(f"p:{sender}", node, "signal"))

    def _pending(self, pid: int, signo: int) -> bool:
        process = self.processes.get(pid)
        if process is None or process.fate != "alive":
            return False
        bits = process.sample.pending if process.sample else 0
        for tid in process.threads:
            thread = self.state.threads.get(tid)
            bits |= thread.pending if thread else 0
        return bool(bits >> (signo - 1) & 1)

    def _signal(self, pid: int, signo: int, text: str, corner: str, change: tuple[str, int, int]) -> str:
        node = f"s:{corner}:{pid}:{signo}"
        lit = ("signal", pid, signo) in self.lit or change in self.lit
        self._add(
            Node(
                id=node,
                kind="signal",
                title=words.signal_name(signo),
                corner=corner,
                lines=(Line(text, "strong"),),
                order=(self._born(pid)[0], pid),
                lit=lit,
                select=("process", pid),
            )
        )
        self.edges[node, f"p:{pid}", "signal"] = Edge(node, f"p:{pid}", "signal", lit=lit)
        self.strong.add(pid)
        return node

    # -- processes

    def _process(self, process: Process) -> None:
        pid = process.pid
        waits = self.waits[pid]
        letter, style = words.chip(self.state, process, waits)
        role = self.roles.get(pid, "")
        lines = [Line(words.doing(self.state, process, waits), "text")]
        if role:
            lines.append(Line(visible(role), "strong"))
        lines.extend(words.pending_lines(self.state, process))
        if len(process.threads) > 1:
            lines.append(Line(f"{len(process.threads)} threads", "dim"))
        if len(process.argv) > 1 and (process.executed or process.how == "launched"):
            lines.append(Line(argv_text((_base(process.argv[0]), *process.argv[1:])), "dim"))
        if process.fate == "alive" and not process.full:
            lines.append(Line("sampled", "dim"))
        parent = f"p:{process.parent}" if process.parent in self.processes else ""
        lit = bool({("process", pid), *(("thread", tid) for tid in process.threads)} & self.lit)
        tree = pid not in self.strong
        self._add(
            Node(
                id=f"p:{pid}",
                kind="process",
                title=visible(process.name) or "?",
                corner=str(pid),
                letter=letter,
                chip=style,
                lines=tuple(lines),
                order=_age(process),
                parent=parent,
                tree=tree,
                lit=lit,
                faded=process.fate == "gone",
                select=("process", pid),
            )
        )
        if parent and (tree or process.parent not in self.strong):
            self.edges[parent, f"p:{pid}", "child"] = Edge(parent, f"p:{pid}", "child")

    # -- helpers

    def _born(self, pid: int) -> tuple[float, int]:
        return _age(self.processes[pid])

    def _add(self, node: Node) -> None:
        self.nodes[node.id] = node

    def _join(self, source: str, target: str, kind: str, thing: Object | None, pid: int, *, both: bool = False) -> None:
        lit = thing is not None and ("object", thing.info.key) in self.lit and pid in self._lit_pids()
        edge = Edge(source, target, "flow" if kind == "flow" else "hold", both, lit)
        self.edges[edge.key] = edge

    def _lit_pids(self) -> set[int]:
        found: set[int] = set()
        for change in self.lit:
            if change[0] in ("process", "thread") and isinstance(change[1], int):
                thread = self.state.threads.get(change[1])
                found.add(thread.pid if thread else change[1])
        return found


def _shown(state: State, process: Process) -> bool:
    if process.fate != "gone" or process.died is None:
        return process.fate != "gone"
    return state.t - process.died < min(KEPT, max(0.3, process.died - process.born))


def _age(process: Process) -> tuple[float, int]:
    return (process.born, process.pid)


def _base(path: str) -> str:
    return path.rpartition("/")[2] or path


def _through(thing: Object) -> tuple[Line, ...]:
    if not thing.bytes_in and not thing.bytes_out:
        return ()
    return (Line(f"{'' if thing.exact else '>='}{bytes_text(max(thing.bytes_in, thing.bytes_out))} through", "dim"),)
