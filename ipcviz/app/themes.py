"""Themes: dark and light, with the Okabe-Ito colours as chips under black text, told apart by the
colour-blind.
"""

from __future__ import annotations

from typing import Any, Final

from textual.app import App
from textual.theme import Theme

_CHIPS: Final = {
    "chip-running": "#29B98A",
    "chip-blocked": "#E69F00",
    "chip-asleep": "#56B4E9",
    "chip-zombie": "#CC79A7",
    "chip-gone": "#999999",
    "chip-lit": "#F0E442",
    "chip-bad": "#E8793A",
    "block-cursor-foreground": "black",
}

DARK: Final = Theme(
    name="ipcviz-dark",
    primary="#56B4E9",
    secondary="#29B98A",
    accent="#F0E442",
    warning="#E69F00",
    error="#E8793A",
    success="#29B98A",
    foreground="#E4E4E4",
    background="#101418",
    surface="#101418",
    panel="#1C232B",
    dark=True,
    variables={
        **_CHIPS,
        "object": "#7CC7F2",
        "gauge": "#E69F00",
        "gauge-back": "#101418",
        "row-cursor": "#2C3A48",
        "panel-border": "#4A5866",
        "text-muted": "#A9B4BF",
    },
)

LIGHT: Final = Theme(
    name="ipcviz-light",
    primary="#0060A0",
    secondary="#00664A",
    accent="#0060A0",
    warning="#8A5A00",
    error="#A03C00",
    success="#00664A",
    foreground="#101418",
    background="#FFFFFF",
    surface="#FFFFFF",
    panel="#E9EEF2",
    dark=False,
    variables={
        **_CHIPS,
        "object": "#004F8A",
        "gauge": "#A86400",
        "gauge-back": "#FFFFFF",
        "row-cursor": "#CFE3F3",
        "panel-border": "#8A97A3",
        "text-muted": "#4A5560",
    },
)


def register_themes(app: App[Any]) -> None:
    """Give an app our themes, and the dark one to begin with."""
    for theme in (DARK, LIGHT):
        app.register_theme(theme)
    app.theme = DARK.name


def toggle_light(app: App[Any]) -> None:
    """Change an app between dark and light."""
    app.theme = LIGHT.name if app.theme == DARK.name else DARK.name
