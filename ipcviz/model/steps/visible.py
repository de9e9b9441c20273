"""Which operations are worth a step: those that another process can notice, or that decide what it
will see.

Step mode holds a thread before each of them; the past of a live run is divided by them. Pure.
"""

from __future__ import annotations

from typing import Final

from ipcviz.events import ObjectInfo, SemaphoreInfo
from ipcviz.events.arguments import Arguments, flag_in, number_in, text_in
from ipcviz.events.calls import where
from ipcviz.events.kinds import PIPES, TYPED, having
from ipcviz.events.signals import SIGCHLD, SIGINT
from ipcviz.model.noise import SHELLS, is_noise, is_own_script, is_python
from ipcviz.model.query import mapping_at
from ipcviz.model.state import State

SHORT_WAIT_SECONDS: Final = 0.005
"""A wait that ends by itself so soon is over before a step is: it is no turn of its own where it
repeats itself.
"""

MOST_SHORT_WAITS: Final = 4
"""How many of them a thread makes in one step, before it is held at the next one: it may make them
for ever.
"""

ENDS: Final = where(lambda call: bool(call.family))
"""Births, deaths and changes of program."""

_ALWAYS: Final = where(lambda call: call.visible == "always")

_BY_PATH: Final = where(lambda call: call.visible == "by path")
_BY_OBJECT: Final = where(lambda call: call.visible == "by object")
_BY_OBJECTS: Final = where(lambda call: call.visible == "by objects")
_COPIES: Final = where(lambda call: call.name == "close" or call.descriptors == "duplicate")
"""Calls that make a descriptor of what a process has open already, or take one away."""
_DUPLICATES: Final = ("F_DUPFD", "F_DUPFD_CLOEXEC")
_OF_LIBC: Final = ("signal 32", "signal 33")
"""glibc keeps these two signals for its own threads (nptl/internaltypes.h)."""
_LIBC_BITS: Final = 3 << 31
_MOST_SIGNALS: Final = 32

_PRIVATE: Final = having("private")


def is_visible_object(info: ObjectInfo) -> bool:
    """Whether what happens to an object is worth a step."""
    return info.kind not in _PRIVATE and not is_noise(info.path)


def is_visible_semaphore(info: SemaphoreInfo) -> bool:
    """Whether operations on a semaphore are worth a step: interpreters make one on the heap for
    each of their locks.
    """
    return not info.heap


class ShortWaits:
    """The short waits that a thread has made since it was let go.

    A thread that waits for others in small slices makes the same call at the same place over and
    over. The first time that is an operation like all others; what follows is passed, up to
    `MOST_SHORT_WAITS` a step.
    """

    def __init__(self) -> None:
        self._places: set[tuple[int, int]] = set()
        self.repeated = 0

    def begin_step(self) -> None:
        """The thread is let go. Where it stands counts as known: it makes that very call first."""
        self.repeated = 0

    def clear(self) -> None:
        """The thread is held for something else: what it waits for then is no repetition."""
        self._places.clear()
        self.repeated = 0

    def count_wait(self, number: int, pc: int) -> bool:
        """Count a short wait that is about to be made: a call's number and place.

        Whether it is no turn of its own.
        """
        place = number, pc
        if place not in self._places:
            self._places.add(place)
            return False
        self.repeated += 1
        return self.repeated <= MOST_SHORT_WAITS


def is_visible(state: State, pid: int, name: str, args: Arguments, tid: int = 0) -> bool:
    """Whether a call is worth a step, before it is made or after it.

    Args:
        state: The state before it.
        pid: The process.
        name: The call.
        args: Its arguments by name.
        tid: The thread; by default the leader.
    """
    if name == "rt_sigprocmask":
        return _is_sigprocmask_visible(state, tid or pid, args)
    if name == "rt_sigreturn":
        return not _is_noting_child(state, pid, tid or pid)
    if name in _ALWAYS:
        return True
    if name in _COPIES:
        return _is_end(state, pid, args.get("fd")) or _is_end(state, pid, args.get("newfd"))
    if name in _BY_OBJECT:
        return _visible_fd(state, pid, args.get("fd"))
    if name in _BY_PATH:
        return _visible_path(state, pid, str(args.get("path", args.get("new", ""))), args)
    if name in _BY_OBJECTS:
        return _visible_fd(state, pid, args.get("fd_in")) or _visible_fd(
            state, pid, args.get("fd_out")
        )
    test = _CONDITIONAL.get(name)
    return test is not None and test(state, pid, args)


def _visible_fd(state: State, pid: int, fd: int | str | None) -> bool:
    thing = state.object_at(pid, fd) if isinstance(fd, int) else None
    if thing is None or not is_visible_object(thing.info):
        return False
    return thing.info.kind != "file" or not _is_own(state, pid, thing.info.path)


