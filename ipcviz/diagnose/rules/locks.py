"""Hangs by semaphores, mutexes, file locks, stopped processes and lost signals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ipcviz.diagnose.deeds import EventRule
from ipcviz.diagnose.findings import Evidence, Finding
from ipcviz.diagnose.moment import CaseMoment
from ipcviz.diagnose.words import join_and
from ipcviz.events import SemaphoreOp
from ipcviz.events.calls import FOR_SIGNAL
from ipcviz.events.kinds import MESSAGES
from ipcviz.events.signals import SIGCHLD, signal_name, signals_in
from ipcviz.model.mechanisms.semaphores import OLDER, PRIVATE
from ipcviz.model.state import Hold, State
from ipcviz.model.waits.handlers import find_handler
from ipcviz.model.waits.hangs import Hang
from ipcviz.model.waits.rules import explain_waiting
from ipcviz.model.waits.values import (
    Asleep,
    Children,
    ConflictingLocks,
    Doubt,
    SemaphoreTaken,
    Wait,
    WantedMessage,
    WantedSignals,
    Why,
)
from ipcviz.narrate.waits import describe_wait
from ipcviz.narrate.words import label_of, name_process, signal_names

_OWNED = frozenset({Why.SEMAPHORE, Why.MUTEX, Why.RWLOCK, Why.LOCK})


def find_stopped(moment: CaseMoment, hang: Hang) -> Finding | None:
    """All wait for one that is stopped."""
    state = moment.state
    for pid in hang.stopped:
        threads = set(state.processes[pid].threads)
        # Who has stopped it, and could let it go on, may wait for it as well.
        waits = (*hang.victims, *hang.waits)
        waiting = [one for one in waits if hang.ways[one.tid].tids & threads]
        if not waiting:
            continue
        wait = waiting[0]
        process = state.processes[pid]
        names = moment.name_parties(pid, *(one.pid for one in waiting))
        signo = process.stopped_by
        by = f" by {signal_name(signo)}" if signo else ""
        sent = [one for one in state.sent if one.target == pid and one.signo == signo]
        sender = state.processes.get(sent[-1].sender) if sent else None
        whom = f" from {sender.name}[{sender.pid}]" if sender is not None else ""
        sentence = (
            f"{names.name_at(wait.pid, wait.tid)} waits for {names.name_process(pid)}, and that is"
            f" stopped{by}{whom}."
        )
        mend = f"Let it go on: kill -CONT {pid}."
        if signo in _TERMINAL:
            sentence = sentence[:-1] + ": it is in the background and wants the terminal."
            mend = "Bring it to the foreground (fg), or redirect its input and output."
        return moment.make_finding(
            "stopped", (pid, *(one.pid for one in waiting)), sentence, mend,
            waits=waiting, doubts=hang.doubts, about=str(pid),
        )  # fmt: skip
    return None


_TERMINAL = (21, 22)
"""SIGTTIN and SIGTTOU."""


def find_vfork_wait(moment: CaseMoment, hang: Hang) -> Finding | None:
    """A parent is suspended by vfork until its child executes a program, and that hangs itself."""
    state = moment.state
    for wait in (*hang.waits, *hang.victims):
        if wait.why is not Why.VFORK or not isinstance(wait.facts, Children):
            continue
        threads = {tid for pid in wait.facts.pids for tid in state.processes[pid].threads}
        child = next((one for one in hang.waits if one.tid in threads), None)
        if child is None:
            continue
        names = moment.name_parties(wait.pid, child.pid)
        return moment.make_finding(
            "vfork-wait", (child.pid, wait.pid),
            f"{names.name_at(wait.pid, wait.tid)} goes on only when its child"
            f" {names.name_process(child.pid)} executes a program or exits (vfork), and that waits:"
            f" it is in {describe_wait(state, child, moment.now)}.",
            "Do nothing between vfork and execve or _exit, or use fork or posix_spawn.",
            waits=hang.waits, objects=(child.object,), doubts=hang.doubts,
            ends=((child.pid, child.fd),) if child.fd >= 0 and child.object else (),
        )  # fmt: skip
    return None


def find_handler_lock(moment: CaseMoment, hang: Hang) -> Finding | None:
    """A signal handler waits for a lock that the code has which it interrupted."""
    state = moment.state
    for wait in hang.waits:
        held = find_own_hold(state, wait)
        if held is not None:
            found = _tell_own_semaphore(moment, hang, wait, held)
            if found is not None:
                return found
            continue
        signo = find_handler(state, wait)
        if not signo or not isinstance(wait.facts, Asleep):
            continue
        names = moment.name_parties(wait.pid)
        sentence = (
            f"{names.name_thread(wait.pid, wait.tid)} waits in its handler of {signal_name(signo)}"
            " for a lock that nobody but itself can have: the handler interrupted the code that"
            " took it (malloc, printf)."
        )
        return moment.make_finding(
            "handler-lock", (wait.pid,), sentence,
            "Call only async-signal-safe functions in a handler (signal-safety(7)); set a flag"
            " and act on it later.",
            waits=hang.waits,
            evidence=(Evidence(f"thread {wait.tid} is in its handler of {signal_name(signo)}"),),
            about=wait.facts.futex.key,
        )  # fmt: skip
    return None


def find_own_hold(state: State, wait: Wait) -> Hold | None:
    """What a thread has taken of the semaphore that it waits for, where no other thread can give
    it: it lies in memory of its own, and there is no other.
    """
    found = state.semaphores.get(wait.semaphore)
    if wait.why is not Why.SEMAPHORE or found is None or found.signals or found.info.object:
        return None
    alone = found.info.kind == "unnamed" and len(state.processes[wait.pid].threads) == 1
    own = (hold for hold in found.holds if (hold.pid, hold.tid) == (wait.pid, wait.tid))
    return next(own, None) if alone else None


def _tell_own_semaphore(moment: CaseMoment, hang: Hang, wait: Wait, held: Hold) -> Finding | None:
    """A semaphore that its thread had taken before a signal came, whose handler waits for it: one
    of the kernel's, or one that an interpreter runs later, between two operations of its own.
    """
    state = moment.state
    thread = state.threads[wait.tid]
    came = [
        one
        for one in state.delivered
        if one.tid == wait.tid and one.action == "handler" and held.since <= one.t <= wait.since
    ]
    if not came or any(one.interrupted == "futex" for one in came):
        # Who waits for a handler's sign takes a lock as well, and sleeps when the signal comes.
        return None
    signal = signal_name(came[-1].signo)
    names = moment.name_parties(wait.pid)
    return moment.make_finding(
        "handler-lock",
        (wait.pid,),
        f"{names.name_thread(wait.pid, wait.tid)} waits for {_semaphore_label(state, wait)}, which"
        f" it has itself: it had taken it when {signal} came, and the handler takes it again.",
        "Take no lock in a handler that its program takes elsewhere (threading.RLock can be taken"
        " again, but what it protects may be half changed); set a flag and act on it later.",
        waits=hang.waits,
        evidence=(
            Evidence(f"it took the semaphore at {held.since:.3f} s"),
            Evidence(f"{signal} was delivered at {came[-1].t:.3f} s", came[-1].n),
        ),
        probable=""
        if thread.handlers
        else "that the handler waits, and not what runs after it, is known by their order alone",
        about=wait.semaphore,
    )


def find_forked_lock(moment: CaseMoment, hang: Hang) -> Finding | None:
    """A child waits for a lock that another thread had when the process was forked."""
    state = moment.state
    for wait in hang.waits:
        futex = None
        if isinstance(wait.facts, Asleep):
            futex = wait.facts.futex
        elif isinstance(wait.facts, SemaphoreTaken):
            futex = wait.facts.copied
        if futex is None or not futex.copied:
            continue
        maker = state.processes.get(futex.copied)
        threaded = maker is not None and len(maker.threads) > 1
        if (wait.why is Why.SEMAPHORE or futex.kind == "semaphore") and not threaded:
            return _copied_semaphore(moment, hang, wait, futex.copied)
        parent = futex.copied
        names = moment.name_parties(wait.pid, parent)
        holder = state.threads.get(futex.holder)
        which = f"thread {holder.number}" if holder is not None else "another thread"
        whose = f"{which} of {names.name_process(parent)}"
        born = moment.history.born.get(wait.pid)
        sentence = (
            f"{names.name_at(wait.pid, wait.tid)} waits for a lock that {whose} had at the fork:"
            " the child has a copy of the lock, and no thread that could release it."
        )
        return moment.make_finding(
            "forked-lock", (wait.pid, parent), sentence,
            "After fork in a threaded program only execute (execve), or use multiprocessing's"
            " spawn; or fork before the first thread.",
            waits=hang.waits,
            evidence=(Evidence("the fork", born.n),) if born is not None else (),
            probable="" if futex.holder else "who had the lock at the fork is not known",
            about=futex.key,
        )  # fmt: skip
    return None


def _copied_semaphore(moment: CaseMoment, hang: Hang, wait: Wait, parent: int) -> Finding:
    names = moment.name_parties(wait.pid, parent)
    label = _semaphore_label(moment.state, wait)
    return moment.make_finding(
        "private-semaphore", (wait.pid, parent),
        f"{names.name_at(wait.pid, wait.tid)} waits for {label}, which lies in memory of its own:"
        f" fork made a copy of it, so no post of {names.name_process(parent)} reaches it.",
        "Put the semaphore into shared memory (mmap with MAP_SHARED), and give sem_init pshared 1.",
        waits=hang.waits, about=wait.semaphore,
    )  # fmt: skip


def find_copied_semaphore(moment: CaseMoment, hang: Hang) -> Finding | None:
    """A semaphore that lies in memory which fork has copied: each process has one of its own."""
    state = moment.state
    for wait in hang.waits:
        process = state.processes[wait.pid]
        if process.how != "fork" or process.executed or len(process.threads) != 1:
            continue
        address = wait.semaphore.removeprefix(f"{PRIVATE}{wait.pid}:")
        if address and f"{PRIVATE}{process.parent}:{address}" in state.semaphores:
            return _copied_semaphore(moment, hang, wait, process.parent)
    return None


def find_private_semaphore(moment: CaseMoment, hang: Hang) -> Finding | None:
    """A private wait on memory that several processes share: only a wake by a thread of the same
    process ends it.
    """
    found = (_tell_private_wait(moment, wait, hang.waits) for wait in hang.waits)
    return next(filter(None, found), None)


class PrivatePosts(EventRule):
    """A post of a semaphore in shared memory, which does not wake the process that sleeps on it.

    That one may go on all the same: whatever interrupts its sleep has it look again.
    """

    kinds = (SemaphoreOp,)

    def follow_event(self, moment: CaseMoment, event: Any) -> Iterator[Finding]:
        """See `EventRule`."""
        if event.op != "post" or not event.semaphore.object:
            return
        for thread in moment.state.threads.values():
            call = thread.waiting
            if thread.semaphore == event.semaphore.key and call and thread.pid != event.pid:
                wait = explain_waiting(moment.state, thread, call)
                found = _tell_private_wait(moment, wait, (wait,))
                if found is not None:
                    yield found


def _tell_private_wait(moment: CaseMoment, wait: Wait, waits: tuple[Wait, ...]) -> Finding | None:
    """A finding if a wait is a private one on memory that others have as well."""
    state = moment.state
    call = state.threads[wait.tid].waiting
    futex = call.futex if call is not None else None
    if futex is None or not futex.private or not futex.object:
        return None
    others = [
        pid for pid, entries in state.mappings.items()
        if pid != wait.pid and any(one.object.key == futex.object for one in entries)
        and pid in state.processes and state.processes[pid].fate == "alive"
    ]  # fmt: skip
    names = moment.name_parties(wait.pid, *others)
    label = _semaphore_label(state, wait)
    whom = f" of {names.join(others)}" if others else " of another process"
    return moment.make_finding(
        "private-semaphore", (wait.pid, *others),
        f"{names.name_at(wait.pid, wait.tid)} waits for {label} in shared memory by a private"
        f" futex: no post{whom} wakes it.",
        "Give sem_init pshared 1 (pthread_mutexattr_setpshared: PTHREAD_PROCESS_SHARED).",
        waits=waits, objects=(futex.object,), about=futex.key,
    )  # fmt: skip


def find_dead_owner(moment: CaseMoment, hang: Hang) -> Finding | None:
    """Who had the mutex or semaphore that all wait for has ended."""
    state = moment.state
    for wait in hang.waits:
        if isinstance(wait.facts, Asleep) and wait.facts.futex.former:
            former, key = wait.facts.futex.former, wait.facts.futex.key
            known = former in state.processes
            who = name_process(state, former) if known else f"thread {former}"
            waits = _list_alike(moment, wait)
            return moment.make_finding(
                "dead-owner", (one.pid for one in waits),
                f"{_name_waiters(moment, waits)} a mutex that {who} locked, and that has ended"
                " without unlocking it.",
                "Unlock it on every way out, or make it robust (pthread_mutexattr_setrobust) and"
                " handle EOWNERDEAD.",
                waits=waits, about=key,
                evidence=(Evidence(f"its owner word names thread {former}, which does not exist"),),
            )  # fmt: skip
        found = state.semaphores.get(wait.semaphore)
        if found is None or wait.why is not Why.SEMAPHORE:
            continue
        system_v = found.info.kind == "system v"
        if found.signals and not system_v:
            continue
        ended = [hold for hold in found.holds if hold.ended]
        if not ended:
            continue
        pid = ended[0].pid
        process = state.processes.get(pid)
        who = name_process(state, pid)
        signo = process.exit_signal if process is not None else 0
        how = f"was killed by {signal_name(signo)}" if signo else "has ended"
        mend = "Give it back on every way out"
        if system_v:
            mend += ", or use SEM_UNDO, which has the kernel give it back."
        else:
            mend += "; a robust mutex or a file lock is given back by the kernel."
        waits = _list_alike(moment, wait)
        return moment.make_finding(
            "dead-owner", (*(one.pid for one in waits), pid),
            f"{_name_waiters(moment, waits)} {_semaphore_label(state, wait)}, which {who} took;"
            f" that {how} without giving it back.",
            mend,
            waits=waits, objects=(wait.semaphore,), doubts=hang.doubts,
            evidence=(Evidence(f"{who} {how}"),),
        )  # fmt: skip
    return None


def _list_alike(moment: CaseMoment, wait: Wait) -> tuple[Wait, ...]:
    """The waits of all hangs for the same semaphore or futex, by thread: they have one cause."""
    wanted = wait.semaphore, _futex_key(wait)
    waits = (one for hang in moment.hangs for one in hang.waits)
    alike = (one for one in waits if (one.semaphore, _futex_key(one)) == wanted)
    return tuple(sorted(alike, key=lambda one: one.tid))


def _futex_key(wait: Wait) -> str:
    return wait.facts.futex.key if isinstance(wait.facts, Asleep) else ""


def _name_waiters(moment: CaseMoment, waits: tuple[Wait, ...]) -> str:
    """`a waits for`, `a and b wait for`, `a, b and 3 more wait for`."""
    names = moment.name_parties(*(wait.pid for wait in waits))
    named = [names.name_thread(wait.pid, wait.tid) for wait in waits[:_NAMED]]
    if len(waits) > _NAMED:
        named.append(f"{len(waits) - _NAMED} more")
    return f"{join_and(named)} {'waits' if len(waits) == 1 else 'wait'} for"


_NAMED = 3
"""So many of those that wait for the same are named."""


def find_stale_semaphore(moment: CaseMoment, hang: Hang) -> Finding | None:
    """A named semaphore from before the run has its old value, 0."""
    state = moment.state
    for wait in hang.waits:
        found = state.semaphores.get(wait.semaphore)
        if found is None or found.info.kind != "named" or found.unsure != OLDER:
            continue
        if found.value not in (0, None) or found.holds or found.signals:
            continue
        names = moment.name_parties(wait.pid)
        return moment.make_finding(
            "stale-semaphore", (wait.pid,),
            f"{names.name_at(wait.pid, wait.tid)} waits for {found.label}, which was there before"
            " the run with the value 0: sem_open takes an old semaphore as it is, whatever value"
            " it is given.",
            "Remove it at the end (sem_unlink), and make it with O_CREAT | O_EXCL.",
            waits=hang.waits, objects=(wait.semaphore, found.info.object),
            evidence=(Evidence("nobody in this run has posted it"),),
        )  # fmt: skip
    return None


def find_lock_order(moment: CaseMoment, hang: Hang) -> Finding | None:
    """A circle of threads, each of which has the lock that the one before it wants."""
    state = moment.state
    by_tid = {wait.tid: wait for wait in hang.waits}
    if not any(wait.why in _OWNED for wait in hang.waits):
        return None
    for circle in moment.circles:
        if not by_tid.keys() >= set(circle.tids):
            continue
        waits = [by_tid[tid] for tid in circle.tids if tid in by_tid]
        if not waits or not all(wait.why in _OWNED for wait in waits):
            continue
        if any(hang.ways[wait.tid].tids - {wait.tid} and _is_vague(wait, hang) for wait in waits):
            continue
        names = moment.name_parties(*(wait.pid for wait in waits))
        if len(waits) == 1:
            wait = waits[0]
            who = names.name_thread(wait.pid, wait.tid)
            sentence = f"{who} waits for {_lock_label(state, wait)}, which it has itself."
            mend = "Don't lock it twice, or make it recursive."
        else:
            parts = [
                f"{names.name_thread(one.pid, one.tid)} waits for {_lock_label(state, one)}"
                for one in waits[:3]
            ]
            order = "in opposite orders" if len(waits) == 2 else "in a circle"
            sentence = (
                f"{', '.join(parts[:-1])} and {parts[-1]}, each of which the other one has: they"
                f" took them {order}."
            )
            mend = "Take the locks in the same order everywhere."
        return moment.make_finding(
            "lock-order", (wait.pid for wait in waits), sentence, mend,
            waits=hang.waits, objects=(key for wait in waits for key in _keys(wait)),
            doubts=circle.doubts,
            about=",".join(sorted(key for wait in waits for key in _keys(wait))),
        )  # fmt: skip
    return None


def _is_vague(wait: Wait, hang: Hang) -> bool:
    return any(one.doubt in (Doubt.MEMORY, Doubt.POSTER) for one in hang.ways[wait.tid].doubts)


def _keys(wait: Wait) -> tuple[str, ...]:
    if isinstance(wait.facts, Asleep):
        return (wait.facts.futex.key,)
    return tuple(key for key in (wait.semaphore, wait.object) if key)


def find_queue_hang(moment: CaseMoment, hang: Hang) -> Finding | None:
    """A full queue that nobody receives from, or a message that nobody sends."""
    state = moment.state
    for wait in hang.waits:
        thing = state.objects.get(wait.object)
        if thing is None or thing.info.kind not in MESSAGES:
            continue
        names = moment.name_parties(wait.pid)
        who = names.name_at(wait.pid, wait.tid)
        if wait.why is Why.FULL:
            readers = {row.pid for row in moment.holders(wait.object, "r rw")} - {wait.pid}
            sentence = f"{who} waits for room in {thing.label}, and nobody else has it open."
            if readers:
                others = moment.name_parties(wait.pid, *readers)
                sentence = (
                    f"{who} waits for room in {thing.label}, and those who could receive from it"
                    f" wait as well: {others.join(sorted(readers))}."
                )
            mend = "Receive from it, or send with O_NONBLOCK (IPC_NOWAIT)."
        elif wait.why is Why.NO_MESSAGE and isinstance(wait.facts, WantedMessage):
            count = thing.level.messages if thing.level is not None else 0
            sentence = (
                f"{who} waits for a message of type {wait.facts.type} in {thing.label}:"
                f" {count:,} of other types wait there, and nobody sends that one."
            )
            mend = "Send the type that the receiver asks for (msgsnd's mtype)."
        else:
            sentence = (
                f"{who} waits for a message in {thing.label}, and nobody is left to send one."
            )
            mend = "Send one, or tell the receiver when no more are to come."
        return moment.make_finding(
            "queue", (wait.pid,), sentence, mend, waits=hang.waits, objects=(wait.object,),
            doubts=() if wait.why is not Why.EMPTY else hang.doubts,
        )  # fmt: skip
    return None


def find_lost_wakeup(moment: CaseMoment, hang: Hang) -> Finding | None:
    """Who waits for a signal that has come already: its handler ran before the wait began."""
    state = moment.state
    for wait in hang.waits:
        if wait.why is not Why.SIGNAL or not isinstance(wait.facts, WantedSignals):
            continue
        wanted = set(signals_in(wait.facts.wanted or 0))
        if _is_on_its_way(state, wait, wanted):
            continue
        came = [
            one for one in state.delivered
            if one.pid == wait.pid and one.signo in wanted and one.action == "handler"
            and one.t <= wait.since and not (one.outcome and one.interrupted in FOR_SIGNAL)
        ]  # fmt: skip
        names = moment.name_parties(wait.pid)
        who = names.name_at(wait.pid, wait.tid)
        if came and len(came) == 1:
            signal = signal_name(came[0].signo)
            return moment.make_finding(
                "lost-wakeup", (wait.pid,),
                f"{who} waits for a signal ({wait.call.removeprefix('rt_')}), and {signal}, which"
                " was to wake it, came before: its handler has run already.",
                "Block the signal, test, and wait with sigsuspend, which unblocks it and waits in"
                " one step.",
                waits=hang.waits,
                evidence=(Evidence(f"{signal} was delivered at {came[0].t:.3f} s", came[0].n),
                          Evidence("no timer is armed")),
                probable="another signal may be meant to come, from whoever knows its PID",
                about=signal,
            )  # fmt: skip
        if wait.facts.kept:
            which = signal_names(wait.facts.kept)
            return moment.make_finding(
                "lost-wakeup", (wait.pid,),
                f"{who} waits for a signal, and {which} is pending: its mask keeps it away.",
                "Unblock the signal while you wait (sigsuspend).",
                waits=hang.waits, about=which,
            )  # fmt: skip
    return None


def _is_on_its_way(state: State, wait: Wait, wanted: set[int]) -> bool:
    """Whether a signal that would end a wait was sent since it began, by a call or by the end of a
    child, and is not known to be delivered yet; or a child is there, whose end sends one.
    """
    sent = any(
        one.target == wait.pid and one.signo in wanted and one.t >= wait.since
        and one.delivered is None and not (one.coalesced or one.lost)
        for one in state.sent
    )  # fmt: skip
    children = (one for one in state.processes.values() if one.parent == wait.pid)
    comes = SIGCHLD in wanted and any(
        one.fate == "alive" or (one.fate == "zombie" and (one.died or 0.0) >= wait.since)
        for one in children
    )
    return sent or comes


def find_circle(moment: CaseMoment, hang: Hang) -> Finding | None:
    """Any other circle that calls alone prove."""
    state = moment.state
    by_tid = {wait.tid: wait for wait in hang.waits}
    for circle in moment.circles:
        if not by_tid.keys() >= set(circle.tids) or len(circle.pids) < 2:
            continue
        if any(one.doubt in _ON_PURPOSE for one in circle.doubts):
            continue
        waits = [by_tid[tid] for tid in circle.tids if tid in by_tid]
        names = moment.name_parties(*circle.pids)
        parts = [
            f"{names.name_thread(one.pid, one.tid)} is in {describe_wait(state, one, moment.now)}"
            for one in waits
        ]
        return moment.make_finding(
            "circle", circle.pids,
            f"{names.join(circle.pids)} wait for each other: {'; '.join(parts[:3])}.",
            "Let one of them go on without the other.",
            waits=hang.waits, objects=(wait.object for wait in waits), doubts=circle.doubts,
            about=",".join(map(str, circle.pids)),
        )  # fmt: skip
    return None


_ON_PURPOSE = frozenset({Doubt.OTHERS_OPEN, Doubt.OTHERS_USE, Doubt.MEMORY, Doubt.POSTER})


def _semaphore_label(state: State, wait: Wait) -> str:
    found = state.semaphores.get(wait.semaphore)
    return f"the semaphore {found.label}" if found is not None else "a semaphore"


def _lock_label(state: State, wait: Wait) -> str:
    if wait.why is Why.SEMAPHORE:
        return _semaphore_label(state, wait)
    if wait.why is Why.LOCK and isinstance(wait.facts, ConflictingLocks):
        return f"the lock on {label_of(state, wait.object)}"
    if isinstance(wait.facts, Asleep) and wait.facts.futex.object:
        return f"a mutex in {label_of(state, wait.facts.futex.object)}"
    if isinstance(wait.facts, Asleep):
        return f"the mutex at {wait.facts.futex.offset:#x}"
    return "a lock"
