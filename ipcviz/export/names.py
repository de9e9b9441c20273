"""Names that do not differ from run to run: the kernel's numbers, numbered anew by first
appearance. Pure.

In a cast nobody asks what process 41233 was; that it was the second one is what the class
remembers. Processes and threads are numbered from 1 in the order in which they came to be; objects,
devices and System V identifiers in the order in which the stream names them. Whoever was never seen
to be born (the shell that started all, another user's process that sent a signal) gets a number
from `OUTSIDE` on. What a run measured is left as it was: times, addresses, sizes, counts, and all
that the programs wrote.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, TypeVar

import msgspec

from ipcviz.events import Call, Event, Forked, Held, Output, ThreadCreated
from ipcviz.events.arguments import Arguments
from ipcviz.events.calls import where

OUTSIDE: Final = 1_000_001

PROCESSES: Final = frozenset(
    {
        "pid",
        "tid",
        "parent",
        "by",
        "former",
        "sender",
        "owner",
        "copied",
        "holder",
        "notify",
        "last_pid",
        "ppid",
        "tracer",
        "pgrp",
        "session",
    }
    | {"foreground", "reaper"}
)
"""Fields of events that hold the id of a process, a thread, a process group or a session."""
KEYS: Final = frozenset({"object", "key", "peer", "semaphore", "variable", "replaced"})
"""Fields that hold the key of an object, a semaphore or a variable, or the thing itself."""

_RETURN_PROCESS: Final = where(lambda call: call.returns == "process")
"""Calls that return one."""
_IDENTIFIERS: Final = where(lambda call: call.returns == "identifier")
"""Calls that return a System V identifier."""
_IN_TEXT: Final = re.compile(
    r"/proc/(?P<process>[0-9]+)(?=/|$)"
    r"|/dev/pts/(?P<terminal>[0-9]+)"
    r"|(?P<kind>pipe|socket):\[(?P<inode>[0-9]+)\]"
    r"|(?P<place>(?:/|^)(?:sem\.)?ipcviz-)(?P<name>[a-z0-9_]{8})(?=[-./]|$)"
    r"|(?P<build>(?<!\S)/\S*?/ipcviz/build/[^\s/]+-[0-9a-f]{24}/)"
)
_MARKS: Final = ("/", ":[", "ipcviz-")
"""Without one of these there is no such place in a text."""
_PROCESS: Final = re.compile(r"(^pid |\[)([0-9]+)(?=,|\]$)")
"""Where a process's number stands in what a socket tells of the other end."""
_NAMED: Final = re.compile(r"(?<=\S\[)[0-9]+(?=\])")
"""The number of a process behind its name: `cat[12] read`."""
_MOST_REMEMBERED: Final = 50_000

T = TypeVar("T")


