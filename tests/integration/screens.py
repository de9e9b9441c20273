"""A program on a terminal of its own, with a parent that does what a shell does for it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pyte

TOP = Path(__file__).parents[2]
IPCVIZ = (sys.executable, "-m", "ipcviz")
DEADLINE = 15.0

# Job control as a shell does it: the program is a group of its own in the foreground of our
# terminal, and what becomes of it is reported to descriptor 3. It is not an orphan, so SIGTSTP
# stops it.
_SHELL = """
import os, signal, sys
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
ready, go = os.pipe()
pid = os.fork()
if not pid:
    os.close(3)
    os.read(ready, 1)
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    os.execv(sys.argv[1], sys.argv[1:])
os.setpgid(pid, pid)
os.tcsetpgrp(0, pid)
os.write(3, b"pid %d\\n" % pid)
os.write(go, b"g")
while True:
    _, status = os.waitpid(pid, os.WUNTRACED | os.WCONTINUED)
    if os.WIFSTOPPED(status):
        os.write(3, b"stopped\\n")
    elif os.WIFCONTINUED(status):
        os.write(3, b"continued\\n")
    elif os.WIFEXITED(status):
        os.write(3, b"exit %d\\n" % os.WEXITSTATUS(status))
        break
    else:
        os.write(3, b"killed %d\\n" % os.WTERMSIG(status))
        break
"""


class OnTerminal:
    """A program on a pseudo-terminal.

    Attributes:
        pid: The program.
        raw: All that it has written.
        screen: What that looks like.
    """

    def __init__(self, argv, columns=80, rows=24, cwd=TOP, **options):
        self.master, self.slave = os.openpty()
        self.resize(columns, rows)
        self.before = termios.tcgetattr(self.slave)
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self._reports, report = os.pipe()
        self._said = b""
        self.shell = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "import os, sys\nos.dup2(int(sys.argv.pop(1)), 3)\n" + _SHELL,
                str(report),
                *argv,
            ],
            cwd=cwd,
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            start_new_session=True,
            pass_fds=(report,),
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            **options,
        )
        os.close(report)
        self.pid = int(self.report("pid ").split()[1])

    def resize(self, columns, rows):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, seconds=0.1):
        """Take in what was written; whether anything was."""
        ready = select.select([self.master, self._reports], [], [], seconds)[0]
        if self._reports in ready:
            self._said += os.read(self._reports, 4096)
        if self.master not in ready:
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError:
            return False
        self.raw += data
        self._stream.feed(data.replace(b"\x1b[>", b"\x1b[?").replace(b"\x1b[<u", b""))
        return True

    def report(self, word):
        """Wait until the shell says something; its line. What it said before is passed over."""
        deadline = time.monotonic() + DEADLINE
        while True:
            *lines, _ = self._said.split(b"\n")
            for number, line in enumerate(lines):
                if line.decode().startswith(word):
                    self._said = b"\n".join(self._said.split(b"\n")[number + 1 :])
                    return line.decode()
            assert time.monotonic() < deadline, (word, self._said, self.text())
            self.read()

    def text(self):
        return "\n".join(self.screen.display)

    def until(self, text):
        deadline = time.monotonic() + DEADLINE
        while text not in self.text():
            assert time.monotonic() < deadline, self.text() + repr(self._said)
            self.read()

    def until_raw(self, data, since=0):
        deadline = time.monotonic() + DEADLINE
        while data not in self.raw[since:]:
            assert time.monotonic() < deadline, self.raw[since:][-2000:]
            self.read()

    def press(self, keys):
        os.write(self.master, keys)

    def kill(self, signo):
        os.kill(self.pid, signo)

    def end(self):
        """Wait for the end: `exit STATUS` or `killed SIGNAL`."""
        deadline = time.monotonic() + DEADLINE
        while True:
            for line in self._said.split(b"\n")[:-1]:
                if line.startswith((b"exit", b"killed")):
                    while self.read(0):
                        pass
                    return line.decode()
            assert time.monotonic() < deadline, self.text() + repr(self._said)
            self.read()

    def last_report(self):
        """What the shell says last, while nobody reads the terminal."""
        deadline = time.monotonic() + DEADLINE
        while not self._said.endswith(b"\n") or not self._said.split(b"\n")[-2].startswith(
            (b"exit", b"killed")
        ):
            assert time.monotonic() < deadline, self._said
            if select.select([self._reports], [], [], 0.1)[0]:
                self._said += os.read(self._reports, 4096)
        return self._said.split(b"\n")[-2].decode()

    def attributes(self):
        return termios.tcgetattr(self.slave)

    def modes(self):
        """The private modes that were set, and the depth of the stack of keyboard modes, from all
        that was written.
        """
        import re

        modes, keyboard = {"?7": True, "?25": True}, 0
        for private, numbers, final in re.findall(rb"\x1b\[([<>?])([0-9;]*)([hlu])", self.raw):
            if final == b"u":
                keyboard = max(0, keyboard + (1 if private == b">" else -1))
            elif private == b"?":
                for number in numbers.decode().split(";"):
                    modes[f"?{number}"] = final == b"h"
        return {mode for mode, on in modes.items() if on} | ({"keyboard"} if keyboard else set())

    def given_back(self):
        """Whether the terminal is as it was before the program had it."""
        assert self.modes() == {"?7", "?25"}
        assert self.attributes() == self.before
        return True

    def close(self):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self.shell.kill()
        self.shell.wait()
        for fd in (self.master, self.slave, self._reports):
            with contextlib.suppress(OSError):
                os.close(fd)


@contextlib.contextmanager
def on_terminal(*argv, **options):
    there = OnTerminal([*argv], **options)
    try:
        yield there
    finally:
        there.close()
