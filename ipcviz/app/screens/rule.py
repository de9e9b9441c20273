"""The page of a rule of the doctor, over what is shown."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from ipcviz.diagnose.pages import BY_NAME


class RuleScreen(ModalScreen[None]):
    """What a rule finds, why it happens, and how it is mended: as `ipcviz explain RULE` says it.

    Args:
        rule: The rule's name.
    """

    DEFAULT_CSS = """
    RuleScreen {
        align: center middle;
        & > VerticalScroll {
            width: 78; max-width: 100%; height: auto; max-height: 100%;
            border: double $accent; background: $panel; padding: 0 1;
        }
        & Static { height: auto; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,q", "dismiss", "Close", id="rule.close", tooltip="Close this page"),
        Binding("j", "scroll(1)", "Down", show=False, id="rule.down", tooltip="Down"),
        Binding("k", "scroll(-1)", "Up", show=False, id="rule.up", tooltip="Up"),
    ]
    AUTO_FOCUS = "VerticalScroll"

    def __init__(self, rule: str) -> None:
        super().__init__()
        self.page = BY_NAME[rule]

    def compose(self) -> ComposeResult:
        """The parts of the page, one below the other."""
        page = self.page
        with VerticalScroll() as box:
            box.border_title = page.name
            box.border_subtitle = "Escape closes"
            yield Static(Content(f"{page.title} ({page.certainty})\n"))
            for head, text in page.parts:
                yield Static(Content.assemble((f"{head}\n", "bold underline"), text, "\n"))
            if page.shown_by:
                yield Static(Content(page.shown_by))

    def action_scroll(self, by: int) -> None:
        """Scroll by a row."""
        self.query_one(VerticalScroll).scroll_relative(y=by, animate=False)
