"""Whether a session's end was forced, and from where on."""

from __future__ import annotations

import pytest

from ipcviz.events import EndForced, Exited, Finished, Forked, SignalDelivered
from ipcviz.model.forced import EndWatch, ForcedEnd
from tests import fakes

SH = Forked(t=0.0, pid=11, parent=1, how="launched", name="sh")
CAT = Forked(t=0.1, pid=12, parent=11, name="cat")
INTERRUPT = SignalDelivered(t=5.0, pid=12, tid=12, signo=2, code="SI_KERNEL", action="terminate")


def watched(*events) -> ForcedEnd | None:
    watch = EndWatch()
    for event in fakes.numbered(events):
        watch.note_event(event)
    return watch.found


@pytest.mark.parametrize(
    ("events", "found"),
    [
        (
            [INTERRUPT, Exited(t=5.0, pid=12, signo=2), Exited(t=5.1, pid=11, signo=2)],
            (2, 5.0, "ctrl+c"),
        ),
        ([EndForced(t=7.0, living=2), Exited(t=7.0, pid=11, signo=9)], (2, 7.0, "leaving ipcviz")),
        # ctrl+c, and then ctrl+q since something would not end
        ([INTERRUPT, Exited(t=5.0, pid=12, signo=2), EndForced(t=6.0)], (2, 5.0, "ctrl+c")),
        # a program that catches it, and ends by itself a moment later
        (
            [
                SignalDelivered(t=5.0, pid=11, tid=11, signo=2, code="SI_KERNEL", action="handler"),
                Exited(t=5.2, pid=11, code=130),
            ],
            (2, 5.0, "ctrl+c"),
        ),
        (
            [
                SignalDelivered(
                    t=5.0,
                    pid=11,
                    tid=11,
                    signo=15,
                    code="SI_USER",
                    sender=99,
                    sender_name="kill",
                    action="terminate",
                ),
                Exited(t=5.0, pid=11, signo=15),
            ],
            (2, 5.0, "SIGTERM"),
        ),
        ([Exited(t=5.0, pid=11, signo=9)], (2, 5.0, "SIGKILL")),
        # what is none
        ([Exited(t=5.0, pid=11)], None),
        ([INTERRUPT, Exited(t=5.0, pid=12, signo=2), Exited(t=60.0, pid=11)], None),
        ([Exited(t=5.0, pid=11, signo=9, sender=12)], None),
        (
            [
                SignalDelivered(
                    t=5.0, pid=12, tid=12, signo=15, code="SI_USER", sender=11, action="terminate"
                ),
                Exited(t=5.0, pid=11),
            ],
            None,
        ),
    ],
)
def test_where_an_end_was_forced(events, found):
    told = watched(SH, CAT, *events, Finished(t=99.0, code=0))
    assert (told and (told.n, told.t, told.by)) == found
