"""Step mode: what of the main screen lets threads go, holds them, and runs until a breakpoint."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, cast

from textual.binding import Binding, BindingType

from ipcviz.app.host import Host
from ipcviz.app.panels.styles import PanelScreen
from ipcviz.app.screens.question import Asked, QuestionScreen
from ipcviz.app.screens.running import RunScreen, SlowScreen, choices_of
from ipcviz.app.screens.save import SaveScreen
from ipcviz.app.steps import Steps
from ipcviz.app.strip import StepStrip
from ipcviz.app.text import visible
from ipcviz.app.view import View
from ipcviz.events import Breakpoint
from ipcviz.model.state import State
from ipcviz.model.steps import stepping
from ipcviz.model.steps.schedule import Names, breakpoint_words
from ipcviz.narrate import who
from ipcviz.outputs import OutputError, write_file
from ipcviz.scenario.foresight import may_answer


class SteppingScreen(PanelScreen):
    """A screen whose viewer is the scheduler of what runs."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "space",
            "hold_or_next",
            "Hold or step",
            show=False,
            id="step.space",
            tooltip="Hold everything; or step",
        ),
        Binding(
            "H",
            "hold",
            "Hold",
            key_display="space",
            id="step.hold",
            tooltip="Hold everything at once: step mode",
        ),
        Binding(
            "c", "run_on", "Run", id="step.run", tooltip="Let everything run, until a breakpoint"
        ),
        Binding(
            "S",
            "slow",
            "Slow",
            show=False,
            id="step.slow",
            tooltip="Slow motion: steps by itself, or no more",
        ),
        Binding(
            "W",
            "save_steps",
            "Save steps",
            show=False,
            id="step.save",
            tooltip="Write the steps made as a schedule",
        ),
    ]

    kept = False
    """Whether nothing runs here."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = Asked()
        """The story's questions that were asked."""

    @property
    def steps(self) -> Steps:
        """Who lets threads go."""
        return cast(Host, self.app).feed.steps

    @property
    def now(self) -> State:
        """The present state."""
        return cast(Host, self.app).feed.state

    @property
    def _attached(self) -> bool:
        return self.now.started is not None and self.now.started.mode == "attached"

    def select(self, pid: int = 0, key: str = "") -> None:
        """Select a process or an object."""
        raise NotImplementedError

    def nobody_there(self) -> bool:
        """Say so if nothing runs here that could be told anything."""
        raise NotImplementedError

    # Stepping.

    def step_next(self) -> None:
        """The next step in step mode; a live run has to be held first."""
        if self.nobody_there() or self._is_over():
            return
        if not self.now.stepping:
            self.notify(
                "Everything runs: space holds it, then n lets one at a time go on", timeout=3
            )
            return
        self._after_question(self.steps.next_tid(self.now), self.steps.next)

    def action_hold(self) -> None:
        """Hold everything that runs."""
        if self._attached:
            self.notify("What was only attached to is not held: it belongs to others", timeout=3)
        elif not self.nobody_there() and not self._is_over():
            self.steps.hold()

    def action_hold_or_next(self) -> None:
        """Hold everything that runs; in step mode, the next step."""
        if self.now.stepping:
            self.step_next()
        else:
            self.action_hold()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Holding is for a live run, running on for a held one; only what works is in the
        footer.
        """
        if action == "hold":
            return not (self.kept or self._attached or self.now.stepping or self.now.finished)
        if action == "run_on":
            return not self.kept and self.now.stepping and not self.now.finished
        return True

    def advance(self, pid: int) -> None:
        """Let a process go on by one operation: its thread whose turn it is."""
        state = self.now
        self.select(pid=pid)
        if self.nobody_there() or self._is_over():
            return
        tids = [thread.tid for thread in stepping.held(state) if thread.pid == pid]
        if not tids:
            thread = state.threads.get(pid)
            what = (
                "has ended"
                if thread is None
                else "moves"
                if state.moving == pid
                else "is blocked: others can wake it"
            )
            self.notify(f"{visible(who(state, pid))} {what}", timeout=2, markup=False)
            return
        last = self.steps.outcomes.tid
        tid = tids[(tids.index(last) + 1) % len(tids)] if last in tids else tids[0]
        self.advance_thread(tid)

    def advance_thread(self, tid: int) -> None:
        """Let a thread go on by one operation."""
        if not self.nobody_there() and not self._is_over():
            self._after_question(tid, lambda: self.steps.let(tid))

    def _after_question(self, tid: int, step: Callable[[], None]) -> None:
        """Make a step; before one that may answer the story's question, ask that."""

        def go_on() -> None:
            step()
            self.follow()

        self.asked.verdict = ""
        thread, story = self.now.threads.get(tid), cast(Host, self.app).feed.story
        question = story.question if story is not None else None
        if story is None or question is None or not self.asked.wants(question) or thread is None:
            go_on()
            return
        if thread.poised is None or not may_answer(
            question, story.scenario, story.progress.cast, thread.poised, self.now
        ):
            go_on()
            return

        def guessed(choice: int | None) -> None:
            self.asked.guessed(question, choice)
            go_on()

        self.app.push_screen(QuestionScreen(question), guessed)

    def reveal(self, view: View) -> None:
        """The story may have come to what was asked."""
        if view.story is None:
            return
        scenario, progress = view.story
        ids = [step.id for step in scenario.story]
        self.asked.seen(
            {ids[place] for place in progress.reached},
            {ids[skip.step] for skip in progress.skipped},
        )

    def follow(self) -> None:
        """What the viewer is told of the schedule."""
        self.query_one(StepStrip).rebuild()
        if self.steps.said:
            self.notify(visible(self.steps.said), timeout=3, markup=False)

    def _is_over(self) -> bool:
        if self.now.finished:
            self.notify("The command has ended", timeout=2)
        return self.now.finished

    # Running on.

    def action_run_on(self) -> None:
        """Ask what is to end the run, and let everything go on."""
        view = getattr(self, "view", None)
        if self.nobody_there() or self._is_over() or view is None:
            return
        if not self.now.stepping:
            self.notify("Everything runs already: space holds it", timeout=3)
            return

        def chosen(until: tuple[Breakpoint, ...] | None) -> None:
            if until is not None and not self.now.finished:
                names = Names(roles=view.roles)
                words = " or ".join(breakpoint_words(point, self.now, names) for point in until)
                self.steps.run(until, words)

        self.app.push_screen(RunScreen(choices_of(view)), chosen)

    def action_slow(self) -> None:
        """Take steps by itself, or no more."""
        if self.nobody_there() or self._is_over():
            return
        if self.steps.rate:
            self.steps.slow(0)
            return
        if not self.now.stepping:
            self.action_hold()
        if self._attached:
            return

        def chosen(rate: float | None) -> None:
            if rate:
                self.steps.slow(rate)

        self.app.push_screen(SlowScreen(), chosen)

    # Keeping the order.

    def action_save_steps(self) -> None:
        """Ask for a name, and write the steps that were made as a schedule."""
        if self.nobody_there():
            return
        recorder = self.steps.recorder
        if not recorder.lines:
            self.notify("No step was made yet", timeout=2)
            return
        title = cast(Host, self.app).command

        def named(name: str | None) -> None:
            if not name:
                return
            try:
                write_file(
                    Path(name).expanduser(), recorder.text(title).encode(errors="surrogateescape")
                )
            except (OutputError, RuntimeError) as error:
                self.notify(str(error), severity="error", markup=False, timeout=8)
                return
            self.notify(f"Written: --schedule {name} repeats these steps", markup=False, timeout=4)

        word = (
            re.sub(r"[^A-Za-z0-9_.+-]", "", title.split()[0].rpartition("/")[2])
            if title.split()
            else ""
        )
        self.app.push_screen(
            SaveScreen(f"{word[:40] or 'steps'}.schedule", "Write the steps made so far to"), named
        )
