"""Circles and chains of waits in words: who waits for whom, why that is not certain, who is
stuck.
"""

from __future__ import annotations

from typing import Final

from ipcviz.model.query import list_holders
from ipcviz.model.state import State
from ipcviz.model.waits.chains import Chain, running_threads
from ipcviz.model.waits.circles import Circle, list_circles
from ipcviz.model.waits.values import (
    Asleep,
    ConflictingLocks,
    Doubt,
    Doubted,
    SemaphoreTaken,
    Wait,
    Why,
)
from ipcviz.narrate.outsiders import name_outsiders
from ipcviz.narrate.waits import describe_first_end, describe_wait
from ipcviz.narrate.words import name_process

_NAMED: Final = 3
"""How many of several are named."""
_LONGEST: Final = 6
"""How many of a chain are."""
_DOUBTS_TOLD: Final = 2
_STUCK: Final = 6
"""How many of those that are stuck are named."""

_DOUBTS: Final = {
    Doubt.SAMPLED: "only sampled",
    Doubt.TIMEOUT: "one has a timeout",
    Doubt.RING: "one has an io_uring",
    Doubt.MEMORY: "a lock known by its memory alone",
    Doubt.ADOPTED: "others may be its children",
    Doubt.POSTER: "who is to post is not known",
    Doubt.OTHER_OWNERS: "others may hold {}",
    Doubt.HANDLER: "a handler of its own may end it",
    Doubt.SEEN: "as far as is seen",
    Doubt.OTHERS_HAVE: "others may have {}",
    Doubt.OTHERS_OPEN: "others could open {}",
    Doubt.OTHERS_USE: "others may use {}",
    Doubt.TIMER: "a timer is armed",
    Doubt.CHILD: "a child may end and send SIGCHLD",
    Doubt.POSTERS: "others could post {}",
    Doubt.SHARED: "others may have its memory",
    Doubt.STRANGERS: "others may have had {}",
    Doubt.NOBODY_KNOWN: "who could end it is not known",
    Doubt.UNSEEN: "who has it is not known",
    Doubt.ANY_OF_SEVERAL: "one of several things would do",
    Doubt.TIME: "time alone ends it",
    Doubt.OUTSIDER: "somebody who is not watched has {}",
    Doubt.FLIGHT: "a descriptor of {} is under way",
    Doubt.STARTER: "who started the command may have {}",
    Doubt.LEVEL: "it is about to wake",
    Doubt.OWNER_ENDED: "who has it has ended",
    Doubt.OWN: "it has it itself",
    Doubt.UNACCEPTED: "the connection is not accepted yet",
}
"""Each doubt in words, with a place for what it is about."""


def describe_doubt(state: State, doubted: Doubted) -> str:
    """A doubt in words: `only sampled`, `others may have P1`."""
    thing, semaphore = state.objects.get(doubted.about), state.semaphores.get(doubted.about)
    label = thing.label if thing is not None else ""
    if semaphore is not None:
        label = semaphore.label
    return _DOUBTS[doubted.doubt].format(label or "it")


def describe_circle(state: State, found: Circle, now: float | None = None) -> str:
    """`a[1] and b[2] wait for each other`; `a[1] probably waits for what it has itself (only
    sampled)`.

    `now` is for what is left of limits, in session seconds; that of the last event if it is not
    given.
    """
    names = [
        name_process(state, state.threads[tid].pid, tid)
        for tid in found.tids
        if tid in state.threads
    ]
    probably = "probably " if found.doubts else ""
    why = why_doubtful(state, found) + _limit_of(state, found, now)
    if len(names) == 1:
        return f"{names[0]} {probably}waits for what it has itself{why}"
    return f"{', '.join(names[:-1])} and {names[-1]} {probably}wait for each other{why}"


def _limit_of(state: State, found: Circle, now: float | None) -> str:
    """`, but a[1] waits at most 1.5 s more`, if a wait in it ends by itself, and that is known;
    empty if not.
    """
    words = describe_first_end(state, found.tids, now)
    return f", but {words}" if words else ""


def why_doubtful(state: State, found: Circle) -> str:
    """Why it is not certain, in brackets after a blank; empty if it is."""
    doubts = list(dict.fromkeys(describe_doubt(state, doubted) for doubted in found.doubts))
    more = ", ..." if len(doubts) > _DOUBTS_TOLD else ""
    return f" ({', '.join(doubts[:_DOUBTS_TOLD])}{more})" if doubts else ""


