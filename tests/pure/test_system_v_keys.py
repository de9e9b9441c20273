"""System V keys in words, and the one that stands for a failed ftok."""

from __future__ import annotations

import pytest

from ipcviz.events import Call
from ipcviz.model.mechanisms.system_v_keys import FAILED_WORDS, describe_key, warning_of
from ipcviz.model.state import State
from ipcviz.narrate import narrate


@pytest.mark.parametrize(
    "key",
    [
        -1,
        0xFFFFFFFF,
        "0xffffffff",
        "0xffffffffffffffff",
        "/SYSVffffffff (deleted)",
        "0xffffffff[2]",
    ],
)
def test_a_failed_ftok(key):
    assert warning_of(key) == FAILED_WORDS
    assert describe_key(key) == "the key 0xffffffff"


@pytest.mark.parametrize("key", [0, "0", "0x0", "/SYSV00000000 (deleted)", "msg 12"])
def test_no_key(key):
    assert warning_of(key) == ""
    assert describe_key(key) == "no key (IPC_PRIVATE)"


@pytest.mark.parametrize("name", ["semget", "shmget", "msgget"])
def test_each_call_says_so(name):
    for key, words in (
        ("0xffffffff", f"for the key 0xffffffff; {FAILED_WORDS}"),
        ("0x5e5e", "for the key 0x5e5e"),
    ):
        told = narrate(
            Call(t=1.0, n=1, pid=1, tid=1, name=name, args={"key": key, "flags": 0}, ret=3),
            State(),
            State(),
        )
        assert told is not None
        assert told.text.replace(" (0)", "").endswith(words)
