"""Make the pictures of the documentation anew: `python -m docs.make_pictures [NAME...]`.

It is run in the root of a checkout, with the dependencies for tests. Each picture is the screen of
a real run on a terminal of its own; nothing is prepared but the programs in docs/examples. So two
pictures differ in their numbers. The marks of a picture are found by patterns in its text; what
they say stands in docs/tour.md, in the same order.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

from docs.drawings import DRAWINGS
from docs.terminal_svg import (
    DARK,
    LIGHT,
    Grid,
    Place,
    draw_frames,
    draw_picture,
    find_place,
    grid_of,
    texts_of,
)
from ipcviz.export.screen import CastScreen
from tests.integration.screens import OnTerminal

FOLDER: Final = Path(__file__).with_name("pictures")
CHECKOUT: Final = Path(__file__).parents[1]
STAGE: Final = Path("/tmp/demo")
"""A folder for what is run: its name can be read in the pictures."""
PATIENCE: Final = 60.0
"""Seconds after which it gives up waiting for what a picture is to show."""
QUIET: Final = 0.4
"""Seconds without a change after which a screen is complete."""
SMALL: Final = (80, 24)
LARGE: Final = (120, 36)
PIPELINE: Final = ("sh", "-c", "seq 1 30000000 | gzip -c9 >numbers.gz")


class Terminal:
    """ipcviz on a terminal, and what is done there."""

    def __init__(self, arguments: tuple[str, ...], size: tuple[int, int]) -> None:
        self._on = OnTerminal(
            (sys.executable, "-m", "ipcviz", *arguments),
            *size,
            cwd=STAGE,
            env={
                "PATH": "/usr/bin:/bin",
                "HOME": str(STAGE),
                "PYTHONPATH": str(STAGE),
                "TERM": "xterm-256color",
                "COLORTERM": "truecolor",
                "LANG": "C.UTF-8",
            },
        )

    def until(self, pattern: str) -> None:
        """Wait until the screen's text has a match, and then until it is complete."""
        end = time.monotonic() + PATIENCE
        while not re.search(pattern, self._on.text()):
            if time.monotonic() > end:
                raise SystemExit(f"{pattern!r} never came on the screen:\n{self._on.text()}")
            self._on.read()

    def rest(self) -> None:
        """Wait until nothing more changes, for a few seconds at most."""
        end = time.monotonic() + 3
        while self._on.read(QUIET) and time.monotonic() < end:
            pass

    def read(self) -> bool:
        """Take in what is written in a moment; whether anything was."""
        return self._on.read(0.05)

    def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            self._on.press(key.encode())
            self.rest()

    def clear(self) -> None:
        """Wait until the messages at the lower edge are gone."""
        end = time.monotonic() + PATIENCE
        while "▌" in self._on.text() and time.monotonic() < end:
            self._on.read()
        self.rest()

    def grid(self) -> Grid:
        """What the screen shows."""
        return grid_of(self._on.screen)

    def close(self) -> None:
        """Leave as a user does, so that what was launched ends."""
        self._on.press(b"\x11")
        with suppress(AssertionError):
            self._on.end()
        self._on.close()


class Picture(NamedTuple):
    """A screen of a run.

    Attributes:
        title: What the picture shows, for those who can't see it.
        arguments: ipcviz's.
        size: Columns and rows.
        drive: Brings the screen to what is to be shown.
        marks: Patterns of what is numbered; a group `at` is the part that gets the outline.
        light: In the light theme.
        beside: A program that runs already; its PID is put after the arguments.
        ready: A file that it makes when it is ready; empty if it is after a moment.
        other: Arguments of an ipcviz that runs on another terminal meanwhile.
        prepare: Brings that one to what is to be seen.
    """

    title: str
    arguments: tuple[str, ...]
    size: tuple[int, int]
    drive: Callable[[Terminal], None]
    marks: tuple[str, ...]
    light: bool = False
    beside: tuple[str, ...] = ()
    ready: str = ""
    other: tuple[str, ...] = ()
    prepare: Callable[[Terminal], None] = lambda terminal: None


def _show_full(terminal: Terminal) -> None:
    terminal.until(r"P1 full")
    terminal.press("2")
    terminal.until(r"(?s)>seq.*P1 full.*65,536/65,536")


