"""Running a command alone and under observation, as root or as an ordinary user, and what it leaves
behind.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from ipcviz import events as ev

CHECKOUT = Path(__file__).resolve().parents[2]
SOURCES = CHECKOUT / "tests" / "programs"
ORDINARY_UID = 12345
TAG = "IPCVIZ_TEST_RUN"


@dataclasses.dataclass(frozen=True)
class Actor:
    """Who runs the commands: `prefix` makes a command of ours one of theirs; it executes, so the
    pid stays.
    """

    name: str
    uid: int
    prefix: tuple[str, ...] = ()


def _blocked_by(path: Path) -> Path | None:
    """The first folder on the way to `path` that an unrelated user can't pass, if any."""
    for folder in [*reversed(path.parents), path]:
        if folder.is_dir() and not folder.stat().st_mode & 0o001:
            return folder
    return None


def ordinary_user() -> Actor:
    """An ordinary user: we ourselves, or if we are root, a made-up user id without any right.

    A root's checkout or interpreter often lies below a folder that others can't pass (/root). Then
    the user gets a mount namespace of its own, where an empty folder stands in for that one, with
    only what the tests need inside.
    """
    if os.geteuid() != 0:
        return Actor("user", os.geteuid())
    drop = (
        "setpriv",
        f"--reuid={ORDINARY_UID}",
        f"--regid={ORDINARY_UID}",
        "--clear-groups",
        "--inh-caps=-all",
        "--",
    )
    needed = {Path(p).resolve() for p in (sys.prefix, sys.base_prefix, CHECKOUT)} | {
        Path(sys.prefix)
    }
    behind = {path: wall for path in sorted(needed) if (wall := _blocked_by(path))}
    if not behind:
        return Actor("user", ORDINARY_UID, drop)
    lines = [
        "set -e",
        "s=/tmp/.ipcviz-tests-$$",
        "mkdir -m 755 $s",
        "mount -t tmpfs -o mode=755 tmpfs $s",
    ]
    lines += [f"mkdir -p $s/{i}; mount --bind '{path}' $s/{i}" for i, path in enumerate(behind)]
    lines += [f"mount -t tmpfs -o mode=755 tmpfs '{wall}'" for wall in sorted(set(behind.values()))]
    lines += [f"mkdir -p '{path}'; mount --bind $s/{i} '{path}'" for i, path in enumerate(behind)]
    lines += ["umount -R -l $s", "rmdir $s", 'exec "$@"']
    return Actor(
        "user", ORDINARY_UID, ("unshare", "--mount", "sh", "-c", "\n".join(lines), "sh", *drop)
    )


def actors() -> list[Actor]:
    """Everyone that the suite can be: an ordinary user always, root where it is root."""
    root = [Actor("root", 0)] if os.geteuid() == 0 else []
    return [*root, ordinary_user()]


NO_USER = (
    "an ordinary user can't be made here: the interpreter is out of reach, or setpriv or unshare"
    " fails"
)

EVERYONE = os.environ.get("IPCVIZ_CORPUS") == "all"
"""Whether root and the ordinary user both run what takes long and depends little on who runs it."""


def ordinary() -> list[Actor]:
    """Who runs what takes long: the ordinary user, for whom less is allowed; everyone if that is
    asked for.
    """
    return actors() if EVERYONE else actors()[-1:]


def by_turns(cases: Iterable[tuple[Any, ...]]) -> list[Any]:
    """Cases with an actor before each: root and the ordinary user in turns, or each of them if that
    is asked for.
    """
    found = actors()
    chosen = (
        (actor, *case)
        for place, case in enumerate(cases)
        for actor in (found if EVERYONE else [found[place % len(found)]])
    )
    return [
        pytest.param(*case, id="-".join(str(getattr(part, "name", part)) for part in case))
        for case in chosen
    ]


