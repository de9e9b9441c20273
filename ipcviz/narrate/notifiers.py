"""Descriptors that tell of events, in words: eventfd, timerfd, signalfd, pidfd, inotify, epoll."""

from __future__ import annotations

import re
import struct
from typing import Final

from ipcviz.events import Call, Notifier
from ipcviz.events.calls import WRITES
from ipcviz.events.kinds import NOTIFIERS
from ipcviz.events.signals import signal_name
from ipcviz.model.mechanisms.notifiers import (
    describe_due,
    describe_place,
    describe_signals,
    list_found,
)
from ipcviz.model.state import Object, State
from ipcviz.narrate.sentence import DETAIL, STEP, Clause
from ipcviz.narrate.signals import describe_taken
from ipcviz.narrate.words import label_of, name_process

_INOTIFY_HEAD: Final = 16
"""Bytes of struct inotify_event before the name (inotify(7))."""
_LOST: Final = 0x4000
_ALL: Final = (1 << 64) - 1

_MOST_FOUND: Final = 4
"""Ready descriptors that are named in one sentence."""
_CONDITIONS: Final = (
    ("r", "readable"),
    ("w", "writable"),
    ("x", "in an exceptional condition"),
    ("e", "with an error"),
    ("h", "hung up"),
    ("n", "not open"),
)

# linux/inotify.h, as things that happened.
_HAPPENED: Final = (
    (0x80, "{name} was moved into {place}"),
    (0x40, "{name} was moved out of {place}"),
    (0x100, "{name} was made in {place}"),
    (0x200, "{name} was removed from {place}"),
    (0x8, "{name} in {place} was closed after writing"),
    (0x2, "{name} in {place} was written to"),
    (0x4, "the attributes of {name} in {place} changed"),
    (0x20, "{name} in {place} was opened"),
    (0x10, "{name} in {place} was closed"),
    (0x1, "{name} in {place} was read"),
    (0x400, "{place} itself was removed"),
    (0x800, "{place} itself was moved"),
    (0x4000, "events were lost: its queue was full"),
    (0x8000, "the watch of {place} is gone"),
)
_WHERE: Final = re.compile(" (into|out of|in|from) {place}")


def describe_notifier_io(event: Call, before: State, after: State) -> Clause | None:
    """A read or write of such a descriptor; None for other objects, and for what failed."""
    thing = after.objects.get(event.object)
    if thing is None or thing.info.kind not in NOTIFIERS or event.error or event.ret <= 0:
        return None
    words = (
        f"took {found} out of {thing.label}"
        if (found := describe_taken(event, before, after))
        else ""
    )
    words = words or _describe_data(event, thing, after)
    number = event.args.get("fd")
    return Clause(f"{words} (fd {number})", STEP, "data", (event.object,)) if words else None


def describe_found(event: Call, state: State) -> str:
    """Behind `found 2 descriptors ready in poll`: `: P1 (fd 3, readable) and S2 (fd 5, writable)`;
    empty if it is not known which.
    """
    told = [
        f"{thing.label} (fd {fd}, {_join_conditions(letters)})"
        if thing is not None
        else f"fd {fd} ({_join_conditions(letters)})"
        for thing, fd, letters in list_found(state, event)[:_MOST_FOUND]
    ]
    if event.ret > len(told) > 0:
        told.append(f"{event.ret - len(told)} more")
    if not told:
        return ""
    return f": {', '.join(told[:-1])} and {told[-1]}" if told[1:] else f": {told[0]}"


def describe_event(state: State, thing: Object, events: str, now: float) -> str:
    """What who polls such a descriptor waits for: `a timer, 1.5 s left`, `the end of sleep[12]`;
    empty for other objects, and where only the letters of `events` tell.
    """
    describe = _EVENTS.get(thing.info.kind)
    notifier = thing.notifier
    if describe is None or notifier is None:
        return ""
    return describe(state, notifier, events, now)


def _describe_counter(state: State, notifier: Notifier, events: str, now: float) -> str:
    return f"an eventfd at {notifier.count:,}" if "w" not in events else ""


