"""Breakpoints on libc's semaphore functions: POSIX semaphores make no system call while they need
not sleep.

The first instruction of each function is replaced by the one that traps; a copy of it lies in the
padding behind the library's code, where a thread executes it alone (out of line), so that other
threads never see it missing. How long that instruction is shows when a thread is stepped over it
for the first time: from then on a jump behind the copy leads back, and threads just go on there.
"""

from __future__ import annotations

import struct
from typing import Final

from ipcviz.kernel import elf, memory, ptrace
from ipcviz.kernel.arch import Arch
from ipcviz.tracer.tasks import Task, TracedProcess

FUNCTIONS: Final = (
    "sem_init",
    "sem_wait",
    "sem_trywait",
    "sem_timedwait",
    "sem_clockwait",
    "sem_post",
    "sem_getvalue",
    "sem_close",
    "sem_destroy",
)
SLOT: Final = 16
"""Bytes of a copied instruction: x86-64's longest has 15."""

PAGE: Final = 4096
ALL_SIGNALS: Final = (1 << 64) - 1
SIGTRAP_BIT: Final = 1 << (ptrace.SIGTRAP - 1)


def holds_semaphores(path: str) -> bool:
    """Whether a mapped program file may define the functions: libc, the older libpthread, musl."""
    name = path.rpartition("/")[2]
    return name.startswith(("libc.so", "libc-", "libpthread", "ld-musl", "libc.musl"))


