"""Change the pure floors at random, one small fault at a time, and see whether the pure tests
notice.

    python -m tests.mutate                              100 faults with each of two seeds
    python -m tests.mutate --faults 30 --seed 7 model   30 faults in one floor

A fault that no test notices is a *survivor*: the line runs, and nothing says what it is for. The
share of survivors is printed, and the status is 1 if it is above `CEILING`. First the pure ring
runs once under coverage, which tells for each line which test functions run it; each fault is then
tried with those alone, the fewest first. A line that no pure test runs counts as survived.

No file is changed: a fault is made in the source as Python loads it, in a child process that was
forked with all libraries loaded. With 200 faults on two processors it takes about fifteen minutes,
of which the first two are the run under coverage. So it is for the night, and no part of the suite.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Final, NamedTuple, NoReturn

import coverage
import pytest

TOP: Final = Path(__file__).parents[1]
FLOORS: Final = (
    "diagnose",
    "events",
    "model",
    "narrate",
    "export",
    "scenario",
    "trace/keyframes.py",
    "trace/reader.py",
    "trace/schema.py",
)
"""What is changed: folders and files below `ipcviz`. The rest of `trace` is threads and files."""
CEILING: Final = 0.15
SECONDS: Final = 300
"""A fault may make a loop endless: if its tests take more of a processor's time in all, they have
noticed it. So much time is more than all tests of the ring take; how busy the machine is does not
matter.
"""
OF_TYPES: Final = (
    "tests/pure/test_calls_and_kinds.py",
    "tests/pure/test_schema_defaults.py",
    "tests/pure/test_state_defaults.py",
)
"""Tests that look at types and tables themselves: they run no line of the modules with them."""
LIBRARIES: Final = (
    "click",
    "hypothesis.strategies",
    "immutables",
    "msgspec",
    "pyte",
    "rich.console",
    "textual.app",
    "textual.screen",
    "textual.widgets",
)
"""Loaded once, before the children are forked. Nothing of the project is: it may be changed."""

COMPARISONS: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
OPERATORS: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}


class Fault(NamedTuple):
    """A change of one file.

    Attributes:
        path: The file, below the top of the tree.
        line: Where the change begins.
        last: Where what is changed ends.
        words: What is changed, for the report.
        start: Offset in the file's characters of what is replaced.
        end: Offset behind it.
        text: What stands there instead.
    """

    path: str
    line: int
    last: int
    words: str
    start: int
    end: int
    text: str


def list_faults(path: str, source: str) -> Iterator[Fault]:
    """Every fault that can be made in a file: comparisons, operators, conditions, numbers, returned
    values.
    """
    starts = [0]
    for row in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(row))

    def place(row: int, column: int) -> int:
        text = source[starts[row - 1] : starts[row]]
        return starts[row - 1] + len(text.encode()[:column].decode())

    tree = ast.parse(source)
    skipped = {
        id(part)
        for node in ast.walk(tree)
        for aside in _list_asides(node)
        for part in ast.walk(aside)
    }
    for node in ast.walk(tree):
        if id(node) in skipped or not isinstance(node, ast.expr | ast.Return):
            continue
        last = node.end_lineno or node.lineno
        for changed, words in _change(node):
            start, end = (
                place(node.lineno, node.col_offset),
                place(last, node.end_col_offset or 0),
            )
            yield Fault(path, node.lineno, last, words, start, end, changed)


def _list_asides(node: ast.AST) -> list[ast.AST]:
    """The parts of a node that decide nothing: annotations, docstrings, how a class is made,
    assertions for the type checker, and sizes such as `1 << 20`, which bound cost.
    """
    if isinstance(node, ast.AnnAssign):
        return [node.annotation]
    if isinstance(node, ast.arg) and node.annotation is not None:
        return [node.annotation]
    if isinstance(node, ast.FunctionDef) and node.returns is not None:
        return [node.returns]
    if isinstance(node, ast.ClassDef):
        return list(node.keywords)
    if isinstance(node, ast.Assert):
        return [node]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.LShift):
        return [node] if isinstance(node.left, ast.Constant) else []
    return [node] if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) else []


def _change(node: ast.expr | ast.Return) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Compare):
        if len(node.ops) > 1 or type(node.ops[0]) not in COMPARISONS or _is_of_clock(node):
            return
        other = ast.Compare(node.left, [COMPARISONS[type(node.ops[0])]()], node.comparators)
        yield f"({ast.unparse(other)})", f"{ast.unparse(node)} -> {ast.unparse(other)}"
    elif isinstance(node, ast.BinOp) and type(node.op) in OPERATORS and not _is_text(node):
        swapped = ast.BinOp(node.left, OPERATORS[type(node.op)](), node.right)
        yield f"({ast.unparse(swapped)})", f"{ast.unparse(node)} -> {ast.unparse(swapped)}"
    elif isinstance(node, ast.BoolOp):
        op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        text = ast.unparse(ast.BoolOp(op, node.values))
        yield f"({text})", f"{ast.unparse(node)} -> {text}"
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield (
            f"bool({ast.unparse(node.operand)})",
            f"{ast.unparse(node)} -> {ast.unparse(node.operand)}",
        )
    elif isinstance(node, ast.IfExp):
        text = ast.unparse(ast.IfExp(node.test, node.orelse, node.body))
        yield f"({text})", f"{ast.unparse(node)} -> {text}"
    elif isinstance(node, ast.Constant) and type(node.value) is int:
        if node.value >= 100 and node.value % 100 == 0:
            return  # A round limit: of a thousand rows, one more is noticed by nobody.
        yield f"({node.value + 1})", f"{node.value} -> {node.value + 1}"
    elif isinstance(node, ast.Constant) and type(node.value) is bool:
        yield str(not node.value), f"{node.value} -> {not node.value}"
    elif isinstance(node, ast.Return) and node.value is not None:
        changed = _return_other(node.value)
        if changed:
            yield changed, f"{ast.unparse(node)} -> {changed}"


def _is_text(node: ast.BinOp) -> bool:
    """Texts can't be subtracted: such a fault only raises."""
    sides = (node.left, node.right)
    return any(
        isinstance(s, ast.JoinedStr) or (isinstance(s, ast.Constant) and isinstance(s.value, str))
        for s in sides
    )


