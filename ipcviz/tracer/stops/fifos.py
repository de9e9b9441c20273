"""FIFOs that nobody but watched processes has open: what the byte ledger says of them is certain
then.

That is known of a FIFO that was made by a watched process, as long as every open of it is one that
was traced. Whoever puts bytes in or takes some out has opened it before, and the kernel has told of
that before the open returned: so a look just before the return of a call on it is said comes in
time.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import msgspec

from ipcviz.events import AnyEffect, NameCreated, Opened, OpenedOutside
from ipcviz.events.arguments import text_in
from ipcviz.events.calls import OPENS
from ipcviz.events.kinds import MET
from ipcviz.kernel import procfs, ptrace
from ipcviz.kernel.names import AT_FDCWD, fifo_of, folder_of, resolve_path
from ipcviz.kernel.openings import Openings
from ipcviz.tracer.calls.flags import Word
from ipcviz.tracer.calls.table import MAKES
from ipcviz.tracer.context import Context
from ipcviz.tracer.tasks import Entered, Task

PARTNERS_SECONDS: Final = 0.005
"""How long the returns of opens that have succeeded are waited for: others, that stand at a stop,
don't come.
"""
MOST: Final = 32
"""How many FIFOs are looked at: each takes one of the user's 128 groups (fanotify(7))."""


@dataclass(slots=True)
class _Fifo:
    openings: Openings
    untold: int = 0
    """Opens that the kernel has told of, and that no traced call has returned for so far."""


class Fifos:
    """Finds out when somebody who is not watched opens a FIFO, and which watched threads' opens
    belong together.

    Args:
        context: The session's.
        take_stop: Takes a stop of a thread (its id, the status of waitpid).
    """

    def __init__(self, context: Context, take_stop: Callable[[int, int], None]) -> None:
        self._context = context
        self._take_stop = take_stop
        self._being_made: dict[int, Openings] = {}
        self._fifos: dict[str, _Fifo] = {}

    def about_to_make(self, pid: int, tid: int, args: dict[str, Word]) -> None:
        """A thread stands at the entry of a call that makes a FIFO, perhaps."""
        self._give_up_making(tid)
        if not text_in(args, "mode").startswith("S_IFIFO") or not self._has_room():
            return
        folder, name = folder_of(pid, str(args["path"]), args.get("dirfd", AT_FDCWD))
        if folder and name:
            try:
                self._being_made[tid] = Openings(folder)
            except OSError:
                pass

    def complete_effects(
        self, task: Task, entered: Entered, code: int, effects: tuple[AnyEffect, ...]
    ) -> tuple[AnyEffect, ...]:
        """A call is about to be said to have returned, failed with `code` if not 0: its effects
        completed.
        """
        pid, tid, name = task.process.pid, task.tid, entered.name
        if name in MAKES and tid in self._being_made:
            self._note_made(pid, tid, entered.args, effects)
        elif name in OPENS and code == errno.ENXIO:
            entered.object = fifo_of(
                pid, str(entered.args["path"]), entered.args.get("dirfd", AT_FDCWD)
            )
        elif name in OPENS and any(isinstance(e, Opened) and e.object.kind in MET for e in effects):
            opened = self._complete_opened(next(e for e in effects if isinstance(e, Opened)))
            self._wait_for_partners(opened.object.key)
            return (opened,)
        return effects

    def _note_made(
        self, pid: int, tid: int, args: dict[str, Word], effects: tuple[AnyEffect, ...]
    ) -> None:
        openings = self._being_made.pop(tid)
        made = next((e for e in effects if isinstance(e, NameCreated)), None)
        if made is None or not openings.narrow_to_fifo(
            resolve_path(pid, made.path, args.get("dirfd", AT_FDCWD)), made.object
        ):
            openings.close()
            return
        self._forget_fifo(made.object)
        self._fifos[made.object] = _Fifo(openings)

    def _wait_for_partners(self, key: str) -> None:
        """Take the returns of others' opens of the same FIFO: one that has succeeded means that
        they have, too.

        Both ends are open at the same moment. If one were said to be open, used and closed before
        the other is, it would look as if nobody had it open in between.
        """
        deadline = time.monotonic() + PARTNERS_SECONDS
        for other in list_openers(self._context, key):
            entered = other.entered
            while (
                other.entered is entered
                and other.tid in self._context.tasks
                and time.monotonic() < deadline
            ):
                came = ptrace.wait_for_change(other.tid)
                if came is not None and came[0] == other.tid:
                    self._take_stop(*came)
                else:
                    os.sched_yield()

    def _complete_opened(self, effect: Opened) -> Opened:
        key = effect.object.key
        fifo = self._fifos.get(key)
        if fifo is not None:
            self._count_opens(key, fifo)
            fifo.untold = max(0, fifo.untold - 1)
            self.check_opens((key,))
        return msgspec.structs.replace(effect, alone=key in self._fifos)

    def check_opens(self, keys: Iterable[str] = ()) -> None:
        """Say it if somebody else has opened one of these FIFOs; of all, if none is named."""
        for key in list(keys or self._fifos):
            fifo = self._fifos.get(key)
            if fifo is None:
                continue
            stranger = self._count_opens(key, fifo)
            if stranger or fifo.untold > (
                len(list_openers(self._context, key)) if fifo.untold else 0
            ):
                self._forget_fifo(key)
                found = procfs.read_stat(stranger) if stranger else None
                name = found.name if found is not None else ""
                self._context.emit(OpenedOutside(object=key, pid=stranger, name=name))

    def __bool__(self) -> bool:
        """Whether there is anything to check."""
        return bool(self._fifos)

    def forget_thread(self, tid: int) -> None:
        """A thread is gone: what it was about to open it may have opened, and no call will tell."""
        self._give_up_making(tid)
        task = self._context.tasks.get(tid)
        entered = task.entered if task is not None else None
        if task is not None and entered is not None and entered.name in OPENS:
            for key, fifo in self._fifos.items():
                if _is_path_of(task.process.pid, entered.args, key):
                    self._count_opens(key, fifo)
                    fifo.untold = max(0, fifo.untold - 1)

    def _count_opens(self, key: str, fifo: _Fifo) -> int:
        """Count the opens that the kernel tells of; the process that did one, if it is known and
        not watched.
        """
        for pid in fifo.openings.read_openers():
            if pid and pid not in self._context.processes:
                return pid
            fifo.untold += 1
        return 0

    def _has_room(self) -> bool:
        if len(self._fifos) + len(self._being_made) < MOST:
            return True
        used = {file.object for file in self._context.state.open_files.values()}
        unused = next((key for key in self._fifos if key not in used), "")
        self._forget_fifo(unused)
        return bool(unused)

    def _give_up_making(self, tid: int) -> None:
        openings = self._being_made.pop(tid, None)
        if openings is not None:
            openings.close()

    def _forget_fifo(self, key: str) -> None:
        fifo = self._fifos.pop(key, None)
        if fifo is not None:
            fifo.openings.close()


def list_openers(context: Context, key: str) -> list[Task]:
    """The watched threads that are inside a call that opens a FIFO."""
    inside = [
        task
        for task in context.tasks.values()
        if task.entered is not None and task.entered.name in OPENS
    ]
    return [
        task
        for task in inside
        if task.entered is not None and _is_path_of(task.process.pid, task.entered.args, key)
    ]


def _is_path_of(pid: int, args: dict[str, Word], key: str) -> bool:
    """Whether a call's path leads to a FIFO."""
    return fifo_of(pid, text_in(args, "path"), args.get("dirfd", AT_FDCWD)) == key
