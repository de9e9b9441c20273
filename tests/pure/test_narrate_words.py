"""The words that sentences share."""

from __future__ import annotations

import pytest

from ipcviz.events import ObjectInfo
from ipcviz.model.state import Object, State
from ipcviz.narrate import count_bytes, name_process, signal_names
from ipcviz.narrate.words import (
    bytes_text,
    describe_near_most,
    end_of,
    label_of,
    name_with_kind,
    quote_bytes,
)
from tests import fakes


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0K"),
        (1024, "1K"),
        (62029, "60.6K"),
        (102_348, "99.9K"),
        (102_400, "100K"),
        (1 << 20, "1M"),
        (1300 << 20, "1.3G"),
        (1 << 40, "1T"),
        (5000 << 40, "5000T"),
    ],
)
def test_amounts(number, text):
    assert bytes_text(number) == text


def test_counts():
    assert [count_bytes(n) for n in (0, 1, 2, 4096)] == [
        "0 bytes",
        "1 byte",
        "2 bytes",
        "4,096 bytes",
    ]


@pytest.mark.parametrize(
    ("data", "size", "text"),
    [
        (b"abc", 3, '"abc"'),
        (b"abc", 4, '"abc"...'),
        (b"abcdef", 6, '"abcd"...'),
        (b"abcd", 4, '"abcd"'),
        (b"\xff", 1, '"\udcff"'),
    ],
)
def test_quoted(data, size, text):
    assert quote_bytes(data, size, 4) == text


def test_few_signals_are_named_and_of_many_those_that_are_missing():
    assert signal_names(0b111111) == "SIGHUP, SIGINT, SIGQUIT, SIGILL, SIGTRAP, SIGABRT"
    assert signal_names(0b1111111).endswith("SIGABRT and 1 more")
    without = (1 << 64) - 1 & ~0b111111
    assert signal_names(without) == (
        "all signals but SIGHUP, SIGINT, SIGQUIT, SIGILL, SIGTRAP, SIGABRT"
    )
    assert signal_names(without & ~0b1000000).endswith(" more")


def test_who():
    assert name_process(State(), 0) == "the kernel"
    assert name_process(State(), 7) == "process[7]"
    assert name_process(State(), 7, 7) == "process[7]"
    assert name_process(State(), 7, 8) == "process[7/8]"


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("pipe", "the pipe P1"),
        ("fifo", "the FIFO P1"),
        ("unix socket", "the UNIX socket P1"),
        ("tcp socket", "the TCP socket P1"),
        ("udp socket", "the UDP socket P1"),
        ("message queue", "the message queue P1"),
        ("shared memory", "the shared memory P1"),
        ("memfd", "the memfd P1"),
        ("terminal", "the terminal P1"),
        ("directory", "the directory P1"),
        ("eventfd", "the eventfd P1"),
        ("epoll", "the epoll set P1"),
        ("timerfd", "the timer descriptor P1"),
        ("signalfd", "the signal descriptor P1"),
        ("pidfd", "the pidfd P1"),
        ("file", "P1"),
        ("unknown", "P1"),
    ],
)
def test_an_object_with_its_kind(kind, words):
    assert name_with_kind(Object(info=ObjectInfo(key="k", kind=kind), label="P1")) == words


def test_a_name_that_says_the_kind_stands_alone():
    fifo = Object(info=ObjectInfo(key="k", kind="fifo"), label="the FIFO")
    assert name_with_kind(fifo) == "the FIFO"


def test_ends_and_labels():
    assert [end_of(mode, "pipe") for mode in ("r", "w", "rw", "path")] == [
        "read end",
        "write end",
        "both ends",
        "",
    ]
    assert end_of("r", "file") == ""
    assert label_of(State(), fakes.PIPE.key) == fakes.PIPE.key


def test_a_semaphore_of_a_queue_without_a_limit_is_told_by_what_has_been_taken():
    most = 2_147_483_647
    told = {0: "", 62_029: "", most - 1_000: "", most - 3: "max-3", most: "max"}
    assert {value: describe_near_most(value) for value in told} == told
