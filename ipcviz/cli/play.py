"""`ipcviz play`: a cast in the terminal, forward and back by chapters."""

from __future__ import annotations

import os
import sys

import click

from ipcviz.cli.player import Player
from ipcviz.cli.words import describe_cast_error
from ipcviz.export import CastError, CastReader
from ipcviz.export.playing import Tape
from ipcviz.messages import exit_with_error, write_error


@click.command()
@click.argument("file", type=click.Path(path_type=str))
def play(*, file: str) -> None:
    """Play the cast in FILE (asciicast, version 1, 2 or 3) in the terminal.

    Space, right, n or PageDown: the next chapter; left, p or PageUp: the one before; ? shows all
    keys, q leaves. What is painted is the screen that its output makes, never the output itself: a
    cast from anywhere can't do harm.
    """
    try:
        with CastReader(file) as reader:
            tape = Tape(reader)
            while not (tape.shows_something or reader.complete):
                tape.do_work(0.1)
            if not tape.shows_something:
                raise CastError(
                    "no event writes anything, so there is nothing to"
                    f" show{_format_trouble(reader.trouble)}"
                )
            if not (os.isatty(0) and os.isatty(1)):
                raise _NoTerminalError
            while not (reader.seekable or reader.complete):
                tape.do_work(0.1)  # what writes a pipe may be slow, and keys must not wait for it
            status = Player(tape).run()
            trouble = reader.trouble
    except CastError as error:
        exit_with_error(describe_cast_error(file, error))
    except _NoTerminalError:
        exit_with_error(
            "A cast is played in a terminal, and there is none: 'ipcviz check' reads it."
        )
    if trouble and status < 128:
        write_error(f"{file}: {trouble}.")
    sys.exit(status)


class _NoTerminalError(Exception):
    """Nobody could see it."""


def _format_trouble(trouble: str) -> str:
    return f" ({trouble})" if trouble else ""
