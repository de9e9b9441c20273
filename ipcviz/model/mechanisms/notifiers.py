"""Descriptors that tell of events: what they hold, and whether they are ready. Pure."""

from __future__ import annotations

from typing import Final

import msgspec

from ipcviz.events import Call, Notifier
from ipcviz.events.kinds import having
from ipcviz.events.signals import names_of
from ipcviz.model.draft import Draft
from ipcviz.model.state import CallInProgress, Object, State

replace = msgspec.structs.replace

_TICKS: Final = having("ticks")


def apply_notifier(draft: Draft, seen: Notifier) -> None:
    """A look at fdinfo found this."""
    found = draft.objects.get(seen.object)
    if found is not None:
        draft.store_object(replace(found, notifier=seen))


def _name_process(state: State, pid: int) -> str:
    process = state.processes.get(pid)
    return process.called if process is not None else f"process {pid}"


def format_seconds(seconds: float) -> str:
    """A length of time: `0.25 s`, `1.5 s`, `42 s`, `5 min`, `3 h`, `40 days`."""
    if seconds >= 3 * 86400:
        return f"{seconds / 86400:.0f} days"
    if seconds >= 3 * 3600:
        return f"{seconds / 3600:.0f} h"
    if seconds >= 120:
        return f"{seconds / 60:.0f} min"
    if seconds >= 10:
        return f"{seconds:.0f} s"
    number = f"{seconds:.1f}" if seconds >= 1 else f"{seconds:.2f}"
    return f"{number.removesuffix('.0')} s"


def describe_signals(mask: int) -> str:
    """A set of signals: `SIGINT or SIGTERM`, `SIGHUP or 30 more`."""
    names = names_of(mask)
    if not names:
        return "no signal"
    if len(names) > 3:
        return f"{names[0]} or {len(names) - 1} more"
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def describe_place(state: State, notifier: Notifier) -> str:
    """What an inotify descriptor watches, the first of it by name."""
    names = []
    for watch in notifier.watches:
        thing = state.objects.get(watch.object)
        path = watch.path or (thing.info.path if thing is not None else "")
        names.append(path or f"inode {watch.object.rpartition(':')[2]}")
    more = len(notifier.watches) + notifier.more - 2
    return ", ".join(names[:2]) + (f" and {more} more" if more > 0 else "")


def describe_due(notifier: Notifier, now: float) -> str:
    """When a timer expires: `1.5 s left`, `not armed`, `expired 3 times`."""
    if notifier.count > 0:
        return f"expired {'once' if notifier.count == 1 else f'{notifier.count:,} times'}"
    if notifier.due is None:
        return "not armed"
    left = notifier.due - now
    # Between two looks it can have expired: that it has is for the kernel to say.
    return f"{format_seconds(left)} left" if left > 0 else "due now"


def read_counter(thing: Object) -> int | None:
    """The number in a counter; None if it is not known.

    It is read with each sample of levels, and what is known of it besides less often.
    """
    if thing.level is not None:
        return thing.level.queued
    return thing.notifier.count if thing.notifier is not None else None


def describe_content(state: State, thing: Object, now: float) -> str:
    """What such a descriptor holds: `counter 3`, `a timer, 1.5 s left`, `SIGINT or SIGTERM`; empty
    if not known.
    """
    notifier = thing.notifier
    if notifier is None:
        return ""
    if thing.info.kind == "eventfd":
        return f"counter {notifier.count:,}" + (", a semaphore" if notifier.semaphore else "")
    if thing.info.kind == "timerfd":
        again = f", every {format_seconds(notifier.interval)}" if notifier.interval else ""
        return f"{describe_due(notifier, now)}{again}"
    if thing.info.kind == "signalfd":
        return describe_signals(notifier.mask)
    if thing.info.kind == "pidfd":
        return (
            f"of {_name_process(state, notifier.pid)}"
            if notifier.pid > 0
            else "of a process that is gone"
        )
    if thing.info.kind == "inotify":
        return (
            f"watches {describe_place(state, notifier)}" if notifier.watches else "watches nothing"
        )
    count = len(notifier.listed) + notifier.more
    return f"lists {count} descriptor{'' if count == 1 else 's'}"


