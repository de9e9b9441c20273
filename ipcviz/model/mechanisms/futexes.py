"""Futexes in the state: those that threads sleep on. Pure."""

from __future__ import annotations

import msgspec

from ipcviz.events import Futex
from ipcviz.model.draft import Draft
from ipcviz.model.state import State, Thread

replace = msgspec.structs.replace


def apply_futex(draft: Draft, seen: Futex) -> None:
    """A futex that threads sleep on is held by another thread, or by others too."""
    for thread in draft.threads.values():
        call = thread.waiting
        if call is not None and call.futex is not None and call.futex.key == seen.key:
            now = replace(
                call.futex,
                owner=seen.owner,
                former=seen.former,
                readers=seen.readers,
                arrived=seen.arrived,
            )
            draft.store_thread(replace(thread, waiting=replace(call, futex=now)))


def asleep_on(state: State) -> dict[str, tuple[Thread, ...]]:
    """The threads that sleep on each futex, by its key, of all processes: those that one wake could
    reach.
    """
    found: dict[str, list[Thread]] = {}
    for thread in state.threads.values():
        if thread.waiting is not None and thread.waiting.futex is not None and not thread.semaphore:
            found.setdefault(thread.waiting.futex.key, []).append(thread)
    return {
        key: tuple(sorted(threads, key=lambda t: t.tid)) for key, threads in sorted(found.items())
    }


KIND_WORDS = {
    "mutex": "mutex",
    "semaphore": "semaphore",
    "condition": "condition variable",
    "rwlock": "read-write lock",
    "barrier": "barrier",
    "thread": "end of a thread",
    "go": "Go's runtime",
    "": "",
}
"""What a futex seems to be, in words."""
