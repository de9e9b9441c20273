"""The picture as a widget: line API, cached strips, only changed rows repainted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Final

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from ipcviz.app.picture import graph
from ipcviz.app.picture.channels import LOOKS
from ipcviz.app.picture.draft import Joins
from ipcviz.app.picture.draw import paint_scene
from ipcviz.app.picture.layout import Layout, arrange_scene, choose_boxes, measure_need, shows_all
from ipcviz.app.picture.scene import Node, Scene
from ipcviz.model.state import State

if TYPE_CHECKING:
    from ipcviz.app.picture.canvas import Run
    from ipcviz.diagnose import Finding
    from ipcviz.model.parts import Part

_ROOMY: Final = 0.7
"""The share of the room that is folded for where things are to be larger."""
_CHIPS = ("held", "running", "blocked", "asleep", "stopped", "zombie", "gone")


class Picture(ScrollView, can_focus=True, inherit_bindings=False):
    """The drawing of the system: processes, channels between them, how full those are, who is
    blocked on what.

    Assign `state`; everything else follows. A click, and shift with the arrow keys, select; `enter`
    opens a group. Left, right, PageUp and PageDown stay free: they step, wherever the focus is.
    """

    HELP = """
    # The picture
    Boxes are processes, tubes are pipes and sockets, blocks are shared memory, semaphores, eventfds
    and the like that processes share; bytes flow along the arrows. The letter says a process's
    state: **H** is held in step mode, with what it does when it is let go, **R** runs, **B** is
    blocked until another one acts, **S** waits for time, a signal, a child or input, **D** for a
    device, **T** is stopped, **Z** has ended and was not waited for. The number at a process's end
    of a line is its descriptor. What it has open without using it stands in the lower border of its
    box: "also has 4 w P1" is descriptor 4, for writing. A star marks what changed; **!** marks what
    the selected finding speaks of: boxes, lines, descriptors. A dotted box is a process that is not
    watched. **Shift** with the arrow keys moves from one to the next,
    whatever has the focus. What there is no room for is folded into groups: a second click or
    **enter** opens one; **enter** on anything else folds them again. At a tube, "in" is what was
    written: a write counts when it returns, but what was read and what waits has been written, so
    it can say >= that.
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "shift+left",
            "go(-1,0)",
            "Left",
            id="picture.left",
            show=False,
            tooltip="Select what is left of it",
        ),
        Binding(
            "shift+right",
            "go(1,0)",
            "Right",
            id="picture.right",
            show=False,
            tooltip="Select what is right of it",
        ),
        Binding(
            "shift+up,up,k",
            "go(0,-1)",
            "Up",
            id="picture.up",
            show=False,
            tooltip="Select what is above it",
        ),
        Binding(
            "shift+down,down,j",
            "go(0,1)",
            "Down",
            id="picture.down",
            show=False,
            tooltip="Select what is below it",
        ),
        Binding(
            "enter",
            "open",
            "Open group",
            id="picture.open",
            show=False,
            tooltip="Open or fold a group",
        ),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "picture--text",
        "picture--dim",
        "picture--strong",
        "picture--title",
        "picture--pid",
        "picture--box",
        "picture--group",
        "picture--end",
        "picture--edge",
        "picture--hold",
        "picture--child",
        "picture--signal",
        "picture--tube",
        "picture--fill",
        "picture--full",
        "picture--memory",
        "picture--semaphore",
        "picture--lit",
        "picture--found",
        "picture--selected",
        "picture--gone",
        "picture--note",
        "picture--chip-signal",
        "picture--chip-mask",
        *(f"picture--chip-{name}" for name in _CHIPS),
        *(f"picture--share-{look}" for look in range(1, LOOKS + 1)),
    }
    """One class for each style that `draw` names: `picture--` and the style's name."""
    DEFAULT_CSS = """
    Picture {
        background: $background;
        color: $foreground;
        scrollbar-size: 1 1;
        & > .picture--dim, & > .picture--pid, & > .picture--gone { color: $foreground 65%; }
        & > .picture--note { background: $panel; color: $foreground; }
        & > .picture--strong, & > .picture--title { text-style: bold; }
        & > .picture--box, & > .picture--edge { color: $foreground 85%; }
        & > .picture--child, & > .picture--hold { color: $foreground 55%; }
        & > .picture--end { color: $foreground 70%; }
        & > .picture--group { color: $foreground; text-style: bold; }
        & > .picture--tube { color: $foreground 60%; }
        & > .picture--fill { color: #2b8cd6; }
        & > .picture--full { color: #e69f00; }
        & > .picture--memory { color: #009e73; }
        & > .picture--semaphore { color: #b5639a; }
        & > .picture--signal { color: #e8793a; }
        & > .picture--lit { color: #f0e442; text-style: bold; }
        & > .picture--found { color: #ff7a5c; text-style: bold; }
        & > .picture--selected { color: $foreground; text-style: bold; }
        & > .picture--share-1 { background: #56b4e9; color: black; }
        & > .picture--share-2 { background: #e69f00; color: black; }
        & > .picture--share-3 { background: #29b98a; color: black; }
        & > .picture--share-4 { background: #cc79a7; color: black; }
        & > .picture--chip-held { background: $foreground; color: $background; text-style: bold; }
        & > .picture--chip-running { background: #29b98a; color: black; text-style: bold; }
        & > .picture--chip-blocked { background: #e69f00; color: black; text-style: bold; }
        & > .picture--chip-asleep { background: #56b4e9; color: black; text-style: bold; }
        & > .picture--chip-stopped { background: #f0e442; color: black; text-style: bold; }
        & > .picture--chip-zombie { background: #cc79a7; color: black; text-style: bold; }
        & > .picture--chip-gone { background: #999999; color: black; text-style: bold; }
        & > .picture--chip-signal { background: #e8793a; color: black; text-style: bold; }
        & > .picture--chip-mask { background: $foreground 25%; color: $foreground; }
    }
    Picture:light {
        & > .picture--lit { color: #b00040; }
        & > .picture--found { color: #a81400; }
        & > .picture--signal { color: #a03c00; }
        & > .picture--full { color: #c77800; }
        & > .picture--memory { color: #00664a; }
        & > .picture--semaphore { color: #8a3a72; }
        & > .picture--fill { color: #0072b2; }
    }
    """

    state: reactive[State] = reactive(State, repaint=False, always_update=True, init=False)
    """The moment that is drawn; of its rows those that differ are painted."""
    selected: reactive[str] = reactive("", repaint=False, init=False)
    """Id of the selected node; empty if none is."""

    class Selected(Message):
        """Something was selected: a `process` by pid, an `object` or `semaphore` by key, a `group`
        by id.
        """

        def __init__(self, picture: Picture, kind: str, key: int | str) -> None:
            self.picture, self.kind, self.key = picture, kind, key
            super().__init__()

        @property
        def control(self) -> Picture:
            """The picture that it was selected in."""
            return self.picture

    class NeedsRoom(Message):
        """It needs another room than before for boxes that can be read.

        Attributes:
            columns: Columns that it needs.
            rows: Rows that it needs.
        """

        def __init__(self, columns: int, rows: int) -> None:
            super().__init__()
            self.columns, self.rows = columns, rows

    def __init__(
        self,
        state: State | None = None,
        *,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self.slots: Mapping[int, int] | None = None
        """The digits that stand in the boxes, by pid; none if it is None. Set it before `state`."""
        self.lit: frozenset[Part] | None = None
        """What is shown as changed; what `state.changed` says if None. Set it before `state`."""
        self.about: frozenset[str] = frozenset()
        """The panels that the story points at. Set it before `state`."""
        self.finding: Finding | None = None
        """What it speaks of is marked; nothing is if it is None. Set it before `state`."""
        self.scene = Scene()
        self.roomy = False
        """Whether it folds as if there were less room: fewer, larger things, for a projector."""
        self._layout_now: Layout | None = None
        self._rows: list[tuple[Run, ...]] = []
        self._strips: dict[int, Strip] = {}
        self._looks: dict[str, Style] = {}
        self._note = ""
        self._needs: tuple[object, ...] = ()
        self._opened: frozenset[str] = frozenset()
        self._without_gone = False
        self._joins = Joins()
        if state is not None:
            self.set_reactive(Picture.state, state)

    # -- drawing

    def on_mount(self) -> None:
        """Draw what there is."""
        self._redraw_scene()

    def watch_state(self) -> None:
        """A new moment: draw it, and repaint the rows that changed."""
        self._redraw_scene()

    def watch_selected(self) -> None:
        """Another selection: its frame changes."""
        self._repaint_rows()

    def on_resize(self) -> None:
        """Another size is another layout, and folds anew."""
        self.scene = Scene()
        self._without_gone = False
        self._redraw_scene()

    def notify_style_update(self) -> None:
        """The theme changed: colours are looked up again."""
        super().notify_style_update()
        self._looks.clear()
        self._strips.clear()

    def _redraw_scene(self) -> None:
        size = self.scrollable_content_region.size if self.is_attached else Size(0, 0)
        if size.width < 1 or size.height < 1:
            return
        room = (max(1, self.size.width), max(1, self.size.height))
        scene, layout = self._make_picture(room)
        if scene.recent and not self._without_gone and not shows_all(scene, layout):
            # The ended go first: they must never push the living out of sight. They do not come
            # back before all of them have gone: boxes would come and go by turns.
            self._without_gone = True
            scene, layout = self._make_picture(room)
        self._without_gone = self._without_gone and bool(scene.recent)
        self.scene, self._layout_now = scene, layout
        extent = Size(*self._layout_now.extent)
        if extent != self.virtual_size:
            self.virtual_size = extent
            self.call_after_refresh(
                self.refresh
            )  # scroll bars that went away have left what was below them
        self._ask_for_room(room)
        self._show_something()
        self._repaint_rows()

    def _make_picture(self, room: tuple[int, int]) -> tuple[Scene, Layout]:
        """The scene of this moment, and where everything is."""
        scene = graph.build_scene(
            self.state,
            opened=self._opened,
            slots=self.slots,
            lit=self.lit,
            size=self._find_room(room),
            level=self.scene.level,
            joins=self._joins,
            about=self.about,
            finding=self.finding,
            without_gone=self._without_gone,
        )
        scene = choose_boxes(scene, room, self._layout_now, inside=self.scene.inside)
        return scene, self._arrange_scene(scene, room)

    def _ask_for_room(self, room: tuple[int, int]) -> None:
        """Say how much room is needed, where that is not what it was for another scene."""
        shape = (room, self.scene.compute_shape())
        if shape != self._needs:
            self._needs = shape
            self.post_message(self.NeedsRoom(*measure_need(self.scene, self._find_room(room))))

    def _find_room(self, room: tuple[int, int]) -> tuple[int, int]:
        """The room that is folded for."""
        if not self.roomy:
            return room
        return max(1, int(room[0] * _ROOMY)), max(1, int(room[1] * _ROOMY))

    def _arrange_scene(self, scene: Scene, room: tuple[int, int]) -> Layout:
        """The layout; what is too tall leaves the last column to the scroll bar, so that it is not
        too wide, too.
        """
        before, narrow = self._layout_now, (room[0] - 1, room[1])
        if before is not None and before.size == narrow:
            found = arrange_scene(scene, narrow, before)
            if found.extent[1] > room[1]:
                return found
        found = arrange_scene(
            scene, room, before if before is None or before.size == room else None
        )
        if found.extent[1] > room[1] and room[0] > 1:
            slim = arrange_scene(
                scene, narrow, before if before is not None and before.size == narrow else None
            )
            if slim.extent[1] > room[1] and slim.extent[0] <= narrow[0]:
                return slim
        return found

    def _show_something(self) -> None:
        """Scroll to a node if the part that can be seen has none."""
        layout = self._layout_now
        if layout is None or layout.extent == layout.size or not layout.rects:
            return
        seen = Region(*self.scroll_offset, *layout.size)
        places = {
            node: Region(rect.x, rect.y, rect.w, rect.h) for node, rect in layout.rects.items()
        }
        if not any(seen.overlaps(place) for place in places.values()):
            first = min(places.values(), key=lambda place: (place.x, place.y))
            self.scroll_to_region(places.get(self.selected, first), animate=False)

    def _repaint_rows(self) -> None:
        if self._layout_now is None:
            return
        rows = paint_scene(self.scene, self._layout_now, self.selected)
        old, self._rows = self._rows, rows
        note, self._note = self._note, self._describe_left_out()
        if note != self._note:
            self.refresh(Region(0, self.size.height - 1, self.size.width, 1))
        if len(old) != len(rows):
            self._strips.clear()
            self.refresh()
            return
        changed = [
            y for y, (before, after) in enumerate(zip(old, rows, strict=True)) if before != after
        ]
        for y in changed:
            self._strips.pop(y, None)
        top, width = self.scroll_offset.y, self.size.width
        regions = [Region(0, y - top, width, 1) for y in changed if 0 <= y - top < self.size.height]
        if regions:
            self.refresh(*regions)

    def render_line(self, y: int) -> Strip:
        """One row of the screen."""
        left, top = self.scroll_offset
        row = y + top
        strip = self._strips.get(row)
        if strip is None:
            runs = self._rows[row] if row < len(self._rows) else ()
            strip = Strip([Segment(text, self._find_style(style)) for text, style in runs])
            self._strips[row] = strip
        width = self.size.width
        strip = strip.crop_extend(left, left + width, self._find_style(""))
        note = self._note if y == self.size.height - 1 else ""
        if note and len(note) < width:
            said = Strip([Segment(note, self._find_style("note"))], len(note))
            strip = Strip.join([strip.crop(0, width - len(note)), said])
        return strip

    def _describe_left_out(self) -> str:
        """What the picture leaves out, for its last row; empty if it shows everything."""
        layout = self._layout_now
        if layout is None:
            return ""
        told = {*layout.routes, *layout.untold}
        missing = sum(
            1 for e in self.scene.edges if e.kind not in ("hold", "past") and e.key not in told
        )
        lines = f"{missing} of {len(self.scene.edges)} lines left out: too many" if missing else ""
        ended = f"{self.scene.recent} just ended" if self._without_gone else ""
        words = "; ".join(filter(None, (ended, lines)))
        return f" {words} " if words else ""

    def _find_style(self, style: str) -> Style:
        found = self._looks.get(style)
        if found is None:
            found = (
                self.get_visual_style(f"picture--{style}") if style else self.visual_style
            ).rich_style
            self._looks[style] = found
        return found

    # -- choosing

    def node_at(self, x: int, y: int) -> Node | None:
        """The node at a cell of the picture."""
        if self._layout_now is None:
            return None
        for node in self.scene.nodes:
            rect = self._layout_now.rects[node.id]
            if rect.x <= x < rect.right and rect.y <= y < rect.bottom:
                return node
        return None

    def choose_node(self, node: Node, *, tell: bool = True) -> None:
        """Select a node, show it, and say so."""
        self.selected = node.id
        if self._layout_now is not None:
            rect = self._layout_now.rects[node.id]
            self.scroll_to_region(Region(rect.x, rect.y, rect.w, rect.h), animate=False)
        if tell:
            self.post_message(self.Selected(self, *node.select))

    def show_selection(self, kind: str, key: int | str) -> None:
        """Follow a selection that was made elsewhere; nothing is posted."""
        node = next((n for n in self.scene.nodes if n.select == (kind, key)), None)
        self.selected = node.id if node else ""

    def on_click(self, event: events.Click) -> None:
        """Select what was clicked; a second click on a group opens it."""
        left, top = self.scroll_offset
        node = self.node_at(event.x + left, event.y + top)
        if node is None:
            return
        again = node.id == self.selected
        self.choose_node(node)
        if again and node.select[0] == "group":
            self.action_open()

    def action_go(self, right: int, down: int) -> None:
        """Select the nearest node in a direction; the first one if none is selected."""
        layout = self._layout_now
        if layout is None or not self.scene.nodes:
            return
        here = layout.rects.get(self.selected)
        if here is None:
            self.choose_node(
                min(self.scene.nodes, key=lambda n: (layout.rects[n.id].y, layout.rects[n.id].x))
            )
            return
        best: tuple[int, Node] | None = None
        for node in self.scene.nodes:
            rect = layout.rects[node.id]
            ahead = (rect.x - here.x) * right + 2 * (rect.middle - here.middle) * down
            aside = abs(2 * (rect.middle - here.middle) * right) + abs((rect.x - here.x) * down)
            if ahead > 0 and (best is None or ahead + 2 * aside < best[0]):
                best = (ahead + 2 * aside, node)
        if best is not None:
            self.choose_node(best[1])

    def action_open(self) -> None:
        """Open the selected group, or fold the opened ones."""
        node = next((n for n in self.scene.nodes if n.id == self.selected), None)
        if node is not None and node.select[0] == "group":
            self._opened |= {str(node.select[1])}
        else:
            self._opened = frozenset()
        self._layout_now = None
        self._redraw_scene()
