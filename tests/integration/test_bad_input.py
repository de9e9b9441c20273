"""What can't be done is one sentence on stderr and exit status 2, never a traceback."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from ipcviz import events as ev
from tests.integration.harness import (
    ORDINARY_UID,
    Actor,
    Bench,
    Outcome,
    ordinary_user,
    read_stream,
)
from tests.integration.test_truth_locks import sentences


def refused(bench: Bench, argv: list[str], *words: str) -> str:
    """Run a command line that must be refused; its sentence."""
    outcome = bench.run(argv)
    assert_refusal(outcome, *words)
    return outcome.stderr.decode()


def assert_refusal(outcome: Outcome, *words: str) -> None:
    text = outcome.stderr.decode()
    assert outcome.status == 2, text
    assert outcome.stdout == b""
    assert "Traceback" not in text
    assert text.endswith(".\n")
    assert len(text.strip().splitlines()) <= 1 or "Usage:" in text, text
    for word in words:
        assert word in text


def ipcviz(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "ipcviz", *arguments]


def test_no_such_command(bench: Bench) -> None:
    refused(bench, bench.observed(["no-such-command"]), "no-such-command")
    refused(bench, bench.observed(["./no/such"]), "./no/such")


def test_not_a_program(bench: Bench) -> None:
    (bench.keep / "text").write_text("hello\n")
    (bench.keep / "text").chmod(0o644)
    (bench.keep / "garbage").write_bytes(b"\x00\x01\x02 garbage")
    (bench.keep / "garbage").chmod(0o755)
    (bench.keep / "script").write_text("#!/no/such/interpreter\n")
    (bench.keep / "script").chmod(0o755)
    refused(bench, bench.observed([str(bench.keep / "text")]), "text", "executable")
    refused(bench, bench.observed([str(bench.keep)]), "directory")
    refused(bench, bench.observed([str(bench.keep / "garbage")]), "garbage")
    refused(bench, bench.observed([str(bench.keep / "script")]), "script")
    refused(bench, bench.observed([""]))


def test_not_permitted(bench: Bench) -> None:
    if bench.actor.uid == 0:
        pytest.skip("root may do anything")
    folder = bench.base / "locked"
    folder.mkdir(exist_ok=True)
    (folder / "true").write_bytes(Path("/bin/true").read_bytes())
    (folder / "true").chmod(0o700)
    refused(bench, bench.observed([str(folder / "true")]), "true")
    folder.chmod(0o700)
    if os.geteuid() == 0:
        refused(bench, bench.observed([str(folder / "true")]), "true")


@pytest.mark.parametrize("target", ["/no/such/folder/file", "/", "/proc/1/nothing"])
def test_an_output_that_cannot_be_written(bench: Bench, target: str) -> None:
    text = refused(bench, ipcviz("trace", "--jsonl", "-o", target, "--", "touch", "ran"), target)
    assert not (bench.work / "ran").exists(), text


def test_a_full_disk(bench: Bench) -> None:
    """The output fills up in the middle: the command must not suffer, and it is said once."""
    limited = ["sh", "-c", 'ulimit -f 16; exec "$@"', "sh"]
    argv = ["sh", "-c", "for i in 1 2 3; do ls / | cat | wc -c >/dev/null; echo $i; done; exit 5"]
    outcome = bench.run([*limited, *bench.observed(argv)])
    assert outcome.status == 5
    assert outcome.stdout == b"1\n2\n3\n"
    assert b"Traceback" not in outcome.stderr
    assert outcome.stderr.count(b"the trace ends here") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["trace"],
        ["trace", "--", "true"],
        ["trace", "--rubbish", "-o", "x", "--", "true"],
        ["trace", "--jsonl", "-o", "x", "--"],
        ["trace", "-o"],
        ["rubbish"],
        ["--rubbish"],
        ["run", "--"],
    ],
)
def test_rubbish(bench: Bench, arguments: list[str]) -> None:
    outcome = bench.run(ipcviz(*arguments))
    assert outcome.status == 2
    assert b"Traceback" not in outcome.stderr
    assert outcome.stderr.strip()


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["trace", "--help"], ["run", "--help"]]
)
def test_help(bench: Bench, arguments: list[str]) -> None:
    outcome = bench.run(ipcviz(*arguments))
    assert outcome.status == 0
    assert outcome.stdout
    assert not outcome.stderr


def in_namespace(bench: Bench, script: str) -> list[str]:
    """A command line that runs `script` in a mount namespace of its own, then what follows, as the
    actor.
    """
    if os.geteuid() != 0 or bench.actor.uid != 0:
        pytest.skip("hiding a file system needs root")
    return ["unshare", "--mount", "sh", "-c", f'{script} && exec "$@"', "sh"]


def test_without_proc(bench: Bench) -> None:
    prefix = in_namespace(bench, "mount -t tmpfs none /proc")
    assert_refusal(bench.run([*prefix, *bench.observed(["true"])]), "/proc")


def test_not_linux(bench: Bench) -> None:
    code = "import sys; sys.platform = 'darwin'; from ipcviz.cli.main import main; main()"
    refused(bench, [sys.executable, "-c", code, *bench.observed(["true"])[3:]], "Linux")


def tiny_elf32() -> bytes:
    """A 32-bit i386 program that exits with status 0: a header, one segment, `mov eax,1; xor
    ebx,ebx; int 0x80`.
    """
    base, code = 0x08048000, b"\xb8\x01\x00\x00\x00\x31\xdb\xcd\x80"
    size = 52 + 32 + len(code)
    ident = b"\x7fELF\x01\x01\x01" + bytes(9)
    header = struct.pack(
        "<16sHHIIIIIHHHHHH", ident, 2, 3, 1, base + 84, 52, 0, 0, 52, 32, 1, 0, 0, 0
    )
    segment = struct.pack("<IIIIIIII", 1, 0, base, base, size, size, 5, 0x1000)
    return header + segment + code


@pytest.mark.skipif(
    os.uname().machine != "x86_64", reason="an i386 program needs an x86-64 machine"
)
def test_a_32_bit_program_is_refused(bench: Bench) -> None:
    program = bench.keep / "elf32"
    program.write_bytes(tiny_elf32())
    program.chmod(0o755)
    refused(bench, bench.observed([str(program)]), "64-bit")


@pytest.mark.skipif(
    os.uname().machine != "x86_64", reason="an i386 program needs an x86-64 machine"
)
def test_a_32_bit_program_inside_is_said(bench: Bench) -> None:
    """A child that executes a 32-bit program is not followed there; that is said, and it runs on by
    itself.
    """
    program = bench.keep / "elf32"
    program.write_bytes(tiny_elf32())
    program.chmod(0o755)
    argv = ["sh", "-c", f"{program} | cat; echo $?; (exec sh -c 'exec {program}'); exit 3"]
    alone = bench.run(argv)
    if b"cannot execute" in alone.stderr or b"Exec format" in alone.stderr:
        pytest.skip("this kernel runs no 32-bit programs")
    outcome = bench.run(bench.observed(argv))
    assert b"Traceback" not in outcome.stderr
    stream = read_stream(bench.stream)
    assert sum("64-bit" in event.message for event in stream if isinstance(event, ev.Trouble)) == 2
    foreign = {
        event.pid
        for event in stream
        if isinstance(event, ev.Executed) and event.path == str(program)
    }
    assert {
        event.pid for event in stream if isinstance(event, ev.Coverage) and not event.full
    } == foreign
    assert (outcome.status, outcome.stdout) == (alone.status, alone.stdout)


def test_rights_that_are_withheld_are_said(bench: Bench) -> None:
    """Watched by an ordinary user, a set-user-ID program has its own rights not; alone it has
    them.
    """
    if os.geteuid() != 0 or bench.actor.uid == 0:
        pytest.skip(
            "making a program that gives an ordinary user other rights needs root, and such a user"
        )
    program = bench.keep / "id"
    shutil.copy(shutil.which("id") or "/usr/bin/id", program)
    os.chown(program, bench.actor.uid + 1, 0)
    program.chmod(0o4755)
    argv = ["sh", "-c", f"{program} -u; id -ru"]
    if bench.run(argv).stdout.split()[0] != str(bench.actor.uid + 1).encode():
        pytest.skip("files give no rights here (nosuid)")
    outcome = bench.run(bench.observed(argv))
    assert outcome.stdout.split() == [str(bench.actor.uid).encode()] * 2
    assert [line.split(":")[1] for line in outcome.stderr.decode().splitlines()] == [
        " id runs without the rights of its owner (set-user-ID), which Linux withholds from what an"
        " ordinary user watches"
    ]


def test_a_debugger_inside_is_told_why_not(bench: Bench) -> None:
    code = "import ctypes; print(ctypes.CDLL(None).ptrace(0, 0, 0, 0))"
    assert bench.run(bench.observed([sys.executable, "-I", "-c", code])).stdout == b"-1\n"
    log = "\n".join(sentences(read_stream(bench.stream)))
    assert (
        "got EPERM from ptrace (PTRACE_TRACEME): ipcviz traces it already, and a process has one"
        " tracer" in log
    )


def test_endless_and_binary_output(bench: Bench) -> None:
    """Output that does not end: what was asked for comes through, and the stream stays bounded."""
    argv = bench.observed(["sh", "-c", "cat /dev/urandom"])
    bench.clear()
    with bench.start(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        wanted = 20_000_000
        while wanted > 0:
            wanted -= len(process.stdout.read(65536))
        process.stdout.close()
        assert process.wait(20) == 141
        assert process.stderr.read() == b""
    assert bench.stream.stat().st_size < 20_000_000


@pytest.mark.parametrize(
    ("most", "words"), [(8, "can open no more files"), (5, "can't be spoken to")]
)
def test_too_few_files_are_allowed(bench: Bench, most: int, words: str) -> None:
    limited = ["sh", "-c", f'ulimit -n {most}; exec "$@"', "sh"]
    outcome = bench.run([*limited, *bench.observed(["sh", "-c", ":|:"])])
    assert (outcome.status, outcome.stdout) == (2, b"")
    assert words in outcome.stderr.decode()
    assert outcome.stderr.count(b"\n") == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="a real user has processes already, so no limit fits")
@pytest.mark.parametrize("most", [2, 3, 4])
def test_too_few_processes_are_allowed(most: int) -> None:
    """A thread of the command line, another one, the command: whichever is refused, nothing is left
    half-made.
    """
    user = ordinary_user()
    own = tuple(word.replace(str(ORDINARY_UID), str(ORDINARY_UID + 1)) for word in user.prefix)
    bench = Bench(Actor("other", ORDINARY_UID + 1, (*own, "prlimit", f"--nproc={most}")))
    try:
        refused(bench, ipcviz("trace", "--jsonl", "-o", "out", "--", "sleep", "0"), "ulimit -u")
    finally:
        bench.close()


@pytest.mark.parametrize("closed", ["<&-", ">&-", "<&- >&- 2>&-"])
def test_without_standard_streams(bench: Bench, closed: str) -> None:
    """What would go there goes nowhere, and not into the trace, whose file would else have got such
    a number.
    """
    argv = bench.observed(["sh", "-c", "echo out | cat"], "--pty")
    outcome = bench.run(["sh", "-c", f'exec {closed}; exec "$@"', "sh", *argv])
    assert (outcome.status, outcome.stdout, outcome.stderr) == (
        0,
        b"" if ">" in closed else b"out\r\n",
        b"",
    )
    assert any(isinstance(event, ev.Output) for event in read_stream(bench.stream))
    assert (
        bench.run(
            ["sh", "-c", f'exec {closed}; exec "$@"', "sh", *ipcviz("run", "--", "touch", "ran")]
        ).status
        == 2
    )
    assert not (bench.work / "ran").exists()


def test_where_seccomp_is_forbidden(bench: Bench) -> None:
    """As in some containers: every call is stopped at instead, and that is said."""
    outcome = bench.run(
        [sys.executable, "-c", WITHOUT_SECCOMP, *bench.observed(["sh", "-c", "echo out | cat"])]
    )
    assert (outcome.status, outcome.stdout, outcome.stderr) == (0, b"out\n", b"")
    started = read_stream(bench.stream)[0]
    assert isinstance(started, ev.Started)
    assert any("seccomp" in sentence for sentence in started.missing)


WITHOUT_SECCOMP = """
import os, struct, sys
from ipcviz.kernel import seccomp
from ipcviz.kernel.arch import find_native_arch
number = seccomp.seccomp_number(find_native_arch())
rows = (0x20, 0, 0, 0, 0x15, 0, 1, number, 6, 0, 0, 0x50001, 6, 0, 0, 0x7FFF0000)
refuse = struct.pack("=HBBIHBBIHBBIHBBI", *rows)
seccomp.install_filter(refuse, number)
os.execvp(sys.argv[1], sys.argv[1:])
"""
"""A filter that answers the seccomp call itself with EPERM (SECCOMP_RET_ERRNO), then the command.
"""
