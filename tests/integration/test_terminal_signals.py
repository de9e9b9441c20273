"""Every screen and every signal: the terminal is given back as it was, and taken again."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from ipcviz.trace import TraceWriter
from tests import fakes
from tests.integration.screens import IPCVIZ, on_terminal

pytestmark = pytest.mark.kernel

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
LAUNCHED = "91823.25"
"""How long the command sleeps that is run: by that it is found."""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("screens")
    writer = TraceWriter(folder / "t.ipcviz", meta={"title": "kept"})
    writer.add(fakes.sleep_race())
    writer.close()
    lines = ['{"version": 2, "width": 80, "height": 20}', '[0, "o", "a cast"]', '[9, "o", "its end"]']
    (folder / "x.cast").write_text("\n".join(lines))
    return folder


SCREENS = {
    "catalogue": ((), "Ways to run it", b""),
    "run": (("run", "--", "sleep", LAUNCHED), "sleep", b""),
    "attach": (("attach", "{me}"), "attached to", b""),
    "picker": (("attach",), "Watch", b""),
    "replay": (("replay", "{folder}/t.ipcviz"), "kept", b""),
    "a question": (("replay", "{folder}/t.ipcviz"), "kept", b"R"),
    "help": (("replay", "{folder}/t.ipcviz"), "kept", b"?"),
    "play": (("play", "{folder}/x.cast"), "a cast", b""),
}
every_screen = pytest.mark.parametrize("screen", SCREENS)


def shown(screen, folder):
    words, _, _ = SCREENS[screen]
    return on_terminal(*IPCVIZ, *(word.format(folder=folder, me=os.getpid()) for word in words))


def arrive(there, screen):
    """Wait until a screen is there; all that was written until then."""
    _, text, keys = SCREENS[screen]
    there.until(text)
    if keys:
        before = there.text()
        there.press(keys)
        while there.text() == before:
            there.read()
    while there.read(0.2):
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
@pytest.mark.parametrize("signo", ENDING)
def test_a_signal_that_ends_us(files, screen, signo):
    with shown(screen, files) as there:
        arrive(there, screen)
        assert "?1049" in there.modes()
        there.kill(signo)
        assert there.end() == f"exit {128 + signo}"
        assert there.given_back()
        assert b"Traceback" not in there.raw
    assert launched() == []


@every_screen
def test_stopped_and_continued(files, screen):
    with shown(screen, files) as there:
        arrive(there, screen)
        modes, before = there.modes(), there.text()
        there.kill(signal.SIGTSTP)
        there.report("stopped")
        while there.read():
            pass
        assert there.given_back()
        if screen == "run":
            (pid,) = launched()
            assert Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "S", (
                "what is observed goes on"
            )
        since = len(there.raw)
        there.screen.reset()
        os.killpg(there.pid, signal.SIGCONT)
        there.until_raw(b"\x1b[?1049h", since)
        settle(there, before)
        assert there.modes() - {"?25"} == modes - {"?25"}
        assert there.attributes() != there.before
        leave_from(there, screen)


def settle(there, before):
    """Until it looks as before, but for what counts seconds."""

    def steady(text):
        return [line for line in text.splitlines() if not any(c.isdigit() for c in line)]

    deadline = time.monotonic() + 15
    while steady(there.text()) != steady(before):
        assert time.monotonic() < deadline, there.text()
        there.read()


def leave_from(there, screen):
    if screen == "a question":
        there.press(b"\x1b")
        time.sleep(0.3)  # an escape that something follows is no key Escape
    leave(there, screen)


@every_screen
def test_continued_without_a_stop(files, screen):
    """The raw terminal is not taken for the one to go back to, and no key is lost."""
    with shown(screen, files) as there:
        arrive(there, screen)
        for _ in range(3):
            since = len(there.raw)
            there.kill(signal.SIGCONT)
            there.until_raw(b"\x1b[?1049h", since)
        leave_from(there, screen)


@every_screen
def test_another_size(files, screen):
    with shown(screen, files) as there:
        arrive(there, screen)
        since = len(there.raw)
        there.resize(100, 30)
        there.until_raw(b"\x1b[2", since)
        leave_from(there, screen)


@every_screen
def test_the_terminal_goes_away(files, screen):
    """Its other end is closed: the program ends by itself, and leaves nothing behind."""
    with shown(screen, files) as there:
        arrive(there, screen)
        os.close(there.slave)
        os.close(there.master)
        there.slave = there.master = -1
        deadline = time.monotonic() + 15
        said = b""
        while b"exit 129\n" not in said:
            assert time.monotonic() < deadline, said
            said += os.read(there._reports, 100)
    assert launched() == []


PAIRS = 100


@pytest.mark.parametrize("screen", ["catalogue", "run", "play"])
def test_stops_and_continuations_in_quick_succession(files, screen):
    """Whatever the order at which they arrive, after the last SIGCONT it runs; also while the machine is busy."""
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
        # Nothing is read from the terminal until it has ended.
        deadline = time.monotonic() + 15
        said = b""
        while b"exit 143\n" not in said:
            assert time.monotonic() < deadline, said
            said += os.read(there._reports, 100)
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
