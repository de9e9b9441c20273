"""How programs are loaded is left out, and nothing of what they and their libraries do
themselves.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from ipcviz import events as ev
from tests.integration.harness import Bench
from tests.integration.watched import Watched

LIBRARY = """
#include <unistd.h>
__attribute__((constructor)) static void first(void) { write(1, "library", 7); }
void called(void) { write(1, "called", 6); }
"""
PROGRAM = """
#include <dlfcn.h>
#include <unistd.h>
void called(void);
int main(int argc, char **argv) {
    void (*found)(void);
    int fd;
    write(1, "program", 7);
    called();
    found = (void (*)(void))dlsym(dlopen(argv[1], RTLD_NOW), "called");
    found();
    fd = dup(1);
    write(fd, "end", 3);
    return 0;
}
"""


@pytest.mark.skipif(not shutil.which("cc"), reason="no compiler")
@pytest.mark.parametrize(
    "options", [(), ("--full",), ("--no-seccomp",)], ids=["live", "full", "always"]
)
def test_the_first_call_of_all_is_told(
    bench: Bench, tmp_path: Path, options: tuple[str, ...]
) -> None:
    tmp_path.chmod(0o755)
    for folder in tmp_path.parents:
        # That of a worker of xdist is named after it.
        if folder.owner() == tmp_path.owner() and re.match("pytest|popen", folder.name):
            folder.chmod(0o755)
    (tmp_path / "library.c").write_text(LIBRARY)
    (tmp_path / "program.c").write_text(PROGRAM)
    for name in ("linked", "loaded"):
        library = str(tmp_path / f"lib{name}.so")
        subprocess.run(
            ["cc", "-shared", "-fPIC", "-w", "-o", library, str(tmp_path / "library.c")], check=True
        )
    program = str(tmp_path / "program")
    rest = ["-L", str(tmp_path), "-llinked", "-Wl,-rpath," + str(tmp_path), "-ldl"]
    subprocess.run(["cc", "-w", "-o", program, str(tmp_path / "program.c"), *rest], check=True)
    with Watched(bench, [program, str(tmp_path / "libloaded.so")], (), *options) as run:
        assert run.finish() == 0
        calls = [event for event in run.events if isinstance(event, ev.Call)]
        assert [call.data.decode() for call in calls if call.name == "write"] == [
            *("library", "program", "called", "library", "called", "end"),
        ]
        assert [call.name for call in calls if call.name in ("openat", "read", "mmap", "dup")] == [
            "dup"
        ]
        assert not any(event.differed for event in run.events if isinstance(event, ev.Table))