def _show_question(terminal: Terminal) -> None:
    terminal.until(r"step 0")
    for _ in range(20):
        if re.search(r"SIGALRM comes just", "".join(texts_of(terminal.grid()))):
            return
        terminal.press("n")
    raise SystemExit("No question came.")


def _follow(count: str) -> Callable[[Terminal], None]:
    def drive(terminal: Terminal) -> None:
        terminal.until(r"step 0")
        for _ in range(60):
            if re.search(count, "\n".join(texts_of(terminal.grid()))):
                terminal.clear()
                return
            terminal.press("n")
        raise SystemExit(f"{count!r} never came.")

    return drive


def _show_backlog(terminal: Terminal) -> None:
    terminal.until(r"backlog|back…|hello")
    terminal.press("u")
    terminal.until(r"waiting")
    time.sleep(0.6)
    terminal.rest()


def _show_circle(terminal: Terminal) -> None:
    terminal.until(r"wait for each other")
    terminal.press("r")
    terminal.rest()


def _show_attached(terminal: Terminal) -> None:
    terminal.until(r"(?s)wait for each other.*in flock\(4\) on book-.*in flock\(4\) on book-")
    terminal.rest()


def _show_past(terminal: Terminal) -> None:
    terminal.until(r"P1 full")
    for _ in range(60):
        terminal.press("p")
        screen = "\n".join(texts_of(terminal.grid()))
        if re.search(r"(?s)PAST.*/(?:64K|65,536).*Whose: seq", screen):
            return
    raise SystemExit("The pipe never was full in the past.")


def _show_catalogue(terminal: Terminal) -> None:
    terminal.until(r"In which order")
    for _ in range(60):
        if re.search(r"the wake-up is lost", "\n".join(texts_of(terminal.grid()))):
            return
        terminal.press("\x1b[B")
    raise SystemExit("The lost wake-up is not in the catalogue.")


def _show_light(terminal: Terminal) -> None:
    terminal.until(r"step 0")
    terminal.press("T")
    _follow(r"B  open")(terminal)


def _step_to(pattern: str, *keys: str, most: int = 90) -> Callable[[Terminal], None]:
    """Let one operation after the other happen until the screen has a match; then press keys."""

    def drive(terminal: Terminal) -> None:
        terminal.until(r"step \d+ ")
        for _ in range(most):
            if re.search(pattern, "\n".join(texts_of(terminal.grid()))):
                terminal.press(*keys)
                terminal.clear()
                return
            terminal.press("n")
        raise SystemExit(f"{pattern!r} never came:\n" + "\n".join(texts_of(terminal.grid())))

    return drive


def _show_hands(terminal: Terminal) -> None:
    _step_to(r"What will happen\?")(terminal)
    terminal.press("Q", *"2221122321")


def _show_findings(terminal: Terminal) -> None:
    terminal.until(r"wait for each other|ended")
    terminal.press("F")
    terminal.rest()


def _show_notes(terminal: Terminal) -> None:
    terminal.until(r"The question on the screen")
    terminal.rest()


def _show_postgres(terminal: Terminal) -> None:
    terminal.until(r"checkpointer")
    time.sleep(1.5)
    terminal.rest()


def _show_end(terminal: Terminal) -> None:
    terminal.until(r"exited|ended")
    terminal.rest()


