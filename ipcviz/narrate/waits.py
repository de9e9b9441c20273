"""A wait in words: what a thread is in, on what, why, which, and for how long at most.

All that is said of why a thread waits comes from here; what is so is decided by
`ipcviz.model.waits.rules`, and no code asks the words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Final, NamedTuple

from ipcviz.events import Futex
from ipcviz.events.calls import CHANGES_SEMAPHORES
from ipcviz.events.kinds import COUNTERS, PIPES, SOCKETS, having
from ipcviz.events.signals import names_of, signal_name
from ipcviz.model.addresses import takes_datagrams
from ipcviz.model.mechanisms.notifiers import (
    SWITCHED_OFF,
    describe_due,
    describe_place,
    describe_signals,
    format_seconds,
)
from ipcviz.model.mechanisms.signals import MASKED, can_reach
from ipcviz.model.mechanisms.sockets import leads_to, list_backlogs, target_of, under_way
from ipcviz.model.state import Object, State
from ipcviz.model.waits.handlers import find_handler
from ipcviz.model.waits.outsiders import MOST, is_watched, outsiders_of
from ipcviz.model.waits.rules import is_own
from ipcviz.model.waits.values import (
    Asleep,
    Children,
    ConflictingLocks,
    Connecting,
    Ready,
    SemaphoreTaken,
    Wait,
    WantedMessage,
    WantedSignals,
    WatchedDescriptor,
    Why,
)
from ipcviz.narrate.notifiers import describe_event
from ipcviz.narrate.outsiders import describe_outsiders, name_outsiders
from ipcviz.narrate.words import name_process

_NAMED: Final = 3
_THINGS: Final = 6
"""How many descriptors are named that poll, select or epoll waits for."""


class Form(Enum):
    """How a reason goes on after `a[1] is blocked in read(0) on P1`."""

    CLAUSE = ", "
    """`, for a child`, `, until it expires`"""
    STATE = ": it is "
    """`: it is full`"""
    VALUE = ": its value is "
    """`: its value is 0`"""
    NOTE = ": "
    """`: the lock is held`"""


class WaitWords(NamedTuple):
    """Why a thread waits, in words.

    Attributes:
        form: How it goes on.
        words: Why, in the fewest words; empty if it is not known.
        more: How much of what; empty if that says it all.
    """

    form: Form
    words: str
    more: str = ""


def describe_wait(state: State, wait: Wait, now: float | None = None) -> str:
    """A wait in a few words: `read(0) on P1, empty, at most 1.5 s more`.

    `now` is the moment for what is left of timers, in session seconds; that of the last event if it
    is not given. So it is in all functions here.
    """
    return ", ".join(
        filter(None, (describe_wait_untimed(state, wait, now), describe_limit(state, wait, now)))
    )


def describe_wait_untimed(state: State, wait: Wait, now: float | None = None) -> str:
    """The same without for how long at most: `read(0) on P1, empty`."""
    words = format_call(wait)
    if wait.semaphore and wait.semaphore in state.semaphores:
        words += f" on {state.semaphores[wait.semaphore].label}"
    elif wait.object and wait.object in state.objects:
        words += f" on {state.objects[wait.object].label}"
    return ", ".join(filter(None, (words, _reason_and_detail(state, wait, now))))


def format_call(wait: Wait) -> str:
    """What a thread is in: `read(0)`, `sem_wait`."""
    return wait.call if wait.fd < 0 else f"{wait.call}({wait.fd})"


def describe_reason(state: State, wait: Wait, now: float | None = None) -> str:
    """Why, which, and for how long at most: `for a child: sleep[12]`, `empty, at most 1.5 s
    more`.
    """
    parts = (_reason_and_detail(state, wait, now), describe_limit(state, wait, now))
    return ", ".join(filter(None, parts))


def describe_reason_clause(
    state: State, wait: Wait, more: str = "", now: float | None = None
) -> str:
    """Why, as it goes on after what a thread is in: `: it is full`, `, for a child: sleep[12]`;
    empty if nothing is known.

    `more`: What is added to it.
    """
    words = describe_reason(state, wait, now) + more
    return f"{_find_reason(state, wait, now).form.value}{words}" if words else ""


def _reason_and_detail(state: State, wait: Wait, now: float | None) -> str:
    reason, detail = explain_wait(state, wait, now), describe_detail(state, wait, now)
    return f"{reason}: {detail}" if detail else reason


def explain_wait(state: State, wait: Wait, now: float | None = None) -> str:
    """Why, alone: `empty`, `full: 62,029 B in 16 of 16 pages`, `for a child`; empty if that is not
    known.
    """
    reason = _find_reason(state, wait, now)
    return f"{reason.words}: {reason.more}" if reason.more else reason.words


def describe_reason_briefly(state: State, wait: Wait, now: float | None = None) -> str:
    """The same in the fewest words: `empty`, `full`."""
    return _find_reason(state, wait, now).words


def _find_reason(state: State, wait: Wait, now: float | None) -> WaitWords:
    explain = _REASONS.get(wait.why)
    if explain is None:
        return _PLAIN.get(wait.why, WaitWords(Form.NOTE, ""))
    return explain(state, wait, state.t if now is None else now)


_PLAIN: Final[Mapping[Why, WaitWords]] = {
    Why.NO_READER: WaitWords(Form.NOTE, "no reader has it open"),
    Why.NO_WRITER: WaitWords(Form.NOTE, "no writer has it open"),
    Why.OPEN: WaitWords(Form.NOTE, "opening"),
    Why.CONNECTION: WaitWords(Form.CLAUSE, "for a connection"),
    Why.INPUT: WaitWords(Form.CLAUSE, "for input"),
    Why.DISK: WaitWords(Form.CLAUSE, "for the disk"),
    Why.CHILD: WaitWords(Form.CLAUSE, "for a child"),
    Why.VFORK: WaitWords(Form.CLAUSE, "until its child executes or exits"),
    Why.TIME: WaitWords(Form.CLAUSE, "for time to pass"),
}


# Bytes and room.


def _explain_empty(state: State, wait: Wait, now: float) -> WaitWords:
    thing = state.objects.get(wait.object)
    if thing is not None and thing.info.kind in COUNTERS:
        return WaitWords(Form.NOTE, "its counter is 0")
    if isinstance(wait.facts, WantedMessage) and wait.facts.type:
        return WaitWords(Form.STATE, f"empty, and it wants {_describe_wish(wait.facts)}")
    return WaitWords(Form.STATE, "empty")


def _explain_no_message(state: State, wait: Wait, now: float) -> WaitWords:
    """`no message of type 9: 3 others wait` (msgop(2))."""
    thing = state.objects.get(wait.object)
    wish = _describe_wish(wait.facts) if isinstance(wait.facts, WantedMessage) else "message"
    level = thing.level if thing is not None else None
    if level is None:
        return WaitWords(Form.NOTE, f"no {wish}")
    wait_s = "other waits" if level.messages == 1 else "others wait"
    return WaitWords(Form.NOTE, f"no {wish}", f"{level.messages:,} {wait_s}")


def _describe_wish(message: WantedMessage) -> str:
    kind = message.type or 0
    if message.excepted:
        return f"message of another type than {kind}"
    return f"message of a type up to {-kind}" if kind < 0 else f"message of type {kind}"


def _explain_full(state: State, wait: Wait, now: float) -> WaitWords:
    thing = state.objects.get(wait.object)
    if isinstance(wait.facts, WantedMessage):
        return _explain_full_queue(thing, wait.facts)
    if thing is None:
        return WaitWords(Form.STATE, "full")
    if thing.info.kind in COUNTERS:
        return WaitWords(Form.NOTE, "its counter can't hold that much more")
    if thing.info.kind in SOCKETS:
        return _explain_full_socket(state, wait, thing)
    level = thing.level
    if level is None:
        return WaitWords(Form.STATE, "full")
    if level.unit == "messages":
        return WaitWords(Form.STATE, "full", f"{level.queued:,} of {level.capacity:,} messages")
    if level.writable:
        # The last sample still found some.
        return WaitWords(Form.CLAUSE, "for room", f"{level.queued:,} B waiting")
    if level.slots_total and level.writable is False:
        pages = f"{level.slots_total} of {level.slots_total} pages"
        return WaitWords(Form.STATE, "full", f"{level.queued:,} B in {pages}")
    capacity = f" of {level.capacity:,} B" if level.capacity else ""
    return WaitWords(Form.STATE, "full", f"{level.queued:,} B{capacity}")


def _explain_full_queue(thing: Object | None, message: WantedMessage) -> WaitWords:
    """`no room for 30 B: 40 of 64 B are taken` (msgop(2))."""
    level = thing.level if thing is not None else None
    if level is None or message.size is None:
        return WaitWords(Form.STATE, "full")
    if level.queued + message.size > level.capacity:
        taken = f"{level.queued:,} of {level.capacity:,} B are taken"
        return WaitWords(Form.NOTE, f"no room for {message.size:,} B", taken)
    if level.writable is False:
        return WaitWords(Form.STATE, "full", f"{level.messages:,} messages")
    return WaitWords(Form.CLAUSE, "for room")


def _explain_full_socket(state: State, wait: Wait, thing: Object) -> WaitWords:
    call = state.threads[wait.tid].waiting if wait.tid in state.threads else None
    target = target_of(state, thing, call.args) if call is not None else None
    level = target.level if target is not None else None
    parts = []
    if thing.level is not None and thing.level.unsent > 0:
        parts.append(f"{thing.level.unsent:,} B are not acknowledged")
    if target is None:
        return WaitWords(Form.STATE, "full", *parts)
    if takes_datagrams(thing.info):
        return WaitWords(Form.STATE, "full", f"datagrams wait to be read from {target.label}")
    if level is not None and level.queued:
        parts.append(f"{level.queued:,} B wait to be read from {target.label}")
    if parts:
        return WaitWords(Form.STATE, "full", ", ".join(parts))
    return WaitWords(Form.CLAUSE, f"for room in {target.label}")


def _explain_connecting(state: State, wait: Wait, now: float) -> WaitWords:
    facts = wait.facts if isinstance(wait.facts, Connecting) else Connecting("")
    target = state.objects.get(facts.listener)
    if target is None:
        whom = f"for an answer from {facts.address}" if facts.address else "for the listener"
        return WaitWords(Form.CLAUSE, whom)
    level = target.level
    if wait.why is Why.BACKLOG and level is not None:
        verb = "waits" if level.queued == 1 else "wait"
        asked = f"{level.queued:,} {verb} in {target.label}, {level.capacity:,} asked for"
        return WaitWords(Form.NOTE, "backlog full", asked)
    return WaitWords(Form.CLAUSE, f"for {target.label}, which listens at {facts.address}")


# Descriptors that tell of events.


def _explain_timer(state: State, wait: Wait, now: float) -> WaitWords:
    thing = state.objects.get(wait.object)
    notifier = thing.notifier if thing is not None else None
    due = f" ({describe_due(notifier, now)})" if notifier is not None else ""
    return WaitWords(Form.CLAUSE, f"until it expires{due}")


def _explain_change(state: State, wait: Wait, now: float) -> WaitWords:
    thing = state.objects.get(wait.object)
    notifier = thing.notifier if thing is not None else None
    where = describe_place(state, notifier) if notifier is not None else ""
    if where:
        return WaitWords(Form.CLAUSE, f"until something happens in {where}")
    return WaitWords(Form.CLAUSE, "until something happens to what it watches")


def _explain_signal(state: State, wait: Wait, now: float) -> WaitWords:
    if wait.fd < 0:
        return WaitWords(Form.CLAUSE, "for a signal")
    # A read of a signalfd.
    wanted = wait.facts.wanted if isinstance(wait.facts, WantedSignals) else None
    which = describe_signals(wanted) if wanted is not None else "a signal"
    return WaitWords(Form.CLAUSE, f"until {which} comes")


def _explain_ready(state: State, wait: Wait, now: float) -> WaitWords:
    """`for S2 (readable) or T1 (a timer, 1.5 s left)`."""
    things = wait.facts.things if isinstance(wait.facts, Ready) else ()
    told = list(dict.fromkeys(_describe_thing(state, one, now) for one in things))
    own = _describe_own_mask(state, wait)
    if not told:
        until = "time is up" if wait.length is not None else "a descriptor is ready"
        return WaitWords(Form.CLAUSE, f"until {until}{own}")
    if len(told) > _THINGS:
        some = ", ".join(told[: _THINGS - 1])
        return WaitWords(Form.CLAUSE, f"for one of {some} and {len(told) - _THINGS + 1} more{own}")
    return WaitWords(Form.CLAUSE, f"for {_join_names(told, ' or ')}{own}")


def _describe_thing(state: State, one: WatchedDescriptor, now: float) -> str:
    """One thing that is waited for: `S2 (readable)`, `T1 (a timer, 1.5 s left)`."""
    thing = state.objects.get(one.key)
    if thing is None:
        return f"descriptor {one.fd}, not known any more"
    if one.events == SWITCHED_OFF:
        return f"{thing.label} (has told once, EPOLLONESHOT, and is switched off)"
    edge = ", edge-triggered" if "e" in one.events else ""
    return f"{thing.label} ({_describe_condition(state, thing, one.events, now)}{edge})"


def _describe_condition(state: State, thing: Object, events: str, now: float) -> str:
    told = describe_event(state, thing, events, now)
    conditions = (word for letter, word in _CONDITIONS if letter in events)
    return told or " or ".join(conditions) or "an error"


_CONDITIONS: Final = (("r", "readable"), ("w", "writable"), ("x", "in an exceptional condition"))


def _describe_own_mask(state: State, wait: Wait) -> str:
    """What the signal mask of a call lets in that is blocked otherwise: ` (lets SIGALRM in)`; empty
    if nothing.

    Where the thread's own mask is not known, only that the call has one.
    """
    thread = state.threads.get(wait.tid)
    call = thread.waiting if thread is not None else None
    if thread is None or call is None or call.name not in MASKED:
        return ""
    if call.get_number("mask") is None:
        return ""
    if thread.own_mask is None:
        return " (under a signal mask of its own)"
    names = names_of(thread.own_mask & ~thread.blocked)
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f" (lets {', '.join(names[:_NAMED])}{more} in)" if names else ""


# Semaphores, futexes, locks.


def _explain_semaphore(state: State, wait: Wait, now: float) -> WaitWords:
    if isinstance(wait.facts, Asleep):
        return _explain_futex(state, wait, now)
    taken = wait.facts if isinstance(wait.facts, SemaphoreTaken) else SemaphoreTaken()
    if wait.call in CHANGES_SEMAPHORES:
        reason = _explain_wanted_change(state, wait, taken)
    elif taken.copied is not None:
        return WaitWords(Form.VALUE, f"0, {_describe_copy(state, taken.copied, 'a semaphore')}")
    else:
        reason = WaitWords(Form.VALUE, "0")
    owners = _describe_owners(state, wait)
    if reason.more:
        return reason._replace(more=reason.more + owners)
    return reason._replace(words=reason.words + owners)


def _explain_wanted_change(state: State, wait: Wait, taken: SemaphoreTaken) -> WaitWords:
    """Of a semop on a set of System V: `0, and it wants -1`, `2, and it waits for 0`."""
    found = state.semaphores.get(wait.semaphore)
    number = wait.semaphore.rpartition(":")[2]
    mine = [one for one in taken.operations if str(one.number) == number]
    thread = state.threads.get(wait.tid)
    args = thread.waiting.args if thread is not None and thread.waiting is not None else {}
    if found is None or found.value is None or not mine:
        return WaitWords(Form.NOTE, "System V semaphores", str(args.get("ops", "")))
    zero = all(one.change == 0 for one in mine)
    wish = "waits for 0" if zero else f"wants {mine[-1].change:+d}"
    more = len(taken.operations) - 1
    others = f", in one with {more} more" if more else ""
    return WaitWords(Form.VALUE, f"{found.value}, and it {wish}{others}")


def _describe_owners(state: State, wait: Wait) -> str:
    """Who has taken a semaphore, as far as it is known: `, taken by b[12] and c[13]`."""
    found = state.semaphores.get(wait.semaphore)
    if found is None:
        return ""
    if not found.holds and found.info.kind == "system v" and found.last_pid:
        return f", last changed by {name_process(state, found.last_pid)}"
    thread = state.threads.get(wait.tid)
    if found.signals or not found.holds or thread is None:
        return ""
    mine = [hold for hold in found.holds if is_own(hold, thread)]
    others = [hold for hold in found.holds if hold not in mine]
    names = ["itself"] if mine else []
    names += [
        name_process(state, one.pid, one.tid) + (", which has ended" if one.ended else "")
        for one in others[:_NAMED]
    ]
    if len(others) > _NAMED:
        names.append(f"{len(others) - _NAMED} more")
    return f", taken by {' and '.join(names)}"


def _explain_futex(state: State, wait: Wait, now: float) -> WaitWords:
    if not isinstance(wait.facts, Asleep):
        return WaitWords(Form.NOTE, "a futex")
    futex = wait.facts.futex
    if futex.copied:
        return _explain_copied(state, futex)
    if futex.kind == "thread":
        return WaitWords(Form.CLAUSE, f"until thread {futex.owner} ends")
    if futex.kind == "rwlock":
        return WaitWords(Form.NOTE, f"probably a read-write lock {_describe_rwlock(state, futex)}")
    if futex.kind == "barrier":
        return WaitWords(
            Form.NOTE, "probably a barrier", f"{futex.arrived} of {futex.parties} have come"
        )
    if futex.kind == "mutex":
        if futex.former:
            return WaitWords(
                Form.NOTE, f"a mutex whose owner, {_describe_ended_owner(state, futex)}"
            )
        owner = _describe_owner(state, futex)
        own = futex.owner == wait.tid
        signo = find_handler(state, wait) if own or not owner else 0
        if signo:
            return WaitWords(
                Form.NOTE,
                "a mutex that it has itself" if own else "a lock that nobody but itself can have",
                f"it is in its handler for {signal_name(signo)}",
            )
        if not owner:
            return WaitWords(Form.NOTE, "probably a lock, whose owner is not known")
        return WaitWords(
            Form.NOTE, "a mutex that it has itself" if own else f"a mutex held by {owner}"
        )
    named = _FUTEXES.get(futex.kind)
    word = wait.facts.word
    return WaitWords(
        Form.NOTE, named or "a futex" + (f" whose word was {word}" if word is not None else "")
    )


_FUTEXES: Final = {
    "semaphore": "probably a semaphore at 0",
    "condition": "probably a condition variable",
    "go": "Go's runtime (goroutines are not seen)",
}


def _describe_owner(state: State, futex: Futex) -> str:
    owner = state.threads.get(futex.owner)
    if owner is not None:
        return name_process(state, owner.pid, owner.tid)
    return f"thread {futex.owner}" if futex.owner else ""


def _describe_ended_owner(state: State, futex: Futex) -> str:
    watched = futex.former in state.processes
    return (
        f"{name_process(state, futex.former) if watched else f'thread {futex.former}'}, has ended"
    )


def _describe_rwlock(state: State, futex: Futex) -> str:
    owner = _describe_owner(state, futex)
    if owner:
        return f"that {owner} has for writing"
    if futex.former:
        return f"whose writer, {_describe_ended_owner(state, futex)}"
    if not futex.readers:
        return "that others have"
    return f"that {futex.readers} reader{'s have' if futex.readers > 1 else ' has'}"


def _explain_copied(state: State, futex: Futex) -> WaitWords:
    """A wait for what lies in copied memory."""
    if futex.kind == "thread":
        where = f"which stayed in {name_process(state, futex.copied)} at a fork"
        return WaitWords(
            Form.CLAUSE, f"until thread {futex.holder} ends, {where}", "only there its end is told"
        )
    what = "a mutex" if futex.holder else "a lock"
    if futex.kind == "rwlock":
        what = "what is probably a read-write lock"
    elif futex.kind == "semaphore":
        what = "a semaphore at 0, or a lock made of one,"
    return WaitWords(Form.NOTE, _describe_copy(state, futex, what))


def _describe_copy(state: State, futex: Futex, what: str) -> str:
    """`a copy, made by fork, of a mutex that b[12/13] held; nobody here can release it`.

    Nobody who has the copy holds it: the thread that did has stayed where the original is.
    """
    holder = state.threads.get(futex.holder)
    where = name_process(state, futex.copied)
    if not futex.holder:
        # A handler of a signal could: of semaphores that is even allowed.
        end = "held; no other thread is here to release it"
        return f"probably a copy, made by fork, of {what} that another thread of {where} {end}"
    owner = (
        name_process(state, holder.pid, holder.tid)
        if holder is not None
        else f"thread {futex.holder} of {where}"
    )
    return f"a copy, made by fork, of {what} that {owner} held; nobody here can release it"


def _explain_lock(state: State, wait: Wait, now: float) -> WaitWords:
    """`held exclusively by b[12], not watched`."""
    facts = wait.facts if isinstance(wait.facts, ConflictingLocks) else ConflictingLocks(())
    outsiders = outsiders_of(state, wait.object, "lock")
    if not outsiders and not facts.owners:
        return WaitWords(Form.NOTE, "the lock is held")
    shared = facts.found and all(lock.mode == "r" for lock in facts.found)
    words = [_describe_locker(state, wait, pid) for pid in facts.owners[:_NAMED]]
    more = f" and {len(facts.owners) - _NAMED} more" if len(facts.owners) > _NAMED else ""
    if outsiders:
        words.append(f"{name_outsiders(outsiders)}, not watched")
    how = "shared" if shared else "exclusively"
    return WaitWords(Form.NOTE, f"held {how} by {', '.join(words)}{more}")


def _describe_locker(state: State, wait: Wait, pid: int) -> str:
    name = name_process(state, pid) + ("" if is_watched(state, pid) else ", not watched")
    return f"{name} itself, by another open file description" if pid == wait.pid else name


_REASONS: Final[Mapping[Why, Callable[[State, Wait, float], WaitWords]]] = {
    Why.EMPTY: _explain_empty,
    Why.NO_MESSAGE: _explain_no_message,
    Why.FULL: _explain_full,
    Why.ANSWER: _explain_connecting,
    Why.BACKLOG: _explain_connecting,
    Why.TIMER: _explain_timer,
    Why.CHANGE: _explain_change,
    Why.SIGNAL: _explain_signal,
    Why.READY: _explain_ready,
    Why.SEMAPHORE: _explain_semaphore,
    Why.LOCK: _explain_lock,
    **dict.fromkeys(
        (Why.MUTEX, Why.RWLOCK, Why.BARRIER, Why.CONDITION, Why.JOIN, Why.RUNTIME, Why.FUTEX),
        _explain_futex,
    ),
}


# Which child, which signals, who else.


def describe_detail(state: State, wait: Wait, now: float | None = None) -> str:
    """Which child, which signals, how long, who has the other end; empty if that is not known."""
    facts = wait.facts
    if wait.why is Why.CHILD and isinstance(facts, Children):
        return _name_children(state, facts.pids)
    if wait.why is Why.SIGNAL and wait.fd < 0 and isinstance(facts, WantedSignals):
        return _describe_signals(facts)
    if wait.why is Why.TIME:
        return _describe_sleep_left(wait, state.t if now is None else now)
    if wait.why is Why.READY and isinstance(facts, Ready):
        if wait.outsiders:
            return f"{name_outsiders(wait.outsiders)}, not watched, could make one so"
        return _first_unaccepted(state, facts)
    thing = state.objects.get(wait.object)
    if thing is None or thing.info.kind in _POOLS:
        return ""
    if wait.why is Why.EMPTY:
        return _describe_unseen(state, thing, reads=True)
    if wait.why is Why.FULL:
        return _describe_unseen(state, thing, reads=False)
    return ""


_POOLS: Final = having("pooled") - PIPES
"""Kinds of objects that are all one: who has them is told by the panels."""


def _name_children(state: State, pids: tuple[int, ...]) -> str:
    """`sleep[12]`, `sleep[12] or cat[13]`, `one of sleep[12], cat[13] and 3 more`."""
    names = [name_process(state, pid) for pid in pids]
    if len(names) > _NAMED:
        return f"one of {', '.join(names[:2])} and {len(names) - 2} more"
    return _join_names(names, " or ")


def _describe_signals(signals: WantedSignals) -> str:
    """Which signals would end a wait for one: those of sigwait's set, or those that are caught and
    not blocked.

    Pending ones that its mask keeps away are named too: they are why such a wait can last for ever.
    """
    if signals.wanted is None:
        return ""
    words = describe_signals(signals.wanted)
    if signals.caught is not None and not signals.wanted:
        none = "it catches none, so only one that ends it"
        words = "what it catches is blocked" if signals.caught else none
    if kept := names_of(signals.kept):
        are = "is" if len(kept) == 1 else "are"
        words += f"; {', '.join(kept[:_NAMED])} {are} pending, but blocked"
    return words


def _first_unaccepted(state: State, facts: Ready) -> str:
    """Of the first connection that is waited for and that nobody has accepted: who has not; empty
    if all were.
    """
    if len(facts.things) > MOST:
        return ""
    waiting = None
    for one in facts.things:
        thing = state.objects.get(one.key)
        if thing is None or one.events == SWITCHED_OFF or thing.info.kind not in SOCKETS:
            continue
        if thing.info.peer in state.objects or takes_datagrams(thing.info):
            continue
        waiting = list_backlogs(state) if waiting is None else waiting
        listener = leads_to(state, thing, waiting)
        if listener is not None:
            return describe_unaccepted(state, thing, listener)
    return ""


def _describe_unseen(state: State, thing: Object, *, reads: bool) -> str:
    """Who of those that are not watched could write into what is empty, or read from what is full;
    empty if nobody.
    """
    pipe = thing.info.kind in PIPES
    if pipe:
        words = describe_outsiders(state, thing.info.key, "w" if reads else "r")
    else:
        words = describe_outsiders(state, thing.info.key, "both")
    if words or not (reads or thing.info.kind in SOCKETS):
        return words
    return describe_unseen_end(state, thing)


def describe_unseen_end(state: State, thing: Object) -> str:
    """Who has the other end, if no descriptor of a watched process shows it; empty if one does.

    Of a pipe those are ends under way (SCM_RIGHTS), of a socket the other end's holder, or who has
    yet to accept it.
    """
    info = thing.info
    if info.kind in PIPES and state.flights:
        waiting = [
            state.objects[key].label
            for key, _ in under_way(state, info.key)
            if key in state.objects
        ]
        return f"a descriptor of it is under way in {waiting[0]}" if waiting else ""
    if info.kind not in SOCKETS or info.peer in state.objects:
        return ""
    listener = leads_to(state, thing, list_backlogs(state)) if not takes_datagrams(info) else None
    if listener is not None:
        return describe_unaccepted(state, thing, listener)
    whom = info.with_whom or info.remote
    if not whom or _names_watched(state, info.with_whom):
        return ""
    return f"the other end, {whom}, is not watched"


def _names_watched(state: State, whom: str) -> bool:
    """Whether a `NAME[PID]` is that of a watched process: of a socket it can be who had the other
    end once.
    """
    number = whom.rpartition("[")[2].removesuffix("]")
    process = state.processes.get(int(number)) if number.isdecimal() else None
    return process is not None and process.fate == "alive"


def describe_unaccepted(state: State, thing: Object, listener: Object) -> str:
    """Who has not accepted a connection, and where it stands: `httpd[12] has not accepted it yet:
    2nd of 3 in the backlog of S1`.

    The kernel lists a UNIX socket's backlog in its order, of a TCP one it only says how many wait.
    """
    level = listener.level
    count = level.queued if level is not None and level.unit == "connections" else 0
    place = ""
    if level is not None and level.connecting == (thing.info.key,):
        place = "the only one in "
    elif level is not None and thing.info.key in level.connecting:
        at = level.connecting.index(thing.info.key) + 1
        place = f"{_format_ordinal(at)} of {len(level.connecting):,} in "
    elif count:
        place = f"one of {count:,} in " if count > 1 else "the only one in "
    where = f"{place or 'it waits in '}the backlog of {listener.label}"
    return f"{_name_accepter(state, listener)} has not accepted it yet: {where}"


def _name_accepter(state: State, listener: Object) -> str:
    """Whose turn it is to accept: who was first seen to have the listening socket, if that is so
    still.
    """
    process = state.processes.get(listener.first_seen_by)
    if process is None or process.fate != "alive":
        return listener.label
    has = listener.info.key in state.object_keys_of(process.pid)
    return name_process(state, process.pid) if has else listener.label


def _format_ordinal(number: int) -> str:
    """`1st`, `2nd`, `11th`."""
    ending = (
        "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    )
    return f"{number:,}{ending}"


def _join_names(names: list[str], last: str) -> str:
    return last.join(filter(None, (", ".join(names[:-1]), *names[-1:])))


# For how long at most.


def describe_limit(state: State, wait: Wait, now: float | None = None) -> str:
    """`at most 1.5 s more`, `its time is up`; where its beginning is not known, of all it lasts: `5
    s at most`; empty if it has no limit, or if the reason has told it.

    A signal of a timer of its process that comes first may end it, too: `SIGALRM in 1.5 s`.
    """
    if wait.why is Why.TIME:
        return ""
    now = state.t if now is None else now
    words = f"{wait.length} s at most" if wait.length is not None else ""
    if wait.deadline is not None:
        words = _describe_time_left(wait.deadline - now, "at most ")
    return ", ".join(filter(None, (words, _describe_timer(state, wait, now))))


def describe_remaining(state: State, wait: Wait, now: float) -> str:
    """The same beside how long it has lasted: `1.5 s left`."""
    if wait.deadline is None or wait.why is Why.TIME:
        return describe_limit(state, wait, now)
    words = _describe_time_left(wait.deadline - now, "", " left")
    return ", ".join(filter(None, (words, _describe_timer(state, wait, now))))


def _describe_time_left(left: float, before: str = "", after: str = " more") -> str:
    return f"{before}{format_seconds(left)}{after}" if left > 0 else "its time is up"


def _describe_sleep_left(wait: Wait, now: float) -> str:
    """What is left of a sleep: `1.5 s more`; of one whose beginning is not known, all of it: `5
    s`.
    """
    if wait.deadline is not None:
        return _describe_time_left(wait.deadline - now)
    return f"{wait.length} s" if wait.length is not None else ""


def _describe_timer(state: State, wait: Wait, now: float) -> str:
    """The signal of a timer that comes before a wait's time is up: `SIGALRM in 1.5 s`."""
    if not state.timers:
        return ""
    thread = state.threads.get(wait.tid)
    dues = [
        timer
        for (pid, _), timer in state.timers.items()
        # One that comes again and again is there for something else.
        if pid == wait.pid
        and timer.armed
        and not timer.clock
        and not timer.interval
        and timer.due > now
        and thread is not None
        and can_reach(state, thread, timer.signo)
    ]
    first = min(dues, key=lambda timer: timer.due, default=None)
    if first is None or (wait.deadline is not None and first.due >= wait.deadline):
        return ""
    return f"{signal_name(first.signo)} in {format_seconds(first.due - now)}"


def describe_first_end(state: State, tids: Iterable[int], now: float | None = None) -> str:
    """Which of some waits ends first by itself, and when: `a[1] waits at most 1.5 s more`; empty if
    none does.
    """
    calls = {tid: state.threads[tid].waiting for tid in tids if tid in state.threads}
    ends = {
        tid: call.deadline
        for tid, call in calls.items()
        if call is not None and call.deadline is not None
    }
    if not ends:
        return ""
    tid = min(ends, key=lambda one: ends[one])
    left = ends[tid] - (state.t if now is None else now)
    name = name_process(state, state.threads[tid].pid, tid)
    if left > 0:
        return f"{name} waits at most {format_seconds(left)} more"
    return f"the time of {name} is up"
