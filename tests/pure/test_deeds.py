"""Rules about what was done: what is not told any more proves nothing, and who is told what."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec
import pytest

from ipcviz import events as ev
from ipcviz.diagnose import Doctor
from ipcviz.diagnose.deeds import (
    ANY_RETURN,
    EventRule,
    EventRules,
    Return,
    SequenceRule,
    returns_of,
)
from ipcviz.diagnose.rules.inherited import _is_told
from ipcviz.diagnose.rules.names import _is_same_port
from ipcviz.model.state import Process
from tests import fakes

SHARED = ev.ObjectInfo(key="27:5", kind="shared memory", path="/dev/shm/left")


def cut_write(t: float) -> ev.Call:
    return fakes.call(t, 12, "write", fd=1, obj=fakes.PIPE.key, ret=100, args={"count": 5000})


def made(t: float) -> ev.Call:
    opened = ev.Opened(fd=9, ofd=90, object=SHARED, mode="rw")
    flags = {"flags": "O_RDWR|O_CREAT|O_EXCL", "path": SHARED.path}
    return fakes.call(t, 12, "openat", opened, ret=9, args=flags)


END = (ev.Exited(t=8.0, pid=12, code=0), ev.Finished(t=9.0, code=0))


def find(*events: ev.Event) -> list[str]:
    doctor = Doctor()
    doctor.follow_events(fakes.numbered([*fakes.pipeline_start(), *events]))
    return [one.rule for one in doctor.findings]


def test_what_is_told_to_its_end_is_found():
    assert find(cut_write(2.0), *END) == ["short-write"]
    assert find(made(2.0), *END) == ["left-behind"]


@pytest.mark.parametrize(
    "gap",
    [
        ev.Coverage(t=3.0, pid=12, full=False, reason="too many"),
        ev.Counted(t=3.0, pid=12, calls={"write": 4}),
        ev.Dropped(t=3.0, events=5),
    ],
)
def test_what_is_not_told_to_its_end_proves_nothing(gap):
    assert find(cut_write(2.0), gap, *END) == []


def test_another_processs_gap_matters_to_nobody_else():
    assert find(cut_write(2.0), ev.Coverage(t=3.0, pid=11, full=False), *END) == ["short-write"]


def test_removals_that_were_only_counted_may_have_been_of_anything():
    assert find(made(2.0), ev.Counted(t=3.0, pid=11, calls={"unlink": 1}), *END) == []
    assert find(made(2.0), ev.Counted(t=3.0, pid=11, calls={"write": 1}), *END) == ["left-behind"]
    assert find(made(2.0), ev.Coverage(t=3.0, pid=12, full=False), *END) == ["left-behind"]
    assert find(made(2.0), ev.EndForced(t=3.0), *END) == []


def test_a_rule_is_told_what_it_names_and_once():
    class Names(EventRule):
        calls: ClassVar = returns_of({"close"})
        effects: ClassVar = (ev.Closed,)
        errors: ClassVar = frozenset({"EBADF"})
        kinds: ClassVar = (ev.Exited,)

        def follow_event(self, moment, event):
            yield from ()

    rule = Names()
    rules = EventRules((rule,))
    failed = fakes.call(1.0, 12, "close", ret=-1, error="EBADF")
    assert rules.list_rules(failed) == [rule]
    assert rules.list_rules(fakes.close(1.0, 12, 3)) == [rule]
    assert rules.list_rules(fakes.dup2(1.0, 12, 3, 4)) == []
    assert rules.list_rules(END[0]) == [rule]
    assert rules.list_rules(END[1]) == []


def _read(pid: int, ret: int, count: int = 100, **more: Any) -> ev.Call:
    return fakes.call(
        1.0, pid, "read", fd=0, obj=fakes.PIPE.key, ret=ret, args={"count": count}, **more
    )


class Sorts(SequenceRule):
    """Is told reads of one sort, and keeps with which processes it has begun something."""

    calls: ClassVar = returns_of({"read"}, Return.NOTHING | Return.OTHER_TAKER)
    follows: ClassVar = frozenset({"write"})

    def follow_event(self, moment, event):
        return ()

    def forget_process(self, pid):
        pass


def test_a_rule_is_told_of_a_call_only_if_it_came_out_as_the_rule_says():
    rule = Sorts()
    rules = EventRules((rule,))
    told = [
        (_read(12, 50), True),  # nobody has taken any before
        (_read(12, 100), False),
        (_read(12, 50), False),
        (_read(12, 0), True),
        (_read(11, -1, error="EAGAIN"), False),
        (_read(11, 50), True),
        (_read(12, 50), True),
        (_read(12, 50), False),
    ]
    assert [bool(rules.list_rules(event)) for event, _ in told] == [one for _, one in told]


@pytest.mark.parametrize(
    ("event", "outcome"),
    [
        (_read(12, -1, error="EINTR"), Return.FAILED),
        (_read(12, 0), Return.NOTHING),
        (_read(12, 99), Return.PART),
        (_read(12, 100), Return.WHOLE),
        (msgspec.structs.replace(_read(12, 100), slept=1.0), Return.SLEPT),
    ],
)
def test_how_a_call_came_out(event, outcome):
    class Only(Sorts):
        calls: ClassVar = returns_of({"read"}, outcome)

    class Others(Sorts):
        calls: ClassVar = returns_of({"read"}, ~outcome & ANY_RETURN)

    assert EventRules((only := Only(),)).list_rules(event) == [only]
    if outcome is not Return.SLEPT:
        assert EventRules((Others(),)).list_rules(event) == []


@pytest.mark.parametrize(
    ("end", "others"),
    [
        (lambda rules, rule: rule.end(12), True),
        (lambda rules, rule: rules.list_rules(ev.Exited(t=2.0, pid=12, code=0)), True),
        (lambda rules, rule: rules.list_rules(ev.Coverage(t=2.0, pid=12, full=False)), True),
        (lambda rules, rule: rules.list_rules(ev.Dropped(t=2.0, events=1)), False),
    ],
)
def test_what_was_begun_with_a_process_is_followed_until_it_ends(end, others):
    rule = Sorts()
    rules = EventRules((rule,))
    writes = [
        fakes.call(1.0, pid, "write", fd=1, obj=fakes.PIPE.key, ret=9, args={"count": 9})
        for pid in (11, 12)
    ]
    rule.begin(12)
    rule.begin(12)
    assert [bool(rules.list_rules(event)) for event in writes] == [False, True]
    assert rules.list_rules(fakes.close(1.0, 12, 3)) == [rule], "effects may be of what was begun"
    assert rules.list_rules(fakes.call(1.0, 12, "getpid", ret=12)) == []
    rule.begin(11)
    end(rules, rule)
    assert [bool(rules.list_rules(event)) for event in writes] == [others, False]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("127.0.0.1:80", "127.0.0.1:80", True),
        ("0.0.0.0:80", "127.0.0.1:80", True),
        ("127.0.0.1:80", "[::]:80", True),
        ("127.0.0.1:80", "10.0.0.1:80", False),
        ("127.0.0.1:80", "127.0.0.1:8080", False),
        ("0.0.0.0:80", "0.0.0.0:81", False),
    ],
)
def test_which_addresses_exclude_each_other(one, other, same):
    assert _is_same_port(one, other) is same


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (("gpg", "--passphrase-fd", "5"), True),
        (("cat", "/dev/fd/5"), True),
        (("python", "-c", "spawn_main(tracker_fd=4, pipe_handle=5)"), True),
        (("make", "--jobserver-auth=3,5"), True),
        (("python", "-c", "import resource_tracker; resource_tracker.main(5)"), True),
        (("sleep", "5"), False),
        (("cat", "/dev/fd/55"), False),
        (("tail", "-n", "5", "fd.log"), False),
    ],
)
def test_a_program_that_is_told_a_descriptor_has_no_leak(argv, told):
    assert _is_told(Process(pid=12, argv=argv), 5) is told


def lost(*, before=(), after=()):
    """What is found of a process that has handled SIGUSR1, and pauses then; it catches SIGCHLD,
    too. Its child 13 ends before that or later.
    """
    caught = [ev.Disposition(signo=signo, action="catch") for signo in (10, 17)]
    events = [
        *fakes.pipeline_start(),
        ev.Resumed(t=1.0, pid=11, tid=11),
        fakes.call(1.0, 11, "rt_sigaction", *caught),
        ev.Exited(t=1.1, pid=12, code=0),
        *before,
        ev.SignalDelivered(t=2.0, pid=11, tid=11, signo=10),
        ev.HandlerReturned(t=2.1, pid=11, tid=11, blocked=0),
        ev.Waiting(t=3.1, pid=11, tid=11, call="pause", began=3.0),
        *after,
    ]
    doctor = Doctor()
    doctor.follow_events(fakes.numbered(events))
    doctor.examine(20.0)
    return [one.rule for one in doctor.findings]


def test_a_signal_that_is_on_its_way_is_not_lost():
    assert lost(before=[ev.Exited(t=1.2, pid=13, code=0)]) == ["lost-wakeup"]
    ended = ev.Exited(t=1.2, pid=13, code=0)
    other = ev.Forked(t=1.2, pid=14, parent=1, how="launched", name="kill")
    sent = fakes.call(4.0, 14, "kill", ev.Sent(target=11, signo=10))
    gone = ev.Exited(t=4.1, pid=14, code=0)
    assert lost(before=[ended, other], after=[gone]) == ["lost-wakeup"]
    assert lost(before=[ended, other], after=[sent, gone]) == []
    # The end of a child, whose SIGCHLD is not told yet.
    assert lost(after=[ev.Exited(t=4.1, pid=13, code=0)]) == []
