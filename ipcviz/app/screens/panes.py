"""Which panels are shown where, which one has the focus, and which one the whole screen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import ContentSwitcher

from ipcviz.app.bars import PanelBar
from ipcviz.app.panels.panel import Panel
from ipcviz.app.panels.registry import PANELS
from ipcviz.app.picture import Picture
from ipcviz.app.screens.controller import Controller, Stage
from ipcviz.app.screens.room import Need, split_room
from ipcviz.app.strip import StepStrip
from ipcviz.app.textual_internals import is_leaving
from ipcviz.app.themes import find_contrast

if TYPE_CHECKING:
    from ipcviz.app.screens.help import HelpScreen
    from ipcviz.app.sources import SourceTexts
    from ipcviz.app.view import View

_LEAST: Final = 3
"""Rows that a story's panel has at least."""
_BESIDE: Final = 3
"""Panels beside the picture at most; one fewer on a low screen."""
_PAINTED: Final = 0.02
"""Seconds in which a first view is painted: the screen waits for its next beat, a sixtieth of a
second, and what is made meanwhile would be made before it.
"""
_SOURCE_FROM: Final = 120
"""Columns from which on the source has a pane of its own."""
_AROUND: Final = 11
"""Rows that bars, keys and the picture need."""


class Panes(Controller):
    """The picture and the panels: one of them at a time below the picture, some also beside it.

    Args:
        stage: The screen, for notes.
        screen: The screen that they are on.
        first: Name of the panel that stands below the picture at first.
        make_lines: Makes the lines to type in, at the lower edge.
    """

    BINDINGS: ClassVar[list[Binding]] = [
        *(
            Binding(
                panel.key,
                f"panel('{name}')",
                panel.title,
                show=False,
                id=f"live.{name}",
                tooltip=f"Show the panel {panel.title}",
            )
            for name, panel in PANELS.items()
        ),
        Binding(
            "z",
            "zoom",
            "Zoom",
            id="live.zoom",
            tooltip="The panel with the focus takes the whole screen, or not",
        ),
        Binding("enter", "zoom", "Zoom", show=False, id="live.zoom-enter", tooltip="As z"),
        Binding(
            "L",
            "lanes",
            "Lanes",
            show=False,
            id="live.lanes",
            tooltip="The same story in time, one lane a process; again, the picture",
        ),
        Binding(
            "P",
            "present",
            "Present",
            show=False,
            id="live.present",
            tooltip="For a projector: fewer, larger things, high contrast; again, all of it",
        ),
        Binding(
            "v", "picture", "Picture", show=False, id="live.picture", tooltip="Move to the picture"
        ),
        *(
            Binding(
                f"shift+{way}",
                f"walk({right},{down})",
                f"Go {way}",
                show=False,
                id=f"live.go-{way}",
                tooltip=f"Select what is next to the selection in the picture: {way}",
            )
            for way, right, down in (
                ("left", -1, 0),
                ("right", 1, 0),
                ("up", 0, -1),
                ("down", 0, 1),
            )
        ),
    ]

    def __init__(
        self,
        stage: Stage,
        screen: Screen[None],
        *,
        first: str,
        make_lines: Callable[[], Sequence[Widget]],
    ) -> None:
        super().__init__(stage)
        self.first = first
        self._make_lines = make_lines
        self.texts: SourceTexts | None = None
        """The texts of source files, for every panel that shows them. Set it before a view."""
        self._whole = self._awaited = False
        self._screen = screen
        self._story_rows = _LEAST
        self._rows_beside = _LEAST
        self._need = Need()
        self._tells_beside = False
        self._beside: list[str] | None = None
        self._panels: tuple[Panel, ...] = ()
        """Every panel of the screen, found anew when panels were mounted: a search goes through all
        widgets, and each view is shown in all panels.
        """
        self._pointed: set[str] = set()

    # What there is.

    def compose_below(self) -> ComposeResult:
        """The bar with the panels' keys, and the panel that stands there at first."""
        bar = PanelBar(id="panel-bar")
        bar.shown = self.first
        yield bar
        with ContentSwitcher(initial=self.first, id="panels"):
            yield PANELS[self.first].kind(id=self.first)

    def mount_others(self) -> bool:
        """Make the panels that can't be seen yet, once what can be seen is there: each costs as
        much time as several rows of the screen. Returns whether there were any to be made.
        """
        if self._whole or is_leaving(self._screen.app):
            return False
        self._whole = True
        from ipcviz.app.panels.lanes import LanesPanel

        panels = self._screen.query_one("#panels", ContentSwitcher)
        view = self.stage.view
        names = list(PANELS)
        before = [self._make_panel(n, n, view) for n in names[: names.index(self.first)]]
        after = [self._make_panel(n, n, view) for n in names[names.index(self.first) + 1 :]]
        for widget in (*before, *after):
            widget.display = False
        if before:
            panels.mount_all(before, before=0)
        panels.mount_all(after)
        # The lanes in the place of the picture, and in that of the panels beside it.
        self._screen.query_one("#left").mount(LanesPanel(id="lanes"), after="#summary")
        self._screen.query_one("#side").mount(LanesPanel(id="side-lanes"), before=0)
        self._screen.mount_all(self._make_lines())
        self._panels = ()
        # They know what they show once they are there; which are beside the picture is chosen then.
        self._screen.call_after_refresh(self._show_again)
        return True

    def show_view(self, view: View) -> None:
        """Give every panel a view; those that can't be seen only remember it."""
        if self._whole:
            self._choose_beside(view)
        elif not self._awaited:
            self._awaited = True
            self._screen.set_timer(_PAINTED, self.mount_others)
        for panel in self._list_panels():
            panel.show_view(view)

    def _list_panels(self) -> tuple[Panel, ...]:
        """Every panel of the screen, the bars among them."""
        if not self._panels:
            self._panels = tuple(self._screen.query(Panel))
        return self._panels

    def _choose_beside(self, view: View) -> None:
        """Show beside the picture what the story points at, and the source where there is any; else
        what is usual, and has anything to say now. What is below the picture already is left out.
        """
        if not self._screen.has_class("-wide"):
            return
        below = self._screen.query_one("#panels", ContentSwitcher).current
        pointed = {n for n in view.pointed_at if n in PANELS and PANELS[n].beside}
        telling = {name for name, panel in PANELS.items() if panel.kind.has_content(view)}
        usual = {name for name, panel in PANELS.items() if panel.usual}
        wanted = pointed & telling or usual & telling
        most = _BESIDE if self._screen.has_class("-tall") else _BESIDE - 1
        found = [n for n in PANELS if n in wanted and n not in (below, "source")]
        told = ["story"] if self._tells_beside else []
        # The source stands there where there is any, in the place of what tells less.
        is_there = self._screen.size.width >= _SOURCE_FROM and PANELS["source"].kind.has_content(
            view
        )
        source = ["source"] if is_there and below != "source" else []
        shown = [*told, *found[: most - len(told) - len(source)], *source]
        if shown == self._beside and pointed == self._pointed:
            return
        self._beside, self._pointed = shown, pointed
        side = self._screen.query_one("#side")
        present = {widget.id for widget in side.children}
        names = list(PANELS)
        for name in shown:
            if f"side-{name}" not in present:
                later = (f"side-{n}" for n in names[names.index(name) + 1 :])
                place = next((f"#{one}" for one in later if one in present), None)
                side.mount(self._make_panel(name, f"side-{name}", view), before=place)
                present.add(f"side-{name}")
                self._panels = ()
        for widget in side.children:
            name = (widget.id or "").removeprefix("side-")
            widget.set_class(name in shown, "-beside")
            widget.set_class(name in pointed, "-pointed")
        side.set_class(not shown, "-empty")
        self._split_room()

    def _make_panel(self, name: str, id: str, view: View | None) -> Widget:
        """A panel that was not there before; it shows the view once it has a size."""
        panel = PANELS[name].kind(id=id)
        if isinstance(panel, Panel):
            panel.view = view
        if name == "source" and self.texts is not None:
            from ipcviz.app.panels.source import SourcePanel

            assert isinstance(panel, SourcePanel)
            panel.texts = self.texts
        return panel

    def can_see(self, name: str) -> bool:
        """Whether a panel is on the screen, below the picture or beside it."""
        ids = (name, f"side-{name}")
        return any(panel.id in ids and panel.visible_now for panel in self._list_panels())

    @property
    def shown(self) -> Widget:
        """The panel that has the whole screen, else the one below the picture."""
        if self._screen.maximized is not None:
            return self._screen.maximized
        for story in self._screen.query("#side-story"):
            if self._screen.has_class("-told-beside"):
                return story
        switcher = self._screen.query_one("#panels", ContentSwitcher)
        return self._screen.query_one(f"#{switcher.current}")

    def is_shown(self, name: str) -> bool:
        """Whether the panel below the picture is this one, and no other has the whole screen."""
        return any(
            panel.display and self._screen.maximized in (None, panel)
            for panel in self._screen.query(f"#{name}")
        )

    # Choosing.

    def action_panel(self, name: str) -> None:
        """Show a panel: where it stands already, else below the picture."""
        if name == "story" and self.first != "story":
            self.stage.notify("This is no scenario: the log tells what happens", timeout=2)
            return
        if self.mount_others():
            self._screen.call_after_refresh(self.action_panel, name)
            return
        self.minimize_panel()
        standing = [p for p in self._screen.query(f"#side-{name}").results(Panel) if p.visible_now]
        if standing and name != "story":
            self._screen.set_focus(standing[0])
            return
        self._screen.query_one("#panels", ContentSwitcher).current = name
        self._split_room()
        bar = self._screen.query_one(PanelBar)
        bar.shown = name
        bar.rebuild_rows()
        # At once, not with the next refresh: the key that was pressed next belongs to this panel
        # already.
        self._focus_panel(standing[0] if standing else self._screen.query_one(f"#{name}"))
        self._screen.call_after_refresh(self._show_again)

    def _show_again(self) -> None:
        """Show the view again: another panel can be seen, for which more may have to be read."""
        view = self.stage.view
        if view is not None:
            self.stage.view = view

    def give_story_rows(self, rows: int, *, beside: bool) -> None:
        """The story needs so many rows to be whole: below the picture, or beside it."""
        if beside:
            self._rows_beside = rows
        else:
            self._story_rows = rows
        self._split_room()

    def give_picture_room(self, columns: int, rows: int) -> None:
        """The picture needs so much room for boxes that can be read."""
        # It says so, too, where it has another size: bars have taken rows, or given them back.
        self._need = self._need.grow(Need(columns, rows))
        self._split_room()

    def forget_room(self) -> None:
        """The screen has another size: what was needed at the one before does not count."""
        self._need, self._tells_beside = Need(), False
        self._split_room()

    def _split_room(self) -> None:
        """Give the picture, the story and the panels their room, by what each needs: the story its
        rows where it is shown, but not all that there are.
        """
        screen = self._screen
        panels = screen.query_one("#panels", ContentSwitcher)
        telling = panels.current == "story"
        screen.set_class(telling, "-telling")
        most = max(_LEAST, screen.app.size.height - _AROUND)
        story = min(self._story_rows, most)
        presents = screen.has_class("-presenting")
        left = screen.query_one("#left")
        columns: int | None = None
        below: int | None = None
        if screen.has_class("-wide") and not presents:
            rows = max(1, left.size.height - 1)
            split = split_room(
                screen.app.size.width,
                rows,
                self._need,
                pointing=bool(self._pointed),
                story=story if telling else 0,
                beside=self._rows_beside if self.first == "story" else 0,
            )
            # Lanes side by side need room: at least as much as the picture.
            columns = None if screen.has_class("-lanes") else split.left
            if screen.has_class("-tall") and left.size.height:
                below = split.below or None
                self._tell_beside(self._tells_beside or split.beside)
        told_beside = self._tells_beside and telling and not presents
        screen.set_class(told_beside, "-told-beside")
        left.styles.width = columns
        panels.styles.height = below
        panels.styles.min_height = story if telling else None
        for panel in screen.query("#side-story").results(Panel):
            others = len(self._beside or ()) > 1
            panel.styles.height = self._rows_beside if others else None

    def _tell_beside(self, beside: bool) -> None:
        """Have the story beside the picture, until the screen has another size."""
        if beside == self._tells_beside:
            return
        self._tells_beside = beside
        self._screen.call_after_refresh(self._show_again)

    def action_lanes(self) -> None:
        """Show the lanes or not: in the place of the picture, or beside it where there is room."""
        if self.mount_others():
            self._screen.call_after_refresh(self.action_lanes)
            return
        self.minimize_panel()
        shown = not self._screen.has_class("-lanes")
        self._screen.set_class(shown, "-lanes")
        self._split_room()
        self._screen.call_after_refresh(self._show_again)

    def action_present(self) -> None:
        """For a projector, or not: the picture has fewer and larger things, with the room of the
        panels beside it and of the bars, and the contrast is high.
        """
        self.minimize_panel()
        presents = not self._screen.has_class("-presenting")
        self._screen.set_class(presents, "-presenting")
        self._screen.query_one(Picture).roomy = presents
        app = self._screen.app
        app.theme = find_contrast(app.theme, high=presents)
        self._split_room()
        self._screen.call_after_refresh(self._show_again)

    def open_typing(self) -> None:
        """Show the command's output, and move to the line that is sent to it."""
        if self.mount_others():
            self._screen.call_after_refresh(self.open_typing)
            return
        self.action_panel("output")
        self._screen.set_focus(self._screen.query_one("#typing"))

    def focus_shown(self) -> None:
        """Give the focus back to the panel below the picture, or the one with the whole screen."""
        self._focus_panel(self.shown)

    def _focus_panel(self, panel: Widget) -> None:
        from ipcviz.app.panels.output import OutputPanel

        self._screen.set_focus(panel.panel if isinstance(panel, OutputPanel) else panel)

    def action_picture(self) -> None:
        """Move to the picture."""
        self._screen.query_one(Picture).focus()

    def action_walk(self, right: int, down: int) -> None:
        """Select what is next to the selection in the picture, without moving the focus."""
        self._screen.query_one(Picture).action_go(right, down)

    # The whole screen.

    def minimize_panel(self) -> bool:
        """Take the whole screen back from what has it. Returns whether anything had it."""
        if self._screen.maximized is None:
            return False
        self._screen.minimize()
        return True

    def action_zoom(self) -> None:
        """The panel with the focus takes the whole screen, or gives it back."""
        if self.minimize_panel():
            return
        from ipcviz.app.panels.output import OutputPanel

        widget = self._find_around_focus(Panel, OutputPanel, Picture)
        if widget is not None and isinstance(widget.parent, OutputPanel):
            widget = widget.parent
        if widget is not None and widget.display:
            self._screen.maximize(widget, container=False)

    def _find_around_focus(self, *kinds: type[Widget]) -> Widget | None:
        """The widget of one of these kinds that has the focus, or that the focus is in."""
        widget: Widget | None = self._screen.focused
        while widget is not None and not isinstance(widget, kinds):
            widget = widget.parent if isinstance(widget.parent, Widget) else None
        return widget

    # Help.

    def make_help(self) -> HelpScreen:
        """Help for the screen, that of the panel with the focus first."""
        from ipcviz.app.panels.lanes import LanesPanel
        from ipcviz.app.screens.help import HelpScreen, plain_help

        picture = ("Picture", plain_help(Picture.HELP))
        steps = (StepStrip.TITLE, StepStrip.HELP_TEXT)
        panels = [(LanesPanel.TITLE, LanesPanel.HELP_TEXT)]
        panels += [(panel.kind.TITLE, panel.kind.HELP_TEXT) for panel in PANELS.values()]
        first = picture if isinstance(self._screen.focused, Picture) else None
        widget: Widget | None = self._screen.focused
        while first is None and widget is not None:
            about = (getattr(widget, "TITLE", ""), getattr(widget, "HELP_TEXT", ""))
            if about[1]:
                first = about if about in (steps, *panels) else None
                break
            widget = widget.parent if isinstance(widget.parent, Widget) else None
        return HelpScreen(first=first, panels=[picture, steps, *panels])
