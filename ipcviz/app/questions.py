"""The story's questions: which were asked, what was guessed, and what the answer was."""

from __future__ import annotations

from ipcviz.model.state import State
from ipcviz.scenario import Progress, Question, Scenario, Story
from ipcviz.scenario.foresight import may_answer


class Questions:
    """The questions of a story, each asked once, before the step that answers it.

    Attributes:
        verdict: What the viewer is told once the answer was seen; empty before that.
    """

    def __init__(self) -> None:
        self.verdict = ""
        self._asked: set[tuple[str, ...]] = set()
        self._open: tuple[Question, int | None] | None = None

    def find_question(self, story: Story | None, state: State, tid: int) -> Question | None:
        """The question to ask before a thread makes its next step; None if there is none.

        Args:
            story: The story, if there is one.
            state: The present state.
            tid: The thread.
        """
        thread = state.threads.get(tid)
        question = story.question if story is not None else None
        if story is None or question is None or thread is None or thread.poised is None:
            return None
        if question.ids in self._asked:
            return None
        cast = story.progress.cast
        answers = may_answer(question, story.scenario, cast, thread.poised, state)
        return question if answers else None

    def add_guess(self, question: Question, choice: int | None) -> None:
        """Note what was guessed: the number of a choice from 0, or None if nobody wanted to."""
        self._asked.add(question.ids)
        self._open = question, choice
        self.verdict = ""

    def reveal_answer(self, scenario: Scenario, progress: Progress) -> None:
        """Judge the guess, if the story has come to the step that was asked about, or can't come
        there any more.
        """
        if self._open is None:
            return
        ids = [step.id for step in scenario.story]
        reached = {ids[place] for place in progress.reached}
        skipped = {ids[skip.step] for skip in progress.skipped}
        question, choice = self._open
        came = not reached.isdisjoint(question.ids)
        if came or skipped.issuperset(question.ids):
            self._open = None
            self.verdict = _judge_guess(question, choice, came=came)


def _judge_guess(question: Question, choice: int | None, *, came: bool) -> str:
    """What the viewer is told about a guess."""
    if not came:
        return "It did not come to that in this run."
    why = f": {question.why}" if question.why else "."
    if choice is None:
        return f"The answer was: {question.answer}{why}"
    if question.choices[choice] == question.answer:
        return f"Right, {question.answer}{why}"
    return f"Not {question.choices[choice]!r}, but {question.answer}{why}"
