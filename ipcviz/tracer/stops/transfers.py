"""The short way of reads and writes, which are by far the most calls of a busy program.

`entries` and `exits` ask at each stop what any call might need. A read or a write of one buffer,
whose thread is in no special situation, needs little of that, and what it needs is the same as for
the one before. So both stops of it are handled here in one piece each, and its thread is resumed
here, too. Whatever is out of the ordinary at a stop is left to `entries` and `exits`; the call that
is kept between the two stops is the same one, so each stop can go either way. The events are the
same: `tests/pure/test_transfers.py` compares them.

    entry   which call, of whom, on which object   ->   resumed   ->   arguments, bytes that go out
    return  what it returned, bytes that came in   ->   resumed   ->   the event
"""

from __future__ import annotations

from typing import Final, NamedTuple

from ipcviz.events import Call
from ipcviz.events.calls import where
from ipcviz.events.kinds import SOCKETS, having
from ipcviz.kernel import memory, ptrace, seccomp
from ipcviz.model.ledger.directions import NOWHERE, Directions
from ipcviz.tracer.calls.decode import decode_arguments
from ipcviz.tracer.calls.plans import INCOMING, OUTGOING, Ask, Plan, make_plans
from ipcviz.tracer.context import Context
from ipcviz.tracer.moving import MovingCall
from ipcviz.tracer.sampling.notifiers import tells_more
from ipcviz.tracer.stops.exits import Exits
from ipcviz.tracer.stops.waits import Waits
from ipcviz.tracer.tasks import Entered, Task

_ORDERED: Final = SOCKETS | having("pooled")
"""Kinds of objects for which `tracer.exchanges` may have to see to the order of calls."""
_MESSAGES: Final = where(lambda call: call.on == "socket" and call.find_argument("buf") >= 0)
"""Calls that have flags, and may name an address."""
_HARMLESS_FLAGS: Final = 0x4000 | 0x40
"""MSG_NOSIGNAL and MSG_DONTWAIT of send(2) and recv(2): the bytes move as without them."""


class Route(NamedTuple):
    """Where a call on a descriptor moves bytes, as long as the tracer's state is the same.

    Attributes:
        key: Key of the object behind the descriptor.
        ends: From and into which channels.
    """

    key: str
    ends: Directions


_UNKNOWN: Final = Route("", NOWHERE)
"""In the place of a route that was not looked for yet."""