class Names:
    """Gives the names; one for each stream, from its first event on."""

    def __init__(self) -> None:
        self._tasks: dict[int, int] = {}
        self._born = 0
        self._outside: dict[int, int] = {}
        self._numbers: dict[str, dict[str, int]] = {}
        self._texts: dict[str, str] = {}

    def rename_event(self, event: Event) -> Event:
        """The same event with the names of this stream."""
        if isinstance(event, Forked):
            self._add_task(event.pid)
        elif isinstance(event, ThreadCreated):
            self._add_task(event.tid)
        elif isinstance(event, Output):
            return event
        elif isinstance(event, Held):
            event = msgspec.structs.replace(event, reason=self._rename_named(event.reason))
        if isinstance(event, Call) and event.ret >= 0 and not event.error:
            event = msgspec.structs.replace(event, ret=self._rename_result(event.name, event.ret))
        return self._rename_struct(event)

    def rename_events(self, events: Iterable[Event]) -> Iterator[Event]:
        """All events of a stream."""
        return map(self.rename_event, events)

    # Processes and threads.

    def _add_task(self, task: int) -> None:
        """A process or thread came to be; the kernel may give it the number of one that is gone."""
        self._born += 1
        self._tasks[task] = self._born

    def rename_task(self, number: int) -> int:
        """The number of a process or thread; 0 and less stand for none, or for many."""
        if number <= 0:
            return number
        found = self._tasks.get(number)
        return (
            self._outside.setdefault(number, OUTSIDE + len(self._outside))
            if found is None
            else found
        )

    def _rename_target(self, number: int) -> int:
        """Whom a signal is for: a process, or, negative, a process group; 0 and -1 are what they
        are.
        """
        return -self.rename_task(-number) if number < -1 else self.rename_task(number)

    # Objects.

    def _number_name(self, kind: str, name: str) -> int:
        known = self._numbers.setdefault(kind, {})
        return known.setdefault(name, len(known) + 1)

    def rename_key(self, key: str) -> str:
        """The key of an object, a semaphore, a futex or a variable."""
        head, _, rest = key.partition(":")
        if head in ("sem", "futex", "var"):
            if rest.startswith("vm:"):
                _, pid, address = rest.split(":", 2)
                return (
                    f"{head}:vm:{self.rename_task(int(pid)) if pid.isdecimal() else pid}:{address}"
                )
            thing, _, offset = rest.rpartition(":")
            return f"{head}:{self.rename_key(thing)}:{offset}"
        if head == "sysv":
            number, _, index = rest.partition(":")
            return f"sysv:{self._rename_identifier('sem', number)}:{index}"
        if head in ("shm", "msg"):
            return f"{head}:{self._rename_identifier(head, rest)}"
        if head in ("pipe", "socket"):
            return f"{head}:[{self._number_name(head, rest.strip('[]'))}]"
        if not rest or not head:
            return key
        if head.isdecimal():
            return f"1:{self._number_name('file', key)}"
        return f"{head}:{self._number_name(head, rest)}"

    def _rename_identifier(self, kind: str, number: str) -> int:
        return self._number_name(kind, number)

    def _rename_device(self, number: int) -> int:
        return self._number_name("device", str(number)) if number else 0

    def _rename_inode(self, number: int) -> int:
        return self._number_name("inode", str(number)) if number else 0

    # Texts.

    def rename_text(self, text: str) -> str:
        """A path, an argument or a sentence in which such numbers stand."""
        if not any(mark in text for mark in _MARKS):
            return text
        found = self._texts.get(text)
        if found is None:
            found = _IN_TEXT.sub(self._rename_in_text, text)
            # A process that is not born yet may be the next time: such a text is not remembered.
            if "/proc/" not in text and len(self._texts) < _MOST_REMEMBERED:
                self._texts[text] = found
        return found

    def _rename_in_text(self, found: re.Match[str]) -> str:
        if found["process"]:
            return f"/proc/{self.rename_task(int(found['process']))}"
        if found["terminal"]:
            return f"/dev/pts/{self._number_name('terminal', found['terminal'])}"
        if found["build"]:
            return ""
        if found["place"]:
            if found.string[found.end() :].startswith("/"):
                return found["place"].removesuffix("-")
            # A scenario knows its semaphores and segments by how they begin: `*ipcviz-*`.
            # The kernel names a message queue without a slash.
            return f"{found['place']}{self._number_name('place', found['name'])}"
        return f"{found['kind']}:[{self._number_name(found['kind'], found['inode'])}]"

    # Calls.

    def _rename_arguments(self, call: str, args: Arguments) -> dict[str, int | str]:
        return {name: self._rename_argument(call, name, value) for name, value in args.items()}

    def _rename_argument(self, call: str, name: str, value: int | str) -> int | str:
        if isinstance(value, str):
            return (
                self._rename_credentials(value)
                if name == "credentials"
                else self.rename_text(value)
            )
        if name in ("pid", "tid", "pgid", "tgid"):
            return self._rename_target(value)
        if name == "id" and value >= 0 and call[:3] in ("sem", "shm", "msg"):
            return self._rename_identifier(call[:3], str(value))
        return value

    def _rename_result(self, call: str, value: int) -> int:
        if call in _RETURN_PROCESS:
            return self.rename_task(value)
        return self._rename_identifier(call[:3], str(value)) if call in _IDENTIFIERS else value

    # Events, whatever they are made of.

    def _rename_struct(self, value: T) -> T:
        """A value with everything in it renamed; the same one if nothing was."""
        changed: dict[str, Any] = {}
        args = getattr(value, "args", None)
        if args:
            changed["args"] = self._rename_arguments(
                getattr(value, "call", "") or getattr(value, "name", ""), args
            )
        for name in value.__struct_fields__:  # type: ignore[attr-defined]
            old = getattr(value, name)
            rename = _FIELDS.get(name, Names._rename_value)
            new = rename(self, old)
            if new is not old:
                changed[name] = new
        return msgspec.structs.replace(value, **changed) if changed else value  # type: ignore[type-var]

    def _rename_value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.rename_text(value)
        if isinstance(value, tuple):
            new = tuple(self._rename_value(one) for one in value)
            return value if all(a is b for a, b in zip(new, value, strict=True)) else new
        return self._rename_struct(value) if isinstance(value, msgspec.Struct) else value

    def _rename_task_field(self, value: Any) -> Any:
        return (
            self.rename_task(value)
            if isinstance(value, int) and not isinstance(value, bool)
            else self._rename_value(value)
        )

    def _rename_credentials(self, value: Any) -> Any:
        """`pid 12, uid 0, gid 0`, or `name[12]`."""
        return _PROCESS.sub(lambda found: found[1] + str(self.rename_task(int(found[2]))), value)

    def _rename_named(self, text: str) -> str:
        """A breakpoint in words, such as `python[12] write`."""
        return _NAMED.sub(lambda found: str(self.rename_task(int(found[0]))), text)

    def _rename_key_field(self, value: Any) -> Any:
        return (
            self.rename_key(value)
            if isinstance(value, str) and value
            else self._rename_value(value)
        )


def _keep_value(_: Names, value: Any) -> Any:
    return value


_FIELDS: Final[dict[str, Callable[[Names, Any], Any]]] = {
    **dict.fromkeys(PROCESSES, Names._rename_task_field),
    **dict.fromkeys(KEYS, Names._rename_key_field),
    "target": lambda names, value: names._rename_target(value) if isinstance(value, int) else value,
    "dev": lambda names, value: names._rename_device(value),
    "ino": lambda names, value: names._rename_inode(value),
    "with_whom": Names._rename_credentials,
    # Done already, or nothing to rename.
    **dict.fromkeys(("args", "data", "head", "t", "n"), _keep_value),
}
