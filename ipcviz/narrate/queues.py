"""Message queues in words."""

from __future__ import annotations

from typing import Final

from ipcviz.events import Call
from ipcviz.model.mechanisms.queues import RECEIVES, count_message_bytes
from ipcviz.model.mechanisms.system_v_keys import describe_key, warning_of
from ipcviz.model.state import State
from ipcviz.narrate.sentence import STEP, TURN, Clause
from ipcviz.narrate.words import count_bytes, label_of, quote_bytes, with_warning

_SHOWN: Final = 24
"""Bytes that are quoted of a message."""

_FAILED: Final = {
    "ENOMSG": "no such message is in it, and the call does not wait",
    "EIDRM": "the queue was removed",
    "E2BIG": "the message is larger than the buffer for it",
    "ETIMEDOUT": "its time was up",
    "EINTR": "a signal's handler ran first",
}


def describe_message(event: Call, before: State, after: State) -> Clause | None:
    """A message put into a queue or taken out of it."""
    label = label_of(after, event.object) or f"System V queue {event.args.get('id', '?')}"
    keys = (event.object,) if event.object else ()
    if event.error:
        why = _FAILED.get(event.error)
        if event.error == "EAGAIN":
            why = f"{_why_at_once(event)}, and the call does not wait"
        elif event.error == "EMSGSIZE":
            why = _why_too_long(event)
        text = f"got {event.error} from {event.name} on {label}" + (f": {why}" if why else "")
        return Clause(text, TURN if event.error == "EIDRM" else STEP, "data", keys)
    size = count_message_bytes(event)
    takes = event.name in RECEIVES
    rank = ""
    if event.name.startswith("mq_"):
        priority = event.args.get("taken" if takes else "priority")
        rank = f", priority {priority}" if isinstance(priority, int) else ""
    else:
        kind = event.args.get("taken") if takes else event.get_text("msg").removeprefix("type ")
        rank = f", type {kind}" if kind is not None and kind != "" else ""
    content = f": {quote_bytes(event.data, size, _SHOWN)}" if event.data else ""
    if takes and event.has_flag("MSG_NOERROR") and size == event.args.get("count"):
        content += "; it fills the buffer, and what did not fit, if anything, is lost (MSG_NOERROR)"
    verb = "took" if takes else "put"
    where = "from" if takes else "into"
    return Clause(
        f"{verb} a message of {count_bytes(size)}{rank} {where} {label}{content}",
        STEP,
        "data",
        keys,
    )


def _why_at_once(event: Call) -> str:
    """Why a call on a queue could not be done without a wait."""
    if event.name in RECEIVES:
        return "the queue is empty"
    return "the queue is full" if event.name.startswith("mq_") else "the queue has no room"


def _why_too_long(event: Call) -> str:
    """What EMSGSIZE means (mq_send(3), mq_receive(3))."""
    if event.name in RECEIVES:
        return "the buffer is smaller than the largest message that the queue takes (mq_msgsize)"
    return "the message is larger than the queue takes (mq_msgsize)"


def describe_mq_notify(event: Call, before: State, after: State) -> Clause | None:
    """mq_notify(3): asked for, or no longer."""
    label, keys = label_of(after, event.object), (event.object,) if event.object else ()
    if event.error == "EBUSY":
        return Clause(
            f"can't be notified of messages in {label}: another process has asked for that",
            STEP,
            "data",
            keys,
        )
    if event.error:
        return Clause(f"got {event.error} from mq_notify on {label}", STEP, "data", keys)
    if event.args.get("event") in (0, "0"):
        return Clause(f"no longer wants to be notified of messages in {label}", STEP, "data", keys)
    how = event.get_text("how")
    if how == "nothing":
        text = f"registers for messages in {label} without a notification (SIGEV_NONE)"
        return Clause(text, STEP, "data", keys)
    by = {"": "", "thread": " by a thread of its own"}.get(how, f" by {how}")
    return Clause(
        f"asks to be notified{by} when a message comes into {label} while it is empty",
        STEP,
        "data",
        keys,
    )


def describe_msgget(event: Call, before: State, after: State) -> Clause | None:
    """msgget(2)."""
    if event.error:
        return None
    key = f"msg:{event.ret}"
    again, asked = " again" if key in before.objects else "", event.args.get("key", 0)
    label = label_of(after, key)
    text = f"got the System V queue {label} (id {event.ret}){again} for {describe_key(asked)}"
    return Clause(
        with_warning(text, asked), STEP if not warning_of(asked) else TURN, "name", (key,)
    )


def describe_msgctl(event: Call, before: State, after: State) -> Clause | None:
    """msgctl(2): the removal, and what IPC_SET changes."""
    command = event.args.get("cmd")
    if command not in ("IPC_RMID", "IPC_SET"):
        return None
    label = label_of(after, event.object) or f"System V queue {event.args.get('id', '?')}"
    if event.error:
        return Clause(
            f"got {event.error} from msgctl of {label} ({command})",
            STEP,
            "name",
            (event.object,),
        )
    if command == "IPC_SET":
        limit = event.get_number("limit")
        to = f": it takes {limit:,} bytes now" if limit is not None else ""
        return Clause(
            f"changed the owner, the permissions or the limit of {label} (IPC_SET){to}",
            STEP,
            "data",
            (event.object,),
        )
    return Clause(
        f"removed the System V queue {label_of(after, event.object)}",
        TURN,
        "name",
        (event.object,),
    )