def insert_breakpoints(
    process: TracedProcess, tid: int, arch: Arch, path: str, start: int, offset: int
) -> int:
    """Set breakpoints in a program file that a stopped thread has mapped executable.

    Args:
        process: The process; its `breakpoints` gain the new ones.
        tid: A stopped thread of it.
        arch: This machine's.
        path: The file, readable by us (/proc/PID/root or map_files do).
        start: Address of the mapping.
        offset: Offset in the file that it begins at.

    Returns:
        How many were set.
    """
    found = elf.function_addresses(path, FUNCTIONS)
    segment = next(
        (s for s in elf.executable_segments(path) if s.offset // PAGE == offset // PAGE), None
    )
    if not found or segment is None:
        return 0
    base = start - offset + segment.offset - segment.vaddr
    end = base + segment.vaddr + segment.filesz
    scratch = (end + SLOT - 1) // SLOT * SLOT
    room = (end + PAGE - 1) // PAGE * PAGE - scratch
    places = {
        base + vaddr: name
        for name, vaddr in sorted(found.items())
        if base + vaddr not in process.breakpoints
    }
    count = 0
    for (address, name), original in zip(
        places.items(), memory.read_several(tid, tuple(places), SLOT) or (), strict=False
    ):
        if original.startswith(arch.breakpoint):
            continue
        fits = (count + 1) * SLOT <= room and not _is_relative(arch, original)
        if ptrace.poke_memory(
            tid, address, arch.breakpoint + original[len(arch.breakpoint) : ptrace.WORD]
        ):
            process.breakpoints[address] = (original, name, scratch + count * SLOT if fits else 0)
            count += 1
    return count


def _is_relative(arch: Arch, code: bytes) -> bool:
    """Whether an instruction may address memory relative to itself, and so can't be executed
    elsewhere.
    """
    if arch.machine == "aarch64":
        word = int.from_bytes(code[:4], "little")
        # adr, adrp; ldr (literal); b, bl; b.cond; cbz, tbz; blr, which leaves where it returns to.
        return (
            word & 0x1F000000 == 0x10000000
            or word & 0x3B000000 == 0x18000000
            or word & 0x7C000000 in (0x14000000, 0x34000000)
            or word >> 24 == 0x54
            or word & 0xFFFFFC1F == 0xD63F0000
        )
    index = 0
    while index < len(code) - 2 and (
        code[index] in (0x66, 0xF2, 0xF3) or 0x40 <= code[index] <= 0x4F
    ):
        index += 1
    if index == len(code) - 2:
        return True  # prefixes alone, which no compiler writes: not to be moved
    if code[index] in _TO_ELSEWHERE or (
        code[index] == 0x0F and code[index + 1] in _TO_ELSEWHERE_LONG
    ):
        return True
    index += 2 if code[index] == 0x0F else 1
    return code[index] & 0xC7 == 0x05 or (
        code[index - 1] == 0xFF and code[index] >> 3 & 7 in _CALLS
    )


_TO_ELSEWHERE: Final = frozenset(
    {*range(0x70, 0x80), *range(0xE0, 0xE4), 0xE8, 0xE9, 0xEB, 0x62, 0xC4, 0xC5}
)
_TO_ELSEWHERE_LONG: Final = frozenset({*range(0x80, 0x90), 0x38, 0x3A})
_CALLS: Final = (2, 3)
"""Jumps and calls to a place that is so far from here, calls that leave the place that they
return to, and what has longer prefixes, which may do the like (Intel's manual, appendix A; after
0F; in the ModRM byte after FF)."""


def leads_to(arch: Arch, code: bytes, address: int) -> int:
    """Where the jump that a function begins with leads, as musl's sem_trywait does; 0 if it begins
    with none.
    """
    if arch.machine != "x86_64":
        return 0
    if code[0] == 0xEB:
        return address + 2 + int.from_bytes(code[1:2], "little", signed=True)
    return address + 5 + int.from_bytes(code[1:5], "little", signed=True) if code[0] == 0xE9 else 0


_lengths: dict[bytes, int] = {}
"""Lengths of instructions (by their bytes and what follows them) that were stepped over, and that a
jump may follow.
"""

_JUMP: Final = struct.Struct("<Bi")


def prepare_detour(process: TracedProcess, tid: int, arch: Arch, address: int) -> int:
    """Where a thread that stands at a breakpoint can go on without being stepped: in the copy,
    which jumps back.

    Returns:
        The copy's address; 0 if there is none yet.
    """
    original, _, slot = process.breakpoints[address]
    length = _lengths.get(original, 0)
    if not slot or not length:
        return 0
    if process.copied.get(address) != length:
        back = _JUMP.pack(0xE9, address + length - (slot + length + _JUMP.size))
        if not ptrace.poke_memory(
            tid, slot, (original[:length] + back).ljust(SLOT, arch.breakpoint)
        ):
            return 0
        process.copied[address] = length
    return slot


def _learn_length(arch: Arch, original: bytes, length: int) -> None:
    """An instruction was stepped over, and the thread stood so many bytes behind its begin."""
    goes_on = original[0] not in _GO_ELSEWHERE and not (
        original[0] == 0x0F and original[1] & 0xF0 == 0x80
    )
    if arch.machine == "x86_64" and 0 < length <= SLOT - _JUMP.size and goes_on:
        if len(_lengths) > 256:
            _lengths.clear()
        _lengths[original] = length


_GO_ELSEWHERE: Final = frozenset(
    {*range(0x70, 0x80), *range(0xE0, 0xE4), 0xC2, 0xC3, 0xE8, 0xE9, 0xEB, 0xF2, 0xF3, 0xFF}
)
"""First bytes of instructions that may not lead to the next one (Intel's manual, appendix A), or of
their prefixes.
"""


def return_address(tid: int, arch: Arch, registers: list[int]) -> int:
    """Where a function that a thread has just entered returns to; 0 if that can't be read."""
    if arch.machine == "aarch64":
        return registers[30]
    return memory.read_u64(tid, registers[arch.sp]) or 0


def own_place(process: TracedProcess, pc: int) -> int:
    """Address of the breakpoint whose instruction's copy a thread stands at; 0 if it does not."""
    for address in process.copied:
        if process.breakpoints.get(address, (b"", "", 0))[2] == pc:
            return address
    return 0


def remove_all(process: TracedProcess, tid: int, arch: Arch) -> None:
    """Take all breakpoints out again, through a stopped thread of the process."""
    for address, (original, _, _) in process.breakpoints.items():
        ptrace.poke_memory(tid, address, original[: len(arch.breakpoint)])
    # Other threads may have trapped already, and their stops are still to come.
    process.retired.update(process.breakpoints)
    process.breakpoints.clear()
    process.copied.clear()


def are_in(process: TracedProcess, tid: int, arch: Arch) -> bool:
    """Whether a process's breakpoints are in the memory of a thread of another one too: a fork
    copied them.
    """
    return all(
        memory.read_bytes(tid, address, len(arch.breakpoint)) == arch.breakpoint
        for address in process.breakpoints
    )


def step_over(task: Task, arch: Arch, registers: list[int], address: int, mask: int) -> int | None:
    """Execute the instruction that a breakpoint replaced, and leave the thread stopped behind it.

    Signals are blocked for the one step, so that none can come between; the mask is put back
    afterwards.

    Args:
        task: The thread, stopped at the breakpoint.
        arch: This machine's.
        registers: Its registers as they are.
        address: The breakpoint's.
        mask: The signal mask to put back: the kernel takes SIGTRAP out of a mask that blocks it
            when a breakpoint traps, so it is the one that was known before.

    Returns:
        None if all went well; else the wait status that came instead of the step, to be handled as
        any other.
    """
    original, _, slot = task.process.breakpoints[address]
    tid = task.tid
    if not slot:
        ptrace.poke_memory(tid, address, original[: len(arch.breakpoint)])
    elif address not in task.process.copied and ptrace.poke_memory(tid, slot, original):
        task.process.copied[address] = 0
    registers[arch.pc] = slot or address
    ptrace.set_registers(tid, arch, registers)
    ptrace.set_mask(tid, ALL_SIGNALS)
    status = None
    if ptrace.resume_thread(tid, ptrace.SINGLESTEP):
        came = ptrace.wait_for_change(tid, block=True)
        status = came[1] if came is not None else None
    stepped = status is not None and status & 0xFF == 0x7F and status >> 8 == ptrace.SIGTRAP
    now = ptrace.get_registers(tid, arch) if status is not None and status & 0xFF == 0x7F else None
    if now is not None:
        if slot and slot <= now[arch.pc] < slot + SLOT and stepped:
            _learn_length(arch, original, now[arch.pc] - slot)
            now[arch.pc] += address - slot
            ptrace.set_registers(tid, arch, now)
        elif not stepped and now[arch.pc] == (slot or address):
            now[arch.pc] = address
            ptrace.set_registers(tid, arch, now)
            task.step_over = address
        ptrace.set_mask(tid, mask)
    if not slot:
        ptrace.poke_memory(tid, address, arch.breakpoint)
    return None if stepped else status
