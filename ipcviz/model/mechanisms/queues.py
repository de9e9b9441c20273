"""System V message queues in the state: they have no descriptors, so processes are known by their
use of them. Pure.
"""

from __future__ import annotations

from typing import Final

from ipcviz.events import Call, ObjectInfo
from ipcviz.events.calls import where
from ipcviz.events.kinds import MESSAGES
from ipcviz.model.draft import Draft
from ipcviz.model.parts import ObjectPart
from ipcviz.model.state import Posted, State

PREFIX: Final = "msg:"
"""What the key of a System V queue begins with, before its id."""
SENDS: Final = where(lambda call: call.on == "queue" and call.flow == "puts")
RECEIVES: Final = where(lambda call: call.on == "queue" and call.flow == "takes")
POSTED_KEPT: Final = 64
"""Messages remembered of one queue, those that are taken next."""


def reads_about_queue(info: ObjectInfo, call: str) -> bool:
    """Whether a call reads a POSIX queue's file, which tells of the queue in a line and takes no
    message (mq_overview(7)), though its descriptor is the queue's.
    """
    return info.kind in MESSAGES and call not in RECEIVES


def note_use(draft: Draft, pid: int, key: str) -> None:
    """A process uses a System V queue."""
    if not key.startswith(PREFIX) or key in draft.uses.get(pid, ()):
        return
    known = draft.objects.get(key)
    if known is None:
        number = key.removeprefix(PREFIX)
        draft.ensure_object(
            ObjectInfo(
                key=key,
                kind="message queue",
                path=f"msg {number}",
                ino=int(number),
                detail="System V",
            ),
            pid,
        )
    if known is None or not known.unlinked:
        draft.uses = draft.uses.set(pid, (*draft.uses.get(pid, ()), key))
        draft.note_change(ObjectPart(key))


def forget_queue(draft: Draft, key: str) -> None:
    """A queue was removed: nobody uses it any more."""
    for pid, keys in draft.uses.items():
        if key in keys:
            draft.uses = draft.uses.set(pid, tuple(one for one in keys if one != key))


def drop_uses(draft: Draft, pid: int) -> None:
    """A process ended."""
    if pid in draft.uses:
        draft.uses = draft.uses.delete(pid)


def count_message_bytes(event: Call) -> int:
    """The size of the message that a call put into a queue or took out of it; 0 if it did not."""
    if event.error:
        return 0
    if event.name in RECEIVES:
        return max(event.ret, 0)
    count = event.get_number("count")
    return count if event.name in SENDS and count is not None else 0


def apply_message(draft: Draft, event: Call) -> None:
    """A message was put into a POSIX queue, behind those of its priority and higher ones, or the
    first one was taken out (mq_overview(7)).
    """
    if not draft.keep_ledger or event.error or event.object.startswith(PREFIX):
        return
    kept = draft.posted.get(event.object, ())
    if event.name in SENDS:
        priority = event.get_number("priority") or 0
        new = Posted(event.pid, priority, count_message_bytes(event), event.data)
        place = sum(one.priority >= priority for one in kept)
        kept = (*kept[:place], new, *kept[place:])[:POSTED_KEPT]
    elif kept:
        # If another one was taken, others were there of which nothing is known.
        kept = kept[1:] if _is_taken(kept[0], event) else ()
    if kept or event.object in draft.posted:
        draft.posted = draft.posted.set(event.object, kept)
        draft.note_change(ObjectPart(event.object))


def _is_taken(first: Posted, event: Call) -> bool:
    """Whether a message that was received may be the one that is known as the first."""
    priority = event.get_number("taken")
    seen = min(len(first.head), len(event.data))
    return (
        first.length == event.ret
        and priority in (None, first.priority)
        and first.head[:seen] == event.data[:seen]
    )


def list_users(state: State, key: str) -> tuple[int, ...]:
    """The living processes that have used a System V queue."""
    return tuple(sorted(pid for pid, keys in state.uses.items() if key in keys))
