"""Runs programs under the doctor: one in a session of its own, or several at once in one."""

from __future__ import annotations

import concurrent.futures
import contextlib
import shlex
import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from ipcviz.diagnose import Doctor, Finding
from ipcviz.events import Event
from ipcviz.model.state import State
from ipcviz.scenario.remover import remove_objects
from ipcviz.session.live import LiveSession
from ipcviz.tracer.config import LaunchConfig
from tests.doctor_programs import MODULES
from tests.integration.harness import Programs

SECONDS = 30.0
"""How long a program may take until something is found in it, or it ends."""
TOGETHER = 7
"""So many programs run in one session."""
AT_ONCE = 3
"""So many sessions run at the same time."""


def make_argv(text: str, programs: Programs, name: str) -> list[str]:
    """The command of a program of `tests.doctor_programs`; `name` stands for `NAME` in it."""
    language, _, rest = text.partition(":")
    rest = rest.replace("NAME", name)
    if language == "c":
        program, *words = rest.split()
        return [programs[program], *words]
    if language == "py":
        # Without the modules of site it starts in half the time; posix_ipc is one of those.
        fast = [] if "posix_ipc" in rest else ["-S", "-E"]
        used = ", ".join(name for name in MODULES if f"{name}." in rest)
        imports = f"import {used}\n" if used else ""
        return [sys.executable, *fast, "-c", imports + textwrap.dedent(rest).strip()]
    return [language, "-c", rest]


def examine_program(
    argv: Sequence[str],
    folder: Path,
    seconds: float = SECONDS,
    to_the_end: bool = False,
    is_done: Callable[[Doctor], bool] = lambda patient: bool(patient.findings),
    full: bool = False,
    follow: Callable[[Sequence[Event], float], None] = lambda events, now: None,
) -> tuple[Doctor, bool]:
    """Run a program until something is found, or all that `is_done` asks for (unless `to_the_end`),
    it ends, or so much time has passed. Returns the doctor, and whether it has ended by itself.

    `full`: Every call is traced, also where many programs run on a slow machine. `follow`: Is given
    the events as they come, and the moments at which the doctor then looks.
    """
    folder.mkdir(parents=True)
    session = LiveSession(LaunchConfig(argv=tuple(argv), cwd=str(folder), full=full))
    patient = Doctor()
    began = folder.stat().st_ctime
    try:
        session.start()
        until = time.monotonic() + seconds
        while not session.finished and time.monotonic() < until:
            if not to_the_end and is_done(patient):
                break
            session.wait(0.2)
            events = session.drain()
            patient.follow_events(events)
            started = patient.state.started
            now = time.time() - started.began if started is not None else 0.0
            patient.examine(now)
            follow(events, now)
        if session.finished:
            events = session.drain()
            patient.follow_events(events)
            follow(events, patient.state.t)
    finally:
        session.close()
        remove_objects(folder, began)
    return patient, patient.state.finished


def examine_together(
    argvs: Sequence[Sequence[str]], folder: Path, to_the_end: bool = False
) -> list[list[Finding]]:
    """Run several programs in one session, each in a folder of its own, and tell the findings of
    each. Unless `to_the_end`, they are ended when something was found in each.
    """
    if len(argvs) == 1:
        return [list(examine_program(argvs[0], folder, SECONDS, to_the_end, full=True)[0].findings)]
    starts = [f"mkdir {n}; (cd {n} && exec {shlex.join(argv)}) &" for n, argv in enumerate(argvs)]
    found: dict[tuple[str, tuple[int, ...], str], int] = {}

    def follow_findings(patient: Doctor) -> bool:
        for one in patient.findings:
            if one.key not in found:
                found[one.key] = _find_program(patient.state, one)
        return set(found.values()) >= set(range(len(argvs)))

    folder.mkdir(parents=True)
    script = folder / "all.sh"
    script.write_text("\n".join([*starts, "wait"]))
    patient, _ = examine_program(
        ["sh", str(script)], folder / "run", SECONDS, to_the_end, follow_findings, full=True
    )
    follow_findings(patient)
    return [
        [one for one in patient.findings if found[one.key] == number]
        for number in range(len(argvs))
    ]


def _find_program(state: State, finding: Finding) -> int:
    """Which of several programs a finding is about: that of the child of the shell that its first
    processes descend from. The second child is one of two: each `mkdir` is a child as well.
    """
    for party in finding.processes:
        process = state.processes.get(party.pid)
        line = process.lineage.split(".") if process is not None else []
        if len(line) > 1:
            return (int(line[1]) - 1) // 2
    return -1


def examine_all(
    programs: Programs,
    texts: Mapping[str, bool],
    names: Mapping[str, str],
    place: Path,
    *,
    to_the_end: Callable[[str], bool],
    is_expected: Callable[[str, list[Finding]], bool],
) -> dict[str, list[Finding]]:
    """What is found of each program.

    Args:
        programs: Where those of C are compiled.
        texts: The programs, and whether each may run together with others: others that go on could
            come to what has a name.
        names: What stands for `NAME` in each.
        place: A folder.
        to_the_end: Whether a program runs until it ends.
        is_expected: Whether so much was found as is to be found in a program. If less was, it runs
            once more, alone: some of them sleep for a moment until others are ready.
    """
    groups: list[list[str]] = [[text] for text, together in texts.items() if not together]
    for ending in (True, False):
        some = [t for t, together in texts.items() if together and to_the_end(t) is ending]
        count = -(-len(some) // TOGETHER)
        groups += [some[number::count] for number in range(count)]
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        tasks = [
            pool.submit(
                examine_together,
                [make_argv(text, programs, names[text]) for text in group],
                place / f"{number}",
                to_the_end(group[0]),
            )
            for number, group in enumerate(groups)
        ]
        results = [task.result() for task in tasks]
    found = {
        text: some
        for group, result in zip(groups, results, strict=True)
        for text, some in zip(group, result, strict=True)
    }
    for number, text in enumerate(names):
        if not found[text] and not is_expected(text, found[text]):
            argv = make_argv(text, programs, names[text])
            (found[text],) = examine_together([argv], place / f"again-{number}", to_the_end(text))
    return found


def remove_names(names: Iterable[str]) -> None:
    """Remove what programs left in /dev/shm under their names."""
    for name in names:
        for left in (f"/dev/shm/{name}", f"/dev/shm/sem.{name}"):
            with contextlib.suppress(FileNotFoundError):
                Path(left).unlink()
