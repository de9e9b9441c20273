"""What a tracer process is told when it begins."""

from __future__ import annotations

import msgspec


class LaunchConfig(msgspec.Struct, frozen=True, omit_defaults=True):
    """How to launch and watch a command.

    Attributes:
        argv: The command and its arguments.
        cwd: Where it runs; empty for here.
        terminal: Give it a pseudo-terminal of its own; else it inherits the tracer's standard streams.
        rows: The terminal's height.
        columns: The terminal's width.
        full: Trace every data call, whatever it costs.
        seccomp: Mark the calls to stop at by a seccomp filter, where the kernel has them; else stop at every call.
        budget: Data calls a second of one process that are traced in full before it is only sampled.
        sample_hz: Samples a second that are aimed at.
        data_bytes: How many of the bytes that a call moves are kept with its event.
        keep_output: Bytes a second of the terminal's output that go into the stream; the rest is counted. 0 keeps all.
    """

    argv: tuple[str, ...]
    cwd: str = ""
    terminal: bool = False
    rows: int = 24
    columns: int = 80
    full: bool = False
    seccomp: bool = True
    budget: float = 1000.0
    sample_hz: float = 20.0
    data_bytes: int = 64
    keep_output: int = 200_000
