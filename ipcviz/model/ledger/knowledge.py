"""Of which channels it is known whose bytes are in them: since when, and if not, why. Pure."""

from __future__ import annotations

from typing import Final

import msgspec

from ipcviz.events import Call, ObjectInfo, Opened, OpenedOutside
from ipcviz.events.calls import ACCEPTS, where
from ipcviz.events.kinds import PEERED, PIPES, REACHED
from ipcviz.model.channels import Channel
from ipcviz.model.draft import Draft
from ipcviz.model.ends import open_modes
from ipcviz.model.ledger.directions import is_channel
from ipcviz.model.state import Process

replace = msgspec.structs.replace

_PAIRS: Final = where(lambda call: call.descriptors == "pair")


def distrust_channel(draft: Draft, key: str, reason: str, *, outside: bool = False) -> None:
    """From now on it is not known whose bytes are in a channel.

    Args:
        draft: The next state.
        key: The channel; nothing happens if there is none.
        reason: Why, as a clause.
        outside: It can't become known again.
    """
    old = draft.channels.get(key)
    if old is not None and (old.known or (outside and not old.outside)):
        outside = outside or old.outside
        kind = Channel(key=key, named=old.named, packets=old.packets)
        store_channel(
            draft, replace(kind, known=False, since=draft.t, reason=reason, outside=outside)
        )


def distrust_all(draft: Draft, reason: str) -> None:
    """Whose the bytes of any channel are is not known any more."""
    for key in draft.channels:
        distrust_channel(draft, key, reason)


def distrust_held(draft: Draft, pid: int, reason: str, *, outside: bool = False) -> None:
    """Whose the bytes are of channels that a process has an end of is not known any more."""
    process = draft.processes.get(pid)
    if process is None or not draft.channels:
        return
    for row in draft.descriptors_of(pid).values():
        for key in find_channels(draft, row.ofd):
            distrust_channel(draft, key, reason, outside=outside)


def distrust_behind(draft: Draft, ofd: int, reason: str) -> None:
    """Whose the bytes are of the channels of an open file description is not known any more."""
    for key in find_channels(draft, ofd):
        distrust_channel(draft, key, reason)


def _both_ways(draft: Draft, key: str) -> tuple[str, ...]:
    thing = draft.objects.get(key)
    peer = thing.info.peer if thing is not None and thing.info.kind in PEERED else ""
    return (key, peer) if peer else (key,)


def find_channels(draft: Draft, ofd: int) -> tuple[str, ...]:
    """The channels, of those that are kept, that an open file description is an end of."""
    found = draft.open_files.get(ofd)
    return (
        tuple(k for k in _both_ways(draft, found.object) if k in draft.channels)
        if found is not None
        else ()
    )


def apply_opened(draft: Draft, event: Call, effect: Opened) -> None:
    """A descriptor was made: a channel that is made by it is known from its beginning."""
    info = effect.object
    if not draft.keep_ledger or not is_channel(info):
        return
    if info.key not in draft.channels:
        store_channel(draft, _begin_channel(draft, event, info, alone=effect.alone))
    channel = draft.channels[info.key]
    if event.name == "pipe2" and "direct" in effect.flags:
        store_channel(draft, replace(channel, packets=True))
    elif (
        info.kind in PIPES and channel.packets != ("direct" in effect.flags) and effect.mode != "r"
    ):
        distrust_channel(
            draft, info.key, "not all who write to it write packets (O_DIRECT)", outside=True
        )
    keys = _both_ways(draft, info.key)
    for process in draft.processes.values():
        if process.fate == "alive" and (not process.full or process.ring):
            mine = process.table == draft.ensure_process(event.pid).table
            if mine or (len(keys) > 1 and _has_open(draft, process, keys)):
                for key in keys:
                    distrust_channel(draft, key, explain_untraced(process), outside=process.ring)
                    doubt_counts(draft, key)


def _has_open(draft: Draft, process: Process, keys: tuple[str, ...]) -> bool:
    return any(file.object in keys for _, file in draft.descriptions_of(process.pid))