def _describe_timer(state: State, notifier: Notifier, events: str, now: float) -> str:
    return f"a timer, {describe_due(notifier, now)}"


def _describe_mask(state: State, notifier: Notifier, events: str, now: float) -> str:
    return describe_signals(notifier.mask)


def _describe_end(state: State, notifier: Notifier, events: str, now: float) -> str:
    process = state.processes.get(notifier.pid)
    name = process.called if process is not None else ""
    return f"the end of {name or f'process {notifier.pid}'}" if notifier.pid > 0 else ""


def _describe_change(state: State, notifier: Notifier, events: str, now: float) -> str:
    return f"a change in {describe_place(state, notifier)}" if notifier.watches else ""


_EVENTS: Final = {
    "eventfd": _describe_counter,
    "timerfd": _describe_timer,
    "signalfd": _describe_mask,
    "pidfd": _describe_end,
    "inotify": _describe_change,
}


def _join_conditions(letters: str) -> str:
    return " and ".join(word for letter, word in _CONDITIONS if letter in letters) or "ready"


def _describe_data(event: Call, thing: Object, after: State) -> str:
    kind, data = thing.info.kind, event.data
    number = int.from_bytes(data[:8], "little") if len(data) >= 8 else -1
    if kind == "eventfd" and number >= 0:
        if event.name in WRITES:
            return f"added {number:,} to the eventfd {thing.label}"
        semaphore = thing.notifier is not None and thing.notifier.semaphore
        return f"took {number:,} from the eventfd {thing.label}" + (
            "" if semaphore else ": its counter is back at 0"
        )
    if kind == "timerfd" and number >= 0:
        times = "once" if number == 1 else f"{number:,} times"
        return f"read from the timer {thing.label} that it has expired {times}"
    if kind == "signalfd" and len(data) >= 16:
        signo, _, _, pid = struct.unpack_from("<IiiI", data)
        source = f" from {name_process(after, pid)}" if pid else ""
        return f"took {signal_name(signo)}{source} out of {thing.label}"
    if kind == "inotify" and len(data) >= _INOTIFY_HEAD:
        return f"read from {thing.label} that {_describe_inotify_event(event, thing, after)}"
    return ""


def _describe_inotify_event(event: Call, thing: Object, after: State) -> str:
    """The first event of what an inotify descriptor gave."""
    data = event.data
    wd, mask, _, length = struct.unpack_from("<iIII", data)
    name = (
        data[_INOTIFY_HEAD : _INOTIFY_HEAD + length]
        .rstrip(b"\0")
        .decode("utf-8", "surrogateescape")
    )
    watches = thing.notifier.watches if thing.notifier is not None else ()
    watch = next((one for one in watches if one.wd == wd), None)
    found = after.objects.get(watch.object) if watch is not None else None
    place = (
        (watch.path if watch else "")
        or (found.info.path if found else "")
        or f"the place of watch {wd}"
    )
    words = next((text for bit, text in _HAPPENED if mask & bit), "")
    if not words:
        return "something happened"
    if not name and "{name}" in words:
        # It happened to what is watched itself, which is no directory.
        words, name = _WHERE.sub("", words), place
    count = event.get_number("events")
    more = f"{count - 1:,} more" if count is not None and count > 1 else "more"
    text = words.format(name=name, place=place) + (
        f", and {more}" if len(data) > _INOTIFY_HEAD + length else ""
    )
    lost = "lost" in event.args and not mask & _LOST
    return text + ("; and that further events were lost: its queue was full" if lost else "")


def _describe_epoll_ends(event: Call, after: State) -> tuple[str, str, tuple[str, ...]]:
    """(label of the set, what the call puts into it, keys) of epoll_ctl."""
    label = label_of(after, event.object) if event.object else "an epoll set"
    number = event.get_number("target")
    thing = after.object_at(event.pid, number) if number is not None else None
    keys = tuple(key for key in (event.object, thing.info.key if thing else "") if key)
    return label, f"{thing.label if thing else 'a descriptor'} (fd {number})", keys


