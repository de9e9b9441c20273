"""Sockets in the state: who is bound to an address, where what is written arrives, descriptors
under way. Pure.

Bytes written to a socket wait in its peer until they are read there; of a TCP socket some wait in
itself until then.
"""

from __future__ import annotations

import posixpath
from itertools import islice
from typing import Final

import msgspec

from ipcviz.events import Call, Level, ObjectInfo, Opened, Passed
from ipcviz.events.arguments import Arguments, text_in
from ipcviz.events.calls import COUNTS_MESSAGES, where
from ipcviz.events.kinds import BY_PATH, SOCKETS, WITH_STATES
from ipcviz.model.addresses import (
    ANYWHERE,
    PREFIX,
    is_listening,
    name_of,
    takes_datagrams,
    unmap_address,
)
from ipcviz.model.draft import Draft
from ipcviz.model.ledger.directions import CHANNEL_WRITES
from ipcviz.model.mechanisms import datagrams
from ipcviz.model.parts import ObjectPart
from ipcviz.model.state import (
    CallInProgress,
    Flight,
    Object,
    State,
    StateFields,
    Thread,
)

replace = msgspec.structs.replace

MOST_LISTENERS: Final = 16
"""So many listening sockets are looked at for one connection that may wait in the backlog of one of
them.
"""
CLOSED: Final = "closed"
"""`Object.shut` of a socket that nobody has open any more, as far as it was watched."""
_SHUT: Final = {"SHUT_RD": "r", "SHUT_WR": "w", "SHUT_RDWR": "rw"}
_SOL_SOCKET: Final = 1
_TIMEOUTS: Final = (20, 21, 66, 67)
"""SO_RCVTIMEO and SO_SNDTIMEO, old and new (asm-generic/socket.h)."""
_RECEIVES: Final = where(lambda call: call.descriptors == "received" and call.on == "socket")


def forget_closed(draft: Draft) -> None:
    """Sockets that nobody has open any more: their names are free, and what was under way to them
    is gone.
    """
    # Without kcmp(2) each descriptor that was found counts as a description of its own: others may
    # have it still.
    unsure = draft.started is not None and draft.started.missing
    for key in dict.fromkeys(file.object for file in draft.freed):
        thing = draft.objects.get(key)
        if thing is None or thing.info.kind not in SOCKETS:
            continue
        if unsure and any(file.object == key for file in draft.open_files.values()):
            continue
        name = name_of(thing.info)
        if name and draft.bound.get(name) == key:
            draft.bound = draft.bound.delete(name)
        if key in draft.flights:
            _land_flight(draft, key, draft.flights[key])
        draft.store_object(replace(thing, shut=CLOSED))
        if key in draft.datagrams:
            draft.datagrams = draft.datagrams.delete(key)


def apply_name_removed(draft: Draft, path: str) -> None:
    """A name of a file was removed: the socket that was bound to it is not reached by it any more.

    The kernel keys the file and the socket differently: they are the same by their names. One of
    two names may be relative; then the last parts decide.
    """
    protocols = {PREFIX[kind] for kind in BY_PATH}
    for name, key in draft.bound.items():
        thing = draft.objects.get(key)
        protocol, _, address = name.partition(" ")
        if thing is None or protocol not in protocols or address.startswith("@"):
            continue
        if path == address or (
            path.startswith("/") != address.startswith("/")
            and posixpath.basename(path) == posixpath.basename(address)
        ):
            draft.store_object(replace(thing, unlinked=True))


def bound_to(state: StateFields, kind: str, address: str) -> Object | None:
    """The watched socket that an address leads to; None if there is none.

    Args:
        state: The moment.
        kind: The kind of the socket that is connected, or sends.
        address: As `connect` was given it.
    """
    prefix = PREFIX.get(kind, "")
    if not prefix or not address:
        return None
    names = [address]
    if prefix != "unix":
        names = [
            unmap_address(address),
            *(f"{any_}:{address.rpartition(':')[2]}" for any_ in ANYWHERE),
        ]
    keys = (state.bound.get(f"{prefix} {name}", "") for name in names)
    return next((state.objects[key] for key in keys if key in state.objects), None)


def target_of(state: StateFields, thing: Object, args: Arguments) -> Object | None:
    """Where what a call writes to a socket arrives; None if that is not watched, or not known."""
    address = args.get("address")
    if isinstance(address, str) and address and takes_datagrams(thing.info):
        return bound_to(state, thing.info.kind, address)
    return state.objects.get(thing.info.peer) if thing.info.peer else None


