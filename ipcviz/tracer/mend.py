"""Mending what being traced would change: an ignored signal must not be felt.

The kernel drops a signal that a process ignores, but queues it for one that is traced so that the tracer hears of it
(sig_ignored in kernel/signal.c). It then cuts short the call that the process sleeps in. Most calls are started
again by the kernel; some fail with EINTR, and a write that has moved a part returns that part. Here the call is
made again, for the rest, before the process sees any of it.
"""

from __future__ import annotations

from collections.abc import Callable

from ipcviz.kernel import procfs, ptrace
from ipcviz.kernel.arch import Arch
from ipcviz.model.query import table_of
from ipcviz.model.state import State
from ipcviz.tracer.tasks import Entered, Task

SIGCONT = 18
_MASK = (1 << 64) - 1


def undo(
    task: Task,
    arch: Arch,
    signo: int,
    held: tuple[Entered, int] | None,
    action: Callable[[int], str],
    name_of: dict[int, str],
) -> bool:
    """At the delivery of an ignored signal: make the call that it cut short again.

    Args:
        task: The thread, stopped at the delivery.
        arch: This machine's.
        signo: The signal. SIGCONT interrupts calls without a tracer too and is left alone.
        held: The traced call that returned with EINTR (-4) or a part of a write, and that result; None if none did.
        action: What the process does with another signal (`handler`, `ignore`, ...).
        name_of: Call names by number.

    Returns:
        Whether the call will be made again: then it has not returned yet.
    """
    if signo == SIGCONT or _another_comes(task, action):
        return False
    registers = ptrace.get_registers(task.tid, arch)
    if registers is None:
        return False
    if held is not None:
        entered, result = held
    else:
        if task.interrupted is not None or arch.original == arch.number:
            return False
        number = _signed(registers[arch.original])
        result = _signed(registers[arch.result])
        if number < 0:
            return False  # it was in no call
        name = name_of.get(number, "")
        first, second, third, fourth = (registers[i] for i in arch.arguments)
        if result != -4 and not (name == "write" and 0 < result < third):
            return False
        entered = Entered(name=name, number=number, raw=(first, second, third, fourth, 0, 0), args={}, began=0.0)
    if result > 0:
        entered.carried += result
        registers[arch.arguments[1]] = (entered.raw[1] + entered.carried) & _MASK
        registers[arch.arguments[2]] = entered.raw[2] - entered.carried
    if arch.result == arch.arguments[0]:
        registers[arch.arguments[0]] = entered.raw[0]
    registers[arch.number] = entered.number
    registers[arch.pc] -= arch.syscall_length
    if arch.original != arch.number:
        registers[arch.original] = _MASK  # in no call any more: not to be brought back twice
    if not ptrace.set_registers(task.tid, arch, registers):
        return False
    if held is not None or entered.carried:
        task.interrupted = (entered, 0)
    return True


def finish(tid: int, arch: Arch, entered: Entered, info: ptrace.SyscallInfo) -> int:
    """At the return of a write that was continued: give the program the whole result, and its registers back.

    Returns:
        What the program sees: bytes written in all, or a negative error if nothing was.
    """
    total = entered.carried + info.result if not info.is_error and info.result >= 0 else entered.carried
    registers = ptrace.get_registers(tid, arch)
    if registers is not None:
        registers[arch.arguments[1]] = entered.raw[1]
        registers[arch.arguments[2]] = entered.raw[2]
        registers[arch.result] = total
        ptrace.set_registers(tid, arch, registers)
    return total


def cut(tid: int, arch: Arch, entered: Entered) -> int:
    """At a stop inside a write that was continued, or at its return: let it come back with all that it has written.

    Returns:
        That.
    """
    registers = ptrace.get_registers(tid, arch)
    if registers is None or arch.original == arch.number:
        return entered.carried
    number, result = _signed(registers[arch.original]), _signed(registers[arch.result])
    total = entered.carried
    if number == entered.number:
        # Below zero: the kernel would have started it again, and nothing of this part was written.
        total += max(result, 0)
    elif number < 0 and result == entered.number:
        # It was brought back to before the call, and has not made it again yet.
        registers[arch.pc] += arch.syscall_length
    else:
        return total
    registers[arch.arguments[1]] = entered.raw[1]
    registers[arch.arguments[2]] = entered.raw[2]
    registers[arch.result] = total
    ptrace.set_registers(tid, arch, registers)
    return total


def _another_comes(task: Task, action: Callable[[int], str]) -> bool:
    """Whether a further signal that the process does not ignore is about to be delivered: then EINTR is right."""
    status = procfs.read_status(task.process.pid, task.tid)
    if status is None:
        return True
    bits = (status.pending | status.shared_pending) & ~status.blocked
    return any(bits >> (signo - 1) & 1 and action(signo) != "ignore" for signo in range(1, 65))


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def cut_short(state: State, pid: int, entered: Entered, result: int) -> bool:
    """Whether a write to a pipe returned a part although the descriptor blocks: a signal did it."""
    if entered.name != "write" or not 0 < result < entered.raw[2] - entered.carried:
        return False
    thing = state.objects.get(entered.object)
    descriptor = table_of(state, pid).get(entered.raw[0] & 0x7FFFFFFF)
    found = state.open_files.get(descriptor.ofd) if descriptor is not None else None
    return (
        thing is not None
        and thing.info.kind in ("pipe", "fifo")
        and found is not None
        and "nonblock" not in found.flags
    )
