"""Live mode: while the dynamic linker loads a program, its threads stop at marked calls alone, not
at every call.

That ends where glibc's linker says that all is loaded (`_dl_debug_state`, which debuggers wait for,
too), before code of the program or of its libraries runs. It ends earlier if a marked call comes
from elsewhere, and where the program begins at the latest.
"""

from __future__ import annotations

from typing import Final

from ipcviz.kernel import elf, memory, ptrace
from ipcviz.kernel.arch import Arch
from ipcviz.tracer.context import Context
from ipcviz.tracer.stops.breakpoints import SIGTRAP_BIT
from ipcviz.tracer.stops.loader import AT_ENTRY, Loader, loader_of
from ipcviz.tracer.tasks import Task, TracedProcess

_SAYS: Final = "_dl_debug_state"
_TIMES: Final = 2
"""It is called when libraries are about to be loaded, and when they all are."""
_RETURNS: Final = (b"\xc3", b"\xf3\x0f\x1e\xfa\xc3")
"""What it consists of: ret, perhaps with endbr64 before it."""


def begin_linking(
    context: Context, task: Task, kind: elf.ElfClass | None, *, harmless: bool
) -> None:
    """A thread has just executed a program.

    `harmless` says that breakpoints are, and that a filter marks calls.
    """
    process = task.process
    loader = loader_of(process.pid, kind)
    process.loader = loader.code
    thread = context.state.threads.get(task.tid)
    blocked = thread is not None and thread.blocked & SIGTRAP_BIT
    if (
        harmless
        and process.full
        and context.policy.may_touch
        and not (context.holding or context.config.full or blocked)
    ):
        _set_breakpoints(task, context.arch, loader)


def _set_breakpoints(task: Task, arch: Arch, loader: Loader) -> None:
    """Set the breakpoints, where the linker is one that has what they need."""
    process, tid = task.process, task.tid
    if arch.machine != "x86_64" or not loader.code[0]:
        return
    vaddr = elf.function_addresses(loader.path, (_SAYS,)).get(_SAYS)
    entry = loader.facts.get(AT_ENTRY, 0)
    if vaddr is None or not entry:
        return
    places = (loader.base + vaddr, entry)
    words = memory.read_several(tid, places, ptrace.WORD)
    if words is None or not words[0].startswith(_RETURNS):
        return
    for address, word in zip(places, words, strict=True):
        if ptrace.poke_memory(tid, address, arch.breakpoint + word[len(arch.breakpoint) :]):
            process.linking[address] = word
    process.linked = 0
    if len(process.linking) < len(places):
        end_linking(process, tid)


def end_linking(process: TracedProcess, tid: int) -> None:
    """From here on a process's threads stop at every call again.

    It is done through a stopped one.
    """
    for address, word in process.linking.items():
        ptrace.poke_memory(tid, address, word)
    process.linking = {}


def handle_trap(task: Task, arch: Arch) -> bool:
    """A thread has trapped: if that is one of these breakpoints, bring it past it.

    Returns whether it is.
    """
    process = task.process
    registers = ptrace.get_registers(task.tid, arch)
    address = registers[arch.pc] - arch.trap_skip if registers is not None else 0
    word = process.linking.get(address)
    if registers is None or word is None:
        return False
    process.linked += 1
    back = memory.read_u64(task.tid, registers[arch.sp]) if word.startswith(_RETURNS) else None
    if process.linked < _TIMES and back is not None:
        registers[arch.pc], registers[arch.sp] = back, registers[arch.sp] + ptrace.WORD
    else:
        end_linking(process, task.tid)
        registers[arch.pc] = address
    ptrace.set_registers(task.tid, arch, registers)
    return True
