"""Files as messages: who used which directory, and what the log says of renames between two
processes.
"""

from __future__ import annotations

from ipcviz import events as ev
from ipcviz.model.mechanisms.folders import meeting_places
from tests.integration.harness import Bench, Programs
from tests.integration.test_truth_locks import MODES, sentences
from tests.integration.watched import Watched


@MODES
def test_a_spool_directory(bench: Bench, programs: Programs, options: tuple[str, ...]) -> None:
    with Watched(bench, [programs["spool"]], (), *options) as run:
        assert run.finish() == 0
    spooler, server = (e.pid for e in run.events if isinstance(e, ev.Forked))
    work = str(bench.work)
    folders = {folder.path: folder for folder in meeting_places(run.state)}
    assert list(folders) == [f"{work}/queue"], "the server never used tmp"
    assert {use.pid: use.did for use in folders[f"{work}/queue"].uses} == {
        spooler: ("watches", "takes", "puts"),
        server: ("watches", "lists", "reads", "takes"),
    }
    log = sentences(run.events)

    def said(*words: str) -> bool:
        return any(all(word in line for word in words) for line in log)

    server_watches = f", in queue/, which spool[{server}] watches"
    assert f"spool[{spooler}] renamed tmp/j1 to queue/j1{server_watches}" in log
    assert f"spool[{spooler}] had j1 put onto the disk (fsync)" in log
    assert f"spool[{spooler}] gave tmp/j1 a further name, tmp/copy" in log
    assert said(
        f"spool[{server}] opened {work}/queue/j1 for reading, which spool[{spooler}] wrote:"
        " descriptor"
    )
    assert said(f"spool[{server}] listed queue/, which spool[{spooler}] puts files into")
    assert said(
        f"spool[{server}] removed the name queue/j1, in queue/, which spool[{spooler}] watches and"
        " puts files into"
    )
    assert said(
        f"made {work}/queue/lock, which did not exist (O_EXCL){server_watches} and lists:"
        " descriptor"
    )
    assert said("could not rename tmp/copy to lock (EEXIST): that name exists")
    assert said("renamed tmp/copy to lock, in place of what had that name", server_watches)
    assert said("had the names in queue/ put onto the disk (fdatasync)")
    jobs = [
        thing for thing in run.state.objects.values() if thing.info.path == f"{work}/queue/lock"
    ]
    assert sorted((thing.label, thing.unlinked, thing.bytes_in) for thing in jobs) == [
        ("lock", True, 0),
        ("lock", True, 5),
    ]
