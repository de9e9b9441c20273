"""How sendings and deliveries of signals change the state."""

from __future__ import annotations

from typing import Final

import msgspec

from ipcviz.events import (
    Call,
    Exited,
    HandlerReturned,
    ProcessSample,
    Sent,
    SignalDelivered,
    Taken,
    Waiting,
)
from ipcviz.events.calls import where
from ipcviz.events.signals import LIBRARY_SIGNALS, bit_of
from ipcviz.model.draft import Draft
from ipcviz.model.maps import Map
from ipcviz.model.parts import SignalPart
from ipcviz.model.state import (
    POSIX,
    SENT_KEPT,
    ArmedTimer,
    Handling,
    PastTimer,
    SignalSent,
    State,
    Thread,
)

replace = msgspec.structs.replace

Dispositions = Map[int, Handling]

MASKED: Final = where(lambda call: call.has_argument("mask") and call.waits in ("ready", "signal"))
"""Calls that wait under a signal mask of their own."""

ALL: Final = (1 << 64) - 1
UNBLOCKABLE: Final = 1 << 8 | 1 << 18
"""SIGKILL and SIGSTOP: the kernel leaves them out of every mask."""

FIRST_REAL_TIME = 32
"""The kernel's SIGRTMIN; glibc keeps 32 and 33 to itself.

From here on signals queue (signal(7)).
"""


def can_reach(state: State, thread: Thread, signo: int) -> bool:
    """Whether a signal would do anything to a thread now: it is neither blocked nor ignored."""
    process = state.processes.get(thread.pid)
    how = process.handling.get(signo) if process is not None else None
    bit = bit_of(signo)
    return bool(bit) and not thread.blocked & bit and (how is None or how.action != "ignore")


def let_in_handlers(state: State, thread: Thread) -> set[int]:
    """The signals whose handlers a thread would run: caught, and not blocked.

    Without its C library's own.
    """
    process = state.processes.get(thread.pid)
    caught = (
        {signo for signo, how in process.handling.items() if how.action == "catch"}
        if process is not None
        else set()
    )
    return {
        signo for signo in caught.difference(LIBRARY_SIGNALS) if can_reach(state, thread, signo)
    }


def apply_sent(draft: Draft, sender: int, effect: Sent, began: float) -> None:
    """A signal was sent.

    A standard one that is already on its way to the same target merges with that one.

    The receiver may have taken it before the sender's call returned (`began` is when that was
    entered).
    """
    arrived = next(
        (
            d.t
            for d in reversed(draft.delivered)
            if d.t >= began
            and d.signo == effect.signo
            and d.sender == sender
            and effect.target in (d.pid, d.tid)
        ),
        None,
    )
    target = draft.processes.get(effect.target)
    if (
        arrived is None
        and target is not None
        and target.exit_signal == effect.signo
        and (target.died or 0) >= began
    ):
        arrived = target.died
    if any(s.delivered == arrived and s.signo == effect.signo for s in draft.sent):
        arrived = None
    pending = any(
        s.signo == effect.signo
        and s.target == effect.target
        and s.tid == effect.tid
        and s.delivered is None
        for s in draft.sent
        if not s.coalesced and not s.lost
    )
    record = SignalSent(
        t=draft.t,
        sender=sender,
        target=effect.target,
        tid=effect.tid,
        signo=effect.signo,
        delivered=arrived,
        coalesced=pending and arrived is None and effect.signo < FIRST_REAL_TIME,
    )
    draft.sent = (*draft.sent, record)[-SENT_KEPT:]
    draft.note_change(SignalPart(effect.target, effect.signo))


def apply_taken(draft: Draft, call: Call, effect: Taken) -> None:
    """A call took a pending signal: it is not delivered any more."""
    _note_arrival(
        draft,
        SignalDelivered(
            t=call.t,
            n=call.n,
            pid=call.pid,
            tid=call.tid,
            signo=effect.signo,
            code=effect.code,
            sender=effect.sender,
            sender_name=effect.sender_name,
            action="taken",
            value=effect.value,
            timer=effect.timer,
            overrun=effect.overrun,
        ),
    )
    draft.note_change(SignalPart(call.pid, effect.signo))


def find_targets(draft: Draft) -> set[int]:
    """The processes that were sent what has not arrived yet."""
    return {s.target for s in draft.sent if s.delivered is None and not s.coalesced and not s.lost}


def apply_pending(draft: Draft, seen: ProcessSample) -> None:
    """A look at one of the `targets`: what was sent to it and is pending for none of its threads
    has gone somewhere.
    """
    pid, pending = seen.pid, seen.pending
    for line in seen.threads:
        pending |= line.pending
    draft.sent = tuple(
        (
            replace(s, lost=True)
            if s.target == pid
            and s.delivered is None
            and not s.coalesced
            and not pending & bit_of(s.signo)
            else s
        )
        for s in draft.sent
    )


def apply_end(draft: Draft, event: Exited) -> None:
    """A process ended: by a signal that was sent to it, if that is the one.

    SIGKILL has no delivery of its own.
    """
    for index, record in enumerate(draft.sent):
        if (
            event.signo
            and record.signo == event.signo
            and record.target == event.pid
            and record.delivered is None
        ):
            draft.sent = (
                *draft.sent[:index],
                replace(record, delivered=event.t),
                *draft.sent[index + 1 :],
            )
            return


