"""Returns from system calls: what moved, what changed, and what is to be looked at for it."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from ipcviz.events import AnyEffect, Call, Closed, Duplicated, Sent, Uses
from ipcviz.events.arguments import flag_in
from ipcviz.events.calls import BIRTHS, where
from ipcviz.events.kinds import BY_PATH
from ipcviz.kernel import procfs, ptrace, queues, sockets
from ipcviz.model.ledger.directions import NOWHERE
from ipcviz.tracer.calls import remainders
from ipcviz.tracer.calls.decode import decode_results
from ipcviz.tracer.calls.effects import Effects, Returned
from ipcviz.tracer.calls.messages import WITH_HEADERS, MessageHeader, facts_of, read_messages
from ipcviz.tracer.calls.names import with_names
from ipcviz.tracer.calls.plans import NAMES, errno_name
from ipcviz.tracer.calls.table import NO_RETURN
from ipcviz.tracer.calls.watched import READY, read_ready
from ipcviz.tracer.context import Context
from ipcviz.tracer.exchanges import EXCHANGES
from ipcviz.tracer.sampling.sampler import Sampler
from ipcviz.tracer.stops import escape, handlers, payload
from ipcviz.tracer.stops.accesses import AccessStops
from ipcviz.tracer.stops.consequences import Consequences
from ipcviz.tracer.stops.fifos import Fifos
from ipcviz.tracer.stops.mend import RESTART_CODES, Mending
from ipcviz.tracer.stops.outcomes import RESUME, RESUMED, Outcome, made, resume_then
from ipcviz.tracer.stops.semaphores import SemaphoreStops
from ipcviz.tracer.stops.senders import TAKERS, read_effects
from ipcviz.tracer.tasks import Entered, Task

EINTR: Final = 4
_TO_ADDRESS: Final = where(lambda call: call.on == "socket" and call.find_argument("buf") >= 0)
"""Calls that send to an address or tell one, of which effects follow."""


class Exits:
    """What came of calls that have returned.

    Args:
        context: The session's.
        sampler: Is told what calls bring to light.
        semaphores: Is told where semaphores may lie now.
        accesses: Is told where variables may lie now.
        mending: Puts together what was made in parts.
        handle_stop: Handles a stop of another thread (its id, the status of waitpid) while one is
            at the entry or the return of a call.
    """

    def __init__(
        self,
        context: Context,
        sampler: Sampler,
        semaphores: SemaphoreStops,
        accesses: AccessStops,
        mending: Mending,
        handle_stop: Callable[[int, int], None],
    ) -> None:
        self._context = context
        self._sampler = sampler
        self._semaphores = semaphores
        self._mending = mending
        self._handle_stop = handle_stop
        self._now = context.emitter.now
        self._data_bytes = context.config.data_bytes
        self._moving = context.moving
        self._exchanges = context.exchanges
        self.fifos = Fifos(context, handle_stop)
        self._consequences = Consequences(context, sampler, semaphores, accesses)
        self._effects = Effects(
            context.next_ofd,
            context.object_of,
            lambda pid: tuple(context.state.descriptors_of(pid)),
            context.same_as,
            context.under_way,
            context.is_unbound,
            sampler.mappings.is_shared,
            sampler.mappings.length_at,
        )

    def handle_return(self, task: Task, info: ptrace.SyscallInfo) -> Outcome:
        """A thread stands at the return of a call."""
        entered, task.entered = task.entered, None
        if entered is None:
            return RESUME
        name = entered.name
        if name in BIRTHS:
            escape.restore_flag(task.tid, self._context.arch, entered)
            return RESUME
        if name in NO_RETURN:
            # What looks like its result is a register of the code that the handler had interrupted.
            return resume_then(handlers.leave_handler(self._context, task))
        result = info.result
        code = -result if info.is_error else 0
        if entered.path:
            if not code:
                self._semaphores.handle_load(task, entered.path, result, entered.raw[5])
            return RESUME
        if entered.mended:
            whole = self._mending.handle_return(task, entered, result)
            if whole is None or not entered.told:
                return RESUME
            result, code = whole, max(-whole, 0)
        elif code:
            if code in RESTART_CODES:
                task.interrupted = (entered, code)
                return RESUME
            if code == EINTR:
                task.deferred = (entered, result)
                return RESUME
        elif result > 0 and _may_be_cut(task, entered, result):
            task.deferred = (entered, result)
            return RESUME
        return self._conclude_call(task, entered, result, code)

    def emit_return(self, task: Task, entered: Entered, result: int, code: int) -> None:
        """Emit that a call returned `result`, or failed with error number `code` (0 if it did not
        fail), of a thread that is not at that return, or stays there.
        """
        self._conclude_call(task, entered, result, code).finish()

    def emit_held_back(self, task: Task, held: tuple[Entered, int]) -> None:
        """A call that was held back until its signal was known has returned after all."""
        entered, result = held
        if entered.told:
            self.emit_return(task, entered, result, 0 if result >= 0 else -result)

    def handle_returns(self, tids: Iterable[int]) -> None:
        """Handle the returns that are there already of calls whose order with another one would be
        in doubt.
        """
        for tid in tids:
            came = ptrace.wait_for_change(tid)
            if came is not None and came[0] == tid:
                self._handle_stop(*came)

    def _conclude_call(self, task: Task, entered: Entered, result: int, code: int) -> Outcome:
        """Read what came of a call while its thread stands still; what is left is `after`."""
        moves = entered.ends is not NOWHERE
        moved = 0
        if moves and result > 0 and not code:
            moved = 0 if flag_in(entered.args, "MSG_PEEK") else result
            if moved and entered.ends.source:
                # The writes that these bytes came from, if they have returned meanwhile, come
                # first.
                self.handle_returns(self._moving.writes_before(task.tid, moved))
        elif self._exchanges.under_way and entered.name in EXCHANGES:
            self._exchanges.end_call(task.tid)
            if not code and (sends := self._exchanges.sends_before(task.tid, entered)):
                # Those that this call took something from come first.
                self.handle_returns(sends)
                self._exchanges.emit_sends(sends, self._now())
        effects: tuple[AnyEffect, ...] = ()
        data = payload.read_moved(task.tid, entered, result, self._data_bytes) if not code else b""
        if not entered.plain:
            effects = self._effects_of(task, entered, result, code)
            effects = self.fifos.complete_effects(task, entered, code, effects)
        else:
            if moves and self.fifos:
                self.fifos.check_opens(key for key in entered.ends if key)
            if entered.name in _TO_ADDRESS and entered.raw[4] and not code:
                effects = self._effects.read_addressed(
                    task.process.pid, task.tid, entered.name, entered.raw, entered.args
                )
        t = self._now()
        slept = self._moving.end_call(task.tid, moved, t) if moves else 0.0
        follows = not (code or entered.plain) and self._consequences.has_consequences(entered)
        tell = partial(
            self.emit_call, task, entered, result, code, data, effects, t, slept, follows
        )
        if follows and self._consequences.needs_standstill(entered, effects):
            tell()
            return RESUME
        return made(Outcome, (RESUMED, 0, tell))

    def emit_call(
        self,
        task: Task,
        entered: Entered,
        result: int,
        code: int,
        data: bytes,
        effects: tuple[AnyEffect, ...],
        t: float,
        slept: float = 0.0,
        follows: bool = False,
    ) -> None:
        """Emit a call, with what it returned and changed, and look at what follows from it."""
        self._context.emit(
            Call(
                t=t,
                pid=task.process.pid,
                tid=task.tid,
                name=entered.name,
                began=entered.began,
                args=entered.args,
                ret=-1 if code else result,
                error=errno_name(code) if code else "",
                object=entered.object,
                data=data,
                effects=effects,
                slept=slept,
            )
        )
        if self._moving.contended:
            self.read_contended()
        if follows:
            self._consequences.handle_success(task, entered, result, effects)
        elif code:
            self._consequences.handle_failure(task, entered, code)

    def read_contended(self) -> None:
        """Read the levels of pipes that long writes are under way on, some bytes of which were
        read: so it is seen whether they take turns. Step mode knows without.
        """
        keys = tuple(self._moving.contended)
        self._moving.contended.clear()
        if not self._context.holding:
            self._sampler.levels_now(keys)

    def _read_behind(self, pid: int, entered: Entered) -> dict[str, str]:
        """What is behind a name that a UNIX socket was not bound to, as `behind`: `nothing` if no
        socket that lives has it; nothing is said where it can't be known.
        """
        thing = self._context.state.objects.get(entered.object)
        path = str(entered.args.get("address", ""))
        if thing is None or thing.info.kind not in BY_PATH or path.startswith("@"):
            return {}
        if not procfs.same_namespace(pid, "net") or sockets.is_name_used(path):
            return {}
        return {"behind": "nothing"}

    def _effects_of(
        self, task: Task, entered: Entered, result: int, code: int
    ) -> tuple[AnyEffect, ...]:
        """What a call changed that has returned `result`, or failed with error number `code`."""
        process = task.process
        effects: tuple[AnyEffect, ...] = ()
        messages: tuple[MessageHeader, ...] = ()
        if entered.name in WITH_HEADERS and not code:
            messages = tuple(read_messages(task.tid, entered.name, entered.raw, result))
            entered.args.update(facts_of(task.tid, entered.name, entered.raw, messages))
        key = entered.object
        call = Returned(
            process.pid, task.tid, entered.name, entered.raw, entered.args, result, key, messages
        )
        if not code:
            effects = self._effects.read_effects(call)
            if entered.name in TAKERS:
                effects = (*effects, *read_effects(self._context, task, entered, result))
            if entered.name in NAMES:
                effects = with_names(
                    process.pid, entered.name, entered.args, (*effects, *entered.losing)
                )
            entered.args.update(
                self._context.numbers.translate_results(
                    process.pid, decode_results(task.tid, entered.name, entered.raw)
                )
            )
            if entered.name in READY:
                entered.args.update(read_ready(task.tid, entered.name, entered.raw, result))
            if (
                entered.object.startswith("msg:")
                and entered.object not in self._context.state.objects
            ):
                # Its id is older than the watch: made before, or known from somewhere else.
                number = int(entered.object.removeprefix("msg:"))
                known = queues.message_queues().get(number)
                if known is not None:
                    effects = (Uses(object=queues.identify_queue(number, known.key)), *effects)
        elif entered.name == "connect" and code == errno.EINPROGRESS:
            effects = self._effects.read_effects(call)  # it has its addresses already
        elif entered.name == "bind" and code == errno.EADDRINUSE:
            entered.args.update(self._read_behind(process.pid, entered))
        elif entered.name == "close" and code != 9:
            # The descriptor is gone even if close(2) reports an error, unless that is EBADF.
            effects = self._effects.read_effects(call)
        effects = (
            *effects,
            *self._sampler.locks.read_effects(
                process.pid, entered.name, entered.raw, entered.object, effects
            ),
        )
        if not process.full and self._closes_used(process.pid, effects):
            # Its last bytes can be laid to what it used only before the descriptor is gone from the
            # state.
            self._sampler.process_now(process.pid)
        if effects and any(isinstance(effect, Sent) for effect in effects):
            self._sampler.request_full_sample()
        return effects

    def _closes_used(self, pid: int, effects: tuple[AnyEffect, ...]) -> bool:
        rows = self._context.state.descriptors_of(pid)
        gone = (rows.get(e.fd) for e in effects if isinstance(e, Closed | Duplicated))
        return any(descriptor is not None and descriptor.used for descriptor in gone)


def _may_be_cut(task: Task, entered: Entered, result: int) -> bool:
    """Whether a signal that is about to be delivered may be why a call returned only a part of
    what it could.
    """
    return (
        remainders.may_be_cut(entered.name, entered.raw, result)
        # By far the most reads that return less than they may are those of pipes, and never for
        # that reason.
        and not (entered.name == "read" and entered.object.startswith("pipe:"))
        and ptrace.has_pending(task.tid)
    )
