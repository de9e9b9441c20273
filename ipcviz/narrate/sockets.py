"""Calls on sockets in words: who connects to whom, what travels with a message, why one fails or
ends (socket(7)).
"""

from __future__ import annotations

from typing import Final

from ipcviz.events import Call, Opened, Passed
from ipcviz.events.calls import READS
from ipcviz.events.kinds import BY_PATH, CONNECTIONLESS, SOCKETS, WITH_STATES
from ipcviz.model import query
from ipcviz.model.addresses import takes_datagrams
from ipcviz.model.ledger.provenance import waiting_bytes
from ipcviz.model.mechanisms.datagrams import count_taken, find_received, is_lossy
from ipcviz.model.mechanisms.sockets import CLOSED, bound_to
from ipcviz.model.state import Object, State
from ipcviz.model.waits.future import find_newcomers
from ipcviz.narrate.sentence import DETAIL, STEP, TURN, Clause
from ipcviz.narrate.words import count_bytes, label_of, name_process

_PORTS: Final = 1024
_ROWS: Final = 1000
"""Descriptors that are looked through for one sentence."""
_NOT_BLOCKING: Final = "its open file description does not block"

_CONNECT: Final = {
    "EACCES": "writing to that name is not permitted",
    "EPROTOTYPE": "the socket there is of another type",
    "EALREADY": "an earlier attempt is still under way",
    "EISCONN": "it is connected already",
    "ETIMEDOUT": "no answer came",
    "EHOSTUNREACH": "that host can't be reached",
    "ENETUNREACH": "no route leads there",
    "EADDRNOTAVAIL": "no local address or port is free for it",
    "EAFNOSUPPORT": "that address is of another family",
    "ECONNRESET": "the other end is gone",
    "ENOENT": "there is no such name: nobody has bound a socket to it yet, or it was removed",
}
_BIND: Final = {
    "EADDRNOTAVAIL": "this machine has no such address",
    "EINVAL": "it is bound already",
    "ENOENT": "there is no such directory",
    "EAFNOSUPPORT": "that address is of another family",
}
_LISTEN: Final = {
    "EADDRINUSE": "another socket listens there",
    "EOPNOTSUPP": "sockets of its type take no connections",
    "EINVAL": "it is connected already, or not bound",
}
_ACCEPT: Final = {
    "EAGAIN": f"no connection waits, and {_NOT_BLOCKING}",
    "EINVAL": "it does not listen",
    "EMFILE": "its descriptor table is full",
    "ENFILE": "the machine has no open file left",
    "ECONNABORTED": "that connection is gone already",
    "EOPNOTSUPP": "sockets of its type take no connections",
}
_DATA: Final = {
    "ENOTCONN": "it is not connected",
    "EDESTADDRREQ": "it is not connected, and no address was given",
    "EISCONN": "it is connected, and an address was given",
    "EMSGSIZE": "that is too large for one message",
    "ENOBUFS": "the kernel has no room for it",
    "EOPNOTSUPP": "sockets of its type can't",
    "ENOENT": "there is no such name: nobody has bound a socket to it yet, or it was removed",
    "EACCES": "writing to that name is not permitted",
    "ETIMEDOUT": "the other end did not answer any more",
}


def _name_holder(state: State, key: str) -> str:
    """Who has an object open: `a[1] and 2 more`; empty if none that is watched has, or that would
    take long to find.
    """
    pids = []
    rows = 0
    for process in query.list_living(state):
        rows += len(state.descriptors_of(process.pid))
        if rows > _ROWS:
            return ""
        if key in state.object_keys_of(process.pid):
            pids.append(process.pid)
    return (
        name_process(state, pids[0]) + (f" and {len(pids) - 1} more" if len(pids) > 1 else "")
        if pids
        else ""
    )


def _name_with_holder(state: State, thing: Object) -> str:
    """`S4 of server[12]`."""
    holder = _name_holder(state, thing.info.key)
    return f"{thing.label} of {holder}" if holder else thing.label


def _format_fd(event: Call) -> str:
    number = event.fd
    return f" (fd {number})" if number is not None else ""


def _is_path(thing: Object | None, address: str) -> bool:
    return thing is not None and thing.info.kind in BY_PATH and not address.startswith("@")


def _find_address(event: Call) -> str:
    found = event.args.get("address", "")
    return found if isinstance(found, str) and not found.startswith("0x") else ""


