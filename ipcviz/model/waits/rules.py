"""Why a thread waits, and who could end that: the one registry of rules, by mechanism. Pure.

Whoever asks about a wait asks here: the picture, the panels, chains, circles, stories. A rule is
two functions. `explain_waiting` says why, from the thread, its call and the object that it is on.
`find_wakers` says who could end it, and each doubt that those are all; it is asked only where
somebody wants to know, since it can take a look at all descriptors.

    any waker           `Wait.waker_pids`        the picture, the panels, chains
    all, if known       `Wakers.complete`        circles, which tell the doubts
    nobody unwatched    `Wakers.only_watched`    whether a run can go on at all
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum, auto
from typing import TYPE_CHECKING, Final, NamedTuple

from ipcviz.events.calls import CALLS, READS, WRITES, SystemCall, Waits
from ipcviz.events.kinds import COUNTERS, MET, PIPES, REACHED, SOCKETS, TYPED, UNNAMED_PIPES, having
from ipcviz.events.signals import bit_of
from ipcviz.model.addresses import is_listening, takes_datagrams
from ipcviz.model.mechanisms import locks, notifiers, queues, sockets, system_v
from ipcviz.model.mechanisms.semaphores import OLDER, PRIVATE, waited_on
from ipcviz.model.state import CallInProgress, Fate, Hold, Object, Process, State, Thread
from ipcviz.model.waits.limits import has_limit
from ipcviz.model.waits.lookup import Lookup, wakers_of
from ipcviz.model.waits.outsiders import is_watched, outsiders_of, outsiders_waited_for
from ipcviz.model.waits.values import (
    Asleep,
    Buffer,
    Children,
    ConflictingLocks,
    Connecting,
    Doubt,
    Doubted,
    Facts,
    Ready,
    SemaphoreTaken,
    Wait,
    Waker,
    Wakers,
    WantedMessage,
    WantedSignals,
    WatchedDescriptor,
    Why,
)

if TYPE_CHECKING:
    from ipcviz.model.query import Holder


class Reason(NamedTuple):
    """Why a thread waits, as a rule's `explain_waiting` tells it.

    Attributes:
        why: Why.
        facts: What else tells why.
        call: The name of the C library's function that it is in; empty if that is not known.
        semaphore: Key of the semaphore that it waits on.
    """

    why: Why
    facts: Facts = None
    call: str = ""
    semaphore: str = ""


class Rule(NamedTuple):
    """How a mechanism's waits are told.

    Attributes:
        explain: Why a thread waits in a call on an object, which is None if there is none.
        find_wakers: Who could end that.
        is_open: Anybody could, so its wakers are never `complete`: circles need not ask.
    """

    explain: Callable[[State, Thread, CallInProgress, Object | None], Reason]
    find_wakers: Callable[[Lookup, Thread, CallInProgress, Reason], Wakers]
    is_open: bool = False


class Mechanism(Enum):
    """What threads wait by. Each has one rule, in `RULES`."""

    PIPE = auto()
    SOCKET = auto()
    QUEUE = auto()
    EVENTFD = auto()
    TIMERFD = auto()
    SIGNALFD = auto()
    INOTIFY = auto()
    TERMINAL = auto()
    DISK = auto()
    OPEN = auto()
    ACCEPT = auto()
    CONNECT = auto()
    SEMAPHORE = auto()
    SEMAPHORE_SET = auto()
    FUTEX = auto()
    LOCK = auto()
    CHILD = auto()
    VFORK = auto()
    SIGNAL = auto()
    TIME = auto()
    READY = auto()
    OTHER = auto()


def wait_of(
    state: State, tid: int, held: Mapping[str, tuple[Holder, ...]] | None = None
) -> Wait | None:
    """What a thread waits for, or None if it runs.

    Args:
        state: The moment.
        tid: The thread.
        held: The result of `query.list_holders(state)`; without it the wait is told without its
            wakers.
    """
    thread = state.threads.get(tid)
    if thread is None or thread.waiting is None:
        return None
    if held is None:
        return explain_waiting(state, thread, thread.waiting)
    return find_wait(Lookup(state, held), tid)


def find_wait(lookup: Lookup, tid: int) -> Wait | None:
    """What a thread waits for, with who could end that; None if it runs."""
    thread = lookup.state.threads.get(tid)
    if thread is None or thread.waiting is None:
        return None
    call = thread.waiting
    rule = _rule_of(lookup.state, thread, call)
    reason = rule.explain(lookup.state, thread, call, lookup.state.objects.get(call.object))
    return _make_wait(
        lookup.state, thread, call, reason, rule.find_wakers(lookup, thread, call, reason)
    )


def explain_waiting(state: State, thread: Thread, call: CallInProgress) -> Wait:
    """Why a thread waits in a call, without who could end that."""
    rule = _rule_of(state, thread, call)
    return _make_wait(
        state, thread, call, rule.explain(state, thread, call, state.objects.get(call.object))
    )


def find_wakers(lookup: Lookup, thread: Thread) -> Wakers | None:
    """Who could end a thread's wait, and all that makes it doubtful; None if it runs.

    To a mechanism's doubts those come that any wait may have: that the call has a time limit, and
    that its process is not traced in full.
    """
    call = thread.waiting
    if call is None:
        return None
    return _find_with_doubts(lookup, thread, call, _rule_of(lookup.state, thread, call))


def find_all_wakers(lookup: Lookup, thread: Thread) -> Wakers | None:
    """The same where it is known that only these could end the wait; None where others could, too.

    So circles ask: most waits are for what anybody could do, and cost nothing here.
    """
    call = thread.waiting
    if call is None:
        return None
    rule = _rule_of(lookup.state, thread, call)
    if rule.is_open:
        return None
    found = _find_with_doubts(lookup, thread, call, rule)
    return found if found is not None and found.complete else None


def _rule_of(state: State, thread: Thread, call: CallInProgress) -> Rule:
    return RULES[_mechanism_of(state, thread, call)]


def _find_with_doubts(
    lookup: Lookup, thread: Thread, call: CallInProgress, rule: Rule
) -> Wakers | None:
    process = lookup.state.processes.get(thread.pid)
    if process is None or process.fate != "alive":
        return None
    thing = lookup.state.objects.get(call.object)
    found = rule.find_wakers(lookup, thread, call, rule.explain(lookup.state, thread, call, thing))
    doubts = []
    if has_limit(call) or (thing is not None and thing.limited):
        # Of many that wait for any of themselves, whoever wakes by itself may end all of these
        # waits. Else who gives up after milliseconds, and tries again, is no news.
        doubts.append(Doubted(Doubt.TIME if found.any_of and has_limit(call) else Doubt.TIMEOUT))
    if not process.full:
        doubts.append(Doubted(Doubt.SAMPLED))
    if process.ring:
        doubts.append(Doubted(Doubt.RING))
    if found.at_once and not doubts:
        return found
    return Wakers(
        known=found.known,
        doubts=(*doubts, *found.doubts),
        since=max(found.since, call.began),
        any_of=found.any_of,
    )


def _make_wait(
    state: State,
    thread: Thread,
    call: CallInProgress,
    reason: Reason,
    wakers: Wakers | None = None,
) -> Wait:
    return Wait(
        tid=thread.tid,
        pid=thread.pid,
        why=reason.why,
        call=reason.call or call.name,
        fd=call.fd if call.fd is not None else -1,
        object=call.object,
        semaphore=reason.semaphore,
        facts=reason.facts,
        since=call.began,
        deadline=call.deadline,
        length=call.args.get("limit"),
        limited=has_limit(call),
        wakers=wakers,
        outsiders=outsiders_waited_for(state, thread, call),
    )


def _mechanism_of(state: State, thread: Thread, call: CallInProgress) -> Mechanism:
    """By what a thread waits: its call tells, and of one on a descriptor the kind of the object."""
    if call.name == "futex":
        return Mechanism.SEMAPHORE if thread.semaphore else Mechanism.FUTEX
    found = _BY_CALL.get(call.name)
    if found is not None:
        return found
    if call.name not in READS and call.name not in WRITES and call.name not in queues.SENDS:
        return Mechanism.OTHER
    thing = state.objects.get(call.object)
    found = _BY_KIND.get(thing.info.kind, Mechanism.PIPE) if thing is not None else Mechanism.PIPE
    if found is Mechanism.TERMINAL and call.name not in READS:
        return Mechanism.PIPE
    return found


def _find_nobody(lookup: Lookup, thread: Thread, call: CallInProgress, reason: Reason) -> Wakers:
    """Nobody is known: anybody could, or nobody at all."""
    return _UNKNOWN


_UNKNOWN: Final = Wakers(doubts=(Doubted(Doubt.NOBODY_KNOWN),))


# Bytes and room: pipes, FIFOs, sockets, queues, eventfds.


def _is_writing(call: CallInProgress) -> bool:
    return call.name in WRITES or call.name in queues.SENDS


def _explain_pipe(
    state: State, thread: Thread, call: CallInProgress, thing: Object | None
) -> Reason:
    key = call.object if thing is not None else ""
    if _is_writing(call):
        return Reason(Why.FULL, Buffer("r", key))
    return Reason(Why.EMPTY, Buffer("w", key))


def _explain_socket(
    state: State, thread: Thread, call: CallInProgress, thing: Object | None
) -> Reason:
    writes = _is_writing(call)
    other = sockets.find_awaited_socket(state, call, writes=writes)
    key = other.info.key if other is not None else ""
    return Reason(Why.FULL if writes else Why.EMPTY, Buffer("r" if writes else "w", key))


def _find_other_end(lookup: Lookup, thread: Thread, call: CallInProgress, reason: Reason) -> Wakers:
    """Of bytes or room: all who have the other end."""
    state = lookup.state
    thing, facts = state.objects.get(call.object), reason.facts
    if thing is None or not isinstance(facts, Buffer):
        return _UNKNOWN
    source = state.objects.get(facts.source)
    if source is None:
        listener = None if facts.needs == "r" else _not_accepted(state, thing)
        if listener is None:
            return _UNKNOWN
        # Who could answer has to accept first.
        rows = lookup.find_ends(listener.info.key)
        return Wakers(wakers_of(row.pid for row in rows), (Doubted(Doubt.UNACCEPTED),))
    known, made = lookup.find_sharers(facts.source, facts.needs)
    if thing.info.kind not in _ENDED or (not known and thing.info.kind not in UNNAMED_PIPES):
        return Wakers(known, (Doubted(Doubt.NOBODY_KNOWN, facts.source),))
    if call.name in queues.SENDS:
        # Who sends to a queue mostly has it open for both: that it would receive is not meant.
        own = Waker(thread.pid, doubt=Doubt.OTHERS_USE)
        known = tuple(own if one.pid == thread.pid else one for one in known)
    key, doubts = facts.source, []
    if state.flights and sockets.under_way(state, key):
        doubts.append(Doubted(Doubt.FLIGHT, key))
    if outsiders_waited_for(state, thread, call):
        doubts.append(Doubted(Doubt.OUTSIDER, key))
    if not made and not lookup.attached:
        doubts.append(Doubted(Doubt.STARTER, key))
    named = thing.info.kind in REACHED
    if made and not named and not doubts and _is_proved(lookup, thread, call, thing, source):
        return Wakers(known, at_once=True)
    if _is_about_to_wake(thing, call):
        doubts.append(Doubted(Doubt.LEVEL, key))
    doubts.append(Doubted(_doubt_of(named=named, made=made), thing.info.key))
    if thing.info.kind in UNNAMED_PIPES:
        channel = state.channels.get(thing.info.key)
        if channel is None or channel.outside:
            doubts.append(Doubted(Doubt.STRANGERS, key))
    return Wakers(known, tuple(doubts), since=max(thing.level_at, source.level_at))


def _doubt_of(*, named: bool, made: bool) -> Doubt:
    """What is doubtful about the ends of an object that calls alone do not prove."""
    if named:
        return Doubt.OTHERS_OPEN
    return Doubt.SEEN if made else Doubt.OTHERS_HAVE


def _is_proved(
    lookup: Lookup, thread: Thread, call: CallInProgress, thing: Object, source: Object
) -> bool:
    """Whether calls prove that nothing has come meanwhile that would wake it.

    What is told of another's call can be older than what it did.
    """
    state, writes = lookup.state, _is_writing(call)
    if not state.processes[thread.pid].full or thing.info.kind in COUNTERS:
        return False
    if takes_datagrams(source.info) or (not writes and call.name not in READS):
        return False
    if writes:
        channel = state.channels.get(source.info.key)
        return channel is not None and channel.known and channel.read_until <= call.began
    if source.info.key in lookup.written:
        # A writer is never asleep while a reader of the same sleeps for good: one of them was
        # woken, and has not come to run yet.
        return False
    return not source.shut and source.exact and thing.exact and source.bytes_in == thing.bytes_out


def _is_about_to_wake(thing: Object, call: CallInProgress) -> bool:
    """Whether the last sample of an object found what a call on it waits for, so that it is about
    to be woken.
    """
    level = thing.level
    if level is None:
        return False
    if _is_writing(call):
        return level.writable is True and thing.info.kind not in SOCKETS
    return level.queued > 0 and level.unit != "connections" and thing.info.kind not in COUNTERS


def _not_accepted(state: State, thing: Object) -> Object | None:
    """The listener that has not accepted a connection yet: who could answer has to do that
    first.
    """
    if thing.info.kind not in SOCKETS or takes_datagrams(thing.info):
        return None
    if thing.info.peer in state.objects:
        return None
    return sockets.leads_to(state, thing, sockets.list_backlogs(state))


def _explain_queue(
    state: State, thread: Thread, call: CallInProgress, thing: Object | None
) -> Reason:
    """System V (msgop(2)): a message of a type is wanted, or room for one."""
    if call.name == "msgsnd":
        return Reason(Why.FULL, WantedMessage(size=call.get_number("count")))
    wish = WantedMessage(call.get_number("type"), call.has_flag("MSG_EXCEPT"))
    if wish.type is None or wish.type == 0:
        return Reason(Why.EMPTY, wish)
    level = thing.level if thing is not None else None
    empty = level is not None and level.messages == 0
    return Reason(Why.EMPTY if empty else Why.NO_MESSAGE, wish)


def _find_users(lookup: Lookup, thread: Thread, call: CallInProgress, reason: Reason) -> Wakers:
    """Of a System V queue: who has used it, and their descendants, who may know its number."""
    state, key = lookup.state, call.object
    users = queues.list_users(state, key)
    thing = state.objects.get(key)
    others = set(users) - {thread.pid}
    if thing is None or not others:
        # There are no descriptors that would tell who else knows it.
        return _UNKNOWN
    lines = (state.processes[pid].lineage for pid in users if pid in state.processes)
    families = tuple(f"{line}." for line in lines if line)
    heirs = {
        p.pid
        for p in state.processes.values()
        if p.fate == "alive" and p.lineage.startswith(families)
    }
    rest = (heirs | {thread.pid}) - others
    known = (*wakers_of(others), *wakers_of(rest, Doubt.OTHERS_USE))
    return Wakers(known, (Doubted(Doubt.OTHERS_USE, key),), since=thing.level_at)


# Descriptors that tell of events, and what no watched process gives.


def _explain_as(why: Why) -> Callable[[State, Thread, CallInProgress, Object | None], Reason]:
    """The same reason for all waits of a mechanism."""

    def explain_so(
        state: State, thread: Thread, call: CallInProgress, thing: Object | None
    ) -> Reason:
        return Reason(why)

    return explain_so


def _explain_signalfd(
    state: State, thread: Thread, call: CallInProgress, thing: Object | None
) -> Reason:
    mask = thing.notifier.mask if thing is not None and thing.notifier is not None else None
    return Reason(Why.SIGNAL, WantedSignals(mask))


def _explain_open(
    state: State, thread: Thread, call: CallInProgress, thing: Object | None
) -> Reason:
    if thing is None or thing.info.kind not in MET:
        return Reason(Why.OPEN)
    if call.has_flag("O_WRONLY"):
        return Reason(Why.NO_READER, Buffer("r", call.object))
    return Reason(Why.NO_WRITER, Buffer("w", call.object))


def _find_openers(lookup: Lookup, thread: Thread, call: CallInProgress, reason: Reason) -> Wakers:
    """Of an open of a FIFO: whoever has its other end; others can come to it by its name."""
    if not isinstance(reason.facts, Buffer):
        return _find_having(lookup, thread, call, reason)
    known, _ = lookup.find_sharers(call.object, reason.facts.needs)
    return Wakers(known, (Doubted(Doubt.NOBODY_KNOWN),))


def _find_having(lookup: Lookup, thread: Thread, call: CallInProgress, reason: Reason) -> Wakers:
    """Of a call of which no more is known: whoever else has the object that it is on."""
    thing = lookup.state.objects.get(call.object)
    if thing is None:
        return _UNKNOWN
    rows = lookup.find_ends(call.object)
    return Wakers(
        wakers_of(row.pid for row in rows if row.pid != thread.pid),
        (Doubted(Doubt.NOBODY_KNOWN),),
    )


def _explain_connect(
    state: State, thread: Thread, call: CallInProgress, thing: Object | None
) -> Reason:
    address = call.get_text("address")
    target = sockets.bound_to(state, thing.info.kind, address) if thing is not None else None
    if target is None:
        return Reason(Why.ANSWER, Connecting(address))
    level = target.level
    full = level is not None and level.unit == "connections" and level.writable is False
    return Reason(Why.BACKLOG if full else Why.ANSWER, Connecting(address, target.info.key))


def _find_listeners(lookup: Lookup, thread: Thread, call: CallInProgress, reason: Reason) -> Wakers:
    """Of a connection that is asked for: who has the socket that listens there."""
    facts = reason.facts
    if not isinstance(facts, Connecting) or not facts.listener:
        return _UNKNOWN
    rows = lookup.find_ends(facts.listener)
    return Wakers(wakers_of(row.pid for row in rows), (Doubted(Doubt.UNACCEPTED),))


# Semaphores, futexes, locks.


def _find_taken(state: State, thread: Thread) -> SemaphoreTaken:
    """Who has taken the semaphore that a thread waits on, and can give it back."""
    found = state.semaphores.get(thread.semaphore)
    if found is None or found.signals:
        return SemaphoreTaken()
    if any(is_own(hold, thread) for hold in found.holds):
        # Who takes it twice waits for somebody to give it, as one does for a message: that can be
        # anybody.
        return SemaphoreTaken()
    return SemaphoreTaken(
        tuple(sorted((hold.pid, hold.tid) for hold in found.holds if not hold.ended))
    )


def _explain_semaphore(
    state: State, thread: Thread, call: CallInProgress, thing: Object | None
) -> Reason:
    if call.futex is not None and call.futex.copied:
        facts = SemaphoreTaken(copied=call.futex)
    else:
        facts = _find_taken(state, thread)
    return Reason(Why.SEMAPHORE, facts, "sem_wait", thread.semaphore)


def _explain_set(
    state: State, thread: Thread, call: CallInProgress, thing: Object | None
) -> Reason:
    taken = _find_taken(state, thread)
    operations = system_v.parse_operations(call.get_text("ops"))
    return Reason(
        Why.SEMAPHORE, SemaphoreTaken(taken.owners, operations), semaphore=thread.semaphore
    )


def _find_posters(lookup: Lookup, thread: Thread, call: CallInProgress, reason: Reason) -> Wakers:
    """Of a semaphore: those that have taken it, if nobody else gives it; of a private one that
    nobody has taken, all threads of the process.
    """
    key, facts = thread.semaphore, reason.facts
    semaphore = lookup.state.semaphores.get(key)
    taken = waited_on(lookup.state, key)
    private = key.startswith(PRIVATE)
    note = () if private else (Doubted(Doubt.POSTERS, key),)
    owners = facts.owners if isinstance(facts, SemaphoreTaken) else ()
    known = tuple(Waker(pid, tid) for pid, tid in owners)
    if not taken and key.startswith(f"{PRIVATE}{thread.pid}:") and not known:
        return lookup.find_own_threads(thread, Doubt.POSTER)
    if not taken or semaphore is None:
        return Wakers(known, (Doubted(Doubt.UNSEEN, key), *note))
    if any(is_own(hold, thread) for hold in taken):
        return Wakers(known, (Doubted(Doubt.OWN, key), *note))
    if any(hold.ended for hold in taken):
        return Wakers(known, (Doubted(Doubt.OWNER_ENDED, key), *note))
    doubts = (Doubted(Doubt.OTHER_OWNERS, key),) if semaphore.unsure == OLDER else ()
    return Wakers(known, (*doubts, *note), at_once=True)


def is_own(hold: Hold, thread: Thread) -> bool:
    """Whether a thread has taken it itself; of a System V semaphore, its process."""
    return hold.tid == thread.tid or (not hold.tid and hold.pid == thread.pid)


_FUTEXES: Final[Mapping[str, tuple[Why, str]]] = {
    "thread": (Why.JOIN, "pthread_join"),
    "barrier": (Why.BARRIER, "pthread_barrier_wait"),
    "semaphore": (Why.SEMAPHORE, ""),
    "condition": (Why.CONDITION, ""),
    "go": (Why.RUNTIME, ""),
}
"""Why a thread sleeps on a kind of futex, and the function that it is in, where that is known."""
_UNOWNED: Final = frozenset({"semaphore", "condition"})
"""Kinds of futexes that no memory tells an owner of, and that only threads which have the memory
can end.
"""


def _explain_futex(
    state: State, thread: Thread, call: CallInProgress, thing: Object | None
) -> Reason:
    futex = call.futex
    if futex is None:
        return Reason(Why.FUTEX)
    facts = Asleep(futex, call.get_number("value"))
    if futex.kind == "rwlock":
        which = "pthread_rwlock_rdlock" if futex.asks == "read" else "pthread_rwlock_wrlock"
        return Reason(Why.RWLOCK, facts, which)
    if futex.kind in _FUTEXES:
        why, function = _FUTEXES[futex.kind]
        return Reason(why, facts, function)
    if futex.kind == "mutex" or futex.copied:
        named = futex.holder if futex.copied else futex.former or futex.owner
        return Reason(Why.MUTEX, facts, "pthread_mutex_lock" if named else "")
    # std::latch, std::atomic::wait and other runtimes' locks
    return Reason(Why.FUTEX, facts)


def _find_owner(lookup: Lookup, thread: Thread, call: CallInProgress, reason: Reason) -> Wakers:
    """Of a futex: its owner; of one without, in memory of one process, all threads of that."""
    futex = call.futex
    if futex is None:
        return _UNKNOWN
    if not futex.owner and futex.private and futex.kind in _UNOWNED:
        return lookup.find_own_threads(thread, Doubt.MEMORY)
    owner = lookup.state.threads.get(futex.owner)
    sure = owner is not None and futex.kind != "rwlock"
    doubts = [] if sure or futex.private or not futex.object else [Doubted(Doubt.SHARED)]
    if owner is None or futex.copied:
        return Wakers(doubts=(Doubted(Doubt.UNSEEN), *doubts))
    if futex.kind == "rwlock":
        doubts.insert(0, Doubted(Doubt.MEMORY))
    return Wakers((Waker(owner.pid, owner.tid),), tuple(doubts), at_once=True)


def _explain_lock(
    state: State, thread: Thread, call: CallInProgress, thing: Object | None
) -> Reason:
    """Locks on files (flock(2), fcntl_locking(2))."""
    row = state.find_descriptor(thread.pid, call.fd) if call.fd is not None else None
    wish = locks.find_wanted_lock(call.args, thread.pid, row.ofd if row is not None else 0)
    found = locks.list_blocking_locks(state, call.object, wish) if wish is not None else ()
    owners = {pid for lock in found for pid in locks.lock_holders(state, lock)}
    if outsiders_of(state, call.object, "lock"):
        # Whom the kernel names took it, and may have ended since: those have it.
        owners = {pid for pid in owners if is_watched(state, pid)}
    return Reason(Why.LOCK, ConflictingLocks(found, tuple(sorted(owners))))


def _find_lockers(lookup: Lookup, thread: Thread, call: CallInProgress, reason: Reason) -> Wakers:
    """Of a lock: those that have one in its way; if they are not known, whoever has the file."""
    facts = reason.facts
    if not isinstance(facts, ConflictingLocks):
        return _UNKNOWN
    if not facts.owners:
        outside = outsiders_waited_for(lookup.state, thread, call)
        unknown = Wakers(doubts=(Doubted(Doubt.OUTSIDER, call.object),))
        return unknown if outside else _find_having(lookup, thread, call, reason)
    known = wakers_of(facts.owners)
    doubts = []
    if not facts.found or not all(locks.lock_holders(lookup.state, one) for one in facts.found):
        doubts.append(Doubted(Doubt.NOBODY_KNOWN, call.object))
    elif not all(is_watched(lookup.state, pid) for pid in facts.owners):
        doubts.append(Doubted(Doubt.OUTSIDER, call.object))
    return Wakers(known, tuple(doubts), at_once=True)


# Children, signals, time, readiness.

_P_PID: Final = 1
_P_PGID: Final = 2
_P_PIDFD: Final = 3
"""linux/wait.h"""


def _explain_child(
    state: State, thread: Thread, call: CallInProgress, thing: Object | None
) -> Reason:
    """A call of wait4 or waitid (wait(2))."""
    ordered = sorted(_find_awaited(state, thread, call, "alive"), key=lambda p: (p.born, p.pid))
    return Reason(Why.CHILD, Children(tuple(p.pid for p in ordered)))


def _find_awaited(state: State, thread: Thread, call: CallInProgress, fate: Fate) -> list[Process]:
    """The children of a fate that a call of wait4 or waitid is about."""
    number = call.get_number("pid") if "pid" in call.args else -1
    found = [p for p in state.processes.values() if p.parent == thread.pid and p.fate == fate]
    if number is not None:
        which = call.args.get("which")
        if which == _P_PID or (which is None and number > 0):
            found = [p for p in found if p.pid == number]
        elif which == _P_PGID or (which is None and number != -1):
            own = state.processes.get(thread.pid)
            group = abs(number) or (own.pgrp if own is not None else 0)
            found = [p for p in found if p.pgrp == group]
        elif which == _P_PIDFD:
            pid = _find_pidfd_process(state, thread.pid, number)
            found = [p for p in found if p.pid == pid] if pid else found
    return found


def _find_pidfd_process(state: State, pid: int, fd: int) -> int:
    """The process that a pidfd is of; 0 if that is not known."""
    thing = state.object_at(pid, fd)
    return max(thing.notifier.pid, 0) if thing is not None and thing.notifier is not None else 0


def _find_children(lookup: Lookup, thread: Thread, call: CallInProgress, reason: Reason) -> Wakers:
    pids = reason.facts.pids if isinstance(reason.facts, Children) else ()
    number = call.get_number("pid")
    one = number is not None and number > 0 and call.args.get("which") in (None, _P_PID)
    doubts = [] if one or not lookup.attached else [Doubted(Doubt.ADOPTED)]
    if _find_awaited(lookup.state, thread, call, "zombie"):
        # One has ended already, and the kernel is waking who waits for it.
        doubts.append(Doubted(Doubt.LEVEL))
    return Wakers(wakers_of(pids), tuple(doubts), at_once=True)


def _explain_vfork(
    state: State, thread: Thread, call: CallInProgress, thing: Object | None
) -> Reason:
    """vfork(2), and clone(2) with CLONE_VFORK: in any other case clone does not sleep for long."""
    found = list_vforked(state, thread)
    if call.name != "vfork" and not found:
        return Reason(Why.UNKNOWN)
    return Reason(Why.VFORK, Children(found))


def list_vforked(state: State, thread: Thread) -> tuple[int, ...]:
    """The children that have the memory of a process and have executed no program yet."""
    return tuple(
        sorted(
            p.pid
            for p in state.processes.values()
            if p.parent == thread.pid and p.how == "vfork" and p.fate == "alive" and not p.executed
        )
    )


def _find_vforked(lookup: Lookup, thread: Thread, call: CallInProgress, reason: Reason) -> Wakers:
    pids = reason.facts.pids if isinstance(reason.facts, Children) else ()
    return Wakers(wakers_of(pids), at_once=True)


_ALL: Final = (1 << 64) - 1


def _explain_signal(
    state: State, thread: Thread, call: CallInProgress, thing: Object | None
) -> Reason:
    """Which signals would end the wait: those of sigwait's set, or those that are caught and not
    blocked.
    """
    if call.name == "rt_sigtimedwait":
        asked = call.get_number("set")
        return Reason(Why.SIGNAL, WantedSignals(asked & _ALL if asked is not None else None))
    process = state.processes.get(thread.pid)
    asked = call.get_number("mask")
    mask = asked & _ALL if asked is not None else thread.blocked
    handling = process.handling if process is not None else {}
    caught = sum(bit_of(signo) for signo, how in handling.items() if how.action == "catch")
    pending = thread.pending
    if process is not None and process.sample is not None:
        pending |= process.sample.pending
    return Reason(Why.SIGNAL, WantedSignals(caught & ~mask, bool(caught), pending & mask))


def _find_senders(lookup: Lookup, thread: Thread, call: CallInProgress, reason: Reason) -> Wakers:
    """Anybody can send a signal: nobody is meant."""
    return Wakers()


def _find_clock(lookup: Lookup, thread: Thread, call: CallInProgress, reason: Reason) -> Wakers:
    return Wakers(doubts=(Doubted(Doubt.TIME),))


def _explain_ready(
    state: State, thread: Thread, call: CallInProgress, thing: Object | None
) -> Reason:
    found = notifiers.watched_descriptors(state, thread.pid, call)
    return Reason(
        Why.READY,
        Ready(
            tuple(
                WatchedDescriptor(one.info.key if one is not None else "", number, events)
                for one, number, events in found
            )
        ),
    )


def _find_ready(lookup: Lookup, thread: Thread, call: CallInProgress, reason: Reason) -> Wakers:
    """Of a wait until one of several is ready: all who could make one so; nobody if of one of them
    it is not known.
    """
    state = lookup.state
    asked = state.objects.get(call.object)
    if asked is not None and asked.notifier is not None and asked.notifier.more:
        return _SEVERAL
    found: set[int] = set()
    for one in reason.facts.things if isinstance(reason.facts, Ready) else ():
        if one.events == notifiers.SWITCHED_OFF:
            continue
        thing = state.objects.get(one.key)
        some = _could_ready(lookup, thing, one.events) if thing is not None else set()
        if not some:
            return _SEVERAL
        found |= some
    process = state.processes.get(thread.pid)
    if process is not None and len(process.threads) == 1:
        # Pipes and eventfds to oneself, as event loops have them, end no sleep of a process's only
        # thread.
        found.discard(thread.pid)
    return Wakers(wakers_of(found), _SEVERAL.doubts)


_SEVERAL: Final = Wakers(doubts=(Doubted(Doubt.ANY_OF_SEVERAL),))


def _could_ready(lookup: Lookup, thing: Object, events: str) -> set[int]:
    """The processes that could make a descriptor ready; empty if that is not known, or anybody."""
    state, kind = lookup.state, thing.info.kind
    if is_listening(thing.info):
        return set()
    if kind in PIPES:
        # Without a letter only the end of the file, or of its readers, is waited for.
        needs = "r" if "w" in events else "w"
        return {row.pid for row in lookup.find_ends(thing.info.key) if row.mode in (needs, "rw")}
    if kind in SOCKETS and not takes_datagrams(thing.info):
        peer = state.objects.get(thing.info.peer) if thing.info.peer else None
        other = peer or _not_accepted(state, thing)
        rows = lookup.find_ends(other.info.key) if other is not None else ()
        return {row.pid for row in rows}
    if kind in COUNTERS:
        return {row.pid for row in lookup.find_ends(thing.info.key)}
    # Of those that only tell of events, one that has a process tells of its end.
    ending = thing.notifier.pid if thing.notifier is not None else 0
    return {ending} if ending in state.processes else set()


def _explain_other(
    state: State, thread: Thread, call: CallInProgress, thing: Object | None
) -> Reason:
    return Reason(Why.UNKNOWN)


RULES: Final[Mapping[Mechanism, Rule]] = {
    Mechanism.PIPE: Rule(_explain_pipe, _find_other_end),
    Mechanism.SOCKET: Rule(_explain_socket, _find_other_end),
    Mechanism.QUEUE: Rule(_explain_queue, _find_users),
    Mechanism.EVENTFD: Rule(_explain_pipe, _find_other_end),
    Mechanism.TIMERFD: Rule(_explain_as(Why.TIMER), _find_nobody, is_open=True),
    Mechanism.SIGNALFD: Rule(_explain_signalfd, _find_nobody, is_open=True),
    Mechanism.INOTIFY: Rule(_explain_as(Why.CHANGE), _find_nobody, is_open=True),
    Mechanism.TERMINAL: Rule(_explain_as(Why.INPUT), _find_nobody, is_open=True),
    Mechanism.DISK: Rule(_explain_as(Why.DISK), _find_nobody, is_open=True),
    Mechanism.OPEN: Rule(_explain_open, _find_openers, is_open=True),
    Mechanism.ACCEPT: Rule(_explain_as(Why.CONNECTION), _find_nobody, is_open=True),
    Mechanism.CONNECT: Rule(_explain_connect, _find_listeners, is_open=True),
    Mechanism.SEMAPHORE: Rule(_explain_semaphore, _find_posters),
    Mechanism.SEMAPHORE_SET: Rule(_explain_set, _find_posters),
    Mechanism.FUTEX: Rule(_explain_futex, _find_owner),
    Mechanism.LOCK: Rule(_explain_lock, _find_lockers),
    Mechanism.CHILD: Rule(_explain_child, _find_children),
    Mechanism.VFORK: Rule(_explain_vfork, _find_vforked),
    Mechanism.SIGNAL: Rule(_explain_signal, _find_senders, is_open=True),
    Mechanism.TIME: Rule(_explain_as(Why.TIME), _find_clock, is_open=True),
    Mechanism.READY: Rule(_explain_ready, _find_ready, is_open=True),
    Mechanism.OTHER: Rule(_explain_other, _find_having, is_open=True),
}
"""The registry: a rule for each mechanism."""

_BY_WAITS: Final[Mapping[Waits, Mechanism]] = {
    "ready": Mechanism.READY,
    "signal": Mechanism.SIGNAL,
    "time": Mechanism.TIME,
    "child": Mechanism.CHILD,
    "connection": Mechanism.ACCEPT,
    "peer": Mechanism.CONNECT,
    "lock": Mechanism.LOCK,
    "disk": Mechanism.DISK,
    "semaphore": Mechanism.SEMAPHORE_SET,
    "message": Mechanism.QUEUE,
    "room": Mechanism.QUEUE,
    "word": Mechanism.FUTEX,
    "program": Mechanism.VFORK,
    "completion": Mechanism.OTHER,
}
"""By what a thread waits in a call that waits for the same whatever it is about."""


def _mechanism_by(call: SystemCall) -> Mechanism | None:
    """By what a thread waits in a call; None if the object decides that."""
    if call.names == "opens":
        return Mechanism.OPEN
    if call.family == "birth":
        return Mechanism.VFORK
    # A POSIX queue is behind a descriptor, and has ends as a pipe has.
    behind = call.on == "queue" and call.has_argument("fd")
    return _BY_WAITS.get(call.waits) if not behind else None


_BY_CALL: Final[Mapping[str, Mechanism]] = {
    name: found for name, call in CALLS.items() if (found := _mechanism_by(call)) is not None
}
_BY_KIND: Final[Mapping[str, Mechanism]] = {
    **dict.fromkeys(SOCKETS, Mechanism.SOCKET),
    **dict.fromkeys(having("disk"), Mechanism.DISK),
    **dict.fromkeys(TYPED, Mechanism.TERMINAL),
    "eventfd": Mechanism.EVENTFD,
    "timerfd": Mechanism.TIMERFD,
    "signalfd": Mechanism.SIGNALFD,
    "inotify": Mechanism.INOTIFY,
}
"""By what a call that reads or writes waits, by the kind of the object; all others are as pipes."""
_ENDED: Final = having("pooled") | SOCKETS
"""Kinds that have ends, or another side, which alone end waits on them."""