def _is_end(state: State, pid: int, fd: int | str | None) -> bool:
    """Whether somebody can notice that a process has one descriptor of something more, or less.
    Nobody counts the descriptors of a terminal: shells copy and close them at every redirection.
    """
    thing = state.object_at(pid, fd) if isinstance(fd, int) else None
    return thing is not None and thing.info.kind not in TYPED and _visible_fd(state, pid, fd)


def notes_child_end(state: State, pid: int, signo: int) -> bool:
    """Whether a signal tells a shell that a child has ended or stopped: its handler only notes
    that, and nobody can notice when it runs.
    """
    process = state.processes.get(pid)
    return signo == SIGCHLD and process is not None and process.name in SHELLS


def _is_noting_child(state: State, pid: int, tid: int) -> bool:
    """Whether a thread is inside a handler of a shell's that only notes a child's end."""
    thread = state.threads.get(tid)
    return (
        thread is not None
        and bool(thread.handlers)
        and notes_child_end(state, pid, thread.handlers[-1])
    )


def _is_own(state: State, pid: int, path: str) -> bool:
    """Whether a path is that of a process's own script, or of what /proc says of it."""
    return path.startswith(f"/proc/{pid}/") or _is_script(state, pid, path)


def _is_script(state: State, pid: int, path: str) -> bool:
    process = state.processes.get(pid)
    return process is not None and is_own_script(process.argv, path)


def _visible_path(state: State, pid: int, path: str, args: Arguments) -> bool:
    return not (is_noise(path) or flag_in(args, "O_DIRECTORY") or _is_own(state, pid, path))


def _is_fcntl_visible(state: State, pid: int, args: Arguments) -> bool:
    if args.get("cmd") in _DUPLICATES:
        return _is_end(state, pid, args.get("fd"))
    return ("lock" in args or args.get("cmd") not in ("F_SETFD", 2)) and _visible_fd(
        state, pid, args.get("fd")
    )


def _is_seek_visible(state: State, pid: int, args: Arguments) -> bool:
    """Whether it wants to move where there is no place to move to, which fails. A question for
    the position is how programs learn that.
    """
    fd = args.get("fd")
    thing = state.object_at(pid, fd) if isinstance(fd, int) else None
    moves = args.get("whence") != "SEEK_CUR" or bool(number_in(args, "offset"))
    return moves and thing is not None and thing.info.kind in PIPES


def _is_sigaction_visible(state: State, pid: int, args: Arguments) -> bool:
    """Whether a signal is caught, by the program itself: not by libc, nor as Python starts."""
    process, signal = state.processes.get(pid), args.get("signal")
    if not text_in(args, "new").startswith("catch") or signal in _OF_LIBC:
        return False
    if signal != "SIGINT" or process is None or not is_python(process.argv):
        return True
    return SIGINT in process.handling


def _is_sigprocmask_visible(state: State, tid: int, args: Arguments) -> bool:
    """Whether a mask changes by a few signals: libc blocks nearly all of them around fork and the
    like.
    """
    thread, given = state.threads.get(tid), args.get("set")
    if thread is None or not isinstance(given, int):
        return False
    how, now = args.get("how"), thread.blocked
    changed = {"SIG_BLOCK": given & ~now, "SIG_UNBLOCK": given & now}.get(str(how), now ^ given)
    return 0 < (changed & ~_LIBC_BITS).bit_count() <= _MOST_SIGNALS


def _is_mmap_visible(state: State, pid: int, args: Arguments) -> bool:
    """Whether a mapping is one that others can notice, or that hides from its process what they
    write: a private one of a file that may be written to.
    """
    fd = number_in(args, "fd")
    of_nothing = fd is None or fd < 0 or _is_zero_device(state, pid, fd)
    if "MAP_SHARED" in text_in(args, "flags"):
        return of_nothing or _visible_fd(state, pid, fd)
    return not of_nothing and "PROT_WRITE" in text_in(args, "prot") and _visible_fd(state, pid, fd)


def _is_zero_device(state: State, pid: int, fd: int) -> bool:
    """Whether a descriptor is one of /dev/zero: mapped, that is memory of no file (zero(4))."""
    thing = state.object_at(pid, fd)
    return thing is not None and thing.info.path == "/dev/zero"


def _is_range_visible(state: State, pid: int, args: Arguments) -> bool:
    try:
        address, length = (int(str(args.get(name, 0)), 0) for name in ("address", "length"))
    except ValueError:
        return False
    entry = mapping_at(state, pid, address, max(length, 1))
    if entry is None or is_noise(entry.object.path):
        return False
    return entry.shared or ("w" in entry.prot and entry.object.kind == "file")


_CONDITIONAL: Final = {
    "fcntl": _is_fcntl_visible,
    "lseek": _is_seek_visible,
    "rt_sigaction": _is_sigaction_visible,
    "mmap": _is_mmap_visible,
    "munmap": _is_range_visible,
    "mprotect": _is_range_visible,
    "mremap": _is_range_visible,
}
