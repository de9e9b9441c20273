"""Entry point of the tracer process: `__main__.py FD`, where FD is the session's socket."""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    # Started by path and with -P, so that nothing in the command's directory can take a module's place.
    root = str(Path(__file__).resolve().parent.parent.parent)
    if root not in sys.path:
        sys.path.insert(0, root)
    from ipcviz.tracer.service import main

    main(int(sys.argv[1]))
