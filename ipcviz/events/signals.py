"""Signals by number and by name: tables of Linux on x86-64 and aarch64, so that a trace reads the
same anywhere.

Sources: asm-generic/signal.h, asm-generic/siginfo.h, signal(7). The `signal` module is not used:
its numbers are those of the machine that it runs on.
"""

from __future__ import annotations

from typing import Final, Literal

Action = Literal["terminate", "core", "ignore", "stop", "continue"]

NAMES: Final[dict[int, str]] = {
    1: "SIGHUP",
    2: "SIGINT",
    3: "SIGQUIT",
    4: "SIGILL",
    5: "SIGTRAP",
    6: "SIGABRT",
    7: "SIGBUS",
    8: "SIGFPE",
    9: "SIGKILL",
    10: "SIGUSR1",
    11: "SIGSEGV",
    12: "SIGUSR2",
    13: "SIGPIPE",
    14: "SIGALRM",
    15: "SIGTERM",
    16: "SIGSTKFLT",
    17: "SIGCHLD",
    18: "SIGCONT",
    19: "SIGSTOP",
    20: "SIGTSTP",
    21: "SIGTTIN",
    22: "SIGTTOU",
    23: "SIGURG",
    24: "SIGXCPU",
    25: "SIGXFSZ",
    26: "SIGVTALRM",
    27: "SIGPROF",
    28: "SIGWINCH",
    29: "SIGIO",
    30: "SIGPWR",
    31: "SIGSYS",
}
"""The standard signals."""

SIGINT: Final = 2
SIGCHLD: Final = 17
SIGCONT: Final = 18
SIGRTMIN: Final = 34
"""The first real-time signal of programs; glibc keeps 32 and 33 to itself (nptl(7))."""
SIGRTMAX: Final = 64
LIBRARY_SIGNALS: Final = (32, 33)
"""Real-time signals that glibc keeps to itself (nptl(7))."""

_LONGEST_NAME: Final = 20
"""What is longer is no signal's name; and thousands of digits are more than int() takes."""

NUMBERS: Final[dict[str, int]] = {name: number for number, name in NAMES.items()} | {
    "SIGIOT": 6,
    "SIGPOLL": 29,
}

MEANINGS: Final[dict[int, str]] = {
    1: "hang-up of the terminal",
    2: "interrupt from the keyboard",
    3: "quit from the keyboard",
    4: "illegal instruction",
    5: "trace or breakpoint trap",
    6: "abort",
    7: "bad memory access",
    8: "arithmetic error",
    9: "kill",
    10: "user-defined 1",
    11: "invalid memory reference",
    12: "user-defined 2",
    13: "write to a pipe with no readers",
    14: "timer of alarm or setitimer",
    15: "termination",
    16: "stack fault of a coprocessor",
    17: "a child stopped, went on or ended",
    18: "go on if stopped",
    19: "stop",
    20: "stop typed at the terminal",
    21: "terminal input for a background process",
    22: "terminal output of a background process",
    23: "urgent data on a socket",
    24: "CPU time limit exceeded",
    25: "file size limit exceeded",
    26: "virtual timer",
    27: "profiling timer",
    28: "window of the terminal resized",
    29: "I/O is possible",
    30: "power failure",
    31: "bad system call",
}
"""What each is for, in a few words (signal(7))."""

_CORE: Final = frozenset({3, 4, 5, 6, 7, 8, 11, 24, 25, 31})
_IGNORE: Final = frozenset({17, 23, 28})
_STOP: Final = frozenset({19, 20, 21, 22})

# For any signal: 0 and below come from processes and the kernel's helpers, 0x80 from the kernel
# itself.
_CODES: Final[dict[int, str]] = {
    0: "SI_USER",
    0x80: "SI_KERNEL",
    -1: "SI_QUEUE",
    -2: "SI_TIMER",
    -3: "SI_MESGQ",
    -4: "SI_ASYNCIO",
    -5: "SI_SIGIO",
    -6: "SI_TKILL",
    -7: "SI_DETHREAD",
    -60: "SI_ASYNCNL",
}

