"""From a call's raw arguments to numbers and words."""

from __future__ import annotations

import os
import shlex
import struct
from collections.abc import Callable
from functools import cache
from typing import Final, Literal

from ipcviz.events import Disposition
from ipcviz.events.signals import signal_name
from ipcviz.kernel import memory
from ipcviz.kernel.futexes import OWNER as FUTEX_TID_MASK
from ipcviz.kernel.futexes import OWNER_DIED as FUTEX_OWNER_DIED
from ipcviz.kernel.futexes import WAITERS as FUTEX_WAITERS
from ipcviz.kernel.futexes import is_wait
from ipcviz.kernel.notifiers import CLOCKS, epoll_events, inotify_events
from ipcviz.tracer.calls import decode_ipc
from ipcviz.tracer.calls.flags import Word, make_choice_decoder, make_flag_decoder
from ipcviz.tracer.calls.messages import SOL_SOCKET, decode_option, read_address
from ipcviz.tracer.calls.table import BIRTHS_AND_ENDS, KNOWN, LOCK_COMMANDS

_WORDS: Final = 8
_WORD_BYTES: Final = 80
"""Of a command's arguments so many, and so much of each, are read before it is executed."""

# The access mode's values and the flags of open(2) differ between architectures; os has this
# machine's.
_OPEN_FLAGS: Final = tuple(
    (getattr(os, name), name)
    for name in (
        "O_CREAT",
        "O_EXCL",
        "O_NOCTTY",
        "O_TRUNC",
        "O_APPEND",
        "O_NONBLOCK",
        "O_CLOEXEC",
        "O_DIRECT",
        "O_DIRECTORY",
        "O_NOFOLLOW",
        "O_PATH",
        "O_TMPFILE",
        "O_SYNC",
    )
    if hasattr(os, name)
)
_ACCESS: Final = ("O_RDONLY", "O_WRONLY", "O_RDWR", "O_RDWR")


def open_flags(value: int) -> str:
    """open(2)'s flags: the access mode first, if it is one of open's."""
    value &= 0xFFFFFFFF
    names = [name for bits, name in _OPEN_FLAGS if value & bits == bits]
    return "|".join([_ACCESS[value & 3], *names])


def _to_signed(value: int, bits: int) -> int:
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def _decode_int(value: int) -> Word:
    value &= 0xFFFFFFFF
    return value - 0x100000000 if value > 0x7FFFFFFF else value


def _decode_long(value: int) -> Word:
    return value if value < 1 << 63 else _to_signed(value, 64)


def _decode_hex(value: int) -> Word:
    return hex(value) if value else 0


def _decode_mode(value: int) -> Word:
    kinds = {
        0o010000: "S_IFIFO",
        0o100000: "S_IFREG",
        0o020000: "S_IFCHR",
        0o060000: "S_IFBLK",
        0o140000: "S_IFSOCK",
    }
    kind = kinds.get(value & 0o170000, "")
    return f"{kind}|{value & 0o7777:04o}" if kind else f"{value & 0o7777:04o}"


def _decode_signal(value: int) -> Word:
    number = _to_signed(value, 32)
    return signal_name(number) if number > 0 else number


def _decode_at(value: int) -> Word:
    number = _to_signed(value, 32)
    return "AT_FDCWD" if number == -100 else number


_SOCKET_TYPES: Final = {1: "SOCK_STREAM", 2: "SOCK_DGRAM", 3: "SOCK_RAW", 5: "SOCK_SEQPACKET"}


def _decode_socket_type(value: int) -> Word:
    names = [str(_SOCKET_TYPES[value & 0xF])] if value & 0xF in _SOCKET_TYPES else []
    if value & os.O_NONBLOCK:
        names.append("SOCK_NONBLOCK")
    if value & os.O_CLOEXEC:
        names.append("SOCK_CLOEXEC")
    return "|".join(names) or value


# linux/futex.h
_FUTEX: Final = (
    "WAIT",
    "WAKE",
    "FD",
    "REQUEUE",
    "CMP_REQUEUE",
    "WAKE_OP",
    "LOCK_PI",
    "UNLOCK_PI",
    "TRYLOCK_PI",
    "WAIT_BITSET",
    "WAKE_BITSET",
    "WAIT_REQUEUE_PI",
    "CMP_REQUEUE_PI",
    "LOCK_PI2",
)


