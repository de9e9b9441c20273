"""The file of a trace: made anew, put at its place, copied."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ipcviz import __version__
from ipcviz.outputs import OutputError, OutputFile, explain_write_error
from ipcviz.trace.errors import TraceError
from ipcviz.trace.keyframes import find_shape
from ipcviz.trace.schema import APPLICATION_ID, TABLES, VERSION, VIEWS

_BESIDE: Final = ("-wal", "-shm", "-journal")
"""What SQLite puts beside a database: that of an old file would be taken for a part of the new one.
"""


def create_trace(meta: Mapping[str, str], sources: Mapping[str, str]) -> sqlite3.Connection:
    """A new trace without events, in memory.

    Args:
        meta: What to keep besides what is known anyway.
        sources: Texts to keep by name.
    """
    db = sqlite3.connect(":memory:", isolation_level="DEFERRED", check_same_thread=False)
    db.execute("PRAGMA page_size = 4096")
    db.execute("BEGIN")
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute(f"PRAGMA user_version = {VERSION}")
    for statement in (*TABLES.values(), *VIEWS):
        db.execute(statement)
    known = {
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "version": __version__,
        "state": find_shape(),
        **meta,
    }
    db.executemany("INSERT INTO meta VALUES (?, ?)", known.items())
    db.executemany("INSERT INTO sources VALUES (?, ?)", sources.items())
    db.commit()
    return db


def place_trace(db: sqlite3.Connection, output: OutputFile, most_bytes: int) -> sqlite3.Connection:
    """Put a trace that is in memory so far at its place, and go on there: what is committed
    survives us from now on.

    Args:
        db: The trace; it is closed.
        output: The file.
        most_bytes: Size at which writing ends; 0 for no limit.

    Raises:
        TraceError: It can't be written; what was there is as it was, unless it has been replaced.
    """
    try:
        output.file.write(db.serialize())
        output.place(_BESIDE)
        output.close()
        placed = sqlite3.connect(output.target, isolation_level="DEFERRED", check_same_thread=False)
        placed.execute("PRAGMA journal_mode = WAL")
        placed.execute("PRAGMA synchronous = NORMAL")
        placed.execute("PRAGMA wal_autocheckpoint = 256")
        if most_bytes:
            placed.execute(f"PRAGMA max_page_count = {max(64, most_bytes // 4096)}")
    except OutputError as error:
        raise TraceError(error.message) from None
    except OSError as error:
        raise TraceError(explain_write_error(output.path, error)) from None
    except sqlite3.Error as error:
        raise TraceError(f"{output.path} can't be written: {error}.") from None
    db.close()
    return placed


def copy_trace(db: sqlite3.Connection, path: Path, spare: Path | None) -> None:
    """Write a whole copy to a file, which is replaced if it is there.

    Args:
        db: The trace.
        path: Where to.
        spare: A folder for the copy while it is made, which someone removes if we can't; None for a
            temporary one.

    Raises:
        TraceError: It can't be written; what was there is as it was.
    """
    try:
        with OutputFile(path) as output, contextlib.ExitStack() as stack:
            folder = spare or Path(
                stack.enter_context(tempfile.TemporaryDirectory(prefix="ipcviz-"))
            )
            part = folder / "copy"
            stack.callback(part.unlink, missing_ok=True)
            # It holds what the trace holds: for nobody else's eyes, from the beginning.
            os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
            db.execute("VACUUM INTO ?", (str(part),))
            with part.open("rb") as source:
                shutil.copyfileobj(source, output.file, 1 << 20)
            output.place(_BESIDE)
    except OutputError as error:
        raise TraceError(error.message) from None
    except OSError as error:
        raise TraceError(explain_write_error(path, error)) from None
