"""Finding scenarios and reading them, with errors that name file, line, what is wrong and what is
allowed.
"""

from __future__ import annotations

import difflib
import os
import re
import stat
import tomllib
from pathlib import Path
from typing import Any, Final

import msgspec

import ipcviz
from ipcviz.inputs import read_input
from ipcviz.scenario.course import LESSONS, place_in_course
from ipcviz.scenario.errors import ScenarioError
from ipcviz.scenario.format import Document, Scenario
from ipcviz.scenario.gaps import list_gaps
from ipcviz.scenario.lines import key_lines, line_of
from ipcviz.scenario.shape import Problem, problems_of_shape

FILE: Final = "scenario.toml"
_LIMIT: Final = 1 << 20

TOPICS: Final = tuple(lesson.topic for lesson in LESSONS)
"""The topics in the order in which they are taught."""


def shipped_folder() -> Path:
    """Where ipcviz's own scenarios are: beside the package in a source checkout, inside it once
    installed.

    Raises:
        ScenarioError: They are in neither place.
    """
    package = Path(ipcviz.__file__).resolve().parent
    for folder in (package / "scenarios", package.parent / "scenarios"):
        if folder.is_dir():
            return folder
    raise ScenarioError(
        "ipcviz's own scenarios are missing from this installation; install it again."
    )


def load_all() -> list[Scenario]:
    """All scenarios that come with ipcviz, in the order of the course.

    Raises:
        ScenarioError: One of them can't be read.
    """
    found = [
        load_scenario(file.parent, shipped=True) for file in shipped_folder().glob(f"*/*/{FILE}")
    ]
    return sorted(found, key=lambda scenario: place_in_course(scenario.topic, scenario.name))


def find_scenario(name_or_path: str | os.PathLike[str]) -> Scenario:
    """A scenario by its name (`sleep-race`), its topic and name (`signals/sleep-race`), or a path
    to its folder.

    Names come first; `./sleep-race` is always a path.

    Raises:
        ScenarioError: There is none, or it can't be read.
    """
    wanted = os.fspath(name_or_path)
    folders = {
        file.parent.name: file.parent for file in sorted(shipped_folder().glob(f"*/*/{FILE}"))
    }
    by_topic = {f"{folder.parent.name}/{folder.name}": folder for folder in folders.values()}
    folder = folders.get(wanted) or by_topic.get(wanted.rstrip("/"))
    if folder is not None:
        return load_scenario(folder, shipped=True)
    path = Path(wanted)
    try:
        # What is there, not whether it is of some kind: that would hide why it can't be looked at.
        mode = os.stat(wanted).st_mode if wanted else 0
    except (FileNotFoundError, NotADirectoryError):
        mode = 0
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", "") or str(error)
        raise ScenarioError(
            f"There is no scenario at {wanted!r} that can be read: {why}."
        ) from None
    if path.name == FILE and mode and not stat.S_ISDIR(mode):
        return load_scenario(path.parent)
    if stat.S_ISDIR(mode):
        return load_scenario(path)
    if (
        "/" in wanted
        and wanted.rstrip("/") not in by_topic
        and not difflib.get_close_matches(wanted, by_topic, 1)
    ):
        raise ScenarioError(
            f"There is no scenario at {wanted!r}: a scenario is a folder with a {FILE}."
        )
    near = difflib.get_close_matches(wanted, [*folders, *by_topic], 1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise ScenarioError(f"There is no scenario {wanted!r}; 'ipcviz list' shows all.{hint}")


def load_scenario(folder: str | os.PathLike[str], *, shipped: bool = False) -> Scenario:
    """The scenario in a folder.

    Raises:
        ScenarioError: It can't be read or is wrong: `FILE:LINE: what is wrong, what is allowed` of
            the first problem.
    """
    place = Path(folder)
    file = place / FILE
    text = _read_text(file)
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _build_syntax_error(file, text, error) from None
    except ValueError:
        raise ScenarioError(
            f"{file}:1: A number in it has more digits than Python converts."
        ) from None
    except RecursionError:
        raise ScenarioError(f"{file}:1: Lists or tables are nested too deeply.") from None
    problems = [*problems_of_shape(document, Document)]
    if problems:
        raise _build_first_error(file, text, problems)
    sheet = msgspec.convert(document, Document)
    try:
        # What can be wrong in a scenario is of no interest to who runs a command.
        from ipcviz.scenario.check import problems_of_meaning

        problems = [*problems_of_meaning(sheet, place)]
    except (OSError, ValueError, RuntimeError) as error:
        # A folder that can't be listed, a name that is too long or has a zero byte, links in a
        # circle.
        why = getattr(error, "strerror", "") or str(error)
        raise ScenarioError(f"{file}: What it names can't be looked at: {why}.") from None
    if problems:
        raise _build_first_error(file, text, problems)
    fields: dict[str, Any] = {name: getattr(sheet, name) for name in Document.__struct_fields__}
    resolved = place.resolve()
    return Scenario(name=resolved.name, folder=resolved, shipped=shipped, **fields)


def _read_text(file: Path) -> str:
    try:
        data = read_input(file, _LIMIT + 1)
    except FileNotFoundError:
        raise ScenarioError(
            f"There is no {FILE} in {str(file.parent)!r}; 'ipcviz new PATH' makes one."
        ) from None
    except OSError as error:
        raise ScenarioError(f"{file} can't be read: {error.strerror}.") from None
    if len(data) > _LIMIT:
        raise ScenarioError(f"{file} is larger than {_LIMIT:,} bytes; that is no scenario.")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ScenarioError(f"{file}:{line}: This line is not UTF-8, and TOML must be.") from None


def _build_syntax_error(file: Path, text: str, error: tomllib.TOMLDecodeError) -> ScenarioError:
    words = str(error)
    match = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", words)
    if match is None:
        return ScenarioError(f"{file}:1: This is not TOML: {words}.")
    line = match[1] or str(text.count("\n") + 1)
    return ScenarioError(f"{file}:{line}: This is not TOML: {words[: match.start()]}.")


def _build_first_error(file: Path, text: str, problems: list[Problem]) -> ScenarioError:
    """The error for the problem that stands first in the file, and how many more there are."""
    lines = key_lines(text)
    ordered = sorted(problems, key=lambda problem: (problem.absent, line_of(lines, problem.path)))
    found = tuple(f"{file}:{line_of(lines, one.path)}: {one.message}" for one in ordered)
    error = ScenarioError(found[0] + (f" ({len(found) - 1} more.)" if found[1:] else ""))
    error.problems = found
    return error


def list_missing(scenario: Scenario) -> list[str]:
    """What a scenario has not that a lesson needs: a line each, with its place in the file."""
    file = scenario.folder / FILE
    lines = key_lines(_read_text(file))
    return [f"{file}:{line_of(lines, gap.path)}: {gap.message}" for gap in list_gaps(scenario)]
