"""How sendings and deliveries of signals change the state."""

from __future__ import annotations

import immutables
import msgspec

from ipcviz.events import HandlerReturned, ProcessSample, Sent, SignalDelivered
from ipcviz.model.draft import Draft
from ipcviz.model.state import POSIX, SENT_KEPT, Handling, SignalSent

replace = msgspec.structs.replace

Dispositions = immutables.Map[int, Handling]

FIRST_REAL_TIME = 32
"""The kernel's SIGRTMIN; glibc keeps 32 and 33 to itself. From here on signals queue (signal(7))."""


def take_sent(draft: Draft, sender: int, effect: Sent, began: float) -> None:
    """A signal was sent. A standard one that is already on its way to the same target merges with that one.

    The receiver may have taken it before the sender's call returned (`began` is when that was entered).
    """
    arrived = next(
        (
            d.t
            for d in reversed(draft.delivered)
            if d.t >= began and d.signo == effect.signo and d.sender == sender and effect.target in (d.pid, d.tid)
        ),
        None,
    )
    if any(s.delivered == arrived and s.signo == effect.signo for s in draft.sent):
        arrived = None
    pending = any(
        s.signo == effect.signo and s.target == effect.target and s.tid == effect.tid and s.delivered is None
        for s in draft.sent
        if not s.coalesced
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
    draft.note("signal", effect.target, effect.signo)


def take_delivery(draft: Draft, event: SignalDelivered) -> None:
    """A signal reached a thread: mark the oldest sending that it can be, enter the handler, end the wait."""
    draft.delivered = (*draft.delivered, event)[-SENT_KEPT:]
    if event.fault is not None:
        draft.put_process(replace(draft.process(event.pid), fault=event))
    for index, record in enumerate(draft.sent):
        if (
            record.signo == event.signo
            and record.delivered is None
            and not record.coalesced
            and (record.target in (event.pid, event.tid) or record.target <= 0)
            and (not event.sender or event.sender == record.sender)
        ):
            draft.sent = (*draft.sent[:index], replace(record, delivered=event.t), *draft.sent[index + 1 :])
            break
    _expired(draft, event)
    thread = draft.thread(event.tid, event.pid)
    bit = 1 << (event.signo - 1)
    thread = replace(thread, pending=thread.pending & ~bit)
    if event.action == "handler":
        handling = draft.process(event.pid).handling.get(event.signo)
        blocked = thread.blocked
        if handling is not None:
            blocked |= handling.mask | (0 if "SA_NODEFER" in handling.flags else bit)
        thread = replace(
            thread, handlers=(*thread.handlers, event.signo), blocked=blocked, waiting=None, state="R", semaphore=""
        )
    draft.put_thread(thread)
    draft.note("signal", event.pid, event.signo)


def _expired(draft: Draft, event: SignalDelivered) -> None:
    """A signal that a timer sent: the timer goes on, or is over."""
    key = (event.pid, POSIX + event.timer if event.timer >= 0 else event.signo)
    timer = draft.timers.get(key)
    if timer is None or event.sender:
        return
    if timer.interval:
        due = timer.interval if timer.clock else draft.t + timer.interval
        draft.timers = draft.timers.set(key, replace(timer, due=due))
    elif timer.id >= 0:
        draft.timers = draft.timers.set(key, replace(timer, armed=False))
    else:
        draft.timers = draft.timers.delete(key)


def seen_handling(known: Dispositions, sampled: ProcessSample) -> Dispositions:
    """Dispositions as SigIgn and SigCgt of /proc/PID/status say; flags and masks stay where the action agrees.

    A zombie's status shows none, and tells nothing.
    """
    if sampled.state in "ZX":
        return known
    for signo, how in known.items():
        bit = 1 << (signo - 1)
        if not (sampled.ignored if how.action == "ignore" else sampled.caught) & bit:
            known = known.delete(signo)
    ignored, caught = sampled.ignored, sampled.caught
    for signo in range(1, 65):
        bit = 1 << (signo - 1)
        if (ignored | caught) & bit and signo not in known:
            known = known.set(signo, Handling(action="ignore" if ignored & bit else "catch"))
    return known


def take_handler_return(draft: Draft, event: HandlerReturned) -> None:
    """A handler is left: the mask is what it was before."""
    thread = draft.thread(event.tid, event.pid)
    draft.put_thread(replace(thread, handlers=thread.handlers[:-1], blocked=event.blocked))
