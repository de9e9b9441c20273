"""Themes: dark and light, each also with high contrast. The Okabe-Ito colours stand as chips under
black text, and are told apart by the colour-blind.
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

CONTRAST_DARK: Final = Theme(
    name="ipcviz-contrast-dark",
    primary="#7CC7F2",
    secondary="#5BE3B8",
    accent="#FFFF00",
    warning="#FFC04D",
    error="#FF9A66",
    success="#5BE3B8",
    foreground="#FFFFFF",
    background="#000000",
    surface="#000000",
    panel="#000000",
    dark=True,
    variables={
        **_CHIPS,
        "chip-zombie": "#E3A8CB",
        "chip-bad": "#FF9A66",
        "object": "#9FDCFF",
        "gauge": "#FFC04D",
        "gauge-back": "#000000",
        "row-cursor": "#003A70",
        "panel-border": "#FFFFFF",
        "text-muted": "#E8E8E8",
    },
)

CONTRAST_LIGHT: Final = Theme(
    name="ipcviz-contrast-light",
    primary="#003C70",
    secondary="#003D2C",
    accent="#003C70",
    warning="#5A3900",
    error="#7A2400",
    success="#003D2C",
    foreground="#000000",
    background="#FFFFFF",
    surface="#FFFFFF",
    panel="#FFFFFF",
    dark=False,
    variables={
        **_CHIPS,
        "chip-zombie": "#E3A8CB",
        "chip-bad": "#FF9A66",
        "object": "#003060",
        "gauge": "#7A4A00",
        "gauge-back": "#FFFFFF",
        "row-cursor": "#B8DCFF",
        "panel-border": "#000000",
        "text-muted": "#202428",
    },
)

OURS: Final = (DARK, LIGHT, CONTRAST_DARK, CONTRAST_LIGHT)
"""In the order in which a key goes through them. The colours of all are told apart by the
colour-blind, and each stands beside a letter or a shape that says the same.
"""
_CONTRASTS: Final = {DARK.name: CONTRAST_DARK.name, LIGHT.name: CONTRAST_LIGHT.name}


def register_themes(app: App[Any]) -> None:
    """Give an app our themes, and the dark one to begin with."""
    for theme in OURS:
        app.register_theme(theme)
    app.theme = DARK.name


def toggle_light(app: App[Any]) -> None:
    """Change an app to the next of our themes: dark, light, and both with high contrast."""
    names = [theme.name for theme in OURS]
    here = names.index(app.theme) if app.theme in names else -1
    app.theme = names[(here + 1) % len(names)]


def has_high_contrast(name: str) -> bool:
    """Whether a theme is one of high contrast."""
    return name in _CONTRASTS.values()


def find_contrast(name: str, *, high: bool) -> str:
    """The theme that is as dark as another one, with high contrast or without; that one itself if
    it is not ours.
    """
    pairs = _CONTRASTS if high else {theme: plain for plain, theme in _CONTRASTS.items()}
    return pairs.get(name, name)
