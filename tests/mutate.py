"""Change the pure floors at random, one small fault at a time, and see whether the pure tests
notice.

    python -m tests.mutate 100 faults, and status 1 if more than 15 % of them survive python -m
    tests.mutate --faults 30 --seed 7 model narrate

A fault that no test notices is a *survivor*: the line runs, and nothing says what it is for. First
the pure ring runs once under coverage, which tells for each line which test functions run it; each
fault then runs only those. A line that no pure test runs counts as survived. The tree is copied,
and the checkout stays as it is.
"""

from __future__ import annotations

import argparse
import ast
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, NamedTuple

import coverage

TOP: Final = Path(__file__).parents[1]
FLOORS: Final = ("events", "model", "narrate", "export", "scenario")
CEILING: Final = 0.15
SECONDS: Final = 60.0
"""A fault may make a loop endless: a test that takes longer has noticed it."""

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
        words: What is changed, for the report.
        start: Offset in the file's characters of what is replaced.
        end: Offset behind it.
        text: What stands there instead.
    """

    path: str
    line: int
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
    said = {
        id(part)
        for node in ast.walk(tree)
        for aside in _list_asides(node)
        for part in ast.walk(aside)
    }
    for node in ast.walk(tree):
        if id(node) in said or not isinstance(node, ast.expr | ast.Return):
            continue
        for changed, words in _change(node):
            start, end = (
                place(node.lineno, node.col_offset),
                place(node.end_lineno or 0, node.end_col_offset or 0),
            )
            yield Fault(path, node.lineno, words, start, end, changed)


def _list_asides(node: ast.AST) -> list[ast.AST]:
    """The parts of a node that decide nothing: annotations, docstrings, and how a class is made."""
    if isinstance(node, ast.AnnAssign):
        return [node.annotation]
    if isinstance(node, ast.arg) and node.annotation is not None:
        return [node.annotation]
    if isinstance(node, ast.FunctionDef) and node.returns is not None:
        return [node.returns]
    if isinstance(node, ast.ClassDef):
        return list(node.keywords)
    return [node] if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) else []


def _change(node: ast.expr | ast.Return) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in COMPARISONS:
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
        yield f"({node.value + 1})", f"{node.value} -> {node.value + 1}"
    elif isinstance(node, ast.Constant) and type(node.value) is bool:
        yield str(not node.value), f"{node.value} -> {not node.value}"
    elif isinstance(node, ast.Return) and node.value is not None and not _is_nothing(node.value):
        yield "return None", f"{ast.unparse(node)} -> return None"


def _is_text(node: ast.BinOp) -> bool:
    """Texts can't be subtracted: such a fault only raises."""
    sides = (node.left, node.right)
    return any(
        isinstance(s, ast.JoinedStr) or (isinstance(s, ast.Constant) and isinstance(s.value, str))
        for s in sides
    )


def _is_nothing(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def map_tests(tree: Path) -> dict[str, dict[int, set[str]]]:
    """Which test functions run each line of each file, from a run of the pure ring under coverage.

    Raises:
        SystemExit: The pure ring does not pass as it is.
    """
    settings = tree / "mutate.coveragerc"
    settings.write_text(
        "[run]\nsource = ipcviz\ndynamic_context = test_function\ndata_file = mutate.coverage\n"
    )
    command = (
        sys.executable,
        "-m",
        "coverage",
        "run",
        f"--rcfile={settings}",
        "-m",
        "pytest",
        "-q",
        "-x",
        "tests/pure",
    )
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"The pure ring does not pass as it is:\n{done.stdout[-2000:]}")
    data = coverage.CoverageData(str(tree / "mutate.coverage"))
    data.read()
    return {
        str(Path(file).relative_to(tree)): {
            line: (
                {context for context in contexts if context}
                | ({"import"} if "" in contexts else set())
            )
            for line, contexts in data.contexts_by_lineno(file).items()
        }
        for file in data.measured_files()
    }


def find_tests(contexts: set[str]) -> list[str]:
    """Test functions by the names that pytest takes: `tests/pure/test_a.py::test_b`; a file for
    what runs at import.
    """
    found: set[str] = set()
    for context in contexts - {"import"}:
        parts = context.split(".")
        at = next((i for i, part in enumerate(parts) if part.startswith("test_")), None)
        if at is None or at + 1 >= len(parts):
            continue
        found.add("::".join(("/".join(parts[: at + 1]) + ".py", *parts[at + 1 :])))
    return sorted(found)


def try_fault(tree: Path, fault: Fault, tests: Sequence[str]) -> bool:
    """Whether some test notices a fault that is made in a copy of the tree."""
    with tempfile.TemporaryDirectory(prefix="ipcviz-mutate-") as place:
        copy = Path(place, "tree")
        shutil.copytree(tree, copy, ignore=shutil.ignore_patterns("__pycache__", "mutate.*"))
        file = copy / fault.path
        source = file.read_text()
        file.write_text(source[: fault.start] + fault.text + source[fault.end :])
        command = (
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-x",
            "-p",
            "no:cacheprovider",
            "--timeout=30",
            *tests,
        )
        try:
            return (
                subprocess.run(
                    command, cwd=copy, capture_output=True, timeout=SECONDS, check=False
                ).returncode
                != 0
            )
        except subprocess.TimeoutExpired:
            return True


def main() -> int:
    """Make the faults, report the survivors; 1 if there are too many."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--faults", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("floors", nargs="*", default=FLOORS)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ipcviz-mutate-") as place:
        tree = Path(place, "tree")
        tree.mkdir()
        for name in ("ipcviz", "scenarios", "tests", "docs"):
            shutil.copytree(TOP / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("pyproject.toml", "README.md", "CONTRIBUTING.md", "CHANGELOG.md"):
            shutil.copy(TOP / name, tree / name)
        runs = map_tests(tree)
        faults = [
            fault
            for floor in told.floors
            for file in sorted((tree / "ipcviz" / floor).rglob("*.py"))
            for fault in list_faults(str(file.relative_to(tree)), file.read_text())
        ]
        chosen = random.Random(told.seed).sample(faults, min(told.faults, len(faults)))
        with ThreadPoolExecutor(told.jobs) as pool:
            results = list(pool.map(lambda fault: _judge(tree, fault, runs), chosen))
    survivors = [(fault, why) for fault, why in zip(chosen, results, strict=True) if why]
    for fault, why in sorted(survivors):
        print(f"{fault.path}:{fault.line}: {why}: {fault.words}")
    share = len(survivors) / max(1, len(chosen))
    print(f"{len(survivors)} of {len(chosen)} faults survived: {share:.0%} (at most {CEILING:.0%})")
    return int(share > CEILING)


def _judge(tree: Path, fault: Fault, runs: dict[str, dict[int, set[str]]]) -> str:
    """Why a fault survived; empty if a test noticed it."""
    contexts = runs.get(fault.path, {}).get(fault.line, set())
    tests = find_tests(contexts)
    if not contexts:
        return "no pure test runs it"
    # What runs at import, a table say, is noticed by whoever uses it: that may be any test.
    return "" if try_fault(tree, fault, tests or ["tests/pure"]) else "no pure test notices it"


if __name__ == "__main__":
    sys.exit(main())