def _begin_channel(draft: Draft, event: Call, info: ObjectInfo, *, alone: bool) -> Channel:
    made = Channel(key=info.key, since=event.t)
    unseen = replace(made, known=False, outside=True, reason="nobody saw it being made")
    if draft.started is not None and draft.started.mode == "attached":
        return replace(unseen, reason="the watch began while its users ran")
    if event.name in _PAIRS:
        return made
    if info.kind in REACHED:
        if alone:
            return made
        # Others may have it open, and bytes in it: the level that is read next tells.
        return replace(made, known=False, named=True, reason="it has just been opened")
    other = draft.objects.get(info.peer)
    if event.name in ACCEPTS and other is not None:
        if not other.info.peer:
            draft.store_object(replace(other, info=replace(other.info, peer=info.key)))
        store_channel(draft, Channel(key=info.peer, since=event.t))
        if other.exact and not other.bytes_in:
            return made
        return replace(made, known=False, reason="it was written to before it was accepted")
    return unseen


def explain_untraced(process: Process) -> str:
    """Why it is not known what a process puts into its channels and takes out of them."""
    name = f"{process.name or 'process'}[{process.pid}]"
    return (
        f"{name} uses io_uring, whose bytes move without a call"
        if process.ring
        else f"{name} is only sampled"
    )


def apply_found(draft: Draft, info: ObjectInfo, reason: str) -> None:
    """A channel was found in a table that was read: who has put what into it, nobody has seen."""
    if draft.keep_ledger and is_channel(info) and info.key not in draft.channels:
        why = (
            "it was there before the watch began"
            if reason in ("launched", "attached")
            else "it came unseen"
        )
        store_channel(
            draft, Channel(key=info.key, known=False, since=draft.t, outside=True, reason=why)
        )


def apply_opened_outside(draft: Draft, event: OpenedOutside) -> None:
    """Somebody that is not watched has opened a FIFO: nothing of it is certain any more."""
    channel = draft.channels.get(event.object)
    if channel is not None:
        store_channel(draft, replace(channel, named=True))


def apply_flags(draft: Draft, key: str, flags: tuple[str, ...]) -> None:
    """Status flags were set: whoever may write puts packets into a pipe from then on, or none any
    more (O_DIRECT).
    """
    thing, channel = draft.objects.get(key), draft.channels.get(key)
    if thing is None or channel is None or thing.info.kind not in PIPES:
        return
    if ("direct" in flags) != channel.packets:
        distrust_channel(
            draft, key, "not all who write to it write packets (O_DIRECT)", outside=True
        )


def apply_ring(draft: Draft, pid: int) -> None:
    """A process made an io_uring: from now on it may move bytes without a call of its own."""
    process = replace(draft.ensure_process(pid), ring=True)
    draft.store_process(process)
    distrust_held(draft, pid, explain_untraced(process), outside=True)
    doubt_held(draft, pid)


def doubt_held(draft: Draft, pid: int) -> None:
    """What a process holds may be read and written unseen from now on: its counts are lower
    bounds.
    """
    for _, file in draft.descriptions_of(pid):
        doubt_counts(draft, file.object)


def doubt_counts(draft: Draft, key: str) -> None:
    """The bytes that went into an object and came out of it are more than were counted, or as
    many.
    """
    thing = draft.objects.get(key)
    if thing is not None and thing.exact:
        draft.store_object(replace(thing, exact=False))


def apply_closed(draft: Draft, pid: int) -> None:
    """Ends were closed by a process: channels that nobody has open any more are gone with their
    bytes.
    """
    freed = [
        file
        for file in draft.freed
        if _is_pipe(draft, file.object) or file.object in draft.channels
    ]
    if not freed or not draft.keep_ledger:
        return
    # By object in one pass: an end can close thousands.
    by_object: dict[str, set[str]] = {}
    for file in freed:
        by_object.setdefault(file.object, set()).add(file.mode)
    for key, had in by_object.items():
        modes = open_modes(draft.ends, key)
        if not modes and key in draft.channels:
            draft.channels = draft.channels.delete(key)
        if _is_pipe(draft, key):
            thing = draft.objects[key]
            writer = pid if had & {"w", "rw"} and not modes & {"w", "rw"} else thing.writer_left
            reader = pid if had & {"r", "rw"} and not modes & {"r", "rw"} else thing.reader_left
            if (writer, reader) != (thing.writer_left, thing.reader_left):
                draft.store_object(replace(thing, writer_left=writer, reader_left=reader))


def _is_pipe(draft: Draft, key: str) -> bool:
    thing = draft.objects.get(key)
    return thing is not None and thing.info.kind in PIPES


def store_channel(draft: Draft, channel: Channel) -> None:
    """Store a channel."""
    draft.channels = draft.channels.set(channel.key, channel)
