"""Make docs/course.md anew: `python -m docs.make_course` in the root of a checkout, with ipcviz's
dependencies.

The page is made from the scenarios themselves, in the order of `ipcviz.scenario.course`; what
students do by themselves is written here. A test asserts that the page is up to date.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ipcviz.scenario import Scenario, load_all
from ipcviz.scenario.course import LESSONS, Lesson

PAGE = Path(__file__).with_name("course.md")

HEAD = """<!-- Made by `python -m docs.make_course`: change that, or the scenarios. -->
# The course

These are the lessons that come with ipcviz, in the order in which they build upon each other.
Each scenario is one question for the class, and the moment that answers it. The minutes are those
of a class that is asked, guesses, and looks.

**Before the lesson.** `ipcviz` shows the catalogue, by lessons; `v` and `o` choose a variant and
an order, Enter begins. `ipcviz record --all -o casts` makes a cast of each scenario, for a room
without Linux: see [casts](casts.md). `ipcviz notes` in a second terminal shows the teacher
what the class does not see: what students get wrong, what to ask next, and the answer.

**In the lesson.** Step with `n`. Before each interesting step the screen asks; let the class
guess, and press a digit for the guess or `n` to go on. `Q` shows the questions in one place, `L`
the same story in time, `P` a size for the projector.

**After the lesson.** The exercises are done with the student's own program: `ipcviz run --step --
./program`. What to look for is said at each one. Compile with `-g`: then the panel Source (`x`)
shows the line.
"""


class Exercise(NamedTuple):
    """What students do by themselves.

    Attributes:
        task: What to write, or to change.
        look: What to look for on the screen.
    """

    task: str
    look: str


EXERCISES: Mapping[str, Sequence[Exercise]] = {
    "pipes": (
        Exercise(
            "Write `ls | wc -l` with pipe, fork, dup2 and exec.",
            "Each process has exactly one end of the pipe when it executes its program.",
        ),
        Exercise(
            "Leave out one close after the fork.",
            "Who waits at the end, on which descriptor, and who has the other end still open.",
        ),
        Exercise(
            "Write 100,000 bytes into a pipe that nobody reads yet.",
            "The write that blocks, and how full the pipe is then.",
        ),
    ),
    "named-pipes": (
        Exercise(
            "Let two programs that you start in two terminals talk over a FIFO; attach to both.",
            "The open that waits, and what ends its wait.",
        ),
        Exercise(
            "Let the writer end and begin again while the reader goes on.",
            "When read returns 0, and what the reader does then.",
        ),
    ),
    "memory": (
        Exercise(
            "Share an array of numbers between a parent and its child, and add them up there.",
            "The same page in both processes, and who stored what: `--watch SYMBOL`.",
        ),
        Exercise(
            "Map a file and leave out ftruncate.",
            "The signal at the first store, and its address.",
        ),
    ),
    "semaphores": (
        Exercise(
            "Let two processes print ping and pong in turns, with two semaphores.",
            "The value of each semaphore at each step, and who waits.",
        ),
        Exercise(
            "Begin both with the value 0; then both with 1.",
            "What the screen says of a state in which nobody can go on.",
        ),
    ),
    "signals": (
        Exercise(
            "Write a program that counts SIGINT and ends at the third one; send them with `K`.",
            "When the handler runs, and what the interrupted call returns.",
        ),
        Exercise(
            "Make five children that end at once, and wait for them in a handler of SIGCHLD.",
            "How many SIGCHLD arrive, and whether a zombie is left.",
        ),
    ),
    "messages": (
        Exercise(
            "Write a server that answers each client in a child of its own.",
            "Which process has which descriptor of the connection after the fork.",
        ),
        Exercise(
            "Let a client send faster than the server reads.",
            "Where the bytes lie, and which call blocks.",
        ),
    ),
    "files": (
        Exercise(
            "Let two processes take turns with a lock file, and kill the one that has it.",
            "What is left behind, and what the other one does.",
        ),
    ),
    "side-by-side": (
        Exercise(
            "Send a million numbers through a pipe, one at a time, and then in blocks.",
            "How many calls each way takes: the log counts them.",
        ),
    ),
}


def make_page() -> str:
    """The page."""
    scenarios = {scenario.name: scenario for scenario in load_all()}
    parts = [HEAD, *_make_plan(scenarios)]
    for number, lesson in enumerate(LESSONS, 1):
        shown = [scenarios[name] for name in lesson.names if name in scenarios]
        if shown:
            parts += _make_lesson(number, lesson, shown)
    return "\n".join(parts).rstrip() + "\n"


def _make_plan(scenarios: Mapping[str, Scenario]) -> Iterator[str]:
    yield "| lesson | scenarios | minutes |"
    yield "| --- | --- | --- |"
    for number, lesson in enumerate(LESSONS, 1):
        shown = [scenarios[name] for name in lesson.names if name in scenarios]
        if shown:
            minutes = sum(scenario.minutes for scenario in shown)
            yield f"| {number}. {lesson.title} | {len(shown)} | {minutes} |"
    yield ""


def _make_lesson(number: int, lesson: Lesson, shown: Sequence[Scenario]) -> Iterator[str]:
    yield f"## {number}. {lesson.title}\n"
    yield "| scenario | minutes | ask | in |"
    yield "| --- | --- | --- | --- |"
    for scenario in shown:
        question = scenario.questions[0].text
        languages = sorted({variant.language for variant in scenario.variants.values()})
        row = (f"`{scenario.name}`", str(scenario.minutes), question, ", ".join(languages))
        yield f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |"
    yield ""
    for exercise in EXERCISES.get(lesson.topic, ()):
        yield f"* {exercise.task} **Look for:** {exercise.look[:1].lower()}{exercise.look[1:]}"
    yield ""


if __name__ == "__main__":
    PAGE.write_text(make_page())
