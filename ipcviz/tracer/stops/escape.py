"""CLONE_UNTRACED: what a process makes with it would run without its tracer, and with a filter that
then fails calls.

The flag is taken out at the call's entry and put back at its return, so that the program finds all
as it left it.
"""

from __future__ import annotations

from ipcviz.kernel import memory, ptrace
from ipcviz.kernel.arch import Arch
from ipcviz.tracer.calls.table import CLONE_UNTRACED
from ipcviz.tracer.tasks import Entered


def clear_flag(
    tid: int, arch: Arch, name: str, number: int, raw: tuple[int, ...]
) -> Entered | None:
    """At the entry of clone or clone3: take the flag out.

    Returns the call if its return is to be seen.
    """
    if name == "clone":
        if not raw[0] & CLONE_UNTRACED:
            return None
        registers = ptrace.get_registers(tid, arch)
        if registers is None:
            return None
        registers[arch.arguments[0]] &= ~CLONE_UNTRACED
        ptrace.set_registers(tid, arch, registers)
    else:
        flags = memory.read_u64(tid, raw[0])
        if flags is None or not flags & CLONE_UNTRACED:
            return None
        ptrace.poke_memory(tid, raw[0], (flags & ~CLONE_UNTRACED).to_bytes(8, "little"))
    return Entered(name=name, number=number, raw=raw, args={}, began=0.0, announced=True)


def restore_flag(tid: int, arch: Arch, entered: Entered) -> None:
    """At the return: put the flag back."""
    if entered.name == "clone":
        registers = ptrace.get_registers(tid, arch)
        if registers is not None and arch.arguments[0] != arch.result:
            registers[arch.arguments[0]] = entered.raw[0]
            ptrace.set_registers(tid, arch, registers)
        return
    flags = memory.read_u64(tid, entered.raw[0])
    if flags is not None:
        ptrace.poke_memory(tid, entered.raw[0], (flags | CLONE_UNTRACED).to_bytes(8, "little"))