def _decode_futex(value: int) -> Word:
    op = value & 0x7F
    name = f"FUTEX_{_FUTEX[op]}" if op < len(_FUTEX) else hex(op)
    if value & 0x80:
        name += "|PRIVATE"
    if value & 0x100:
        name += "|CLOCK_REALTIME"
    return name


PLAIN: Final[dict[str, Callable[[int], Word]]] = {
    **decode_ipc.PLAIN,
    "int": _decode_int,
    "long": _decode_long,
    "hex": _decode_hex,
    "milliseconds": _decode_int,
    "timespec": _decode_hex,
    "timespec_left": _decode_hex,
    "timeval_left": _decode_hex,
    "moment": _decode_hex,
    "fd": _decode_int,
    "pid": _decode_int,
    "signal": _decode_signal,
    "at": _decode_at,
    "mode": _decode_mode,
    "open_flags": open_flags,
    "socket_type": _decode_socket_type,
    "futex_op": _decode_futex,
    "buf": _decode_hex,
    "iov": _decode_hex,
    "msg": _decode_hex,
    "pollfds": _decode_hex,
    "fcntl_command": make_choice_decoder(
        {
            0: "F_DUPFD",
            1: "F_GETFD",
            2: "F_SETFD",
            3: "F_GETFL",
            4: "F_SETFL",
            5: "F_GETLK",
            6: "F_SETLK",
            7: "F_SETLKW",
            37: "F_OFD_SETLK",
            38: "F_OFD_SETLKW",
            1030: "F_DUPFD_CLOEXEC",
            1031: "F_SETPIPE_SZ",
            1032: "F_GETPIPE_SZ",
            1033: "F_ADD_SEALS",
        }
    ),
    "ioctl_request": make_choice_decoder(
        {
            0x5421: "FIONBIO",
            0x5451: "FIOCLEX",
            0x5450: "FIONCLEX",
            0x541B: "FIONREAD",
            0x540E: "TIOCSCTTY",
            0x5410: "TIOCSPGRP",
            0x5422: "TIOCNOTTY",
        }
    ),
    "socket_domain": make_choice_decoder(
        {1: "AF_UNIX", 2: "AF_INET", 10: "AF_INET6", 16: "AF_NETLINK"}
    ),
    "shutdown_how": make_choice_decoder({0: "SHUT_RD", 1: "SHUT_WR", 2: "SHUT_RDWR"}),
    "close_range_flags": make_flag_decoder(
        ((2, "CLOSE_RANGE_UNSHARE"), (4, "CLOSE_RANGE_CLOEXEC"))
    ),
    "wait_options": make_flag_decoder(
        (
            (1, "WNOHANG"),
            (2, "WUNTRACED"),
            (4, "WEXITED"),
            (8, "WCONTINUED"),
            (0x1000000, "WNOWAIT"),
            (0x40000000, "__WALL"),
            (0x80000000, "__WCLONE"),
        )
    ),
    "mask_how": make_choice_decoder({0: "SIG_BLOCK", 1: "SIG_UNBLOCK", 2: "SIG_SETMASK"}),
    "itimer": make_choice_decoder({0: "ITIMER_REAL", 1: "ITIMER_VIRTUAL", 2: "ITIMER_PROF"}),
    "flock_operation": make_flag_decoder(
        ((4, "LOCK_NB"), (1, "LOCK_SH"), (2, "LOCK_EX"), (8, "LOCK_UN"))
    ),
    "message_flags": make_flag_decoder(
        (
            (1, "MSG_OOB"),
            (2, "MSG_PEEK"),
            (0x20, "MSG_TRUNC"),
            (0x40, "MSG_DONTWAIT"),
            (0x80, "MSG_EOR"),
            (0x100, "MSG_WAITALL"),
            (0x2000, "MSG_ERRQUEUE"),
            (0x4000, "MSG_NOSIGNAL"),
            (0x8000, "MSG_MORE"),
            (0x10000, "MSG_WAITFORONE"),
            (0x20000000, "MSG_FASTOPEN"),
            (0x40000000, "MSG_CMSG_CLOEXEC"),
        )
    ),
    "inotify_mask": lambda value: "|".join(inotify_events(value)) or "0",
    "eventfd_flags": make_flag_decoder(
        ((1, "EFD_SEMAPHORE"), (os.O_NONBLOCK, "EFD_NONBLOCK"), (os.O_CLOEXEC, "EFD_CLOEXEC"))
    ),
    "clock": make_choice_decoder(dict(CLOCKS)),
    "timer_flags": make_flag_decoder(((1, "TIMER_ABSTIME"),)),
    "rename_flags": make_flag_decoder(
        ((1, "RENAME_NOREPLACE"), (2, "RENAME_EXCHANGE"), (4, "RENAME_WHITEOUT"))
    ),
    # linux/ptrace.h
    "ptrace_request": make_choice_decoder(
        {0: "PTRACE_TRACEME", 16: "PTRACE_ATTACH", 0x4206: "PTRACE_SEIZE"}
    ),
    "prctl_option": make_choice_decoder(
        {1: "PR_SET_PDEATHSIG", 22: "PR_SET_SECCOMP", 36: "PR_SET_CHILD_SUBREAPER"}
    ),
    "seccomp_operation": make_choice_decoder(
        {0: "SECCOMP_SET_MODE_STRICT", 1: "SECCOMP_SET_MODE_FILTER"}
    ),
    # linux/sched.h
    "clone_flags": make_flag_decoder(
        (
            (0x00020000, "CLONE_NEWNS"),
            (0x02000000, "CLONE_NEWCGROUP"),
            (0x04000000, "CLONE_NEWUTS"),
            (0x08000000, "CLONE_NEWIPC"),
            (0x10000000, "CLONE_NEWUSER"),
            (0x20000000, "CLONE_NEWPID"),
            (0x40000000, "CLONE_NEWNET"),
            (0x00000080, "CLONE_NEWTIME"),
            (0x00000200, "CLONE_FS"),
            (0x00000400, "CLONE_FILES"),
            (0x00040000, "CLONE_SYSVSEM"),
        )
    ),
    "epoll_op": make_choice_decoder({1: "EPOLL_CTL_ADD", 2: "EPOLL_CTL_DEL", 3: "EPOLL_CTL_MOD"}),
}


