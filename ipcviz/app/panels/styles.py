"""The styles of the panels' rows, as component classes of the screen that the panels are on."""

from __future__ import annotations

from typing import ClassVar

from textual.screen import Screen


class PanelScreen(Screen[None]):
    """A screen that panels can be on.

    The styles of all panels' rows are its own, since they are the same for all: Textual works out
    every component class of every widget again at each change of styles, and 15 panels have 19 of
    them.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "panel--head",
        "panel--dim",
        "panel--gone",
        "panel--lit",
        "panel--lit-chip",
        "panel--process",
        "panel--object",
        "panel--number",
        "panel--bad",
        "panel--cursor",
        "panel--chosen",
        "panel--held",
        "panel--running",
        "panel--blocked",
        "panel--asleep",
        "panel--stopped",
        "panel--zombie",
        "panel--gone-chip",
        "panel--gauge",
    }
    """Styles of the rows.

    | Class | Description |
    | :- | :- |
    | `panel--head` | Headings. |
    | `panel--dim` | What matters less. |
    | `panel--gone` | What was closed or has ended. |
    | `panel--lit` | What changed a moment ago; `panel--lit-chip` is its mark. |
    | `panel--process` | Names of processes. |
    | `panel--object` | Names of objects. |
    | `panel--number` | Figures. |
    | `panel--bad` | What is wrong. |
    | `panel--cursor` | The row with the cursor. |
    | `panel--chosen` | The row that is selected. |
    | `panel--held` ... `panel--gone-chip` | Chips of process states. |
    | `panel--gauge` | The filled part of a gauge. |
    """

    DEFAULT_CSS = """
    PanelScreen {
        & > .panel--head { color: $text-muted; text-style: bold; }
        & > .panel--dim { color: $text-muted; }
        & > .panel--gone { color: $text-muted; text-style: strike; }
        & > .panel--lit { text-style: bold; }
        & > .panel--lit-chip { background: $chip-lit; color: black; text-style: bold; }
        & > .panel--process { text-style: bold; }
        & > .panel--object { color: $object; text-style: bold; }
        & > .panel--bad { background: $chip-bad; color: black; text-style: bold; }
        & > .panel--cursor { background: $row-cursor; }
        & > .panel--chosen { text-style: bold; }
        & > .panel--running { background: $chip-running; color: black; text-style: bold; }
        & > .panel--held { background: $foreground; color: $background; text-style: bold; }
        & > .panel--blocked { background: $chip-blocked; color: black; text-style: bold; }
        & > .panel--asleep { background: $chip-asleep; color: black; text-style: bold; }
        & > .panel--stopped { background: $chip-lit; color: black; text-style: bold; }
        & > .panel--zombie { background: $chip-zombie; color: black; text-style: bold; }
        & > .panel--gone-chip { background: $chip-gone; color: black; }
        & > .panel--gauge { color: $gauge; background: $gauge-back; }
    }
    """
