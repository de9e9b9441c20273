"""Semaphores in words: POSIX operations, System V sets, and who holds what."""

from __future__ import annotations

from typing import Final

import msgspec

from ipcviz.events import Call, Entered, NameRemoved, SemaphoreOp
from ipcviz.model import query
from ipcviz.model.mechanisms.semaphores import OLDER, WAITS
from ipcviz.model.mechanisms.system_v_keys import describe_key, warning_of
from ipcviz.model.state import Hold, Semaphore, State
from ipcviz.narrate.sentence import DETAIL, NOISE, STEP, TURN, Clause, Sentence
from ipcviz.narrate.words import name_process, with_warning

_FILES: Final = "/dev/shm/sem."
"""Where glibc keeps named semaphores (sem_overview(7))."""
_GAVE_UP: Final = {"ETIMEDOUT": "its time was up", "EINTR": "a signal's handler ran first"}
_FAILED: Final = {
    "EIDRM": "the set was removed",
    "EAGAIN": "it would have had to wait",
    "EINTR": "a signal came first",
    "ERANGE": "its value would become too large",
    "EFBIG": "the set has no such semaphore",
    "EINVAL": "there is no such set",
    "EEXIST": "that key has one already, and IPC_EXCL wants it to be new",
    "ENOENT": "there is none for that key",
    "EACCES": "its permissions forbid it",
}


def describe_hold(state: State, hold: Hold) -> str:
    """A holder: `ps[12]`, `ps[12] (2)`, `ps[12] (2, has ended)`."""
    name = name_process(state, hold.pid, hold.tid or hold.pid)
    facts = [str(hold.count)] if hold.count > 1 else []
    if hold.ended:
        facts.append("has ended")
    return f"{name} ({', '.join(facts)})" if facts else name


def narrate_semaphore_op(event: SemaphoreOp, before: State, after: State) -> Sentence:
    """What a thread does with a POSIX semaphore."""
    key = event.semaphore.key
    # A destroyed one is known before it alone.
    found = after.semaphores.get(key) or before.semaphores.get(key)
    label = found.label if found else event.semaphore.name or key
    if event.op in WAITS:
        words, weight = _wait_words(event, label, before)
    else:
        words, weight = _operation_words(event, label)
    if event.semaphore.private:
        weight = NOISE
    text = f"{name_process(after, event.pid, event.tid)} {words}"
    group = f"sem {event.tid} {event.op} {key}"
    return Sentence(event.n, event.t, event.pid, text, weight, "semaphore", (key,), group)


def _wait_words(event: SemaphoreOp, label: str, before: State) -> tuple[str, int]:
    """An operation that takes one, or finds that there is none: words and weight."""
    if event.value != 0:
        return f"took {label}{_change(event, -1)}", STEP
    if event.op == "trywait":
        return (
            (
                f"finds {label} at 0 and goes on without"
                f" it{_describe_holders(before, event.semaphore.key)}"
            ),
            STEP,
        )
    return f"finds {label} at 0 and must wait{_describe_holders(before, event.semaphore.key)}", TURN


def _operation_words(event: SemaphoreOp, label: str) -> tuple[str, int]:
    """Any other operation: words and weight."""
    value = event.value
    overtaken = f"was overtaken at {label}: another thread took it first, and it"
    match event.op:
        case "init":
            reach = "shared between processes" if event.shared else "for its own threads only"
            return f"initialised the semaphore {label} to {event.initial} ({reach})", STEP
        case "post":
            return f"posted {label}{_change(event, 1)}", STEP
        case "acquired":
            return f"got {label} after its wait", TURN
        case "gave-up":
            why = _GAVE_UP.get(event.error, "")
            return f"did not get {label}: {event.error}" + (f", {why}" if why else ""), TURN
        case "overtaken":
            return f"{overtaken} must wait", TURN
        case "missed":
            return f"{overtaken} did not get it", TURN
        case "gained":
            return f"got {label} after all: another thread gave it in that moment", STEP
        case "getvalue":
            return (
                f"read the value of {label}" + (f": {value}" if value is not None else ""),
                DETAIL,
            )
        case "open":
            verb = "made" if event.initial is not None else "opened"
            shown = f" (value {value})" if value is not None else ""
            return f"{verb} the semaphore {label}{shown}", STEP
        case "close":
            return f"closed the semaphore {label}", DETAIL
        case "destroy":
            return f"destroyed the semaphore {label}", STEP
    return f"called sem_{event.op} on {label}", STEP


def _change(event: SemaphoreOp, by: int) -> str:
    """`: 2 to 1`; empty if its value is not known."""
    return f": {event.value} to {event.value + by}" if event.value is not None else ""


def _describe_holders(state: State, key: str) -> str:
    """`: ps[12] took it`, `: ps[12] took it 2 times`, for one that somebody holds."""
    found = state.semaphores.get(key)
    holds = holders_of(found) if found is not None else ()
    return f": {', '.join(_describe_taking(state, hold) for hold in holds)}" if holds else ""


def _describe_taking(state: State, hold: Hold) -> str:
    """`ps[12] took it`, `ps[12], which has ended, took it 2 times`."""
    name = name_process(state, hold.pid, hold.tid or hold.pid)
    ended = ", which has ended," if hold.ended else ""
    return f"{name}{ended} took it" + (f" {hold.count} times" if hold.count > 1 else "")


def holders_of(semaphore: Semaphore) -> tuple[Hold, ...]:
    """Who holds it, if nobody else can."""
    return semaphore.holds if not semaphore.signals and not semaphore.unsure else ()