# From 1 on they mean something else for each of these signals, in this order.
_CODES_OF: Final[dict[int, tuple[str, ...]]] = {
    4: (
        "ILL_ILLOPC",
        "ILL_ILLOPN",
        "ILL_ILLADR",
        "ILL_ILLTRP",
        "ILL_PRVOPC",
        "ILL_PRVREG",
        "ILL_COPROC",
        "ILL_BADSTK",
        "ILL_BADIADDR",
    ),
    5: ("TRAP_BRKPT", "TRAP_TRACE", "TRAP_BRANCH", "TRAP_HWBKPT", "TRAP_UNK", "TRAP_PERF"),
    7: ("BUS_ADRALN", "BUS_ADRERR", "BUS_OBJERR", "BUS_MCEERR_AR", "BUS_MCEERR_AO"),
    8: (
        "FPE_INTDIV",
        "FPE_INTOVF",
        "FPE_FLTDIV",
        "FPE_FLTOVF",
        "FPE_FLTUND",
        "FPE_FLTRES",
        "FPE_FLTINV",
        "FPE_FLTSUB",
        "",
        "",
        "",
        "",
        "",
        "FPE_FLTUNK",
        "FPE_CONDTRAP",
    ),
    11: (
        "SEGV_MAPERR",
        "SEGV_ACCERR",
        "SEGV_BNDERR",
        "SEGV_PKUERR",
        "SEGV_ACCADI",
        "SEGV_ADIDERR",
        "SEGV_ADIPERR",
        "SEGV_MTEAERR",
        "SEGV_MTESERR",
        "SEGV_CPERR",
    ),
    17: ("CLD_EXITED", "CLD_KILLED", "CLD_DUMPED", "CLD_TRAPPED", "CLD_STOPPED", "CLD_CONTINUED"),
    29: ("POLL_IN", "POLL_OUT", "POLL_MSG", "POLL_ERR", "POLL_PRI", "POLL_HUP"),
    31: ("SYS_SECCOMP", "SYS_USER_DISPATCH"),
}


def signal_name(signo: int) -> str:
    """`SIGINT`, `SIGRTMIN`, `SIGRTMIN+3`; `signal N` for a number that is none, and for glibc's own
    32 and 33.
    """
    name = NAMES.get(signo)
    if name is not None:
        return name
    if SIGRTMIN < signo <= SIGRTMAX:
        return f"SIGRTMIN+{signo - SIGRTMIN}"
    return "SIGRTMIN" if signo == SIGRTMIN else f"signal {signo}"


def signal_number(name: str) -> int | None:
    """The number of a signal, from what a person may type: `SIGTERM`, `term`, `15`, `RTMIN+3`,
    `SIGRTMAX-1`.
    """
    text = name.strip().upper()
    if len(text) > _LONGEST_NAME:
        return None
    if text.isdecimal():
        number = int(text)
        return number if 1 <= number <= SIGRTMAX else None
    text = text if text.startswith("SIG") else "SIG" + text
    if text in NUMBERS:
        return NUMBERS[text]
    for word, base, sign in (("SIGRTMIN", SIGRTMIN, "+"), ("SIGRTMAX", SIGRTMAX, "-")):
        rest = text.removeprefix(word)
        if text == word:
            return base
        if rest != text and rest[0] == sign and rest[1:].isdecimal():
            number = base + int(rest)
            return number if SIGRTMIN <= number <= SIGRTMAX else None
    return None


def code_name(signo: int, code: int) -> str:
    """A si_code by name, `SI_USER`, `SEGV_MAPERR`, `CLD_EXITED`; the bare number for one that has
    none.
    """
    if code <= 0 or code == 0x80:
        return _CODES.get(code, str(code))
    # Of a real-time signal only F_SETSIG (fcntl(2)) makes such codes: those of SIGIO.
    names = _CODES_OF.get(29 if is_real_time(signo) else signo, ())
    return (names[code - 1] if code <= len(names) else "") or str(code)


def default_action(signo: int) -> Action:
    """What a signal does to a process that neither catches nor ignores it (signal(7))."""
    if signo in _CORE:
        return "core"
    if signo in _IGNORE:
        return "ignore"
    if signo in _STOP:
        return "stop"
    return "continue" if signo == SIGCONT else "terminate"


def bit_of(signo: int) -> int:
    """A signal's bit in a set, `signo - 1`; 0 for what is no signal, such as that of a timer that
    sends none.
    """
    return 1 << (signo - 1) if 1 <= signo <= SIGRTMAX else 0


def signals_in(mask: int) -> tuple[int, ...]:
    """The signals in a set, as /proc/PID/status has it: bit `signo - 1`."""
    return tuple(signo for signo in range(1, SIGRTMAX + 1) if mask >> (signo - 1) & 1)


def names_of(mask: int) -> tuple[str, ...]:
    """The names of the signals in a set."""
    return tuple(signal_name(signo) for signo in signals_in(mask))


def is_real_time(signo: int) -> bool:
    """Whether it queues: a standard signal that is pending already merges with a further one
    (signal(7)).
    """
    return 32 <= signo <= SIGRTMAX
