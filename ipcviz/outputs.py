"""Files that ipcviz writes: all are made here.

An output is a regular file, or nothing yet. Its new contents go into a file without a name
(O_TMPFILE of open(2)), which takes its place when it is complete: until then the old file is as it
was, and whoever ends us in between leaves nothing behind. Where the file system has no such files,
a hidden one beside the place stands in for it.

A new file is for its owner alone (mode 0600): traces and casts hold what was typed, and what
programs said to each other. A file that is replaced keeps its mode and its owner. A symbolic link
is followed, as a shell follows it; the other names (hard links) of a file that is replaced keep the
old contents.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable
from typing import IO, Final, NamedTuple

from ipcviz.errors import UserError

PRIVATE: Final = 0o600
"""Mode of a new file."""
MOST_LINKS: Final = 40
"""Symbolic links that the kernel follows for one path (MAXSYMLINKS of linux/namei.h)."""
CLOSED_ON_EXEC: Final = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
"""Whom we execute gets none of our descriptors; on Windows that is so anyway, and a file's bytes
are no text.
"""
_TMPFILE: Final = getattr(os, "O_TMPFILE", 0)
_NO_TMPFILE: Final = (errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL)
"""How file systems and kernels refuse O_TMPFILE that do not have it (open(2))."""
_PATH_ONLY: Final = getattr(os, "O_PATH", os.O_RDONLY)
_KINDS: Final[tuple[tuple[Callable[[int], bool], str], ...]] = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
)


class OutputError(UserError):
    """A file can't be written."""


class OutputPlace(NamedTuple):
    """Where an output goes, once symbolic links are followed.

    Attributes:
        folder: The folder, without links.
        name: The file's name in it.
    """

    folder: str
    name: str

    @property
    def path(self) -> str:
        """Both in one."""
        return os.path.join(self.folder, self.name)


def kind_of(mode: int) -> str:
    """What a path leads to that is no regular file, with its article: `a device`, `a FIFO`; empty
    for a regular one.
    """
    if stat.S_ISREG(mode):
        return ""
    return next((words for matches, words in _KINDS if matches(mode)), "no regular file")


def find_place(path: str | os.PathLike[str], *, streams: bool = False) -> OutputPlace:
    """Where a file of this name would be written; nothing is opened.

    Args:
        path: As given by a person.
        streams: Where it is asked for, `-` is standard output: say so to who names a device.

    Raises:
        OutputError: There is something that is no regular file, or the file or its folder can't be
            written.
    """
    shown = os.fspath(path)
    if not shown:
        raise OutputError("The name of the file to write is empty: give one.")
    instead = "give a file's name, or - for standard output" if streams else "give a file's name"
    try:
        kind = _kind_at(shown)
        if kind:
            raise OutputError(f"{shown} is {kind}: {instead}.")
        place = _follow_links(shown)
        if place is None:
            raise OutputError(f"{shown} leads through /proc, where no file can be put: {instead}.")
        _check_rights(place)
    except OSError as error:
        raise OutputError(explain_write_error(shown, error)) from None
    except ValueError as error:
        raise OutputError(f"{shown} can't be written: {error}.") from None
    return place


def same_file(one: str | os.PathLike[str], other: str | os.PathLike[str]) -> bool:
    """Whether two names lead to one file, or would if it was there."""
    try:
        return os.path.samefile(one, other)
    except (OSError, ValueError):
        return os.path.realpath(one) == os.path.realpath(other)


def explain_write_error(path: str | os.PathLike[str], error: OSError) -> str:
    """One sentence for what the system says against writing a file."""
    reasons = {
        errno.ENOENT: "its folder does not exist",
        errno.EBUSY: "something is mounted there",
        errno.EXDEV: "something is mounted there",
    }
    why = reasons.get(error.errno or 0) or error.strerror or str(error)
    return f"{os.fspath(path)} can't be written: {why}."


def _kind_at(path: str) -> str:
    """What is at a path that is no regular file; empty if it is one, or if there is nothing."""
    try:
        return kind_of(os.stat(path).st_mode)
    except FileNotFoundError:
        return ""


