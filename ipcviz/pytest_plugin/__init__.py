"""A plugin for pytest: says why a test hangs, and then fails it.

    pytest --ipcviz-hang 30

A test that still runs after so many seconds is looked at from outside, by samples, with all that
it has started (`ipcviz doctor --pid`). What is found stands in the report of the test, which fails
at the line that it hangs at.

pytest loads this module wherever ipcviz is installed, so it is all that is loaded without the
option, and it imports nothing that pytest has not.
"""

from __future__ import annotations

import sys
from argparse import ArgumentTypeError
from typing import Final

import pytest

MOST: Final = 1e6
"""Seconds that a test may be given."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option --ipcviz-hang."""
    parser.getgroup("ipcviz").addoption(
        "--ipcviz-hang",
        type=_read_seconds,
        default=0.0,
        metavar="SECONDS",
        help="Fail a test that still runs after so many seconds, and say why it hangs.",
    )


def _read_seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= MOST:
        raise ArgumentTypeError(f"{text!r} is no number of seconds from 0 to {MOST:g}")
    return seconds


def pytest_configure(config: pytest.Config) -> None:
    """Have the tests watched over, if that is asked for."""
    seconds = config.getoption("--ipcviz-hang")
    if seconds > 0:
        if sys.platform != "linux":
            raise pytest.UsageError("--ipcviz-hang needs Linux: leave it out here.")
        from ipcviz.pytest_plugin.watch import HangWatch

        config.pluginmanager.register(HangWatch(seconds), "ipcviz-hang-watch")
