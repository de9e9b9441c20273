"""What the tests on the real kernel share."""

from __future__ import annotations

import compileall
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import ipcviz
from tests.integration.harness import NO_USER, Actor, Bench, Programs, actors

ACTORS = actors()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.kernel)
            if not sys.platform.startswith("linux"):
                item.add_marker(pytest.mark.skip(reason="observing needs Linux"))


@pytest.fixture(scope="session", autouse=True)
def keys_of_the_terminal() -> None:
    """Start programs as a shell at a terminal does: what a script's `&` or nohup ignores would be
    inherited.
    """
    usually = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGQUIT: signal.SIG_DFL,
        signal.SIGHUP: signal.SIG_DFL,
    }
    for signo, usual in usually.items():
        if signal.getsignal(signo) == signal.SIG_IGN:
            signal.signal(signo, usual)


@pytest.fixture(scope="session", autouse=True)
def compiled() -> None:
    """Compile ipcviz once: it is started some hundred times, and may not write its byte code
    where it can't or must not (an ordinary user, PYTHONDONTWRITEBYTECODE)."""
    compileall.compile_dir(Path(ipcviz.__file__).parent, quiet=2)


@pytest.fixture(scope="session")
def programs() -> Iterator[Programs]:
    """The fixture programs; a test that uses them is skipped without a compiler."""
    if not shutil.which("cc"):
        pytest.skip("no C compiler (cc) for the fixture programs")
    folder = Path(tempfile.mkdtemp(prefix="ipcviz-programs-"))
    folder.chmod(0o755)
    yield Programs(folder)
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def benches() -> Iterator[dict[str, Bench]]:
    """A bench for each actor that can run Python at all."""
    found = {}
    for actor in ACTORS:
        bench = Bench(actor)
        if bench.start([sys.executable, "-c", ""], stderr=subprocess.DEVNULL).wait() == 0:
            found[actor.name] = bench
        else:
            bench.close()
    yield found
    for bench in found.values():
        bench.close()


@pytest.fixture(params=ACTORS, ids=lambda actor: actor.name)
def bench(request: pytest.FixtureRequest, benches: dict[str, Bench]) -> Bench:
    """A place to run commands in, as root and as an ordinary user."""
    actor: Actor = request.param
    if actor.name not in benches:
        pytest.skip(NO_USER)
    return benches[actor.name]
