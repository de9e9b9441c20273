"""Make docs/screen.svg anew: `python -m docs.make_screen` in the root of a checkout, with ipcviz's
dependencies.

It runs a real pipeline below the real tracer, waits until a writer sleeps on the full pipe, and
writes the screen of that moment. Nothing is prepared; so each picture differs from the one before
in its numbers.
"""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
import time
from pathlib import Path

from ipcviz.app.app import IpcvizApp
from ipcviz.app.view import View
from ipcviz.model import query
from ipcviz.session.live import LiveSession
from ipcviz.tracer.config import LaunchConfig

SIZE = (120, 36)
COMMAND = "cat FILE | gzip -c9 > FILE.gz"
MEGABYTES = 64
WRITER = 2
"""The digit of the process that is selected: cat."""
PATIENCE = 60.0
"""Seconds after which it gives up waiting for the moment."""
FONTS = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace"


def local_fonts(svg: str) -> str:
    """The picture without fonts that a browser would have to fetch."""
    svg = re.sub(r"@font-face\s*\{[^}]*\}|<!--.*?-->", "", svg)
    svg = re.sub(r"font-family:\s*Fira Code[^;]*;", f"font-family: {FONTS};", svg)
    return re.sub(r"\n\s*\n+", "\n", svg)


def worth_showing(view: View | None) -> bool:
    """Whether both programs run, and the first one sleeps because the pipe is full."""
    if view is None or view.now < 3 or not view.object:
        return False
    thing = view.state.objects[view.object]
    full = thing.level is not None and thing.level.writable is False and thing.level.head
    return bool(full and query.blocked_writers(view.state, view.object) and thing.bytes_out)


async def picture(directory: str) -> str:
    """The screen at the moment that is worth showing."""
    session = LiveSession(
        LaunchConfig(
            argv=("sh", "-c", COMMAND), cwd=directory, terminal=True, columns=SIZE[0], rows=SIZE[1]
        )
    )
    app = IpcvizApp(session, f"sh -c '{COMMAND}'")
    try:
        async with app.run_test(size=SIZE) as pilot:
            end = time.monotonic() + PATIENCE
            while not worth_showing(app.live.view):
                if time.monotonic() > end:
                    raise SystemExit("The pipe never was full while its writer slept: try again.")
                if (
                    app.live.view is not None
                    and app.live.view.slots.get(app.live.view.pid) != WRITER
                ):
                    app.live.selection.action_slot(WRITER)
                await pilot.pause(0.03)
            return local_fonts(app.export_screenshot(title="ipcviz"))
    finally:
        session.close()


def main() -> None:
    """Write the file next to this one."""
    target = Path(__file__).with_name("screen.svg")
    with tempfile.TemporaryDirectory() as directory:
        words = " ".join(f"{n:x}" for n in range(0, 900_000_000, 7919)).encode()
        with (Path(directory) / "FILE").open("wb") as file:
            for _ in range(MEGABYTES * 1_000_000 // len(words) + 1):
                file.write(words)
        svg = asyncio.run(picture(directory))
    target.write_text(svg)
    print(f"{target}: {len(svg):,} bytes", file=sys.stderr)


if __name__ == "__main__":
    main()
