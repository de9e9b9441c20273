"""Files that a watched process serves to others (FUSE): to ask about one is to ask that process.

If the server stands at a stop of the tracer's, whoever asks waits for the tracer, and no signal
wakes him. So from when somebody who is watched has /dev/fuse open, file systems are asked aside
(`ipcviz.kernel.aside`), and memory is read where it is present only. Before that all is asked
directly.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from ipcviz.kernel import memory
from ipcviz.kernel.aside import Aside

T = TypeVar("T")

_aside: Final = Aside()
_expected = False


def expect_server() -> None:
    """From now on somebody who is watched may serve files."""
    global _expected
    _expected = True
    memory.read_present_only()


def ask_file(path: str, look: Callable[[], T]) -> T | None:
    """What a look at a file gives; None if its server gives no answer now.

    Args:
        path: The file, or a directory on the way to it.
        look: Makes the calls. It may run in another thread, with another table of descriptors.
    """
    return _aside.ask(path, look) if _expected else look()
