"""Who has woken whom, where the kernel does not say it: semop(2) and wakes of shared futexes. Pure.

A call that can wake others is noted at each thread that may be one of them. A thread that comes
back was woken by it for certain if there is no other such call. So who waits has a list:

    a    asleep            | a wake by b may be it | comes back: b it was
    c    asleep            | it may be this one    | it is not: there was one wake, and a took it
    b          wakes one   |
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from ipcviz.events import Call, Futex
from ipcviz.events.arguments import number_in, text_in
from ipcviz.events.calls import CHANGES_SEMAPHORES
from ipcviz.model.draft import Draft
from ipcviz.model.mechanisms.system_v import parse_operations
from ipcviz.model.query import mapping_at
from ipcviz.model.state import CallInProgress, State, Thread, Wake

replace = msgspec.structs.replace

CALLS: Final = CHANGES_SEMAPHORES | {"futex"}
"""Calls that wake others, or that others wake."""
_WAKES: Final = frozenset({"FUTEX_WAKE", "FUTEX_WAKE_BITSET"})
_MOST: Final = 8
"""Wakes that are noted at one thread; more are told apart as little as two."""
_ALL: Final = 1 << 31
"""How many a change to 0 can wake: all who wait for it."""
UNKNOWN: Final = Wake()
"""Stands for wakes of which it is not known whom they woke."""


def find_wake(waiting: CallInProgress | None) -> Wake | None:
    """What has woken a thread that comes back from a call; None if that is not known.

    Of several wakes by one process the number is not known, and is 0.
    """
    wakes = waiting.wakes if waiting is not None else ()
    if not wakes or len({wake.pid for wake in wakes}) > 1 or not wakes[0].pid:
        return None
    return wakes[0] if len(wakes) == 1 else Wake(pid=wakes[0].pid)


def note_woken(draft: Draft, thread: Thread, t: float) -> Thread:
    """A thread comes back at `t`, in session seconds: the thread with what has woken it, if another
    process has for certain. Ask it before its wait is forgotten.
    """
    call = thread.waiting
    found = find_wake(call)
    if found is None or not found.pid:
        found = _find_post(draft, thread)
    if found is None or found.pid == thread.pid or (call is None and not thread.semaphore):
        return thread
    keys = {wake.key for wake in call.wakes} if call is not None else set()
    key = found.key or (keys.pop() if len(keys) == 1 else "")
    return replace(thread, woken=replace(found, step=draft.step, key=key, t=t))


def _find_post(draft: Draft, thread: Thread) -> Wake | None:
    """The post of the POSIX semaphore that a thread sleeps for, if there was but one since it was
    at 0.
    """
    found = draft.semaphores.get(thread.semaphore)
    if found is None or found.last_op != "post" or found.value != 1:
        return None
    return Wake(found.last_pid, key=thread.semaphore)


def is_between_processes(futex: Futex | None) -> bool:
    """Whether other processes can wake who sleeps on a futex, and it is no semaphore, whose
    operations are told by themselves.
    """
    if futex is None:
        return False
    return bool(futex.object) and not futex.private and futex.kind != "semaphore"


def sleeps_for_others(thread: Thread | None) -> bool:
    """Whether a thread sleeps on such a futex."""
    call = thread.waiting if thread is not None else None
    if thread is None or call is None or thread.semaphore:
        return False
    return is_between_processes(call.futex)


def list_woken_by(state: State, call: Call) -> list[Thread]:
    """The threads of other processes that a wake of a shared futex may have woken."""
    keys = _list_futex_wakes(state, call)
    return [
        thread
        for thread in state.threads.values()
        if thread.pid != call.pid
        and sleeps_for_others(thread)
        and thread.waiting is not None
        and thread.waiting.futex is not None
        and thread.waiting.futex.key in keys
    ]


def apply_call(draft: Draft, event: Call) -> None:
    """A call has returned that may have woken others, or that others have woken; the state is that
    before its return.
    """
    if event.error:
        return
    state = draft.base
    thread = state.threads.get(event.tid)
    if event.name == "futex":
        wakes = _list_futex_wakes(state, event)
        taken: Iterable[tuple[str, int]] = ()
        if thread is not None and thread.waiting is not None and thread.waiting.futex is not None:
            taken = ((thread.waiting.futex.key, 1),)
    else:
        changes = _list_changes(event)
        wakes = {key: change for key, change in changes if change > 0}
        wakes |= {_name_zero(key): _ALL for key, change in changes if change < 0}
        taken = [(key, -change) for key, change in changes if change < 0]
    woken_by = find_wake(thread.waiting) if thread is not None else None
    for key, count in taken:
        _settle_wakes(draft, event, key, count, woken_by)
    if wakes:
        _note_wakes(draft, event, wakes)


def _list_futex_wakes(state: State, call: Call) -> dict[str, int]:
    """How many a wake has woken, by the key of the futex; empty if it is none, or wakes none of
    another process.
    """
    operation = call.get_text("op")
    if operation not in _WAKES or call.ret <= 0:
        return {}
    address = int(call.get_text("address") or "0", 16)
    entry = mapping_at(state, call.pid, address)
    if entry is None or not entry.shared:
        return {}
    return {f"futex:{entry.object.key}:{entry.offset + address - entry.start}": call.ret}


def _list_changes(call: Call) -> list[tuple[str, int]]:
    """What a semop does: the semaphores' keys, and what is added to each."""
    prefix = f"sysv:{call.args.get('id')}:"
    found = parse_operations(call.get_text("ops"))
    return [(f"{prefix}{operation.number}", operation.change) for operation in found]


