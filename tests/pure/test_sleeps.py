"""A sleep is described once, for traced and sampled threads: what it is about is read first, then
the thread must sleep still.
"""

from __future__ import annotations

import os

import pytest

from ipcviz.model.state import State
from ipcviz.tracer.sampling.sleeps import Inside, Sleep, describe_sleep


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
