"""Keep runs of the doctor's programs anew: `python -m tests.keep_cases [RULE...]`.

It is run in the root of a checkout, on Linux, and takes some minutes. Each program of
`tests.doctor_programs` is run alone under the doctor; its events and the moments at which the
doctor looked are kept (see `tests.kept_cases`). A run that does not find what the program is for is
made once more; if that does not, either, it is said and not kept.

`python -m tests.keep_cases --found` runs nothing: it writes anew what is found in the runs that are
kept, after a sentence was changed.
"""

from __future__ import annotations

import concurrent.futures
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import posix_ipc

from ipcviz.diagnose.pages import BY_NAME
from ipcviz.events import Event
from ipcviz.export.names import Names
from tests.doctor_programs import PROGRAMS
from tests.integration.examined import examine_program, make_argv, remove_names
from tests.integration.harness import Programs
from tests.kept_cases import FOLDER, KeptCase, examine_case, list_programs, write_cases, write_found
from tests.make_traces import name_places

AT_ONCE: Final = 3
"""So many programs run at the same time."""
TRIES: Final = 2


def list_expected(text: str) -> set[str]:
    """The rules that find something in a program."""
    return {rule for rule, some in PROGRAMS.items() if text in some.wrong}


def keep_case(
    text: str, programs: Programs, name: str, place: Path
) -> tuple[KeptCase, list[Event]] | None:
    """Run a program; None if what it is for is not found in it."""
    expected = list_expected(text)
    hangs = any(BY_NAME[rule].hangs for rule in expected)
    for number in range(TRIES):
        events: list[Event] = []
        looks: list[tuple[int, float]] = []

        def follow(some: Sequence[Event], now: float, events=events, looks=looks) -> None:
            events.extend(some)
            looks.append((len(events), now))

        if text in PROGRAMS["stale-semaphore"].wrong:
            posix_ipc.Semaphore(f"/{name}", posix_ipc.O_CREAT, initial_value=0).close()
        examine_program(
            make_argv(text, programs, name),
            place / f"{name}-{number}",
            to_the_end=not hangs,
            full=True,
            follow=follow,
        )
        remove_names([name])
        case = KeptCase(program=text, count=len(events), looks=tuple(looks))
        kept = tuple(Names().rename_events(events))
        if {one.rule for one in examine_case(case, kept)} == expected:
            return case, events
    return None


def keep_cases(names: Sequence[str]) -> None:
    """Run the programs of these files, and keep their runs."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "programs").mkdir()
        programs = Programs(place / "programs")
        places = {folder: "/home/ann", **name_places()}
        for name in names:
            texts = list_programs()[name]
            with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
                made = pool.map(
                    lambda one, name=name: keep_case(
                        one[1], programs, f"ipcviz-case-{name}-{one[0]}", place
                    ),
                    enumerate(texts),
                )
                found = dict(zip(texts, made, strict=True))
            for text, case in found.items():
                if case is None:
                    print(f"{name}: not kept, since not all was found: {text}", flush=True)
            kept = [case for case in found.values() if case is not None]
            write_cases(name, kept, places)
            print(f"{name}: {len(kept)} programs, {sum(case.count for case, _ in kept)} events")


def main() -> None:
    """Keep those of the rules that are named, or all."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    if sys.argv[1:] != ["--found"]:
        keep_cases(sys.argv[1:] or list(list_programs()))
    write_found()


if __name__ == "__main__":
    main()