def find_awaited_socket(state: State, call: CallInProgress, *, writes: bool) -> Object | None:
    """The socket whose holders could end a wait in a call on another one; None if that is not
    known.
    """
    thing = state.objects.get(call.object)
    if thing is None or thing.info.kind not in SOCKETS:
        return None
    if call.name == "connect":
        return bound_to(state, thing.info.kind, call.get_text("address"))
    if writes:
        return target_of(state, thing, call.args)
    peer = state.objects.get(thing.info.peer) if thing.info.peer else None
    return (
        peer
        if peer is not None and (peer.info.peer == call.object or not takes_datagrams(thing.info))
        else None
    )


def apply_sent(draft: Draft, event: Call, count: int) -> None:
    """Bytes were written to a socket for datagrams: what arrives where is remembered there."""
    thing = draft.objects.get(event.object)
    if thing is None or not datagrams.keeps_bounds(thing.info):
        return
    target = target_of(draft, thing, event.args)
    if target is None:
        return
    if event.name not in COUNTS_MESSAGES:
        datagrams.apply_sent(draft, event, target.info.key)
    if not takes_datagrams(thing.info):
        return
    draft.store_object(replace(target, written=target.written + count))
    if (
        target.info.key != thing.info.peer
        and thing.sent_to != target.info.key
        and target is not thing
    ):
        draft.store_object(replace(draft.objects[event.object], sent_to=target.info.key))


def list_backlogs(state: State) -> dict[str, str]:
    """Key of the listening UNIX socket that each waits to be accepted by which is connected and was
    not yet.
    """
    found = {}
    for name, key in state.bound.items():
        thing = state.objects.get(key) if name.startswith("unix ") else None
        for waiting in (
            thing.level.connecting if thing is not None and thing.level is not None else ()
        ):
            found[waiting] = key
    return found


def leads_to(state: State, thing: Object, waiting: dict[str, str]) -> Object | None:
    """The watched socket that one leads to which is no end of a connection to it.

    Args:
        state: The moment.
        thing: A socket.
        waiting: `list_backlogs(state)`.
    """
    info = thing.info
    if takes_datagrams(info):
        return state.objects.get(info.peer or thing.sent_to)
    if info.key in waiting:
        return state.objects.get(waiting[info.key])
    if info.kind in WITH_STATES and info.remote and not info.peer:
        found = bound_to(state, info.kind, info.remote)
        return found if found is not None and is_listening(found.info) else None
    return None


def describe_closing(thing: Object) -> str:
    """How far a TCP connection is closed at one end: `fin-wait-2`, `close-wait`, ...; empty for one
    that is whole or gone, and for other sockets.
    """
    state = thing.level.state if thing.level is not None else ""
    whole = thing.info.kind not in WITH_STATES or state in ("established", "closed", "listening")
    return "" if whole else state


def describe_under_way(state: State, thing: Object) -> str:
    """The descriptors that wait in a socket: `3 descriptors on their way: P1, passwd, P2`; empty if
    none do.
    """
    flights = state.flights.get(thing.info.key, ())
    count = sum(len(flight.fds) for flight in flights)
    if thing.level is not None and thing.level.passed > count:
        count = thing.level.passed
    if not count:
        return ""
    files = (state.open_files.get(ofd) for flight in flights for ofd in flight.ofds)
    labels = [sent.label for sent in map(state.object_of, files) if sent is not None]
    shown = f": {', '.join(labels[:4])}{', ...' if len(labels) > 4 else ''}" if labels else ""
    return (
        f"{count} descriptor{'s' if count > 1 else ''} on {'their' if count > 1 else 'its'}"
        f" way{shown}"
    )


def others_of(state: State, name: str, args: Arguments, key: str) -> tuple[str, ...]:
    """Keys of further objects whose level says why a call on a socket sleeps."""
    thing = state.objects.get(key)
    if thing is None or thing.info.kind not in SOCKETS:
        return ()
    if name == "connect":
        other = bound_to(state, thing.info.kind, text_in(args, "address"))
    else:
        other = target_of(state, thing, args)
    if other is None and thing.info.kind in BY_PATH and not takes_datagrams(thing.info):
        # It may wait to be accepted: of those who listen only a look at their queues tells, and the
        # last one is older.
        if thing.info.peer or key in list_backlogs(state):
            return ()
        found = (
            state.objects[k]
            for n, k in state.bound.items()
            if n.startswith("unix ") and k in state.objects
        )
        return tuple(
            islice((one.info.key for one in found if is_listening(one.info)), MOST_LISTENERS)
        )
    return (other.info.key,) if other is not None else ()


def awaited_by(state: State, thread: Thread) -> Object | None:
    """The socket that a thread waits for: the other end, or who listens there; None if it is none,
    or not known.
    """
    call = thread.waiting
    return (
        find_awaited_socket(state, call, writes=call.name in CHANNEL_WRITES)
        if call is not None
        else None
    )


def listener_at(state: State, info: ObjectInfo) -> Object | None:
    """The watched socket that listens where a connection's own end is: the accepting one has its
    address.
    """
    found = bound_to(state, info.kind, info.local)
    return found if found is not None and is_listening(found.info) else None