class Programs:
    """The fixture programs, compiled when they are first asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.compiler = shutil.which("cc")
        self._lock = threading.Lock()

    def __getitem__(self, name: str) -> str:
        target = self.folder / name
        with self._lock:
            if not target.exists():
                self._compile(SOURCES / f"{name}.c", target)
        return str(target)

    def musl(self, name: str) -> str:
        """A program compiled with musl's libc instead; the test is skipped where that is not
        installed.
        """
        compiler = shutil.which("musl-gcc")
        if compiler is None:
            pytest.skip("musl is not installed (musl-gcc)")
        target = self.folder / f"{name}.musl"
        with self._lock:
            if not target.exists():
                self._compile(SOURCES / f"{name}.c", target, compiler)
        return str(target)

    def _compile(self, source: Path, target: Path, compiler: str = "") -> None:
        first = source.read_text().split("\n", 1)[0]
        flags = (
            first.removeprefix("/* cflags: ").removesuffix(" */").split()
            if "cflags:" in first
            else []
        )
        compiler = compiler or self.compiler or ""
        subprocess.run(
            [compiler, "-O1", "-pthread", "-w", *flags, source, "-o", target], check=True
        )


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of a run: everything that must not differ."""

    status: int
    """As a shell would say it: 128 + n for a signal."""
    stdout: bytes
    stderr: bytes
    files: dict[str, str]
    """The working folder afterwards: kind, mode and contents by path."""
    processes: tuple[str, ...]
    """Processes of the run that were still there three seconds after its end."""
    objects: tuple[str, ...]
    """Objects of System V, of /dev/shm and of /dev/mqueue that were not there before."""
    temporary: tuple[str, ...]
    """What is left in TMPDIR."""


class Bench:
    """A folder to run commands in, the same path for every run, emptied in between."""

    def __init__(self, actor: Actor) -> None:
        self.actor = actor
        self.base = Path(tempfile.mkdtemp(prefix="ipcviz-tests-"))
        self.base.chmod(0o755)
        self.work = self.base / "work"
        self.temporary = self.base / "tmp"
        self.keep = self.base / "keep"
        for folder in (self.work, self.temporary, self.keep):
            self._fresh(folder)

    def close(self) -> None:
        shutil.rmtree(self.base, ignore_errors=True)

    def _fresh(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o755)
        if os.geteuid() == 0:
            os.chown(folder, self.actor.uid, self.actor.uid)

    def clear(self) -> None:
        """Empty the folders that commands run in."""
        self._fresh(self.work)
        self._fresh(self.temporary)

    def environment(self, tag: str) -> dict[str, str]:
        return {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(self.work),
            "TMPDIR": str(self.temporary),
            "LC_ALL": "C",
            "TERM": "xterm",
            "PYTHONPATH": str(CHECKOUT),
            "PYTHONDONTWRITEBYTECODE": "1",
            TAG: tag,
        }

    def start(self, argv: list[str], *, tag: str = "", **options: Any) -> subprocess.Popen[bytes]:
        """Start a command as the actor, in the working folder; its processes have `tag` in their
        environment.
        """
        env = self.environment(tag or uuid.uuid4().hex)
        return subprocess.Popen(
            [*self.actor.prefix, *argv], cwd=self.work, env=env, start_new_session=True, **options
        )

    def run(
        self,
        argv: list[str],
        *,
        stdin: bytes | None = None,
        terminal: bool = False,
        seconds: float = 30.0,
    ) -> Outcome:
        """Run a command to its end and gather what it did and left."""
        self.clear()
        tag = uuid.uuid4().hex
        before = kernel_objects(self.actor.uid)
        run = _run_on_terminal if terminal else _run_on_pipes
        status, out, err = run(
            [*self.actor.prefix, *argv], self.work, self.environment(tag), stdin, seconds
        )
        # Who is about to execute a program has no environment for a moment: one look may miss it.
        left = settled(lambda: tagged(tag) or tagged(tag), 3.0)
        processes = tuple(sorted(name for _, name in left))
        for pid, _ in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        objects = list_left_objects(self.actor.uid, before)
        return Outcome(
            status=status if status >= 0 else 128 - status,
            stdout=out,
            stderr=err,
            files=contents(self.work),
            processes=processes,
            objects=tuple(objects),
            temporary=tuple(contents(self.temporary)),
        )

    def observed(self, argv: list[str], *options: str) -> list[str]:
        """The command line that observes `argv`; its stream goes to `stream`."""
        self.stream.unlink(missing_ok=True)
        return [
            sys.executable,
            "-m",
            "ipcviz",
            "trace",
            "--jsonl",
            "-o",
            str(self.stream),
            *options,
            "--",
            *argv,
        ]

    @property
    def stream(self) -> Path:
        """Where the last observed command's events are."""
        return self.keep / "stream.jsonl"


