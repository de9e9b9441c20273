"""Shows a trace as on another system, in text: `python -m tests.elsewhere SYSTEM TRACE`.

SYSTEM is `linux`, `macos` or `windows`. ipcviz is imported where `signal`, `errno`, `os` and
`socket` have that system's numbers, and where what it lacks can't be imported; what others' modules
were loaded stay as they are. Prints a sentence for every event, what the panels say at moments of
the trace, and the whole screen at two of them.
"""

from __future__ import annotations

import asyncio
import enum
import importlib
import os
import re
import sys
import types
from collections.abc import Iterable, Mapping
from typing import Any

import textual.app
import textual.pilot

from ipcviz.app.textual_internals import wait_until_settled

MOMENTS = 7
"""At how many moments every panel is asked about every process."""
PANELS = "tldumesro"
SIZE = (120, 36)

# sys/signal.h of Darwin.
MACOS_SIGNALS = {
    "HUP": 1,
    "INT": 2,
    "QUIT": 3,
    "ILL": 4,
    "TRAP": 5,
    "ABRT": 6,
    "EMT": 7,
    "FPE": 8,
    "KILL": 9,
    "BUS": 10,
    "SEGV": 11,
    "SYS": 12,
    "PIPE": 13,
    "ALRM": 14,
    "TERM": 15,
    "URG": 16,
    "STOP": 17,
    "TSTP": 18,
    "CONT": 19,
    "CHLD": 20,
    "TTIN": 21,
    "TTOU": 22,
    "IO": 23,
    "XCPU": 24,
    "XFSZ": 25,
    "VTALRM": 26,
    "PROF": 27,
    "WINCH": 28,
    "INFO": 29,
    "USR1": 30,
    "USR2": 31,
}
# signal.h of Microsoft's C runtime.
WINDOWS_SIGNALS = {"INT": 2, "ILL": 4, "FPE": 8, "SEGV": 11, "TERM": 15, "BREAK": 21, "ABRT": 22}
# sys/errno.h of Darwin, where it differs from Linux; what is above 34 and not here is missing.
MACOS_ERRORS = {
    "EDEADLK": 11,
    "EAGAIN": 35,
    "EWOULDBLOCK": 35,
    "EINPROGRESS": 36,
    "EALREADY": 37,
    "ENOTSOCK": 38,
    "EDESTADDRREQ": 39,
    "EMSGSIZE": 40,
    "EPROTOTYPE": 41,
    "EOPNOTSUPP": 102,
    "EAFNOSUPPORT": 47,
    "EADDRINUSE": 48,
    "ENETUNREACH": 51,
    "ECONNABORTED": 53,
    "ECONNRESET": 54,
    "ENOBUFS": 55,
    "EISCONN": 56,
    "ENOTCONN": 57,
    "ETIMEDOUT": 60,
    "ECONNREFUSED": 61,
    "ELOOP": 62,
    "ENAMETOOLONG": 63,
    "ENOTEMPTY": 66,
    "ENOSYS": 78,
}
# sys/fcntl.h of Darwin; fcntl.h of Microsoft's C runtime.
MACOS_OPEN = {
    "O_RDONLY": 0,
    "O_WRONLY": 1,
    "O_RDWR": 2,
    "O_NONBLOCK": 4,
    "O_APPEND": 8,
    "O_SYNC": 0x80,
    "O_NOFOLLOW": 0x100,
    "O_CREAT": 0x200,
    "O_TRUNC": 0x400,
    "O_EXCL": 0x800,
    "O_DIRECTORY": 0x100000,
    "O_CLOEXEC": 0x1000000,
}
WINDOWS_OPEN = {
    "O_RDONLY": 0,
    "O_WRONLY": 1,
    "O_RDWR": 2,
    "O_APPEND": 8,
    "O_CREAT": 0x100,
    "O_TRUNC": 0x200,
    "O_EXCL": 0x400,
    "O_BINARY": 0x8000,
    "O_TEXT": 0x4000,
}
# sys/socket.h of Darwin.
MACOS_SOCKETS = {
    "AF_UNSPEC": 0,
    "AF_UNIX": 1,
    "AF_INET": 2,
    "AF_INET6": 30,
    "SOCK_STREAM": 1,
    "SOCK_DGRAM": 2,
    "SOCK_RAW": 3,
    "SOL_SOCKET": 0xFFFF,
    "SO_REUSEADDR": 4,
    "SO_SNDBUF": 0x1001,
    "SO_RCVBUF": 0x1002,
    "SOMAXCONN": 128,
}
UNIX_ONLY = (
    "curses",
    "fcntl",
    "grp",
    "posix",
    "pty",
    "pwd",
    "resource",
    "syslog",
    "termios",
    "tty",
)
# os.html: "Availability: Unix".
NOT_IN_WINDOWS = re.compile(
    r"fork|getp?gid|gete?[ug]id|getgroups|getpgrp|getsid|getloadavg|set[a-z]*id|setgroups|killpg|wait|mkfifo|mknod|major"
    r"|minor|makedev|nice|openpty|login_tty|pipe2|posix_|p?readv|p?writev|pread|pwrite|sched_|sendfile|statvfs|fstatvfs"
    r"|sysconf|confstr|f?pathconf|ttyname|uname|[fl]?chown|fchmod|ctermid|memfd|pidfd|eventfd|tc[gs]etpgrp|splice"
    r"|W[A-Z]|P_P|RTLD_|SCHED_|ST_|F_[A-Z]|CLD_|EFD_|GRND_|MFD_|PRIO_|POSIX_|EX_|SPLICE_|NGROUPS"
)


