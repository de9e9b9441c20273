"""The scene: what the picture shows, before it has places. Plain values."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from ipcviz.events.kinds import KINDS, Drawn

NodeKind = Literal["process", "outsider", "group", "list", "semaphore", "signal", Drawn]
EdgeKind = Literal["flow", "hold", "child", "signal", "past"]
"""`flow`: bytes go this way. `hold`: descriptors that are open and not used, from the process to
the object. `child`: fork.

`signal`: sent or due. `past`: bytes went this way until the process ended, or can only go this way
once it does anything; it keeps the places, and is not drawn."""

TUBES: Final = frozenset(kind.drawn for kind in KINDS.values() if kind.shape == "tube")
"""What bytes or messages stand in a line in, and is drawn with a gauge."""

BLOCKS: Final = frozenset(kind.drawn for kind in KINDS.values() if kind.shape == "block") | {
    "semaphore"
}
"""What several touch and no bytes stand in a line in: drawn as a block with its words inside."""

ENDS: Final = frozenset(kind.drawn for kind in KINDS.values() if kind.shape == "end")
"""What stands at the ends of a flow."""


class Share(msgspec.Struct, frozen=True):
    """Bytes of one writer that wait together.

    Attributes:
        letter: The writer's letter in this channel; ? where its bytes lie among others' in an order
            that is not known.
        name: Its name.
        length: How many bytes.
        look: Which of the colours of writers it has, from 1; 0 for none.
    """

    letter: str
    name: str
    length: int
    look: int = 1


class Gauge(msgspec.Struct, frozen=True):
    """What waits in one direction of a channel.

    Attributes:
        queued: Bytes, or messages.
        capacity: How many there can be; 0 if unknown.
        full: A writer is blocked, or poll(2) says that it would be.
        known: Whether it was looked at.
        backwards: It flows from right to left.
        unit: `B` or `messages`.
        shares: Whose bytes wait, first those that are taken next; empty if that is not known.
    """

    queued: int = 0
    capacity: int = 0
    full: bool = False
    known: bool = False
    backwards: bool = False
    unit: str = "B"
    shares: tuple[Share, ...] = ()


class NodeLine(msgspec.Struct, frozen=True):
    """A line of words inside a node; `style` is `text`, `dim`, `strong`, `pending` or a chip's
    name.

    `short` is said instead where the text has no room. `marks` are parts of the text that changed,
    each by the indices of its first character and of the one after its last. `chips` stand behind
    the text: words and the name of each one's style.
    """

    text: str
    style: str = "text"
    lit: bool = False
    short: str = ""
    chips: tuple[tuple[str, str], ...] = ()
    marks: tuple[tuple[int, int], ...] = ()


class Node(msgspec.Struct, frozen=True):
    """Something with a place of its own.

    Attributes:
        id: Identity, stable over time: `p:PID`, `o:KEY`, `g:...` for groups, `t:KEY:in` for ends,
            `s:...` for signals.
        kind: What it is drawn as; an `outsider` is a process that is not watched.
        title: Its name.
        label: What it is called, where that is not its title: processes of one program are alike,
            whatever each is called.
        digit: The key that chooses a process; empty if it has none.
        corner: A short fact beside the name: a PID, a count.
        letter: A process's state as a letter.
        chip: The style of that letter.
        lines: More words, the most important first.
        rows: So many rows of words are wanted, whatever the words are at the moment: the box is as
            high where there is room. 0 for as many as others of its kind have.
        cells: So many cells of words are wanted, likewise.
        gauges: How full it is, one for each direction.
        ends: Files and terminals that it alone uses, told in its box: `1→out.gz 18K`.
        messages: Those that wait in a queue or a socket, the next to be taken first.
        order: Older nodes come first.
        parent: Id of the node of the parent process; empty if it is not drawn.
        tree: It takes part in no flow: its place is in the tree of processes.
        lit: It changed in this step.
        found: The finding that is selected speaks of it.
        faded: It has ended.
        ended: All have: it is drawn as it last was, with totals.
        select: What a click on it selects: (`process`, pid), (`object`, key), (`semaphore`, key) or
            (`group`, id).
    """

    id: str
    kind: NodeKind
    title: str
    label: str = ""
    digit: str = ""
    corner: str = ""
    letter: str = ""
    chip: str = ""
    lines: tuple[NodeLine, ...] = ()
    rows: int = 0
    cells: int = 0
    gauges: tuple[Gauge, ...] = ()
    ends: tuple[NodeLine, ...] = ()
    messages: tuple[NodeLine, ...] = ()
    order: tuple[float, int] = (0.0, 0)
    parent: str = ""
    tree: bool = False
    lit: bool = False
    found: bool = False
    faded: bool = False
    ended: bool = False
    select: tuple[str, int | str] = ("", 0)

    @property
    def heading(self) -> str:
        """Its name as it stands in the picture: behind its digit, if it has one."""
        name = self.label or self.title
        return f"{self.digit} {name}" if self.digit else name


class Edge(msgspec.Struct, frozen=True):
    """A line between two nodes, in the direction in which the bytes flow; `both` if they flow both
    ways; `at_door` if what goes there has not been let in; `faded` if all have ended; `found` if
    the finding that is selected speaks of both its ends. A wake that goes along it now has the one
    of its ends as `wakes` that it goes to.

    `fds` are the descriptors by which the process has the object open, as they stand at its end of
    the line: `1`, `3,4`; with their directions if they are not used: `3 r 4 w`. One that the
    finding speaks of is marked: `!4`. Empty if there are none.
    """

    source: str
    target: str
    kind: EdgeKind = "flow"
    both: bool = False
    lit: bool = False
    at_door: bool = False
    faded: bool = False
    found: bool = False
    wakes: str = ""
    fds: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """Identity: one line a pair of nodes and kind."""
        return (self.source, self.target, self.kind)


class Scene(msgspec.Struct, frozen=True):
    """The nodes and edges of one moment; node ids are unique, edges join ids that are there.

    Attributes:
        nodes: Oldest first.
        edges: In the order of their keys, or nearly so.
        level: How much is folded: 0 for nothing, else the level of `folding`.
        inside: Files and terminals that one process alone uses are told in its box.
        recent: How many processes have ended a moment ago while others live, with a box or without.
    """

    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()
    level: int = 0
    inside: bool = False
    recent: int = 0

    def compute_shape(self) -> tuple[object, ...]:
        """What a layout depends on: equal shapes can share one."""
        return (
            tuple((n.id, n.kind, n.tree, n.parent, n.rows, n.cells) for n in self.nodes),
            tuple((e.source, e.target, e.kind, e.both) for e in self.edges),
        )
