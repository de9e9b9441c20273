"""The file of a trace: made anew, copied, replaced."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import time
from collections.abc import Mapping
from pathlib import Path

from ipcviz import __version__
from ipcviz.trace.errors import TraceError
from ipcviz.trace.keyframes import SHAPE
from ipcviz.trace.schema import APPLICATION_ID, TABLES, VERSION, VIEWS


def create(path: Path, meta: Mapping[str, str], sources: Mapping[str, str], most_bytes: int) -> sqlite3.Connection:
    """A new trace without events.

    Raises:
        TraceError: It can't be made.
    """
    try:
        path = path.resolve()
        _remove(path)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666))
    except (OSError, RuntimeError) as error:
        raise TraceError(f"{path} can't be written: {getattr(error, 'strerror', '') or error}.") from None
    try:
        db = sqlite3.connect(path, isolation_level="DEFERRED", check_same_thread=False)
        db.execute("PRAGMA page_size = 4096")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA wal_autocheckpoint = 256")
        if most_bytes:
            db.execute(f"PRAGMA max_page_count = {max(64, most_bytes // 4096)}")
        db.execute("BEGIN")
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {VERSION}")
        for statement in (*TABLES.values(), *VIEWS):
            db.execute(statement)
        known = {
            "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "version": __version__,
            "state": SHAPE,
            **meta,
        }
        db.executemany("INSERT INTO meta VALUES (?, ?)", known.items())
        db.executemany("INSERT INTO sources VALUES (?, ?)", (sources or {}).items())
        db.commit()
    except sqlite3.Error as error:
        raise TraceError(f"{path} can't be written: {error}.") from None
    return db


def _remove(path: Path) -> None:
    """Remove a file that is to be replaced, and what SQLite left beside it; never anything but a file."""
    if path.is_dir():
        raise IsADirectoryError(21, "it is a directory")
    for suffix in ("-wal", "-shm", "-journal", ""):
        file = path.with_name(path.name + suffix)
        try:
            mode = file.lstat().st_mode
        except FileNotFoundError:
            continue
        if not stat.S_ISREG(mode):
            raise OSError(0, "it is not a regular file (use --jsonl to write into a pipe)")
        file.unlink()


def copy(db: sqlite3.Connection, path: Path) -> None:
    """A whole copy under a name of its own, then under the wanted one: never half a file there."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        if path.exists() and not path.is_file():
            raise TraceError(f"{path} can't be written: it is not a regular file.")
        os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666))
        db.execute("VACUUM INTO ?", (str(part),))
        _remove(path)
        part.replace(path)
    except OSError as error:
        raise TraceError(f"{path} can't be written: {error.strerror or error}.") from None
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