PICTURES: Final = {
    "pipeline": Picture(
        "A pipeline: seq is blocked on the full pipe P1 that gzip reads",
        ("run", "--", *PIPELINE),
        LARGE,
        _show_full,
        (
            r"(?P<at>\d B >seq~?<)",
            r"║ +(?P<at>B  write\(1\))",
            r"(?P<at>█{10})",
            r"(?P<at>1 dup of \S+ +#\d+ w +P1 pipe)",
            r"(?P<at>[\d,]+/65,536 \d+/16p)",
            r"Waiting in P1: \S+ \S+",
            r"(?P<at>seq is blocked in write\(1\) on P1)",
        ),
    ),
    "question": Picture(
        "Step mode asks what will happen before it happens",
        ("run", "sleep-race"),
        SMALL,
        _show_question,
        (
            r"next +(?P<at>sleeper is about to run its handler)",
            r"│ (?P<at>SIGALRM) ",
            r"What will happen\?",
            r"2  pause waits for another signal",
            r"a digit guesses, n skips",
        ),
    ),
    "semaphore": Picture(
        "Three semaphores of a bounded queue; the producer waits for a free slot",
        ("run", "--schedule", "stack", "mmap-queue"),
        SMALL,
        _step_to(r"█ _empty .*← producer", "m"),
        (
            r"B  sem_wait _empty",
            r"█ (?P<at>_empty +0)",
            r"(?P<at>← producer)",
            r"_empty +unnamed +0 .*\) (?P<at>producer)",
            r"_lock +unnamed +1 .*?(?P<at>post by \w+)",
        ),
    ),
    "lost-before": Picture(
        "SIGALRM is pending while the process stands before pause",
        ("run", "--schedule", "lost", "sleep-race"),
        SMALL,
        _follow(r"handler for SIGALRM"),
        (
            r"step \d+  (?P<at>sleeper is about to run its handler for SIGALRM)",
            r"the wake-up is lost, line \d of 6",
            r"H  > SIGALRM",
            r"│ (?P<at>SIGALRM) ",
            r"The alarm is set",
        ),
    ),
    "lost-after": Picture(
        "The process is asleep in pause, and no alarm is set",
        ("run", "--schedule", "lost", "sleep-race"),
        SMALL,
        _follow(r"for ever|no alarm is set"),
        (
            r"step \d+  (?P<at>sleeper waits in pause, for a signal)",
            r"S  pause: a signal",
            r"Asleep, and no alarm is set",
            r"No timer is armed",
        ),
    ),
    "backlog": Picture(
        "Four clients of a server that never accepts",
        ("run", "--", "python3", "docs/examples/backlog.py"),
        SMALL,
        _show_backlog,
        (
            r"3 wait",
            r"B  S\d backlog full",
            r"B  recvfrom\(3\) S\d empty",
            r"3/2 waiting",
        ),
    ),
    "circle": Picture(
        "Two processes wait for each other's lock",
        ("run", "--", "python3", "docs/examples/circle.py"),
        LARGE,
        _show_circle,
        (
            r"\S+ \d and \S+(?: \d)? wait for each other|wait for each other",
            r"B  flock\(4\) book-b",
            r"(?:│|by) *(?P<at>python3(?: 2)?) *│",
            r"wait for(?: each)?(?: other)?",
        ),
    ),
    "attach": Picture(
        "Attached to a program that hangs already",
        ("attach", "--tree"),
        SMALL,
        _show_attached,
        (
            r"wait for each other",
            r"~3 sampled",
            r"B  flock\(4\) book-b held",
            r"circle\.py 2 is blocked in flock\(4\) on book-b",
        ),
        beside=("python3", "docs/examples/circle.py"),
    ),
    "past": Picture(
        "A moment of the past, while the pipeline runs on",
        ("run", "--", *PIPELINE),
        LARGE,
        _show_past,
        (
            r"(?P<at>\|< <.*> >\|)",
            r"PAST +[\d,]+ of [\d,]+",
            r"(?P<at>[\d,]+K?/(?:64K|65,536))",
            r"Whose: .*?\d+ B",
            r"End Now",
        ),
    ),
    "catalogue": Picture(
        "The catalogue of scenarios",
        (),
        LARGE,
        _show_catalogue,
        (
            r"/ searches",
            r"sleep-race",
            r"Ways to run it",
            r"step by step: the wake-up is lost",
            r"What one knows afterwards",
        ),
    ),
    "light": Picture(
        "The light theme: a FIFO on which one end waits for the other",
        ("run", "fifo-gzip"),
        LARGE,
        _show_light,
        (
            r"The answer was: it waits",
            r"next +(?P<at>all run by themselves)",
            r"B  open the",
            r"░{10,}",
            r"Waiting at the name",
        ),
        light=True,
    ),
}

