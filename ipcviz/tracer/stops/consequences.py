"""What else is known from a call that succeeded: what is to be looked at, and where breakpoints
belong now.
"""

from __future__ import annotations

import errno
from typing import Final

from ipcviz.events import AnyEffect, Opened
from ipcviz.events.arguments import number_in, text_in
from ipcviz.events.calls import FOR_CHILD, having
from ipcviz.events.kinds import KEPT, MET, REACHED
from ipcviz.model.ledger.directions import is_channel
from ipcviz.tracer.context import Context
from ipcviz.tracer.sampling.families import AFTER as RARE
from ipcviz.tracer.sampling.families import emit_reaped
from ipcviz.tracer.sampling.notifiers import AFTER
from ipcviz.tracer.sampling.sampler import Sampler
from ipcviz.tracer.stops.accesses import AccessStops
from ipcviz.tracer.stops.semaphores import SemaphoreStops
from ipcviz.tracer.tasks import Entered, Task

WITHOUT: Final = having("unfollowed")
"""Frequent calls that have none."""

FREE: Final = having("followed running")
"""Frequent calls that are followed up as well while their thread runs on."""


MAPS: Final = having("maps")
_NAMESPACES: Final = having("namespaces")


class Consequences:
    """Follows up on calls that have returned without an error.

    Args:
        context: The session's.
        sampler: Is told what calls bring to light.
        semaphores: Is told of mappings and of the handling of SIGTRAP.
        accesses: Is told of mappings.
    """

    def __init__(
        self,
        context: Context,
        sampler: Sampler,
        semaphores: SemaphoreStops,
        accesses: AccessStops,
    ) -> None:
        self._context = context
        self._accesses = accesses
        self._sampler = sampler
        self._semaphores = semaphores

    def has_consequences(self, entered: Entered) -> bool:
        """Whether something else may be known from a call."""
        if entered.name != "close":
            return not entered.plain and entered.name not in WITHOUT
        # That of a semaphore's file ends sem_open.
        thing = self._context.state.objects.get(entered.object)
        return thing is not None and thing.info.kind in KEPT

    @staticmethod
    def needs_standstill(entered: Entered, effects: tuple[AnyEffect, ...]) -> bool:
        """Whether the thread has to stand still at the return while `handle_success` looks."""
        if entered.name not in FREE:
            return True
        return any(isinstance(effect, Opened) and effect.object.kind in MET for effect in effects)

    def handle_success(
        self, task: Task, entered: Entered, result: int, effects: tuple[AnyEffect, ...]
    ) -> None:
        """What else is known from a call that succeeded."""
        name = entered.name
        self._semaphores.after_call(task, entered, result, effects)
        if self._accesses.active and name in MAPS:
            self._accesses.locate_variables(task.process)
        for effect in effects:
            if isinstance(effect, Opened) and is_channel(effect.object):
                self._context.moving.touch_channel(effect.object.key)
                if "direct" in effect.flags:
                    self._context.moving.packets.add(effect.object.key)
                if effect.object.kind in REACHED:
                    # Others may have had it open before: whether it is empty is asked at once.
                    self._sampler.levels_now((effect.object.key,))
        if name == "rt_sigaction" and self._semaphores.in_the_way(effects):
            self._semaphores.stand_aside(task)
        if name in FOR_CHILD and result >= 0:
            emit_reaped(self._context, task, entered, result)
        elif name in RARE:
            task.process.nests |= name in _NAMESPACES
            self._sampler.families.emit_process(task.process.pid)
        elif name in AFTER:
            self._note_notifier(task, entered, result)

    def handle_failure(self, task: Task, entered: Entered, code: int) -> None:
        """What else is known from a call that failed with an error number."""
        if code == errno.ENOSPC and entered.name == "perf_event_open":
            self._accesses.tell_taken(task)

    def _note_notifier(self, task: Task, entered: Entered, result: int) -> None:
        """A call made or changed a descriptor that tells of events."""
        number = number_in(entered.args, "fd")
        fd = number if number is not None and number >= 0 else result
        if entered.name == "inotify_add_watch":
            path = text_in(entered.args, "path")
            self._sampler.notifiers.know_path(task.process.pid, fd, result, path)
        self._sampler.notifiers.emit_after_call(task.process.pid, entered.name, fd)
