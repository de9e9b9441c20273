"""What step mode's events change: who is held, where in its source, and who moves."""

from __future__ import annotations

import msgspec

from ipcviz.events import Held, Located, Poised, Released, Settled, Stepped
from ipcviz.model.draft import Draft
from ipcviz.model.ledger.resting import apply_rest, forget_rest
from ipcviz.model.mechanisms import wakes

replace = msgspec.structs.replace


def apply_held(draft: Draft, event: Held) -> None:
    """Everything is held from here on."""
    draft.stepping = True


def apply_released(draft: Draft, event: Released) -> None:
    """Everything runs by itself from here on."""
    draft.stepping = False
    draft.moving = 0
    forget_rest(draft)
    for thread in draft.threads.values():
        if thread.poised is not None:
            draft.store_thread(replace(thread, poised=None, state="R", source=None))


def apply_poised(draft: Draft, event: Poised) -> None:
    """A thread is held, and this is what it will do."""
    thread = draft.ensure_thread(event.tid, event.pid)
    if event.at == "return" and thread.waiting is not None:
        thread = wakes.note_woken(draft, thread, event.t)
    draft.store_thread(
        replace(thread, poised=event, state="t", waiting=None, wchan="", source=None)
    )


def apply_stepped(draft: Draft, event: Stepped) -> None:
    """A thread was let go."""
    draft.step = event.step
    draft.moving = draft.moved = event.tid
    thread = draft.threads.get(event.tid)
    if thread is not None:
        draft.store_thread(replace(thread, poised=None, state="R", source=None))


def apply_located(draft: Draft, event: Located) -> None:
    """A thread is at rest on this source line, or none is known of its program."""
    # Neither is noted as changed: the thread has done nothing, it was only asked where it is.
    process = draft.processes.get(event.pid)
    if process is not None and process.fate == "alive":
        draft.processes = draft.processes.set(event.pid, replace(process, located=event))
    thread = draft.threads.get(event.tid)
    if thread is not None and event.file:
        draft.threads = draft.threads.set(event.tid, replace(thread, source=event))


def apply_settled(draft: Draft, event: Settled) -> None:
    """All is at rest."""
    draft.moving = 0
    apply_rest(draft)