def describe_epoll_ctl(event: Call, before: State, after: State) -> Clause | None:
    """epoll_ctl(2)."""
    label, what, keys = _describe_epoll_ends(event, after)
    if event.error:
        return Clause(
            f"got {event.error} from epoll_ctl for {what} in {label}", DETAIL, "descriptor", keys
        )
    operation = event.get_text("op")
    events = event.get_text("event").replace("|", ", ")
    if operation == "EPOLL_CTL_DEL":
        return Clause(f"took {what} out of the epoll set {label}", DETAIL, "descriptor", keys)
    verb = "put" if operation == "EPOLL_CTL_ADD" else "changed"
    into = (
        f"into the epoll set {label}"
        if operation == "EPOLL_CTL_ADD"
        else f"in the epoll set {label}"
    )
    return Clause(f"{verb} {what} {into}: {events}", DETAIL, "descriptor", keys)


def describe_timer_set(event: Call, before: State, after: State) -> Clause | None:
    """timerfd_settime(2)."""
    label, keys = label_of(after, event.object), (event.object,) if event.object else ()
    if event.error:
        return Clause(
            f"got {event.error} from timerfd_settime of {label}", DETAIL, "descriptor", keys
        )
    words = event.get_text("new")
    if words.startswith("0 s"):
        return Clause(f"disarmed the timer {label}", STEP, "descriptor", keys)
    if event.has_flag("TIMER_ABSTIME"):
        _, comma, again = words.partition(", ")
        return Clause(
            f"armed the timer {label} for a moment of its clock{comma}{again}",
            STEP,
            "descriptor",
            keys,
        )
    return Clause(f"armed the timer {label}: it expires in {words}", STEP, "descriptor", keys)


def describe_signals_set(event: Call, before: State, after: State) -> Clause | None:
    """signalfd(2)."""
    if event.error:
        return Clause(f"got {event.error} from {event.name}", DETAIL, "descriptor")
    mask = event.get_number("mask")
    thing = after.object_at(event.pid, event.ret)
    label = thing.label if thing else "a signal descriptor"
    keys = (thing.info.key,) if thing else ()
    words = describe_signals(mask & _ALL) if mask is not None else "signals"
    return Clause(
        f"made {words} readable from {label}: descriptor {event.ret}", STEP, "descriptor", keys
    )


def describe_watch_added(event: Call, before: State, after: State) -> Clause | None:
    """inotify_add_watch(2)."""
    label, keys = label_of(after, event.object), (event.object,) if event.object else ()
    path = event.args.get("path", "?")
    if event.error:
        return Clause(f"got {event.error} from inotify_add_watch of {path}", STEP, "name", keys)
    events = event.get_text("mask").split("|")
    words = ", ".join(events[:4]) + (f" and {len(events) - 4} more" if len(events) > 4 else "")
    return Clause(f"watches {path} by {label} from now on: {words}", STEP, "name", keys)


def describe_watch_removed(event: Call, before: State, after: State) -> Clause | None:
    """inotify_rm_watch(2)."""
    if event.error:
        return Clause(f"got {event.error} from inotify_rm_watch", DETAIL, "name")
    thing = before.objects.get(event.object)
    wd = event.args.get("wd")
    watches = thing.notifier.watches if thing is not None and thing.notifier is not None else ()
    path = next((one.path for one in watches if one.wd == wd), "") or f"the place of watch {wd}"
    return Clause(
        f"no longer watches {path}", STEP, "name", (event.object,) if event.object else ()
    )


SPECIAL: Final = {
    "epoll_ctl": describe_epoll_ctl,
    "timerfd_settime": describe_timer_set,
    "signalfd": describe_signals_set,
    "signalfd4": describe_signals_set,
    "inotify_add_watch": describe_watch_added,
    "inotify_rm_watch": describe_watch_removed,
}
"""Calls that are about such descriptors alone."""
