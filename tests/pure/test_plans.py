"""Which calls a thread is let into before they are looked at."""

from ipcviz.model.mechanisms.signals import MASKED
from ipcviz.tracer.calls.plans import REMOVALS
from ipcviz.tracer.calls.table import BIRTHS_AND_ENDS, FORETOLD, MAKES, QUICK


def test_what_has_to_be_looked_at_before_it_is_made_is_not_let_in_first() -> None:
    assert not QUICK & MAKES, "whoever opens a FIFO is noticed from when it is made"
    assert not QUICK & REMOVALS, "what goes has to be looked at while it is there"
    assert not QUICK & set(MASKED), (
        "the thread's own mask can be asked for only while it stands still"
    )
    assert not QUICK & {"setitimer", "timer_settime", "mq_getsetattr"} | QUICK & FORETOLD, (
        "they write where they read"
    )
    assert not QUICK & set(BIRTHS_AND_ENDS), "new processes have to be kept in sight"
