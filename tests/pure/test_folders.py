"""Files as messages: directories that several processes use, renamed files, inodes that are used
again. Plain data.
"""

from __future__ import annotations

from ipcviz.events import Call, Exited, Filed, Forked, NameRemoved, ObjectInfo, Opened, Started
from ipcviz.model.mechanisms import folders
from ipcviz.model.reduce import reduce, reduce_all
from ipcviz.model.state import State
from ipcviz.narrate import NOISE, STEP, TURN, narrate


def file(name: str, ino: int = 5, kind: str = "file") -> ObjectInfo:
    return ObjectInfo(key=f"8:{ino}", kind=kind, path=name, dev=8, ino=ino)  # type: ignore[arg-type]


def call(
    pid: int, name: str, *effects: object, key: str = "", ret: int = 0, **args: int | str
) -> Call:
    return Call(t=1.0, pid=pid, tid=pid, name=name, args=args, effects=effects, object=key, ret=ret)  # type: ignore[arg-type]


def opened(pid: int, thing: ObjectInfo, mode: str = "r", ofd: int = 9, flags: str = "") -> Call:
    effect = Opened(fd=3, ofd=ofd, object=thing, mode=mode)  # type: ignore[arg-type]
    return call(pid, "openat", effect, ret=3, path=thing.path, flags=flags)


def two() -> list[object]:
    return [
        Started(t=0.0),
        Forked(t=0.0, pid=10, parent=1, how="launched", name="lpr"),
        Forked(t=0.0, pid=11, parent=10, name="lpd"),
    ]


def moved(pid: int, old: str, new: str, key: str = "8:5", **more: str) -> Call:
    source, _, source_name = old.rpartition("/")
    folder, _, name = new.rpartition("/")
    effect = Filed("moved", folder, name, source, source_name, key, **more)
    return call(pid, "rename", effect, old=old, new=new)


def told(state: State, event: Call) -> tuple[str, int]:
    sentence = narrate(event, state, reduce(state, event))
    assert sentence is not None
    return sentence.text, sentence.weight


def test_a_rename_names_those_who_use_the_directory_too() -> None:
    state = reduce_all([*two(), call(11, "getdents64", key="8:2", ret=48)])
    assert not state.folders, "a listing of what is not known tells nothing"
    state = reduce_all(
        [
            *two(),
            opened(11, file("/s/q", 2, "directory")),
            call(11, "getdents64", key="8:2", ret=48),
        ]
    )
    assert told(state, moved(10, "/s/t/j", "/s/q/j")) == (
        "lpr[10] renamed /s/t/j to /s/q/j, in q/, which lpd[11] lists",
        TURN,
    )
    state = reduce(state, call(11, "inotify_add_watch", Filed("watched", "/s/q"), ret=1))
    assert told(state, moved(10, "/s/t/j", "/s/q/j", replaced="8:6")) == (
        (
            "lpr[10] renamed /s/t/j to /s/q/j, in place of what had that name, in q/, which lpd[11]"
            " watches and lists"
        ),
        TURN,
    )
    assert told(state, moved(10, "/s/t/j", "/s/t/k")) == ("lpr[10] renamed /s/t/j to /s/t/k", STEP)
    assert told(state, moved(10, "/usr/lib/a", "/usr/lib/b"))[1] == NOISE
    state = reduce(state, Exited(t=2.0, pid=11))
    assert told(state, moved(10, "/s/t/j", "/s/q/j")) == (
        "lpr[10] renamed /s/t/j to /s/q/j, in q/, which lpd[11] used before",
        STEP,
    )


def test_what_is_taken_away_is_told_of_the_place_that_it_was_in() -> None:
    state = reduce_all([*two(), opened(11, file("/s/q/j"), "w")])
    assert told(state, moved(10, "/s/q/j", "/home/j"))[0].endswith(
        ", out of q/, which lpd[11] puts files into"
    )