def describe_connect(event: Call, before: State, after: State) -> Clause | None:
    """connect, bind and listen."""
    thing = after.objects.get(event.object)
    label = f"{thing.label if thing else 'a socket'}{_format_fd(event)}"
    keys = (event.object,) if event.object else ()
    address = _find_address(event)
    to = f" to {address}" if address else ""
    if event.error == "EINPROGRESS":
        return Clause(
            f"began to connect {label}{to}, and does not wait for the answer", STEP, "name", keys
        )
    if event.error:
        why = _why_not(event, thing, address, after)
        verb = "listen on" if event.name == "listen" else event.name
        return Clause(
            f"could not {verb} {label}{to}: {event.error}{f', {why}' if why else ''}",
            STEP,
            "name",
            keys,
        )
    if event.name == "listen":
        most = event.args.get("backlog")
        at = _name_socket(thing)
        return Clause(
            f"listens on {label}{f' at {at}' if at else ''}, backlog {most}", STEP, "name", keys
        )
    if event.name == "bind":
        at = _name_socket(thing) or address
        chosen = " (chosen by the kernel)" if not address or address.endswith(":0") else ""
        return Clause(f"bound {label} to {at}{chosen}", STEP, "name", keys)
    if address == "nobody":
        return Clause(f"disconnected {label}", STEP, "name", keys)
    target = bound_to(after, thing.info.kind, address) if thing else None
    where = f", {_name_with_holder(after, target)}" if target is not None else ""
    if not where and thing is not None and thing.info.with_whom:
        where = f", where {thing.info.with_whom} listened"
    keys = (*keys, target.info.key) if target is not None else keys
    return Clause(
        f"connected {label}{to}{where}", TURN if target is not None else STEP, "name", keys
    )


def _name_socket(thing: Object | None) -> str:
    return (thing.info.path or thing.info.local) if thing is not None else ""


def _why_not(event: Call, thing: Object | None, address: str, state: State) -> str:
    error = event.error
    known = bound_to(state, thing.info.kind, address) if thing is not None and address else None
    if event.name == "listen":
        return _LISTEN.get(error, "")
    if event.name == "bind":
        return _why_not_bound(error, thing, address, known, state)
    if error == "ECONNREFUSED":
        if known is not None:
            return f"{_name_with_holder(state, known)} is bound there and does not listen"
        if _is_path(thing, address):
            left = next(
                (
                    o.label
                    for o in state.objects.values()
                    if o.info.path == address and o.shut == CLOSED
                ),
                "",
            )
            if left:
                return f"the name is left from {left}, which is closed: a stale one"
            return "no socket is behind that name any more (a stale one), or it does not listen"
        return "nothing listens there"
    if error == "EAGAIN" and thing is not None and thing.info.kind in BY_PATH:
        return f"the backlog there is full, and {_NOT_BLOCKING}"
    return _CONNECT.get(error, "")


def _why_not_bound(
    error: str, thing: Object | None, address: str, known: Object | None, state: State
) -> str:
    if error == "EADDRINUSE":
        here = f"{_name_with_holder(state, known)} is bound there" if known is not None else ""
        if _is_path(thing, address):
            return f"that name exists already: {here or 'it stays until it is unlinked'}"
        if known is None and thing is not None and thing.info.kind in WITH_STATES:
            return (
                "another socket is bound there, or a connection from it is still in time-wait"
                " (SO_REUSEADDR)"
            )
        return here or "another socket is bound there"
    if error == "EACCES":
        port = address.rpartition(":")[2]
        if port.isdigit() and int(port) < _PORTS and not _is_path(thing, address):
            return "ports below 1,024 are for the privileged"
        if not _is_path(thing, address):
            return "that address is not permitted"
        return "making that name is not permitted"
    return _BIND.get(error, "")


def describe_accept(event: Call, before: State, after: State) -> Clause | None:
    """Accept and accept4."""
    listener = f"{label_of(after, event.object)}{_format_fd(event)}"
    if event.error:
        why = _ACCEPT.get(event.error, "")
        text = f"got {event.error} from {event.name} on {listener}{f': {why}' if why else ''}"
        return Clause(text, DETAIL, "descriptor", (event.object,))
    opened = next((e for e in event.effects if isinstance(e, Opened)), None)
    if opened is None:
        return None
    key = opened.object.key
    thing = after.objects.get(key)
    peer = after.objects.get(thing.info.peer) if thing is not None and thing.info.peer else None
    source = f" from {_name_with_holder(after, peer)}" if peer is not None else ""
    if not source and opened.object.remote:
        source = f" from {opened.object.remote}"
    elif not source and opened.object.with_whom:
        source = f" from {opened.object.with_whom}"
    text = (
        f"accepted a connection on {listener}{source}: {label_of(after, key)} is descriptor"
        f" {opened.fd}"
    )
    return Clause(text, TURN, "descriptor", (key, peer.info.key) if peer is not None else (key,))


