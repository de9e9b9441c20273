"""A program that stops at barriers while it is observed, and the state that its stream tells."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator

import msgspec

from ipcviz import events as ev
from ipcviz.model.reduce import reduce
from ipcviz.model.state import State
from tests.integration.harness import Bench

PATIENCE = 20.0


class Watched:
    """An observed program of ours (see `barrier` in tests/programs/common.h)."""

    def __init__(
        self, bench: Bench, argv: list[str], barriers: tuple[str, ...], *options: str
    ) -> None:
        self.bench = bench
        bench.clear()
        for name in barriers:
            os.mkfifo(bench.work / f"{name}.go")
            os.chown(bench.work / f"{name}.go", bench.actor.uid, -1)
        self.state = State()
        self.events: list[ev.Event] = []
        self._decoder = msgspec.json.Decoder(ev.Event)
        self._offset = 0
        self.tag = uuid.uuid4().hex
        self.process = bench.start(
            bench.observed(argv, *options),
            tag=self.tag,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def __enter__(self) -> Watched:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        out, err = self.process.communicate()
        if error is not None:
            error.add_note(f"status {self.process.returncode}, stdout {out!r}, stderr {err!r}")

    def at(self, name: str) -> dict[str, int]:
        """Wait until the program reports at this barrier; its facts."""
        ready = self.bench.work / f"{name}.ready"
        for _ in self._patiently():
            if ready.exists():
                return {
                    key: int(value)
                    for key, value in (line.split() for line in ready.read_text().splitlines())
                }
        raise AssertionError(f"the program never came to {name}")

    def release(self, name: str) -> None:
        """Let the program go on."""
        for _ in self._patiently():
            try:
                os.close(os.open(self.bench.work / f"{name}.go", os.O_WRONLY | os.O_NONBLOCK))
            except OSError as refused:
                if refused.errno != errno.ENXIO:
                    raise
            else:
                return
        raise AssertionError(f"nobody waits at {name}")

    def until(self, seen: Callable[[State], bool]) -> State:
        """The first state of the stream, at its latest end, for which `seen` is true; the latest
        one if none is.
        """
        for _ in self._patiently(5.0):
            self.read()
            if seen(self.state):
                break
        return self.state

    def read(self) -> State:
        """The state after all events that are in the stream's file by now."""
        with contextlib.suppress(FileNotFoundError), self.bench.stream.open("rb") as file:
            file.seek(self._offset)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._offset += len(line)
                event = self._decoder.decode(line)
                self.events.append(event)
                self.state = reduce(self.state, event)
        return self.state

    def finish(self) -> int:
        """Wait for the end; the exit status."""
        status = self.process.wait(PATIENCE)
        self.read()
        return status

    def _patiently(self, seconds: float = PATIENCE) -> Iterator[None]:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            yield
            time.sleep(0.01)
