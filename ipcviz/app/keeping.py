"""Keeping what an app's session tells, in a file that was asked for or in a temporary one."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ipcviz.messages import write_error
from ipcviz.scenario import Scenario, ScenarioError
from ipcviz.scenario.kept import meta_of, sources_of
from ipcviz.scenario.workplace import make_workplace
from ipcviz.session.kept import KeptSession
from ipcviz.trace import TraceError, TraceWriter

if TYPE_CHECKING:
    from ipcviz.session.base import Session

MOST_BYTES: Final = 1 << 30
"""Size at which a temporary trace ends."""


def is_kept(session: Session) -> bool:
    """Whether nothing runs behind a session that could be told anything."""
    return bool(getattr(session, "kept", False))


@contextlib.contextmanager
def record_session(
    session: Session, title: str, scenario: Scenario | None, save: str
) -> Iterator[TraceWriter | None]:
    """Keep a session in the file `save`, or in one that is removed at the end, whatever ends us.

    Yields:
        What keeps it; None if it is a kept trace already, or if there is no place for a temporary
        file.

    Raises:
        TraceError: The file `save` can't be written.
    """
    if isinstance(session, KeptSession):
        yield None
        return
    meta = {
        "title": title,
        "argv": json.dumps(session.argv),
        **(meta_of(scenario) if scenario else {}),
    }
    sources = sources_of(scenario) if scenario else {}
    with contextlib.ExitStack() as stack:
        recorder: TraceWriter | None = None
        place: Path | None = None
        with contextlib.suppress(ScenarioError):
            place = stack.enter_context(make_workplace())
        if save:
            recorder = TraceWriter(
                save, meta=meta, sources=sources, reducing=False, at_once=False, spare=place
            )
            stack.callback(recorder.close)
        elif place is not None:
            with contextlib.suppress(TraceError):
                recorder = TraceWriter(
                    place / "trace.ipcviz",
                    meta=meta,
                    sources=sources,
                    reducing=False,
                    at_once=False,
                    most_bytes=MOST_BYTES,
                    spare=place,
                )
                stack.callback(recorder.discard)
        yield recorder
    if recorder is not None and save and recorder.trouble:
        write_error(f"{recorder.trouble}.")