def _decode_path(tid: int, value: int) -> Word:
    if not value:
        return "NULL"
    text = memory.read_string(tid, value, 4096)
    return "[unreadable]" if text is None else os.fsdecode(text)


def _decode_sigset(tid: int, value: int) -> Word:
    return read_mask(tid, value) or 0


def _decode_call_mask(tid: int, value: int) -> Word:
    """The mask of ppoll and epoll_pwait; a text if none is given: an empty mask is one, and lets
    all signals in.
    """
    mask = read_mask(tid, value)
    if mask is not None:
        return mask
    return "[unreadable]" if value else "NULL"


def _decode_pselect_mask(tid: int, value: int) -> Word:
    """What pselect6's last argument points to: a pointer to the mask, and its size (select(2))."""
    return _decode_call_mask(tid, (memory.read_u64(tid, value) or 0) if value else 0)


def read_mask(tid: int, address: int) -> int | None:
    """A kernel sigset_t (64 bits); None if the address is null or unreadable."""
    raw = memory.read_bytes(tid, address, 8) if address else None
    return int.from_bytes(raw, "little") if raw is not None and len(raw) == 8 else None


def _decode_sockaddr(tid: int, value: int, length: int) -> Word:
    return read_address(tid, value, length) or _decode_hex(value)


def _decode_itimerval(tid: int, value: int) -> Word:
    return _format_times(read_itimer(tid, value, 1e6)) or _decode_hex(value)


def _decode_itimerspec(tid: int, value: int) -> Word:
    return _format_times(read_itimer(tid, value, 1e9)) or _decode_hex(value)


def _format_times(times: tuple[float, float] | None) -> str:
    """`1.5 s`, or `1.5 s, then every 2 s`."""
    if times is None:
        return ""
    return f"{times[1]:g} s" + (f", then every {times[0]:g} s" if times[0] else "")


def _decode_epoll_event(tid: int, value: int) -> Word:
    """The events of a struct epoll_event, its first field (epoll_ctl(2))."""
    raw = memory.read_bytes(tid, value, 4) if value else None
    return (
        "|".join(epoll_events(int.from_bytes(raw, "little"))) or "0"
        if raw and len(raw) == 4
        else _decode_hex(value)
    )


