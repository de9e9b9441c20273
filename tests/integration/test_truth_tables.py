"""Descriptor tables over dup, close-on-exec, fork and exec, against /proc."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

import pytest

from ipcviz import events as ev
from ipcviz.model.state import State
from tests.integration.harness import Bench, Programs
from tests.integration.watched import Watched

Row = tuple[int, str, str, bool, bool, bool]
KCMP = {"x86_64": 312, "aarch64": 272}.get(os.uname().machine)
CLOEXEC, NONBLOCK, APPEND = 0o2000000, 0o4000, 0o2000


def from_proc(pid: int) -> set[Row]:
    """Number, object, mode and flags of each descriptor, as the kernel shows them."""
    rows = set()
    for folder in Path("/proc", str(pid), "fd").iterdir():
        info = Path("/proc", str(pid), "fdinfo", folder.name).read_text()
        flags = next(
            int(line.split()[1], 8) for line in info.splitlines() if line.startswith("flags:")
        )
        link = os.readlink(folder)
        if link.startswith("/"):
            status = os.stat(folder)
            link = f"{status.st_dev}:{status.st_ino}"
        mode = ("r", "w", "rw")[flags & 3]
        rows.add(
            (
                int(folder.name),
                link,
                mode,
                *(bool(flags & flag) for flag in (CLOEXEC, NONBLOCK, APPEND)),
            )
        )
    return rows


def from_state(state: State, pid: int) -> set[Row]:
    rows = set()
    for fd, descriptor in state.descriptors_of(pid).items():
        file = state.open_files[descriptor.ofd]
        thing = state.objects[file.object].info
        name = f"{thing.dev}:{thing.ino}" if thing.path.startswith("/") else thing.key
        rows.add(
            (
                fd,
                name,
                file.mode,
                descriptor.cloexec,
                "nonblock" in file.flags,
                "append" in file.flags,
            )
        )
    return rows


def same_description(pid: int, fd: int, other: int, other_fd: int) -> bool:
    """kcmp(2) with KCMP_FILE."""
    libc = ctypes.CDLL(None, use_errno=True)
    result = libc.syscall(KCMP, pid, other, 0, fd, other_fd)
    if result < 0:
        pytest.skip(f"kcmp: {os.strerror(ctypes.get_errno())}")
    return result == 0


@pytest.mark.parametrize("option", ["", "--full"])
def test_tables(bench: Bench, programs: Programs, option: str) -> None:
    with Watched(
        bench,
        [programs["truth_table"]],
        ("parent", "forked", "executed"),
        *([option] if option else []),
    ) as run:
        pids = [run.at(name)["pid"] for name in ("parent", "forked", "executed")]
        # The barrier's own FIFO comes last: its open is what the program sleeps in.
        state = run.until(lambda s: all(from_state(s, pid) == from_proc(pid) for pid in pids))
        for pid in pids:
            assert from_state(state, pid) == from_proc(pid)
        parent, forked, executed = ({row[0] for row in from_state(state, pid)} for pid in pids)
        assert {20, 21, 31} <= parent
        assert 30 not in parent
        assert 30 in forked
        assert 20 not in forked
        assert not {21, 30, 31} & executed
        rows = [(pid, fd, d.ofd) for pid in pids for fd, d in state.descriptors_of(pid).items()]
        for i, (pid, fd, ofd) in enumerate(rows):
            for other, other_fd, other_ofd in rows[i + 1 :]:
                assert (ofd == other_ofd) == same_description(pid, fd, other, other_fd), (
                    pid,
                    fd,
                    other,
                    other_fd,
                )
        for name in ("executed", "forked", "parent"):
            run.release(name)
        assert run.finish() == 0
        wrong = [event for event in run.events if isinstance(event, ev.Table) and event.differed]
        assert not wrong, "the table computed from events was wrong"


def test_where_a_descriptor_came_from(bench: Bench, programs: Programs) -> None:
    with Watched(bench, [programs["truth_table"]], ("parent", "forked", "executed")) as run:
        pids = {name: run.at(name)["pid"] for name in ("parent", "forked", "executed")}
        state = run.until(
            lambda s: all(from_state(s, pid) == from_proc(pid) for pid in pids.values())
        )
        parent = state.descriptors_of(pids["parent"])
        assert parent[20].how == f"dup of {min(set(parent) - {0, 1, 2})}"
        assert state.descriptors_of(pids["forked"])[30].how == f"inherited from {pids['parent']}"
        assert state.descriptors_of(pids["executed"])[20].how == f"inherited from {pids['parent']}"
        for name in pids:
            run.release(name)
        assert run.finish() == 0


def test_leaving_in_the_middle_of_a_look_is_no_error(bench: Bench) -> None:
    """Processes that vanish while they are looked at are normal life."""
    with Watched(bench, ["sh", "-c", "for i in $(seq 200); do /bin/true & done; wait"], ()) as run:
        assert run.finish() == 0
        assert not [event for event in run.events if isinstance(event, ev.Trouble)]
        assert sum(isinstance(event, ev.Exited) for event in run.events) == 1 + 1 + 200
