"""Every screen and every signal: the terminal is given back as it was, and taken again."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from ipcviz.trace import TraceWriter
from tests import fakes
from tests.integration.screens import IPCVIZ, on_terminal

pytestmark = pytest.mark.kernel

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
LAUNCHED = "91823.25"
"""How long the command sleeps that is run: by that it is found."""


class Files(NamedTuple):
    folder: Path
    attached: int


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("screens")
    writer = TraceWriter(folder / "t.ipcviz", meta={"title": "kept"})
    writer.add(fakes.sleep_race())
    writer.close()
    lines = [
        '{"version": 2, "width": 80, "height": 20}',
        '[0, "o", "a cast"]',
        '[9, "o", "its end"]',
    ]
    (folder / "x.cast").write_text("\n".join(lines))
    with subprocess.Popen(["sleep", "1000"]) as attached:
        yield Files(folder, attached.pid)
        assert attached.poll() is None, "what was attached to runs on"
        attached.kill()


SCREENS = {
    "catalogue": ((), "Ways to run it", b""),
    "run": (("run", "--", "sleep", LAUNCHED), "for time to pass", b""),
    "attach": (("attach", "{pid}"), "attached to", b""),
    "picker": (("attach",), "Watch", b""),
    "replay": (("replay", "{folder}/t.ipcviz"), "kept", b""),
    "a question": (("replay", "{folder}/t.ipcviz"), "kept", b"R"),
    "help": (("replay", "{folder}/t.ipcviz"), "kept", b"?"),
    "play": (("play", "{folder}/x.cast"), "a cast", b""),
}
BROUGHT = {b"R": "Enter writes", b"?": "Escape closes"}
"""What stands on the screen that a key brings."""
every_screen = pytest.mark.parametrize("screen", SCREENS)


def shown(screen, files):
    words, _, _ = SCREENS[screen]
    return on_terminal(
        *IPCVIZ, *(word.format(folder=files.folder, pid=files.attached) for word in words)
    )


def arrive(there, screen):
    """Wait until a screen is there; all that was written until then."""
    _, text, keys = SCREENS[screen]
    there.until(text)
    if keys:
        there.press(keys)
        there.until(BROUGHT[keys])
    until = time.monotonic() + 1  # a screen of what lives is never quiet
    while there.read(0.1) and time.monotonic() < until:
        pass


def launched():
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if words[:2] == [b"sleep", LAUNCHED.encode()]:
            found.append(int(folder.name))
    return found


def leave(there, screen):
    there.press(b"q" if screen == "play" else b"\x11")
    assert there.end() == "exit 0"
    assert there.given_back()


@every_screen
def test_each_signal(files, screen):
    """SIGTSTP, SIGCONT, SIGCONT without a stop, SIGWINCH, and then each signal that ends us."""
    with contextlib.ExitStack() as stack:
        all_there = {signo: stack.enter_context(shown(screen, files)) for signo in ENDING}
        for there in all_there.values():
            arrive(there, screen)
            assert "?1049" in there.modes()
        first = all_there[signal.SIGINT]
        stop_and_continue(first, screen)
        continue_without_a_stop(first)
        change_size(first)
        for signo, there in all_there.items():
            there.kill(signo)
        for signo, there in all_there.items():
            assert there.end() == f"exit {128 + signo}"
            assert there.given_back()
            assert b"Traceback" not in there.raw
    assert launched() == []


def stop_and_continue(there, screen):
    modes, before = there.modes(), there.text()
    there.kill(signal.SIGTSTP)
    there.report("stopped")
    while there.read(0):
        pass
    assert there.given_back()
    if screen == "run":
        states = {
            Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            for pid in launched()
        }
        assert states == {"S"}, "what is observed goes on"
    since = len(there.raw)
    there.screen.reset()
    os.killpg(there.pid, signal.SIGCONT)
    there.until_raw(b"\x1b[?1049h", since)
    settle(there, before)
    assert there.modes() - {"?25"} == modes - {"?25"}
    assert there.attributes() != there.before


def continue_without_a_stop(there):
    """The raw terminal is not taken for the one to go back to."""
    raw = there.attributes()
    for _ in range(3):
        since = len(there.raw)
        there.kill(signal.SIGCONT)
        there.until_raw(b"\x1b[?1049h", since)
    assert there.attributes() == raw


def change_size(there):
    since = len(there.raw)
    there.resize(100, 30)
    there.until_raw(b"\x1b[2", since)


def settle(there, before):
    """Until all that was there is there again, but for lines with figures: some count seconds."""

    def steady(text):
        return {
            line
            for line in text.splitlines()
            if line.strip() and not any(c.isdigit() for c in line)
        }

    deadline = time.monotonic() + 15
    while not steady(before) <= steady(there.text()):
        assert time.monotonic() < deadline, there.text()
        there.read()


@pytest.mark.parametrize("screen", ["catalogue", "run", "play"])
def test_the_terminal_goes_away(files, screen):
    """Its other end is closed: the program ends by itself, and leaves nothing behind."""
    with shown(screen, files) as there:
        arrive(there, screen)
        os.close(there.slave)
        os.close(there.master)
        there.slave = there.master = -1
        assert there.last_report() == "exit 129"
    assert launched() == []


PAIRS = 100


@pytest.mark.parametrize("screen", ["catalogue", "run", "play"])
def test_stops_and_continuations_in_quick_succession(files, screen):
    """Whatever the order at which they arrive, after the last SIGCONT it runs; also while the
    machine is busy.
    """
    busy = [sys.executable, "-c", "while True: pass"]
    with on_terminal(*busy) as load, shown(screen, files) as there:
        assert load.pid
        arrive(there, screen)
        for number in range(PAIRS):
            there.kill(signal.SIGTSTP)
            if number % 3 == 0:
                there.read(0.001)
            there.kill(signal.SIGCONT)
            if number % 7 == 0:
                there.read(0.01)
        since = len(there.raw)
        there.kill(signal.SIGCONT)
        there.until_raw(b"\x1b[?1049h", since)
        leave(there, screen)


def test_an_end_in_the_middle_of_stops(files):
    with shown("replay", files) as there:
        arrive(there, "replay")
        for _ in range(10):
            there.kill(signal.SIGTSTP)
            there.kill(signal.SIGCONT)
        there.kill(signal.SIGTERM)
        there.kill(signal.SIGTERM)
        os.killpg(there.pid, signal.SIGCONT)
        assert there.end() == "exit 143"
        assert there.given_back()


@pytest.mark.parametrize("screen", ["catalogue", "play"])
def test_a_terminal_that_nobody_reads_holds_up_nothing(files, screen):
    with shown(screen, files) as there:
        arrive(there, screen)
        for _ in range(400):
            there.kill(signal.SIGCONT)  # each draws the whole screen
            time.sleep(0.005)
        there.kill(signal.SIGTERM)
        assert there.last_report() == "exit 143", "nothing is read from the terminal until then"
        assert there.attributes() == there.before


def test_no_screen_has_signals_of_its_own():
    """Each app is run by `run_on_terminal`, and nobody else sets handlers where screens are."""
    top = Path(__file__).parents[2] / "ipcviz"
    for path in top.glob("app/**/*.py"):
        text = path.read_text()
        assert "signal.signal(" not in text, path
        assert text.count(".run()") == (path.name == "driver.py"), path
    assert ".run()" not in (top / "cli" / "attach.py").read_text()
    assert ".run()" not in (top / "cli" / "run.py").read_text()
