"""Messages, counters and TCP connections, of which no ledger is kept: a receive is told after the
send that it took.

Both calls can be over at the same moment, and the stops come in any order. So before a receive is
said to have returned, the returns of sends to the same object that are there already are taken; of
one that is still under way and may have put in what was received, `Entered` is said first.
`tracer.moving` does the same, and more, for pipes and UNIX streams, except where ipcviz attached:
there they are exchanges like others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ipcviz.events import Entered
from ipcviz.events.arguments import text_in
from ipcviz.events.calls import CHANGES_SEMAPHORES, where
from ipcviz.events.kinds import PIPES, SOCKETS, having
from ipcviz.model.addresses import takes_datagrams
from ipcviz.model.mechanisms.sockets import target_of
from ipcviz.model.mechanisms.system_v import parse_operations
from ipcviz.model.state import State
from ipcviz.tracer import tasks

PUTS: Final = CHANGES_SEMAPHORES | where(lambda call: call.flow == "puts" and call.on != "pipe")
TAKES: Final = CHANGES_SEMAPHORES | where(lambda call: call.flow == "takes")
EXCHANGES: Final = PUTS | TAKES
"""Calls whose order is seen to here."""
_SHARED: Final = having("pooled")
"""Kinds that all who use one put into and take from: of a socket's two ends each has its own."""
_STREAMS: Final = SOCKETS | PIPES
LOOKS: Final = 8
"""How many sends are looked at when a receive returns."""


def find_inbox(state: State, call: tasks.Entered, *, puts: bool) -> str:
    """Key of the object that a call puts something into, or takes it from; empty if its order is
    not seen to here.
    """
    if call.name in CHANGES_SEMAPHORES:
        changes = [operation.change for operation in parse_operations(text_in(call.args, "ops"))]
        if not any(change > 0 if puts else change <= 0 for change in changes):
            return ""
        return f"sysv:{call.args.get('id')}"
    thing = state.objects.get(call.object)
    if thing is None:
        return ""
    if thing.info.kind not in SOCKETS:
        return thing.info.key if thing.info.kind in _SHARED else ""
    target = target_of(state, thing, call.args) if puts else thing
    return target.info.key if target is not None else ""


class Exchanges:
    """The sends under way, by the object that they put something into.

    Args:
        state: Gives the state after the last event.
        asleep: Whether a thread (process, thread) sleeps.
        say: Emits an event, whose number it gives.
    """

    def __init__(
        self,
        state: Callable[[], State],
        asleep: Callable[[int, int], bool],
        say: Callable[[Entered], None],
    ) -> None:
        self._state = state
        self._asleep = asleep
        self._say = say
        self._sends: dict[str, dict[int, tuple[tasks.Task, tasks.Entered]]] = {}
        self.under_way: dict[int, str] = {}
        """Key of the object that each thread is sending to, by the thread."""

    def begin_call(self, task: tasks.Task, call: tasks.Entered) -> None:
        """A thread is let into one of `EXCHANGES`."""
        if task.tid in self.under_way:
            self.end_call(task.tid)
        key = find_inbox(self._state(), call, puts=True) if call.name in PUTS else ""
        if key:
            self.under_way[task.tid] = key
            self._sends.setdefault(key, {})[task.tid] = (task, call)

    def end_call(self, tid: int) -> None:
        """A thread's call has returned, or will not."""
        key = self.under_way.pop(tid, "")
        if key:
            del self._sends[key][tid]
            if not self._sends[key]:
                del self._sends[key]

    def sends_before(self, tid: int, call: tasks.Entered) -> list[int]:
        """Threads inside sends that what a thread's call has just taken may have come from."""
        if not self._sends or call.name not in TAKES:
            return []
        sends = self._sends.get(find_inbox(self._state(), call, puts=False), {})
        return [other for other in sends if other != tid][:LOOKS]

    def emit_sends(self, tids: list[int], t: float) -> None:
        """Say of those of them that are still inside, and may have sent something, that they are
        under way.
        """
        for tid in tids:
            key = self.under_way.get(tid, "")
            if not key:
                continue
            task, call = self._sends[key][tid]
            thing = self._state().objects.get(key)
            # A message is put in whole, or not yet; of a stream a part can be, and the rest waits
            # for room.
            stream = (
                thing is not None
                and thing.info.kind in _STREAMS
                and not takes_datagrams(thing.info)
            )
            if not stream and self._asleep(task.process.pid, tid):
                continue
            self.end_call(tid)
            if task.entered is not call:
                continue  # its process is only sampled by now, and its return was not stopped at
            self._say(
                Entered(
                    t=t,
                    pid=task.process.pid,
                    tid=tid,
                    call=call.name,
                    began=call.began,
                    args=call.args,
                    object=call.object,
                    data=call.data,
                )
            )
