"""What a screen offers to `ipcviz notes`: a socket that tells the page of notes, and listens to
nothing.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from ipcviz.app.notes.folder import (
    NotesError,
    find_folder,
    make_folder,
    name_socket,
    name_unready,
    sweep_folder,
)
from ipcviz.app.notes.page import MOST_BYTES, NotesPage, encode_page

_MOST_READERS: Final = 8
_MOST_WAITING: Final = 4 * MOST_BYTES
"""Bytes that a reader may leave unread before it is left."""


class NotesServer:
    """Tells readers the page of notes, and each new one.

    Args:
        make_page: Makes the page of this moment; None if there is none yet.
        on_readers: Called when the first reader came (True) or the last one left (False): until
            then nothing has to be done.
        folder: Where its socket is to be; this user's runtime folder if None.
    """

    def __init__(
        self,
        make_page: Callable[[], NotesPage | None],
        on_readers: Callable[[bool], None],
        folder: Path | None = None,
    ) -> None:
        self._make_page = make_page
        self._on_readers = on_readers
        self._folder = folder
        self._path: Path | None = None
        self._server: asyncio.Server | None = None
        self._readers: set[asyncio.StreamWriter] = set()
        self._told: NotesPage | None = None

    async def start(self) -> None:
        """Offer the notes.

        Raises:
            NotesError: They can't be offered.
        """
        folder = self._folder or find_folder()
        make_folder(folder)
        await sweep_folder(folder)
        unready, path = name_unready(folder, os.getpid()), name_socket(folder, os.getpid())
        try:
            unready.unlink(missing_ok=True)
            self._server = await asyncio.start_unix_server(self._serve_reader, path=unready)
            os.chmod(unready, 0o600)
            # It has its name only when it can be connected to: so a name that refuses is left over.
            os.rename(unready, path)
        except OSError as error:
            self.stop()
            unready.unlink(missing_ok=True)
            why = error.strerror or str(error)
            raise NotesError(f"Notes can't be offered at {path}: {why}.") from None
        self._path = path

    def stop(self) -> None:
        """Offer them no more: readers find the end of file."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)
            self._path = None
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in [*self._readers]:
            writer.close()

    def tell_page(self) -> None:
        """Tell the readers the page of this moment, if it says something new."""
        page = self._make_page() if self._readers else None
        if page is None or page.says_the_same(self._told):
            return
        self._told = page
        line = encode_page(page)
        for writer in [*self._readers]:
            _write_line(writer, line)

    async def _serve_reader(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Serve one reader until it leaves; whoever sends anything is left."""
        if len(self._readers) >= _MOST_READERS:
            writer.close()
            return
        self._readers.add(writer)
        if len(self._readers) == 1:
            self._on_readers(True)
        try:
            page = self._make_page()
            if page is not None:
                _write_line(writer, encode_page(page))
            await reader.read(1)
        except ConnectionError:
            pass  # it has left in the middle
        finally:
            self._readers.discard(writer)
            writer.close()
            if not self._readers:
                self._told = None
                self._on_readers(False)


def _write_line(writer: asyncio.StreamWriter, line: bytes) -> None:
    """Write to a reader; one that takes nothing is left."""
    if writer.transport.get_write_buffer_size() + len(line) > _MOST_WAITING:
        writer.transport.abort()
    else:
        writer.write(line)