def test_a_renamed_file_is_the_same_object_under_its_new_name() -> None:
    state = reduce_all(
        [*two(), opened(10, file("/s/t/j", 5), "w"), moved(10, "/s/t/j", "/s/q/job")]
    )
    thing = state.object_at(10, 3)
    assert thing is not None
    assert (thing.info.path, thing.label, thing.unlinked) == ("/s/q/job", "job", False)
    state = reduce_all(
        [opened(11, file("/s/q/old", 6)), moved(10, "/s/t/k", "/s/q/old", "8:7", replaced="8:6")],
        state,
    )
    assert state.objects["8:6"].unlinked


def test_an_inode_that_is_used_again_is_another_file() -> None:
    write = Call(t=1.0, pid=10, tid=10, name="write", args={"fd": 3}, ret=4, object="8:5")
    removed = (Filed("removed", "/s/q", "a", object="8:5"), NameRemoved("/s/q/a", "8:5"))
    start = [
        *two(),
        opened(10, file("/s/q/a"), "w"),
        write,
        call(10, "unlink", *removed, path="/s/q/a"),
    ]
    state = reduce_all([*start, opened(10, file("/s/q/b"), "w", ofd=12)])
    assert state.objects["8:5"].bytes_in == 4, (
        "it is still open below its old number: the same file"
    )
    state = reduce_all([*start, Exited(t=2.0, pid=10), opened(11, file("/s/q/b"), "w", ofd=12)])
    thing = state.objects["8:5"]
    assert (thing.label, thing.bytes_in, thing.unlinked) == ("b", 0, False)


def test_reading_what_another_wrote_is_told() -> None:
    write = Call(t=1.0, pid=10, tid=10, name="write", args={"fd": 3}, ret=4, object="8:5")
    state = reduce_all([*two(), opened(10, file("/s/q/a"), "w"), write])
    assert told(state, opened(11, file("/s/q/a"), ofd=12)) == (
        "lpd[11] opened /s/q/a for reading, which lpr[10] wrote: descriptor 3",
        STEP,
    )
    assert ", which" not in told(state, opened(10, file("/s/q/a"), ofd=12))[0]


def test_what_all_programs_read_is_no_meeting_place() -> None:
    events = [
        opened(pid, file(path))
        for pid in (10, 11)
        for path in ("/etc/hosts", "/usr/bin/x", "/proc/1/stat")
    ]
    assert not reduce_all([*two(), *events]).folders
    state = reduce_all([*two(), opened(10, file("/s/q/a"), "w"), opened(11, file("/s/q/b", 6))])
    assert [folder.path for folder in folders.meeting_places(state)] == ["/s/q"]


def test_only_so_many_directories_are_remembered() -> None:
    events = [opened(10, file(f"/s/{n}/a", n)) for n in range(folders.MOST + 20)]
    shared = [opened(10, file("/s/q/a", 9999)), opened(11, file("/s/q/a", 9999))]
    state = reduce_all([*two(), *shared, *events])
    assert len(state.folders) <= folders.MOST
    assert "/s/q" in state.folders


def test_a_lock_file_concerns_those_who_are_there() -> None:
    state = reduce_all([*two(), opened(11, file("/s/q/x", 6), "w")])
    lock = opened(10, file("/s/q/lock"), "w", ofd=12, flags="O_WRONLY|O_CREAT|O_EXCL")
    made = "lpr[10] made /s/q/lock, which did not exist (O_EXCL)"
    assert told(state, lock) == (
        f"{made}, in q/, which lpd[11] puts files into: descriptor 3",
        TURN,
    )
    assert told(reduce(state, Exited(t=2.0, pid=11)), lock) == (f"{made}: descriptor 3", STEP)


def test_a_file_that_came_by_a_socket_uses_no_directory() -> None:
    state = reduce_all(two())
    come = call(7, "recvmsg", Opened(fd=4, ofd=20, mode="rw", object=file("/q/a", 6)))
    assert "/q" not in reduce(state, come).folders
    assert "/q" in reduce(state, opened(7, file("/q/a", 6), "rw", 20)).folders
