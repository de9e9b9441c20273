"""Messages: one way out, and nothing in them that a terminal would obey."""

from __future__ import annotations

import ast
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import ipcviz
from ipcviz import messages
from ipcviz.cli.lines import LinesSink
from ipcviz.events import Executed
from ipcviz.messages import StreamError, keep_report, write_error, write_json, write_line

HOSTILE = (
    "\x1b]0;HI\x07",
    "\x1b[31mred",
    "\x9b31m",
    "\x7f",
    "a\nipcviz: forged.",
    "\r\x08",
    "\u202egnp.exe",
    "\u2066\u2069\u200b",
    "\udcff\udc80",
    "\ud800",
    "[/foo][bold]",
    "\u2028\u2029",
    "\U0010ff9b",
)
FORBIDDEN = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_reaches_the_terminal_but_text(text, capsys):
    write_line(f"before {text} after")
    write_error(f"before {text} after.")
    out, err = capsys.readouterr()
    for said in (out, err):
        assert not FORBIDDEN.search(said)
        assert said.count("\n") == 1
        assert "before" in said
        assert "after" in said


def test_details_keep_their_lines(capsys):
    write_error("It does not compile; cc says:", "one\n  two\x1b[0m")
    assert capsys.readouterr().err == "ipcviz: It does not compile; cc says:\none\n  two\\x1b[0m\n"


def test_json_is_ascii_and_the_same_value(capsys):
    write_json([*HOSTILE])
    out = capsys.readouterr().out
    assert out.isascii()
    assert not FORBIDDEN.search(out)
    assert json.loads(out) == [*HOSTILE]


def test_lines_of_the_stream_are_the_same_value(tmp_path):
    """What a process is called goes to a terminal in JSON, too: `trace --jsonl -o -`."""
    names = tuple(text for text in HOSTILE if not re.search("[\ud800-\udfff]", text))
    sink = LinesSink(str(tmp_path / "lines"))
    sink.add([Executed(n=1, t=0.0, pid=7, path="/bin/é", argv=names)])
    sink.close()
    # It has no place before the command runs: an execution says that it does.
    written = (tmp_path / "lines").read_text()
    assert not FORBIDDEN.search(written)
    assert "/bin/é" in written
    assert tuple(json.loads(written)["argv"]) == names


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_any_encoding_will_do(monkeypatch, encoding):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    write_line("é ✓")
    assert raw.getvalue().decode(encoding) in ("é ✓\n", "\\xe9 \\u2713\n", "é \\u2713\n")


def test_a_stream_that_takes_nothing(monkeypatch):
    class Full(io.StringIO):
        def flush(self) -> None:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(sys, "stdout", Full())
    with pytest.raises(StreamError) as caught:
        write_line("x")
    assert caught.value.error.errno == 28
    monkeypatch.setattr(sys, "stdout", None)
    write_line("started without it")


def test_what_nobody_foresaw_is_a_sentence_and_a_report(tmp_path, monkeypatch):
    monkeypatch.setattr(messages.tempfile, "tempdir", str(tmp_path))
    monkeypatch.delenv(messages.SHOW_TRACEBACK, raising=False)
    try:
        {}["x"]
    except KeyError as caught:
        error = caught
    sentence = keep_report(error)
    (report,) = tmp_path.iterdir()
    assert "KeyError" in sentence
    assert str(report) in sentence
    assert "Traceback" in report.read_text()
    assert report.stat().st_mode & 0o777 == 0o600
    monkeypatch.setattr(messages.tempfile, "tempdir", str(tmp_path / "none"))
    assert messages.SHOW_TRACEBACK in keep_report(error)
    monkeypatch.setenv(messages.SHOW_TRACEBACK, "1")
    with pytest.raises(KeyError):
        keep_report(error)


def test_an_error_of_our_own_is_no_traceback(tmp_path):
    script = """
import sys
from ipcviz.cli import list as listing
def fail(): raise KeyError("boo")
listing.load_all = fail
sys.argv = ["ipcviz", "list"]
from ipcviz.cli.main import main
main()
"""
    env = {
        "PATH": "/usr/bin:/bin",
        "TMPDIR": str(tmp_path),
        "PYTHONPATH": str(Path(ipcviz.__file__).parents[1]),
    }
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=env, check=False
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "KeyError" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(list(tmp_path.iterdir())) == 1


def test_there_is_one_way_out():
    """Neither print nor click's echo nor the streams themselves are used anywhere else."""
    package = Path(ipcviz.__file__).parent
    found = []
    for file in package.rglob("*.py"):
        name = str(file.relative_to(package))
        if name == "messages.py":
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            if called in (
                "print",
                "click.echo",
                "click.secho",
                "echo",
                "warnings.warn",
                "input",
            ) or re.fullmatch(r"sys\.(__)?std(out|err)(__)?(\.buffer)?\.write(lines)?", called):
                found.append(f"{name}:{node.lineno} {called}")
    assert found == []
