"""Parts of events about locks: file locks as /proc/locks shows them, futexes as their waiters
do.
"""

from __future__ import annotations

from typing import Literal

from ipcviz.events.objects import Struct


class FileLock(Struct, frozen=True):
    """A lock on a file, held or waited for (flock(2), fcntl_locking(2), proc(5)).

    Attributes:
        kind: `flock` and `ofd` belong to an open file description; `posix` (fcntl) to a process;
            `lease`.
        mode: `r` if others may hold it too (shared), `w` if not (exclusive).
        pid: `posix`: the process that holds it or waits. Else the one that asked for it, which may
            be gone while others hold the description; 0 if the kernel does not say.
        ofd: The open file description that holds it; 0 if no watched process has it, or for
            waiters.
        start: First byte.
        end: Last byte; -1 for the end of the file, wherever that is.
        waits: It is not held but waited for.
    """

    kind: Literal["flock", "posix", "ofd", "lease"]
    mode: Literal["r", "w"]
    pid: int = 0
    ofd: int = 0
    start: int = 0
    end: int = -1
    waits: bool = False


class ObjectLocks(Struct, frozen=True):
    """All locks on one file at one moment; none if `locks` is empty."""

    object: str
    locks: tuple[FileLock, ...] = ()


class Futex(Struct, frozen=True):
    """A futex that a thread sleeps on (futex(2)), and what of glibc's it seems to be.

    Attributes:
        key: `futex:DEV:INO:OFFSET` for one in shared memory, `futex:vm:PID:ADDRESS` for one that
            only the threads of a process can meet at.
        object: Key of the mapped object that holds it; empty for private memory.
        offset: Byte offset within that object, or its address if the memory is private.
        private: The wait was private (FUTEX_PRIVATE_FLAG): wakers of other processes do not reach
            it, even where the memory is shared.
        kind: `mutex`, `semaphore`, `condition`, `rwlock`, `barrier`, `thread` (pthread_join), `go`
            (Go's runtime), or empty if it is not known.
        sure: The kernel's own rules, or the program's file, say so; false where it was told by what
            the memory around it looks like.
        owner: The thread that holds a mutex, or a lock for writing, or that a join waits for: a
            living thread of a process that has this memory; 0 if that is not known.
        former: What the owner's word names if there is no such thread any more: it ended without
            unlocking.
        copied: The memory is a copy, made by fork, of this process's, where another thread held
            what lies there; nobody who has the copy can release it. 0 if it is not.
        holder: That thread, if the memory names it. Else the copy is only probable: who waits has
            been alone since the fork, and has not made it so itself as far as can be seen.
        asks: rwlock: whether the thread wants to read or to write.
        readers: rwlock: how many hold it for reading.
        arrived: barrier: how many threads have come to it.
        parties: barrier: for how many they wait.
    """

    key: str
    object: str = ""
    offset: int = 0
    private: bool = False
    kind: Literal["mutex", "semaphore", "condition", "rwlock", "barrier", "thread", "go", ""] = ""
    sure: bool = False
    owner: int = 0
    former: int = 0
    copied: int = 0
    holder: int = 0
    asks: Literal["read", "write", ""] = ""
    readers: int = 0
    arrived: int = 0
    parties: int = 0
