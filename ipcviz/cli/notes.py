"""`ipcviz notes`: what the teacher should know, beside the screen that the class sees."""

from __future__ import annotations

import asyncio
import os
import sys

import click

from ipcviz.messages import exit_with_error, write_line, write_lines


@click.command()
@click.argument("session", required=False, default="")
@click.option("--once", is_flag=True, help="Write the notes of this moment as text, and leave.")
def notes(*, session: str, once: bool) -> None:
    """Show the teacher's notes to what another terminal shows: a scenario that runs, or a trace of
    one.

    SESSION is a scenario's name or the number of ipcviz's process, if there are several; else the
    latest is taken. Notes are offered to your own user alone, on this machine.
    """
    from ipcviz.app.notes.client import choose_screen, describe_screen, find_screens
    from ipcviz.app.notes.folder import NotesError, find_folder
    from ipcviz.app.notes.words import format_page

    if not hasattr(asyncio, "start_unix_server"):
        raise NotesError("Notes need Unix sockets, and this system has none.")
    found = asyncio.run(find_screens(find_folder()))
    offer, page = choose_screen(found, session)
    others = [describe_screen(*one) for one in found if one[0] != offer]
    hint = f"There is also {', '.join(others)}: ipcviz notes NAME." if others else ""
    if once:
        lines = format_page(page)
        write_lines([*lines, hint] if hint else lines)
        return
    if not (os.isatty(0) and os.isatty(1)):
        raise NotesError("The notes need a terminal, and there is none: use --once.")
    from ipcviz.app.driver import run_on_terminal
    from ipcviz.app.notes.screen import NotesApp
    from ipcviz.terminals import SignalPipe

    app = NotesApp(offer, page, hint)
    with SignalPipe() as signals:
        ending = run_on_terminal(app, signals)
    if signals.ended_by:
        sys.exit(128 + signals.ended_by)
    if app.return_code:
        exit_with_error(ending or "The notes could not be shown.")
    if ending:
        write_line(ending)
