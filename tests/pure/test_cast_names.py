"""Names that stay the same from run to run."""

from __future__ import annotations

import re
from typing import get_args, get_type_hints

import msgspec

from ipcviz.events import (
    Call,
    Event,
    Executed,
    Forked,
    Futex,
    Held,
    Level,
    ObjectInfo,
    Opened,
    Output,
    Poised,
    ProcessSample,
    Sample,
    SemaphoreInfo,
    SemaphoreOp,
    Sent,
    SignalDelivered,
    Started,
    ThreadCreated,
    ThreadSample,
    Waiting,
)
from ipcviz.export.names import KEYS, OUTSIDE, PROCESSES, Names
from ipcviz.model.reduce import reduce
from ipcviz.model.state import State
from ipcviz.narrate import narrate
from tests import fakes


def moved(events, by):
    """The same run as the kernel would number it another time."""
    text = msgspec.json.encode(list(events)).decode()
    text = re.sub(
        r'"(pid|ppid|tid|parent|by|sender|target|ino)":(\d+)',
        lambda m: f'"{m[1]}":{int(m[2]) + by}',
        text,
    )
    text = re.sub(r":\[(\d+)\]", lambda m: f":[{int(m[1]) + by}]", text)
    text = re.sub(r'"(\d+):(\d+)"', lambda m: f'"{m[1]}:{int(m[2]) + by}"', text)
    return msgspec.json.decode(text, type=list[Event])


def told(events):
    state, found = State(), []
    for event in events:
        before, state = state, reduce(state, event)
        sentence = narrate(event, before, state)
        if sentence:
            found.append(sentence.text)
    return found


def test_two_runs_tell_the_same():
    for events in (fakes.pipeline(), fakes.sleep_race()):
        other = moved(events, 7000)
        assert told(other) != told(events)
        assert list(Names().rename_events(other)) == list(Names().rename_events(events))


def test_the_story_is_the_same_story():
    """Renamed before or after it is told, it is one story."""
    events = fakes.pipeline()
    first = told(Names().rename_events(events))
    for old, new in zip(told(events), first, strict=True):
        assert re.sub(r"\d+", "", old) == re.sub(r"\d+", "", new)
    assert any("cat[" in text for text in first)


def test_processes_and_threads_are_numbered_by_birth():
    names = Names()
    assert names.rename_event(Forked(t=0, pid=500, parent=80, how="launched")) == Forked(
        t=0, pid=1, parent=OUTSIDE, how="launched"
    )
    assert names.rename_event(ThreadCreated(t=0, pid=500, tid=501, by=500)) == ThreadCreated(
        t=0, pid=1, tid=2, by=1
    )
    assert names.rename_event(Forked(t=0, pid=499, parent=500, by=501)) == Forked(
        t=0, pid=3, parent=1, by=2
    )
    stranger = names.rename_event(SignalDelivered(t=0, pid=500, tid=500, signo=15, sender=9))
    assert stranger.sender == OUTSIDE + 1
    assert names.rename_event(SignalDelivered(t=0, pid=500, tid=500, signo=15)).sender == 0


def test_a_number_that_the_kernel_gives_again_is_another_process():
    names = Names()
    names.rename_event(Forked(t=0, pid=5, parent=0))
    assert names.rename_event(Forked(t=1, pid=5, parent=0)).pid == 2
    assert names.rename_event(Executed(t=2, pid=5, path="/bin/x")).pid == 2


def test_targets_and_arguments_of_calls():
    names = Names()
    names.rename_event(Forked(t=0, pid=700, parent=0))
    for target, expected in ((700, 1), (-700, -1), (0, 0), (-1, -1)):
        call = Call(
            t=1,
            pid=700,
            tid=700,
            name="kill",
            args={"pid": target, "signal": "SIGTERM"},
            effects=(Sent(target, 15),),
        )
        found = names.rename_event(call)
        assert found.args == {"pid": expected, "signal": "SIGTERM"}
        assert found.effects[0].target == expected
    assert (
        names.rename_event(Call(t=1, pid=700, tid=700, name="wait4", args={"pid": -1}, ret=700)).ret
        == 1
    )
    assert (
        names.rename_event(
            Call(t=1, pid=700, tid=700, name="read", args={"fd": 3, "count": 700}, ret=700)
        ).ret
        == 700
    )
    first = names.rename_event(
        Call(t=1, pid=700, tid=700, name="semget", args={"key": 0}, ret=98304)
    )
    again = names.rename_event(
        Call(t=1, pid=700, tid=700, name="semop", args={"id": 98304, "ops": "0-1"})
    )
    assert (first.ret, again.args["id"]) == (1, 1)