def copy_of(
    module: types.ModuleType, without: Iterable[str], values: Mapping[str, Any]
) -> types.ModuleType:
    """A module with other values, for who imports it from now on."""
    copy = types.ModuleType(module.__name__)
    gone = set(without)
    copy.__dict__.update({name: value for name, value in vars(module).items() if name not in gone})
    copy.__dict__.update(values)
    return copy


def pretend(system: str) -> None:
    """Have the modules that are imported from now on find another system."""
    windows = system == "windows"
    for name in UNIX_ONLY if windows else ():
        sys.modules[name] = None  # type: ignore[assignment]
    for name in ("posix_ipc",):
        sys.modules[name] = None  # type: ignore[assignment]

    found = vars(importlib.import_module("signal"))
    numbers = {
        f"SIG{name}": number
        for name, number in (WINDOWS_SIGNALS if windows else MACOS_SIGNALS).items()
    }
    gone = [name for name in found if re.fullmatch("SIG[A-Z0-9]+", name)]
    gone += (
        ["pthread_sigmask", "pthread_kill", "sigwait", "setitimer", "alarm", "pause"]
        if windows
        else []
    )
    signals = enum.IntEnum("Signals", numbers)
    also = {name: found[name] for name in ("SIG_DFL", "SIG_IGN")}
    replaced = {
        "Signals": signals,
        "NSIG": 23 if windows else 32,
        "valid_signals": lambda: set(signals),
        **also,
    }
    sys.modules["signal"] = copy_of(
        sys.modules["signal"], gone, {**{one.name: one for one in signals}, **replaced}
    )

    errors = vars(importlib.import_module("errno"))
    names = [name for name in errors if name.startswith("E")]
    same = {name: errors[name] for name in names if errors[name] <= 34 and errors[name] != 11}
    there = {**same, **MACOS_ERRORS}
    codes = {number: name for name, number in there.items()}
    sys.modules["errno"] = copy_of(sys.modules["errno"], names, {**there, "errorcode": codes})

    opening = [name for name in dir(os) if name.startswith("O_")]
    if windows:
        opening += [name for name in dir(os) if NOT_IN_WINDOWS.match(name)]
    other = {"strerror": lambda number: f"words of {system} for {number}"}
    if not windows:
        other["major"] = lambda device: device >> 24 & 0xFF
        other["minor"] = lambda device: device & 0xFFFFFF
    sys.modules["os"] = copy_of(os, opening, {**(WINDOWS_OPEN if windows else MACOS_OPEN), **other})

    sockets = importlib.import_module("socket")
    constants = [
        name for name in dir(sockets) if re.match("(AF|SOCK|SOL|SO|MSG|SCM|IPPROTO|SHUT)_", name)
    ]
    constants += ["AF_UNIX"] if windows else []
    sys.modules["socket"] = copy_of(sockets, constants, {} if windows else MACOS_SOCKETS)
    selects = importlib.import_module("select")
    sys.modules["select"] = copy_of(
        selects, ("epoll", "poll", "EPOLLIN", "EPOLLOUT", "POLLIN", "POLLOUT"), {}
    )
    sys.modules["mmap"] = copy_of(importlib.import_module("mmap"), (), {"PAGESIZE": 16384})
    sys.platform = "win32" if windows else "darwin"