class Transfers:
    """Handles the stops at reads and writes that are as nearly all are.

    Args:
        context: The session's.
        exits: Handles returns whose order with another call matters.
        waits: Is told who has been let into a call.
    """

    def __init__(self, context: Context, exits: Exits, waits: Waits) -> None:
        self._context = context
        self._exits = exits
        self._waits = waits
        self._moving = context.moving
        self._exchanges = context.exchanges
        self._now = context.emitter.now
        self._data_bytes = context.config.data_bytes
        self._audit = context.arch.audit
        plans = make_plans(
            context.names,
            from_start=context.policy.from_start,
            may_touch=context.policy.may_touch,
        )
        self._plans = {number: plan for number, plan in plans.items() if _is_transfer(plan)}
        self._asked_of = context.emitter.state
        self._routes: dict[tuple[int, int, int], Route | None] = {}
        """What `_find_route` found in that state."""

    def enter_call(self, task: Task, info: ptrace.SyscallInfo) -> bool:
        """A thread stands at a marked call. Returns whether that was handled."""
        op, arch, pc, _, number, raw, _, _, data = info
        plan = self._plans.get(number)
        if (
            plan is None
            or data != seccomp.MARK
            or op != ptrace.SYSCALL_INFO_SECCOMP
            or arch != self._audit
            or task.entered is not None
            or not is_ordinary(task)
            or not self._context.go_first
        ):
            return False
        process = task.process
        loader = process.loader
        if (loader is not None and loader[0] <= pc < loader[1]) or process.linking:
            return False
        state = self._context.emitter.state
        if state is not self._asked_of:
            self._asked_of = state
            self._routes.clear()
        pid, tid, fd = process.pid, task.tid, raw[0] & 0xFFFFFFFF
        place = (pid, fd, number)
        route = self._routes.get(place, _UNKNOWN)
        if route is _UNKNOWN:
            route = self._routes[place] = self._find_route(pid, fd, plan.name)
        if route is None or (plan.name in _MESSAGES and not _is_plain_message(raw)):
            return False
        key, ends = route
        process.foretold = process.closing = process.loading = 0.0
        if ends is not NOWHERE and (siblings := self._moving.list_siblings(ends)):
            self._exits.handle_returns(siblings)
        began = self._now()
        task.stops = True
        ptrace.resume_thread(tid, ptrace.SYSCALL)
        args = decode_arguments(tid, plan.name, raw)
        outgoing = b""
        if plan.sends:
            outgoing = memory.read_bytes(tid, raw[1], min(raw[2], self._data_bytes)) or b""
        task.entered = Entered(
            name=plan.name,
            number=number,
            raw=raw,
            args=args,
            began=began,
            object=key,
            data=outgoing,
            plain=True,
            ends=ends,
            inside=True,
        )
        self._waits.watch_thread(task)
        if ends is not NOWHERE:
            self._moving.begin_call(
                MovingCall(pid, tid, plan.name, args, key, outgoing, began, ends)
            )
        return True

    def _find_route(self, pid: int, fd: int, name: str) -> Route | None:
        """Where a call moves bytes; None if more is to be seen to than that."""
        state = self._context.emitter.state
        key = self._context.object_of(pid, fd)
        ends = self._moving.find_ends(pid, name, {"fd": fd}, key)
        if ends is NOWHERE:
            thing = state.objects.get(key)
            if (thing is not None and thing.info.kind in _ORDERED) or tells_more(state, key):
                return None
        return Route(key, ends)

    def leave_call(self, task: Task, info: ptrace.SyscallInfo) -> bool:
        """A thread stands at a call (PTRACE_SYSCALL). Returns whether that was handled."""
        entered, result = task.entered, info.result
        if (
            entered is None
            or entered.number not in self._plans
            or info.op != ptrace.SYSCALL_INFO_EXIT
            or result < 0
            or not self._context.go_first
            or not (entered.plain and entered.inside)
            or entered.mended
            or entered.path
            or not is_ordinary(task)
        ):
            return False
        ends, raw = entered.ends, entered.raw
        moves = ends is not NOWHERE
        if (self._exits.fifos if moves else self._exchanges.under_way) or task.counted >= 0:
            return False
        sends = entered.name in OUTGOING
        if 0 < result < raw[2] and (sends or not entered.object.startswith("pipe:")):
            return False  # a signal may be the reason
        if entered.name in _MESSAGES and not _is_plain_message(raw):
            return False
        pid, tid = task.process.pid, task.tid
        task.entered, task.within = None, False
        self._waits.forget_thread(tid)
        if ends.source and result:
            self._exits.handle_returns(self._moving.writes_before(tid, result))
        if sends:
            data = entered.data[:result]
        else:
            data = memory.read_bytes(tid, raw[1], min(result, raw[2], self._data_bytes)) or b""
        t = self._now()
        slept = self._moving.end_call(tid, result, t) if moves else 0.0
        ptrace.resume_thread(tid, ptrace.CONT)
        self._context.emit(
            Call(
                t=t,
                pid=pid,
                tid=tid,
                name=entered.name,
                began=entered.began,
                args=entered.args,
                ret=result,
                object=entered.object,
                data=data,
                slept=slept,
            )
        )
        if self._moving.contended:
            self._exits.read_contended()
        return True


def is_ordinary(task: Task) -> bool:
    """Whether no earlier stop of a thread has left anything to be decided at its next one."""
    return not (
        task.interrupted is not None
        or task.deferred is not None
        or task.semaphore
        or task.frames
        or task.decided
        or task.took[0]
        or task.wait.sleeps
    )


def _is_transfer(plan: Plan) -> bool:
    """Whether a call moves the bytes of one buffer, and its thread may be let in before that is
    looked at.
    """
    one_buffer = plan.name in OUTGOING or plan.name in INCOMING
    return one_buffer and plan.plain and plan.moves and Ask.LETTING_IN in plan.asks


def _is_plain_message(raw: tuple[int, ...]) -> bool:
    """Whether send(2) or recv(2) does what write(2) or read(2) would: no address, no flag that
    matters.
    """
    return not raw[4] and not raw[3] & 0xFFFFFFFF & ~_HARMLESS_FLAGS
