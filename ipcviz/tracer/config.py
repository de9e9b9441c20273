"""What a tracer process is told when it begins."""

from __future__ import annotations

import msgspec

from ipcviz.events.accesses import VariableSpec
from ipcviz.tracer.policies import ATTACHED, LAUNCHED, Policy


class LaunchConfig(
    msgspec.Struct, frozen=True, omit_defaults=True, tag_field="config", tag="launch"
):
    """How to launch and watch a command.

    Attributes:
        argv: The command and its arguments.
        cwd: Where it runs; empty for here.
        terminal: Give it a pseudo-terminal of its own; else it inherits the tracer's standard
            streams.
        rows: The terminal's height.
        columns: The terminal's width.
        full: Trace every data call, whatever it costs.
        hold: Begin in step mode: hold the command before its first operation.
        seccomp: Mark the calls to stop at by a seccomp filter, where the kernel has them; else stop
            at every call.
        budget: Data calls a second of one process that are traced in full before it is only
            sampled.
        sample_hz: Samples a second that are aimed at.
        data_bytes: How many of the bytes that a call moves are kept with its event.
        variables: Variables whose loads and stores are seen, in step mode and in full mode.
        unset: Environment variables that it is not given.
        leave: End the stream when the command itself has ended; what it left running runs on.
        keep_output: Bytes a second of the terminal's output that go into the stream; the rest is
            counted. 0 keeps all.
    """

    argv: tuple[str, ...]
    cwd: str = ""
    terminal: bool = False
    rows: int = 24
    columns: int = 80
    full: bool = False
    hold: bool = False
    seccomp: bool = True
    budget: float = 1000.0
    sample_hz: float = 20.0
    data_bytes: int = 64
    keep_output: int = 200_000
    leave: bool = False
    variables: tuple[VariableSpec, ...] = ()
    unset: tuple[str, ...] = ()

    @property
    def policy(self) -> Policy:
        """What may be done with the processes."""
        return LAUNCHED

    @property
    def spare(self) -> tuple[int, ...]:
        """Processes that are never watched: those that are launched have none of ipcviz's own among
        them.
        """
        return ()


class AttachConfig(
    msgspec.Struct, frozen=True, omit_defaults=True, tag_field="config", tag="attach"
):
    """Which running processes to watch, and how.

    Attributes:
        pids: The processes.
        tree: Their descendants too, also those that come to be.
        trace: Trace their calls by ptrace(2); else they are only looked at, and nothing of them is
            ever stopped.
        spare: Processes that are never watched: ipcviz's own.
        budget: Traced: data calls a second of one process before it is only sampled.
        sample_hz: Samples a second that are aimed at.
        data_bytes: Traced: how many of the bytes that a call moves are kept with its event.
    """

    pids: tuple[int, ...]
    tree: bool = False
    trace: bool = False
    spare: tuple[int, ...] = ()
    budget: float = 1000.0
    sample_hz: float = 20.0
    data_bytes: int = 64

    @property
    def argv(self) -> tuple[str, ...]:
        """What a person would type for it."""
        options = ("--tree",) * self.tree + ("--trace",) * self.trace
        return ("ipcviz", "attach", *options, *map(str, self.pids))

    @property
    def policy(self) -> Policy:
        """What may be done with the processes."""
        return ATTACHED

    @property
    def variables(self) -> tuple[VariableSpec, ...]:
        """Variables whose loads and stores are seen: none. Debug registers are set only in what we
        have launched.
        """
        return ()

    @property
    def full(self) -> bool:
        """Whether every data call is traced, whatever it costs: never of processes that are not
        ours.
        """
        return False

    @property
    def hold(self) -> bool:
        """Whether to begin in step mode: what is not ours is never held."""
        return False


AnyConfig = LaunchConfig | AttachConfig
"""The first frame that a tracer process is sent."""