PICTURES |= {
    "lanes": Picture(
        "The lanes: what two processes do to a pipe, in time",
        ("run", "--schedule", "full", "pipe-blocking"),
        LARGE,
        _step_to(r"writer is blocked in write(?s:.*)step \d+ +reader read|reader read", "L"),
        (
            r"(?P<at>fork ─+→)",
            r"(?P<at>▒{6,})",
            r"(?P<at>─{8,}→ read 4,096 the pipe of 7)",
            r"│(?P<at>>) ",
        ),
    ),
    "accesses": Picture(
        "Two processes and one counter: the second store overwrites the first",
        ("run", "--schedule", "lost", "sem-counter"),
        LARGE,
        _step_to(r"stored counter: 1 over 1"),
        (
            r"[ab] stored counter: 1 over 1",
            r"█ (?P<at>counter = 1)",
            r"(?P<at>>16 +counter\[0\] = mine \+ 1)",
            r"\[01\]",
        ),
    ),
    "hands": Picture(
        "A question with a show of hands",
        ("run", "pipe-eof"),
        SMALL,
        _show_hands,
        (r"What will happen\?", r"(?P<at>█{6,} \d)", r"backspace takes one back"),
    ),
    "findings": Picture(
        "The findings: what is wrong here, on what evidence",
        ("run", "--", "python3", "docs/examples/circle.py"),
        LARGE,
        _show_findings,
        (
            r"(?P<at>Findings: 1)",
            r"! ?(?P<at>circle\.py 2 waits for the lock on book-b)",
            r"Mend: Take the locks in the same order",
            r"(?P<at>- circle\.py 2\[\d+\])",
            r"\[lock-order\]",
        ),
    ),
    "presenter": Picture(
        "The presenter's size, for a projector",
        ("run", "--schedule", "lost", "sleep-race"),
        SMALL,
        _step_to(r"handler for SIGALRM", "P"),
        (r"pending +(?P<at>SIGALRM)", r"fired, is pending", r"The alarm is set"),
    ),
    "signals": Picture(
        "A process with signals that are pending, blocked and caught",
        ("run", "--schedule", "all-sent", "signal-table"),
        LARGE,
        _step_to(r"sender exited|sender ended"),
        (
            r"pending: blocked, 5 as one",
            r"pending: blocked, 5 queued",
            r"SIGNAL +(?P<at>C I B P)",
            r"5 sent as one",
        ),
    ),
    "queue": Picture(
        "A message queue that is full, with its messages by priority",
        ("run", "--schedule", "full", "posix-mq"),
        LARGE,
        _step_to(r"it is full: 3 of 3", "u"),
        (r"9 fire", r"═ (?P<at>3 of 3)", r"tasks +(?P<at>full)", r"3/3"),
    ),
    "tcp": Picture(
        "A TCP connection of which both queues are full",
        ("run", "--schedule", "full", "tcp-loopback"),
        LARGE,
        _step_to(r"client is blocked in send", "u"),
        (
            r"═ ?(?P<at>full) ",
            r"12,288/16,384",
            r"16K unacknowledged",
            r"(?P<at>>\d+ +client\.sendall)",
        ),
    ),
    "notes": Picture(
        "The teacher's notes, on another terminal than the one that the class sees",
        ("notes",),
        SMALL,
        _show_notes,
        (),
        other=("run", "pipe-eof"),
        prepare=_step_to(r"What will happen\?"),
    ),
    "postgres": Picture(
        "Attached to PostgreSQL: each process by the name that it gives itself",
        ("attach", "--tree"),
        LARGE,
        _show_postgres,
        (),
        beside=("sh", "docs/examples/postgres.sh", str(STAGE / "pg")),
        ready="pg/ready",
    ),
    "end": Picture(
        "All has ended: the system as it last was, with what went through it",
        ("run", "--", "sh", "-c", "seq 1 300000 | gzip -c9 | wc -c"),
        SMALL,
        _show_end,
        (r"(?P<at>═ [\d.]+[KM] ═)", r"In [\d.]+ s .* pipes", r"Home and"),
    ),
}

CAST: Final = ("record", "sleep-race", "--schedule", "lost")
CAST_TITLE: Final = "The lost wake-up, step by step: SIGALRM comes before pause, which never ends"
CAST_FROM: Final = "sleeper wrote"
"""The frame that it begins with: before that the interpreter gets ready."""
SECONDS: Final = 3.0
"""How long each frame of the moving picture is shown; the last one three times as long."""


