"""What the screen shows, as rows of text with colours: the frames of a cast."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console
from textual.app import App
from textual.theme import Theme

from ipcviz.app.textual_internals import compose_strips
from ipcviz.export import CastTheme

_ANSI = (
    *("#1C232B", "#E8793A", "#29B98A", "#E69F00", "#56B4E9", "#CC79A7", "#7CC7F2", "#E4E4E4"),
    *("#4A5866", "#F29A66", "#5BD3AC", "#F0E442", "#8CCBF0", "#E0A3C4", "#A9DBF7", "#FFFFFF"),
)
"""The sixteen colours for players that want them; frames name theirs in full."""


def frame_of(app: App[Any]) -> list[str]:
    """The rows of the screen with their colours, the same in whatever environment and terminal we
    run.
    """
    width, height = app.screen.size
    console = Console(
        width=width,
        height=height,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
        legacy_windows=False,
        no_color=False,
        _environ={},
    )
    return [strip.simplify().discard_meta().render(console) for strip in compose_strips(app)]


def make_look(theme: Theme) -> CastTheme:
    """The colours of the terminal around a theme."""
    return CastTheme(
        fg=theme.foreground or "#E4E4E4", bg=theme.background or "#101418", palette=_ANSI
    )
