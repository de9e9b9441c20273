"""Process numbers as programs in inner PID namespaces use them, and as ours (pid_namespaces(7))."""

from __future__ import annotations

import os
from collections.abc import Iterable

from ipcviz.events.arguments import number_in
from ipcviz.kernel import procfs
from ipcviz.tracer.calls.flags import Word
from ipcviz.tracer.calls.table import NUMBERED


class Numbers:
    """Says which of our numbers a number of an inner namespace is.

    A process's namespace is the one that it was born in. Numbers are learnt at births, since a
    process that was waited for has none any more.
    """

    def __init__(self) -> None:
        self._chains: dict[int, tuple[str, ...]] = {}
        self._ours: dict[tuple[str, int], int] = {}

    def add_thread(self, tid: int, maker: int, inner: tuple[int, ...]) -> None:
        """A process or thread came to be.

        Args:
            tid: Its number here.
            maker: The process that made it.
            inner: Its numbers in namespaces within ours, outermost first (NSpid of
                /proc/PID/status).
        """
        self._chains.pop(tid, None)
        if not inner:
            return
        try:
            own = os.readlink(f"/proc/{tid}/ns/pid")
        except OSError:
            own = f"of {tid}"
        outer = self._chains.get(maker, ())[: len(inner) - 1]
        chain = (*outer, *("" for _ in range(len(inner) - 1 - len(outer))), own)
        self._chains[tid] = chain
        for place, number in zip(chain, inner, strict=True):
            self._ours[place, number] = tid

    def is_nested(self, pid: int) -> bool:
        """Whether a process is in a namespace within ours."""
        return pid in self._chains

    def add_attached(self, pid: int, tids: Iterable[int]) -> None:
        """A process is attached to, with these threads."""
        if procfs.same_namespace(pid, "pid"):
            return
        for tid in tids:
            status = procfs.read_status(pid, tid)
            if status is not None:
                self.add_thread(tid, status.ppid, status.nspid[1:])

    def translate_number(self, pid: int, number: int) -> int:
        """What process `pid` calls `number`, or, below zero, the group `-number`; 0 if that is not
        known.

        0 and -1 are numbers of nobody, and the same everywhere.
        """
        chain = self._chains.get(pid)
        if chain is None or number in (0, -1):
            return number
        found = self._ours.get((chain[-1], abs(number)), 0)
        return -found if number < 0 else found

    def translate_results(self, pid: int, args: dict[str, Word]) -> dict[str, Word]:
        """What a call has told process `pid`, with our number of the thread that has `died`, if it
        is known.
        """
        number = number_in(args, "died")
        if number is not None and pid in self._chains:
            args["died"] = self.translate_number(pid, number) or f"{number} of its PID namespace"
        return args

    def translate_args(self, pid: int, name: str, args: dict[str, Word]) -> None:
        """Put our numbers in the place of those that process `pid` has passed to a call; a text for
        unknown ones.
        """
        if pid not in self._chains:
            return
        for argument in NUMBERED.get(name, ()):
            number = args.get(argument)
            if isinstance(number, int) and number not in (0, -1):
                args[argument] = (
                    self.translate_number(pid, number) or f"{number} of its PID namespace"
                )