@contextmanager
def _beside(command: tuple[str, ...], ready: str) -> Iterator[tuple[str, ...]]:
    """A program that runs already, and its PID as arguments."""
    if not command:
        yield ()
        return
    program = subprocess.Popen(
        command,
        cwd=STAGE,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        end = time.monotonic() + PATIENCE
        while ready and not (STAGE / ready).exists():
            if time.monotonic() > end:
                raise SystemExit(f"{command} is not ready: {ready} is not there.")
            time.sleep(0.1)
        time.sleep(1.5)
        yield (str(program.pid),)
    finally:
        os.killpg(program.pid, signal.SIGKILL)
        program.wait()


def _find_marks(
    name: str, terminal: Terminal, patterns: tuple[str, ...]
) -> tuple[Grid, list[Place]]:
    """The screen as soon as it has all that is to be marked, and where that is."""
    end = time.monotonic() + PATIENCE
    while True:
        changes = terminal.read()
        grid = terminal.grid()
        try:
            marks = [find_place(grid, pattern) for pattern in patterns]
            if not changes or time.monotonic() > end:
                return grid, marks
        except LookupError as error:
            if time.monotonic() > end:
                screen = "\n".join(texts_of(grid))
                raise SystemExit(f"{name}: nothing matches {error} in\n{screen}") from None


@contextmanager
def _on_other(picture: Picture) -> Iterator[None]:
    """What runs on another terminal meanwhile, if anything does."""
    if not picture.other:
        yield
        return
    other = Terminal(picture.other, SMALL)
    try:
        picture.prepare(other)
        yield
    finally:
        other.close()


def make_picture(name: str, picture: Picture) -> None:
    """Run what a picture shows, and write it."""
    with _beside(picture.beside, picture.ready) as more, _on_other(picture):
        terminal = Terminal((*picture.arguments, *more), picture.size)
        try:
            picture.drive(terminal)
            grid, marks = _find_marks(name, terminal, picture.marks)
        finally:
            terminal.close()
    colours = LIGHT if picture.light else DARK
    _write(name, draw_picture(grid, picture.title, colours, marks))


def make_moving_picture() -> None:
    """Record a scenario as a cast, and draw its frames."""
    with tempfile.TemporaryDirectory() as folder:
        cast = Path(folder) / "cast"
        subprocess.run(
            (sys.executable, "-m", "ipcviz", *CAST, "-o", str(cast)),
            check=True,
            cwd=STAGE,
            env={**os.environ, "PYTHONPATH": str(STAGE)},
            stdout=subprocess.DEVNULL,
        )
        frames = _frames_of(cast)
    begin = next(n for n, frame in enumerate(frames) if CAST_FROM in "".join(texts_of(frame)))
    frames = [*frames[begin:], frames[-1], frames[-1]]
    _write("lost-wakeup", draw_frames(frames, SECONDS, CAST_TITLE, DARK, still=len(frames) - 1))


def _frames_of(cast: Path) -> list[Grid]:
    """The screens of a cast, one for each time at which it writes."""
    head, *events = map(json.loads, cast.read_text().splitlines())
    screen = CastScreen(head["width"], head["height"])
    frames: list[Grid] = []
    for _, code, text in events:
        if code == "o":
            screen.feed(text)
            grid = grid_of(screen)
            if not frames or frames[-1] != grid:
                frames.append(grid)
    return frames


def _write(name: str, svg: str) -> None:
    target = FOLDER / f"{name}.svg"
    target.write_text(svg)
    print(f"{target.relative_to(CHECKOUT)}: {len(svg.encode()):,} bytes")


def main() -> None:
    """Make those that are named, or all."""
    os.environ["PATH"] = "/usr/bin:/bin"
    names = sys.argv[1:] or ["lost-wakeup", *PICTURES, *DRAWINGS]
    for name in set(names) & set(DRAWINGS):
        _write(name, DRAWINGS[name]())
    names = [name for name in names if name not in DRAWINGS]
    if not names:
        return
    try:
        STAGE.mkdir()
    except FileExistsError:
        raise SystemExit(f"{STAGE} exists: remove it, or what it is needed for here.") from None
    try:
        for part in ("ipcviz", "scenarios", "docs/examples"):
            shutil.copytree(CHECKOUT / part, STAGE / part)
        for name in names:
            if name == "lost-wakeup":
                make_moving_picture()
            else:
                make_picture(name, PICTURES[name])
    finally:
        shutil.rmtree(STAGE)


if __name__ == "__main__":
    main()
