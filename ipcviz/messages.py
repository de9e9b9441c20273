"""The way out for every message on the terminal: what others have named can't give it commands.

File names, other programs' names, what stands in a scenario or a cast: any of it may hold escape
sequences, characters that turn the reading direction, and bytes of no encoding. All that ipcviz
says outside of its screen is written here.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import textwrap
import traceback
from collections.abc import Iterable
from typing import Any, Final, NoReturn, TextIO

from ipcviz.events.undecoded import escape_text

REFUSED: Final = 2
"""Exit status after an error that is one sentence."""
SHOW_TRACEBACK: Final = "IPCVIZ_TRACEBACK"
"""Environment variable: where it is set, an unexpected exception ends ipcviz as Python does, with a
traceback.
"""


class StreamError(Exception):
    """Standard output can't be written.

    Attributes:
        error: What the system says.
    """

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.error = error


def write_line(text: str) -> None:
    """Write a line to standard output. Raises StreamError if that can't be written."""
    write_lines((text,))


def write_lines(lines: Iterable[str]) -> None:
    """Write lines to standard output. Raises StreamError if that can't be written."""
    _write_output("".join(f"{escape_text(line)}\n" for line in lines))


def write_json(value: Any) -> None:
    """Write a value to standard output as JSON in ASCII.

    Raises StreamError if that can't be written.
    """
    text = json.dumps(value, indent=2, ensure_ascii=True).replace("\x7f", "\\u007f")
    _write_output(f"{text}\n")


def write_error(sentence: str, details: str = "") -> None:
    """Write a sentence to standard error.

    Args:
        sentence: What happened and what to do; whatever lines it has become one.
        details: Lines that follow as they are: what another program said.
    """
    lines = (f"ipcviz: {sentence}", *(details.split("\n") if details else ()))
    try:
        _write_stream(sys.stderr, "".join(f"{escape_text(line)}\n" for line in lines))
    except OSError:
        # Nobody can be told; the exit status says it.
        silence_stream(2)


def can_show_progress() -> bool:
    """Whether somebody sees what is written over itself on standard error."""
    return sys.stderr is not None and sys.stderr.isatty()


def write_progress(text: str) -> None:
    """Write a line to standard error in place of the one that this wrote last; an empty text takes
    that one away.
    """
    try:
        _write_stream(sys.stderr, f"\r{escape_text(text)}\x1b[K")
    except OSError:
        silence_stream(2)


def exit_with_error(sentence: str, details: str = "") -> NoReturn:
    """Write a sentence to standard error, and leave with exit status 2."""
    write_error(sentence, details)
    sys.exit(REFUSED)


def silence_stream(fd: int) -> None:
    """Send what a standard stream still holds to nowhere, since where it should go takes no
    more.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, fd)
    os.close(nowhere)


def keep_report(error: BaseException) -> str:
    """Keep what is needed to mend an unexpected exception in a private file; a sentence that says
    so.

    Where the environment has IPCVIZ_TRACEBACK, the exception is raised instead.
    """
    if os.environ.get(SHOW_TRACEBACK):
        raise error
    what = f"Something went wrong inside ipcviz ({type(error).__name__})"
    try:
        number, path = tempfile.mkstemp(prefix="ipcviz-report-", suffix=".txt")
        with os.fdopen(number, "w", encoding="utf-8", errors="backslashreplace") as file:
            traceback.print_exception(error, file=file)
    except OSError:
        return f"{what}, and no report could be kept: set {SHOW_TRACEBACK}=1 to see where."
    return f"{what}: please report it with what is in {path}."


def _write_output(text: str) -> None:
    try:
        _write_stream(sys.stdout, text)
    except OSError as error:
        raise StreamError(error) from None


def _write_stream(stream: TextIO | None, text: str) -> None:
    """Write at once, in whatever encoding the stream has; nothing if we were started without it."""
    if stream is None:
        return
    encoding = stream.encoding or "utf-8"
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
    stream.flush()


def wrap_text(text: str, indent: str = "", hang: str = "") -> list[str]:
    """A text in rows of at most 80 characters; none if it is empty.

    Args:
        text: The text.
        indent: What each row begins with.
        hang: What each row but the first begins with after that.
    """
    return textwrap.wrap(
        text,
        80,
        initial_indent=indent,
        subsequent_indent=indent + hang,
        break_on_hyphens=False,
    )
