"""Entries of system calls: what is asked there, by a table, and what is noted of a call that a
thread is let into.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Final

from ipcviz.events import AnyEffect, Marker, Poised
from ipcviz.events.arguments import text_in
from ipcviz.kernel import futexes, procfs, ptrace
from ipcviz.kernel.arch import call_numbers
from ipcviz.kernel.names import key_of, names_nothing
from ipcviz.model.ledger.directions import NOWHERE, Directions
from ipcviz.model.mechanisms.system_v import semaphore_of
from ipcviz.model.steps.visible import ENDS, is_visible
from ipcviz.tracer.calls import markers
from ipcviz.tracer.calls.decode import decode_arguments
from ipcviz.tracer.calls.flags import Word
from ipcviz.tracer.calls.names import names_lost
from ipcviz.tracer.calls.plans import About, Ask, Detail, Plan, make_plans
from ipcviz.tracer.calls.table import BIRTHS_AND_ENDS, KNOWN, LOOKUPS, PROT_EXEC
from ipcviz.tracer.context import Context
from ipcviz.tracer.exchanges import EXCHANGES, PUTS
from ipcviz.tracer.moving import MovingCall
from ipcviz.tracer.sampling.notifiers import tells_more
from ipcviz.tracer.sampling.sampler import Sampler, queue_key
from ipcviz.tracer.stops import escape, foretold, handlers, linking, payload
from ipcviz.tracer.stops.exits import Exits
from ipcviz.tracer.stops.loader import is_loading
from ipcviz.tracer.stops.mend import Mending
from ipcviz.tracer.stops.outcomes import ENTERED, RESUME, Outcome, made, resume_then
from ipcviz.tracer.stops.semaphores import SemaphoreStops
from ipcviz.tracer.stops.waits import Waits
from ipcviz.tracer.tasks import Entered, Task, TracedProcess

Handler = Callable[[Task, Plan, ptrace.SyscallInfo, bool], Outcome | None]
"""Answers one `Ask` about a call that a thread stands at the entry of.

