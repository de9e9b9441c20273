"""ptrace(2) and the waits that go with it.

All of it must be called from one OS thread: the kernel ties a tracee to the thread that seized it.
A tracee that died meanwhile (ESRCH) is normal life: the calls then return None or False.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Callable
from typing import Final, NamedTuple

from ipcviz.kernel import memory
from ipcviz.kernel.arch import Arch

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.restype = ctypes.c_long
_libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
_ptrace: Callable[..., int] = _libc.ptrace
_quick: Callable[..., int] = ctypes.PyDLL(None).ptrace
"""The same at half the price, for the requests of every stop: without releasing the
interpreter's lock, which no other thread of the tracer waits for, without errno, and with
arguments that fit into a C int, or are a pointer."""

_waitpid: Callable[..., int] = ctypes.PyDLL(None).waitpid
"""The same, and without Python's habit of waiting on after a signal (PEP 475)."""

_PR_SET_PDEATHSIG: Final = 1
"""linux/prctl.h"""

# linux/ptrace.h
POKETEXT: Final = 4
PEEKUSER: Final = 3
POKEUSER: Final = 6
CONT: Final = 7
SINGLESTEP: Final = 9
SYSCALL: Final = 24
GETEVENTMSG: Final = 0x4201
GETSIGINFO: Final = 0x4202
SETSIGINFO: Final = 0x4203
GETREGSET: Final = 0x4204
SETREGSET: Final = 0x4205
SEIZE: Final = 0x4206
INTERRUPT: Final = 0x4207
LISTEN: Final = 0x4208
PEEKSIGINFO: Final = 0x4209
GETSIGMASK: Final = 0x420A
SETSIGMASK: Final = 0x420B
GET_SYSCALL_INFO: Final = 0x420E

PEEKSIGINFO_SHARED: Final = 1

EVENT_FORK: Final = 1
EVENT_VFORK: Final = 2
EVENT_CLONE: Final = 3
EVENT_EXEC: Final = 4
EVENT_EXIT: Final = 6
EVENT_SECCOMP: Final = 7
EVENT_STOP: Final = 128

O_TRACESYSGOOD: Final = 1
O_TRACEFORK: Final = 1 << EVENT_FORK
O_TRACEVFORK: Final = 1 << EVENT_VFORK
O_TRACECLONE: Final = 1 << EVENT_CLONE
O_TRACEEXEC: Final = 1 << EVENT_EXEC
O_TRACEEXIT: Final = 1 << EVENT_EXIT
O_TRACESECCOMP: Final = 1 << EVENT_SECCOMP
O_EXITKILL: Final = 1 << 20

SYSCALL_INFO_ENTRY: Final = 1
SYSCALL_INFO_EXIT: Final = 2
SYSCALL_INFO_SECCOMP: Final = 3

NT_PRSTATUS: Final = 1
WORD: Final = 8
"""Bytes that one PTRACE_POKETEXT writes on a 64-bit machine."""

SIGTRAP: Final = 5
SYSCALL_TRAP: Final = SIGTRAP | 0x80
WALL: Final = 0x40000000

# Wait statuses (waitpid(2), ptrace(2)): stopped, by which signal, and in the third byte by which
# event.
AT_CALL: Final = SYSCALL_TRAP << 8 | 0x7F
AT_MARK: Final = EVENT_SECCOMP << 16 | SIGTRAP << 8 | 0x7F
AT_TRAP: Final = SIGTRAP << 8 | 0x7F

NO_CALL: Final = (1 << 64) - 1
"""In the place of a call's number: none, so the kernel makes none."""


class SyscallInfo(NamedTuple):
    """struct ptrace_syscall_info: which kind of stop, and the call's number and arguments or its
    result.

    `number` and `args` are set at an entry or seccomp stop, `result` and `is_error` at an exit
    stop, and `data` at a seccomp stop: what the filter has returned besides its action
    (SECCOMP_RET_DATA).
    """

    op: int
    arch: int
    pc: int
    sp: int
    number: int = -1
    args: tuple[int, int, int, int, int, int] = (0, 0, 0, 0, 0, 0)
    result: int = 0
    is_error: bool = False
    data: int = 0


class SigInfo(NamedTuple):
    """What siginfo_t says that ipcviz uses (sigaction(2)); fields that the code does not define are
    0.
    """

    signo: int
    error: int
    code: int
    pid: int
    uid: int
    address: int
    value: int


