"""Files that are written: where they may go, and what becomes of what was there."""

from __future__ import annotations

import ast
import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import ipcviz
from ipcviz import outputs
from ipcviz.model.steps.moments import has_begun
from ipcviz.outputs import OutputError, OutputFile, find_place, write_file
from ipcviz.trace import TraceReader, TraceWriter
from tests import fakes


@pytest.fixture(params=["without a name", "with a hidden name"])
def way(request, monkeypatch):
    """Both ways to make a file that is not at its place yet."""
    if request.param == "with a hidden name":
        monkeypatch.setattr(outputs, "_TMPFILE", 0)
    return request.param


@pytest.fixture
def umask_of_all():
    """The umask with which files would be for everybody."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def make_odd(folder: Path) -> dict[str, str]:
    """What is no regular file, by name, and what it is called; devices only where they can be
    made.
    """
    os.mkfifo(folder / "fifo")
    (folder / "folder").mkdir()
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.path.relpath(folder / "socket"))
    found = {"fifo": "a FIFO", "folder": "a folder", "socket": "a socket"}
    try:
        os.mknod(folder / "device", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    except PermissionError:
        pass
    else:
        found["device"] = "a device"
    for name in list(found):
        (folder / f"link-to-{name}").symlink_to(name)
        found[f"link-to-{name}"] = found[name]
    return found


def test_only_a_regular_file_is_written(tmp_path, monkeypatch):
    """Everything else is refused in a sentence that names it, stays what it was, and is not
    opened.
    """
    monkeypatch.chdir(tmp_path)
    odd = make_odd(tmp_path)
    before = {name: os.lstat(name)[:6] for name in odd}

    def opened(path, flags, *_args, **_options):
        raise AssertionError(f"{path} was opened")

    with monkeypatch.context() as patched:
        patched.setattr(outputs.os, "open", opened)
        for name, words in odd.items():
            with pytest.raises(OutputError, match=f"^{name} is {words}: give a file's name"):
                write_file(name, b"x")
            with pytest.raises(OutputError, match="or - for standard output"):
                find_place(name, streams=True)
    assert {name: os.lstat(name)[:6] for name in odd} == before


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "/proc/self/comm"])
def test_what_leads_to_an_open_file_is_no_place(tmp_path, name):
    script = f"from ipcviz.outputs import write_file; write_file({name!r}, b'x')"
    with (tmp_path / "out").open("w+b") as out:
        done = subprocess.run(
            [sys.executable, "-c", script], stdout=out, stderr=subprocess.PIPE, check=False
        )
    assert b"OutputError" in done.stderr
    assert (tmp_path / "out").read_bytes() == b""


@pytest.mark.parametrize(
    "name", ["", ".", "x/", "no/such", "file/x", "loop", "a" * 300, "zero\0byte"]
)
def test_names_of_no_place(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("old")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OutputError) as caught:
        write_file(name, b"x")
    assert caught.value.message.endswith(".")
    assert sorted(os.listdir()) == ["file", "loop"]


def test_a_new_file_is_private(tmp_path, way, umask_of_all):
    write_file(tmp_path / "new", b"secret")
    assert mode_of(tmp_path / "new") == 0o600
    TraceWriter(tmp_path / "t").close()
    assert {mode_of(file) for file in tmp_path.iterdir()} == {0o600}
    os.umask(0o777)
    write_file(tmp_path / "newer", b"secret")
    assert mode_of(tmp_path / "newer") == 0o600


def test_a_trace_is_private_while_it_is_written(tmp_path, umask_of_all):
    writer = TraceWriter(tmp_path / "t")
    writer.add(fakes.pipeline())
    assert writer.flush(5.0)
    assert {file.name for file in tmp_path.iterdir()} == {"t", "t-wal", "t-shm"}
    assert {mode_of(file) for file in tmp_path.iterdir()} == {0o600}
    copied = writer.copy_to(tmp_path / "copy")
    copied.result(10)
    writer.close()
    assert {(file.name, mode_of(file)) for file in tmp_path.iterdir()} == {
        ("t", 0o600),
        ("copy", 0o600),
    }


def test_a_replaced_file_keeps_its_mode_and_owner(tmp_path, way, umask_of_all):
    old = tmp_path / "old"
    old.write_text("old")
    old.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(old, 12345, 12346)
    before = old.stat()
    write_file(old, b"new")
    after = old.stat()
    assert old.read_bytes() == b"new"
    assert (after.st_mode, after.st_uid, after.st_gid) == (
        before.st_mode,
        before.st_uid,
        before.st_gid,
    )


def test_links_are_followed_and_other_names_keep_the_old(tmp_path, way):
    place = tmp_path / "place"
    place.mkdir()
    (place / "old").write_text("old")
    os.link(place / "old", tmp_path / "other")
    (tmp_path / "link").symlink_to("place/old")
    (tmp_path / "dangling").symlink_to("place/none")
    write_file(tmp_path / "link", b"new")
    write_file(tmp_path / "dangling", b"newer")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "dangling").is_symlink()
    assert (place / "old").read_bytes() == b"new"
    assert (place / "none").read_bytes() == b"newer"
    assert (tmp_path / "other").read_bytes() == b"old"
    assert sorted(os.listdir(place)) == ["none", "old"]


def test_the_old_file_stays_until_the_new_one_is_complete(tmp_path, way):
    path = tmp_path / "file"
    path.write_text("old")

    def fail() -> None:
        with OutputFile(path) as output:
            output.file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_what_came_meanwhile_is_not_replaced(tmp_path, way):
    """It was a file when it was asked for, and is something else now."""
    path = tmp_path / "file"
    output = OutputFile(path)
    os.mkfifo(path)
    with pytest.raises(OutputError, match="FIFO"):
        output.place()
    output.close()
    assert stat.S_ISFIFO(path.stat().st_mode)
    assert os.listdir(tmp_path) == ["file"]


def test_a_full_disk_leaves_the_old_file(tmp_path, way):
    path = tmp_path / "file"
    path.write_text("old")
    script = """