def test_the_first_identifier_of_system_v_is_0_and_one_like_any_other():
    names = Names()
    made = Call(t=1, pid=7, tid=7, name="msgget", args={"key": 0}, ret=0)
    used = Call(t=1, pid=7, tid=7, name="msgsnd", args={"id": 0}, ret=0)
    assert names.rename_event(made).ret == 1
    assert names.rename_event(used).args["id"] == 1
    assert names.rename_event(used).ret == 0
    assert names.rename_key("msg:0") == "msg:1"


def test_a_breakpoint_names_processes_by_their_names_in_the_cast():
    names = Names()
    names.rename_event(Forked(t=0, pid=4242, parent=0))
    assert names.rename_event(Held(t=1, reason="python[4242] write")).reason == "python[1] write"
    assert names.rename_event(Held(t=1, reason="close", pid=4242)).pid == 1
    assert names.rename_event(Held(t=1, reason="P1 is full")).reason == "P1 is full"


def test_keys_of_what_belongs_together_still_belong_together():
    names = Names()
    names.rename_event(Forked(t=0, pid=9, parent=0))
    key = names.rename_key
    assert key("pipe:[100]") == "pipe:[1]"
    assert key("socket:[100]") == "socket:[1]"
    assert key("pipe:[50]") == "pipe:[2]"
    thing = key("2049:777")
    assert key("sem:2049:777:32") == f"sem:{thing}:32"
    assert key("futex:2049:777:32") == f"futex:{thing}:32"
    assert key("sem:vm:9:4096") == "sem:vm:1:4096"
    assert key("futex:vm:9:4096") == "futex:vm:1:4096"
    assert key("sysv:98304:2") == "sysv:1:2"
    assert key("shm:5") == "shm:1"
    assert key("anon:17") == "anon:1"
    semaphore = SemaphoreInfo(key="sem:2049:777:32", kind="unnamed", object="2049:777", offset=32)
    found = names.rename_event(
        SemaphoreOp(t=0, pid=9, tid=9, op="wait", semaphore=semaphore)
    ).semaphore
    assert (found.key, found.object) == (f"sem:{thing}:32", thing)
    assert (
        names.rename_event(Waiting(t=0, pid=9, tid=9, call="read", object="pipe:[100]")).object
        == "pipe:[1]"
    )
    info = ObjectInfo(key="pipe:[50]", kind="pipe", ino=50, dev=12, peer="socket:[100]")
    opened = names.rename_event(
        Call(t=0, pid=9, tid=9, name="pipe2", effects=(Opened(3, 1, info, "r"),))
    ).effects[0]
    assert opened.object == ObjectInfo(key="pipe:[2]", kind="pipe", ino=1, dev=1, peer="socket:[1]")
    assert (
        names.rename_event(Sample(t=1, levels=(Level(object="pipe:[50]", queued=7),)))
        .levels[0]
        .object
        == "pipe:[2]"
    )


def test_paths():
    names = Names()
    names.rename_event(Forked(t=0, pid=4242, parent=0))
    assert names.rename_text("/proc/4242/fd/3") == "/proc/1/fd/3"
    assert names.rename_text("/proc/self/fd") == "/proc/self/fd"
    assert names.rename_text("/dev/pts/17") == "/dev/pts/1"
    assert names.rename_text("/tmp/ipcviz-a_b1c2d3/work/fifo") == "/tmp/ipcviz/work/fifo"
    assert names.rename_text("/ipcviz-a_b1c2d3") == "/ipcviz-1"
    assert names.rename_text("/dev/shm/sem.ipcviz-a_b1c2d3") == "/dev/shm/sem.ipcviz-1"
    assert names.rename_text("ipcviz-a_b1c2d3") == "ipcviz-1"
    assert names.rename_text("/dev/shm/sem.ipcviz-a_b1c2d3-full") == "/dev/shm/sem.ipcviz-1-full"
    assert names.rename_text("/ipcviz-b_b1c2d3-full") == "/ipcviz-2-full"
    assert names.rename_text("/tmp/ipcviz-longer-name/x") == "/tmp/ipcviz-longer-name/x"
    assert (
        names.rename_text(
            "/home/me/.cache/ipcviz/build/sleep-race-0123456789abcdef01234567/sleep_pause 1"
        )
        == "sleep_pause 1"
    )
    assert names.rename_text("socket:[88]") == "socket:[1]"
    assert names.rename_text("no 4242 here") == "no 4242 here"


def test_what_the_programs_wrote_stays():
    event = Output(t=0, data=b"/proc/4242 /tmp/ipcviz-a_b1c2d3/")
    assert Names().rename_event(event) is event
    started = Started(t=0, argv=("cat", "/tmp/ipcviz-a_b1c2d3/work/f"))
    assert Names().rename_event(started).argv == ("cat", "/tmp/ipcviz/work/f")


def fields(kind, seen):
    for part in (kind, *get_args(kind)):
        if isinstance(part, type) and issubclass(part, msgspec.Struct) and part not in seen:
            seen.add(part)
            for name, hint in get_type_hints(part).items():
                yield part, name, hint
                yield from fields(hint, seen)
        elif part is not kind:
            yield from fields(part, seen)