def read_itimer(tid: int, address: int, fraction: float) -> tuple[float, float] | None:
    """(interval, value) in seconds of a struct itimerval (fraction 1e6) or itimerspec (1e9)."""
    raw = memory.read_bytes(tid, address, 32) if address else None
    if raw is None or len(raw) < 32:
        return None
    a, b, c, d = struct.unpack("=qqqq", raw)
    return a + b / fraction, c + d / fraction


def _decode_msgbuf(tid: int, value: int) -> Word:
    raw = memory.read_bytes(tid, value, 8) if value else None
    return (
        f"type {int.from_bytes(raw, 'little', signed=True)}"
        if raw and len(raw) == 8
        else _decode_hex(value)
    )


def _decode_sigaction(tid: int, value: int) -> Word:
    found = read_sigaction(tid, value)
    return found[0] if found else _decode_hex(value)


# asm-generic/signal-defs.h
_SA_FLAGS: Final = (
    (1, "SA_NOCLDSTOP"),
    (2, "SA_NOCLDWAIT"),
    (4, "SA_SIGINFO"),
    (0x08000000, "SA_ONSTACK"),
    (0x10000000, "SA_RESTART"),
    (0x40000000, "SA_NODEFER"),
    (0x80000000, "SA_RESETHAND"),
)


_Action = Literal["default", "ignore", "catch"]
_ACTIONS: Final[dict[int, _Action]] = {0: "default", 1: "ignore"}


def read_sigaction(tid: int, address: int) -> tuple[_Action, tuple[str, ...], int] | None:
    """(action, flags, mask) of a kernel struct sigaction: handler, flags, restorer, mask (x86-64
    and aarch64).
    """
    raw = memory.read_bytes(tid, address, 32) if address else None
    if raw is None or len(raw) < 32:
        return None
    handler, flags, _, mask = struct.unpack("=QQQQ", raw)
    action = _ACTIONS.get(handler, "catch")
    return action, tuple(name for bit, name in _SA_FLAGS if flags & bit), mask


_LOCKS: Final = {0: "F_RDLCK", 1: "F_WRLCK", 2: "F_UNLCK"}
_WHENCE: Final = {0: "SEEK_SET", 1: "SEEK_CUR", 2: "SEEK_END"}


def read_disposition(tid: int, signo: int, address: int) -> Disposition | None:
    """What a struct sigaction at an address in a thread's memory says; None if it can't be read."""
    found = read_sigaction(tid, address)
    if found is None:
        return None
    action, flags, mask = found
    return Disposition(signo=signo, action=action, flags=flags, mask=mask)


def _decode_lock(tid: int, address: int) -> dict[str, Word]:
    """A struct flock (fcntl_locking(2)) of 64-bit machines: type, from where, start, length (0: to
    the end).
    """
    raw = memory.read_bytes(tid, address, 24)
    if raw is None or len(raw) < 24:
        return {}
    kind, whence, start, length = struct.unpack_from("=hh4xqq", raw)
    return {
        "lock": _LOCKS.get(kind, kind),
        "whence": _WHENCE.get(whence, whence),
        "start": start,
        "length": length,
    }