# Descriptors under way (SCM_RIGHTS).


def apply_passed(draft: Draft, event: Call, effect: Passed) -> None:
    """Descriptors were sent: their descriptions stay open until they are received, or nobody can
    receive them.
    """
    thing = draft.objects.get(event.object)
    target = target_of(draft, thing, {"address": effect.to}) if thing is not None else None
    rows = draft.descriptors_of(event.pid)
    ofds = tuple(rows[fd].ofd for fd in effect.fds if fd in rows)
    if target is None or target.shut == CLOSED:
        # It goes to somebody who is not watched, as far as is known.
        for ofd in ofds:
            if ofd in draft.open_files:
                draft.store_description(replace(draft.open_files[ofd], outside=True))
    if target is None:
        return
    for ofd in ofds:
        draft.count_reference(ofd, +1)
    key = target.info.key
    flight = Flight(n=event.n, t=event.t, pid=event.pid, fds=effect.fds, ofds=ofds)
    draft.flights = draft.flights.set(key, (*draft.flights.get(key, ()), flight))
    draft.note_change(ObjectPart(key))


def find_sender(draft: Draft, event: Call, ofd: int) -> Flight | None:
    """The message that a descriptor came with which a call has just received; None if nobody saw it
    being sent.
    """
    return next((f for f in draft.flights.get(event.object, ()) if ofd in f.ofds), None)


def apply_received(draft: Draft, event: Call) -> None:
    """A call received: the message whose descriptors it got is under way no more, nor is any that
    came before it.
    """
    flights = draft.flights.get(event.object)
    got = {effect.ofd for effect in event.effects if isinstance(effect, Opened)}
    if event.name not in _RECEIVES or not flights or not got or event.has_flag("MSG_PEEK"):
        return
    last = max((i for i, flight in enumerate(flights) if got & set(flight.ofds)), default=-1)
    if event.name == "recvmsg":
        # It takes the descriptors of one message at most, and one description can be in several.
        last = next((i for i, flight in enumerate(flights) if got & set(flight.ofds)), -1)
    _land_flight(draft, event.object, flights[: last + 1])


def apply_level(draft: Draft, level: Level) -> None:
    """What the kernel counts as under way in a socket: what is more has been dropped, the oldest
    first.

    A TCP socket's state is told with its level, too.
    """
    flights = draft.flights.get(level.object, ())
    if level.passed >= 0 and flights:
        more = sum(len(flight.fds) for flight in flights) - level.passed
        gone: list[Flight] = []
        while more > 0 and len(gone) < len(flights):
            gone.append(flights[len(gone)])
            more -= len(gone[-1].fds)
        _land_flight(draft, level.object, tuple(gone))
    thing = draft.objects.get(level.object)
    if level.state and thing is not None and thing.info.kind in WITH_STATES:
        ends = (
            f"{thing.info.local} → {thing.info.remote}" if thing.info.remote else thing.info.local
        )
        detail = f"{ends} {level.state}".strip()
        if detail != thing.info.detail:
            draft.store_object(replace(thing, info=replace(thing.info, detail=detail)))


def apply_shutdown(draft: Draft, event: Call) -> None:
    """A socket was shut down, in one direction or both."""
    thing = draft.objects.get(event.object)
    how = _SHUT.get(str(event.args.get("how")), "")
    if thing is not None and not event.error:
        shut = "".join(letter for letter in "rw" if letter in thing.shut + how)
        draft.store_object(replace(thing, shut=shut))


def apply_option(draft: Draft, event: Call) -> None:
    """An option of a socket was set. Which time it is does not matter, and 0 for none is rare."""
    thing = draft.objects.get(event.object)
    timeout = event.args.get("level") == _SOL_SOCKET and event.args.get("option") in _TIMEOUTS
    if thing is not None and timeout and not event.error and not thing.limited:
        draft.store_object(replace(thing, limited=True))


def _land_flight(draft: Draft, key: str, flights: tuple[Flight, ...]) -> None:
    """Messages are under way no more."""
    if not flights:
        return
    left = draft.flights.get(key, ())[len(flights) :]
    draft.flights = draft.flights.set(key, left) if left else draft.flights.delete(key)
    for flight in flights:
        for ofd in flight.ofds:
            draft.count_reference(ofd, -1)
    draft.note_change(ObjectPart(key))


def under_way(state: State, key: str) -> tuple[tuple[str, Flight], ...]:
    """The messages that have an object's description open: the socket that they wait in, and the
    message.
    """
    files = state.open_files
    return tuple(
        (socket, flight)
        for socket, flights in state.flights.items()
        for flight in flights
        if any(ofd in files and files[ofd].object == key for ofd in flight.ofds)
    )
