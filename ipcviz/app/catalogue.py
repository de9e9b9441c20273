"""The catalogue: every scenario by topic, searchable, started by one key."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import groupby
from typing import ClassVar, Final, NamedTuple

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from ipcviz.app.base import BaseApp
from ipcviz.app.driver import run_on_terminal
from ipcviz.app.footer import KeyFooter
from ipcviz.app.text import make_visible
from ipcviz.app.themes import register_themes, toggle_light
from ipcviz.scenario import Scenario, explain_missing
from ipcviz.scenario.course import title_of_topic
from ipcviz.scenario.finished import read_finished
from ipcviz.scenario.plans import BEGIN
from ipcviz.terminals import SignalPipe


class Choice(NamedTuple):
    """What the viewer wants to see.

    Attributes:
        scenario: Which scenario.
        variant: Which way to run it.
        schedule: Name of the scenario's schedule to step by; empty for none.
        live: Everything is to run by itself.
    """

    scenario: Scenario
    variant: str
    schedule: str = ""
    live: bool = False


_RUN_BEFORE: Final = "*"
"""Before the name of a scenario that was run here before."""
_BY_HAND: Final = "step by step: the lesson's order, or as you choose"
_LIVE: Final = "live: everything runs by itself"


def orders_of(scenario: Scenario, variant: str) -> dict[str, tuple[str, bool]]:
    """In which ways a variant can be gone through: in words, the schedule's name, and whether it
    runs by itself.
    """
    plans = {
        f"step by step: {plan.title}": (name, False)
        for name, plan in scenario.schedules.items()
        if name != BEGIN and (not plan.variants or variant in plan.variants)
    }
    return {_BY_HAND: ("", False), **plans, _LIVE: ("", True)}


class Catalogue(BaseApp[Choice | None]):
    """Choose a scenario.

    Args:
        scenarios: Those to choose from.
        message: Something to say at the start, such as why the last one could not be run.
        finished: Names of those that were run here before.
    """

    TITLE = "ipcviz"
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "slash",
            "search",
            "Search",
            id="catalogue.search",
            tooltip="Search in names, titles, and lessons",
        ),
        Binding(
            "v", "variant", "Variant", id="catalogue.variant", tooltip="The next way to run it"
        ),
        Binding(
            "o",
            "order",
            "Order",
            id="catalogue.order",
            tooltip="Step by hand, by a schedule, or live",
        ),
        Binding(
            "j", "move(1)", "Down", show=False, id="catalogue.down", tooltip="The next scenario"
        ),
        Binding(
            "k", "move(-1)", "Up", show=False, id="catalogue.up", tooltip="The scenario before"
        ),
        Binding(
            "T", "light", "Dark or light", show=False, id="catalogue.light", tooltip="Dark or light"
        ),
        Binding(
            "escape", "leave", "Back", show=False, id="catalogue.leave", tooltip="Leave the search"
        ),
        Binding(
            "ctrl+q", "quit", "Quit", id="catalogue.quit", tooltip="Leave ipcviz", priority=True
        ),
    ]
    CSS = """
    #list {
        width: 37; height: 1fr; border: none; border-right: solid $panel-border;
        background: $surface;
    }
    #list > .option-list--option-disabled { color: $text-muted; text-style: bold; }
    #about { width: 1fr; padding: 0 1; background: $surface; }
    #about Static { height: auto; }
    #search { height: 1; border: none; padding: 0 1; background: $panel; }
    #search:focus { background: $row-cursor; }
    #too-small { display: none; }
    Screen.-tiny #main, Screen.-tiny #search, Screen.-tiny KeyFooter { display: none; }
    Screen.-tiny #too-small { display: block; }
    Screen.-narrow #about { display: none; }
    Screen.-narrow #list { width: 1fr; border: none; }
    """
    HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (30, "-narrow"), (64, "-wide")]

    def __init__(
        self,
        scenarios: Sequence[Scenario],
        message: str = "",
        finished: Collection[str] = (),
    ) -> None:
        super().__init__()
        register_themes(self)
        self.scenarios = {scenario.name: scenario for scenario in scenarios}
        self.message = message
        self.finished = frozenset(finished)
        self.variants = {scenario.name: _choose_variant(scenario) for scenario in scenarios}
        self.orders: dict[str, str] = {}

    def compose(self) -> ComposeResult:
        """A line to search, the list, and what the scenario with the cursor is about."""
        yield Input(placeholder="/ searches: words that must occur", id="search", compact=True)
        with Horizontal(id="main"):
            yield OptionList(id="list", compact=True)
            with VerticalScroll(id="about", can_focus=False):
                yield Static(id="text")
        yield Static("ipcviz needs a terminal of at least 30 columns.", id="too-small")
        yield KeyFooter()

    def on_mount(self) -> None:
        """Show all, with the cursor on the first."""
        self._fill_list("")
        self.query_one(OptionList).focus()
        if self.message:
            self.notify(self.message, severity="error", markup=False, timeout=15)

    def _fill_list(self, wanted: str) -> None:
        """List the scenarios in which all words occur, by topic."""
        words = wanted.lower().split()
        options: list[Option] = []
        shown = [s for s in self.scenarios.values() if _has_words(s, words)]
        for topic, group in groupby(shown, key=lambda scenario: scenario.topic):
            lesson = list(group)
            title = make_visible(title_of_topic(topic))
            minutes = sum(scenario.minutes for scenario in lesson)
            options.append(Option(Content(f"{title:25.25}{minutes:4} min"), disabled=True))
            for scenario in lesson:
                mark = _RUN_BEFORE if scenario.name in self.finished else " "
                row = f"{mark} {make_visible(scenario.name):22.22} {scenario.minutes:3} min"
                options.append(Option(Content(row), id=scenario.name))
        found = self.query_one(OptionList)
        found.clear_options()
        found.add_options(options or [Option(Content("Nothing has these words"), disabled=True)])
        found.highlighted = next(
            (at for at, option in enumerate(options) if not option.disabled), None
        )
        self._show_about()

    @property
    def chosen(self) -> Scenario | None:
        """The scenario with the cursor."""
        found = self.query_one(OptionList).highlighted_option
        return self.scenarios.get(found.id) if found is not None and found.id else None

    def _show_about(self) -> None:
        """What the scenario with the cursor is about."""
        scenario = self.chosen
        text = self.query_one("#text", Static)
        if scenario is None:
            text.update("")
            return
        before = "; it was run here before" if scenario.name in self.finished else ""
        length = f"{scenario.minutes} minutes, {len(scenario.story)} parts{before}"
        parts: list[str | tuple[str, str]] = [
            (make_visible(scenario.title), "bold"),
            f"\n{make_visible(scenario.summary)}\n\n",
            (f"Enter runs it: {length}\n\n", "bold"),
        ]
        parts.append(("Ways to run it (v: the next)\n", "bold underline"))
        for name, variant in scenario.variants.items():
            lacks = explain_missing(scenario, name)
            mark = "> " if name == self.variants[scenario.name] else "  "
            line = f"{mark}{make_visible(variant.title or name)}" + (
                f" - not here: {lacks}" if lacks else ""
            )
            style = "bold" if mark == "> " else ""
            parts.append((f"{line}\n", "dim" if lacks else style))
        parts.append(("\nIn which order (o: the next)\n", "bold underline"))
        for words in orders_of(scenario, self.variants[scenario.name]):
            mine = words == self.order_of(scenario)
            parts.append(
                (f"{'> ' if mine else '  '}{make_visible(words)}\n", "bold" if mine else "")
            )
        parts.append(("\nWhat one knows afterwards\n", "bold underline"))
        parts.extend(f"- {make_visible(line)}\n" for line in scenario.learn)
        if scenario.reading:
            parts.append(("\nTo read\n", "bold underline"))
            parts.append(f"{make_visible(', '.join(scenario.reading))}\n")
        text.update(Content.assemble(*parts))

    def on_option_list_option_highlighted(self) -> None:
        """The cursor moved."""
        self._show_about()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter or a click: run it."""
        scenario = self.scenarios.get(event.option_id or "")
        if scenario is None:
            return
        variant = self.variants[scenario.name]
        lacks = explain_missing(scenario, variant)
        if lacks:
            self.notify(f"It can't run here: {lacks}", severity="error", markup=False)
        else:
            schedule, live = orders_of(scenario, variant)[self.order_of(scenario)]
            self.exit(Choice(scenario, variant, schedule, live))

    def on_input_changed(self, event: Input.Changed) -> None:
        """Each letter searches."""
        self._fill_list(event.value)

    def on_input_submitted(self) -> None:
        """Enter in the search: to the list."""
        self.query_one(OptionList).focus()

    def action_search(self) -> None:
        """Search."""
        self.query_one(Input).focus()

    def action_leave(self) -> None:
        """Leave the search."""
        self.query_one(Input).clear()
        self.query_one(OptionList).focus()

    def action_move(self, by: int) -> None:
        """Move the cursor."""
        found = self.query_one(OptionList)
        if by > 0:
            found.action_cursor_down()
        else:
            found.action_cursor_up()

    def action_variant(self) -> None:
        """Choose the next way to run the scenario with the cursor."""
        scenario = self.chosen
        if scenario is not None:
            names = list(scenario.variants)
            at = names.index(self.variants[scenario.name])
            self.variants[scenario.name] = names[(at + 1) % len(names)]
            self._show_about()

    def order_of(self, scenario: Scenario) -> str:
        """In which way a scenario is gone through, in words: as chosen, if its variant can be."""
        words = self.orders.get(scenario.name, _BY_HAND)
        return words if words in orders_of(scenario, self.variants[scenario.name]) else _BY_HAND

    def action_order(self) -> None:
        """Choose the next way to go through the scenario with the cursor."""
        scenario = self.chosen
        if scenario is not None:
            names = list(orders_of(scenario, self.variants[scenario.name]))
            self.orders[scenario.name] = names[
                (names.index(self.order_of(scenario)) + 1) % len(names)
            ]
            self._show_about()

    def action_light(self) -> None:
        """Change between the dark and the light theme."""
        toggle_light(self)


def _has_words(scenario: Scenario, words: Sequence[str]) -> bool:
    """Whether all of these words, in small letters, occur in what a scenario says of itself."""
    parts = (scenario.name, scenario.title, scenario.topic, scenario.summary, *scenario.learn)
    text = " ".join((*parts, title_of_topic(scenario.topic), *scenario.reading)).lower()
    return all(word in text for word in words)


def _choose_variant(scenario: Scenario) -> str:
    """The default variant if it can run here, else the first that can, else the default."""
    names = [scenario.default_variant, *scenario.variants]
    return next((name for name in names if not explain_missing(scenario, name)), names[0])


def choose_scenario(scenarios: Sequence[Scenario], message: str = "") -> tuple[Choice | None, int]:
    """Let the viewer choose.

    Returns:
        The choice, or None if the viewer left; and the signal that ended it, 0 if none did.
    """
    with SignalPipe() as signals:
        choice = run_on_terminal(Catalogue(scenarios, message, read_finished()), signals)
        return choice, signals.ended_by
