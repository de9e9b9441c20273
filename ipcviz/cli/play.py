"""`ipcviz play`: a cast in the terminal, forward and back by chapters."""

from __future__ import annotations

import os
import sys

import click

from ipcviz.cli.words import tell_cast
from ipcviz.export import CastError, read_cast
from ipcviz.messages import refuse, write_error


@click.command()
@click.argument("file", type=click.Path(path_type=str))
def play(*, file: str) -> None:
    """Play the cast in FILE (asciicast, version 2 or 3) in the terminal.

    Space, right, n or PageDown: the next chapter; left, p or PageUp: the one before; ? shows all keys, q leaves.
    Nothing of the file reaches the terminal but what paints: a cast from anywhere can't do harm.
    """
    try:
        cast = read_cast(file)
        if not any(event.code == "o" for event in cast.events):
            raise CastError("no event writes anything, so there is nothing to show")
    except CastError as error:
        refuse(tell_cast(file, error))
    if not (os.isatty(0) and os.isatty(1)):
        refuse("A cast is played in a terminal, and there is none: 'ipcviz check' reads it.")
    from ipcviz.cli.player import Player

    status = Player(cast).run()
    if cast.trouble:
        write_error(f"{file}: {cast.trouble}.")
    sys.exit(status)
