"""The page of a rule of the doctor, over what is shown."""

from __future__ import annotations

from textual.content import Content

from ipcviz.app.screens.page import PageScreen, format_part
from ipcviz.diagnose.pages import BY_NAME


class RuleScreen(PageScreen):
    """What a rule finds, why it happens, and how it is mended: as `ipcviz explain RULE` says it.

    Args:
        rule: The rule's name.
    """

    def __init__(self, rule: str) -> None:
        page = BY_NAME[rule]
        super().__init__(
            page.name,
            Content(f"{page.title} ({page.certainty})\n"),
            *(format_part(head, text) for head, text in page.parts),
            *([Content(page.shown_by)] if page.shown_by else []),
        )
