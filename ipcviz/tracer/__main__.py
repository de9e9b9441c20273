"""Entry point of the tracer process: `__main__.py FD`, where FD is the session's socket."""

from __future__ import annotations

import gc
import os.path
import sys

if __name__ == "__main__":
    # Imports make no garbage, but many objects to look for it; `main` enables it again.
    gc.disable()
    # Started by path and with -P, so that nothing in the command's directory can take a module's
    # place.
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
    if root not in sys.path:
        sys.path.insert(0, root)
    from ipcviz.tracer.service import main

    main(int(sys.argv[1]))