def _follow_links(path: str) -> OutputPlace | None:
    """Follow the links that a path ends with, also those that lead to nothing; None if it leads
    through /proc.

    There, links stand for open files (proc_pid_fd(5)), and what they say is no place.
    """
    for _ in range(MOST_LINKS):
        head, name = os.path.split(path)
        if name in ("", ".", ".."):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        folder = os.path.realpath(head or ".", strict=True)
        if folder == "/proc" or folder.startswith("/proc/"):
            return None
        place = OutputPlace(folder, name)
        try:
            path = os.path.join(folder, os.readlink(place.path))
        except FileNotFoundError:
            return place
        except OSError as error:
            if error.errno == errno.EINVAL:
                return place
            raise
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def _check_rights(place: OutputPlace) -> None:
    """Raise OSError unless a file can be put there, and the one that is there may be written."""
    with contextlib.suppress(FileNotFoundError):
        kind = kind_of(os.lstat(place.path).st_mode)
        if kind:
            raise OSError(errno.EINVAL, f"it is {kind}")
        if not os.access(place.path, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    file, name = _open_unplaced(place.folder)
    os.close(file)
    if name:
        os.unlink(os.path.join(place.folder, name))


def _set_mode(fd: int, mode: int) -> None:
    """Give an open file a mode, where files have one (not on Windows)."""
    if hasattr(os, "fchmod"):
        os.fchmod(fd, mode)


def _open_unplaced(folder: str) -> tuple[int, str]:
    """A new private file in a folder: its descriptor, and its name, which is empty if it has
    none.
    """
    if _TMPFILE and os.path.isdir("/proc/self/fd"):
        try:
            file = os.open(folder, _TMPFILE | os.O_RDWR | CLOSED_ON_EXEC, PRIVATE)
        except OSError as error:
            if error.errno not in _NO_TMPFILE:
                raise
        else:
            _set_mode(file, PRIVATE)
            return file, ""
    name = _hidden_name()
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | CLOSED_ON_EXEC
    file = os.open(os.path.join(folder, name), flags, PRIVATE)
    _set_mode(file, PRIVATE)
    return file, name


def _hidden_name() -> str:
    return f".ipcviz-{os.urandom(8).hex()}"


class OutputFile:
    """A new file that is not at its place yet.

    Leave it by `place` and `close`, or by `close` alone: then it is as if it had never been. As a
    context manager it takes its place at the end of the block, unless that ends with an exception.

    Args:
        path: As given by a person.
        streams: See `find_place`.

    Raises:
        OutputError: No file can be made there.

    Attributes:
        path: As given.
        file: What to write to.
        placed: Whether it is at its place.
    """

    def __init__(self, path: str | os.PathLike[str], *, streams: bool = False) -> None:
        self.path = os.fspath(path)
        self.placed = False
        self._streams = streams
        self._place = find_place(path, streams=streams)
        try:
            file, self._name = _open_unplaced(self._place.folder)
        except OSError as error:
            raise OutputError(explain_write_error(path, error)) from None
        self.file: IO[bytes] = os.fdopen(file, "w+b")

    @property
    def target(self) -> str:
        """The path without links."""
        return self._place.path

    def place(self, beside: tuple[str, ...] = ()) -> None:
        """Put it where it belongs, in place of what is there.

        What is written later goes there, too.

        Args:
            beside: Endings of files that belong to the old file and would be taken for the new
                one's (`-wal`).

        Raises:
            OutputError: It can't be put there; the old file is as it was.
        """
        if self.placed:
            return
        try:
            self.file.flush()
            # What is there now need not be what was there at the beginning.
            self._place = find_place(self.path, streams=self._streams)
            for suffix in beside:
                self._remove_beside(suffix)
            self._copy_owner_and_mode()
            self._move_into_place()
        except OSError as error:
            raise OutputError(explain_write_error(self.path, error)) from None
        self.placed = True

    def close(self) -> None:
        """Close it. Without a place it is gone. Idempotent.

        Raises:
            OutputError: The rest could not be written.
        """
        name, self._name = self._name, ""
        try:
            self.file.close()
        except OSError as error:
            if self.placed:
                raise OutputError(explain_write_error(self.path, error)) from None
        finally:
            if name and not self.placed:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(os.path.join(self._place.folder, name))

    def __enter__(self) -> OutputFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self.place()
        finally:
            self.close()

    def _remove_beside(self, suffix: str) -> None:
        path = self._place.path + suffix
        try:
            kind = kind_of(os.lstat(path).st_mode)
        except FileNotFoundError:
            return
        if kind:
            raise OutputError(
                f"{path} is {kind}, and {self.path} would need that name: choose another one."
            )
        os.unlink(path)

    def _copy_owner_and_mode(self) -> None:
        """Give it the owner and the mode of the file that it replaces; where the owner can't be, it
        stays private.
        """
        try:
            old = os.lstat(self._place.path)
        except FileNotFoundError:
            return
        number = self.file.fileno()
        new = os.fstat(number)
        if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
            try:
                os.fchown(number, old.st_uid, old.st_gid)
            except PermissionError:
                return
        _set_mode(number, stat.S_IMODE(old.st_mode) & 0o777)

    def _move_into_place(self) -> None:
        """One system call puts it there: a name for what has none, or the place of the old file."""
        folder, name = self._place
        if not self._name:
            try:
                self._link_file(name)
                return
            except FileExistsError:
                # What is there can only be replaced by something that has a name.
                hidden = _hidden_name()
                self._link_file(hidden)
                self._name = hidden
        os.replace(os.path.join(folder, self._name), os.path.join(folder, name))
        self._name = ""

    def _link_file(self, name: str) -> None:
        """Give a file without a name one: linkat(2) with AT_SYMLINK_FOLLOW, as open(2) shows it."""
        folder = os.open(self._place.folder, _PATH_ONLY | os.O_DIRECTORY | CLOSED_ON_EXEC)
        try:
            os.link(
                f"/proc/self/fd/{self.file.fileno()}", name, src_dir_fd=folder, dst_dir_fd=folder
            )
        finally:
            os.close(folder)


def write_file(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a whole file.

    Raises:
        OutputError: It can't be written; what was there is as it was.
    """
    with OutputFile(path) as output:
        try:
            output.file.write(data)
        except OSError as error:
            raise OutputError(explain_write_error(path, error)) from None
