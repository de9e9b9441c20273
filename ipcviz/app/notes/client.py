"""Reading the notes that running screens offer; whoever is at the other end is not believed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final

from ipcviz.app.notes.folder import NotesError, Offer, clear_leftovers, list_offers
from ipcviz.app.notes.page import FORMAT, MOST_BYTES, NotesPage, decode_page
from ipcviz.events.decoding import DecodingError

_FIRST: Final = 3.0
"""Seconds until a screen must have told its first page."""
_MOST: Final = 16
"""Screens that are asked what they show."""


async def read_pages(path: Path) -> AsyncGenerator[NotesPage, None]:
    """The pages that a screen tells, until it ends.

    Raises:
        NotesError: What is told is no page of notes, or the socket can't be read.
    """
    try:
        reader, writer = await asyncio.open_unix_connection(path, limit=MOST_BYTES)
    except OSError as error:
        raise NotesError(f"{path} can't be read: {error.strerror or error}.") from None
    try:
        while line := await _read_line(reader, path):
            yield _decode(line, path)
    finally:
        writer.close()


async def _read_line(reader: asyncio.StreamReader, path: Path) -> bytes:
    """The next line; empty at the end."""
    try:
        line = await reader.readline()
    except ConnectionError:
        return b""
    except ValueError:
        raise NotesError(f"What {path} tells is no page of notes: it is too long.") from None
    return line if line.endswith(b"\n") else b""


def _decode(line: bytes, path: Path) -> NotesPage:
    try:
        page = decode_page(line)
    except DecodingError as error:
        raise NotesError(f"What {path} tells is no page of notes: {error}.") from None
    if page.format != FORMAT:
        raise NotesError(
            f"What {path} tells is of another ipcviz (notes of format {page.format}): use the same"
            " ipcviz in both terminals."
        )
    return page


async def read_first_page(path: Path) -> NotesPage | None:
    """What a screen shows now; None if it tells nothing in time.

    Raises:
        NotesError: What it tells is no page of notes.
    """
    pages = read_pages(path)
    try:
        return await asyncio.wait_for(anext(pages), _FIRST)
    except (TimeoutError, StopAsyncIteration):
        return None
    finally:
        await pages.aclose()


async def find_screens(folder: Path) -> list[tuple[Offer, NotesPage]]:
    """The screens of this user that offer notes, the latest first, with what they show.

    Raises:
        NotesError: The folder is not this user's alone, or all that is there is no page of notes.
    """
    offers = list_offers(folder)
    if offers:
        await clear_leftovers(folder)
        offers = list_offers(folder)[:_MOST]
    answers = await asyncio.gather(
        *(read_first_page(offer.path) for offer in offers), return_exceptions=True
    )
    found: list[tuple[Offer, NotesPage]] = []
    wrong: list[NotesError] = []
    for offer, answer in zip(offers, answers, strict=True):
        if isinstance(answer, NotesPage):
            found.append((offer, answer))
        elif isinstance(answer, NotesError):
            wrong.append(answer)
        elif answer is not None:
            raise answer
    if wrong and not found:
        raise wrong[0]
    return found


def choose_screen(found: list[tuple[Offer, NotesPage]], wanted: str) -> tuple[Offer, NotesPage]:
    """The screen that is meant: by the number of its process, or by its scenario; else the latest.

    Args:
        found: As of `find_screens`.
        wanted: What the viewer asked for; empty for any.

    Raises:
        NotesError: There is none.
    """
    if not found:
        raise NotesError(
            "No scenario is on a screen of yours now: start one with 'ipcviz run NAME', or"
            " 'ipcviz replay' a trace of one."
        )
    for offer, page in found:
        if wanted in ("", str(offer.pid), page.scenario):
            return offer, page
    there = ", ".join(describe_screen(*one) for one in found)
    raise NotesError(f"No screen of yours shows {wanted!r}. There is: {there}.")


def describe_screen(offer: Offer, page: NotesPage) -> str:
    """A screen in words: `sleep-race (process 4711)`."""
    return f"{page.scenario} (process {offer.pid})"
