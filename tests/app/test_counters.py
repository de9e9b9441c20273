"""Rows of eventfds and the like in the Buffers panel."""

from __future__ import annotations

from ipcviz.app.panels import Buffers
from ipcviz.events import Level, Sample, Waiting
from tests import picture_states as systems
from tests.app.test_live import stage


async def test_an_eventfd_that_processes_share_has_a_row_with_its_counter():
    made = systems.eventfd_maker()
    async with stage(made.events) as s:
        await s.press("u")
        assert "No pipe, FIFO, socket or queue" in s.text(s.panel(Buffers)), "to inherit one is no use of it"
    made.add(Waiting, pid=81, tid=81, call="poll", args={"watched": "3r"})
    made.add(Sample, levels=(Level(object=systems.EVENTFD.key, queued=7),))
    async with stage(made.events) as s:
        await s.press("u")
        rows = s.text(s.panel(Buffers)).splitlines()
        at = next(i for i, line in enumerate(rows) if "eventfd at 7" in line)
        assert rows[at].lstrip().startswith("p E1")
        assert "waits: " in rows[at + 1]
        assert "[81];" in rows[at + 1]
