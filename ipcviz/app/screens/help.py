"""Help: the keys that work, how to read each panel, and what the marks mean."""

from __future__ import annotations

from collections.abc import Sequence
from inspect import cleandoc
from typing import ClassVar, Final

from textual.binding import Binding, BindingType
from textual.content import Content

from ipcviz.app.panels.cells import wrap_text
from ipcviz.app.screens.page import PageScreen, format_part

KEYS: Final = (
    (
        "1 ... 9",
        (
            "select a process; in step mode: let it go on by one operation. A click in the bars"
            " does the same"
        ),
    ),
    (
        "[ ]",
        (
            "select the process before, the next one; so does a click in the picture, and nothing"
            " moves"
        ),
    ),
    ("space", "hold everything at once: step mode, in which nothing runs by itself"),
    (
        "n right space",
        (
            "in step mode the next step: who is next (>) says the lesson's order or a schedule,"
            " or all take turns"
        ),
    ),
    (
        "p left",
        (
            "one moment back, live or not; what runs is not affected. n, right, space go forward"
            " again. PageUp, too"
        ),
    ),
    ("Home End", "the first moment; now, or the end of a trace"),
    ("g", "go to a moment by its number, or by its time: 12.5s"),
    ("c", "in step mode: let everything run again, until a breakpoint if you choose one"),
    ("S", "slow motion: steps by itself, as many a second as you choose; S again ends it"),
    ("W", "write the steps made so far to a file; --schedule FILE repeats them on a fresh run"),
    (
        "t l d u m e s r x o",
        "sTory, Log, Descriptors, bUffers, seMaphores, mEmory, Signals, /pRoc, source, Output",
    ),
    (
        "L",
        (
            "the lanes: the same story in time, in the picture's place, or beside it; L again shows"
            " them no more"
        ),
    ),
    ("Q", "the questions and the guesses, and whether the hands of a class are counted"),
    ("shift+arrows", "move in the picture, whatever has the focus"),
    (
        "v",
        (
            "the picture gets the focus: up, down move in it, z enlarges it, Enter opens or folds a"
            " group"
        ),
    ),
    ("tab", "from panel to panel"),
    ("z, Enter", "the panel takes the whole screen, and gives it back"),
    ("j k, arrows", "move in a panel; ctrl+d, ctrl+u by half of it; < and > to its ends"),
    ("f", "freeze what is shown, as a moment of the past; f again goes back to now"),
    ("/", "filter the log; Escape ends that; a shows all events"),
    ("i", "type to the command: ctrl+c, ctrl+d, ctrl+z reach it; Escape leaves"),
    ("K", "send a signal to the selected process"),
    (
        "A",
        (
            "processes that are not watched and have what watched ones use: watch one of them too,"
            " or how to"
        ),
    ),
    ("y", "copy the panel as text; or mark text with the mouse, and ctrl+c"),
    ("w", "write what was seen so far to a file; 'ipcviz replay FILE' shows it again"),
    ("R", "record what is shown, as it is shown, to a file for 'ipcviz play'; R again ends it"),
    ("b or .", "blank the screen; any key brings it back"),
    ("T", "the next theme: dark, light, and both with high contrast"),
    ("P", "for a projector: fewer, larger things, high contrast; P again shows all"),
    ("ctrl+p", "every command by name"),
    ("?", "this help"),
    ("ctrl+q", "leave: what was launched is ended, and nothing is left behind"),
)

MARKS: Final = (
    ("no mark", "read from the kernel, or counted from every call"),
    ("~", "sampled: the calls of this process are not all traced"),
    (">=", "a lower bound, because a process that is concerned is only sampled"),
    ("?", "could not be read"),
    ("-", "not read yet"),
    (
        "H R B S D T Z x",
        (
            "held in step mode; runs; blocked until another process acts; sleeps or waits; waits"
            " for a device; stopped; ended and not waited for; gone"
        ),
    ),
    ("PAST 7 of 20", "a moment of the past: what is marked changed since the moment before it"),
    (
        "+ = < * -",
        "opened, duplicated, inherited, changed, closed within the last second, or at this moment",
    ),
    (
        "+---+ (x[1])",
        "a process that is not watched: a dotted box in the picture, in parentheses in the panels",
    ),
    (
        "before ctrl+c",
        (
            "the last moment before the end was forced, on which a trace opens; End goes to its"
            " real end"
        ),
    ),
    ("W R", "a writer, a reader is blocked on the object"),
    ("!", "in the picture: whom and what the selected finding speaks of"),
    ("1.2 s behind", "how old what is shown is: more happens than could be taken in until now"),
    ("N dropped", "data calls that were left out of the stream because there were too many"),
    (
        "computed",
        (
            "CPU use, bytes in and out, what a semaphore's last operation made of it: from events"
            " and two looks"
        ),
    ),
    ("not seen", "bytes in a program's own stdio buffer, plain loads and stores to shared memory"),
)


class HelpScreen(PageScreen):
    """Help over what is shown: the panel with the focus first, then keys, marks, and the others.

    Args:
        first: Title and help of the panel that has the focus; None if none has.
        panels: Those of all panels.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "question_mark",
            "dismiss",
            "Close",
            show=False,
            id="help.close",
            tooltip="Close the help",
        ),
    ]

    def __init__(self, first: tuple[str, str] | None, panels: Sequence[tuple[str, str]]) -> None:
        shown = [first] if first is not None else []
        super().__init__(
            "Help",
            *(format_part(*panel) for panel in shown),
            _format_table("Keys", KEYS),
            _format_table("Marks", MARKS),
            *(
                format_part(*panel)
                for panel in panels
                if panel[0] not in {title for title, _ in shown}
            ),
        )


def plain_help(markdown: str) -> str:
    """A widget's Markdown help as a paragraph of plain text, without its heading."""
    lines = [line for line in cleandoc(markdown).splitlines() if not line.startswith("#")]
    return " ".join(lines).replace("**", "").replace("`", "").strip()


def _format_table(title: str, rows: Sequence[tuple[str, str]]) -> Content:
    parts: list[str | tuple[str, str]] = [(f"{title}\n", "bold underline")]
    for name, text in rows:
        first, *more = wrap_text(text, 56)
        parts.extend(
            [(f"{name:14} ", "bold"), f"{first}\n", *(f"{'':15}{line}\n" for line in more)]
        )
    return Content.assemble(*parts)
