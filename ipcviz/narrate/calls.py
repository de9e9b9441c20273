"""System calls in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from ipcviz.events import (
    Call,
    Capacity,
    Closed,
    CloseOnExec,
    DeathSignal,
    Disposition,
    Duplicated,
    Filed,
    Grouped,
    Mapped,
    Mask,
    NameCreated,
    NameRemoved,
    Opened,
    Protected,
    Sent,
    StatusFlags,
    Subreaper,
    Timer,
    Unmapped,
    WorkingDirectory,
    calls,
)
from ipcviz.events.calls import MOVES, OPENS, READS, WRITES
from ipcviz.events.kinds import NOTIFIERS, PIPES, SEALED, SOCKETS, having
from ipcviz.model.ledger.directions import takes_out
from ipcviz.model.mechanisms.queues import RECEIVES, SENDS, reads_about_queue
from ipcviz.model.noise import is_noise
from ipcviz.model.state import Object, State
from ipcviz.narrate.families import SPECIAL as FAMILY_CALLS
from ipcviz.narrate.families import (
    describe_death_signal,
    describe_grouped,
    describe_subreaper,
    describe_timer,
)
from ipcviz.narrate.folders import SPECIAL as FOLDER_CALLS
from ipcviz.narrate.folders import describe_filed, describe_opening
from ipcviz.narrate.locks import describe_locking, describe_owner_died, lost_by_close, who_has_file
from ipcviz.narrate.memory import (
    describe_failed_mmap,
    describe_fallocate,
    describe_madvise,
    describe_mapped,
    describe_mremap,
    describe_msync,
    describe_protected,
    describe_sealing,
    describe_shmctl,
    describe_shmget,
    describe_truncate,
    describe_unmapped,
)
from ipcviz.narrate.notifiers import SPECIAL, describe_found, describe_notifier_io
from ipcviz.narrate.pipes import (
    describe_failed_resize,
    describe_failed_seek,
    describe_lost_ends,
    describe_no_reader,
    explain_broken_pipe,
    explain_end_of_file,
    explain_pipe_closed,
    is_pipe,
)
from ipcviz.narrate.provenance import (
    describe_bytes_between,
    describe_parted_write,
    describe_sources,
    sources_group,
)
from ipcviz.narrate.queues import (
    describe_message,
    describe_mq_notify,
    describe_msgctl,
    describe_msgget,
)
from ipcviz.narrate.semaphores import (
    describe_semctl,
    describe_semget,
    describe_semop,
    inside_sem_open,
)
from ipcviz.narrate.sentence import DETAIL, NOISE, STEP, TURN, Clause, Sentence
from ipcviz.narrate.signals import SPECIAL as SIGNAL_CALLS
from ipcviz.narrate.signals import describe_disposition, describe_mask, describe_sent
from ipcviz.narrate.sockets import (
    describe_accept,
    describe_connect,
    describe_getsockopt,
    describe_messages,
    describe_received,
    describe_route,
    describe_shutdown,
    explain_closed,
    explain_end,
    explain_error,
)
from ipcviz.narrate.words import count_bytes, end_of, label_of, name_process, name_with_kind

_RECEIVES: Final = calls.where(lambda call: call.descriptors == "received" and call.on == "socket")
replace = msgspec.structs.replace

_SEEN_BY_OTHERS: Final = having("shared")


_TOLD_WHOLE: Final = SENDS | RECEIVES
"""Calls on message queues: their sentences show what the message says."""


def narrate_call(event: Call, before: State, after: State) -> Sentence | None:
    """A returned call as a sentence; None for calls that matter to nobody else and failed or
    changed nothing.
    """
    found = _describe_call(event, before, after)
    if found is None:
        return None
    clause = inside_sem_open(event, after, found)
    group, amount = "", 0
    if clause.subject == "data":
        moved = max(event.ret, 0)
        group = f"{event.tid} {event.name} {event.object} {'' if moved else event.error or 'end'}"
        group += sources_group(event, after) if moved else ""
        group = "" if event.effects or "credentials" in event.args else group
        amount = moved
        if event.name in _TOLD_WHOLE or _is_on_notifier(event, after):
            # What was sent differs from one to the next, and the sentence says it.
            group = f"{event.tid} {clause.words}"
            amount = 0 if _is_on_notifier(event, after) else moved
    return Sentence(
        event.n,
        event.t,
        event.pid,
        f"{name_process(after, event.pid, event.tid)} {clause.words}",
        clause.weight,
        clause.subject,
        clause.objects,
        group,
        amount,
    )


def _is_on_notifier(event: Call, after: State) -> bool:
    thing = after.objects.get(event.object)
    return thing is not None and thing.info.kind in NOTIFIERS


def _describe_call(event: Call, before: State, after: State) -> Clause | None:
    if event.name in SENDS or event.name in RECEIVES:
        return describe_message(event, before, after)
    if event.name in READS or event.name in WRITES:
        return describe_notifier_io(event, before, after) or _describe_data(event, before, after)
    if event.name in MOVES:
        return _describe_transfer(event, before, after)
    if event.error == "ENXIO" and event.object and event.name in OPENS:
        return describe_no_reader(event, after)
    if event.error == "ESPIPE" and event.object and event.name == "lseek":
        return describe_failed_seek(event, after)
    if event.error and event.args.get("cmd") == "F_SETPIPE_SZ":
        return describe_failed_resize(event, after)
    if event.name == "flock" or "lock" in event.args:
        return describe_locking(event, before, after)
    if event.name in _SPECIAL:
        found = _SPECIAL[event.name](event, before, after)
        if found is not None:
            return found
    if event.effects:
        return _describe_effects(event, before, after)
    if event.error and event.name in _FAILING:
        return _describe_failure(event, after)
    return None


def _format_fd(event: Call, name: str = "fd") -> str:
    number = event.get_number(name)
    return f" (fd {number})" if number is not None else ""


def _weigh_object(thing: Object | None) -> int:
    if thing is None or thing.info.kind in _SEEN_BY_OTHERS:
        return STEP
    return NOISE if is_noise(thing.info.path) else DETAIL


_BECAUSE: Final = {
    ("EAGAIN", True): "it is empty, and its open file description does not block",
    ("EAGAIN", False): "it is full, and its open file description does not block",
    ("EPIPE", False): "no reader is left",
    ("EINTR", True): "a signal's handler ran first",
    ("EINTR", False): "a signal's handler ran first",
    ("ECONNRESET", True): "the other end is gone",
    ("EBADF", True): "that descriptor is not open for it",
    ("EBADF", False): "that descriptor is not open for it",
}


def _describe_data(event: Call, before: State, after: State) -> Clause:
    reads = takes_out(before, event.pid, event.name, event.args)
    thing = after.objects.get(event.object)
    label = thing.label if thing else "an object that is not known"
    keys = (event.object,) if event.object else ()
    weight = _weigh_object(thing)
    if event.error:
        why = explain_error(event, thing, after) or _BECAUSE.get((event.error, reads))
        if thing is not None and thing.info.kind in SEALED and event.error == "EPERM":
            why = "its seals forbid it"
        if thing is not None and is_pipe(thing) and event.error == "EPIPE":
            why = explain_broken_pipe(event, thing, after)
        text = f"got {event.error} from {event.name}{_format_fd(event)} on {label}" + (
            f": {why}" if why else ""
        )
        return Clause(text, max(weight, DETAIL), "data", keys)
    if reads and event.asked_for_nothing:
        return Clause(
            f"read 0 bytes from {label}{_format_fd(event)}: it asked for no more",
            DETAIL,
            "data",
            keys,
        )
    if reads and event.ret > 0 and thing is not None and reads_about_queue(thing.info, event.name):
        return Clause(
            f"read about {label}{_format_fd(event)}, and took no message", STEP, "data", keys
        )
    end = (
        explain_end(event, thing, after) if reads and event.ret == 0 and thing is not None else None
    )
    if end is not None:
        words, weight = end
        return Clause(words, weight, "data", keys)
    travels, more = (
        describe_route(event, after)
        if thing is not None and thing.info.kind in SOCKETS
        else ("", 0)
    )
    weight = max(weight, more)
    if reads and event.ret == 0:
        text = f"read end of file from {label}{_format_fd(event)}"
        if thing is not None and is_pipe(thing):
            return Clause(f"{text}: {explain_end_of_file(event, thing, after)}", TURN, "data", keys)
        return Clause(text, weight, "data", keys)
    if reads:
        verb = "peeked at" if event.has_flag("MSG_PEEK") else "read"
        urgent = " out of band" if event.has_flag("MSG_OOB") else ""
        amount, lost = describe_received(event, thing, before)
        text = (
            f"{verb} {amount}{urgent} from"
            f" {label}{_format_fd(event)}{describe_sources(event, after)}"
        )
        weight = TURN if lost and verb == "read" else weight
        parted = describe_parted_write(event, after) + travels + lost
        return Clause(text + parted, TURN if parted else weight, "data", keys)
    urgent = " out of band" if event.has_flag("MSG_OOB") else ""
    text = f"wrote {count_bytes(event.ret)}{urgent} to {label}{_format_fd(event)}"
    asked = event.get_number("count" if "count" in event.args else "len")
    if asked is not None and asked > event.ret:
        text += f", of {asked:,} that it had"
    text += travels
    proved = describe_bytes_between(event, after)
    return Clause(text + proved, TURN if proved else weight, "data", keys)


def _describe_transfer(event: Call, before: State, after: State) -> Clause:
    ends = []
    for name in ("fd_in", "fd_out"):
        number = event.get_number(name)
        ends.append(after.object_at(event.pid, number) if number is not None else None)
    labels = [
        f"{end.label if end else '?'}{_format_fd(event, name)}"
        for end, name in zip(ends, ("fd_in", "fd_out"), strict=True)
    ]
    keys = tuple(end.info.key for end in ends if end)
    weight = max(_weigh_object(end) for end in ends)
    if event.error:
        return Clause(
            f"got {event.error} from {event.name} from {labels[0]} to {labels[1]}",
            weight,
            "data",
            keys,
        )
    if event.ret == 0:
        if event.asked_for_nothing:
            return Clause(
                f"moved 0 bytes from {labels[0]} to {labels[1]} by {event.name}: it asked for"
                " no more",
                DETAIL,
                "data",
                keys,
            )
        return Clause(f"found the end of {labels[0]} in {event.name}", weight, "data", keys)
    if event.name == "tee":
        text = (
            f"copied {count_bytes(event.ret)} from {labels[0]} to {labels[1]} by tee: they still"
            " wait in the former"
        )
        return Clause(text, weight, "data", keys)
    text = f"moved {count_bytes(event.ret)} from {labels[0]} to {labels[1]} by {event.name}"
    return Clause(text + describe_sources(event, after), weight, "data", keys)


def _kind_of_pipe(end: Opened) -> str:
    packets = "; each write is a packet of its own (O_DIRECT)" if "direct" in end.flags else ""
    return packets + ("; its ends do not block" if "nonblock" in end.flags else "")


def _describe_pair(event: Call, before: State, after: State) -> Clause | None:
    ends = [e for e in event.effects if isinstance(e, Opened)]
    if len(ends) != 2:
        return None
    first, second = ends
    if event.name.startswith("pipe"):
        label = label_of(after, first.object.key)
        return Clause(
            f"made the pipe {label}: read end {first.fd}, write end"
            f" {second.fd}{_kind_of_pipe(second)}",
            TURN,
            "descriptor",
            (first.object.key,),
        )
    labels = [label_of(after, e.object.key) for e in ends]
    text = (
        f"made the socket pair {labels[0]} and {labels[1]}: descriptors {first.fd} and {second.fd}"
    )
    return Clause(text, TURN, "descriptor", tuple(e.object.key for e in ends))


def _describe_ready(event: Call, before: State, after: State) -> Clause | None:
    if event.error:
        return None
    if event.ret == 0:
        return Clause(f"found no descriptor ready in {event.name}", NOISE, "wait")
    return Clause(
        f"found {event.ret} descriptor{'s' if event.ret != 1 else ''} ready in {event.name}"
        f"{describe_found(event, after)}",
        DETAIL,
        "wait",
        (),
    )


_SPECIAL: Final[dict[str, Callable[[Call, State, State], Clause | None]]] = {
    "pipe": _describe_pair,
    "pipe2": _describe_pair,
    "socketpair": _describe_pair,
    "connect": describe_connect,
    "bind": describe_connect,
    "listen": describe_connect,
    "accept": describe_accept,
    "accept4": describe_accept,
    "shutdown": describe_shutdown,
    "getsockopt": describe_getsockopt,
    "sendmmsg": describe_messages,
    "recvmmsg": describe_messages,
    "mq_notify": describe_mq_notify,
    "msgget": describe_msgget,
    "msgctl": describe_msgctl,
    "msync": describe_msync,
    "ftruncate": describe_truncate,
    "truncate": describe_truncate,
    "fallocate": describe_fallocate,
    "mmap": describe_failed_mmap,
    "mremap": describe_mremap,
    "madvise": describe_madvise,
    "fcntl": describe_sealing,
    "shmctl": describe_shmctl,
    "shmget": describe_shmget,
    "semget": describe_semget,
    "semop": describe_semop,
    "semtimedop": describe_semop,
    "semctl": describe_semctl,
    "poll": _describe_ready,
    "ppoll": _describe_ready,
    "select": _describe_ready,
    "pselect6": _describe_ready,
    "epoll_wait": _describe_ready,
    "epoll_pwait": _describe_ready,
    "epoll_pwait2": _describe_ready,
    "futex": describe_owner_died,
    **SPECIAL,
    **SIGNAL_CALLS,
    **FOLDER_CALLS,
    **FAMILY_CALLS,
}

_FAILING: Final = calls.having("failing")
_LOOKS_UP: Final = frozenset({"ENOENT", "ENOTDIR", "EACCES"})


def _describe_failure(event: Call, after: State) -> Clause:
    what = event.args.get(
        "path", event.args.get("pathname", event.args.get("filename", event.args.get("fd", "")))
    )
    text = f"got {event.error} from {event.name}" + (f" of {what}" if what != "" else "")
    if event.error == "EEXIST" and event.has_flag("O_EXCL"):
        text = f"could not make the lock file {what}: it exists, and O_EXCL lets only one make it"
        return Clause(f"{text}; {who_has_file(str(what), after)}", STEP, "name")
    plain = event.name.startswith(("open", "execve")) and event.error in _LOOKS_UP
    noise = plain and (event.name.startswith("execve") or is_noise(str(what)))
    return Clause(text, NOISE if noise else DETAIL, "process")


def _describe_effects(event: Call, before: State, after: State) -> Clause | None:
    """The call's first effect that says something; further ones of the same call are its
    details.
    """
    for effect in event.effects:
        report = _EFFECTS.get(type(effect))
        found = report(event, effect, before, after) if report is not None else None
        if found is not None:
            found = _with_ends(event, found, before, after)
            return _with_locks(event, effect, found, before, after)
    return None


def _with_ends(event: Call, found: Clause, before: State, after: State) -> Clause:
    """A clause with the last ends of pipes that a call closed besides: close_range(2) many,
    dup2(2) perhaps one.
    """
    gone = [e.fd for e in event.effects if isinstance(e, Closed | Duplicated)]
    if len(gone) == 1 and isinstance(event.effects[0], Closed):
        return found
    things = [before.object_at(event.pid, fd) for fd in gone]
    words = describe_lost_ends(
        before, after, (thing.info.key for thing in things if thing is not None)
    )
    if not words:
        return found
    return Clause(
        f"{found.words}; {', '.join(words.values())}",
        TURN,
        found.subject,
        (*found.objects, *words),
    )


def _with_locks(event: Call, effect: object, found: Clause, before: State, after: State) -> Clause:
    """A clause with what a close meant for locks on the file."""
    if not isinstance(effect, Closed | Duplicated):
        return found
    words = lost_by_close(event.pid, effect.fd, before, after)
    if not words:
        return found
    return replace(found, words=f"{found.words}: {words}", weight=TURN)


def _duplicated(event: Call, effect: Duplicated, before: State, after: State) -> Clause:
    thing = after.object_at(event.pid, effect.fd)
    text = f"made descriptor {effect.fd} a duplicate of {effect.source}"
    if thing is None:
        return Clause(text, STEP, "descriptor", ())
    text += f" ({_describe_end(after, event.pid, effect.fd)})"
    replaced = before.object_at(event.pid, effect.fd)
    if replaced is not None and replaced is not thing:
        text += f", and no longer {replaced.label}"
    weight = STEP if thing.info.kind in _SEEN_BY_OTHERS else max(_weigh_object(thing), DETAIL)
    return Clause(text, weight, "descriptor", (thing.info.key,))


def _close_on_exec(event: Call, effect: CloseOnExec, before: State, after: State) -> Clause:
    what = "be closed" if effect.cloexec else "stay open"
    return Clause(f"set descriptor {effect.fd} to {what} at exec", DETAIL, "descriptor")


def _status_flags(event: Call, effect: StatusFlags, before: State, after: State) -> Clause:
    label = _describe_end(after, event.pid, effect.fd)
    text = f"set the status flags behind descriptor {effect.fd} ({label})"
    return Clause(f"{text}: {', '.join(effect.flags) or 'none'}", STEP, "descriptor")


def _capacity(event: Call, effect: Capacity, before: State, after: State) -> Clause:
    label = label_of(after, effect.object)
    text = f"set the capacity of {label} to {count_bytes(effect.capacity)}"
    return Clause(text, STEP, "data", (effect.object,))


def _name_removed(event: Call, effect: NameRemoved, before: State, after: State) -> Clause:
    keys = (effect.object,) if effect.object else ()
    return Clause(f"removed the name {effect.path}", STEP, "name", keys)


def _describe_end(state: State, pid: int, fd: int) -> str:
    """What is behind a descriptor, with the end that it is: `P1, write end`."""
    file = state.find_description(pid, fd)
    thing = state.object_of(file)
    if file is None or thing is None:
        return "not known"
    end = end_of(file.mode, thing.info.kind)
    return f"{thing.label}, {end}" if end else thing.label


_FOR: Final = {
    "r": "for reading",
    "w": "for writing",
    "rw": "for reading and writing",
    "path": "as a path only",
}


def _describe_opened(event: Call, effect: Opened, before: State, after: State) -> Clause:
    thing = after.objects.get(effect.object.key)
    what = name_with_kind(thing) if thing else effect.object.path or effect.object.kind
    key = (effect.object.key,)
    if event.name in _RECEIVES:
        return Clause(f"received descriptor {effect.fd}: {what}", TURN, "descriptor", key)
    if event.name == "io_uring_setup":
        words = "what it reads and writes through it makes no system calls, and is not shown"
        return Clause(f"made {what}: descriptor {effect.fd}; {words}", TURN, "descriptor", key)
    if event.name == "socket":
        return Clause(f"made {what}: descriptor {effect.fd}", STEP, "descriptor", key)
    if effect.object.kind == "file" and effect.object.path:
        what = effect.object.path
    if effect.object.kind in _SEEN_BY_OTHERS:
        weight = STEP
    else:
        weight = NOISE if is_noise(effect.object.path) else DETAIL
    if effect.object.kind == "file" and effect.mode != "r" and weight:
        weight = STEP
    verb = "opened" if event.name.startswith(("open", "creat", "mq_open")) else "made"
    if effect.object.kind == "file" and event.has_flag("O_EXCL") and weight:
        where, alive = describe_opening(event, effect, after)
        text = f"made {what}, which did not exist (O_EXCL){where}: descriptor {effect.fd}"
        return Clause(text, TURN if alive else STEP, "descriptor", key)
    flags = f", {', '.join(effect.flags)}" if effect.flags else ""
    source, _ = describe_opening(event, effect, after) if weight else ("", False)
    weight = max(weight, STEP) if source else weight
    return Clause(
        f"{verb} {what} {_FOR[effect.mode]}{flags}{source}: descriptor {effect.fd}",
        weight,
        "descriptor",
        key,
    )


def _describe_closed(event: Call, effect: Closed, before: State, after: State) -> Clause:
    thing = before.object_at(event.pid, effect.fd)
    if thing is None:
        return Clause(f"closed descriptor {effect.fd}", DETAIL, "descriptor")
    text = f"closed descriptor {effect.fd} ({_describe_end(before, event.pid, effect.fd)})"
    key = thing.info.key
    ended = explain_closed(thing, before, after)
    if ended:
        return Clause(f"{text}: {ended}", TURN, "descriptor", (key,))
    if thing.info.kind not in PIPES:
        return Clause(
            text, STEP if thing.info.kind in _SEEN_BY_OTHERS else NOISE, "descriptor", (key,)
        )
    words = explain_pipe_closed(before, after, key)
    return (
        Clause(f"{text}: {words}", TURN, "descriptor", (key,))
        if words
        else Clause(text, STEP, "descriptor", (key,))
    )


def _describe_name_created(event: Call, effect: NameCreated) -> Clause:
    key = (effect.object,) if effect.object else ()
    if event.name.startswith("mk"):
        return Clause(f"made the FIFO {effect.path}", TURN, "name", key)
    if event.name == "bind":
        return Clause(f"bound its socket to the name {effect.path}", STEP, "name", key)
    if event.name.startswith("rename"):
        return Clause(f"renamed it to {effect.path}", STEP, "name", key)
    return Clause(f"made the name {effect.path}", STEP, "name", key)


_EFFECTS: Final[dict[type, Callable[[Call, Any, State, State], Clause | None]]] = {
    Opened: _describe_opened,
    Duplicated: _duplicated,
    Closed: _describe_closed,
    CloseOnExec: _close_on_exec,
    StatusFlags: _status_flags,
    Capacity: _capacity,
    Mapped: lambda event, effect, _, after: describe_mapped(event, effect, after),
    Protected: lambda event, effect, _, after: describe_protected(event, effect, after),
    Unmapped: lambda event, effect, before, _: describe_unmapped(event, effect, before),
    Disposition: lambda event, effect, before, _: describe_disposition(event, effect, before),
    Mask: lambda event, effect, before, _: describe_mask(event, effect, before),
    Sent: lambda event, effect, _, after: describe_sent(event, effect, after),
    NameCreated: lambda event, effect, *_: _describe_name_created(event, effect),
    Filed: lambda event, effect, _, after: describe_filed(event, effect, after),
    NameRemoved: _name_removed,
    Timer: describe_timer,
    Grouped: describe_grouped,
    Subreaper: lambda _, effect, *__: describe_subreaper(effect),
    DeathSignal: lambda _, effect, *__: describe_death_signal(effect),
    WorkingDirectory: lambda _, effect, *__: Clause(
        f"changed its directory to {effect.path}", DETAIL, "process"
    ),
}
"""What an effect is in words; one that is not here has no words of its own."""