def _name_zero(key: str) -> str:
    return f"{key} is 0"


def _list_wanted(waiting: CallInProgress) -> frozenset[str]:
    """What a thread waits for, as `_note_wakes` names it."""
    if waiting.futex is not None:
        return frozenset({waiting.futex.key})
    if waiting.name not in CHANGES_SEMAPHORES:
        return frozenset()
    prefix = f"sysv:{number_in(waiting.args, 'id')}:"
    wanted = set()
    for operation in parse_operations(text_in(waiting.args, "ops")):
        key = f"{prefix}{operation.number}"
        if operation.change <= 0:
            wanted.add(key if operation.change else _name_zero(key))
    return frozenset(wanted)


def _note_wakes(draft: Draft, event: Call, wakes: Mapping[str, int]) -> None:
    """Note a call at each thread that it may have woken."""
    for thread in draft.threads.values():
        waiting = thread.waiting
        if waiting is None or thread.tid == event.tid:
            continue
        for key in _list_wanted(waiting) & wakes.keys():
            wake = Wake(event.pid, event.n, draft.step, key, wakes[key])
            known = waiting.wakes if len(waiting.wakes) < _MOST else (UNKNOWN,)
            waiting = replace(waiting, wakes=(*known, wake))
        if waiting is not thread.waiting:
            draft.store_thread(replace(thread, waiting=waiting))


def _settle_wakes(draft: Draft, event: Call, key: str, count: int, woken_by: Wake | None) -> None:
    """Somebody came back, or did not have to wait: what woke that one has woken no other.

    Args:
        draft: The draft.
        event: The call that returned.
        key: What it was about.
        count: How much of it was taken.
        woken_by: What has woken it; None if that is not known.
    """
    for thread in draft.threads.values():
        waiting = thread.waiting
        if waiting is None or thread.tid == event.tid or not waiting.wakes:
            continue
        wakes = waiting.wakes
        if woken_by is not None and woken_by.n:
            wakes = tuple(
                replace(wake, left=wake.left - count) if (wake.n, wake.key) == (woken_by.n, key)
                else wake
                for wake in wakes
            )  # fmt: skip
            wakes = tuple(wake for wake in wakes if wake.left > 0)
        elif any(wake.key == key for wake in wakes):
            # It may have been any of them.
            wakes = (UNKNOWN,)
        if wakes != waiting.wakes:
            draft.store_thread(replace(thread, waiting=replace(waiting, wakes=wakes)))