def describe_holding(state: State, semaphore: Semaphore) -> str:
    """Who holds a semaphore, for a table: `-` nobody, `?` what is not known, empty where it can't
    be held.
    """
    if semaphore.signals:
        return ""
    names = [describe_hold(state, hold) for hold in semaphore.holds]
    if semaphore.unsure:
        names = [*names, "?"] if semaphore.unsure == OLDER else ["?"]
    return ", ".join(names) or "-"


def inside_sem_open(event: Call, state: State, found: Clause) -> Clause:
    """What is said of a call on a named semaphore's file: only its end matters, since sem_open
    makes all the others.
    """
    keys = found.objects
    thing = state.objects.get(keys[0]) if keys else None
    if thing is None or event.error or not thing.info.path.startswith(_FILES):
        return found
    removed = next((e for e in event.effects if isinstance(e, NameRemoved)), None)
    semaphore = state.semaphores.get(f"sem:{thing.info.key}:0")
    if (
        removed is not None
        and semaphore is not None
        and semaphore.info.name == "/" + removed.path.removeprefix(_FILES)
    ):
        users = [
            name_process(state, row.pid)
            for row in query.list_mappers(state).get(thing.info.key, ())
        ]
        kept = f": {', '.join(dict.fromkeys(users))} can go on using it" if users else ""
        return Clause(
            f"removed the semaphore's name {semaphore.info.name}{kept}",
            STEP,
            "name",
            (*keys, semaphore.info.key),
        )
    return msgspec.structs.replace(found, weight=NOISE)


def describe_semget(event: Call, before: State, after: State) -> Clause | None:
    """semget(2)."""
    key = event.args.get("key", 0)
    name = describe_key(key)
    flags = event.args.get("flags", 0)
    if event.error:
        return Clause(
            f"got {event.error} from semget for {name} ({flags}){_explain_error(event.error)}",
            STEP,
            "semaphore",
            (),
        )
    count = event.args.get("count", 0)
    of = f" of {count} semaphore{'s' if count != 1 else ''}" if count else ""
    text = f"got the System V set {event.ret}{of} for {name} ({flags})"
    return Clause(
        with_warning(text, key),
        TURN if warning_of(key) else STEP,
        "name",
        (f"sysv:{event.ret}:0",),
    )


def _explain_error(error: str) -> str:
    return f": {_FAILED[error]}" if error in _FAILED else ""


def _set_label(event: Call | Entered, *states: State) -> str:
    """`0x5e5e`, or the id of one without a key."""
    number = event.args.get("id", "?")
    for state in states:
        found = state.semaphores.get(f"sysv:{number}:0")
        if found is not None and found.info.name.startswith("0x"):
            return f"{found.info.name.partition('[')[0]} (id {number})"
    return str(number)


def describe_semop(event: Call, before: State, after: State) -> Clause | None:
    """semop(2) and semtimedop(2)."""
    number, label = event.args.get("id", "?"), _set_label(event, after, before)
    operations = event.get_text("ops")
    keys = (f"sysv:{number}:0",)
    if event.error:
        why = _FAILED.get(event.error)
        if event.error == "EAGAIN" and "IPC_NOWAIT" not in operations:
            why = "its time was up"
        text = f"got {event.error} from semop on the set {label}: {operations}" + (
            f" ({why})" if why else ""
        )
        return Clause(text, TURN if event.error == "EIDRM" else STEP, "semaphore", keys)
    undo = ", to be undone when it ends" if "SEM_UNDO" in operations else ""
    slept = before.threads.get(event.tid)
    waited = " after its wait" if slept is not None and slept.waiting is not None else ""
    return Clause(
        f"did {operations} on the set {label}{waited}{undo}",
        TURN if waited else STEP,
        "semaphore",
        keys,
    )


def describe_entered_semop(event: Entered, state: State) -> str:
    """A semop(2) under way of which others have noticed what it does already."""
    label = _set_label(event, state, state)
    return (
        f"is changing the set {label}: {event.args.get('ops', '')}; its semop has not returned yet"
    )


def describe_semctl(event: Call, before: State, after: State) -> Clause | None:
    """semctl(2): what changes values, or removes the set."""
    number, label, command = (
        event.args.get("id", "?"),
        _set_label(event, before, after),
        event.args.get("cmd"),
    )
    keys = (f"sysv:{number}:0",)
    if command not in ("IPC_RMID", "IPC_SET", "SETVAL", "SETALL"):
        return None
    if event.error:
        return Clause(
            f"got {event.error} from semctl of the set {label}"
            f" ({command}){_explain_error(event.error)}",
            STEP,
            "name",
            keys,
        )
    if command == "IPC_RMID":
        waiting = [t for t in before.threads.values() if t.semaphore.startswith(f"sysv:{number}:")]
        names = ", ".join(name_process(after, t.pid, t.tid) for t in waiting)
        ended = f", which ends the wait of {names} (EIDRM)" if names else ""
        text = f"removed the System V set {label} (IPC_RMID){ended}"
        return Clause(text, TURN, "name", keys)
    if command == "SETVAL":
        value = event.args.get("value", "?")
        return Clause(
            f"set [{event.args.get('index')}] of the set {label} to {value} (SETVAL)",
            STEP,
            "semaphore",
            keys,
        )
    if command == "SETALL":
        return Clause(
            f"set the semaphores of the set {label} to {event.args.get('values', '?')} (SETALL)",
            STEP,
            "semaphore",
            keys,
        )
    return Clause(
        f"changed the owner or the permissions of the set {label} (IPC_SET)", STEP, "name", keys
    )
