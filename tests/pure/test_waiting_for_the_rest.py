"""For whom `ipcviz trace` waits when the command itself has ended."""

from __future__ import annotations

import sys

from ipcviz import events as ev
from ipcviz.cli import trace
from ipcviz.cli.trace import LeftRunning


def test_it_is_said_once_and_after_a_moment(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(trace.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    rest = LeftRunning()
    born = [ev.Forked(t=0.0, pid=pid, parent=1) for pid in range(2, 8)]
    rest.follow_events([ev.Forked(t=0.0, pid=1, parent=0, how="launched", name="sh"), *born])
    rest.follow_events(
        [ev.Executed(t=0.0, pid=2, path="/bin/sleep", argv=("sleep", "9"), name="sleep")]
    )
    now[0] += 60
    assert not rest.is_due(), "the command itself runs"
    rest.follow_events(
        [ev.Exited(t=0.1, pid=1), ev.Exited(t=0.1, pid=7), ev.Finished(t=0.1, code=0, left=5)]
    )
    assert not rest.is_due()
    now[0] += trace.MOMENT
    assert rest.is_due()
    assert not rest.is_due()
    assert (
        "waiting for sleep[2], sh[3], sh[4] and 2 more, which it left running." in rest.describe()
    )
    assert "--until exit" in rest.describe()
    rest.follow_events([ev.Finished(t=0.2, code=0, left=5)])
    now[0] += trace.MOMENT
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False, raising=False)
    assert not rest.is_due(), "nobody is there to read it"
