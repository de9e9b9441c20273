"""The words that findings share: names of processes with their source lines, origins, waits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from ipcviz.diagnose.findings import Evidence, Origin, Party, SourcePlace
from ipcviz.diagnose.history import History, MadeBy
from ipcviz.events.kinds import UNNAMED_PIPES
from ipcviz.model.state import Process, State
from ipcviz.model.waits.values import Wait
from ipcviz.narrate.waits import describe_wait
from ipcviz.narrate.words import label_of

_MOST: Final = 8
"""Waits that are told as evidence."""


class PartyNames:
    """What the processes of one finding are called: `seq`, `python3 (mp.py:3)`; with the PID where
    several have the same name.

    Args:
        state: The moment.
        pids: The processes.
    """

    def __init__(self, state: State, pids: Iterable[int]) -> None:
        self._state = state
        self.pids = tuple(dict.fromkeys(pids))
        counts = Counter(_title(state.processes.get(pid)) for pid in self.pids)
        self._several = {name for name, count in counts.items() if count > 1}

    def name_process(self, pid: int) -> str:
        """`seq`; `sh[12]` where another `sh` is in it."""
        process = self._state.processes.get(pid)
        title = _title(process)
        return f"{title}[{pid}]" if title in self._several or process is None else title

    def name_thread(self, pid: int, tid: int) -> str:
        """`python3`; `thread 2 of python3` for another thread than the first."""
        thread = self._state.threads.get(tid)
        if thread is None or tid == pid:
            return self.name_at(pid, tid)
        place = place_of(self._state, tid)
        where = f" ({_base(place.file)}:{place.line})" if place is not None else ""
        return f"thread {thread.number} of {self.name_process(pid)}{where}"

    def name_at(self, pid: int, tid: int = 0) -> str:
        """`python3 (mp.py:3)`, where the source line is known that it waits at."""
        place = place_of(self._state, tid or pid)
        if place is None:
            return self.name_process(pid)
        # A script is called as its file: that need not be said twice.
        file = _base(place.file)
        title = _title(self._state.processes.get(pid))
        where = f"line {place.line}" if file == title else f"{file}:{place.line}"
        return f"{self.name_process(pid)} ({where})"

    def join(self, pids: Sequence[int]) -> str:
        """`a`, `a and b`, `a, b and c`."""
        return join_and([self.name_process(pid) for pid in pids])


def _title(process: Process | None) -> str:
    """Its role in a scenario, else what it calls itself or what its arguments say that it is, else
    the name of its program: as waits name it (`narrate.words.name_process`).
    """
    if process is None:
        return "process"
    return process.label or process.own_name or process.name or "process"


def _base(path: str) -> str:
    return path.rpartition("/")[2] or path


def join_and(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def place_of(state: State, tid: int) -> SourcePlace | None:
    """The source line that a thread waits at, if it was read."""
    thread = state.threads.get(tid)
    found = thread.source if thread is not None else None
    if found is None or not found.line:
        return None
    return SourcePlace(found.file, found.line, found.function)


def make_parties(state: State, pids: Iterable[int]) -> tuple[Party, ...]:
    """The processes of a finding."""
    found = []
    for pid in dict.fromkeys(pids):
        process = state.processes.get(pid)
        place = None
        for tid in process.threads if process is not None else ():
            place = place or place_of(state, tid)
        found.append(
            Party(
                pid=pid,
                name=_title(process),
                argv=process.argv if process is not None else (),
                place=place,
            )
        )
    return tuple(found)


def tell_waits(state: State, waits: Sequence[Wait], now: float) -> tuple[Evidence, ...]:
    """What threads wait for, as evidence: `seq[12] is in write(1) on P1, full: ...`."""
    names = PartyNames(state, (wait.pid for wait in waits))
    found = []
    for wait in waits[:_MOST]:
        process = state.processes.get(wait.pid)
        title = f"{_title(process)}[{wait.pid}]"
        place = place_of(state, wait.tid)
        where = f" at {_base(place.file)}:{place.line}" if place is not None else ""
        thread = f" (thread {wait.tid})" if wait.tid != wait.pid else ""
        lasts = max(now - wait.since, 0.0)
        words = describe_wait(state, wait, now)
        found.append(Evidence(f"{title}{thread}{where} is in {words}, for {lasts:.1f} s"))
    if len(waits) > _MOST:
        found.append(Evidence(f"{len(waits) - _MOST} more of {names.join(names.pids[:3])} wait"))
    return tuple(found)


_ENDS: Final = {"r": "the read end of ", "w": "the write end of "}


def find_origin(state: State, history: History, pid: int, fd: int) -> Origin | None:
    """Where a process's descriptor came from: which call made it, and which forks passed it on."""
    row = state.find_descriptor(pid, fd)
    file = state.description_of(row)
    if row is None or file is None:
        return None
    made = history.made.get(row.ofd)
    process = state.processes.get(pid)
    name = f"{_title(process)}[{pid}]"
    thing = state.objects.get(file.object)
    kind = thing.info.kind if thing is not None else ""
    ends = _ENDS if kind in UNNAMED_PIPES else {}
    what = f"fd {fd} of {name} is {ends.get(str(file.mode), '')}{label_of(state, file.object)}"
    if made is None:
        before = row.ofd in history.found
        how = ", which was there before the watch" if before else "; how it was made was not seen"
        return Origin(pid, fd, file.object, words=f"{what}{how}")
    maker = state.processes.get(made.pid)
    passed = _list_forks(history, pid, made)
    words = f"{what}: {_name_maker(maker, made)} made it by {made.call} (event {made.n})"
    if passed:
        born = history.born[pid]
        words += f", and {'fork' if len(passed) == 1 else 'forks'} passed it on (event {born.n})"
    executed = history.executed.get(pid)
    if passed and executed is not None and not row.cloexec and made.n < executed.n:
        words += f", and exec kept it (event {executed.n})"
    if row.how.startswith("dup"):
        words += f", {row.how}"
    return Origin(pid, fd, file.object, made.call, made.pid, made.n, made.t, passed, words)


def _name_maker(maker: Process | None, made: MadeBy) -> str:
    """`sh[12]`; `sh[12], now sleep,` of one that executes another program by now."""
    title = _title(maker)
    if maker is None or not made.name or maker.name == made.name:
        return f"{title}[{made.pid}]"
    return f"{made.name}[{made.pid}], now {title},"


def _list_forks(history: History, pid: int, made: object) -> tuple[int, ...]:
    """The processes between who made a descriptor and who has it, the latter last."""
    found: list[int] = []
    by = getattr(made, "pid", 0)
    while pid != by and pid in history.born and pid not in found:
        found.insert(0, pid)
        pid = history.born[pid].parent
    return tuple(found) if pid == by else ()
