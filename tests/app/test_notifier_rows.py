"""Rows that tell of waits: of eventfds and the like in the Buffers panel, and until when in that of
/proc.
"""

from __future__ import annotations

from ipcviz.app.panels import Buffers, Proc
from ipcviz.events import Level, Sample, Waiting
from tests import picture_states as systems
from tests.app.test_live import stage


async def test_an_eventfd_that_processes_share_has_a_row_with_its_counter():
    made = systems.eventfd_maker()
    async with stage(made.events) as s:
        await s.press("u")
        assert "No pipe, FIFO, socket or queue" in s.text(s.panel(Buffers)), (
            "to inherit one is no use of it"
        )
    made.add(Waiting, pid=81, tid=81, call="poll", args={"watched": "3r"})
    made.add(Sample, levels=(Level(object=systems.EVENTFD.key, queued=7),))
    async with stage(made.events) as s:
        await s.press("u")
        rows = s.text(s.panel(Buffers)).splitlines()
        at = next(i for i, line in enumerate(rows) if "eventfd at 7" in line)
        assert rows[at].lstrip().startswith("p E1")
        assert "waits: " in rows[at + 1]
        assert "waits: reader;" in rows[at + 1]


async def test_how_long_a_wait_lasts_at_most_stays_where_there_is_little_room():
    made = systems.eventfd_maker()
    args = {"watched": "3r 4r 5r"}
    made.add(Waiting, pid=81, tid=81, call="poll", args=args, began=made.t, deadline=made.t + 60.0)
    made.add(Sample)
    async with stage(made.events) as s:
        await s.press("r")
        await s.frame(2.0)
        (line,) = (row for row in s.text(s.panel(Proc)).splitlines() if "poll, for" in row)
        assert "s left" in line
        assert "…" in line