def describe_chain(state: State, wait: Wait, chain: Chain, now: float | None = None) -> str:
    """Because of whom somebody waits: `for b[2], that for c[3], which goes on`; empty if the wait
    says it all.

    Args:
        state: The moment.
        wait: What somebody waits for.
        chain: What that leads to.
        now: The moment in session seconds, for what is left of limits; that of the last event if it
            is not given.
    """
    if chain.end not in ("circle", "outside") and (
        wait.why is Why.CHILD or (wait.idle and not chain.pids)
    ):
        return ""
    names = [_name_process(state, pid) for pid in chain.pids]
    if len(names) > _LONGEST:
        names[_LONGEST - 1 : -1] = [f"{len(names) - _LONGEST} others one after the other"]
    words = ", that ".join(f"for {name}" for name in names)
    if chain.end in ("circle", "again"):
        return _describe_closed_chain(state, chain, names, now)
    if chain.end == "several" and chain.last is not None:
        some = _describe_several(state, chain.last)
        return f"{words}, that for {some}" if words else f"for {some}"
    if chain.end == "outside" and chain.last is not None:
        whom = f"for {name_outsiders(chain.last.outsiders)}, not watched"
        return f"{words}, that {whom}" if words else whom
    if not words or (len(names) == 1 and chain.end == "unknown" and _names_owner(wait)):
        return ""
    return words + _describe_chain_end(state, chain, now)


def _names_owner(wait: Wait) -> bool:
    """Whether the words of a wait name who has what is waited for."""
    match wait.facts:
        case ConflictingLocks():
            return bool(wait.facts.owners)
        case SemaphoreTaken():
            return bool(wait.facts.owners)
        case Asleep():
            return wait.why in (Why.MUTEX, Why.RWLOCK) and bool(wait.facts.futex.owner)
    return False


def _describe_closed_chain(state: State, chain: Chain, names: list[str], now: float | None) -> str:
    again = "itself" if len(names) == 1 else f"{names[-1]} again"
    head = ", that ".join(f"for {name}" for name in names[:-1])
    words = f"{head}, that for {again}" if head else "for itself"
    if chain.circle is None:
        return words
    probably = "probably " if chain.circle.doubts else ""
    what = "a circle" if head else "nobody else of those watched could end it"
    why = why_doubtful(state, chain.circle) + _limit_of(state, chain.circle, now)
    return f"{words}: {probably}{what}{why}"


def _describe_several(state: State, last: Wait) -> str:
    pids = last.waker_pids
    some = " or ".join(_name_process(state, pid) for pid in pids[:_NAMED])
    if last.outsiders:
        some += f" or {name_outsiders(last.outsiders)}, not watched"
    more = f" or {len(pids) - _NAMED} more" if len(pids) > _NAMED else ""
    return f"{some}{more}"


def _describe_chain_end(state: State, chain: Chain, now: float | None) -> str:
    if chain.end == "idle" and chain.last is not None:
        return f", which is in {describe_wait(state, chain.last, now)}"
    if chain.end in ("busy", "asleep"):
        pid = chain.pids[-1]
        count, running = len(state.processes[pid].threads), running_threads(state, pid)
        if chain.end == "asleep":
            return f", all of whose {count} threads wait"
        return f", {running} of whose {count} threads run{'s' if running == 1 else ''}"
    return {"runs": ", which goes on", "stopped": ", which is stopped"}.get(chain.end, "")


def _name_process(state: State, pid: int) -> str:
    return name_process(state, pid) if pid in state.processes else f"process {pid}"


def describe_stuck(state: State, waits: tuple[Wait, ...]) -> str:
    """`cat[12] in read(0) on P1, empty`, and so on; before that, which of them wait for each
    other.
    """
    around = [describe_circle(state, one) for one in list_circles(state, list_holders(state))]
    named = []
    for wait in waits[:_STUCK]:
        thread = "" if wait.tid == wait.pid else f" (thread {wait.tid})"
        named.append(f"{name_process(state, wait.pid)}{thread} in {describe_wait(state, wait)}")
    more = f"; and {len(waits) - _STUCK} more" if len(waits) > _STUCK else ""
    return "; ".join([*around, *named]) + more
