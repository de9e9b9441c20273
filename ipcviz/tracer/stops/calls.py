"""Stops at system calls: entries, returns, what moved, what changed, and who sleeps in one."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterable
from typing import Final

from ipcviz.events import (
    AnyEffect,
    Call,
    Closed,
    Duplicated,
    Marker,
    Poised,
    Sent,
    Uses,
)
from ipcviz.events.arguments import flag_in
from ipcviz.events.calls import BIRTHS, where
from ipcviz.kernel import futexes, procfs, ptrace, queues, seccomp
from ipcviz.kernel.arch import call_numbers
from ipcviz.kernel.names import key_of
from ipcviz.model.ledger.directions import NOWHERE
from ipcviz.model.mechanisms.signals import MASKED
from ipcviz.model.mechanisms.system_v import semaphore_of
from ipcviz.model.steps.visible import ENDS, is_visible
from ipcviz.tracer.calls import markers, remainders
from ipcviz.tracer.calls.decode import decode_arguments, taken
from ipcviz.tracer.calls.effects import Effects, Returned
from ipcviz.tracer.calls.flags import Word
from ipcviz.tracer.calls.messages import WITH_HEADERS, Message, facts_of, read_messages
from ipcviz.tracer.calls.names import names_lost, with_names
from ipcviz.tracer.calls.plans import NAMES, QUEUE_CALLS, SETS, Plan, errno_name, plans
from ipcviz.tracer.calls.table import (
    ADDRESSED,
    BIRTHS_AND_ENDS,
    KNOWN,
    LOOKUPS,
    NO_RETURN,
    PROT_EXEC,
    UNCOUNTED,
)
from ipcviz.tracer.context import Context
from ipcviz.tracer.exchanges import EXCHANGES
from ipcviz.tracer.moving import Move
from ipcviz.tracer.sampling.notifiers import tells_more
from ipcviz.tracer.sampling.sampler import Sampler, queue_key
from ipcviz.tracer.stops import confinement, escape, foretold, handlers, linking, payload
from ipcviz.tracer.stops.confinement import Verdict
from ipcviz.tracer.stops.consequences import Consequences
from ipcviz.tracer.stops.fifos import MAKES, Fifos
from ipcviz.tracer.stops.loader import is_loading
from ipcviz.tracer.stops.mend import RESTART_CODES, Mending
from ipcviz.tracer.stops.semaphores import SemaphoreStops
from ipcviz.tracer.stops.senders import TAKERS, told_by
from ipcviz.tracer.stops.waits import Waits
from ipcviz.tracer.tasks import Entered, Task, TracedProcess

EINTR: Final = 4
_TO_ADDRESS: Final = where(lambda call: call.on == "socket" and call.index("buf") >= 0)
"""Calls that send to an address or tell one, of which effects follow."""


class CallStops:
    """Says which calls threads make and what came of them.

    Args:
        context: The session's.
        sampler: Is told what calls bring to light.
        semaphores: Is told when a wait is over.
    """

    def __init__(self, context: Context, sampler: Sampler, semaphores: SemaphoreStops) -> None:
        self._context = context
        self._sampler = sampler
        self._semaphores = semaphores
        self._plans = plans(context.names, ledger=not context.attached)
        self._restart = call_numbers(context.arch.table)["restart_syscall"]
        self._futex = call_numbers(context.arch.table)["futex"]
        self._sigaction = call_numbers(context.arch.table)["rt_sigaction"]
        self._uncounted = frozenset(
            n for n, name in context.names.items() if name in UNCOUNTED or name in confinement.CALLS
        )
        self._no_return = frozenset(n for n, name in context.names.items() if name in NO_RETURN)
        self._confining = frozenset(
            call_numbers(context.arch.table)[name] for name in confinement.CALLS
        )
        self.mending = Mending(context)
        self.waits = Waits(context, sampler, semaphores)
        self.fifos = Fifos(context, lambda tid, status: self.take_stop(tid, status))
        self._moving = context.moving
        self._exchanges = context.exchanges
        self._consequences = Consequences(context, sampler, semaphores)
        self.take_stop: Callable[[int, int], None] = lambda tid, status: None
        """Takes a stop of another thread (its id, the status of waitpid) while one is at the entry
        of a call.
        """
        self.go: Callable[[Task], None] = lambda task: None
        """Lets a thread go on before what it did is said, once nothing more is asked of it."""
        self.let_in: Callable[[Task], None] = lambda task: None
        """Lets a thread into its call, to stop again at the return, before what it is about is
        looked at.
        """
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

    def forget(self, tid: int) -> None:
        """A thread is gone, or runs another program: it is inside no call."""
        self.waits.forget(tid)
        self.fifos.ended(tid)
        self._exchanges.end(tid)
        cut = self._moving.cut(tid)
        if cut:
            self._sampler.levels_now(cut)
        task = self._context.tasks.get(tid)
        if task is not None:
            entered, task.entered = task.entered, None
            if (
                entered
                and entered.told
                and entered.inside
                and entered.args.get("signal") == "SIGKILL"
            ):
                self.returned(task, entered, 0, 0)  # it has killed itself, and so never returns

    def watch(self, task: Task) -> None:
        """A thread goes on inside its call, or is let in: `Waits.announce` is to look at it."""
        entered = task.entered
        if entered is None or entered.inside or not entered.told:
            if entered is None or entered.told:
                self.waits.watch(task)
            return
        if entered.ends is not NOWHERE:
            self._take_returns(self._moving.siblings(entered.ends))
            entered.began = self._context.emitter.now()
        self._inside(task, entered)

    def _inside(self, task: Task, entered: Entered) -> None:
        """A thread has been let into its call."""
        self.waits.watch(task)
        entered.inside = True
        if entered.ends is not NOWHERE:
            pid, tid, name, key = task.process.pid, task.tid, entered.name, entered.object
            self._moving.begin(
                Move(pid, tid, name, entered.args, key, entered.data, entered.began, entered.ends)
            )
        elif entered.name in EXCHANGES:
            self._exchanges.begin(task, entered)

    def at_mark(self, task: Task) -> bool:
        """A thread stands at the entry of a marked call. Returns whether it goes on already."""
        info = ptrace.syscall_info(task.tid)
        entered = task.entered
        if info is None:
            return False
        if info.data != seccomp.MARK or info.number in self._confining:
            return self._confine(task, info)
        if entered is None or info.number not in (entered.number, entered.making):
            return self._enter(task, info)
        return False

    def pass_by(self, task: Task) -> bool:
        """Count the marked call that a thread stands at, of a process that makes too many of them
        to look at each.

        Returns:
            Whether it goes on already; else the call is to be looked at all the same.
        """
        process = task.process
        busy = task.entered is not None or task.interrupted is not None or task.deferred is not None
        if busy or task.semaphore or process.linking:
            return False
        found = ptrace.marked_call(task.tid)
        if found is None or found[2] != seccomp.MARK or found[1] in self._uncounted:
            return False
        number = found[1]
        # The first of each kind since they were told last is let in so that it stops at its return:
        # see `at_call`.
        looks = number not in process.counted and number not in self._no_return
        self._count(process, number)
        task.stops = looks
        if looks:
            task.counted = number
        ptrace.resume(task.tid, ptrace.SYSCALL if looks else ptrace.CONT)
        return True

    def look_at_actions(self, process: TracedProcess) -> None:
        """Ask /proc what a process does with signals: it may have changed that by a call that was
        only counted.
        """
        self._sampler.process_now(process.pid)

    def _count(self, process: TracedProcess, number: int) -> None:
        process.passed += 1
        process.counted[number] = process.counted.get(number, 0) + 1
        if number == self._sigaction:
            process.actions_unseen = process.actions_stale = True

    def at_foreign_mark(self, task: Task) -> None:
        """A thread whose calls are not decoded stands at one that its own filter has marked: it
        fails, as alone.
        """
        info = ptrace.syscall_info(task.tid)
        if info is not None and info.data != seccomp.MARK:
            confinement.answer(task.tid, self._context.arch, -errno.ENOSYS)

    def _confine(self, task: Task, info: ptrace.SyscallInfo) -> bool:
        """A thread stands at a call about its confinement, or marked by its own filter.

        Whether it goes on already.
        """
        try:
            verdict = confinement.take(self._context, task, info)
        except confinement.Cut as cut:
            task.entered = None
            self.take_stop(task.tid, cut.status)
            return True
        if verdict is Verdict.KILLED:
            return True
        if verdict in (Verdict.PASSES_UNTOLD, Verdict.ANSWERED_UNTOLD):
            return False
        if verdict is not Verdict.PASSES:
            self._enter_answered(task, info)
            if verdict is Verdict.ANSWERED:
                return False
            return self._leave(task, info._replace(op=ptrace.SYSCALL_INFO_EXIT, result=0))
        if task.entered is None or task.entered.number != info.number:
            return self._enter(task, info)
        return False

    def _enter_answered(self, task: Task, info: ptrace.SyscallInfo) -> None:
        """Know of a call that is not made as it is, so that its return is told."""
        name = self._context.names.get(info.number, "")
        if task.entered is not None or name not in KNOWN or info.arch != self._context.arch.audit:
            return
        args = decode_arguments(task.tid, name, info.args)
        task.entered = Entered(
            name, info.number, info.args, args, self._context.emitter.now(), inside=True
        )

    def at_call(self, task: Task) -> bool:
        """A thread stands at the entry or the return of a call.

        Returns whether it goes on already.
        """
        info = ptrace.syscall_info(task.tid)
        if info is None:
            return False
        task.within = info.op == ptrace.SYSCALL_INFO_ENTRY
        counted, task.counted = task.counted, -1
        if counted >= 0 and info.op == ptrace.SYSCALL_INFO_EXIT and task.entered is None:
            if info.is_error and -info.result not in RESTART_CODES:
                task.process.counted_errors[counted] = -info.result
            return False
        if task.within:
            return self._enter(task, info)
        if info.op == ptrace.SYSCALL_INFO_EXIT:
            slept = task.wait.sleeps
            goes = self._leave(task, info)
            if slept:
                code = -info.result if info.is_error else 0
                self._semaphores.leaves_futex(task, EINTR if code in RESTART_CODES else code)
            return goes
        return False

    def _enter(self, task: Task, info: ptrace.SyscallInfo) -> bool:
        task.decided = False
        for_semaphore = bool(task.semaphore)
        if task.deferred is not None or for_semaphore:
            self.settle(task, info)
        task.process.foretold = task.process.closing = 0.0
        if task.frames:
            handlers.look_for_jump(self._context, task, info.sp)
        if info.number in (self._futex, self._restart) and (task.semaphore or task.took[0]):
            self._semaphores.enters_futex(task, info.args)
        interrupted, task.interrupted = task.interrupted, None
        if interrupted is not None and (
            info.number == self._restart or interrupted[0].makes(info.number)
        ):
            # It starts the interrupted call again, or makes its rest: it is still the same call.
            task.entered = interrupted[0]
            task.entered.back = False
            self.mending.watch_limit(task)
            if not task.entered.told:
                return False
            if not task.entered.carried:
                self._moving.again(task.tid)
            thread = self._context.state.threads.get(task.tid)
            task.entered.announced = thread is not None and thread.waiting is not None
            return False
        if interrupted is not None:
            self._moving.drop(task.tid)
            self._exchanges.end(task.tid)
        task.entered = None
        plan = self._plans.get(info.number)
        if plan is None or info.arch != self._context.arch.audit:
            return False
        if plan.loads and is_loading(task.process, plan.name, info):
            task.process.loading = time.monotonic()
            if plan.name == "mmap" and info.args[2] & PROT_EXEC:
                task.entered = self._semaphores.loads(task, info)
            return False
        task.process.loading = 0.0
        if task.process.linking:
            linking.end(task.process, task.tid)
        if plan.marker >= 0:
            self._mark(task, markers.text_at(task.tid, info.args[plan.marker]))
        name = plan.name
        if not plan.known:
            return False
        # The filter has asked what a call's arguments alone can tell.
        asked = info.op == ptrace.SYSCALL_INFO_SECCOMP and not plan.asks
        if (
            plan.sometimes
            and not asked
            and not self._sampler.mappings.wants(task.process.pid, name, info.args)
        ):
            return False
        if plan.makes:
            # Attached, it would keep the child out of sight of whoever else it is meant for, too:
            # leave it alone.
            if not self._context.attached:
                task.entered = escape.prevent(
                    task.tid, self._context.arch, name, info.number, info.args
                )
            return False
        if name == "sigaltstack":
            handlers.stack_set(task, info)
            return False
        process = task.process
        if plan.data and for_semaphore and not process.full and not self._context.holding:
            return False  # it stops here only for the semaphore's sake
        if plan.data:
            reason = self._context.calls_over_budget(process)
            if reason and (process.full or process.catching):
                # From here on /proc/PID/io counts its bytes: this very call is the first that is
                # not traced.
                self._sampler.process_now(process.pid)
                self._context.say_coverage(process, full=False, reason=reason)
                return False
        elif name not in UNCOUNTED and (reason := self._context.marks_over_budget(process)):
            self._sampler.process_now(process.pid)
            self._context.count_marks(process, reason)
            if info.op == ptrace.SYSCALL_INFO_SECCOMP or self._context.attached:
                self._count(process, info.number)  # else its mark comes next, and counts
            return False
        began = self._context.emitter.now()
        if plan.foretold and info.op == ptrace.SYSCALL_INFO_SECCOMP and not self._context.holding:
            known = foretold.foretell(task.tid, name, info)
            if known is not None:
                process.foretold = time.monotonic()
                return self._foretold(
                    task, Entered(name, info.number, info.args, known.args, began), known.effect
                )
        if name == "close" and info.op == ptrace.SYSCALL_INFO_SECCOMP and self._context.go_first:
            closed = foretold.close(self._context.state, process, info.args[0])
            if closed is not None:
                process.closing = time.monotonic()
                key = self._context.object_of(process.pid, closed.fd)
                entered = Entered(
                    name, info.number, info.args, {"fd": closed.fd}, began, object=key
                )
                return self._foretold(task, entered, closed)
        quick = plan.quick and self._context.go_first and not self._context.attached
        key, ends = "", NOWHERE
        if quick and plan.moves:
            fd = info.args[0] & 0xFFFFFFFF
            key = self._context.object_of(process.pid, fd)
            ends = self._moving.prepare(process.pid, name, {"fd": fd}, key)
            if ends is not NOWHERE:
                self._take_returns(self._moving.siblings(ends))
                began = self._context.emitter.now()
        if quick:
            # It runs no code of its own until its return is taken, so what the arguments point to
            # stays as it is.
            self.let_in(task)
        args = decode_arguments(task.tid, name, info.args)
        if plan.numbered:
            self._context.numbers.translate(process.pid, name, args)
        if (
            name in MASKED
            and isinstance(args["mask"], int)
            and (mask := ptrace.get_mask(task.tid)) is not None
        ):
            args["own_mask"] = mask
        if plan.path:
            self._mark(task, markers.text_of(str(args["path"])))
        if name in MAKES and not self._context.attached:
            self.fifos.about_to_make(process.pid, task.tid, args)
        data = (
            payload.outgoing(task.tid, name, info.args, self._context.config.data_bytes)
            if plan.sends
            else b""
        )
        if not (quick and plan.moves):
            key = (
                task.semaphore
                if name == "futex"
                else self._object(process.pid, plan, args, info.args)
            )
            ends = self._moving.prepare(process.pid, name, args, key) if plan.moves else NOWHERE
        task.entered = Entered(
            name=name,
            number=info.number,
            raw=info.args,
            args=args,
            began=began,
            object=key,
            data=data,
            losing=names_lost(process.pid, name, args) if plan.removes else (),
            plain=plan.plain and not (plan.name == "read" and tells_more(self._context.state, key)),
            ends=ends,
        )
        if quick:
            self._inside(task, task.entered)
        return quick

    def _foretold(self, task: Task, entered: Entered, effect: AnyEffect) -> bool:
        """Say what a call will do, at whose entry a thread stands.

        Returns whether it goes on already.
        """
        goes = self._context.go_first
        if goes:
            self.go(task)
        self._say(task, entered, 0, 0, b"", (effect,), entered.began)
        return goes

    def _take_returns(self, tids: Iterable[int]) -> None:
        """Take the returns that are there already of calls whose order with another one would be in
        doubt.
        """
        for tid in tids:
            came = ptrace.wait(tid)
            if came is not None and came[0] == tid:
                self.take_stop(*came)

    def about(self, task: Task, info: ptrace.SyscallInfo, repeated: int = 0) -> Poised | None:
        """What a thread at the entry of a call is about to do; None if that is nothing to hold it
        for.

        It looks only: `at_call` or `at_mark` takes the entry in once the thread is let go. A short
        wait that it has `repeated` too often is something to hold it for, whatever call it is.
        """
        name = self._context.names.get(info.number, "")
        process = task.process
        if info.arch != self._context.arch.audit:
            return None
        if process.loader and process.loader[0] <= info.pc < process.loader[1] and name not in ENDS:
            return None
        t, n = self._context.stamp()
        if name in LOOKUPS:
            at = LOOKUPS[name]
            args: dict[str, Word] = {"text": markers.text_at(task.tid, info.args[at])}
            if not args["text"]:
                return None
            return Poised(
                t=t, n=n, pid=process.pid, tid=task.tid, at="entry", call="marker", args=args
            )
        if name not in BIRTHS_AND_ENDS and (
            name not in KNOWN or not self._sampler.mappings.wants(task.process.pid, name, info.args)
        ):
            return None
        args = decode_arguments(task.tid, name, info.args)
        self._context.numbers.translate(process.pid, name, args)
        if not repeated and not is_visible(self._context.state, process.pid, name, args, task.tid):
            return None
        return Poised(
            t=t,
            n=n,
            pid=process.pid,
            tid=task.tid,
            at="entry",
            call=name,
            args=args,
            object=self._object(process.pid, self._plans.get(info.number), args, info.args),
            data=payload.outgoing(task.tid, name, info.args, self._context.config.data_bytes),
            repeated=repeated,
        )

    def makes_again(self, task: Task, number: int) -> bool:
        """Whether a call that is entered is one that a signal cut short, and that the kernel starts
        again.
        """
        return task.interrupted is not None and (
            number == self._restart or task.interrupted[0].makes(number)
        )

    def _object(
        self, pid: int, plan: Plan | None, args: dict[str, Word], raw: tuple[int, ...]
    ) -> str:
        """Key of the object that a call is about: behind its descriptor, a queue's id, or at an
        address.
        """
        if plan is None:
            return ""
        if plan.by_descriptor:
            fd = args["fd"]
            return self._context.object_of(pid, fd) if isinstance(fd, int) else ""
        if plan.name in ADDRESSED:
            return self._sampler.mappings.object_at(pid, raw[0])
        if plan.name == "truncate":
            return key_of(pid, str(args["path"]))
        if plan.name in SETS:
            return semaphore_of(plan.name, args) if procfs.same_namespace(pid, "ipc") else ""
        return queue_key(pid, args.get("id")) if plan.name in QUEUE_CALLS else ""

    def _mark(self, task: Task, text: str) -> None:
        if text:
            t, n = self._context.stamp()
            self._context.emit(Marker(t=t, n=n, pid=task.process.pid, tid=task.tid, text=text))

    def _leave(self, task: Task, info: ptrace.SyscallInfo) -> bool:
        entered, task.entered = task.entered, None
        self.waits.forget(task.tid)
        if entered is None:
            return False
        if entered.name in BIRTHS:
            escape.restore(task.tid, self._context.arch, entered)
            return False
        if entered.name in NO_RETURN:
            # What looks like its result is a register of the code that the handler had interrupted.
            return handlers.leave(
                self._context, task, go=self.go if self._context.go_first else None
            )
        result = info.result
        code = -result if info.is_error else 0
        if entered.path:
            if not code:
                self._semaphores.loaded(task, entered.path, info.result, entered.raw[5])
            return False
        if entered.mended:
            whole = self.mending.came_back(task, entered, result)
            if whole is None or not entered.told:
                return False
            result, code = whole, max(-whole, 0)
        elif code in RESTART_CODES:
            task.interrupted = (entered, code)
            return False
        elif code == EINTR or (not code and self._may_be_cut(task, entered, result)):
            task.deferred = (entered, result)
            return False
        return self.returned(task, entered, result, code, leaves=True)

    @staticmethod
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

    def returned(
        self, task: Task, entered: Entered, result: int, code: int, *, leaves: bool = False
    ) -> bool:
        """Say that a call returned `result`, or failed with error number `code` (0 if it did not
        fail).

        `leaves` says that the thread stands at the return and may go on from there. Returns whether
        it has.
        """
        process, moved = task.process, 0
        if entered.ends is not NOWHERE and result > 0 and not code:
            moved = 0 if flag_in(entered.args, "MSG_PEEK") else result
            if moved and entered.ends.source:
                # The writes that these bytes came from, if they have returned meanwhile, come
                # first.
                self._take_returns(self._moving.writes_before(task.tid, moved))
        elif entered.name in EXCHANGES:
            self._exchanges.end(task.tid)
            if not code and (sends := self._exchanges.sends_before(task.tid, entered)):
                # Those that this call took something from come first.
                self._take_returns(sends)
                self._exchanges.tell(sends, self._context.emitter.now())
        effects: tuple[AnyEffect, ...] = ()
        data = (
            payload.moved(task.tid, entered, result, self._context.config.data_bytes)
            if not code
            else b""
        )
        if not entered.plain:
            effects = self._effects_of(task, entered, result, code)
            effects = self.fifos.returned(task, entered, code, effects)
        else:
            if entered.ends is not NOWHERE and self.fifos:
                self.fifos.check(key for key in entered.ends if key)
            if entered.name in _TO_ADDRESS and entered.raw[4] and not code:
                effects = self._effects.of_addressed(
                    process.pid, task.tid, entered.name, entered.raw, entered.args
                )
        t = self._context.emitter.now()
        slept = self._moving.returns(task.tid, moved, t) if entered.ends is not NOWHERE else 0.0
        has_consequences = not code and self._consequences.has(entered)
        goes = (
            leaves
            and self._context.go_first
            and not (has_consequences and self._consequences.needs(entered, effects))
        )
        if goes:
            self.go(task)
        self._say(task, entered, result, code, data, effects, t, slept)
        if has_consequences:
            self._consequences.of(task, entered, result, effects)
        return goes

    def _say(
        self,
        task: Task,
        entered: Entered,
        result: int,
        code: int,
        data: bytes,
        effects: tuple[AnyEffect, ...],
        t: float,
        slept: float = 0.0,
    ) -> None:
        self._context.emit(
            Call(
                t=t,
                n=self._context.emitter.next_number,
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

    def _effects_of(
        self, task: Task, entered: Entered, result: int, code: int
    ) -> tuple[AnyEffect, ...]:
        """What a call changed that has returned `result`, or failed with error number `code`."""
        process = task.process
        effects: tuple[AnyEffect, ...] = ()
        messages: tuple[Message, ...] = ()
        if entered.name in WITH_HEADERS and not code:
            messages = tuple(read_messages(task.tid, entered.name, entered.raw, result))
            entered.args.update(facts_of(task.tid, entered.name, entered.raw, messages))
        key = entered.object
        call = Returned(
            process.pid, task.tid, entered.name, entered.raw, entered.args, result, key, messages
        )
        if not code:
            effects = self._effects.of(call)
            if entered.name in TAKERS:
                effects = (*effects, *told_by(self._context, task, entered, result))
            if entered.name in NAMES:
                effects = with_names(
                    process.pid, entered.name, entered.args, (*effects, *entered.losing)
                )
            entered.args.update(
                self._context.numbers.told(process.pid, taken(task.tid, entered.name, entered.raw))
            )
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
            effects = self._effects.of(call)  # it has its addresses already
        elif entered.name == "close" and code != 9:
            # The descriptor is gone even if close(2) reports an error, unless that is EBADF.
            effects = self._effects.of(call)
        effects = (
            *effects,
            *self._sampler.locks.effects(
                process.pid, entered.name, entered.raw, entered.object, effects
            ),
        )
        if not process.full and self._closes_used(process.pid, effects):
            # Its last bytes can be laid to what it used only before the descriptor is gone from the
            # state.
            self._sampler.process_now(process.pid)
        if effects and any(isinstance(effect, Sent) for effect in effects):
            self._sampler.look_again()
        return effects

    def _closes_used(self, pid: int, effects: tuple[AnyEffect, ...]) -> bool:
        rows = self._context.state.descriptors_of(pid)
        gone = (rows.get(e.fd) for e in effects if isinstance(e, Closed | Duplicated))
        return any(descriptor is not None and descriptor.used for descriptor in gone)

    def returned_early(self, task: Task, held: tuple[Entered, int]) -> None:
        """A call that was held back until its signal was known has returned after all."""
        entered, result = held
        if not entered.told:
            return
        self.returned(task, entered, result, 0 if result >= 0 else -result)

    def settle(self, task: Task, info: ptrace.SyscallInfo | None = None) -> None:
        """Something new happens to a thread: what was held back until now is decided."""
        if task.deferred is not None:
            deferred, task.deferred = task.deferred, None
            self.returned_early(task, deferred)
        if task.semaphore and (info is None or not self._sleeps_on(task, info)):
            self._semaphores.over(task)

    def _sleeps_on(self, task: Task, info: ptrace.SyscallInfo) -> bool:
        """Whether a thread enters futex(2) once more for the semaphore that it waits for."""
        if info.number == self._restart:
            return True
        return (
            info.number == self._futex
            and info.args[0] == task.wait.address
            and futexes.is_wait(info.args[1])
        )
