"""Operations that a scenario's conditions and schedules can name."""

from __future__ import annotations

import functools
from typing import Final

SEMAPHORE_OPS: Final = (
    "init",
    "open",
    "wait",
    "trywait",
    "timedwait",
    "clockwait",
    "post",
    "getvalue",
    "close",
    "destroy",
    "unlink",
    "acquired",
)


@functools.cache
def list_calls() -> tuple[str, ...]:
    """Calls that a condition can name: those that the tracer knows, and sem_wait for a wait that is
    known to be one.
    """
    # Only who checks a scenario needs the tracer's tables; a kept one is shown without them.
    from ipcviz.tracer.calls.table import KNOWN

    return (*KNOWN, "sem_wait")