def _is_of_clock(node: ast.Compare) -> bool:
    """Whether it is about the time that it is now, which is never exactly that of a limit."""
    return any(
        isinstance(part, ast.Attribute) and part.attr == "monotonic" for part in ast.walk(node)
    )


def _return_other(value: ast.expr) -> str:
    """What is returned instead; empty where that is changed as a constant, or would mean the same.

    None is as false as an empty text is, so a text is returned for that.
    """
    if not isinstance(value, ast.Constant):
        return "return None"
    if value.value is None or isinstance(value.value, bool):
        return ""
    return "return None" if value.value else "return '?'"


class Runs:
    """Which test functions run each line of each file of the project."""

    def __init__(self, lines: dict[str, dict[int, frozenset[str]]]) -> None:
        self._lines = lines

    @classmethod
    def measure(cls, folder: Path) -> Runs:
        """Run the pure ring once under coverage; `folder` is for what that leaves.

        Raises:
            SystemExit: The pure ring does not pass as it is.
        """
        settings, kept = folder / "coveragerc", folder / "coverage"
        settings.write_text(
            f"[run]\nsource = ipcviz\ndynamic_context = test_function\ndata_file = {kept}\n"
        )
        command = (
            *(sys.executable, "-m", "coverage", "run", f"--rcfile={settings}"),
            *("-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "tests/pure"),
        )
        done = subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"The pure ring does not pass as it is:\n{done.stdout[-2000:]}")
        data = coverage.CoverageData(str(kept))
        data.read()
        return cls(
            {
                str(Path(file).relative_to(TOP)): {
                    line: frozenset(contexts)
                    for line, contexts in data.contexts_by_lineno(file).items()
                }
                for file in data.measured_files()
            }
        )

    def find_tests(self, fault: Fault) -> list[str]:
        """The test functions that may notice a fault, those of the smallest files first, by the
        names that pytest takes; empty if no test runs its lines.

        What runs at import, a table say, is noticed by those who use it: whoever runs the module.
        """
        lines = self._lines.get(fault.path, {})
        span = range(fault.line, fault.last + 1)
        contexts = frozenset().union(*(lines.get(line, frozenset()) for line in span))
        if contexts == {""}:
            contexts = frozenset().union(*lines.values()) - {""} or self._find_users(fault.path)
            tests = {_name_test(context) for context in contexts} - {""} | set(OF_TYPES)
        else:
            tests = {_name_test(context) for context in contexts} - {""}
        rank = {test.partition("::")[0]: 0 for test in tests}
        for test in tests:
            rank[test.partition("::")[0]] -= 1
        return sorted(tests, key=lambda test: (rank[test.partition("::")[0]], test))

    def _find_users(self, path: str) -> frozenset[str]:
        """The tests that run modules which import a module of nothing but tables."""
        parts = Path(path).with_suffix("").parts
        folder, name = ".".join(parts[:-1]), parts[-1]
        wanted = (f"from {folder}.{name} import", f"from {folder} import")
        return frozenset().union(
            *(
                tests
                for file, lines in self._lines.items()
                if any(words in (TOP / file).read_text() for words in wanted)
                for tests in lines.values()
            )
        )


