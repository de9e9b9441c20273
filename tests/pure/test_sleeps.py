"""A sleep is described once, for traced and sampled threads: what it is about is read first, then
the thread must sleep still.
"""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from ipcviz.events import Forked
from ipcviz.kernel import procfs
from ipcviz.model.reduce import reduce_all
from ipcviz.model.state import State
from ipcviz.tracer.sampling.sleeps import Inside, Sleep, describe_sleep
from ipcviz.tracer.stops.waits import Waits
from ipcviz.tracer.tasks import Entered, Task


class Noted:
    """Looks at nothing, and notes in which order it was asked to."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.semaphores = self.futexes = self.notifiers = self

    def levels_now(self, keys):
        self.done.append(f"levels {' '.join(keys)}")

    def sets_now(self, semid):
        self.done.append(f"set {semid}")

    def locks_now(self, keys):
        self.done.append(f"locks {' '.join(keys)}")

    def use_system_v(self, pid, semid):
        self.done.append(f"use {semid}")

    def find_blocking(self, args):
        return f"sysv:{args['id']}:1" if args.get("ops") else ""

    def find_key(self, pid, address):
        return f"sem:vm:{pid}:{address}" if address else ""

    def read_futex(self, pid, tid, raw):
        self.done.append("futex")

    def of_wait(self, pid, name, key, watched):
        self.done.append(f"notifiers {key}".rstrip())


def described(name, key="", raw=(0,), semaphore="", asleep=True, **args) -> tuple[Noted, Sleep]:
    looks = Noted()

    def is_asleep():
        looks.done.append("asleep?")
        return asleep

    inside = Inside(os.getpid(), os.getpid(), name, raw, args, key, semaphore)
    return looks, describe_sleep(looks, State(), inside, is_asleep)


@pytest.mark.parametrize(
    ("name", "key", "args", "done", "told"),
    [
        (
            "read",
            "pipe:[1]",
            {"fd": 3},
            ["levels pipe:[1]", "asleep?", "notifiers pipe:[1]"],
            ("pipe:[1]", ""),
        ),
        (
            "flock",
            "0:1",
            {"fd": 3},
            ["levels 0:1", "locks 0:1", "asleep?", "notifiers 0:1"],
            ("0:1", ""),
        ),
        (
            "semop",
            "sysv:7:0",
            {"id": 7, "ops": "[1] -1"},
            ["use 7", "set 7", "notifiers sysv:7:1"],
            ("sysv:7:1", "sysv:7:1"),
        ),
        ("pause", "", {}, ["notifiers"], ("", "")),
    ],
)
def test_what_it_waits_for_is_read_first(name, key, args, done, told):
    looks, sleep = described(name, key, **args)
    assert looks.done == done
    assert (sleep.object, sleep.semaphore) == told


def test_who_has_woken_meanwhile_does_not_wait():
    looks, sleep = described("read", "pipe:[1]", asleep=False, fd=3)
    assert sleep is None
    assert looks.done == ["levels pipe:[1]", "asleep?"]


def test_a_futex_is_a_semaphore_where_one_is_known():
    me = os.getpid()
    looks, sleep = described("futex", raw=(64, 1, 0, 0, 0, 0))
    assert (sleep.object, sleep.semaphore) == (f"sem:vm:{me}:64", f"sem:vm:{me}:64")
    assert looks.done[-1] == "futex"
    assert described("futex", raw=(64, 1, 0, 0, 0, 0), semaphore="sem:x")[1].semaphore == "sem:x"
    assert described("futex", raw=(0, 1, 0, 0, 0, 0))[1].semaphore == ""


FORKER = reduce_all(
    [
        Forked(t=0, n=1, pid=90, parent=1, how="launched", name="sh"),
        Forked(t=1, n=2, pid=91, parent=90, by=90, how="vfork"),
        Forked(t=2, n=3, pid=92, parent=1, how="fork", name="one that makes a copy of itself"),
    ]
)


@pytest.mark.parametrize(
    ("pid", "name", "letter", "inside", "told"),
    [
        (92, "clone", "D", 0.5, False),  # somebody reads its mappings
        (92, "clone", "D", 1.5, True),
        (92, "clone", "S", 0.5, True),
        (90, "clone", "D", 0.5, True),  # it waits for the program of its child
        (90, "vfork", "D", 0.5, True),
        (92, "munmap", "D", 0.5, False),
        (92, "close", "D", 0.5, False),
        (92, "fsync", "D", 0.5, True),
        (92, "read", "D", 0.5, True),
        (92, "read", "S", 0.002, False),
    ],
)
def test_who_waits_for_the_kernel_alone_is_not_blocked(
    monkeypatch, pid, name, letter, inside, told
):
    monkeypatch.setattr(procfs, "read_stat", lambda *_: SimpleNamespace(state=letter))
    monkeypatch.setattr(procfs, "read_wchan", lambda *_: "somewhere")
    emitted = []
    context = SimpleNamespace(
        emitter=SimpleNamespace(now=lambda: 10.0), state=FORKER, emit=emitted.append
    )
    waits = Waits(context, Noted(), None)
    process = SimpleNamespace(pid=pid)
    entered = Entered(name=name, number=0, raw=(0,) * 6, args={}, began=10.0 - inside)
    waits.watch_thread(Task(pid, process, entered=entered))
    waits.announce_sleepers()
    assert [event.call for event in emitted] == [name] * told
    assert waits.pending is not told, "it is looked at again"