def test_arguments_are_renamed_wherever_they_are():
    names = Names()
    names.rename_event(Forked(t=0, pid=700, parent=0))
    thread = ThreadSample(tid=700, state="S", call="wait4", args={"pid": 700})
    sample = names.rename_event(
        Sample(t=1, processes=(ProcessSample(pid=700, state="S", threads=(thread,)),))
    )
    assert sample.processes[0].threads[0] == ThreadSample(
        tid=1, state="S", call="wait4", args={"pid": 1}
    )
    poised = names.rename_event(
        Poised(t=2, pid=700, tid=700, at="entry", call="kill", args={"pid": -700})
    )
    assert poised.args == {"pid": -1}


def test_no_key_is_forgotten():
    """A field whose description says that it is a key is renamed; who adds one adds its name to
    `KEYS`.
    """
    seen: set[type] = set()
    list(fields(Event, seen))
    found = {
        (kind.__name__, match[1])
        for kind in seen
        for match in re.finditer(
            r"^\s+(\w+): (?:Its key|Key of|Identity within)", kind.__doc__ or "", re.M
        )
    }
    assert ("ObjectInfo", "key") in found
    assert {name for _, name in found} <= KEYS


FIGURES = frozenset(
    {
        "address", "arrived", "attached", "blocked", "calls", "calls_read", "calls_write",
        "capacity", "caught", "changed", "chars_read", "chars_written", "code", "columns", "count",
        "cpus", "data", "detached", "dev", "differed", "dropped", "encoding", "end", "events", "fd",
        "fds", "forced_switches", "hard", "hidden", "huge", "id", "ignored", "initial", "inner",
        "ino", "largest", "left", "length", "limit", "line", "living", "lost", "major_faults",
        "mask", "memory", "messages", "minor_faults", "more", "nice", "ofd", "offset", "open_files",
        "overrun", "page_size", "parties", "passed", "payload", "pending", "private_dirty", "pss",
        "queued", "readers", "repeated", "ret", "rows", "rss", "schema", "shared", "shared_dirty",
        "signals", "signo", "size", "slots", "slots_total", "soft", "source", "stack", "start",
        "step", "target", "timer", "total", "tty", "type", "unsent", "unsent_limit", "until",
        "usable", "value", "voluntary_switches", "waiters", "waiters_zero", "wd",
    }
)  # fmt: skip
"""Fields with numbers that are no process's, thread's or group's: measured, counted, chosen by the
program, or the kernel's within one process.
"""


def test_no_number_of_a_process_is_forgotten():
    """Each field that holds whole numbers is one of `PROCESSES` or of `FIGURES`: who adds one under
    a new name says which.
    """
    seen: set[type] = set()
    found = {
        name
        for _, name, hint in fields(Event, seen)
        if any(part is int for part in (hint, *get_args(hint)))
    }
    assert found - PROCESSES - FIGURES - {"t", "n"} == set()
    assert not PROCESSES & FIGURES


def test_whose_copy_a_lock_is():
    names = Names()
    names.rename_event(Forked(t=0, pid=700, parent=0))
    copy = Futex(key="futex:vm:700:64", copied=700, holder=701)
    waiting = Waiting(t=1, pid=700, tid=700, call="futex", futex=copy)
    seen = names.rename_event(waiting).futex
    assert (seen.key, seen.copied, seen.holder) == ("futex:vm:1:64", 1, OUTSIDE)


def test_who_is_at_the_other_end_of_a_socket():
    names = Names()
    names.rename_event(Forked(t=0, pid=4000, parent=1, how="launched", name="a"))
    info = ObjectInfo(key="socket:[9]", kind="unix socket", with_whom="odd[1][4000]")
    call = Call(
        t=1, pid=4000, tid=4000, name="recvmsg", args={"credentials": "pid 4000, uid 4000, gid 0"}
    )
    level = Level(object="socket:[9]", queued=1, connecting=("socket:[8]",))
    assert names.rename_event(call).args["credentials"] == "pid 1, uid 4000, gid 0"
    opened = Call(
        t=2,
        pid=4000,
        tid=4000,
        name="accept",
        effects=(Opened(fd=3, ofd=1, object=info, mode="rw"),),
    )
    assert names.rename_event(opened).effects[0].object.with_whom == "odd[1][1]"
    assert names.rename_event(Sample(t=3, levels=(level,))).levels[0].connecting == ("socket:[2]",)


def test_a_variable_is_called_the_same_in_each_run():
    names = Names()
    names.rename_event(Forked(t=0, pid=500, parent=0))
    assert names.rename_key("var:2049:777:8") == "var:1:1:8"
    assert names.rename_key("var:vm:500:4096") == "var:vm:1:4096"