def is_ready(state: State, pid: int, thing: Object, events: str) -> bool | None:
    """Whether a descriptor was ready at the last looks, as far as they tell; None if they don't.

    Args:
        state: The moment.
        pid: The process that asks: a signalfd is about its own signals.
        thing: The object behind the descriptor.
        events: `r` for reading, `w` for writing, or both.
    """
    notifier, level = thing.notifier, thing.level
    if "w" in events and level is not None and level.writable:
        return True
    if "r" not in events:
        return level.writable if level is not None and "w" in events else None
    if notifier is not None and thing.info.kind in _TICKS:
        return notifier.count > 0
    if notifier is not None and thing.info.kind == "signalfd":
        process = state.processes.get(pid)
        if process is None:
            return None
        pending = process.sample.pending if process.sample is not None else 0
        for tid in process.threads:
            thread = state.threads.get(tid)
            pending |= thread.pending if thread is not None else 0
        return bool(pending & notifier.mask)
    if notifier is not None and thing.info.kind == "pidfd":
        process = state.processes.get(notifier.pid)
        return process.fate != "alive" if process is not None else notifier.pid <= 0 or None
    if thing.info.kind == "epoll" or level is None:
        return None
    if level.queued > 0:
        return True
    return None if thing.info.kind.endswith("socket") else False


_PRIVATE: Final = {"EPOLLONESHOT", "EPOLLET", "EPOLLWAKEUP", "EPOLLEXCLUSIVE"}
"""What an entry keeps that EPOLLONESHOT has switched off (fs/eventpoll.c)."""
SWITCHED_OFF: Final = "o"
"""The events of an entry that has told once, and tells no more until it is set anew (EPOLLONESHOT).
"""
_LETTERS: Final = (("EPOLLIN", "r"), ("EPOLLOUT", "w"), ("EPOLLPRI", "x"), ("EPOLLET", "e"))


def ready_labels(state: State, pid: int, call: CallInProgress) -> str:
    """What poll, select or epoll waits for, by labels alone: `S2 or T1`; empty if none is known."""
    told = dict.fromkeys(
        thing.label if thing else str(number)
        for thing, number, _ in watched_descriptors(state, pid, call)
    )
    names = list(told) if len(told) <= 4 else [*list(told)[:3], f"{len(told) - 3} more"]
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1]))) if names else ""


def watched_keys(state: State, pid: int, call: CallInProgress) -> frozenset[str]:
    """Keys of the objects that poll, select or epoll waits for, the epoll set itself among them."""
    keys = {
        thing.info.key for thing, _, _ in watched_descriptors(state, pid, call) if thing is not None
    }
    return frozenset(keys | {call.object} if call.object else keys)


def watched_things(state: State, pid: int, call: CallInProgress) -> list[tuple[Object | None, str]]:
    """Each object that poll, select or epoll waits for, None where it is not known, and `r`, `w` or
    both.

    Entries of an epoll set that are switched off (EPOLLONESHOT) end no wait, and are left out.
    """
    return [
        (thing, events)
        for thing, _, events in watched_descriptors(state, pid, call)
        if events != SWITCHED_OFF
    ]


def watched_descriptors(
    state: State, pid: int, call: CallInProgress
) -> list[tuple[Object | None, int, str]]:
    """(object, number, `r`, `w` or both) of each descriptor that a call watches."""
    asked = state.objects.get(call.object)
    if asked is not None and asked.notifier is not None and asked.notifier.listed:
        return [
            (state.objects.get(entry.object), entry.fd, format_events(entry.events))
            for entry in asked.notifier.listed
        ]
    found = []
    for word in call.get_text("watched").split():
        number = int(word.rstrip("rwx"))
        found.append((state.object_at(pid, number), number, word.lstrip("0123456789")))
    return found


def list_found(state: State, event: Call) -> list[tuple[Object | None, int, str]]:
    """(object, number, `r`, `w`, `x`, `e`, `h`, `n` or several of them) of each descriptor that a
    poll, select or epoll_wait has found ready, as far as that was read.
    """
    asked = state.objects.get(event.object)
    listed = asked.notifier.listed if asked is not None and asked.notifier is not None else ()
    found = []
    for word in event.get_text("ready").split():
        number, letters = int(word.rstrip("rwxehn")), word.lstrip("0123456789")
        if asked is None:
            found.append((state.object_at(event.pid, number), number, letters))
            continue
        # What epoll gives back is the program's own number of the entry, and need not be one only.
        entries = [entry for entry in listed if entry.data == number]
        if len(entries) == 1:
            found.append((state.objects.get(entries[0].object), entries[0].fd, letters))
    return found


def format_events(events: tuple[str, ...]) -> str:
    """An epoll entry's events: `r`, `w`, `x` (EPOLLPRI) or several of them; `e` if only news count
    (EPOLLET).

    `o` alone: it has told once, and tells no more until it is set anew (EPOLLONESHOT).
    """
    if "EPOLLONESHOT" in events and not set(events) - _PRIVATE:
        return SWITCHED_OFF
    return "".join(letter for name, letter in _LETTERS if name in events)
