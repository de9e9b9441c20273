"""Looks at descriptors that tell of events: those that threads wait for, the one looked at, the
others in turn.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final

import msgspec

from ipcviz.events import Notifier, ObjectInfo, Sample
from ipcviz.events.calls import where
from ipcviz.events.kinds import NOTIFIERS, having
from ipcviz.kernel import memory
from ipcviz.kernel.notifiers import anonymous_inode, read_notifier
from ipcviz.model.query import Holder
from ipcviz.model.state import CallInProgress, State
from ipcviz.tracer.calls.flags import Word
from ipcviz.tracer.context import Context

IN_TURN: Final = 2
"""Descriptors that nobody waits for and that are read with each sample all the same."""
MOST: Final = 100
"""Descriptors that one sample reads at most."""
JITTER: Final = 0.01
"""A timer's next expiry is worked out from its remaining time: looks that differ by less agree, in
seconds.
"""

AFTER: Final = where(lambda call: call.after in ("notifier", "list"))
"""Calls after whose return the descriptor that they are about is read."""
LATER: Final = where(lambda call: call.after == "list")
"""Those of them that change a list: it is read once for many of them, with the next sample or wait.
"""
LIST_SECONDS: Final = 1.0
LONG_SECONDS: Final = 10.0
"""How often a list is read at most that no call was seen to change, and one of more lines than are
told.
"""

_LISTS: Final = having("list")
_TELLING: Final = having("tells")
_BY_THEMSELVES: Final = having("ticks")


_READ: Final = 1 << 16
"""Bytes of events that are counted at most."""
_HEAD: Final = 16
"""Bytes of struct inotify_event without its name."""
_IN_Q_OVERFLOW: Final = 0x4000
"""linux/inotify.h"""


def tells_more(state: State, key: str) -> bool:
    """Whether reads of a descriptor tell more than bytes: of a signalfd or inotify."""
    return key.startswith("anon:") and _find_kind(state, key) in _TELLING


def count_events(tid: int, address: int, length: int) -> dict[str, Word]:
    """How many events a read of an inotify descriptor gave, as `events`, and whether the queue was
    full: `lost`.

    That is said by an event of its own, the last one in the queue (inotify(7)).
    """
    last = memory.read_bytes(tid, address + length - _HEAD, _HEAD) or b""
    lost: dict[str, Word] = (
        {"lost": 1} if last[:8] == struct.pack("=iI", -1, _IN_Q_OVERFLOW) else {}
    )
    if length > _READ:
        return lost
    block = memory.read_bytes(tid, address, length) or b""
    at = count = 0
    while at + _HEAD <= len(block):
        at, count = at + _HEAD + int.from_bytes(block[at + 12 : at + 16], "little"), count + 1
    return {"events": count, **lost}


class NotifierLooks:
    """Reads fdinfo of descriptors that only tell of events (`events.kinds.NOTIFIERS`).

    Args:
        context: The session's.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._paths: dict[tuple[str, int], str] = {}
        self._turn = 0
        self._stale: set[str] = set()
        self._read_at: dict[str, float] = {}

    def read_changed(
        self, held: dict[str, tuple[Holder, ...]], looked_at: str
    ) -> tuple[Notifier, ...]:
        """What differs from the state's, of those waited for, the one that the viewer looks at, and
        some in turn.

        Of those waited for only what changes without a call about it, counters and timers, is read
        with each sample.
        """
        state = self._context.state
        every = [key for key in held if _find_kind(state, key) in NOTIFIERS]
        if not every:
            return ()
        self._turn += 1
        wanted = dict.fromkeys(
            key
            for key in self._waited_for(state)
            if key in held and _find_kind(state, key) in _BY_THEMSELVES
        )
        stale, self._stale = self._stale, set()
        wanted.update(dict.fromkeys(key for key in stale if key in held))
        if looked_at in held and self._is_due(state, looked_at):
            wanted[looked_at] = None
        for index in range(min(IN_TURN, len(every))):
            key = every[(self._turn * IN_TURN + index) % len(every)]
            if self._is_due(state, key):
                wanted[key] = None
        return self._read_notifiers(state, list(wanted)[:MOST], held)

    def of_wait(self, pid: int, name: str, key: str, watched: str) -> None:
        """Say the same of what a thread begins to wait for, by its call."""
        state = self._context.state
        late = key in self._stale or _has_oneshots(state, key)
        if _find_kind(state, key) in NOTIFIERS and (late or self._is_due(state, key)):
            self._stale.discard(key)
            self._emit_notifiers(self._read_notifiers(state, [key], _list_own(state, pid, {key})))
            state = self._context.state
        keys = _list_awaited(
            state, pid, CallInProgress(name=name, args={"watched": watched}, object=key)
        )
        wanted = {
            one
            for one in keys[:MOST]
            if _find_kind(state, one) in _BY_THEMSELVES
            or (_find_kind(state, one) in NOTIFIERS and self._is_due(state, one))
        }
        wanted.discard(key)
        if wanted:
            self._emit_notifiers(
                self._read_notifiers(state, sorted(wanted), _list_own(state, pid, wanted))
            )

    def emit_after_call(self, pid: int, name: str, fd: int) -> None:
        """Say the same of a process's descriptor, after a call that changed what is behind it."""
        state = self._context.state
        thing = state.object_at(pid, fd)
        if thing is None or thing.info.kind not in NOTIFIERS:
            return
        key = thing.info.key
        if name in LATER:
            self._stale.add(key)
        else:
            self._emit_notifiers(self._read_notifiers(state, [key], _list_own(state, pid, {key})))

    def _is_due(self, state: State, key: str) -> bool:
        """Whether a descriptor's list may be read again: long ones are read rarely."""
        thing = state.objects.get(key)
        if thing is None or thing.notifier is None or thing.info.kind not in _LISTS:
            return True
        every = LONG_SECONDS if thing.notifier.more else LIST_SECONDS
        return self._context.emitter.now() - self._read_at.get(key, 0.0) >= every

    def _emit_notifiers(self, found: tuple[Notifier, ...]) -> None:
        if found:
            self._context.emit(Sample(notifiers=found))

    def know_path(self, pid: int, fd: int, wd: int, path: str) -> None:
        """A call told the path of an inotify watch."""
        thing = self._context.state.object_at(pid, fd)
        if thing is not None:
            self._paths[thing.info.key, wd] = path

    def _read_notifiers(
        self, state: State, keys: list[str], held: dict[str, tuple[Holder, ...]]
    ) -> tuple[Notifier, ...]:
        found = []
        for key in keys:
            thing = state.objects.get(key)
            if thing is None:
                continue
            for row in held.get(key, ()):
                if row.pid not in self._context.processes:
                    continue
                now = read_notifier(
                    row.pid,
                    row.fd,
                    thing.info,
                    self._context.emitter.now(),
                    lambda fd, dev, ino, pid=row.pid: self._find_key(state, pid, fd, dev, ino),  # type: ignore[misc]
                    lambda wd, watched, key=key: self._find_path(state, key, wd, watched),  # type: ignore[misc]
                )
                self._read_at[key] = self._context.emitter.now()
                if now is not None:
                    now = _keep_expiry(now, thing.notifier)
                    if now != thing.notifier:
                        found.append(now)
                    break
        return tuple(found)

    def _waited_for(self, state: State) -> Iterable[str]:
        for thread in state.threads.values():
            if thread.waiting is not None:
                yield from _list_awaited(state, thread.pid, thread.waiting)

    @staticmethod
    def _find_key(state: State, pid: int, fd: int, dev: int, ino: int) -> str:
        """Key of what an epoll set means by a number: it keeps the file, whatever the number refers
        to by now.
        """
        thing = state.object_at(pid, fd)
        if thing is not None and _may_be(thing.info, dev, ino):
            return thing.info.key
        for _, file in state.descriptions_of(pid):
            other = state.object_of(file)
            if other is not None and other.info.ino == ino and other.info.dev == dev:
                return other.info.key
        return ""

    def _find_path(self, state: State, key: str, wd: int, watched: str) -> str:
        thing = state.objects.get(watched)
        return self._paths.get((key, wd)) or (thing.info.path if thing is not None else "")