The last argument says that the thread waited for a semaphore until it came here. The answer is what
becomes of the thread, or None if the next thing is to be asked.
"""


# To ask an enum for a member is a call of Python's in Python 3.11.
_NOTHING: Final = About.NOTHING
_DESCRIPTOR: Final = About.DESCRIPTOR
_SEMAPHORE: Final = About.SEMAPHORE


class Entries:
    """What threads are about to do at the entries of their calls.

    Args:
        context: The session's.
        sampler: Knows the mappings, and looks at what is only sampled from here on.
        semaphores: Is told when a wait is over.
        exits: Emits calls.
        mending: Watches the limits of calls that are made again.
        waits: Is told who has been let into a call.
    """

    def __init__(
        self,
        context: Context,
        sampler: Sampler,
        semaphores: SemaphoreStops,
        exits: Exits,
        mending: Mending,
        waits: Waits,
    ) -> None:
        self._context = context
        self._sampler = sampler
        self._semaphores = semaphores
        self._exits = exits
        self._mending = mending
        self._waits = waits
        self._now = context.emitter.now
        self._moving = context.moving
        self._exchanges = context.exchanges
        numbers = call_numbers(context.arch.table)
        self._restart, self._futex = numbers["restart_syscall"], numbers["futex"]
        self._sleeps_again = frozenset((self._restart, self._futex))
        self._sigaction = numbers["rt_sigaction"]
        self._audit = context.arch.audit
        self._data_bytes = context.config.data_bytes
        handlers_: dict[Ask, Handler] = {
            Ask.MARKER: self._note_marker,
            Ask.CONDITION: self._ask_condition,
            Ask.MAPPING: self._ask_mapping,
            Ask.ESCAPE: self._prevent_escape,
            Ask.STACK: self._note_stack,
            Ask.DATA_BUDGET: self._pay_for_data_call,
            Ask.MARK_BUDGET: self._pay_for_mark,
            Ask.FORETELLING: self._foretell_call,
            Ask.CLOSING: self._foretell_close,
            Ask.LETTING_IN: self._let_in_first,
            Ask.DECODING: self._decode_call,
        }
        self._details: dict[Detail, Callable[[Task, str, dict[str, Word]], None]] = {
            Detail.NUMBERS: self._translate_numbers,
            Detail.MASK: self._read_own_mask,
            Detail.PATH: self._note_marker_path,
            Detail.FIFO: self._watch_fifo,
        }
        self._plans = make_plans(
            context.names,
            from_start=context.policy.from_start,
            may_touch=context.policy.may_touch,
        )
        # In full mode there is nothing to pay.
        free = (Ask.DATA_BUDGET, Ask.MARK_BUDGET) if context.config.full else ()
        self._table = {
            number: (plan, tuple(handlers_[ask] for ask in plan.asks if ask not in free))
            for number, plan in self._plans.items()
        }

    def handle_entry(self, task: Task, info: ptrace.SyscallInfo) -> Outcome:
        """A thread stands at the entry of a call."""
        process, number = task.process, info.number
        task.decided = False
        for_semaphore = bool(task.semaphore)
        if task.deferred is not None or for_semaphore:
            self.settle_deferred(task, info)
        process.foretold = process.closing = 0.0
        if task.frames:
            handlers.detect_jump(self._context, task, info.sp)
        if number in self._sleeps_again and (task.semaphore or task.took[0]):
            self._semaphores.enters_futex(task, info.args)
        if task.interrupted is not None and self._makes_interrupted_call(task, number):
            return RESUME
        task.entered = None
        found = self._table.get(number)
        if found is None or info.arch != self._audit:
            return RESUME
        plan, answers = found
        if plan.loads and is_loading(process, plan.name, info):
            self._note_loading(task, plan, info)
            return RESUME
        process.loading = 0.0
        if process.linking:
            linking.end_linking(process, task.tid)
        for answer in answers:
            outcome = answer(task, plan, info, for_semaphore)
            if outcome is not None:
                return outcome
        return RESUME

    def _note_loading(self, task: Task, plan: Plan, info: ptrace.SyscallInfo) -> None:
        """The dynamic linker makes a call, which is not told."""
        task.process.loading = time.monotonic()
        if plan.name == "mmap" and info.args[2] & PROT_EXEC:
            task.entered = self._semaphores.prepare_load(task, info)

    def _makes_interrupted_call(self, task: Task, number: int) -> bool:
        """Whether a call starts the interrupted one again, or makes its rest: it is still the same
        call.
        """
        assert task.interrupted is not None
        (entered, _), task.interrupted = task.interrupted, None
        if number != self._restart and not entered.is_made_by(number):
            self._moving.drop_call(task.tid)
            self._exchanges.end_call(task.tid)
            return False
        task.entered = entered
        entered.back = False
        self._mending.watch_limit(task)
        if entered.told:
            if not entered.carried:
                self._moving.repeat_call(task.tid)
            thread = self._context.state.threads.get(task.tid)
            entered.announced = thread is not None and thread.waiting is not None
        return True

    # What is asked, in the order of `Ask`.

    def _note_marker(
        self, task: Task, plan: Plan, info: ptrace.SyscallInfo, _for_semaphore: bool
    ) -> Outcome | None:
        self._emit_marker(task, markers.text_at(task.tid, info.args[plan.marker]))
        return None

    def _ask_condition(
        self, task: Task, plan: Plan, info: ptrace.SyscallInfo, for_semaphore: bool
    ) -> Outcome | None:
        if info.op == ptrace.SYSCALL_INFO_SECCOMP:
            return None
        return self._ask_mapping(task, plan, info, for_semaphore)

    def _ask_mapping(
        self, task: Task, plan: Plan, info: ptrace.SyscallInfo, _for_semaphore: bool
    ) -> Outcome | None:
        wanted = self._sampler.mappings.is_wanted(task.process.pid, plan.name, info.args)
        return None if wanted else RESUME

    def _prevent_escape(
        self, task: Task, plan: Plan, info: ptrace.SyscallInfo, _for_semaphore: bool
    ) -> Outcome:
        # Attached, it would keep the child out of sight of whoever else it is meant for, too: leave
        # it alone.
        if self._context.policy.may_touch:
            task.entered = escape.clear_flag(
                task.tid, self._context.arch, plan.name, info.number, info.args
            )
        return RESUME

    def _note_stack(
        self, task: Task, _plan: Plan, info: ptrace.SyscallInfo, _for_semaphore: bool
    ) -> Outcome:
        handlers.stack_set(task, info)
        return RESUME

    def _pay_for_data_call(
        self, task: Task, _plan: Plan, _info: ptrace.SyscallInfo, for_semaphore: bool
    ) -> Outcome | None:
        process = task.process
        if for_semaphore and not process.full and not self._context.holding:
            return RESUME  # it stops here only for the semaphore's sake
        reason = self._context.calls_over_budget(process)
        if not reason or not (process.full or process.catching):
            return None
        # From here on /proc/PID/io counts its bytes: this very call is the first that is not
        # traced.
        self._sampler.process_now(process.pid)
        self._context.set_coverage(process, full=False, reason=reason)
        return RESUME

    def _pay_for_mark(
        self, task: Task, _plan: Plan, info: ptrace.SyscallInfo, _for_semaphore: bool
    ) -> Outcome | None:
        process = task.process
        reason = self._context.marks_over_budget(process)
        if not reason:
            return None
        self._sampler.process_now(process.pid)
        self._context.count_marks(process, reason)
        if info.op == ptrace.SYSCALL_INFO_SECCOMP or not self._context.policy.from_start:
            self.count_call(process, info.number)  # else its mark comes next, and counts
        return RESUME

    def _foretell_call(
        self, task: Task, plan: Plan, info: ptrace.SyscallInfo, _for_semaphore: bool
    ) -> Outcome | None:
        if info.op != ptrace.SYSCALL_INFO_SECCOMP or self._context.holding:
            return None
        known = foretold.foretell_call(task.tid, plan.name, info)
        if known is None:
            return None
        task.process.foretold = time.monotonic()
        began = self._context.now()
        entered = Entered(plan.name, info.number, info.args, known.args, began)
        return self._done_already(task, entered, known.effect)

    def _foretell_close(
        self, task: Task, plan: Plan, info: ptrace.SyscallInfo, _for_semaphore: bool
    ) -> Outcome | None:
        if info.op != ptrace.SYSCALL_INFO_SECCOMP or not self._context.go_first:
            return None
        process = task.process
        closed = foretold.foretell_close(self._context.state, process, info.args[0])
        if closed is None:
            return None
        process.closing = time.monotonic()
        key = self._context.object_of(process.pid, closed.fd)
        began = self._context.now()
        args: dict[str, Word] = {"fd": closed.fd}
        entered = Entered(plan.name, info.number, info.args, args, began, object=key)
        return self._done_already(task, entered, closed)

    def _done_already(self, task: Task, entered: Entered, effect: AnyEffect) -> Outcome:
        """What a call will do is certain at its entry: it is emitted, and its return is no stop."""
        return resume_then(
            lambda: self._exits.emit_call(task, entered, 0, 0, b"", (effect,), entered.began)
        )

    def _let_in_first(
        self, task: Task, plan: Plan, info: ptrace.SyscallInfo, _for_semaphore: bool
    ) -> Outcome | None:
        """Let a thread in before its call is decoded: it runs no code of its own until its return
        is handled, so what the arguments point to stays as it is.
        """
        context = self._context
        if not context.go_first:
            return None
        key, ends = None, NOWHERE
        if plan.moves:
            fd, pid = info.args[0] & 0xFFFFFFFF, task.process.pid
            key = context.object_of(pid, fd)
            ends = self._moving.find_ends(pid, plan.name, {"fd": fd}, key)
            if ends is not NOWHERE:
                self._exits.handle_returns(self._moving.list_siblings(ends))
        note = partial(self._note_call, task, plan, info, self._now(), key, ends, True)
        return made(Outcome, (ENTERED, 0, note))

    def _decode_call(
        self, task: Task, plan: Plan, info: ptrace.SyscallInfo, _for_semaphore: bool
    ) -> Outcome:
        self._note_call(task, plan, info, self._now())
        return RESUME

    # What is noted of a call.

    def _note_call(
        self,
        task: Task,
        plan: Plan,
        info: ptrace.SyscallInfo,
        began: float,
        key: str | None = None,
        ends: Directions = NOWHERE,
        inside: bool = False,
    ) -> None:
        """Decode a call and keep it until it returns.

        Args:
            task: The thread.
            plan: The call's.
            info: The entry.
            began: When it was let in, in session seconds.
            key: Its object's key; None if that is still to be found.
            ends: From and into which channels it moves bytes, if its object is known.
            inside: Whether the thread has been let in already.
        """
        pid, name, raw = task.process.pid, plan.name, info.args
        args = decode_arguments(task.tid, name, raw)
        for detail in plan.details:
            self._details[detail](task, name, args)
        data = payload.read_outgoing(task.tid, name, raw, self._data_bytes) if plan.sends else b""
        if key is None:
            of_semaphore = plan.about is _SEMAPHORE
            key = task.semaphore if of_semaphore else self._find_object(pid, plan, args, raw)
            ends = self._moving.find_ends(pid, name, args, key) if plan.moves else NOWHERE
        task.entered = Entered(
            name=name,
            number=info.number,
            raw=raw,
            args=args,
            began=began,
            object=key,
            data=data,
            losing=names_lost(pid, name, args) if plan.removes else (),
            plain=plan.plain and not (name == "read" and tells_more(self._context.state, key)),
            ends=ends,
        )
        if inside:
            self._note_inside(task, task.entered)

    def _translate_numbers(self, task: Task, name: str, args: dict[str, Word]) -> None:
        self._context.numbers.translate_args(task.process.pid, name, args)

    def _read_own_mask(self, task: Task, _name: str, args: dict[str, Word]) -> None:
        mask = ptrace.get_mask(task.tid) if isinstance(args["mask"], int) else None
        if mask is not None:
            args["own_mask"] = mask

    def _note_marker_path(self, task: Task, _name: str, args: dict[str, Word]) -> None:
        self._emit_marker(task, markers.text_of(str(args["path"])))

    def _watch_fifo(self, task: Task, _name: str, args: dict[str, Word]) -> None:
        self._exits.fifos.about_to_make(task.process.pid, task.tid, args)

    def note_answered(self, task: Task, info: ptrace.SyscallInfo) -> None:
        """Know of a call that is not made as it is, so that its return is told."""
        name = self._context.names.get(info.number, "")
        if task.entered is not None or name not in KNOWN or info.arch != self._context.arch.audit:
            return
        args = decode_arguments(task.tid, name, info.args)
        task.entered = Entered(
            name, info.number, info.args, args, self._context.emitter.now(), inside=True
        )

    def begin_call(self, task: Task) -> None:
        """A thread goes on inside its call, or is let in: `Waits.announce` is to look at it."""
        entered = task.entered
        if entered is None or entered.inside or not entered.told:
            if entered is None or entered.told:
                self._waits.watch_thread(task)
            return
        if entered.ends is not NOWHERE:
            self._exits.handle_returns(self._moving.list_siblings(entered.ends))
            entered.began = self._context.now()
        self._note_inside(task, entered)

    def _note_inside(self, task: Task, entered: Entered) -> None:
        """A thread has been let into its call."""
        self._waits.watch_thread(task)
        entered.inside = True
        if entered.ends is not NOWHERE:
            pid, tid, name, key = task.process.pid, task.tid, entered.name, entered.object
            self._moving.begin_call(
                MovingCall(
                    pid, tid, name, entered.args, key, entered.data, entered.began, entered.ends
                )
            )
        elif entered.name in PUTS or (self._exchanges.under_way and entered.name in EXCHANGES):
            self._exchanges.begin_call(task, entered)

    def count_call(self, process: TracedProcess, number: int) -> None:
        """Count a marked call that is not looked at."""
        process.passed += 1
        process.counted[number] = process.counted.get(number, 0) + 1
        if number == self._sigaction:
            process.actions_unseen = process.actions_stale = True

    # Before a thread is let in.

    def find_operation(
        self, task: Task, info: ptrace.SyscallInfo, repeated: int = 0
    ) -> Poised | None:
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
        if name in LOOKUPS:
            at = LOOKUPS[name]
            args: dict[str, Word] = {"text": markers.text_at(task.tid, info.args[at])}
            if not args["text"]:
                return None
            return Poised(pid=process.pid, tid=task.tid, at="entry", call="marker", args=args)
        if name not in BIRTHS_AND_ENDS and (
            name not in KNOWN
            or not self._sampler.mappings.is_wanted(task.process.pid, name, info.args)
        ):
            return None
        args = decode_arguments(task.tid, name, info.args)
        self._context.numbers.translate_args(process.pid, name, args)
        if not repeated and not is_visible(self._context.state, process.pid, name, args, task.tid):
            return None
        if name == "execve" and names_nothing(process.pid, text_in(args, "path")):
            return None  # execvp(3) tries one folder of PATH after the other
        return Poised(
            pid=process.pid,
            tid=task.tid,
            at="entry",
            call=name,
            args=args,
            object=self._find_object(process.pid, self._plans.get(info.number), args, info.args),
            data=payload.read_outgoing(task.tid, name, info.args, self._context.config.data_bytes),
            repeated=repeated,
        )

    def makes_again(self, task: Task, number: int) -> bool:
        """Whether a call that is entered is one that a signal cut short, and that the kernel starts
        again.
        """
        return task.interrupted is not None and (
            number == self._restart or task.interrupted[0].is_made_by(number)
        )

    def _find_object(
        self, pid: int, plan: Plan | None, args: dict[str, Word], raw: tuple[int, ...]
    ) -> str:
        """Key of the object that a call is about: behind its descriptor, a queue's id, or at an
        address.
        """
        about = plan.about if plan is not None else _NOTHING
        if about is _DESCRIPTOR:
            fd = args["fd"]
            return self._context.object_of(pid, fd) if isinstance(fd, int) else ""
        if about is About.ADDRESS:
            return self._sampler.mappings.object_at(pid, raw[0])
        if about is About.PATH:
            return key_of(pid, str(args["path"]))
        if about is About.SET and plan is not None:
            return semaphore_of(plan.name, args) if procfs.same_namespace(pid, "ipc") else ""
        return queue_key(pid, args.get("id")) if about is About.QUEUE else ""

    def _emit_marker(self, task: Task, text: str) -> None:
        if text:
            self._context.emit(Marker(pid=task.process.pid, tid=task.tid, text=text))

    def settle_deferred(self, task: Task, info: ptrace.SyscallInfo | None = None) -> None:
        """Something new happens to a thread: what was held back until now is decided."""
        if task.deferred is not None:
            deferred, task.deferred = task.deferred, None
            self._exits.emit_held_back(task, deferred)
        if task.semaphore and (info is None or not self._sleeps_on(task, info)):
            self._semaphores.end_wait(task)

    def _sleeps_on(self, task: Task, info: ptrace.SyscallInfo) -> bool:
        """Whether a thread enters futex(2) once more for the semaphore that it waits for."""
        if info.number == self._restart:
            return True
        return (
            info.number == self._futex
            and info.args[0] == task.wait.address
            and futexes.is_wait(info.args[1])
        )