import resource, signal, sys
from ipcviz import outputs
if sys.argv[2] != "without a name":
    outputs._TMPFILE = 0
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    outputs.write_file(sys.argv[1], bytes(100_000))
except outputs.OutputError as error:
    print(error.message)
"""
    argv = [sys.executable, "-c", script, str(path), way]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert done.stdout == f"{path} can't be written: File too large.\n"
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_killed_in_the_middle_nothing_is_left(tmp_path):
    script = """
import sys, time
from ipcviz.outputs import OutputFile
output = OutputFile(sys.argv[1])
output.file.write(bytes(100_000))
output.file.flush()
print("half", flush=True)
time.sleep(60)
"""
    if not outputs._TMPFILE:
        pytest.skip("only Linux has files without a name")
    argv = [sys.executable, "-c", script, str(tmp_path / "file")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"half\n"
        writer.send_signal(signal.SIGKILL)
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_what_may_not_be_written_is_not_replaced(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(0o444)
    with pytest.raises(OutputError, match="Permission denied"):
        write_file(path, b"new")


def test_a_trace_takes_its_place_when_the_command_runs(tmp_path):
    path = tmp_path / "t"
    path.write_text("old")
    (tmp_path / "t-wal").write_text("old")
    writer = TraceWriter(path, at_once=False)
    events = fakes.pipeline()
    begun = next(at for at, event in enumerate(events) if has_begun(event))
    writer.add(events[:begun])
    assert not writer.flush(5.0)
    assert path.read_text() == "old"
    writer.add(events[begun:])
    assert writer.flush(5.0)
    writer.close()
    with TraceReader(path) as reader:
        assert list(reader.read_events()) == events
    assert os.listdir(tmp_path) == ["t"]


def test_a_trace_of_what_never_ran_leaves_the_old_one(tmp_path):
    path = tmp_path / "t"
    path.write_text("old")
    for events in ([], [event for event in fakes.pipeline() if not has_begun(event)][:1]):
        writer = TraceWriter(path, at_once=False)
        writer.add(events)
        writer.close()
        assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["t"]


WRITES = {"write_text", "write_bytes", "NamedTemporaryFile", "mkstemp"}
ELSEWHERE = {
    "cli/bench.py": "modules compiled for a measurement, in a folder of its own",
    "messages.py": "reports, by tempfile",
    "scenario/compile.py": "compiled programs, in the user's private cache",
}


def test_files_are_written_in_one_place():
    """Whatever else opens a file for writing is found here, and has to go through
    `ipcviz.outputs`.
    """
    package = Path(ipcviz.__file__).parent
    found = []
    for file in package.rglob("*.py"):
        name = str(file.relative_to(package))
        if name == "outputs.py" or name in ELSEWHERE:
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.Call):
                continue
            called = (
                node.func.attr
                if isinstance(node.func, ast.Attribute)
                else getattr(node.func, "id", "")
            )
            modes = [
                arg.value
                for arg in (*node.args, *(k.value for k in node.keywords))
                if isinstance(arg, ast.Constant)
            ]
            opens = called == "open" and any(
                isinstance(m, str) and set(m) & set("wax+") and len(m) < 4 for m in modes
            )
            if called in WRITES or opens:
                found.append(f"{name}:{node.lineno} {called}")
    assert found == []
