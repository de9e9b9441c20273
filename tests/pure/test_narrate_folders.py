"""Files as messages, in words: names that come, go and move in directories."""

from __future__ import annotations

import pytest

from ipcviz.events import Exited, Filed, NameCreated, NameRemoved, ObjectInfo, Opened
from ipcviz.narrate import DETAIL, NOISE, TURN
from tests import picture_states as systems
from tests.told import Row, check, did

QUEUE = ObjectInfo(key="8:50", kind="directory", path="/s/queue", dev=8, ino=50)
JOB = ObjectInfo(key="8:60", kind="file", path="/s/queue/j1", dev=8, ino=60)
LIBRARY = ObjectInfo(key="8:70", kind="directory", path="/usr/lib", dev=8, ino=70)


def moved(folder: str, source: str = "/s/tmp", **more) -> Filed:
    return Filed("moved", folder, "j1", source, "j0", JOB.key, **more)


MOVE = {"old": "tmp/j0", "new": "queue/j1"}


def maker() -> systems.Maker:
    """lpd watches and lists queue/, which is behind its descriptor 3; lpr has not used it yet."""
    m = systems.Maker()
    m.launch(12, "lpr")
    m.fork(12, 13, "lpd")
    m.open(13, 3, QUEUE, "r")
    m.events.append(did("inotify_add_watch", Filed("watched", "/s/queue"), by=13, ret=1))
    m.events.append(did("getdents64", by=13, object=QUEUE.key, fd=3, ret=48))
    return m


def system():
    return maker().state


RENAMED = [
    Row(
        did("rename", moved("/s/queue"), **MOVE),
        "lpr[12] renamed tmp/j0 to queue/j1, in queue/, which lpd[13] watches and lists",
        TURN,
    ),
    Row(
        did("rename", moved("/s/queue", replaced="8:61"), **MOVE),
        "lpr[12] renamed tmp/j0 to queue/j1, in place of what had that name, in queue/,"
        " which lpd[13] watches and lists",
        TURN,
    ),
    Row(did("rename", moved("/s/other"), **MOVE), "lpr[12] renamed tmp/j0 to queue/j1"),
    Row(
        did("rename", moved("/s/done", "/s/queue"), **MOVE),
        "lpr[12] renamed tmp/j0 to queue/j1, out of queue/, which lpd[13] watches and lists",
        TURN,
    ),
    Row(
        (Exited(t=8.0, pid=13), did("rename", moved("/s/queue"), **MOVE)),
        "lpr[12] renamed tmp/j0 to queue/j1, in queue/, which lpd[13] used before",
    ),
    Row(did("rename", moved("/usr/lib"), **MOVE), "lpr[12] renamed tmp/j0 to queue/j1", NOISE),
    Row(
        did("link", Filed("linked", "/s/queue", "j1", "/s/tmp", "j0", JOB.key), **MOVE),
        "lpr[12] gave tmp/j0 a further name, queue/j1, in queue/, which lpd[13] watches and lists",
        TURN,
    ),
    Row(
        did("renameat2", Filed("exchanged", "/s/queue", "j1", "/s/tmp", "j0"), **MOVE),
        "lpr[12] exchanged the names tmp/j0 and queue/j1, in queue/, which lpd[13]"
        " watches and lists",
        TURN,
    ),
    Row(
        did("unlink", Filed("removed", "/s/queue", "j1", object=JOB.key), path="queue/j1"),
        "lpr[12] removed the name queue/j1, in queue/, which lpd[13] watches and lists",
        TURN,
    ),
    Row(did("unlink", Filed("removed", "/s/other", "j1")), "lpr[12] removed the name j1"),
    Row(
        did("link", **MOVE, error="EEXIST"),
        "lpr[12] could not link tmp/j0 to queue/j1 (EEXIST): that name exists already",
    ),
    Row(
        did("renameat", **MOVE, error="EXDEV"),
        "lpr[12] could not rename tmp/j0 to queue/j1 (EXDEV)",
    ),
    Row(
        did("rename", NameCreated(path="/s/queue/j1", object=JOB.key), **MOVE),
        "lpr[12] renamed it to /s/queue/j1",
    ),
    Row(
        did("rename", NameRemoved(path="/s/tmp/j0", object=JOB.key), **MOVE),
        "lpr[12] removed the name /s/tmp/j0",
    ),
]


def opened(mode: str = "w", info: ObjectInfo = JOB, **more):
    return did("openat", Opened(fd=4, ofd=900, object=info, mode=mode), ret=4, **more)