def _run_on_pipes(
    argv: list[str], cwd: Path, env: dict[str, str], stdin: bytes | None, seconds: float
) -> tuple[int, bytes, bytes]:
    process = subprocess.Popen(
        argv,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        out, err = process.communicate(stdin, timeout=seconds)
    except subprocess.TimeoutExpired:
        _kill_run(process, env[TAG])
        out, err = process.communicate()
        err += b"\n[the test's time limit was reached]"
    return process.returncode, out, err


def _run_on_terminal(
    argv: list[str], cwd: Path, env: dict[str, str], stdin: bytes | None, seconds: float
) -> tuple[int, bytes, bytes]:
    assert stdin is None
    master, slave = os.openpty()
    termios.tcsetwinsize(slave, (24, 80))
    process = subprocess.Popen(
        argv,
        cwd=cwd,
        env=env,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(slave)
    out, deadline = b"", time.monotonic() + seconds
    with os.fdopen(master, "rb", buffering=0) as screen:
        os.set_blocking(master, False)
        while time.monotonic() < deadline:
            try:
                chunk = screen.read(65536)
            except OSError as error:
                if error.errno == errno.EIO:
                    break
                raise
            if chunk is None:
                time.sleep(0.005)
            out += chunk or b""
        else:
            _kill_run(process, env[TAG])
    return process.wait(), out, b""


def _kill_run(process: subprocess.Popen[bytes], tag: str) -> None:
    process.kill()
    for pid, _ in tagged(tag):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def tagged(tag: str) -> list[tuple[int, str]]:
    """Living processes that have our tag in their environment, with their names."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                if f"{TAG}={tag}".encode() in (folder / "environ").read_bytes():
                    found.append((int(folder.name), (folder / "comm").read_text().strip()))
    return found


def settled(look: Callable[[], list[Any]], seconds: float) -> list[Any]:
    """What `look` finds once it finds nothing, or still finds at the deadline."""
    deadline = time.monotonic() + seconds
    while (found := look()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


OTHERS_SECONDS: Final = 240.0
"""How long objects of a test may be there that another process of the test run makes."""


def list_left_objects(uid: int, before: set[str], seconds: float = 2.0) -> list[str]:
    """Those of a user's kernel objects that were not there before, and stay.

    Where several processes run the tests, what another test has made comes and goes; what was left
    behind stays, and is waited for as long as another test may take.
    """
    if "PYTEST_XDIST_WORKER" in os.environ:
        seconds = OTHERS_SECONDS
    deadline = time.monotonic() + seconds
    staying = kernel_objects(uid) - before
    while staying and time.monotonic() < deadline:
        time.sleep(0.02)
        staying &= kernel_objects(uid)
    return sorted(staying)


def kernel_objects(uid: int) -> set[str]:
    """Names of the System V objects, shared memory objects and POSIX queues of a user: others' come
    and go.
    """
    found = set()
    for kind in ("sem", "msg", "shm"):
        with contextlib.suppress(OSError):
            names, *lines = [
                line.split() for line in Path("/proc/sysvipc", kind).read_text().splitlines()
            ]
            found |= {f"{kind} {line[1]}" for line in lines if int(line[names.index("uid")]) == uid}
    for folder in ("/dev/shm", "/dev/mqueue"):
        with contextlib.suppress(OSError):
            for path in Path(folder).iterdir():
                with contextlib.suppress(FileNotFoundError):
                    if path.lstat().st_uid == uid:
                        found.add(str(path))
    return found


def contents(folder: Path) -> dict[str, str]:
    """Kind, mode and contents of everything below `folder`."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        text = path.read_bytes()[:100000].decode("latin-1") if path.is_file() else ""
        found[str(path.relative_to(folder))] = (
            f"{status.st_mode:o} {status.st_size if text else ''} {text}"
        )
    return found


def read_stream(path: Path) -> list[ev.Event]:
    """All events of a stream that has ended."""
    return msgspec.json.Decoder(ev.Event).decode_lines(path.read_bytes())