def forget_ipcviz() -> None:
    """Have all of it imported anew; what it needs of others is loaded, and stays."""
    for name in (
        "ipcviz.app.app",
        "ipcviz.cli.main",
        "ipcviz.cli.replay",
        "textual.drivers.linux_driver",
    ):
        importlib.import_module(name)
    for name in [name for name in sys.modules if name.partition(".")[0] == "ipcviz"]:
        del sys.modules[name]


def tell(trace: str) -> list[str]:
    """A sentence for each event, and at some moments what every panel and the picture say of every
    process.
    """
    from ipcviz.app.replay import Replay
    from ipcviz.model.reduce import reduce
    from ipcviz.model.state import State
    from ipcviz.narrate import narrate
    from ipcviz.session.kept import KeptSession
    from ipcviz.trace import TraceReader
    from tests.seen import seen

    rows, state = [], State()
    reader = TraceReader(trace)
    for event in reader.read_events():
        before, state = state, reduce(state, event)
        rows += [
            sentence.text for sentence in (narrate(event, before, state),) if sentence is not None
        ]
    replay = Replay(KeptSession(reader))
    replay.begin()
    while replay.pump():
        pass
    count = len(replay.past.moments)
    for place in places(count, MOMENTS):
        found = seen(replay.past.make_view(replay.past.moments[place - 1]))
        del found["state"]
        rows += [f"== moment {place} of {count}"]
        rows += [f"{name}: {value}" for name, values in found.items() for value in parts_of(values)]
    replay.session.close()
    return rows


def places(count: int, wanted: int) -> list[int]:
    """So many places among `count` moments, from 1 on, the first and the last one included."""
    return sorted({1 + round((count - 1) * part / (wanted - 1)) for part in range(wanted)})


def parts_of(value: Any) -> list[Any]:
    """A list's elements; anything else as the only one."""
    return value if isinstance(value, list) else [value]


async def show(trace: str) -> list[str]:
    """The whole screen in the middle of a trace and at its end, with one panel after the other."""
    importlib.import_module("ipcviz.cli.main")
    from ipcviz.app.app import IpcvizApp
    from ipcviz.app.textual_internals import compose_strips
    from ipcviz.cli.replay import _open_session

    session, title, scenario = _open_session(trace)
    app = IpcvizApp(session, title, scenario, clock=lambda: 100.0)
    rows: list[str] = []
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        app._timer.pause()
        while not app.feed.settled:
            app.run_frame()
            await pilot.pause()
        count = len(app.feed.past.moments)
        for place in (count // 2, count):
            app.live.timeline.go_to_place(place)
            await pilot.pause()
            # The log grows while there is time.
            while app.live.view.moment.can_extend:
                await asyncio.sleep(0.02)
            for key in PANELS:
                await pilot.press(key)
                rows += [
                    f"== moment {place} of {count}, panel {key}",
                    *(strip.text for strip in compose_strips(app)),
                ]
    session.close()
    return rows


def main(system: str, trace: str) -> None:
    """Print what is told and shown of a trace."""
    textual.app.wait_for_idle = textual.pilot.wait_for_idle = wait_until_settled
    forget_ipcviz()
    if system != "linux":
        pretend(system)
    sys.stdout.write("\n".join([*tell(trace), *asyncio.run(show(trace))]) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
