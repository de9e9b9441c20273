"""What is removed when a run has ended: what its programs made, and nothing of anybody else's."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from ipcviz.scenario import remover

SINCE = 1000.5


@pytest.fixture
def libc(monkeypatch):
    """A C library that only notes what is asked of it."""
    asked = []

    def note(name):
        return lambda *args: asked.append((name, *args))

    names = ("semctl", "msgctl", "shmctl", "mq_unlink")
    library = SimpleNamespace(**{name: note(name) for name in names})
    monkeypatch.setattr(remover.ctypes, "CDLL", lambda _: library)
    return asked


@pytest.fixture
def shared(tmp_path, monkeypatch):
    """A folder in the place of /dev/shm."""
    folder = tmp_path / "shm"
    folder.mkdir()
    monkeypatch.setattr(remover, "SHARED_MEMORY", folder)
    return folder


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "run"
    (made / "sub").mkdir(parents=True)
    (made / "sub" / "keyfile").touch()
    return made


@pytest.fixture
def objects(monkeypatch):
    """Rows of /proc/sysvipc by kind, to be filled by the test."""
    rows = {"sem": [], "msg": [], "shm": []}
    monkeypatch.setattr(remover, "list_objects", lambda kind: iter(rows[kind]))
    return rows


def key_of(path, project=0x6B):
    found = path.stat()
    return project << 24 | (found.st_dev & 0xFF) << 16 | found.st_ino & 0xFFFF


def test_all_that_a_run_has_made_goes(folder, shared, objects, libc):
    key = key_of(folder / "sub" / "keyfile")
    mine = os.getuid()
    objects["sem"] = [(key, 3, mine, 1001)]
    objects["msg"] = [(key, 4, mine, 1000)]
    objects["shm"] = [(key, 5, mine, 1001)]
    for name in ("ipcviz-7", "ipcviz-7-more", "sem.ipcviz-7"):
        (shared / name).touch()
    remover.remove_run(folder, "ipcviz-7", SINCE)
    assert not folder.exists()
    assert not list(shared.iterdir())
    assert libc == [
        ("semctl", 3, 0, 0),
        ("msgctl", 4, 0, 0),
        ("shmctl", 5, 0, 0),
        ("mq_unlink", b"/ipcviz-7"),
    ]


def test_what_is_somebody_elses_stays(folder, shared, objects, libc):
    key = key_of(folder / "sub" / "keyfile")
    mine = os.getuid()
    objects["shm"] = [
        (key ^ 0x8000, 1, mine, 1001),  # the key of another file
        (key, 2, mine + 1, 1001),  # another user's
        (key, 3, mine, 999),  # older than the run: a key that happens to be the same
        (0, 4, mine, 1001),  # IPC_PRIVATE
    ]
    (shared / "ipcviz-8").touch()
    (shared / "sem.other").touch()
    remover.remove_run(folder, "ipcviz-7", SINCE)
    assert sorted(path.name for path in shared.iterdir()) == ["ipcviz-8", "sem.other"]
    assert libc == [("mq_unlink", b"/ipcviz-7")]


def test_it_is_tried_again_while_a_dying_process_puts_something_in(
    folder, shared, objects, libc, monkeypatch
):
    pauses = []

    def put_in(seconds):
        pauses.append(seconds)

    def make_again(*_args, **_kwargs):
        if len(pauses) < 2:
            (shared / "sem.ipcviz-7").touch()

    remove = remover.shutil.rmtree
    monkeypatch.setattr(remover.time, "sleep", put_in)
    monkeypatch.setattr(remover.shutil, "rmtree", lambda *a, **k: (remove(*a, **k), make_again()))
    remover.remove_run(folder, "ipcviz-7", SINCE)
    assert pauses == [remover.PAUSE] * 2
    assert not list(shared.iterdir())


def test_a_list_of_the_kernel_is_read_by_the_names_of_its_columns(tmp_path, monkeypatch):
    (tmp_path / "shm").write_text(
        "       key      shmid perms  size  cpid  lpid nattch   uid   gid  cuid  cgid"
        "      atime      dtime      ctime        rss       swap\n"
        "-1073741823          7  1600  4096    11    12      0  1000   100  1000   100"
        "          0          0       1234          0          0\n"
    )
    monkeypatch.setattr(remover, "SYSTEM_V", tmp_path)
    assert list(remover.list_objects("shm")) == [(0xC0000001, 7, 1000, 1234)]
    assert list(remover.list_objects("msg")) == []


def test_a_file_that_went_in_between_has_no_key(tmp_path):
    assert remover.read_key(tmp_path / "gone") is None