WROTE = (opened(), did("write", object=JOB.key, fd=4, count=5, ret=5))

OPENED = [
    Row(
        opened(flags="O_CREAT|O_EXCL"),
        "lpr[12] made /s/queue/j1, which did not exist (O_EXCL), in queue/, which lpd[13]"
        " watches and lists: descriptor 4",
        TURN,
    ),
    Row(
        (Exited(t=8.0, pid=13), opened(flags="O_CREAT|O_EXCL")),
        "lpr[12] made /s/queue/j1, which did not exist (O_EXCL): descriptor 4",
    ),
    Row(
        (*WROTE, did("openat", Opened(fd=5, ofd=901, object=JOB, mode="r"), by=13, ret=5)),
        "lpd[13] opened /s/queue/j1 for reading, which lpr[12] wrote: descriptor 5",
    ),
    Row(
        (*WROTE, did("openat", Opened(fd=5, ofd=901, object=JOB, mode="r"), ret=5)),
        "lpr[12] opened /s/queue/j1 for reading: descriptor 5",
        DETAIL,
    ),
    Row(opened("r"), "lpr[12] opened /s/queue/j1 for reading: descriptor 4", DETAIL),
    Row(opened("r", LIBRARY), "lpr[12] opened the directory lib for reading: descriptor 4", NOISE),
    Row(opened("r", QUEUE), "lpr[12] opened the directory queue for reading: descriptor 4", DETAIL),
]

DISK = [
    Row(
        (*WROTE, did("fsync", object=JOB.key, fd=4)),
        "lpr[12] had j1 put onto the disk (fsync), in queue/, which lpd[13] watches and lists",
    ),
    Row(
        (Exited(t=8.0, pid=13), *WROTE, did("fdatasync", object=JOB.key, fd=4)),
        "lpr[12] had j1 put onto the disk (fdatasync), in queue/, which lpd[13] used before",
        DETAIL,
    ),
    Row(
        did("fsync", object=QUEUE.key, fd=3),
        "lpr[12] had the names in queue/ put onto the disk (fsync)",
    ),
    Row(did("fsync", fd=3), "lpr[12] had a file put onto the disk (fsync)", DETAIL),
    Row(
        did("fsync", object=QUEUE.key, fd=3, error="EIO"),
        "lpr[12] got EIO from fsync of queue",
        DETAIL,
    ),
]

LISTED = [
    Row(did("getdents64", object=QUEUE.key, fd=3, ret=48), "lpr[12] listed queue/", DETAIL),
    Row(
        (
            did("rename", moved("/s/queue"), **MOVE),
            did("getdents64", by=13, object=QUEUE.key, ret=9),
        ),
        "lpd[13] listed queue/, which lpr[12] puts files into",
    ),
    Row(
        (
            did("rename", moved("/s/queue"), **MOVE),
            Exited(t=8.0, pid=12),
            did("getdents64", by=13, object=QUEUE.key, ret=9),
        ),
        "lpd[13] listed queue/, which lpr[12] puts files into",
        DETAIL,
    ),
    Row(
        (
            did("rename", moved("/s/queue"), **MOVE),
            did("rename", moved("/s/queue"), **MOVE, by=14),
            did("getdents64", by=13, object=QUEUE.key, ret=9),
        ),
        "lpd[13] listed queue/, which lpr[12] and process[14] put files into",
    ),
    Row(
        (opened("r", LIBRARY), did("getdents64", object=LIBRARY.key, fd=4, ret=9)),
        "lpr[12] listed lib/",
        NOISE,
    ),
    Row(did("getdents64", object=QUEUE.key, fd=3, ret=0), ""),
    Row(did("getdents64", object=QUEUE.key, fd=3, error="ENOENT"), ""),
    Row(did("getdents64", fd=3, ret=48), ""),
]

TABLES = [(table, system) for table in (RENAMED, OPENED, DISK, LISTED)]


@pytest.mark.parametrize("row", [row for table, _ in TABLES for row in table], ids=lambda r: r.text)
def test_sentences(row):
    check(system(), row)


def test_of_many_who_use_a_directory_two_are_named():
    m = maker()
    for pid in (14, 15):
        m.fork(12, pid, "lpq")
        m.events.append(did("getdents64", by=pid, object=QUEUE.key, ret=48))
    text = (
        "lpr[12] renamed tmp/j0 to queue/j1, in queue/, which lpd[13] watches and lists, and"
        " lpq[14] lists and 1 more"
    )
    check(m.state, Row(did("rename", moved("/s/queue"), **MOVE), text, TURN))