_INFO_SIZE: Final = 88
_info = ctypes.create_string_buffer(_INFO_SIZE)
_info_pointer: Final = ctypes.c_void_p(ctypes.addressof(_info))
_info_view: Final = memoryview(_info).cast("B")
_made: Final = tuple.__new__
"""Makes a named tuple of a tuple of all its fields, in half the time."""
_NO_ARGUMENTS: Final = (0, 0, 0, 0, 0, 0)
_ENTRY: Final = struct.Struct("=B3xIQQQ6Q")
_MARK: Final = struct.Struct("=B3xIQQQ6QI")
_MARK_ALONE: Final = struct.Struct("=B23xQ48xI")
_EXIT: Final = struct.Struct("=B3xIQQqB")
_HEAD: Final = struct.Struct("=B3xIQQ")
_CALL_NUMBER: Final = struct.Struct("=i")
"""What a register set of a call's number holds: below 0 if the thread is in no call."""
_ROOM: Final = 512
"""More than the general registers of any architecture take."""
_registers = ctypes.create_string_buffer(_ROOM)
_registers_place = memory.IoVec(ctypes.addressof(_registers), _ROOM)
_registers_pointer: Final = ctypes.c_void_p(ctypes.addressof(_registers_place))
_siginfo = ctypes.create_string_buffer(128)
_siginfo_pointer: Final = ctypes.c_void_p(ctypes.addressof(_siginfo))
_peeks: Final = tuple(
    ctypes.create_string_buffer(struct.pack("=QIi", 0, shared, 1), 16)
    for shared in (0, PEEKSIGINFO_SHARED)
)
_peek_pointers: Final = tuple(ctypes.c_void_p(ctypes.addressof(peek)) for peek in _peeks)
_message = ctypes.c_ulong()
_message_pointer: Final = ctypes.c_void_p(ctypes.addressof(_message))
_status = ctypes.c_int()
_status_pointer: Final = ctypes.c_void_p(ctypes.addressof(_status))
_mask = ctypes.c_uint64()
_mask_pointer: Final = ctypes.c_void_p(ctypes.addressof(_mask))


def seize_thread(tid: int, options: int) -> None:
    """Attach without stopping (PTRACE_SEIZE).

    Raises OSError: EPERM if not allowed, ESRCH if it is gone.
    """
    ctypes.set_errno(0)
    if _ptrace(SEIZE, tid, None, options) == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def resume_thread(tid: int, request: int, signo: int = 0) -> bool:
    """Let a stopped tracee go on (CONT, SYSCALL, SINGLESTEP, LISTEN), delivering a signal; False if
    it is gone.
    """
    return _quick(request, tid, 0, signo) != -1


def interrupt_thread(tid: int) -> bool:
    """Ask a running tracee to stop (PTRACE_INTERRUPT); some calls then fail with EINTR
    (signal(7)).
    """
    return _ptrace(INTERRUPT, tid, None, None) != -1


def event_message(tid: int) -> int | None:
    """The event's message: the new process of a fork, the former thread id of an exec, the status
    of an exit.
    """
    if _quick(GETEVENTMSG, tid, 0, _message_pointer) == -1:
        return None
    return _message.value


def syscall_info(tid: int) -> SyscallInfo | None:
    """Which system call a tracee stands at, in one form for every architecture (Linux 5.3 and
    later).
    """
    if _quick(GET_SYSCALL_INFO, tid, _INFO_SIZE, _info_pointer) == -1:
        return None
    op = _info_view[0]
    if op == SYSCALL_INFO_EXIT:
        _, arch, pc, sp, result, is_error = _EXIT.unpack_from(_info_view)
        return _made(SyscallInfo, (op, arch, pc, sp, -1, _NO_ARGUMENTS, result, is_error != 0, 0))
    if op == SYSCALL_INFO_SECCOMP:
        _, arch, pc, sp, number, a, b, c, d, e, f, data = _MARK.unpack_from(_info_view)
        return _made(SyscallInfo, (op, arch, pc, sp, number, (a, b, c, d, e, f), 0, False, data))
    if op == SYSCALL_INFO_ENTRY:
        found = _ENTRY.unpack_from(_info_view)
        return _made(SyscallInfo, (*found[:5], found[5:], 0, False, 0))
    _, arch, pc, sp = _HEAD.unpack_from(_info_view)
    return SyscallInfo(op, arch, pc, sp)


def marked_call(tid: int) -> tuple[int, int, int] | None:
    """What `syscall_info` says of a marked call, without the rest: `op`, `number` and `data`.

    The last two mean something only if the first is SYSCALL_INFO_SECCOMP. For stops that are only
    counted.
    """
    if _quick(GET_SYSCALL_INFO, tid, _INFO_SIZE, _info_pointer) == -1:
        return None
    return _MARK_ALONE.unpack_from(_info_view)