def describe_getsockopt(event: Call, before: State, after: State) -> Clause | None:
    """Getsockopt, where it tells what became of a connect, or who is at the other end."""
    thing = after.objects.get(event.object)
    label = f"{thing.label if thing else 'a socket'}{_format_fd(event)}"
    keys = (event.object,) if event.object else ()
    if event.args.get("credentials"):
        when = "when it was made or connected"
        return Clause(
            f"asked {label} who had its other end {when}: {event.args['credentials']}",
            STEP,
            "name",
            keys,
        )
    told = event.get_text("told")
    if not told:
        return None
    if told == "none":
        state = (
            " (it is connected)"
            if thing is not None and thing.info.detail.endswith("established")
            else ""
        )
        return Clause(f"asked {label} for an error: none{state}", DETAIL, "name", keys)
    why = _CONNECT.get(told, "nothing listens there" if told == "ECONNREFUSED" else "")
    return Clause(
        f"asked {label} for an error: {told}{f', {why}' if why else ''}", STEP, "name", keys
    )


def describe_shutdown(event: Call, before: State, after: State) -> Clause | None:
    """Shutdown."""
    thing = after.objects.get(event.object)
    label = f"{thing.label if thing else 'a socket'}{_format_fd(event)}"
    keys = (event.object,) if event.object else ()
    if event.error:
        why = ", it is not connected" if event.error == "ENOTCONN" else ""
        return Clause(f"could not shut {label} down: {event.error}{why}", STEP, "name", keys)
    how = {"SHUT_RD": "for reading", "SHUT_WR": "for writing", "SHUT_RDWR": "in both directions"}
    text = f"shut {label} down {how.get(str(event.args.get('how')), '')}".rstrip()
    peer = after.objects.get(thing.info.peer) if thing is not None and thing.info.peer else None
    if peer is not None and not takes_datagrams(peer.info) and event.args.get("how") != "SHUT_RD":
        text += f": {_end_for(after, peer)}"
        keys = (*keys, peer.info.key)
    return Clause(text, TURN, "name", keys)


def explain_error(event: Call, thing: Object | None, after: State) -> str:
    """Why a read from a socket or a write to it failed; empty if that is said elsewhere, or
    nowhere.
    """
    if thing is None or thing.info.kind not in SOCKETS:
        return ""
    error, reads = event.error, event.name in READS or event.name == "recvmmsg"
    datagrams = takes_datagrams(thing.info)
    if error == "EAGAIN":
        how = _NOT_BLOCKING
        if event.has_flag("MSG_DONTWAIT"):
            how = "the call does not wait (MSG_DONTWAIT)"
        return f"{'it is empty' if reads else 'there is no room'}, and {how}"
    if error == "EPIPE":
        if "w" in thing.shut and thing.shut != CLOSED:
            return "it was shut down for writing"
        return (
            "its other end is closed, or reads no more"
            if thing.info.peer or thing.info.remote
            else "it has no other end"
        )
    if error == "ECONNRESET":
        if datagrams:
            return "its receiver is closed"
        return "its other end was closed with bytes unread, or was reset"
    if error == "ECONNREFUSED":
        if thing.info.kind in CONNECTIONLESS:
            return "nothing takes what was sent to that port"
        return "no socket is behind that name any more (a stale one)"
    if error == "EINVAL" and not event.args.get("count", 1):
        return ""
    return _DATA.get(error, "")


def explain_end(event: Call, thing: Object, after: State) -> tuple[str, int] | None:
    """What it means that a read from a socket returned 0, and how much it weighs; None of other
    objects.
    """
    if thing.info.kind not in SOCKETS:
        return None
    where = f"{thing.label}{_format_fd(event)}"
    if event.args.get("count") == 0:
        return f"read nothing from {where}, as it asked", DETAIL
    if takes_datagrams(thing.info):
        return f"read an empty datagram from {where}", STEP
    text = f"read end of file from {where}"
    if thing.info.detail.startswith("seqpacket"):
        text = f"read end of file, or an empty message, from {where}"
    peer = after.objects.get(thing.info.peer) if thing.info.peer else None
    if "r" in thing.shut and thing.shut != CLOSED:
        return f"{text}: it was shut down for reading", TURN
    if peer is not None and peer.shut == CLOSED:
        return f"{text}: its other end, {peer.label}, is closed", TURN
    if peer is not None and "w" in peer.shut:
        return f"{text}: its other end, {peer.label}, was shut down for writing", TURN
    return f"{text}: its other end is closed, or was shut down for writing", TURN


