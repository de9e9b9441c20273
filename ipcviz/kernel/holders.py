"""Which processes of the machine have an object open: one walk through all of /proc, cut into
slices.

The kernel has no list of a pipe's or a socket's holders: every descriptor of every process has to
be asked (proc(5)). Nothing is opened, borrowed or stopped; only links and fdinfo are read. A file
on a server that does not answer would keep stat(2) waiting, so one is asked for no more than its
fdinfo before its inode is known to be one of those wanted.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterator
from typing import Final, NamedTuple

from ipcviz.events import Mode
from ipcviz.kernel import procfs, sockets
from ipcviz.kernel.descriptors import decode_flags

AT_ONCE: Final = 32
"""Descriptors that are asked before it is seen whether the slice is over."""
_NEVER: Final = ("/dev/null", "/dev/pts/", "/dev/tty", "/dev/urandom", "/memfd:")
"""Links of what is neither a FIFO nor a file with locks, and of which there are many."""


class Holding(NamedTuple):
    """A descriptor by which a process has a wanted object.

    Attributes:
        pid: The process.
        name: Its command name.
        key: The object: `pipe:[INO]`, `socket:[INO]`, or `DEV:INO` of a FIFO or a file.
        fd: The descriptor.
        mode: How it can be used.
        locked: There is a lock on the file that its open file description or its process has.
    """

    pid: int
    name: str
    key: str
    fd: int
    mode: Mode
    locked: bool = False


class HolderSearch:
    """One walk through /proc, for the holders of some objects.

    Args:
        links: Wanted pipes and sockets, as the links in /proc/PID/fd name them: `pipe:[INO]`,
            `socket:[INO]`.
        files: Wanted FIFOs and files, by device and inode as stat(2) has them.
        spare: Processes that are passed over.

    Attributes:
        found: What was found so far.
        hidden: Processes that could not be looked at so far: another user's, or such as hide
            themselves.
    """

    def __init__(
        self, links: Collection[str], files: Collection[tuple[int, int]], spare: Collection[int]
    ) -> None:
        self.found: list[Holding] = []
        self.hidden = 0
        self._links = frozenset(links)
        self._files = frozenset(files)
        self._inodes = frozenset(ino for _, ino in files)
        self._spare = frozenset(spare)
        self._walk = self._walk_processes()

    def go_on(self, seconds: float) -> bool:
        """Walk on for about so many seconds. Returns whether that was all."""
        until = time.monotonic() + seconds
        return all(time.monotonic() < until for _ in self._walk)

    def _walk_processes(self) -> Iterator[None]:
        for pid in procfs.list_processes():
            if pid not in self._spare:
                yield from self._ask_process(pid)
                yield

    def _ask_process(self, pid: int) -> Iterator[None]:
        """Ask all descriptors of one process."""
        at = f"/proc/{pid}"
        try:
            numbers = os.listdir(f"{at}/fd")
            if not numbers and (living := procfs.find_living_thread(pid)) != pid:
                at = f"/proc/{pid}/task/{living}"
                numbers = os.listdir(f"{at}/fd")
        except PermissionError:
            self.hidden += not _is_of_kernel(pid)
            return
        except OSError:
            return  # it has ended
        for count, number in enumerate(numbers):
            if count % AT_ONCE == AT_ONCE - 1:
                yield
            try:
                link = os.readlink(f"{at}/fd/{number}")
            except OSError:
                continue  # closed meanwhile
            if link in self._links:
                self._add_holding(pid, at, int(number), link)
            elif self._files and link.startswith("/") and not link.startswith(_NEVER):
                self._add_file_holding(pid, at, int(number))

    def _add_file_holding(self, pid: int, at: str, number: int) -> None:
        raw = procfs.read_bytes(f"{at}/fdinfo/{number}")
        info = procfs.parse_fdinfo(raw) if raw else None
        # Before Linux 5.14 fdinfo has no inode.
        if info is None or (info.ino and info.ino not in self._inodes):
            return
        try:
            status = os.stat(f"{at}/fd/{number}")
        except OSError:
            return
        if (status.st_dev, status.st_ino) in self._files:
            self._add_holding(pid, at, number, f"{status.st_dev}:{status.st_ino}")

    def _add_holding(self, pid: int, at: str, number: int, key: str) -> None:
        raw = procfs.read_bytes(f"{at}/fdinfo/{number}")
        info = procfs.parse_fdinfo(raw) if raw else None
        name = procfs.read_comm(pid)
        if info is None or name is None:
            return
        mode, _, _ = decode_flags(info.flags)
        self.found.append(Holding(pid, name, key, number, mode, locked="lock" in info.extra))


def _is_of_kernel(pid: int) -> bool:
    """Whether a process is a thread of the kernel, which has no descriptors, or gone by now."""
    stat = procfs.read_stat(pid)
    return stat is None or bool(stat.flags & procfs.PF_KTHREAD)


def still_holds(one: Holding) -> bool:
    """Whether a process still has an object by the same descriptor, as far as that can be seen at a
    glance.
    """
    link = procfs.read_link(one.pid, one.fd)
    if link is None or ":[" in one.key:
        return link == one.key
    info = procfs.read_fdinfo(one.pid, one.fd)
    if info is None or (one.locked and "lock" not in info.extra):
        return False
    return not info.ino or one.key.endswith(f":{info.ino}")


def listener_of(ino: int, remote: str, listing: sockets.Listing) -> int:
    """Inode of the listening socket in whose backlog a connection waits; 0 if there is none on this
    machine.

    Args:
        ino: Inode of the end that is connected.
        remote: Of a TCP socket the address that it is connected to; empty for a UNIX one, which the
            kernel lists.
        listing: All sockets.
    """
    if not remote:
        return next((one.ino for one in listing.all_unix() if ino in one.connecting), 0)
    return next((one.ino for one in listing.all_inet() if _is_listening_at(one, remote)), 0)


def _is_listening_at(one: sockets.InetSocket, remote: str) -> bool:
    """Whether a TCP socket listens at an address."""
    if one.state != sockets.LISTENING:
        return False
    local = sockets.unmap_address(one.local)
    if sockets.show_end(local) == remote:
        return True
    return (
        local[0] in ("0.0.0.0", "::")
        and remote.rpartition(":")[2] == str(local[1])
        and _is_local(remote)
    )


def _is_local(remote: str) -> bool:
    """Whether an address is surely this machine's: loopback."""
    return remote.startswith(("127.", "[::1]", "[::ffff:127."))
