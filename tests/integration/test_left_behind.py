"""What a run's programs leave outside its folder is gone afterwards, and nobody else's is."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import posix_ipc
import pytest

from ipcviz.scenario import remover, workplace

pytestmark = pytest.mark.kernel
LIBC = ctypes.CDLL(None)
IPC_CREAT = 0o1000


def leave(folder, name):
    """Make one of each; the key that the System V objects have."""
    posix_ipc.Semaphore(f"/{name}", posix_ipc.O_CREAT).close()
    posix_ipc.SharedMemory(f"/{name}-memory", posix_ipc.O_CREAT, size=1).close_fd()
    posix_ipc.MessageQueue(f"/{name}", posix_ipc.O_CREAT).close()
    (folder / "file").touch()
    key = LIBC.ftok(str(folder / "file").encode(), 65)
    assert LIBC.semget(key, 1, IPC_CREAT | 0o600) >= 0
    assert LIBC.msgget(key, IPC_CREAT | 0o600) >= 0
    assert LIBC.shmget(key, 1, IPC_CREAT | 0o600) >= 0
    return key & 0xFFFFFFFF


def is_left(name, key):
    found = [str(path) for path in Path("/dev/shm").iterdir() if name in path.name]
    found += [
        kind for kind in remover.REMOVERS for row in remover.list_objects(kind) if row[0] == key
    ]
    try:
        posix_ipc.MessageQueue(f"/{name}").close()
        found.append("queue")
    except posix_ipc.ExistentialError:
        pass
    return found


def test_what_a_run_leaves_is_removed_and_nothing_else(tmp_path):
    (tmp_path / "others").mkdir()
    others = leave(tmp_path / "others", "others")
    try:
        with workplace.make_workplace() as folder:
            key = leave(folder, folder.name)
            assert len(is_left(folder.name, key)) == 6
        assert is_left(folder.name, key) == []
        assert not folder.exists()
        assert len(is_left("others", others)) == 6
    finally:
        remover.remove_run(tmp_path / "others", "others", 0)
    assert is_left("others", others) == []


def test_it_is_removed_where_the_remover_comes_late(tmp_path, monkeypatch):
    """A busy machine: it starts in a later second than the run, and than what the run has made."""
    late = tmp_path / "python"
    late.write_text(
        f'#!/bin/sh\nuntil [ -e {tmp_path}/go ]; do sleep 0.05; done\nexec {sys.executable} "$@"\n'
    )
    late.chmod(0o700)
    monkeypatch.setattr(workplace.sys, "executable", str(late))
    with workplace.make_workplace() as folder:
        key = leave(folder, folder.name)
        made = time.time()
        while int(time.time()) <= int(made):
            time.sleep(0.02)
        (tmp_path / "go").touch()
    assert is_left(folder.name, key) == []


def test_an_object_that_was_there_before_is_not_the_runs(tmp_path):
    (tmp_path / "file").touch()
    key = leave(tmp_path, "earlier")
    try:
        remover.remove_objects(tmp_path, time.time() + 10)
        assert len(is_left("earlier", key)) == 6
    finally:
        remover.remove_run(tmp_path, "earlier", 0)


def test_it_is_removed_when_ipcviz_is_killed():
    script = (
        "import sys, time; from ipcviz.scenario.workplace import make_workplace\n"
        "from tests.integration.test_left_behind import leave\n"
        "with make_workplace() as folder:\n"
        "    print(folder, leave(folder, folder.name), flush=True); time.sleep(60)\n"
    )
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
    ) as killed:
        place, key = killed.stdout.readline().split()
        name = Path(place).name
        assert len(is_left(name, int(key))) == 6
        killed.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 20
    while is_left(name, int(key)) or Path(place).exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
