"""Step mode: the keys that let threads go, hold them, and run until a breakpoint."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding

from ipcviz.app.screens.controller import Controller, Stage
from ipcviz.app.text import make_visible
from ipcviz.model.steps import stepping
from ipcviz.model.steps.schedule import GivenNames, format_breakpoint
from ipcviz.narrate import name_process
from ipcviz.outputs import OutputError, write_file

if TYPE_CHECKING:
    from ipcviz.app.questions import Questions
    from ipcviz.app.steps import Steps
    from ipcviz.events import Breakpoint
    from ipcviz.model.state import State


class StepControl(Controller):
    """The viewer is the scheduler of what runs.

    Args:
        stage: The screen.
        questions: The story's questions, each asked before the step that answers it.
        select: Selects a process by its pid.
        go_forward: Goes one moment forward, where the past is shown.
        refresh: Shows anew what the viewer is told of the steps.
    """

    BINDINGS: ClassVar[list[Binding]] = [
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
        Binding(
            "Q",
            "questions",
            "Questions",
            show=False,
            id="step.questions",
            tooltip="The questions, the guesses, and whether the hands of a class are counted",
        ),
    ]

    def __init__(
        self,
        stage: Stage,
        *,
        questions: Questions,
        select: Callable[[int], None],
        go_forward: Callable[[], None],
        refresh: Callable[[], None],
    ) -> None:
        super().__init__(stage)
        self.questions = questions
        self._select = select
        self._go_forward = go_forward
        self._refresh = refresh

    @property
    def steps(self) -> Steps:
        """Who lets threads go."""
        return self.stage.source.steps

    @property
    def now(self) -> State:
        """The present state."""
        return self.stage.source.state

    @property
    def is_scheduling(self) -> bool:
        """Whether the present is shown, with all held: a digit or a click lets one go."""
        return self.now.stepping and not self.stage.at

    @property
    def _attached(self) -> bool:
        return self.now.started is not None and self.now.started.mode == "attached"

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Holding is for a live run, running on for a held one."""
        if action == "hold":
            held = self.now.stepping or self.stage.at
            return not (self.stage.kept or self._attached or held or self.now.finished)
        if action == "run_on":
            return not self.stage.kept and self.is_scheduling and not self.now.finished
        return True

    # StepControl.

    def step_next(self) -> None:
        """Let the next thread make a step; a live run has to be held first."""
        if self.report_unreachable() or self._report_end():
            return
        if not self.now.stepping:
            self.stage.notify(
                "Everything runs: space holds it, then n lets one at a time go on", timeout=3
            )
            return
        self._ask_before(self.steps.next_tid(self.now), self.steps.let_next)

    def action_hold(self) -> None:
        """Hold everything that runs."""
        if self._attached:
            self.stage.notify(
                "What was only attached to is not held: it belongs to others", timeout=3
            )
        elif not self.report_unreachable() and not self._report_end():
            self.steps.hold_all()

    def action_hold_or_next(self) -> None:
        """In the past one moment forward; in the present hold everything that runs, or step."""
        if self.stage.at:
            self._go_forward()
        elif self.now.stepping:
            self.step_next()
        else:
            self.action_hold()

    def advance_process(self, pid: int) -> None:
        """Let a process go on by one operation: its thread whose turn it is."""
        self._select(pid)
        if self.report_unreachable() or self._report_end():
            return
        state = self.now
        tids = [thread.tid for thread in stepping.list_held(state) if thread.pid == pid]
        if not tids:
            words = f"{make_visible(name_process(state, pid))} {_why_not_held(state, pid)}"
            self.stage.notify(words, timeout=2, markup=False)
            return
        last = self.steps.outcomes.tid
        tid = tids[(tids.index(last) + 1) % len(tids)] if last in tids else tids[0]
        self.advance_thread(tid)

    def advance_thread(self, tid: int) -> None:
        """Let a thread go on by one operation."""
        if not self.report_unreachable() and not self._report_end():
            self._ask_before(tid, lambda: self.steps.let_thread(tid))

    def _ask_before(self, tid: int, step: Callable[[], None]) -> None:
        """Make a thread's step; before one that may answer the story's question, ask that."""

        def go_on() -> None:
            step()
            self._refresh()

        self.questions.verdict = ""
        question = self.questions.find_question(self.stage.source.story, self.now, tid)
        if question is None:
            go_on()
            return

        from ipcviz.app.screens.question import QuestionScreen

        def add_guess(choice: int | None) -> None:
            self.questions.add_guess(question, choice)
            go_on()

        tally = self.questions.begin_asking(question)
        self.stage.ask(QuestionScreen(question, tally, self.questions), add_guess)

    def action_questions(self) -> None:
        """Show the questions that were asked, with the guesses, and how they are asked."""
        story = self.stage.source.story
        if story is None or not story.scenario.questions:
            self.stage.notify("There are no questions: this is no scenario that has any", timeout=3)
            return
        from ipcviz.app.screens.question import QuestionsScreen

        count = len(story.scenario.questions)
        self.stage.ask(QuestionsScreen(self.questions, count), lambda answer: None)

    def _report_end(self) -> bool:
        """Tell the viewer if the command has ended. Returns whether it has."""
        if self.now.finished:
            self.stage.notify("The command has ended", timeout=2)
        return self.now.finished

    # Running on.

    def action_run_on(self) -> None:
        """Ask what is to end the run, and let everything go on."""
        view = self.stage.view
        if self.report_unreachable() or self._report_end() or view is None:
            return
        if not self.now.stepping:
            self.stage.notify("Everything runs already: space holds it", timeout=3)
            return

        from ipcviz.app.screens.running import RunScreen, choices_of

        def run(until: tuple[Breakpoint, ...] | None) -> None:
            if until is not None and not self.now.finished:
                names = GivenNames(roles=view.roles)
                words = " or ".join(format_breakpoint(point, self.now, names) for point in until)
                self.steps.run_until(until, words)

        self.stage.ask(RunScreen(choices_of(view)), run)

    def action_slow(self) -> None:
        """Take steps by itself, or no more."""
        if self.report_unreachable() or self._report_end():
            return
        if self.steps.rate:
            self.steps.set_rate(0)
            return
        if not self.now.stepping:
            self.action_hold()
        if self._attached:
            return

        from ipcviz.app.screens.running import SlowScreen

        def begin(rate: float | None) -> None:
            if rate:
                self.steps.set_rate(rate)

        self.stage.ask(SlowScreen(), begin)

    # Keeping the order.

    def action_save_steps(self) -> None:
        """Ask for a name, and write the steps that were made as a schedule."""
        if self.report_unreachable():
            return
        if not self.steps.recorder.lines:
            self.stage.notify("No step was made yet", timeout=2)
            return

        from ipcviz.app.screens.save import SaveScreen

        def write(name: str | None) -> None:
            if name:
                self._write_steps(name)

        question = "Write the steps made so far to"
        self.stage.ask(SaveScreen(_default_name(self.stage.command), question), write)

    def _write_steps(self, name: str) -> None:
        text = self.steps.recorder.format_schedule(self.stage.command)
        try:
            write_file(Path(name).expanduser(), text.encode(errors="surrogateescape"))
        except (OutputError, RuntimeError) as error:
            self.stage.notify(str(error), severity="error", markup=False, timeout=8)
            return
        self.stage.notify(
            f"Written: --schedule {name} repeats these steps", markup=False, timeout=4
        )


def _why_not_held(state: State, pid: int) -> str:
    """Why a process has no thread that could be let go, in words."""
    if pid not in state.threads:
        return "has ended"
    return "moves" if state.moving == pid else "is blocked: others can wake it"


def _default_name(command: str) -> str:
    """A name for the file of a command's steps."""
    words = command.split()
    program = words[0].rpartition("/")[2] if words else ""
    return f"{re.sub(r'[^A-Za-z0-9_.+-]', '', program)[:40] or 'steps'}.schedule"
