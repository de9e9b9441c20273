"""What the command line writes to, reads from and says: nothing that does harm, whatever names
others have chosen.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ipcviz import events as ev
from ipcviz.cli import main as command_line
from ipcviz.trace import TraceReader
from tests.integration.harness import Bench, read_stream
from tests.integration.test_bad_input import assert_refusal, ipcviz, refused
from tests.pure.test_messages import FORBIDDEN, HOSTILE
from tests.pure.test_outputs import make_odd

# What a command line imports only when it needs it: once here, and not in each of 250 forks.
for place, _ in command_line.COMMANDS.values():
    importlib.import_module(place.partition(":")[0])
for needed in (
    "app.casting",
    "app.replay",
    "cli.player",
    "cli.driver",
    "session.live",
    "trace",
):
    importlib.import_module(f"ipcviz.{needed}")

NAMES = ["".join(HOSTILE).replace("\ud800", "").replace("/", ""), "a\nipcviz: forged."]
"""Names that a file can have, which may be any bytes but zero and a slash."""


def said(arguments: list[str], folder: Path) -> tuple[int, str]:
    """Run a command line in a fork of this process, which has imported everything; its status and
    all that it wrote.
    """
    out = folder.parent / f"{folder.name}.out"
    with out.open("w+b") as file:
        pid = os.fork()
        if pid == 0:
            status = 99
            try:
                os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
                os.dup2(file.fileno(), 1)
                os.dup2(file.fileno(), 2)
                sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - the process ends here
                sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
                sys.argv = ["ipcviz", *arguments]
                os.chdir(folder)
                command_line.main()
            except SystemExit as left:
                status = int(left.code or 0)
            finally:
                os._exit(status)
        deadline = time.monotonic() + 30
        while True:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                break
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.002)
        file.seek(0)
        return os.waitstatus_to_exitcode(status), file.read().decode()


def commands_with(name: str, folder: Path) -> list[list[str]]:
    """Command lines in which a name of somebody else's stands, each of which ends in a sentence
    about it.
    """
    here = str(folder / "nothing")
    return [
        ["check", name],
        ["check", f"./{name}/x"],
        ["replay", name],
        ["play", name],
        ["record", name, "-o", here],
        ["record", "sleep-race", "-o", f"no/{name}"],
        ["record", "sleep-race", "-o", here, "--schedule", name],
        ["record", "sleep-race", "-o", here, "--variant", name],
        ["record", "sleep-race", "-o", here, "--set", f"{name}=1"],
        ["record", "sleep-race", "-o", here, "--size", name],
        ["trace", "-o", here, "--", name],
        ["trace", "-o", here, "--", f"./{name}"],
        ["trace", "-o", f"no/{name}", "--", "true"],
        ["trace", "-o", here, "--schedule", name, "--", "true"],
        ["trace", "-o", here, "--save-schedule", f"no/{name}", "--", "true"],
        ["attach", "--jsonl", "-o", f"no/{name}", str(os.getppid())],
        ["attach", name],
        ["bench", name],
        ["bench", "--json", f"no/{name}"],
        ["new", f"file/{name}"],
        [f"x{name}"],
        [f"--{name}"],
    ]


@pytest.mark.parametrize("name", NAMES)
def test_names_on_the_command_line(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    for arguments in commands_with(name, tmp_path):
        status, text = said(arguments, tmp_path)
        assert status == 2, arguments
        assert not FORBIDDEN.search(text), (arguments, text)
        assert text.count("\n") == 1, (arguments, text)
        assert "Something went wrong" not in text, (arguments, text)
    assert os.listdir() == ["file"]


@pytest.mark.parametrize("name", NAMES)
def test_contents_of_others(name, tmp_path, monkeypatch):
    """What stands in scenarios, schedules, casts and traces."""
    monkeypatch.chdir(tmp_path)
    quoted = json.dumps(name)
    Path("sc").mkdir()
    for text in (
        f"[{quoted}]",
        f"{quoted} = 1",
        f"title = {quoted}",
        f"[variants.{quoted}]\ncommand = [{quoted}]",
    ):
        Path("sc/scenario.toml").write_text(text, errors="surrogateescape")
        for command in ("check", "record"):
            _, text = said([command, "sc", *(["-o", "x"] if command == "record" else [])], tmp_path)
            assert not FORBIDDEN.search(text), text
    header = {"version": 2, "width": 80, "height": 24, "title": name}
    for lines in (
        [header, [0, name, "x"]],
        [header, [0, "r", name]],
        [{**header, "theme": {"fg": name}}],
        [{"version": name}],
        [header, [name, "o", "x"]],
    ):
        Path("c").write_text("\n".join(map(json.dumps, lines)))
        for command in ("check", "play"):
            _, text = said([command, "c"], tmp_path)
            assert not FORBIDDEN.search(text), text
    Path("order").write_text(f"{name} to {name}\n", errors="surrogateescape")
    _, text = said(["record", "sleep-race", "-o", "x", "--schedule", "order"], tmp_path)
    assert not FORBIDDEN.search(text), text


@pytest.mark.kernel
@pytest.mark.parametrize(
    "name", [b"\x1b]0;HI\x07", b"\x9b31m", b"a\nb", b"\xff\xfe", "\u202e".encode()]
)
def test_names_of_running_processes(name, tmp_path):
    """Another program's name, in the sentence with which attach refuses it."""
    script = (
        "import ctypes, os, sys; ctypes.CDLL(None).prctl(15, os.fsencode(sys.argv[1])); "
        "pid = os.fork() or os._exit(0); print(pid, flush=True); sys.stdin.read(1)"
    )
    named = subprocess.Popen(
        [sys.executable, "-c", script, os.fsdecode(name)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert named.stdout is not None
    zombie = int(named.stdout.readline())
    deadline = time.monotonic() + 10
    while (
        Path(f"/proc/{zombie}/stat").read_text(errors="replace").rpartition(")")[2].split()[0]
        != "Z"
    ):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    status, text = said(["attach", "--jsonl", "-o", "-", str(zombie)], tmp_path)
    named.communicate(b"x")
    assert status == 2
    assert f"[{zombie}]" in text
    assert not FORBIDDEN.search(text), text
    assert text.count("\n") == 1


@pytest.mark.kernel
@pytest.mark.parametrize(
    "arguments",
    [
        ["trace", "-o", "{}", "--", "touch", "ran"],
        ["trace", "--jsonl", "-o", "{}", "--", "touch", "ran"],
        ["trace", "-o", "good", "--save-schedule", "{}", "--", "touch", "ran"],
        ["record", "sleep-race", "-o", "{}"],
        ["attach", "--jsonl", "-o", "{}", "1"],
        ["bench", "--json", "{}"],
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_outputs_that_are_no_files(arguments, tmp_path, monkeypatch):
    """They stay what they are, and nothing is started."""
    monkeypatch.chdir(tmp_path)
    odd = make_odd(tmp_path)
    before = {name: os.lstat(name)[:6] for name in odd}
    for name, words in odd.items():
        if arguments[0] == "attach":
            arguments = [*arguments[:-1], str(os.getppid())]
        status, text = said([argument.replace("{}", name) for argument in arguments], tmp_path)
        assert status == 2, text
        assert f"{name} is {words}: give a file's name" in text
    assert {name: os.lstat(name)[:6] for name in odd} == before
    assert sorted(os.listdir()) == sorted(odd)


@pytest.mark.parametrize("name", ["fifo", "device", "socket"])
def test_inputs_that_are_no_files(name, tmp_path, monkeypatch):
    """They are refused without being opened: nobody waits for what will never come."""
    monkeypatch.chdir(tmp_path)
    if name not in make_odd(tmp_path):
        pytest.skip("only root makes devices")
    Path("sc").mkdir()
    os.rename(name, "sc/scenario.toml")
    os.link("sc/scenario.toml", name)
    for arguments in (
        ["check", name],
        ["check", "sc"],
        ["play", name],
        ["replay", name],
        ["record", name, "-o", "x"],
        ["record", "sc", "-o", "x"],
        ["record", "sc/scenario.toml", "-o", "x"],
        ["record", "sleep-race", "--schedule", name, "-o", "x"],
        ["trace", "-o", "x", "--schedule", name, "--", "true"],
    ):
        status, text = said(arguments, tmp_path)
        assert status == 2
        assert "and no file" in text, (arguments, text)


@pytest.mark.kernel
def test_a_pipe_that_is_open_already_is_read(tmp_path):
    cast = '{"version": 2, "width": 80, "height": 24}\n[0, "o", "hi"]\n'
    (tmp_path / "c").write_text(cast)
    script = f"{sys.executable} -m ipcviz check <(cat {tmp_path}/c)"
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "nothing wrong found" in done.stdout


def test_names_of_scenarios_that_can_not_be_looked_at(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("loop").symlink_to("loop")
    for name in ("x" * 300, f"{'x' * 300}/y", "loop", "loop/x"):
        for arguments in (
            ["check", name],
            ["record", name, "-o", "c"],
            ["trace", "-o", "c", "--variant", "c", name],
        ):
            status, text = said(arguments, tmp_path)
            assert status == 2
            assert "Something went wrong" not in text, (arguments, text)
            assert text.count("\n") == 1


@pytest.mark.kernel
def test_a_folder_that_may_not_be_entered(bench: Bench) -> None:
    locked = bench.base / "locked"
    (locked / "in").mkdir(parents=True, exist_ok=True)
    locked.chmod(0o700 if os.geteuid() == 0 else 0)
    if bench.actor.uid == 0:
        pytest.skip("root may enter every folder")
    name = str(locked / "in")
    try:
        refused(bench, ipcviz("record", name, "-o", "c"), "Permission denied")
        refused(bench, ipcviz("check", name), "Permission denied")
        refused(bench, ipcviz("trace", "-o", "t", "--variant", "c", name), "Permission denied")
        refused(bench, ipcviz("trace", "-o", f"{locked}/t", "--", "true"), "Permission denied")
    finally:
        locked.chmod(0o700)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes devices")
@pytest.mark.parametrize(
    "arguments",
    [["list"], ["list", "--json"], ["--help"], ["trace", "--help"], ["--version"], ["new", "sc"]],
)
def test_a_full_standard_output(arguments, tmp_path):
    os.mknod(tmp_path / "full", stat.S_IFCHR | 0o600, os.makedev(1, 7))
    with (tmp_path / "full").open("wb") as full:
        done = subprocess.run(
            ipcviz(*arguments),
            stdout=full,
            stderr=subprocess.PIPE,
            cwd=tmp_path,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr == "ipcviz: Standard output can't be written: No space left on device.\n"


@pytest.mark.kernel
@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes devices")
def test_a_full_screen_of_a_terminal(tmp_path):
    """The command on a terminal of its own never hears of it, and it is said once."""
    os.mknod(tmp_path / "full", stat.S_IFCHR | 0o600, os.makedev(1, 7))
    argv = ipcviz("trace", "--pty", "-o", str(tmp_path / "t"), "--", "sh", "-c", "seq 2000; exit 3")
    with (tmp_path / "full").open("wb") as full:
        done = subprocess.run(
            argv, stdout=full, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, check=False
        )
    assert done.returncode == 3
    assert done.stderr.count(b"\n") == 1
    assert b"the command runs on" in done.stderr


@pytest.mark.kernel
@pytest.mark.parametrize("options", [["--pty", "-o", "t"], ["--jsonl", "-o", "-"]])
def test_a_standard_output_that_does_not_block(options, bench: Bench) -> None:
    """All arrives, though it takes nothing for a while."""
    r, w = os.pipe()
    os.set_blocking(w, False)
    # What shares our standard output has to cope with it itself, so it writes nothing there.
    script = (
        "seq 30000" if "--pty" in options else "for i in $(seq 60); do ls / | cat >/dev/null; done"
    )
    argv = ipcviz("trace", *options, "--", "sh", "-c", script)
    run = bench.start(argv, stdin=subprocess.DEVNULL, stdout=w, stderr=subprocess.PIPE)
    os.close(w)
    time.sleep(0.5)  # for the pipe to fill up, or not: it passes either way
    with os.fdopen(r, "rb") as reader:
        data = reader.read()
    _, err = run.communicate(timeout=30)
    assert (run.returncode, err) == (0, b"")
    if "--pty" in options:
        assert data == b"".join(b"%d\r\n" % number for number in range(1, 30001))
    else:
        assert len(data) > 1 << 16
        assert [json.loads(line)["event"] for line in data.splitlines()][-1] == "finished"


@pytest.mark.kernel
@pytest.mark.parametrize("jsonl", [False, True])
def test_a_command_that_can_not_be_started_leaves_the_old_file(bench: Bench, jsonl: bool) -> None:
    garbage = bench.keep / "garbage"
    garbage.write_bytes(b"\x00\x01\x02 garbage")
    garbage.chmod(0o755)
    old, new = bench.keep / "old", bench.keep / "new"
    options = ["--jsonl"] if jsonl else []
    for command in ("no-such-command", str(garbage)):
        old.write_text("old")
        refused(bench, ipcviz("trace", *options, "-o", str(old), "--", command))
        refused(bench, ipcviz("trace", *options, "-o", str(new), "--", command))
        assert old.read_text() == "old"
        assert not {
            name for name in os.listdir(bench.keep) if name.startswith(("new", "old-", "."))
        }


@pytest.mark.kernel
@pytest.mark.parametrize(
    "options",
    [
        ("doctor", "--json", "old"),
        ("doctor", "--sarif", "old"),
        ("trace", "-o", "new", "--step", "--save-schedule", "old"),
    ],
    ids=" ".join,
)
def test_it_leaves_what_was_written_besides_too(bench: Bench, options: tuple[str, ...]) -> None:
    garbage = bench.keep / "garbage"
    garbage.write_bytes(b"\x00\x01\x02 garbage")
    garbage.chmod(0o755)
    old = bench.keep / "old"
    paths = [str(bench.keep / one) if one in ("old", "new") else one for one in options]
    for command in ("no-such-command", str(garbage)):
        old.write_text("old")
        refused(bench, ipcviz(*paths, "--", command))
        assert old.read_text() == "old"


@pytest.mark.kernel
def test_traces_are_private_and_open_after_a_kill(bench: Bench) -> None:
    """From the command's beginning on the trace is at its place; SIGKILL leaves it, and nothing
    else.
    """
    path = bench.keep / "t"
    path.unlink(missing_ok=True)
    command = ipcviz("trace", "-o", str(path), "--", "sh", "-c", "sleep 60 | cat")
    argv = ["sh", "-c", 'umask 0; exec "$@"', "sh", *command]
    run = bench.start(argv, stdin=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while not (path.exists() and _names(path) >= {"sleep", "cat"}):
        assert time.monotonic() < deadline
        time.sleep(0.05)

    def list_ours() -> dict[str, int]:
        ours = [
            file
            for file in bench.keep.iterdir()
            if file.name == "t" or file.name.startswith((".", "t-"))
        ]
        return {file.name: stat.S_IMODE(file.stat().st_mode) for file in ours}

    assert list_ours() == {"t": 0o600, "t-wal": 0o600, "t-shm": 0o600}
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    assert list_ours() == {"t": 0o600, "t-wal": 0o600, "t-shm": 0o600}
    assert _names(path) >= {"sleep", "cat"}


def _names(path: Path) -> set[str]:
    """The names of the programs that a trace has seen executed so far."""
    with TraceReader(path) as reader:
        return {event.name for event in reader.read_events() if isinstance(event, ev.Executed)}


@pytest.mark.kernel
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("seconds", [0.3, 0.8, 1.5])
def test_record_is_ended(bench: Bench, number: signal.Signals, seconds: float) -> None:
    """At whatever moment: no traceback, no file, nothing left behind."""
    bench.clear()
    run = bench.start(ipcviz("record", "sleep-race", "-o", "c"), stderr=subprocess.PIPE)
    time.sleep(seconds)
    run.send_signal(number)
    _, err = run.communicate(timeout=20)
    assert err == b""
    assert run.returncode in (0, 128 + number, -number)
    assert os.listdir(bench.work) == (["c"] if run.returncode == 0 else [])


_ENDED_IN_A_TASK = """
import asyncio, signal, sys
from ipcviz.app import casting
from ipcviz.cli.main import main

drawn = casting._draw_frame


async def end() -> None:
    signal.raise_signal(number)


async def drawn_and_ended(app):
    ending = asyncio.create_task(end())
    rows = await drawn(app)
    await ending
    return rows


casting._draw_frame = drawn_and_ended
number, sys.argv = int(sys.argv[1]), ["ipcviz", "record", "t", "-o", "c"]
main()
"""


@pytest.mark.kernel
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_record_is_ended_in_the_midst_of_a_task(bench: Bench, number: signal.Signals) -> None:
    bench.clear()
    assert bench.start(ipcviz("trace", "-o", "t", "--", "true")).wait(20) == 0
    argv = [sys.executable, "-c", _ENDED_IN_A_TASK, str(int(number))]
    run = bench.start(argv, stderr=subprocess.PIPE)
    _, err = run.communicate(timeout=20)
    assert (err, run.returncode) == (b"", 128 + number)
    assert os.listdir(bench.work) == ["t"]


def test_a_cast_is_not_written_over_its_trace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("t").write_text("a trace")
    Path("link").symlink_to("t")
    for output in ("t", "link", "./t"):
        status, text = said(["record", "t", "-o", output], tmp_path)
        assert status == 2
        assert "is the trace itself" in text
    status, text = said(["trace", "-o", "x", "--save-schedule", "./x", "--", "true"], tmp_path)
    assert status == 2
    assert "two things" in text


@pytest.mark.parametrize(
    "arguments",
    [
        ["attach", "--jsonl", "-o", "x", "--seconds", "nan", "1"],
        ["attach", "--jsonl", "-o", "x", "--seconds", "inf", "1"],
        ["attach", "--jsonl", "-o", "x", "--seconds", "-1", "1"],
        ["record", "sleep-race", "-o", "x", "--hold", "nan"],
        ["record", "sleep-race", "-o", "x", "--hold", "1e400"],
        ["bench", "--pairs", "9" * 30],
        ["bench", "--pairs", "0"],
    ],
)
def test_numbers_are_finite_and_within_bounds(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, text = said(arguments, tmp_path)
    assert status == 2
    assert arguments[-2 if arguments[-1] == "1" else -1] in text or "range" in text
    assert text.count("\n") == 1


@pytest.mark.kernel
@pytest.mark.parametrize(("columns", "rows"), [("99999999", "99999999"), ("-5", "0"), ("x", "1e9")])
def test_sizes_that_no_terminal_has(bench: Bench, columns: str, rows: str) -> None:
    environment = ["env", f"COLUMNS={columns}", f"LINES={rows}"]
    outcome = bench.run([*environment, *bench.observed(["stty", "size"], "--pty")])
    assert (outcome.status, outcome.stderr) == (0, b"")
    height, width = map(int, outcome.stdout.split())
    assert 1 <= height <= 500
    assert 1 <= width <= 1000


LATE = (
    "(trap '' HUP; sleep 0.5; echo late | cat > late; sleep 0.1 & wait; echo $? > last) >&- 2>&- &"
    " exit 7"
)


@pytest.mark.kernel
@pytest.mark.parametrize("options", [[], ["--no-seccomp"], ["--full"]])
def test_until_exit(bench: Bench, options: list[str]) -> None:
    """It returns with the command's status; what that left running does what it does alone, and
    nobody stays.
    """
    bench.clear()
    command = bench.observed(["sh", "-c", LATE], "--until", "exit", *options)
    run = bench.start(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    # Both end although something runs on: it has neither, and who watches it has not, either.
    out, err = run.communicate(timeout=20)
    assert (run.returncode, out, err) == (7, b"", b"")
    last = read_stream(bench.stream)[-1]
    assert isinstance(last, ev.Finished)
    assert (last.code, last.left) == (7, 0)
    if not (bench.work / "last").exists():
        assert last.detached >= 1
    deadline = time.monotonic() + 20
    while not ((bench.work / "last").exists() and (bench.work / "last").read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert (bench.work / "late").read_text() == "late\n"
    assert (bench.work / "last").read_text() == "0\n"
    while _tracers(bench):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _tracers(bench: Bench) -> list[str]:
    """Processes with this bench's working folder: whoever still watches there."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(folder / "cwd") == str(bench.work):
                found.append(folder.name)
        except OSError:
            continue
    return found


@pytest.mark.kernel
def test_until_all_is_the_default(bench: Bench) -> None:
    outcome = bench.run(bench.observed(["sh", "-c", LATE]))
    assert outcome.status == 7
    assert "last" in str(outcome.files)
    help_text = bench.run(ipcviz("trace", "--help")).stdout.decode()
    assert "--until" in help_text
    assert "returns when the command and all that it started have ended" in " ".join(
        help_text.split()
    )
    assert_refusal(
        bench.run(ipcviz("trace", "--until", "exit", "--step", "-o", "t", "--", "true")),
        "--until exit",
    )
