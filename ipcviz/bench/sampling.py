"""What one look at a whole tree of processes costs, against the tools that list open files."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from ipcviz.bench.measure import (
    Measurement,
    compare_pairs,
    measure_pairs,
    measure_time,
    report_missing_tool,
    run_quietly,
)
from ipcviz.events import Forked
from ipcviz.kernel import procfs
from ipcviz.kernel.arch import Arch, find_native_arch
from ipcviz.tracer.config import LaunchConfig
from ipcviz.tracer.context import Context
from ipcviz.tracer.emitter import Emitter
from ipcviz.tracer.sampling.sampler import Sampler
from ipcviz.tracer.service import spare_collections
from ipcviz.tracer.tasks import Task

TREE: Final = """
import os, resource, signal, sys
processes, descriptors = map(int, sys.argv[1:])
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
descriptors = min(descriptors, most - 10)
pids = []
for _ in range(processes):
    fds = [end for _ in range((descriptors - 3) // 2) for end in os.pipe()]
    pids.append(os.fork())
    if pids[-1] == 0:
        signal.pause()
    for fd in fds:
        os.close(fd)
print(*pids, flush=True)
sys.stdin.read()
for pid in pids:
    os.kill(pid, signal.SIGKILL)
"""


@contextmanager
def start_tree(processes: int, descriptors: int) -> Iterator[tuple[int, ...]]:
    """Processes that sleep, each with so many descriptors, most of them of pipes; ended with the
    block.
    """
    command = (sys.executable, "-c", TREE, str(processes), str(descriptors))
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as maker:
        assert maker.stdin is not None
        assert maker.stdout is not None
        try:
            yield tuple(map(int, maker.stdout.readline().split()))
        finally:
            maker.stdin.close()
            maker.wait()


class _Watcher:
    """A sampler of processes that are not traced, as for those that it was attached to."""

    def __init__(self, arch: Arch, pids: tuple[int, ...]) -> None:
        self._ours, self._theirs = socket.socketpair()
        context = Context(arch, LaunchConfig(argv=("",)), Emitter(self._ours))
        self.context = context
        self.sampler = Sampler(context)
        for pid in pids:
            process = context.new_process(pid)
            process.full = False
            process.tasks[pid] = context.tasks[pid] = Task(pid, process)
            context.processes[pid] = process
            context.emit(Forked(pid=pid, parent=os.getpid(), how="attached"))

    def read_tables(self) -> None:
        """The descriptor tables alone: what lsfd and lsof list, too."""
        for pid in self.context.processes:
            self.sampler.tables.check_table(pid, "attached")

    def read_first(self) -> None:
        """Everything, read for the first time."""
        self.read_tables()
        self.sampler.sample()

    def close(self) -> None:
        """Give back what it holds."""
        self._ours.close()
        self._theirs.close()


def measure_sampling(rounds: int, processes: int, each: int) -> tuple[Measurement, ...]:
    """The first look at a tree and the following ones, against lsfd and lsof on the same
    processes.

    Both tools list descriptor tables. A look also reads how full each pipe is and what waits in it,
    each process's state, memory, times and signals, and what each thread sleeps in.
    """
    arch = find_native_arch()
    if arch is None:
        return (Measurement(name="one sample", skipped="not on this architecture"),)
    found = []
    spare_collections()  # as the tracer process does
    with start_tree(processes, each) as pids:
        total = sum(len(procfs.read_fd_numbers(pid) or ()) for pid in pids)
        facts = {"processes": len(pids), "descriptors": total}
        listed = ",".join(map(str, pids))

        def tables() -> float:
            watcher = _Watcher(arch, pids)
            with contextlib.closing(watcher):
                return measure_time(watcher.read_tables) * 1e3

        def first() -> float:
            watcher = _Watcher(arch, pids)
            with contextlib.closing(watcher):
                return measure_time(watcher.read_first) * 1e3

        steady = _Watcher(arch, pids)
        steady.read_first()

        def following() -> float:
            return measure_time(steady.sampler.sample) * 1e3

        noun = "process" if processes == 1 else "processes"
        tree_name = f"{processes:,} {noun}, {total:,} descriptors"
        for name, ours in (
            ("descriptor tables", tables),
            ("first look", first),
            ("one sample", following),
        ):
            for tool in ("lsfd", "lsof"):
                title = f"{name} of {tree_name}"
                missing = report_missing_tool(title, tool)
                if missing is not None:
                    found.append(missing)
                    continue

                def theirs(tool: str = tool) -> float:
                    return run_quietly((tool, "-p", listed)) * 1e3

                promise = 1.0 if tool == "lsfd" and processes > 1 else 0.0
                found.append(
                    compare_pairs(
                        title,
                        tool,
                        measure_pairs(rounds, ours, theirs),
                        promise=promise,
                        unit="ms",
                        **facts,
                    )
                )
        steady.close()
    return tuple(found)