def _decode_argv(tid: int, address: int) -> Word:
    """A vector of strings as a command line: the first few, shortened."""
    raw = memory.read_bytes(tid, address, 8 * _WORDS) or b""
    words: list[str] = []
    for at in range(0, len(raw) // 8 * 8, 8):
        place = int.from_bytes(raw[at : at + 8], "little")
        if not place:
            return shlex.join(words)
        words.append(os.fsdecode(memory.read_string(tid, place, _WORD_BYTES) or b""))
    return shlex.join(words) + " ..." if words else _decode_hex(address)


FROM_MEMORY: Final[dict[str, Callable[[int, int], Word]]] = {
    "path": _decode_path,
    "sigset": _decode_sigset,
    "call_mask": _decode_call_mask,
    "pselect_mask": _decode_pselect_mask,
    "itimerval": _decode_itimerval,
    "itimerspec": _decode_itimerspec,
    "epoll_event": _decode_epoll_event,
    "sembuf": lambda tid, value: decode_ipc.decode_operations(tid, value, 1),
    "msgbuf": _decode_msgbuf,
    "sigaction": _decode_sigaction,
    "argv": _decode_argv,
}


_ALL_PLAIN: Final = {
    name: tuple((argument, PLAIN.get(kind, _decode_hex)) for argument, kind in signature.arguments)
    for name, signature in KNOWN.items()
    if name not in decode_ipc.FURTHER
    and all(
        kind in PLAIN or (name == "sendto" and kind == "sockaddr")
        for _, kind in signature.arguments
    )
}
"""Decoders of the calls whose arguments need no look into memory: the most frequent ones are among
them.
"""


_ADDRESSES: Final = {
    name: (argument, at)
    for name, signature in KNOWN.items()
    for at, (argument, kind) in enumerate(signature.arguments)
    if kind == "sockaddr"
}
"""Which argument of a call is a socket's address; its length comes behind it."""


@cache
def _list_decoders(
    name: str,
) -> tuple[tuple[str, Callable[[int], Word], Callable[[int, int], Word] | None], ...]:
    """Of each argument of a call its name, how to decode it by itself, and how to decode what it
    points to.
    """
    signature = KNOWN.get(name) or BIRTHS_AND_ENDS[name]
    return tuple(
        (argument, PLAIN.get(kind, _decode_hex), FROM_MEMORY.get(kind))
        for argument, kind in signature.arguments
    )


def decode_results(tid: int, name: str, raw: tuple[int, ...]) -> dict[str, Word]:
    """What a call that took a message says of it: `decode_results` is its type (msgrcv) or its
    priority (mq_timedreceive).

    Of getsockopt, `told` is the pending error (SO_ERROR) or who the other end is (SO_PEERCRED).
    Of a wait for a robust mutex, `died` is the thread that has ended while it held it.
    """
    if name == "msgrcv":
        found = memory.read_bytes(tid, raw[1], 8)
        return (
            {"taken": int.from_bytes(found, "little", signed=True)}
            if found and len(found) == 8
            else {}
        )
    if name == "futex" and raw[2] & FUTEX_WAITERS and is_wait(raw[1]):
        # The kernel marks the word of a robust mutex whose owner ends, and wakes one that waits for
        # it.
        found = memory.read_bytes(tid, raw[0], 4)
        died = found and len(found) == 4 and int.from_bytes(found, "little") & FUTEX_OWNER_DIED
        return {"died": raw[2] & FUTEX_TID_MASK} if died else {}
    if name == "getsockopt" and raw[1] & 0xFFFFFFFF == SOL_SOCKET:
        return decode_option(tid, raw)
    if name == "mq_timedreceive" and raw[3]:
        found = memory.read_bytes(tid, raw[3], 4)
        return {"taken": int.from_bytes(found, "little")} if found and len(found) == 4 else {}
    return {}


def decode_arguments(tid: int, name: str, raw: tuple[int, ...]) -> dict[str, Word]:
    """A known call's arguments by name.

    Args:
        tid: The thread, for what lies in its memory; 0 to leave pointers as numbers.
        name: The call.
        raw: Its six argument registers.
    """
    if name in ("read", "write"):
        # The most frequent calls of all.
        fd, buf, count = raw[:3]
        return {
            "fd": fd if fd < 1 << 31 else _decode_int(fd),
            "buf": hex(buf) if buf else 0,
            "count": count if count < 1 << 63 else _to_signed(count, 64),
        }
    decoders = _ALL_PLAIN.get(name)
    if decoders is not None and (name != "sendto" or not raw[4]):
        return {
            argument: decode(value)
            for (argument, decode), value in zip(decoders, raw, strict=False)
        }
    args: dict[str, Word] = {}
    for (argument, plain, reads), value in zip(_list_decoders(name), raw, strict=False):
        args[argument] = plain(value) if reads is None or not tid else reads(tid, value)
    if tid and name in _ADDRESSES:
        argument, at = _ADDRESSES[name]
        args[argument] = _decode_sockaddr(tid, raw[at], raw[at + 1])
    if tid and name == "fcntl" and raw[1] in LOCK_COMMANDS:
        args.update(_decode_lock(tid, raw[2]))
    elif tid and name in decode_ipc.FURTHER:
        args.update(decode_ipc.FURTHER[name](tid, raw))
    return args
