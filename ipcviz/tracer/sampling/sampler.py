"""Samples: levels, semaphores and /proc of everything that is watched, several times a second; only
what changed.

A borrowed descriptor is held only inside one reading. The tracer is one thread: no observed thread
can close a descriptor or exit, which are stops that it handles, while it is here; so no end of file
or SIGPIPE is delayed. Processes that were attached to run on meanwhile: of theirs only write ends
of pipes are borrowed, and POSIX queues.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Final

import msgspec

from ipcviz.events import (
    Level,
    ObjectInfo,
    ProcessSample,
    Reaped,
    Resumed,
    Sample,
    Waiting,
)
from ipcviz.events.calls import CHANGES_SEMAPHORES, READS, where
from ipcviz.events.kinds import PEERED, PIPES, WITH_STATES, having
from ipcviz.kernel import buffers, procfs, queues, sockets
from ipcviz.model.ledger.directions import is_channel
from ipcviz.model.mechanisms.system_v import semaphore_of
from ipcviz.model.query import Holder, list_holders
from ipcviz.model.state import State
from ipcviz.tracer.budget import Budget
from ipcviz.tracer.calls import deadlines
from ipcviz.tracer.calls.decode import decode_arguments
from ipcviz.tracer.calls.flags import Word
from ipcviz.tracer.calls.limits import OF_SOCKETS, TIMED
from ipcviz.tracer.calls.plans import QUEUE_CALLS
from ipcviz.tracer.calls.table import KNOWN
from ipcviz.tracer.calls.watched import name_restarted
from ipcviz.tracer.context import Context
from ipcviz.tracer.sampling.facts import FactLooks
from ipcviz.tracer.sampling.families import FamilyLooks
from ipcviz.tracer.sampling.futexes import FutexLooks
from ipcviz.tracer.sampling.levels import (
    LISTED,
    Heads,
    ask_of_pipe,
    level_of_running,
    listed_level,
    listed_together,
)
from ipcviz.tracer.sampling.lines import LineLooks
from ipcviz.tracer.sampling.locks import LockLooks
from ipcviz.tracer.sampling.mappings import Mappings
from ipcviz.tracer.sampling.memory import MemoryLooks
from ipcviz.tracer.sampling.notifiers import NotifierLooks
from ipcviz.tracer.sampling.processes import RawLook, parse_look, read_raw
from ipcviz.tracer.sampling.semaphores import SemaphoreLooks
from ipcviz.tracer.sampling.sleeps import Inside, describe_sleep
from ipcviz.tracer.sampling.traced_tables import TableLooks
from ipcviz.tracer.tasks import Task, TracedProcess

HEAD_BYTES: Final = 64
"""Waiting bytes that are copied of every pipe; more of the one that the viewer looks at."""

QUEUED_MESSAGES: Final = 16
"""Messages that are copied of a System V queue."""

IDLE_TURNS: Final = 5
"""A process that has not run since is looked at once in so many samples."""

LOOK_SECONDS: Final = 0.005
"""CPU time that one sample may take for processes: those that it has no time for come first in
the next one. Whoever stops meanwhile waits for the end of it."""
LEAST_LOOKS: Final = 40
"""So many are looked at in any case."""

LAST_LOOKS: Final = 20.0
"""How many processes a second have their shared memory looked at before they end: it takes as long
as a sample.
"""

RECEIVES: Final = READS | {"recvmmsg"}
FORETOLD_SECONDS: Final = 0.05
"""How long a process is left alone that may still have to make a call whose effects have been told.
"""

LEVELS_KEPT: Final = 256
"""Levels of objects that nobody has any more are kept until there are so many."""

_ON_DESCRIPTOR: Final = where(
    lambda call: call.stops == "in full mode" or call.waits in ("connection", "peer", "lock")
)
"""Calls that may sleep because of the object behind a descriptor."""
LEVELED: Final = having("level")


class Sampler:
    """Reads what can only be sampled.

    Args:
        context: The session's.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._names = context.names
        self._moving = context.moving
        self._processes = context.processes
        self._levels: dict[str, Level] = {}
        self._seen: dict[int, ProcessSample] = {}
        self._turn = 0
        self._idle: set[int] = set()
        self._due: set[int] = set()
        """The processes that this sample looks at."""
        self._most = LEAST_LOOKS
        self._next_due = 0
        self._zombies: set[int] = set()
        """Processes that have ended, and perhaps were not waited for yet."""
        self._look_again = False
        self._run_counts: dict[int, bytes] = {}
        self._counts_read: dict[int, bytes] = {}
        """Counts that were read since the last sample, for the next one."""
        self._held: tuple[object, object, object, object, dict[str, tuple[Holder, ...]]] | None = (
            None
        )
        self._together: sockets.Listing | None = None
        self._heads = Heads()
        self._as_listed: dict[str, sockets.InetSocket | None] = {}
        """TCP sockets as they were when their level was read last, if that was from a listing."""
        self.listing = sockets.Listing()
        """All sockets, as they were at the last look at processes that were attached to."""
        self.locks = LockLooks(context, self.find_holders_of)
        self.futexes = FutexLooks(context)
        self.notifiers = NotifierLooks(context)
        self.families = FamilyLooks(context)
        self.facts = FactLooks(context)
        self.lines = LineLooks(context)
        self.peek: tuple[str, int] = ("", 0)
        self.mappings = Mappings(context)
        self.semaphores = SemaphoreLooks(context)
        self.tables = TableLooks(context, self.mappings)
        self._memory = MemoryLooks(context)
        self._last_looks = Budget(LAST_LOOKS)

    def data_calls(self, pid: int) -> int:
        """Read and write calls of a process so far, by the last look; at least, since those of
        sockets may not count.

        /proc/PID/io counts read and write, but not send and recv, at which a thread mostly sleeps:
        so the times that its first thread did count, too, if they are more.
        """
        seen = self._seen.get(pid)
        return (
            max(seen.calls_read + seen.calls_write, seen.voluntary_switches)
            if seen is not None
            else 0
        )

    def left_futex(self, task: Task) -> bool:
        """Whether a thread that waited for a semaphore no longer sleeps in futex(2)."""
        call = procfs.read_syscall(task.process.pid, task.tid)
        return call is not None and self._names.get(call.number) != "futex"

    def new_listing(self) -> None:
        """Forget how the sockets were: the next who asks for one has them listed anew."""
        self.listing = sockets.Listing(self.listing)

    def forget_memory(self, pid: int) -> None:
        """An exec or exit: the process's mappings are gone."""
        self.mappings.forget_process(pid)
        self.semaphores.forget_memory(pid)
        self.lines.forget(pid)

    def end_process(self, pid: int) -> None:
        """A process has ended."""
        self.forget_memory(pid)
        self._zombies.add(pid)
        self._run_counts.pop(pid, None)

    # Looking.

    def sample(self) -> None:
        """Look at everything once and emit what changed."""
        if not all(process.executed for process in self._processes.values()):
            return  # the command's process is still ours
        state = self._context.state
        self._turn += 1
        # Those who were waited for need no look any more: where many end there are many of them.
        self.notice_reaped()
        self._due = self._choose_due()
        self._find_idle(state)
        processes = tuple(self._changed_processes(state))
        state = self._context.state
        held = self._find_holders(state)
        self._heads.begin_sample()
        due = self._may_have_changed(held)
        together = (
            listed_together(state, due, self._together)
            if self._context.policy.from_start
            else self.listing
        )
        levels = tuple(self._changed_levels(state, due, together))
        self._together = together
        if together is None:
            self._as_listed.clear()
        sems = tuple(self.semaphores.read_changed())
        locks = self.locks.read_changed(held)
        futexes = self.futexes.read_changed()
        notifiers = self.notifiers.read_changed(held, self.peek[0])
        surroundings = self.families.read_changed()
        facts = self.facts.read_changed()
        pages, contents = self._memory.read_changed(state, self.peek)
        rest = locks or futexes or notifiers or surroundings or facts or pages or contents
        if levels or processes or sems or rest:
            t = self._context.now()
            self._context.emit(
                Sample(
                    t=t,
                    levels=levels,
                    processes=processes,
                    semaphores=sems,
                    locks=locks,
                    futexes=futexes,
                    pages=pages,
                    memory=contents,
                    notifiers=notifiers,
                    surroundings=surroundings,
                    facts=facts,
                )
            )
            self._moving.note_levels(levels, t)
        self.lines.read_chosen()
        if self._context.policy.from_start:
            self.tables.check_one(self._turn)

    def process_now(self, pid: int) -> None:
        """Look at one process at once."""
        self.emit_process(self.read_process(pid))

    def read_process(self, pid: int) -> RawLook:
        """A look at one process, for `emit_process`."""
        traced = self._processes.get(pid)
        return read_raw(pid, sorted(traced.tasks) if traced is not None else [pid])

    def emit_process(self, look: RawLook) -> None:
        """Say what was seen of a process, if it has changed."""
        found = parse_look(look)
        if found is not None and found != self._seen.get(look.pid):
            self._seen[look.pid] = found
            self._context.emit(Sample(processes=(found,)))

    def memory_now(self, pid: int) -> None:
        """Look at the shared memory of one process at once (before its exit)."""
        if pid in self._context.state.mappings and self._last_looks.spend():
            pages, contents = self._memory.read_changed(self._context.state, self.peek, only=pid)
            if pages or contents:
                self._context.emit(Sample(pages=pages, memory=contents))

    def levels_now(self, keys: Iterable[str]) -> None:
        """Look at some objects at once."""
        state = self._context.state
        things = ((key, state.objects.get(key)) for key in keys)
        leveled = [key for key, thing in things if thing and thing.info.kind in LEVELED]
        if not leveled:
            return
        levels = tuple(self._changed_levels(state, self.find_holders_of(leveled)))
        if levels:
            t = self._context.now()
            self._context.emit(Sample(t=t, levels=levels))
            self._moving.note_levels(levels, t)

    def sets_now(self, semid: int) -> None:
        """Look at a System V semaphore set at once, if it is one that is looked at."""
        found = (
            tuple(self.semaphores.sets_changed((semid,)))
            if semid in self.semaphores.system_v
            else ()
        )
        if found:
            self._context.emit(Sample(semaphores=found))

    def locks_now(self, keys: Iterable[str]) -> None:
        """Look at the locks on some files at once."""
        locks = self.locks.read_changed_on(keys)
        if locks:
            self._context.emit(Sample(locks=locks))

    # What can be passed over.

    def request_full_sample(self) -> None:
        """Something was done to a process that sleeps (a signal was sent): the next sample passes
        nothing over.
        """
        self._look_again = True

    def read_run_count(self, pid: int) -> bytes:
        """How much a process has run (`procfs.read_run_count`), for the next sample, too."""
        count = self._counts_read[pid] = procfs.read_run_count(pid)
        return count

    def _find_idle(self, state: State) -> None:
        """Know the processes that have not run since the last sample: nothing that they do
        themselves has changed.

        What others do to them, and to what they hold, is looked at every `IDLE_TURNS` samples all
        the same. The counts are read before anything else is: who runs in the meantime has other
        ones at the next sample.
        """
        again, self._look_again = self._look_again, False
        idle = set()
        counts: dict[int, bytes] = {}
        for pid in self._due:
            process = state.processes.get(pid)
            if process is None or len(process.threads) > 1:
                continue
            count = counts[pid] = self._counts_read.pop(pid, b"") or procfs.read_run_count(pid)
            if count and count == self._run_counts.get(pid) and pid in self._seen and not again:
                idle.add(pid)
        if len(self._due) == len(self._processes):
            self._run_counts = counts
        else:
            # What it is not the turn of is not known to have changed.
            idle |= self._processes.keys() - self._due
            self._run_counts.update(counts)
        self._idle = idle
        self._counts_read.clear()

    def find_holders_of(self, keys: Iterable[str]) -> dict[str, tuple[Holder, ...]]:
        """The holders of some objects.

        Where processes come and go all the time, to work all of them out at each call would take
        longer than everything else.
        """
        state, known, wanted = self._context.state, self._held, frozenset(keys)
        if known is None or not self._are_held_still(state, self._list_tables(state)):
            return list_holders(state, wanted)
        return {key: known[4][key] for key in wanted if key in known[4]}

    def _list_tables(self, state: State) -> tuple[tuple[int, int], ...]:
        """The descriptor table of each watched process."""
        return tuple(
            (pid, p.table) for pid in self._processes if (p := state.processes.get(pid)) is not None
        )

    def _are_held_still(self, state: State, alive: tuple[tuple[int, int], ...]) -> bool:
        """Whether the holders known are those of a state in which these processes have these
        tables.
        """
        known = self._held
        return (
            known is not None
            and known[0] is state.tables
            and known[1] is state.open_files
            and known[2] is state.uses
            and known[3] == alive
        )

    def _find_holders(self, state: State) -> dict[str, tuple[Holder, ...]]:
        """Every object's holders, worked out again only where a table or a process has changed."""
        alive, known = self._list_tables(state), self._held
        if known is None or not self._are_held_still(state, alive):
            known = self._held = (
                state.tables,
                state.open_files,
                state.uses,
                alive,
                list_holders(state),
            )
            if len(self._levels) > 2 * len(known[4]) + LEVELS_KEPT:
                self._levels = {
                    key: level for key, level in self._levels.items() if key in known[4]
                }
                self._moving.keep_channels(known[4])
        return known[4]

    def _may_have_changed(
        self, held: dict[str, tuple[Holder, ...]]
    ) -> dict[str, tuple[Holder, ...]]:
        idle = self._idle
        return {
            key: rows
            for index, (key, rows) in enumerate(held.items())
            if (self._turn + index) % IDLE_TURNS == 0
            or key == self.peek[0]
            or key in self._heads.turn
            or key not in self._levels
            or self._moving.is_level_wanted(key)
            or not all(row.pid in idle for row in rows)
        }

    def _changed_levels(
        self,
        state: State,
        held: dict[str, tuple[Holder, ...]],
        together: sockets.Listing | None = None,
    ) -> Iterable[Level]:
        pipes = self._read_pipes(state, held)
        for key, rows in held.items():
            thing = state.objects.get(key)
            if thing is None or thing.info.kind not in LEVELED:
                continue
            level = one = None
            looked_at = key == self.peek[0] or key in self._heads.turn
            if together is not None and thing.info.kind in LISTED and not looked_at:
                one = together.find_inet(thing.info.ino) if thing.info.kind in WITH_STATES else None
                if one is not None and self._as_listed.get(key) is one:
                    continue
                level = listed_level(
                    thing.info, tuple(r for r in rows if r.pid in self._processes), together
                )
                if level is not None and self._heads.is_unchanged(self._levels.get(key), level):
                    level, self._as_listed[key] = self._levels[key], one
            if level is None and thing.info.kind in PIPES:
                level = pipes.get(key)
            elif level is None:
                level = self._read_level(key, rows, state)
            if level is None and key in self._levels and buffers.is_in_use(key):
                level = msgspec.structs.replace(self._levels[key], locked=True)
            if level is None:
                continue
            if level.passed >= 0 and key in state.flights and self._is_read_now(key):
                # What a call under way has taken, its return has not told yet.
                level = msgspec.structs.replace(level, passed=-1)
            changed = level != self._levels.get(key)
            self._levels[key] = level
            self._as_listed[key] = one
            if (
                (changed or self._moving.is_level_wanted(key))
                and not level.locked
                and self._is_quiet(state, thing.info, rows)
            ):
                yield msgspec.structs.replace(level, quiet=True)
            elif changed or (self._moving.is_filling_wanted(key) and not level.locked):
                yield level

    def _is_read_now(self, key: str) -> bool:
        for process in self._processes.values():
            for tid, task in process.tasks.items():
                if (
                    task.entered is not None
                    and task.entered.object == key
                    and task.entered.name in RECEIVES
                ):
                    look = procfs.read_stat(process.pid, tid)
                    if look is not None and look.state != "S":
                        return True
        return False

    def _is_quiet(self, state: State, info: ObjectInfo, rows: tuple[Holder, ...]) -> bool:
        """Whether `Level.quiet` is true of a level that has just been read."""
        if not self._context.policy.from_start or not is_channel(info):
            return False
        others = self._find_holders(state).get(info.peer, ()) if info.kind in PEERED else ()
        pids = {row.pid for row in (*rows, *others)}
        return self._moving.is_quiet(info.key) and all(
            self._context.stops_at_all_calls(pid) for pid in pids
        )

    def _read_pipes(
        self, state: State, held: dict[str, tuple[Holder, ...]]
    ) -> dict[str, Level | None]:
        """Levels of the pipes and FIFOs among these objects."""
        running, questions = not self._context.policy.from_start, []
        for key, rows in held.items():
            thing = state.objects.get(key)
            if thing is not None and thing.info.kind in PIPES:
                watched = (row for row in rows if row.pid in self._processes)
                one = ask_of_pipe(key, watched, self._wanted_head(key), running=running)
                if one is not None:
                    questions.append(one)
        return buffers.read_pipe_levels(questions)

    def _wanted_head(self, key: str) -> int:
        """How many of the bytes that wait in an object are copied."""
        return self.peek[1] if self.peek[0] == key else HEAD_BYTES

    def _read_level(self, key: str, rows: tuple[Holder, ...], state: State) -> Level | None:
        """Level of an object that is no pipe."""
        info, want = state.objects[key].info, self._wanted_head(key)
        if key.startswith("msg:"):
            return queues.message_queue_level(info.ino, QUEUED_MESSAGES, min(want, HEAD_BYTES))
        watched = tuple(row for row in rows if row.pid in self._processes)
        if not self._context.policy.from_start:
            return level_of_running(info, watched, self.listing)
        for row in watched:
            level = buffers.read_level(row.pid, row.fd, info, peek=want)
            if level is not None:
                return level
        return None

    def _changed_processes(self, state: State) -> Iterable[ProcessSample]:
        now = time.monotonic()
        began = time.thread_time()
        for pid in (*self._due, *self._zombies):
            if pid in self._idle and (self._turn + pid) % IDLE_TURNS:
                continue
            seen = self._seen.get(pid)
            if pid in self._zombies and seen is not None and seen.state == "Z":
                continue
            traced = self._processes.get(pid)
            if traced is not None and traced.foretold > now - FORETOLD_SECONDS:
                continue
            found = parse_look(self.read_process(pid))
            if found is None:
                continue
            if found != self._seen.get(pid):
                self._seen[pid] = found
                yield found
            if traced is not None:
                self._check_waits(traced, found)
        took = (time.thread_time() - began) / max(len(self._due), 1)
        self._most = max(LEAST_LOOKS, int(LOOK_SECONDS / took)) if took else LEAST_LOOKS

    def _choose_due(self) -> set[int]:
        """The processes whose turn it is: all, or of very many the next ones.

        Attached, it is always all of them: nothing waits for the end of a look.
        """
        pids = list(self._processes)
        if not self._context.policy.from_start or len(pids) <= self._most:
            return set(pids)
        start = self._next_due % len(pids)
        self._next_due = start + self._most
        return set((pids[start:] + pids[:start])[: self._most])

    # What threads wait in.

    def _check_waits(self, process: TracedProcess, sample: ProcessSample) -> None:
        for line in sample.threads:
            task = process.tasks.get(line.tid)
            if task is None or (task.entered is not None and process.full):
                continue
            self.check_wait(task, line.state)

    def check_wait(self, task: Task, state: str) -> None:
        """Say that a thread waits, or no longer does, when its calls are not stopped at.

        `state` is its state letter just read.
        """
        pid, tid = task.process.pid, task.tid
        call = procfs.read_syscall(pid, tid) if state in "SD" else None
        name = self._names.get(call.number, "") if call is not None and call.number >= 0 else ""
        known = self._context.state.threads.get(tid)
        if call is None or not name or task.process.foreign:
            if task.sampled_call or (known is not None and known.waiting is not None):
                task.sampled_call = ()
                self._context.emit(Resumed(pid=pid, tid=tid))
            return
        numbers = call.args
        if task.entered is None and name in TIMED and deadlines.find_limit(tid, name, numbers):
            self._note_sleep(task)
        if name == "restart_syscall" and task.entered is not None:
            # The kernel makes a call again under this name; which one is known from before.
            name, numbers = task.entered.name, task.entered.raw
        elif name == "restart_syscall":
            # After a stop or a signal; if its arguments are those from before, it is the same call
            # still.
            same = known.waiting.name if known is not None and known.waiting is not None else ""
            same = same if task.sampled_call[1:2] == (numbers,) else ""
            name = same or name_restarted(procfs.read_wchan(pid, tid) or "", numbers) or name
        # When a call that has a length of time has begun is not known, but moments are what they
        # are: with another one it is another call, from the same place.
        moment = deadlines.find_moment(tid, name, numbers)
        mark = (name, numbers, moment)
        if mark == task.sampled_call and known is not None and known.waiting is not None:
            return
        args = decode_arguments(tid, name, numbers) if name in KNOWN else {}
        inside = Inside(pid, tid, name, numbers, args, self.waited_object(pid, name, args))
        sleep = describe_sleep(
            self, self._context.state, inside, lambda: procfs.read_syscall(pid, tid) == call
        )
        if sleep is None:
            return
        task.sampled_call = mark
        if task.entered is None and name in OF_SOCKETS and sleep.object.startswith("socket:"):
            self._note_sleep(task)
        if known is not None and known.semaphore and known.semaphore != sleep.semaphore:
            self._context.emit(Resumed(pid=pid, tid=tid))
        left = deadlines.find_time_left(pid, moment)
        t = self._context.now()
        self._context.emit(
            Waiting(
                t=t,
                pid=pid,
                tid=tid,
                call=name,
                began=t,
                args=sleep.args,
                semaphore=sleep.semaphore,
                object=sleep.object,
                state=state,
                wchan=sleep.wchan,
                futex=sleep.futex,
                deadline=t + left if left is not None else None,
            )
        )

    def _note_sleep(self, task: Task) -> None:
        """Note since when a thread has been asleep in a call with a time limit, for `Mending` to
        keep that.
        """
        status = procfs.read_status(task.process.pid, task.tid)
        if status is not None and status.voluntary != task.asleep[0]:
            task.asleep = (status.voluntary, self._context.emitter.now())

    def waited_object(self, pid: int, name: str, args: dict[str, Word]) -> str:
        """Key of the object that a call waits on: behind its descriptor, or by a System V
        number.
        """
        if name in QUEUE_CALLS:
            return queue_key(pid, args.get("id"))
        if name in CHANGES_SEMAPHORES:
            return semaphore_of(name, args) if procfs.same_namespace(pid, "ipc") else ""
        state = self._context.state
        fd = args.get("fd", args.get("fd_in"))
        if isinstance(fd, int) and name in _ON_DESCRIPTOR:
            return state.object_key_at(pid, fd)
        return ""

    def notice_reaped(self) -> None:
        """Say which of the zombies are gone, and forget what is only of use while they are
        there.
        """
        for pid in tuple(self._zombies):
            process = self._context.state.processes.get(pid)
            zombie = process is not None and process.fate == "zombie"
            if zombie and procfs.read_stat(pid) is not None:
                continue
            self._zombies.discard(pid)
            if pid not in self._processes:
                self._seen.pop(pid, None)
            if zombie:
                self._context.emit(Reaped(pid=pid))


def queue_key(pid: int, number: object) -> str:
    """Key of a System V message queue by its id; empty if the process's ids are not those of our
    namespace.
    """
    return f"msg:{number}" if isinstance(number, int) and procfs.same_namespace(pid, "ipc") else ""
