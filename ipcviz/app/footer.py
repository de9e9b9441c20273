"""The keys that work now, in one row at the bottom of a screen."""

from __future__ import annotations

from typing import ClassVar, Final, NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget

from ipcviz.app.text import measure_width

_RULE: Final = "▏"
"""Stands before the key that opens the command palette, at the right."""


_DIM: Final = Style(dim=True)


class _Key(NamedTuple):
    """A key that is shown.

    Attributes:
        key: It, as bindings have it.
        shown: It, as a person calls it.
        description: What it does, in a word.
        enabled: Whether it does that now.
        tooltip: What it does, in a sentence.
    """

    key: str
    shown: str
    description: str
    enabled: bool
    tooltip: str

    @property
    def text(self) -> str:
        """Its text in the row."""
        return f" {self.shown} {self.description} "


class KeyFooter(Widget, can_focus=False):
    """Key and word of each binding that is to be shown; a click is as the key.

    Textual's own footer has a widget for each key, and makes all of them anew whenever a key comes
    or goes: a third of the time that a screen needs to be there.

    Args:
        palette: Whether the key of the command palette stands at the right.
    """

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "footer--key",
        "footer--description",
        "footer--hover",
        "footer--rule",
    }
    """The key; what it does; what the mouse is over; the line before the palette's key."""
    DEFAULT_CSS = """
    KeyFooter {
        dock: bottom;
        height: 1;
        color: $footer-foreground;
        background: $footer-background;
        & > .footer--key {
            color: $footer-key-foreground;
            background: $footer-key-background;
            text-style: bold;
        }
        & > .footer--description {
            color: $footer-description-foreground;
            background: $footer-description-background;
        }
        & > .footer--hover {
            color: $footer-key-foreground;
            background: $block-hover-background;
        }
        & > .footer--rule { color: $foreground 20%; }
    }
    """

    def __init__(self, *, palette: bool = True, id: str | None = None) -> None:
        super().__init__(id=id)
        self._palette = palette
        self._keys: tuple[_Key, ...] = ()
        self._last: _Key | None = None
        self._hovered: _Key | None = None

    def on_mount(self) -> None:
        """Follow the bindings of the screen."""
        self.screen.bindings_updated_signal.subscribe(self, self._follow_bindings)

    def _follow_bindings(self, screen: Screen[object]) -> None:
        if not self.is_attached or screen is not self.screen or not self.app.app_focus:
            return
        keys, last = self._list_keys()
        if (keys, last) != (self._keys, self._last):
            self._keys, self._last = keys, last
            self.refresh()

    def _list_keys(self) -> tuple[tuple[_Key, ...], _Key | None]:
        """The keys that are to be shown, one for each action; and that of the palette."""
        active = self.screen.active_bindings
        found: dict[str, _Key] = {}
        for _, binding, enabled, tooltip in active.values():
            if binding.show and binding.action not in found:
                shown = self.app.get_key_display(binding)
                found[binding.action] = _Key(
                    binding.key, shown, binding.description, enabled, tooltip
                )
        last: _Key | None = None
        if self._palette and self.app.ENABLE_COMMAND_PALETTE:
            entry = active.get(self.app.COMMAND_PALETTE_BINDING)
            if entry is not None:
                binding = entry.binding
                last = _Key(
                    binding.key,
                    self.app.get_key_display(binding),
                    binding.description,
                    entry.enabled,
                    binding.tooltip or binding.description,
                )
        return tuple(found.values()), last

    # Drawing.

    def render_line(self, y: int) -> Strip:
        """The row."""
        width = self.size.width
        base = self.visual_style.rich_style
        if y:
            return Strip.blank(width, base)
        left = self._build_part(self._keys)
        right: list[Segment] = []
        if self._last is not None:
            rule = self.get_visual_style("footer--rule").rich_style
            right = [Segment(_RULE, rule), *self._build_part((self._last,), lead="")]
        last = Strip(right)
        first = Strip(left).crop_extend(0, max(0, width - last.cell_length), base)
        return Strip.join([first, last]).crop(0, width)

    def _build_part(self, keys: tuple[_Key, ...], lead: str = " ") -> list[Segment]:
        """Keys with what they do, each behind a `lead`."""
        key_style = self.get_visual_style("footer--key").rich_style
        words = self.get_visual_style("footer--description").rich_style
        hover = self.get_visual_style("footer--hover").rich_style
        found: list[Segment] = []
        for one in keys:
            styles = (key_style + hover, hover) if one is self._hovered else (key_style, words)
            if not one.enabled:
                styles = (styles[0] + _DIM, styles[1] + _DIM)
            found.append(Segment(f"{lead}{one.shown} ", styles[0]))
            found.append(Segment(f"{one.description} ", styles[1]))
        return found

    # The mouse.

    def _find_key(self, x: int) -> _Key | None:
        """The key at a column."""
        if self._last is not None and x >= self.size.width - measure_width(self._last.text):
            return self._last
        left = 0
        for one in self._keys:
            left += measure_width(one.text)
            if x < left:
                return one
        return None

    def _hover(self, key: _Key | None) -> None:
        if key is not self._hovered:
            self._hovered = key
            self.tooltip = key.tooltip if key is not None and key.tooltip else None
            self.refresh()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Say what the key under the mouse does."""
        self._hover(self._find_key(event.x))

    def on_leave(self) -> None:
        """The mouse is elsewhere."""
        self._hover(None)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """A click is as the key."""
        key = self._find_key(event.x)
        if key is None:
            return
        if key.enabled:
            self.app.simulate_key(key.key)
        else:
            self.app.bell()