def _note_arrival(draft: Draft, event: SignalDelivered) -> None:
    """A signal is pending no more: mark the oldest sending that it can be, and the timer that it
    can come from.
    """
    draft.delivered = (*draft.delivered, event)[-SENT_KEPT:]
    for index, record in enumerate(draft.sent):
        if (
            record.signo == event.signo
            and record.delivered is None
            and not record.coalesced
            and (record.target in (event.pid, event.tid) or record.target <= 0)
            and (not event.sender or event.sender == record.sender)
        ):
            found = replace(record, delivered=event.t, lost=False)
            draft.sent = (*draft.sent[:index], found, *draft.sent[index + 1 :])
            break
    _expire_timer(draft, event)


def apply_delivery(draft: Draft, event: SignalDelivered) -> None:
    """A signal reached a thread: it enters the handler, which ends its wait."""
    _note_arrival(draft, event)
    if event.fault is not None:
        draft.store_process(replace(draft.ensure_process(event.pid), fault=event))
    thread = draft.ensure_thread(event.tid, event.pid)
    bit = bit_of(event.signo)
    thread = replace(thread, pending=thread.pending & ~bit)
    if event.action == "handler":
        handling = draft.ensure_process(event.pid).handling.get(event.signo)
        blocked = thread.blocked
        if handling is not None:
            blocked |= handling.mask | (0 if "SA_NODEFER" in handling.flags else bit)
            if "SA_RESETHAND" in handling.flags:
                process = draft.ensure_process(event.pid)
                reset = process.handling.set(
                    event.signo, Handling(action="default", flags=handling.flags)
                )
                draft.store_process(replace(process, handling=reset))
        thread = replace(
            thread,
            handlers=(*thread.handlers, event.signo),
            blocked=blocked,
            own_mask=None,
            waiting=None,
            state="R",
            semaphore="",
            source=None,
        )
    draft.store_thread(thread)
    draft.note_change(SignalPart(event.pid, event.signo))


def _expire_timer(draft: Draft, event: SignalDelivered) -> None:
    """A signal that a timer sent: the timer goes on, or is over."""
    key = (event.pid, POSIX + event.timer if event.timer >= 0 else event.signo)
    timer = draft.timers.get(key)
    if timer is None or event.sender:
        return
    fired = timer.fired + 1 + event.overrun
    if timer.interval:
        due = timer.interval if timer.clock else draft.t + timer.interval
        draft.timers = draft.timers.set(key, replace(timer, due=due, fired=fired))
        return
    if timer.id >= 0:
        draft.timers = draft.timers.set(key, replace(timer, armed=False))
    else:
        draft.timers = draft.timers.delete(key)
    end_timer(draft, key, replace(timer, fired=fired), cancelled=False)


def end_timer(draft: Draft, key: tuple[int, int], timer: ArmedTimer, *, cancelled: bool) -> None:
    """Keep what became of a timer that is armed no more; one that never was armed leaves nothing.

    Args:
        draft: What is changed.
        key: The timer's key in `State.timers`.
        timer: As it was last.
        cancelled: Whether it was disarmed or removed, and did not just expire.
    """
    if not timer.armed:
        return
    past = PastTimer(
        signo=timer.signo,
        since=timer.since,
        step=timer.step,
        over=draft.t,
        over_step=draft.step,
        fired=timer.fired,
        cancelled=cancelled,
    )
    draft.past_timers = draft.past_timers.set(key, past)


def forget_past_timer(draft: Draft, key: tuple[int, int]) -> None:
    """A timer is armed under a key: what became of the one before is told no more."""
    if key in draft.past_timers:
        draft.past_timers = draft.past_timers.delete(key)


def update_handling(known: Dispositions, sampled: ProcessSample) -> Dispositions:
    """Dispositions as SigIgn and SigCgt of /proc/PID/status say; flags and masks stay where the
    action agrees.

    A zombie's status shows none, and tells nothing.
    """
    if sampled.state in "ZX":
        return known
    for signo, how in known.items():
        if how.action == "default":
            # Reset by the kernel when its handler began (SA_RESETHAND), which /proc may not show
            # yet.
            continue
        bit = bit_of(signo)
        if not (sampled.ignored if how.action == "ignore" else sampled.caught) & bit:
            known = known.delete(signo)
    ignored = sampled.ignored
    left = ignored | sampled.caught
    while left:
        bit = left & -left
        left ^= bit
        signo = bit.bit_length()
        if signo not in known:
            known = known.set(signo, Handling(action="ignore" if ignored & bit else "catch"))
    return known


def borrow_mask(event: Waiting, thread: Thread) -> Thread:
    """A thread that sleeps in a call: the mask that it was given with holds for as long as that
    lasts (sigsuspend(2)).

    `own_mask` of its arguments is the thread's at the entry; None if nobody looked then.
    """
    mask = event.get_number("mask")
    if event.call not in MASKED or mask is None:
        return thread
    return replace(thread, blocked=mask & ALL & ~UNBLOCKABLE, own_mask=event.get_number("own_mask"))


def restore_own_mask(thread: Thread) -> Thread:
    """A thread whose call is over."""
    return (
        replace(thread, blocked=thread.own_mask, own_mask=None)
        if thread.own_mask is not None
        else thread
    )


def apply_handler_return(draft: Draft, event: HandlerReturned) -> None:
    """A handler is left: the mask is what it was before."""
    thread = draft.ensure_thread(event.tid, event.pid)
    draft.store_thread(replace(thread, handlers=thread.handlers[:-1], blocked=event.blocked))


def sent_and_pending(state: State, pid: int, signo: int) -> int:
    """How many sendings of a pending signal are still to come, or, of a standard one, come as one;
    as far as seen.
    """
    found = [
        s
        for s in state.sent
        if s.target == pid and s.signo == signo and s.delivered is None and not s.lost
    ]
    first = next((s.t for s in found if not s.coalesced), None)
    return sum(s.t >= first for s in found) if first is not None else 0
