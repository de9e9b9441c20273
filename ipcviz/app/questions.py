"""The story's questions: which were asked, what was guessed, and what the answer was."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ipcviz.scenario.foresight import may_answer

if TYPE_CHECKING:
    from ipcviz.model.state import State
    from ipcviz.scenario import Progress, Question, Scenario, Story


class Tally:
    """How many hands were raised for each choice of a question.

    Args:
        choices: How many choices there are.
    """

    def __init__(self, choices: int) -> None:
        self._hands: list[int] = []
        self._choices = choices

    @property
    def counts(self) -> tuple[int, ...]:
        """The hands for each choice; empty if none was raised."""
        if not self._hands:
            return ()
        return tuple(self._hands.count(choice) for choice in range(self._choices))

    def add_hand(self, choice: int) -> None:
        """One more for a choice, counted from 0."""
        self._hands.append(choice)

    def remove_last(self) -> None:
        """The last hand was a mistake."""
        if self._hands:
            self._hands.pop()


class Guess(NamedTuple):
    """What was answered to a question.

    Attributes:
        question: The question.
        choice: Number of the choice, from 0; None if nobody wanted to guess, or hands were counted.
        counts: The hands for each choice; empty if none were counted.
        verdict: What the viewer was told when the answer was seen; empty before that.
    """

    question: Question
    choice: int | None = None
    counts: tuple[int, ...] = ()
    verdict: str = ""


class Questions:
    """The questions of a story, each asked once, before the step that answers it.

    Attributes:
        verdict: What the viewer is told once the answer was seen; empty before that.
        by_hands: Whether the hands of a class are counted, instead of one guess.
        guesses: What was answered until now, oldest first.
        asking: The question on the screen, and its hands; None if there is none.
    """

    def __init__(self) -> None:
        self.verdict = ""
        self.by_hands = False
        self.guesses: list[Guess] = []
        self.asking: tuple[Question, Tally] | None = None

    def find_question(self, story: Story | None, state: State, tid: int) -> Question | None:
        """The question to ask before a thread makes its next step; None if there is none.

        Args:
            story: The story, if there is one.
            state: The present state.
            tid: The thread.
        """
        thread = state.threads.get(tid)
        if story is None or thread is None or thread.poised is None:
            return None
        asked = {guess.question.ids for guess in self.guesses}
        cast = story.progress.cast
        for question in story.open_questions:
            if question.ids not in asked and may_answer(
                question, story.scenario, cast, thread.poised, state
            ):
                return question
        return None

    def begin_asking(self, question: Question) -> Tally:
        """The question comes onto the screen. Returns its hands, none of which is raised yet."""
        tally = Tally(len(question.choices))
        self.asking = question, tally
        return tally

    def add_guess(self, question: Question, choice: int | None) -> None:
        """Note what was guessed: the number of a choice from 0, or None if nobody wanted to, or if
        hands were counted.
        """
        counts = self.asking[1].counts if self.asking is not None else ()
        self.asking = None
        self.guesses.append(Guess(question, choice, counts))
        self.verdict = ""

    def reveal_answer(self, scenario: Scenario, progress: Progress) -> None:
        """Judge the guess, if the story has come to the step that was asked about, or can't come
        there any more.
        """
        if all(guess.verdict for guess in self.guesses):
            return
        ids = [step.id for step in scenario.story]
        reached = {ids[place] for place in progress.reached}
        skipped = {ids[skip.step] for skip in progress.skipped}
        for number, guess in enumerate(self.guesses):
            came = not reached.isdisjoint(guess.question.ids)
            if not guess.verdict and (came or skipped.issuperset(guess.question.ids)):
                self.verdict = _judge_guess(guess, came=came)
                self.guesses[number] = guess._replace(verdict=self.verdict)


def _judge_guess(guess: Guess, *, came: bool) -> str:
    """What the viewer is told about a guess."""
    question, choice = guess.question, guess.choice
    if not came:
        return "It did not come to that in this run."
    why = f": {question.why}" if question.why else "."
    if guess.counts:
        right = guess.counts[question.choices.index(question.answer)]
        count = sum(guess.counts)
        hands = f"{right} of {count} hand{'' if count == 1 else 's'}"
        return f"The answer is {question.answer!r}, as {hands} said{why}"
    if choice is None:
        return f"The answer was: {question.answer}{why}"
    if question.choices[choice] == question.answer:
        return f"Right, {question.answer}{why}"
    return f"Not {question.choices[choice]!r}, but {question.answer}{why}"
