"""What a call's arguments are asked for. Plain data, no kernel."""

import re
from pathlib import Path

import msgspec
import pytest

from ipcviz.events import Call, Entered, Waiting
from ipcviz.events.stepping import Poised
from ipcviz.model.state import CallInProgress

ARGS = {"fd": 3, "count": 0, "path": "/tmp/x", "flags": "O_WRONLY|O_EXCL", "mode": 0o600}

CALLS = {
    "returned": Call(t=0.0, pid=1, tid=1, name="openat", args=ARGS),
    "under way": Entered(t=0.0, pid=1, tid=1, call="openat", args=ARGS),
    "asleep": Waiting(t=0.0, pid=1, tid=1, call="openat", args=ARGS),
    "held": Poised(t=0.0, pid=1, tid=1, at="entry", call="openat", args=ARGS),
    "in the state": CallInProgress(name="openat", args=ARGS),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_arguments_are_asked_for_by_what_they_are(call):
    assert call.fd == 3
    assert call.get_number("count") == 0, "0 is a number"
    assert call.get_number("path") is None
    assert call.get_number("offset") is None
    assert call.get_text("path") == "/tmp/x"
    assert call.get_text("mode") == "384"
    assert call.get_text("offset") == ""


@pytest.mark.parametrize(
    ("flags", "there"),
    [
        ("O_EXCL", True),
        ("O_WRONLY|O_EXCL", True),
        ("O_EXCL|O_CREAT", True),
        ("O_EXCLUSIVE", False),
        ("O_WRONLY|O_EXCL_NOT", False),
        ("", False),
        (0x80, False),
    ],
)
def test_a_flag_is_a_whole_word(flags, there):
    call = Call(t=0.0, pid=1, tid=1, name="openat", args={"flags": flags})
    assert call.has_flag("O_EXCL") is there


def test_a_call_without_a_descriptor_has_none():
    call = Call(t=0.0, pid=1, tid=1, name="pause")
    assert call.fd is None
    assert not call.has_flag("O_EXCL")


def test_the_bytes_of_a_call_are_those_of_its_fields_alone():
    decoded = msgspec.json.decode(msgspec.json.encode(CALLS["returned"]))
    assert decoded == {
        "event": "call",
        "t": 0.0,
        "pid": 1,
        "tid": 1,
        "name": "openat",
        "args": ARGS,
        "ret": 0,
    }


ROOT = Path(__file__).parents[2] / "ipcviz"
BY_HAND = {
    "a flag inside a text, which finds O_EXCL in O_EXCLUSIVE": r'" in str\([\w.]*args\b',
    "whether a descriptor is a number": r'isinstance\([\w.]*args(\.get\(|\[)"fd',
    "a description by a row of a table": r"open_files\.get\(\w+\.ofd\) if ",
    "a description of a row that is there": r"open_files\[[^\]]*\]?\.ofd\]",
}


@pytest.mark.parametrize("pattern", BY_HAND.values(), ids=BY_HAND)
def test_nobody_asks_by_hand(pattern):
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sorted(ROOT.rglob("*.py"))
        if path.name != "state.py"
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if re.search(pattern, line)
    ]
    assert not found