def signal_info(tid: int) -> SigInfo | None:
    """The siginfo of a signal-delivery-stop; None at a group-stop, which has none, or if the tracee
    is gone.
    """
    if _quick(GETSIGINFO, tid, 0, _siginfo_pointer) == -1:
        return None
    return parse_signal_info(_siginfo.raw)


def parse_signal_info(raw: bytes) -> SigInfo:
    """The same from a siginfo_t."""
    signo, error, code = struct.unpack_from("=iii", raw)
    pid, uid = struct.unpack_from("=iI", raw, 16)
    (address,) = struct.unpack_from("=Q", raw, 16)
    (value,) = struct.unpack_from("=q", raw, 24)
    return SigInfo(signo, error, code, pid, uid, address, value)


def raw_signal_info(tid: int) -> bytes | None:
    """The whole siginfo_t of a signal-delivery-stop, for `set_signal_info`."""
    if _quick(GETSIGINFO, tid, 0, _siginfo_pointer) == -1:
        return None
    return _siginfo.raw


def set_signal_info(tid: int, raw: bytes) -> bool:
    """Replace the siginfo_t of a signal-delivery-stop (PTRACE_SETSIGINFO)."""
    buffer = ctypes.create_string_buffer(raw, len(raw))
    return _ptrace(SETSIGINFO, tid, None, ctypes.addressof(buffer)) != -1


def has_pending(tid: int) -> bool:
    """Whether any signal is pending for a stopped tracee, blocked or not: its own or its process's
    (two requests).
    """
    return any(
        _quick(PEEKSIGINFO, tid, pointer, _siginfo_pointer) > 0 for pointer in _peek_pointers
    )


def tgkill(pid: int, tid: int, signo: int) -> bool:
    """Send a signal to one thread; False if it is gone."""
    result: int = _libc.tgkill(pid, tid, signo)
    return result == 0


def get_registers(tid: int, arch: Arch) -> list[int] | None:
    """The general registers (NT_PRSTATUS) in the order of `Arch.registers`, and behind them the
    number of the call where that is a register set of its own (`Arch.call_set`).
    """
    _registers_place.length = _ROOM
    if _quick(GETREGSET, tid, NT_PRSTATUS, _registers_pointer) == -1:
        return None
    registers = list(struct.unpack_from(arch.registers, _registers))
    if arch.call_set:
        _registers_place.length = _CALL_NUMBER.size
        if _quick(GETREGSET, tid, arch.call_set, _registers_pointer) == -1:
            return None
        registers.append(_CALL_NUMBER.unpack_from(_registers)[0] & NO_CALL)
    return registers


def set_registers(tid: int, arch: Arch, registers: list[int]) -> bool:
    """Set what `get_registers` has read."""
    if not arch.call_set:
        return write_register_set(tid, NT_PRSTATUS, struct.pack(arch.registers, *registers))
    *general, call = registers
    return write_register_set(
        tid, NT_PRSTATUS, struct.pack(arch.registers, *general)
    ) and write_register_set(tid, arch.call_set, struct.pack("=I", call & 0xFFFFFFFF))


def read_register_set(tid: int, number: int) -> bytes:
    """One of a stopped tracee's register sets (PTRACE_GETREGSET; NT_* in linux/elf.h); nothing if
    it has none of that number, or is gone.
    """
    _registers_place.length = _ROOM
    if _quick(GETREGSET, tid, number, _registers_pointer) == -1:
        return b""
    return _registers.raw[: _registers_place.length]


def write_register_set(tid: int, number: int, data: bytes) -> bool:
    """Set the beginning of a register set (PTRACE_SETREGSET), or all of it."""
    buffer = ctypes.create_string_buffer(data, len(data))
    iovec = memory.IoVec(ctypes.addressof(buffer), len(data))
    return _ptrace(SETREGSET, tid, number, ctypes.addressof(iovec)) != -1


def set_pc(tid: int, arch: Arch, registers: list[int], pc: int) -> bool:
    """Let a stopped tracee, whose registers these are, go on at another address."""
    registers[arch.pc] = pc
    if arch.machine == "x86_64":
        # struct user begins with struct user_regs_struct (sys/user.h).
        return _ptrace(POKEUSER, tid, 8 * arch.pc, pc) != -1
    return set_registers(tid, arch, registers)


def set_user(tid: int, offset: int, value: int) -> bool:
    """Set a word of a stopped tracee's struct user, a debug register, say."""
    return _ptrace(POKEUSER, tid, offset, value) != -1


def get_user(tid: int, offset: int) -> int | None:
    """A word of a stopped tracee's struct user (sys/user.h); None if there is none, or it is gone.

    glibc's wrapper of PTRACE_PEEKUSER returns the word itself, so -1 is told from a failure by
    errno alone (ptrace(2)).
    """
    ctypes.set_errno(0)
    word = _ptrace(PEEKUSER, tid, offset, None)
    if word == -1 and ctypes.get_errno():
        return None
    return int(word) & NO_CALL


