"""Making the command's process: held until it is traced, marked by seccomp, then executing the
command.

Nothing of ipcviz reaches the command: no environment variable, no signal disposition or mask, and
no descriptor: all that Python opens is close-on-exec (PEP 446), and what ipcviz itself inherited
goes on to the command, as it would have without us.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import struct
import termios
from typing import Final, NamedTuple, NoReturn

from ipcviz.kernel import ptrace, seccomp
from ipcviz.kernel.arch import Arch
from ipcviz.tracer.config import LaunchConfig
from ipcviz.tracer.executable import LaunchError, check_command

CPYTHON_IGNORES: Final = (signal.SIGPIPE, signal.SIGXFSZ)
"""Signals that CPython ignores for itself when it starts (Python/pylifecycle.c), and a child would
inherit.
"""


GO: Final = b"g"
"""What the command's process waits for: a byte, since the end of the file comes also when the
tracer dies.
"""


class Launched(NamedTuple):
    """A command's process, seized and held before it executes the command.

    Attributes:
        pid: Its process.
        master: The master side of its terminal; -1 if it has none.
        go: Write end of the pipe that it waits on; `let_go` writes to it. Where it is only closed,
            as it is when the tracer dies, the process ends and executes nothing.
        failed: Read end of the pipe that says why the command could not be executed; empty once it
            was.
    """

    pid: int
    master: int
    go: int
    failed: int


def why_not(code: int, name: str) -> str:
    """One sentence for an execve that failed with this errno."""
    sentences = {
        errno.ENOENT: (
            f"{name}: its interpreter (the program after #!, or its loader) does not exist."
        ),
        errno.EACCES: f"{name}: permission denied.",
        errno.ENOEXEC: (
            f"{name} is not a program that this machine can run (a script needs a #! line)."
        ),
        errno.E2BIG: f"{name}: the arguments and the environment are too long.",
    }
    return sentences.get(code, f"{name}: {os.strerror(code)}.")


def launch_command(config: LaunchConfig, arch: Arch, program: bytes, options: int) -> Launched:
    """Fork the command's process, seize it, and hold it before its execve.

    Args:
        config: What to run, and on which terminal.
        arch: This machine's.
        program: The seccomp filter to install; empty for none.
        options: ptrace options to seize it with.

    Raises:
        LaunchError: There is no such program, no terminal, or ptrace is not allowed.
    """
    path = check_command(config.argv, config.cwd)
    master = slave = -1
    if config.terminal:
        try:
            master, slave = os.openpty()
        except OSError as error:
            raise LaunchError(
                f"no pseudo-terminal could be made ({error.strerror}): use --no-pty."
            ) from None
        set_size(master, config.rows, config.columns)
    go_read, go_write = os.pipe()
    failed_read, failed_write = os.pipe()
    number = seccomp.seccomp_number(arch)
    group = os.getpgrp()
    if not config.terminal and group != os.getpid():
        # A signal that the command sends to its process group is not meant for the tracer.
        os.setpgid(0, 0)
    try:
        pid = os.fork()
    except OSError as error:
        raise LaunchError(
            f"no further process can be made ({error.strerror}): see 'ulimit -u'."
        ) from None
    if pid == 0:
        os.close(go_write)
        _run_child(config, path, slave, go_read, failed_write, program, number, group)
    os.close(go_read)
    os.close(failed_write)
    if slave >= 0:
        os.close(slave)
    try:
        ptrace.seize_thread(pid, options)
    except OSError as error:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        for fd in (go_write, failed_read, master):
            if fd >= 0:
                os.close(fd)
        raise LaunchError(ptrace.explain_refusal(error, config.argv[0])) from None
    return Launched(pid, master, go_write, failed_read)


def let_go(launched: Launched) -> None:
    """Let the command's process execute its command: it is traced.

    It ends of itself if it is never let go.
    """
    try:
        os.write(launched.go, GO)
    except BrokenPipeError:
        # It was killed meanwhile: waitpid tells.
        return
    finally:
        os.close(launched.go)


def set_size(master: int, rows: int, columns: int) -> None:
    """Set a terminal's size (TIOCSWINSZ)."""
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("=HHHH", rows, columns, 0, 0))


def _run_child(
    config: LaunchConfig,
    path: str,
    slave: int,
    go: int,
    failed: int,
    program: bytes,
    number: int,
    group: int,
) -> NoReturn:
    """In the new process: become what the command would be alone, and execute it."""
    try:
        if os.read(go, 1) != GO:
            # The tracer died before it could trace us: untraced, the calls that the filter marks
            # would fail.
            os._exit(127)
        if slave >= 0:
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
            for fd in range(3):
                os.dup2(slave, fd)
        elif group != os.getpgrp():
            os.setpgid(0, group)
        if config.cwd:
            os.chdir(config.cwd)
        _restore_signals(everything=config.terminal)
        for name in config.unset:
            os.environ.pop(name, None)
        if program:
            seccomp.install_filter(program, number)
        os.execv(path, config.argv)
    except OSError as error:
        code = error.errno or errno.EINVAL
    except Exception:  # noqa: BLE001 - a child must never return into the tracer's code
        code = errno.EINVAL
    os.write(failed, str(code).encode())
    os._exit(127)


def _restore_signals(*, everything: bool) -> None:
    """Undo what CPython and the tracer did to dispositions and the mask.

    On a terminal of its own the command starts as after login: all default. Else it starts as it
    would have without us: what was ignored when ipcviz began is ignored, and the tracer's own
    handlers vanish with execve.
    """
    if everything:
        for signo in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(signo, signal.SIG_DFL)
    else:
        for signo in CPYTHON_IGNORES:
            signal.signal(signo, signal.SIG_DFL)
        for signo, handler in _BEFORE.items():
            signal.signal(signo, signal.SIG_IGN if handler is signal.SIG_IGN else signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, set() if everything else _MASK_BEFORE)


_BEFORE: Final[dict[signal.Signals, object]] = {}
_MASK_BEFORE: Final[set[int]] = set()


def ignore_terminal_signals() -> None:
    """Let the tracer survive the terminal's signals, which are for the command; remember what was
    set before.
    """
    _MASK_BEFORE.update(int(s) for s in signal.pthread_sigmask(signal.SIG_SETMASK, ()))
    for signo in (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU):
        remember_disposition(signo)
        signal.signal(signo, signal.SIG_IGN)


def remember_disposition(signo: signal.Signals) -> None:
    """Remember what is done with a signal before the tracer sets its own way, for the command to
    have it.
    """
    _BEFORE[signo] = signal.getsignal(signo)
