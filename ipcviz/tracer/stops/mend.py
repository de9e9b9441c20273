"""Mending what being traced would change: an ignored signal must not be felt.

The kernel drops a signal that a process ignores, but queues it for one that is traced so that the
tracer hears of it (sig_ignored in kernel/signal.c). It then cuts short the call that the process
sleeps in. Most calls are started again by the kernel; some fail with EINTR, some come back with a
part of what they were to move, and of some the time limit begins anew. Here the call is made again,
for the rest and until the moment at which it would have ended, before the process sees any of it.

What is cut short shows at the return; by what shows at the delivery; and only there is it made
again:

    alone     epoll_wait(.., 500) -----------------------------------------> 0 at 500 ms
    traced    epoll_wait(.., 500) ----> EINTR at 200 ms, a stop (`handle_return`)
                                          |  the delivery of SIGCHLD, a stop (`undo_cut`): ignored
                                          +-> epoll_wait(.., 500) -> interrupted at 500 ms
                                                (`end_limits`); `handle_return` makes the EINTR a 0

A call that is made again has the arguments that it had, and so a limit that begins anew. That is on
purpose: if ipcviz is killed meanwhile the call ends late, and does end. That it ends in time is the
tracer's to see to, by its own clock.

Of a call that moves something the rest is made, by one or more calls, the legs
(`ipcviz.tracer.calls.remainders`):

    alone     write(fd, p, 900) --------------------------------------------------> 900
    traced    write(fd, p, 900) ----> 300, and a signal comes
                                        |  it is ignored
                                        +-> write(fd, p + 300, 600) -> 600: then it is 900

At each return the program's registers are as it left them, and the result is that of the whole: if
a signal that has a handler comes next, or the tracer ends, the program sees what it would have seen
alone.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
import struct
import termios
from collections.abc import Callable
from typing import Final, NamedTuple

from ipcviz.events.calls import READS_ANY, having
from ipcviz.kernel import memory, procfs, ptrace
from ipcviz.kernel.arch import Arch, call_numbers
from ipcviz.kernel.borrow import borrow
from ipcviz.tracer.calls import deadlines, limits, remainders
from ipcviz.tracer.calls.remainders import File, Kind, Leg
from ipcviz.tracer.calls.watched import SELECTS
from ipcviz.tracer.context import Context
from ipcviz.tracer.tasks import Entered, Task

SIGCONT: Final = 18
_MASK: Final = (1 << 64) - 1
_HALF: Final = struct.Struct("=I")
_LENGTH: Final = struct.Struct("=qq")

ERESTARTSYS: Final = 512
RESTART_CODES: Final = {
    ERESTARTSYS: "ERESTARTSYS",
    513: "ERESTARTNOINTR",
    514: "ERESTARTNOHAND",
    516: "ERESTART_RESTARTBLOCK",
}
"""linux/errno.h: what a call cut short by a signal returns inside the kernel; a program never sees
them.
"""

EARLY: Final = 0.0005
"""By how many seconds a limit may be up early: the kernel's own timers are no more exact."""

TERMINALS: Final = frozenset({4, 5, *range(136, 144)})
"""Major numbers of terminals and pseudo-terminals (Documentation/admin-guide/devices.txt)."""
MEMORY: Final = frozenset({(1, 5), (1, 7), (1, 8), (1, 9)})
"""/dev/zero, full, random and urandom: what reads of them give is made as it is asked for."""

NEVER: Final = having("once")
"""Calls that are not made again: the descriptor of a close that was interrupted is gone (close(2)).
"""


class CutCall(NamedTuple):
    """What became of a call that a signal cut short.

    Attributes:
        again: It will be made again, and has not returned yet.
        result: Else what it returns now.
    """

    again: bool
    result: int = 0