def get_mask(tid: int) -> int | None:
    """The signal mask of a stopped tracee, as a set of bits."""
    if _quick(GETSIGMASK, tid, 8, _mask_pointer) == -1:
        return None
    return _mask.value


def set_mask(tid: int, mask: int) -> bool:
    """Set the signal mask of a stopped tracee."""
    _mask.value = mask
    return _ptrace(SETSIGMASK, tid, 8, ctypes.addressof(_mask)) != -1


def poke_memory(tid: int, address: int, data: bytes) -> bool:
    """Write into a stopped tracee's memory, read-only pages too (PTRACE_POKETEXT, a word at a
    time).
    """
    for start in range(0, len(data), WORD):
        part = data[start : start + WORD]
        if len(part) < WORD:
            rest = memory.read_bytes(tid, address + start, WORD)
            if rest is None or len(rest) < WORD:
                return False
            part += rest[len(part) :]
        if _ptrace(POKETEXT, tid, address + start, int.from_bytes(part, "little")) == -1:
            return False
    return True


def wait_for_change(tid: int = -1, *, block: bool = False) -> tuple[int, int] | None:
    """The next change of a tracee or child: (tid, status); (0, 0) if there is none yet; None if
    there are none left.
    """
    while True:
        try:
            return os.waitpid(tid, WALL | (0 if block else os.WNOHANG))
        except ChildProcessError:
            return None
        except InterruptedError:
            continue


def wait_asleep() -> tuple[int, int]:
    """The next change of a tracee or child, as `wait_for_change` gives it, for which this thread
    goes to sleep until any signal comes: (0, 0) then, or if there are none left.
    """
    tid = _waitpid(-1, _status_pointer, WALL)
    return (tid, _status.value) if tid > 0 else (0, 0)


def wait_gently(known: Callable[[int], bool]) -> tuple[int, int] | None:
    """As `wait_for_change`, but a thread that stands before the delivery of a signal is only
    looked at (WNOWAIT).

    Once a wait has taken such a stop, the signal is the tracer's to deliver, and lost if that is
    killed before it does; as long as none has, the kernel delivers it. Such a thread must be
    resumed before the next call, which would find it again; so must be those that `known` does not
    know, which are waited for as by `wait_for_change`.
    """
    while True:
        try:
            found = os.waitid(
                os.P_ALL, 0, os.WEXITED | os.WSTOPPED | os.WNOHANG | os.WNOWAIT | WALL
            )
        except ChildProcessError:
            return None
        except InterruptedError:
            continue
        if found is None or not found.si_pid:
            return 0, 0
        # waitid(2) gives a tracee's whole stop, event and all, as the status.
        if found.si_code == os.CLD_TRAPPED and found.si_status <= 64 and known(found.si_pid):
            return found.si_pid, found.si_status << 8 | 0x7F
        return wait_for_change(found.si_pid)


def _read_text(path: str) -> str:
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def outlive_parent() -> None:
    """Undo PR_SET_PDEATHSIG of prctl(2): whoever started us may end, and we go on."""
    _libc.prctl(_PR_SET_PDEATHSIG, 0, 0, 0, 0)


def can_trace() -> str:
    """Why ptrace can't be used here at all, as a sentence; empty if it can."""
    status = _read_text("/proc/self/status")
    if not status:
        return (
            "/proc is not mounted here, and ipcviz reads everything from it: mount it (mount -t"
            " proc proc /proc)."
        )
    if "TracerPid:\t0" not in status:
        return (
            "ipcviz itself is being traced (by strace, gdb or another ipcviz), and can't trace in"
            " turn: run it alone."
        )
    return ""


def explain_refusal(error: OSError, what: str) -> str:
    """One sentence for a seize that failed, with the mend."""
    if error.errno == errno.EPERM:
        scope = _read_text("/proc/sys/kernel/yama/ptrace_scope").strip()
        if scope == "3":
            return (
                f"{what} can't be traced: kernel.yama.ptrace_scope is 3, which forbids it until the"
                " next boot."
            )
        if scope in ("1", "2"):
            return (
                f"{what} can't be traced: kernel.yama.ptrace_scope is {scope}; allow it with"
                " 'sudo sysctl kernel.yama.ptrace_scope=0', or run ipcviz as root."
            )
        return (
            f"{what} can't be traced: this container or sandbox forbids ptrace; run it with"
            " --cap-add=SYS_PTRACE, or outside."
        )
    if error.errno == errno.ESRCH:
        return f"{what} is gone."
    return f"{what} can't be traced: {error.strerror}."
