"""The folder in which running screens leave the sockets of their notes: one file a screen."""

from __future__ import annotations

import asyncio
import os
import stat
import time
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from ipcviz.errors import UserError

_SUFFIX: Final = ".notes"
_UNREADY: Final = ".unready"
_READY_SOON: Final = 30.0
"""Seconds that a socket may take from its making to its name."""


class NotesError(UserError):
    """Notes can't be offered or shown; the message says why, in a sentence."""


class Offer(NamedTuple):
    """A socket at which notes are offered.

    Attributes:
        pid: The process that made it, by its own number.
        path: The socket.
    """

    pid: int
    path: Path


def find_folder() -> Path:
    """Where the sockets are: below this user's runtime folder."""
    import platformdirs

    with warnings.catch_warnings():
        # Where no session manager has made a runtime folder it is one below /tmp: `check_folder`
        # sees to it that nobody else has made that.
        warnings.simplefilter("ignore")
        return platformdirs.user_runtime_path("ipcviz", appauthor=False)


def make_folder(folder: Path) -> None:
    """Make the folder, readable by this user alone.

    Raises:
        NotesError: It can't be made, or is not this user's.
    """
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise NotesError(f"{folder} can't be made: {error.strerror}.") from None
    check_folder(folder)


def check_folder(folder: Path) -> None:
    """See to it that nobody else can put anything into the folder, or in its place.

    Raises:
        NotesError: Somebody else could.
        FileNotFoundError: It is not there.
    """
    for place in (folder.parent, folder):
        try:
            found = os.lstat(place)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise NotesError(f"{place} can't be looked at: {error.strerror}.") from None
        mine = found.st_uid == os.geteuid() and not found.st_mode & 0o022
        if not (stat.S_ISDIR(found.st_mode) and mine):
            raise NotesError(
                f"{place} is not a folder of yours alone, so notes in it are not to be trusted:"
                " set XDG_RUNTIME_DIR to one."
            )


def name_socket(folder: Path, pid: int) -> Path:
    """The path of a process's socket."""
    return folder / f"{pid}{_SUFFIX}"


def name_unready(folder: Path, pid: int) -> Path:
    """The path of a process's socket before anybody can connect to it."""
    return folder / f"{pid}{_UNREADY}"


def list_offers(folder: Path) -> list[Offer]:
    """The sockets in the folder, the latest first; some may be left over.

    Raises:
        NotesError: The folder can't be read, or is not this user's alone.
    """
    try:
        check_folder(folder)
        found = [(entry.stat(follow_symlinks=False), entry) for entry in os.scandir(folder)]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise NotesError(f"{folder} can't be read: {error.strerror}.") from None
    offers = [
        (about.st_mtime, Offer(int(entry.name.removesuffix(_SUFFIX)), Path(entry.path)))
        for about, entry in found
        if stat.S_ISSOCK(about.st_mode)
        and entry.name.endswith(_SUFFIX)
        and entry.name.removesuffix(_SUFFIX).isdecimal()
    ]
    return [offer for _, offer in sorted(offers, reverse=True)]


async def clear_leftovers(folder: Path) -> None:
    """Remove the sockets of screens that were killed: nobody accepts at them.

    A socket gets its name when it accepts connections already, so one that refuses is left over.

    Raises:
        NotesError: The folder is not this user's alone.
    """
    for offer in list_offers(folder):
        if not await is_accepting(offer.path):
            _remove_file(offer.path)
    for path in folder.glob(f"*{_UNREADY}"):
        try:
            old = time.time() - path.lstat().st_mtime > _READY_SOON
        except OSError:
            continue  # it has its name now
        if old:
            _remove_file(path)


def _remove_file(path: Path) -> None:
    """Remove what is left over; where that can't be, it harms nobody."""
    with suppress(OSError):
        path.unlink()


async def sweep_folder(folder: Path | None = None) -> None:
    """Remove what killed screens have left, as far as that can be done.

    Args:
        folder: Where the sockets are; this user's runtime folder if None.
    """
    if os.name != "posix":
        return
    if folder is None:
        folder = await asyncio.to_thread(find_folder)
    with suppress(NotesError, OSError):
        await clear_leftovers(folder)


async def is_accepting(path: Path) -> bool:
    """Whether somebody accepts connections at a socket."""
    try:
        _, writer = await asyncio.open_unix_connection(path)
    except (ConnectionRefusedError, FileNotFoundError):
        return False
    except OSError:
        return True  # somebody's backlog is full: it is there
    writer.close()
    return True