class Mending:
    """Makes calls again that something cut short that would not be felt alone.

    Args:
        context: The session's.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._numbers = call_numbers(context.arch.table)
        self._limited: dict[int, Task] = {}

    # At the delivery of a signal.

    def undo_cut(self, task: Task, action: Callable[[int], str]) -> CutCall | None:
        """Before something that is not to be felt, an ignored signal, say: make the call again that
        it cut short.

        Args:
            task: The thread, stopped at the delivery.
            action: What its process does with another signal (`handler`, `ignore`, ...).

        Returns:
            None if there is no call to be made again, or if it is the kernel that does so.
        """
        arch = self._context.arch
        registers = ptrace.get_registers(task.tid, arch)
        if registers is None:
            return None
        known = task.deferred or task.interrupted
        if known is not None:
            entered, code = known
            if entered.back:
                return None
            result = -code if code in RESTART_CODES else code
            if entered.mended:
                result = entered.last
        else:
            number = _to_signed(registers[arch.original])
            if number < 0:
                return None  # it was in no call, or there is no telling (`Arch.restart_shows`)
            name, result = self._context.names.get(number, ""), _to_signed(registers[arch.result])
            raw = tuple(registers[i] for i in arch.call_arguments)
            entered = Entered(name, number, raw, {}, self._context.emitter.now(), told=False)
        leg = entered.legs[0] if entered.legs else Leg(entered.name, entered.raw, 0)
        if (
            not _is_cut(entered, leg, result)
            or entered.name in NEVER
            or self._another_comes(task, action)
        ):
            return None
        return self._make_again(task, entered, leg, result, registers)

    def has_returned(self, task: Task) -> bool:
        """Whether a thread stands behind a call that the kernel does not begin again by itself."""
        arch = self._context.arch
        registers = ptrace.get_registers(task.tid, arch)
        if registers is None or _to_signed(registers[arch.original]) < 0:
            return False
        return -_to_signed(registers[arch.result]) not in RESTART_CODES

    def _make_again(
        self, task: Task, entered: Entered, leg: Leg, result: int, registers: list[int]
    ) -> CutCall | None:
        context, look = self._context, _Look(task)
        now = context.emitter.now()
        by_kernel = -result in RESTART_CODES and not entered.legs
        legs = entered.legs or (leg,)
        gained = 0
        if result > 0:
            rest = remainders.rest_of(leg.name, leg.args, result, look)
            if rest is None:
                return None
            gained, legs = rest.gained, rest.legs
            if leg.into:
                legs = tuple(each._replace(counts=leg.counts, into=leg.into) for each in legs)
            legs = (*legs, *entered.legs[1:])
        elif leg.name == "recvmmsg" and leg.args[4]:
            by_kernel, legs = (
                False,
                (*remainders.messages_one_by_one(leg.args, 0), *entered.legs[1:]),
            )
        self._set_limit(task, entered, look, now, gained, by_kernel=by_kernel)
        if by_kernel and not entered.until:
            return None
        entered.last, entered.code = result, entered.code or min(result, 0)
        if gained:
            self._add_gained(task, entered, leg, gained)
        if _is_over(entered, now, gained):
            return CutCall(
                False,
                self._finish_call(
                    task, entered, registers, self._choose_expired_result(task, entered)
                ),
            )
        if not (entered.told or gained or entered.until or entered.mended):
            # Nothing about it is to be seen to at its return.
            return CutCall(True) if self._issue_leg(task, entered, legs[0], registers) else None
        entered.mended = True
        if by_kernel:
            task.interrupted, task.deferred = (entered, -result), None
            return CutCall(True)
        entered.legs = legs if gained or entered.legs or legs[0] != leg else ()
        if not self._issue_leg(task, entered, legs[0], registers):
            return None
        entered.back = True
        task.interrupted, task.deferred = (entered, entered.code), None
        return CutCall(True)

    def _issue_leg(self, task: Task, entered: Entered, leg: Leg, registers: list[int]) -> bool:
        """Let a thread that stands behind a call make another one there."""
        arch = self._context.arch
        for index, value in zip(arch.call_arguments, leg.args, strict=True):
            registers[index] = value & _MASK
        entered.making = self._numbers.get(leg.name, entered.number)
        registers[arch.number] = entered.making
        if not _is_before_call(task.tid, arch, registers):
            registers[arch.pc] -= arch.syscall_length
        registers[arch.original] = _MASK  # in no call any more: not to be brought back twice
        return ptrace.set_registers(task.tid, arch, registers)

    def _add_gained(self, task: Task, entered: Entered, leg: Leg, gained: int) -> None:
        """A leg has moved something."""
        if leg.counts:
            entered.carried += gained
        if leg.into:
            had = memory.read_u32(task.tid, leg.into) or 0
            ptrace.poke_memory(task.tid, leg.into, _HALF.pack(had + gained))

    def _another_comes(self, task: Task, action: Callable[[int], str]) -> bool:
        """Whether a further signal that is to be felt is about to be delivered: then the call ends
        as it did.
        """
        if not ptrace.has_pending(task.tid):
            return False
        status = procfs.read_status(task.process.pid, task.tid)
        if status is None:
            return True
        bits = (status.pending | status.shared_pending) & ~status.blocked
        harmless = ("ignore",) if task.continued else ("ignore", "continue")
        return any(
            bits >> (signo - 1) & 1 and action(signo) not in harmless for signo in range(1, 65)
        )

    # Limits.

    def _set_limit(
        self, task: Task, entered: Entered, look: _Look, now: float, gained: int, *, by_kernel: bool
    ) -> None:
        """Know until when a call lasts at most that is made again."""
        name, raw, tid = entered.name, entered.raw, task.tid
        if name not in limits.EXPIRED:
            return
        if name == "recvmmsg" and raw[4] and not entered.until:
            seconds = deadlines.read_length(tid, raw[4], 1e9)
            if seconds is not None:
                # After messages came, what is left of it then.
                entered.between = True
                entered.until = (now if gained else self._find_begin(task, entered)) + seconds
            return
        if entered.until and not gained:
            return
        seconds = limits.of_arguments(tid, name, raw)
        anew = False
        if seconds is None and name in READS_ANY:
            seconds, anew = look.between_bytes(raw[0])
        # A call on a socket that has a limit is never begun again by the kernel (sock_intr_errno).
        if seconds is None and not by_kernel and look.on_socket(name, raw):
            seconds = limits.of_socket(task.process.pid, name, raw)
            # For each buffer that it makes, such a socket waits for as long (sock_alloc_send_pskb).
            anew = (
                bool(gained)
                and name in remainders.SENDS
                and look.read_file(raw[0]).kind == "unix stream"
            )
        if seconds:
            entered.until = (
                now + seconds
                if anew
                else entered.until or self._find_begin(task, entered) + seconds
            )

    def _find_begin(self, task: Task, entered: Entered) -> float:
        """When a call began; if its entry was not seen, as it was when a sample found its thread
        asleep in it.
        """
        if entered.told or entered.since:
            return entered.since or entered.began
        switches, since = task.asleep
        status = procfs.read_status(task.process.pid, task.tid)
        # The stop that it stands at is one more.
        same = since and status is not None and status.voluntary == switches + 1
        return since if same else entered.began

    def _choose_expired_result(self, task: Task, entered: Entered) -> int:
        """What a call returns whose limit is up."""
        if entered.carried:
            return entered.carried
        if (
            entered.name == "connect"
            and _Look(task).read_file(entered.raw[0]).kind != "unix stream"
        ):
            return -errno.EINPROGRESS  # it goes on without the thread (connect(2))
        if entered.name == "read" and _Look(task).read_file(entered.raw[0]).kind == "terminal":
            return 0
        return limits.EXPIRED[entered.name]

    def watch_limit(self, task: Task) -> None:
        """A thread makes a call again: it is to end in time."""
        entered = task.entered
        if entered is not None and entered.until and not entered.between:
            self._limited[task.tid] = task

    def next_limit(self) -> float | None:
        """In how many seconds the next limit is up; None if there is none."""
        if not self._limited:
            return None
        ends = [task.entered.until for task in self._limited.values() if task.entered is not None]
        return max(min(ends) - self._context.emitter.now(), 0.0) if ends else None

    def end_limits(self) -> None:
        """Interrupt the calls whose limits are up."""
        now = self._context.emitter.now()
        for tid, task in list(self._limited.items()):
            entered = task.entered
            if entered is None or task.tid not in self._context.tasks:
                del self._limited[tid]
            elif now >= entered.until:
                del self._limited[tid]
                task.ended = ptrace.interrupt_thread(tid)

    # At the return.

    def handle_return(self, task: Task, entered: Entered, result: int) -> int | None:
        """At the return of a call that was made again, or of a leg of it.

        Returns:
            What the program sees, once that is sure; None if it is not over, or if what comes next
            decides.
        """
        self._limited.pop(task.tid, None)
        arch, now = self._context.arch, self._context.emitter.now()
        registers = ptrace.get_registers(task.tid, arch)
        if registers is None:
            return result
        entered.back = False
        leg = entered.legs[0] if entered.legs else Leg(entered.name, entered.raw, 0)
        task.ended, ended = False, task.ended
        due = ended or (entered.until and not entered.between and now >= entered.until - EARLY)
        code = -result if result < 0 else 0
        entered.last = result
        if code == errno.EINTR or code in RESTART_CODES:
            if due:
                return self._finish_call(
                    task, entered, registers, self._choose_expired_result(task, entered)
                )
            if entered.carried:
                self._restore_registers(task, entered, registers, entered.carried)
                task.deferred = (entered, entered.carried)
            elif code in RESTART_CODES:
                self._restore_registers(task, entered, registers, result)
                task.interrupted = (entered, code)
            else:
                self._restore_registers(task, entered, registers, result)
                task.deferred = (entered, result)
            return None
        if code:
            if entered.name == "connect" and code == errno.EALREADY:
                result = -errno.EINPROGRESS
            return self._finish_call(task, entered, registers, entered.carried or result)
        if not entered.legs:
            if (
                not due
                and remainders.may_be_cut(leg.name, leg.args, result)
                and ptrace.has_pending(task.tid)
            ):
                self._restore_registers(task, entered, registers, result)
                task.deferred = (entered, result)
                return None
            return self._finish_call(task, entered, registers, result)
        if result < leg.wanted:
            if not due and ptrace.has_pending(task.tid):
                total = entered.carried + (result if leg.counts else 0)
                self._restore_registers(task, entered, registers, total)
                task.deferred = (entered, total)
                return None
            self._add_gained(task, entered, leg, result)
            return self._finish_call(task, entered, registers, entered.carried)
        self._add_gained(task, entered, leg, result)
        entered.legs = entered.legs[1:]
        if not entered.legs or (entered.between and now >= entered.until):
            return self._finish_call(task, entered, registers, entered.carried or result)
        if not self._issue_leg(task, entered, entered.legs[0], registers):
            return entered.carried
        entered.back, entered.last = True, entered.carried
        task.interrupted = (entered, 0)
        return None

    def _finish_call(self, task: Task, entered: Entered, registers: list[int], result: int) -> int:
        self._restore_registers(task, entered, registers, result)
        if entered.name in SELECTS and result == 0:
            # As after a time-out: none of the descriptors is ready.
            room = (entered.raw[0] + 63) // 64 * 8
            for address in entered.raw[1:4]:
                if address and 0 < room <= 8192:
                    ptrace.poke_memory(task.tid, address, bytes(room))
        elif entered.between and result > 0:
            left = max(entered.until - self._context.emitter.now(), 0.0)
            ptrace.poke_memory(
                task.tid, entered.raw[4], _LENGTH.pack(int(left), int(left % 1 * 1e9))
            )
        return result

    def _restore_registers(
        self, task: Task, entered: Entered, registers: list[int], result: int
    ) -> None:
        """Give a thread its registers back as it left them, but for the result."""
        arch = self._context.arch
        for index, value in zip(arch.call_arguments, entered.raw, strict=True):
            registers[index] = value
        registers[arch.number] = entered.number
        registers[arch.original] = entered.number
        if -result not in RESTART_CODES or not _is_before_call(task.tid, arch, registers):
            registers[arch.result] = result & _MASK
        ptrace.set_registers(task.tid, arch, registers)

    def cut_call(self, task: Task, entered: Entered) -> int:
        """At a stop of a thread whose call was made again: let it come back as it would have alone
        if cut short here.

        Returns:
            What it returns, or below zero the kernel's code if that is to decide.
        """
        self._limited.pop(task.tid, None)
        arch = self._context.arch
        registers = ptrace.get_registers(task.tid, arch)
        if registers is None:
            return entered.carried
        if entered.back:
            # It was brought back to before the call, and has not made it again yet.
            entered.back = False
            registers[arch.pc] += arch.syscall_length
            result = entered.carried or entered.code or entered.last
        else:
            last = _read_result(task.tid, arch, registers)
            # Below zero: nothing of this part was moved.
            gained = max(last, 0)
            leg = entered.legs[0] if entered.legs else None
            if leg is not None:
                self._add_gained(task, entered, leg, gained)
                gained = 0
            result = entered.carried + gained or last
        self._restore_registers(task, entered, registers, result)
        return result


def _is_over(entered: Entered, now: float, gained: int) -> bool:
    """Whether the limit of a call that is to be made again is up.

    One that ends only between two messages ends here if some came: the kernel has asked the same,
    and what it has left of the time is none (do_recvmmsg in net/socket.c).
    """
    if not entered.until:
        return False
    if entered.between:
        return gained > 0 and now >= entered.until
    return now >= entered.until - EARLY


class _Look:
    """What has to be known of a stopped thread's descriptors and memory (`remainders.Look`)."""

    def __init__(self, task: Task) -> None:
        self._pid, self._tid = task.process.pid, task.tid
        self._files: dict[int, File] = {}

    def read_file(self, fd: int) -> File:
        """What lies behind a descriptor."""
        fd &= 0xFFFFFFFF
        if fd not in self._files:
            self._files[fd] = self._read_file(fd)
        return self._files[fd]

    def _read_file(self, fd: int) -> File:
        info = procfs.read_fdinfo(self._pid, fd)
        try:
            found = os.stat(f"/proc/{self._pid}/fd/{fd}")
        except OSError:
            return File("other", False)
        if info is None:
            return File("other", False)
        blocks = not info.flags & os.O_NONBLOCK
        if stat.S_ISFIFO(found.st_mode):
            return File("pipe", blocks)
        if stat.S_ISSOCK(found.st_mode):
            kind, least = self._read_socket(fd)
            return File(kind, blocks, least)
        if stat.S_ISCHR(found.st_mode):
            device = os.major(found.st_rdev), os.minor(found.st_rdev)
            if device in MEMORY:
                return File("memory", blocks)
            if device[0] in TERMINALS:
                return File("terminal", blocks, self._read_terminal(fd)[0])
        return File("other", blocks)

    def _read_socket(self, fd: int) -> tuple[Kind, int]:
        with borrow(self._pid, fd) as number:
            if number is None:
                return "other", 1
            one = None
            try:
                one = socket.socket(fileno=number)
                least = one.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT)
                if one.type != socket.SOCK_STREAM:
                    return "datagram", 1
                return ("unix stream" if one.family == socket.AF_UNIX else "stream"), least
            except OSError:
                return "other", 1
            finally:
                if one is not None:
                    one.detach()

    def on_socket(self, name: str, raw: tuple[int, ...]) -> bool:
        """Whether the descriptor that decides about a call's limit is a socket."""
        if name not in limits.OF_SOCKETS:
            return False
        return self.read_file(raw[limits.OF_SOCKETS[name][0]]).kind in (
            "stream",
            "unix stream",
            "datagram",
        )

    def forget_error(self, fd: int) -> None:
        """Take a pending error from a socket (SO_ERROR)."""
        with borrow(self._pid, fd & 0xFFFFFFFF) as number:
            if number is None:
                return
            one = socket.socket(fileno=number)
            try:
                one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            finally:
                one.detach()

    def _read_terminal(self, fd: int) -> tuple[int, int]:
        """VMIN and VTIME of a terminal without line editing; 1 and 0 of another one
        (termios(3)).
        """
        with borrow(self._pid, fd) as number:
            if number is None:
                return 1, 0
            try:
                found = termios.tcgetattr(number)
            except (OSError, termios.error):
                return 1, 0
        if found[3] & termios.ICANON:
            return 1, 0
        least, tenths = found[6][termios.VMIN], found[6][termios.VTIME]
        return _to_number(least), _to_number(tenths)

    def between_bytes(self, fd: int) -> tuple[float | None, bool]:
        """How long a read of a terminal waits at most, and whether each byte begins that anew."""
        if self.read_file(fd).kind != "terminal":
            return None, False
        least, tenths = self._read_terminal(fd & 0xFFFFFFFF)
        return (tenths / 10 or None), least > 0

    def read_words(self, address: int, count: int) -> tuple[int, ...]:
        """Words of 8 bytes in its memory; none if they can't be read."""
        return remainders.unpack_words(memory.read_bytes(self._tid, address, 8 * count) or b"")


def _is_cut(entered: Entered, leg: Leg, result: int) -> bool:
    """Whether a call, or a leg of it, may have been cut short, and is not simply begun again by the
    kernel.
    """
    if result < 0 and -result in RESTART_CODES:
        return bool(entered.legs) or leg.name in limits.ANEW
    return result == -errno.EINTR or remainders.may_be_cut(leg.name, leg.args, result)


def _read_result(tid: int, arch: Arch, registers: list[int]) -> int:
    """What the call has returned that a thread made which is stopped at the delivery of a signal;
    minus one of `RESTART_CODES` if the kernel begins it again.
    """
    if _is_before_call(tid, arch, registers):
        return -ERESTARTSYS
    return _to_signed(registers[arch.result])


def _is_before_call(tid: int, arch: Arch, registers: list[int]) -> bool:
    """Whether the kernel has brought a thread back already to where it makes its call again."""
    if arch.restart_shows or _to_signed(registers[arch.original]) >= 0:
        return False
    there = memory.read_bytes(tid, registers[arch.pc], arch.syscall_length)
    return there == arch.syscall_code


def _to_number(value: int | bytes) -> int:
    return value if isinstance(value, int) else value[0]


def _to_signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value