def describe_route(event: Call, after: State) -> tuple[str, int]:
    """Where a message went or came from and what came with it, and how much that weighs."""
    words = ""
    weight = 0
    thing = after.objects.get(event.object)
    address = _find_address(event)
    if address and thing is not None:
        target = bound_to(after, thing.info.kind, address)
        words += f", sent to {address}" + (
            f" ({_name_with_holder(after, target)})" if target is not None else ""
        )
    if event.args.get("source"):
        words += f", sent from {event.args['source']}"
    if event.args.get("credentials"):
        words += f", with credentials: {event.args['credentials']}"
    passed = next((e for e in event.effects if isinstance(e, Passed)), None)
    if passed is not None:
        words += f", with {_describe_descriptors(passed.fds, event.pid, after)}"
        weight = TURN
    got = tuple(e for e in event.effects if isinstance(e, Opened))
    if got:
        rows = after.descriptors_of(event.pid)
        pid = rows[got[0].fd].sender if got[0].fd in rows else 0
        sender = f" from {name_process(after, pid)}" if pid else ""
        words += (
            ", and received"
            f" {_describe_descriptors(tuple(e.fd for e in got), event.pid, after)}{sender}"
        )
        weight = TURN
    if event.args.get("cut") and event.name == "recvmmsg":
        words += "; the rest of a message is lost for want of room (MSG_TRUNC)"
        weight = TURN
    if event.args.get("truncated"):
        words += "; what else came with it is lost for want of room (MSG_CTRUNC)"
        weight = TURN
    return words, weight


def describe_received(event: Call, thing: Object | None, before: State) -> tuple[str, str]:
    """How much a read took, and what became of the rest of a datagram that was longer than the room
    for it.

    Returns:
        `10 of 100 bytes` and `; the rest of the datagram is lost`; the second is empty where
        nothing was cut.
    """
    taken = count_taken(event)
    if thing is None or event.error:
        return count_bytes(taken), ""
    sent = find_received(before, event)
    length = sent.length if sent is not None else event.ret
    cut = length > taken or bool(event.args.get("cut"))
    if not cut:
        return count_bytes(taken), ""
    peeked = event.has_flag("MSG_PEEK")
    lost = "the datagram is longer" if peeked else "the rest of the datagram is lost"
    if length <= taken:
        return count_bytes(taken), f"; {lost}, for want of room (MSG_TRUNC)"
    # A datagram that was dropped can have been another one with the same beginning.
    told = event.ret > taken or bool(event.args.get("cut")) or not is_lossy(thing.info)
    return (
        f"{taken:,} of {count_bytes(length)}",
        f"; {lost if told else lost.replace(' is ', ' is probably ')}",
    )


def _describe_descriptors(fds: tuple[int, ...], pid: int, state: State) -> str:
    shown = []
    for fd in fds[:4]:
        thing = state.object_at(pid, fd)
        shown.append(f"{fd} ({thing.label})" if thing is not None else str(fd))
    more = f" and {len(fds) - 4} more" if len(fds) > 4 else ""
    return f"descriptor{'s' if len(fds) > 1 else ''} {', '.join(shown)}{more}"


def describe_messages(event: Call, before: State, after: State) -> Clause | None:
    """Sendmmsg and recvmmsg, which count messages."""
    label = f"{label_of(after, event.object)}{_format_fd(event)}"
    keys = (event.object,) if event.object else ()
    if event.error:
        why = explain_error(event, after.objects.get(event.object), after)
        return Clause(
            f"got {event.error} from {event.name} on {label}{f': {why}' if why else ''}",
            DETAIL,
            "data",
            keys,
        )
    moved = event.get_number("bytes") or 0
    many = "" if event.ret == 1 else "s"
    amount = f"{event.ret} message{many}, {count_bytes(moved)},"
    verb = f"wrote {amount} to" if event.name == "sendmmsg" else f"read {amount} from"
    words, weight = describe_route(event, after)
    return Clause(f"{verb} {label}{words}", max(weight, STEP), "data", keys)


def explain_closed(thing: Object, before: State, after: State) -> str:
    """What it means that nobody has a socket open any more; empty if somebody has."""
    now = after.objects.get(thing.info.key)
    if thing.info.kind not in SOCKETS or now is None or now.shut != CLOSED:
        return ""
    watched = any(change.by == "outside" for change in find_newcomers(before, thing.info.key))
    if thing.info.detail.endswith("listening"):
        name = "" if now.unlinked else thing.info.path
        stays = f", and the name {name} stays" if name and not name.startswith("@") else ""
        return f"{'nobody who is watched' if watched else 'nobody'} listens on it any more{stays}"
    peer = after.objects.get(thing.info.peer) if thing.info.peer else None
    if peer is None or peer.shut == CLOSED or takes_datagrams(thing.info) or watched:
        return ""
    unread = waiting_bytes(before, thing.info.key)
    if unread:
        # Both families reset a connection that is closed with something unread (af_unix.c, tcp(7)).
        many = "was" if unread == 1 else "were"
        return (
            f"{count_bytes(unread)} in it {many} not read, so {_name_with_holder(after, peer)} gets"
            " ECONNRESET"
        )
    return "" if "w" in thing.shut else _end_for(after, peer)


def _end_for(state: State, peer: Object) -> str:
    """What the other end of a connection is in for to which nothing more can be written."""
    return f"after what waits in {_name_with_holder(state, peer)} comes the end of file"
