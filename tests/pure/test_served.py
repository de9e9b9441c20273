"""Files that a watched process may serve are asked about without waiting for it."""

import os
import threading

import pytest

from ipcviz.kernel import identity, memory, names, procfs, served

MOUNTS = b"""\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
90 22 0:57 / /mnt/served rw,nosuid - fuse.sshfs host: rw,user_id=0
91 22 0:58 / /mnt/other rw shared:7 - tmpfs tmpfs rw
"""


@pytest.fixture(autouse=True)
def nobody_serves(monkeypatch):
    monkeypatch.setattr(served, "_expected", False)
    monkeypatch.setattr(memory, "_present_only", False)
    monkeypatch.setattr(identity, "_magics", {})


@pytest.mark.parametrize(("minor", "asked"), [(57, False), (58, True), (59, True)])
def test_a_file_system_that_is_served_is_not_asked_of_which_kind_it_is(monkeypatch, minor, asked):
    questions = []

    def statfs(path, _):
        questions.append(path)
        return -1

    monkeypatch.setattr(procfs, "read_bytes", lambda path, whole=False: MOUNTS)
    monkeypatch.setattr(identity._libc, "statfs", statfs)
    magic = identity.file_system(os.makedev(0, minor), "/proc/7/fd/3")
    assert bool(questions) == asked
    assert magic == (0 if asked else identity.FUSE_MAGIC)


def test_who_has_the_device_of_fuse_open_may_serve():
    device = type("Status", (), {"st_rdev": os.makedev(10, 229), "st_dev": 6, "st_ino": 5})
    identity._identify_character(1, 3, "/dev/fuse", device)  # type: ignore[arg-type]
    assert served._expected
    assert memory._present_only


def test_names_are_found_aside_as_they_are_directly(tmp_path):
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "fifo")
    path = str(tmp_path)

    def look() -> list[object]:
        me = os.getpid()
        return [
            names.folder_of(me, f"{path}/file"),
            names.folder_of(me, f"{path}/none/file"),
            names.key_of(me, f"{path}/file"),
            names.key_of(me, f"{path}/none"),
            names.fifo_of(me, f"{path}/fifo"),
            names.fifo_of(me, f"{path}/file"),
        ]

    directly = look()
    served.expect_server()
    assert look() == directly
    assert directly[0] == (path, "file")
    assert directly[3] == ""


def test_before_that_nobody_else_is_asked():
    assert served.ask_file("/", threading.get_ident) == threading.get_ident()
    served.expect_server()
    assert served.ask_file("/", threading.get_ident) != threading.get_ident()