def _may_be(info: ObjectInfo, dev: int, ino: int) -> bool:
    """Whether that is an object's inode.

    Where one inode serves for all, the descriptor's number has to be believed.
    """
    if info.ino and ino:
        return info.ino == ino
    if not ino:
        return True  # Linux before 4.13 shows no inodes
    return (dev, ino) == anonymous_inode() or info.kind == "pidfd"


def _find_kind(state: State, key: str) -> str:
    thing = state.objects.get(key)
    return thing.info.kind if thing is not None else ""


def _list_own(state: State, pid: int, keys: set[str]) -> dict[str, tuple[Holder, ...]]:
    """A process's own descriptors of these objects."""
    found: dict[str, tuple[Holder, ...]] = {}
    for row, file in state.descriptions_of(pid):
        if file.object in keys:
            found[file.object] = (
                Holder(pid=pid, fd=row.fd, ofd=row.ofd, object=file.object, mode="rw"),
            )
    return found


def _list_awaited(state: State, pid: int, call: CallInProgress) -> list[str]:
    """Keys of all that a call in progress waits on."""
    keys = [call.object] if call.object else []
    thing = state.objects.get(call.object)
    if thing is not None and thing.notifier is not None:
        keys.extend(entry.object for entry in thing.notifier.listed if entry.object)
    for word in call.get_text("watched").split():
        thing = state.object_at(pid, int(word.rstrip("rwx")))
        if thing is not None:
            keys.append(thing.info.key)
    return keys


def _keep_expiry(now: Notifier, known: Notifier | None) -> Notifier:
    """The same, with the expiry that is known if they agree: it was worked out at another
    moment.
    """
    if known is None or now.due is None or known.due is None or abs(now.due - known.due) > JITTER:
        return now
    return msgspec.structs.replace(now, due=known.due)


def _has_oneshots(state: State, key: str) -> bool:
    """Whether an epoll set has entries that each wait switches off (EPOLLONESHOT)."""
    thing = state.objects.get(key)
    listed = thing.notifier.listed if thing is not None and thing.notifier is not None else ()
    return any("EPOLLONESHOT" in entry.events for entry in listed)