def _name_test(context: str) -> str:
    """`tests/pure/test_a.py::test_b` of coverage's `tests.pure.test_a.test_b`; empty for others."""
    parts = context.split(".")
    at = next((i for i, part in enumerate(parts) if part.startswith("test_")), None)
    if at is None or at + 1 >= len(parts):
        return ""
    return "::".join(("/".join(parts[: at + 1]) + ".py", *parts[at + 1 :]))


class Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Loads one module from a source that is not its file's."""

    def __init__(self, path: str, source: str) -> None:
        parts = Path(path).with_suffix("").parts
        self.name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        self._path, self._source, self._package = path, source, parts[-1] == "__init__"

    def find_spec(
        self, name: str, path: object = None, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != self.name:
            return None
        places = [str((TOP / self._path).parent)] if self._package else None
        return importlib.util.spec_from_file_location(
            name, TOP / self._path, loader=self, submodule_search_locations=places
        )

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self._source, str(TOP / self._path), "exec"), module.__dict__)


def try_fault(fault: Fault, tests: Sequence[str]) -> NoReturn:
    """In a child: run tests with a fault in the tree; the status is pytest's."""
    os.setpgid(0, 0)
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    source = (TOP / fault.path).read_text()
    changed = source[: fault.start] + fault.text + source[fault.end :]
    sys.meta_path.insert(0, Changed(fault.path, changed))
    status = 99
    try:
        options = ("-q", "-x", "-p", "no:cacheprovider", "--timeout=30")
        status = int(pytest.main([*options, *tests]))
    except BaseException:  # noqa: BLE001
        status = 98  # An error that pytest lets through has been noticed as well.
    finally:
        os._exit(status)


def try_all(chosen: Sequence[Fault], runs: Runs, jobs: int) -> list[tuple[Fault, str]]:
    """The faults that survived, each with the reason."""
    survivors: list[tuple[Fault, str]] = []
    running: dict[int, Fault] = {}
    waiting = list(chosen)
    while waiting or running:
        while waiting and len(running) < jobs:
            fault = waiting.pop()
            tests = runs.find_tests(fault)
            if not tests:
                survivors.append((fault, "no pure test runs it"))
                continue
            pid = os.fork()
            if not pid:
                try_fault(fault, tests)
            running[pid] = fault
        for pid in list(running):
            gone, status = os.waitpid(pid, os.WNOHANG)
            if gone:
                fault = running.pop(pid)
                code = os.waitstatus_to_exitcode(status)
                if code == pytest.ExitCode.OK:
                    survivors.append((fault, "no pure test notices it"))
                elif code == pytest.ExitCode.NO_TESTS_COLLECTED:
                    raise SystemExit(f"No test was found for {fault.path}:{fault.line}")
        time.sleep(0.02)
    return survivors


def main() -> int:
    """Make the faults, report the survivors; 1 if there are too many."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--faults", type=int, default=100, help="for each seed")
    parser.add_argument("--seed", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("floors", nargs="*", default=FLOORS)
    asked = parser.parse_args()
    faults = [
        fault
        for floor in asked.floors
        for file in _list_files(TOP / "ipcviz" / floor)
        for fault in list_faults(str(file.relative_to(TOP)), file.read_text())
    ]
    chosen = dict.fromkeys(
        fault
        for seed in asked.seed
        for fault in random.Random(seed).sample(faults, min(asked.faults, len(faults)))
    )
    with tempfile.TemporaryDirectory(prefix="ipcviz-mutate-") as place:
        os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = place
        runs = Runs.measure(Path(place))
        for name in LIBRARIES:
            importlib.import_module(name)
        survivors = try_all(list(chosen), runs, asked.jobs)
    for fault, why in sorted(survivors):
        print(f"{fault.path}:{fault.line}: {why}: {fault.words}")
    share = len(survivors) / max(1, len(chosen))
    print(f"{len(survivors)} of {len(chosen)} faults survived: {share:.0%} (at most {CEILING:.0%})")
    return int(share > CEILING)


def _list_files(place: Path) -> list[Path]:
    return [place] if place.is_file() else sorted(place.rglob("*.py"))


if __name__ == "__main__":
    sys.exit(main())
