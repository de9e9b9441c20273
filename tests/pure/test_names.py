"""What a process calls itself, and that all use that name."""

import pytest

from ipcviz.app.naming import name_objects
from ipcviz.app.picture.graph import build_scene
from ipcviz.events import Executed, Forked, Sample, Surroundings, ThreadCreated
from ipcviz.model.names import choose_own_name
from ipcviz.model.reduce import reduce_all
from ipcviz.narrate import name_process
from tests import fakes


@pytest.mark.parametrize(
    ("name", "argv", "own"),
    [
        ("postgres", ("postgres: checkpointer ",), "checkpointer"),
        ("postgres", ("postgres: walwriter ",), "walwriter"),
        ("postgres", ("postgres: 15/main: walwriter ",), "walwriter"),
        ("postgres", ("postgres: alice shop [local] idle",), "alice shop"),
        ("postgres", ("postgres: alice shop 10.0.0.7(4711) SELECT",), "alice shop"),
        ("postgres", ("postgres: parallel worker for PID 812 ",), "parallel worker"),
        ("postgres", ("postgres: logical replication launcher ",), "logical replication launcher"),
        ("nginx", ("nginx: worker process",), "worker process"),
        ("nginx", ("nginx: master process /usr/sbin/nginx -g daemon on;",), "master process"),
        ("sshd", ("sshd: root@pts/0",), "root@pts/0"),
        ("sshd", ("sshd: root [priv]",), "root"),
        ("redis-server", ("redis-server *:6379",), "redis-server"),
        ("chromium", ("/usr/lib/chromium/chromium", "--type=renderer", "--x"), "renderer"),
        ("chromium", ("/usr/lib/chromium/chromium --type=renderer --lang=en",), "renderer"),
        ("chromium", ("chromium", "--type=gpu-process"), "gpu"),
        ("chromium", ("chromium", "--type=zygote", "--no-zygote-sandbox"), "zygote"),
        (
            "chromium",
            ("c", "--type=utility", "--utility-sub-type=network.mojom.NetworkService"),
            "network",
        ),
        ("chromium", ("chromium", "--headless", "http://x"), "browser"),
        ("chromium", ("chromium", "http://x", "--headless"), "chromium"),
        ("chromium", ("chromium",), "chromium"),
        ("chromium", ("c", "--type=utility"), "utility"),
        ("firefox", ("firefox", "-P", "-contentproc", "tab"), "firefox"),
        ("firefox", ("firefox", "-contentproc", "{1}"), "firefox"),
        ("firefox", ("/usr/lib/firefox", "-contentproc", "-childID", "1", "tab"), "tab"),
        ("python3", ("python3", "mp.py", "--fast"), "mp.py"),
        ("python3", ("/usr/bin/python3.13", "-u", "-X", "dev", "/srv/mp.py"), "mp.py"),
        ("python3", ("python3", "-m", "pytest", "-q"), "pytest"),
        ("python3", ("python3", "-c", "print(1)"), "python3"),
        (
            "python3",
            ("python3", "-c", "from multiprocessing.resource_tracker import main;main(4)"),
            "resource_tracker",
        ),
        ("node", ("node", "--require", "./x.js", "server.js"), "server.js"),
        ("java", ("java", "-cp", "a:b", "-Xmx1g", "-jar", "lib/app.jar"), "app.jar"),
        ("java", ("java", "-cp", "a:b", "org.example.Main"), "Main"),
        ("deploy.sh", ("/bin/bash", "./deploy.sh", "now"), "deploy.sh"),
        ("sh", ("sh", "-c", "cat x | gzip"), "sh"),
        ("bash", ("bash", "-ec", "true"), "bash"),
        ("bash", ("-bash",), "bash"),
        ("cat", ("cat", "a: b"), "cat"),
        ("cat", (), "cat"),
        ("", ("",), ""),
        ("python3", ("python3", "-m"), "python3"),
        ("java", ("java", "-jar"), "java"),
        ("evil", ("evil: [/foo] x",), "evil"),
        ("perl", ("perl", "/"), "perl"),
    ],
)
def test_a_process_is_called_what_it_calls_itself(name, argv, own):
    assert choose_own_name(name, argv) == own


def test_a_name_is_never_long():
    assert len(choose_own_name("x", ("x: " + "a" * 500,))) <= 32


def titled(t, pid, *words):
    return Sample(t=t, surroundings=(Surroundings(pid=pid, title=words),))


def forked(t, pid, parent=1, **kw):
    return Forked(t=t, pid=pid, parent=parent, by=parent, **kw)


def postgres():
    return [
        forked(0.0, 40, how="launched", name="postgres", argv=("postgres", "-D", "/x")),
        *(forked(0.1, pid, 40) for pid in (41, 42, 43)),
        titled(0.2, 41, "postgres: checkpointer "),
        titled(0.2, 42, "postgres: a shop [local] idle"),
        titled(0.2, 43, "postgres: a shop [local] SELECT"),
    ]


def names(state):
    return {pid: name_process(state, pid) for pid in sorted(state.processes)}


def test_a_title_that_is_read_later_names_the_process_and_its_group():
    state = name_objects(reduce_all(fakes.numbered(postgres())), {}, whole=True)
    assert names(state) == {40: "postgres", 41: "checkpointer", 42: "a shop", 43: "a shop 2"}
    titles = {n.title for n in build_scene(state).nodes}
    assert titles == {"postgres", "checkpointer", "a shop"}


def test_another_state_of_a_title_changes_neither_name_nor_number():
    events = [*postgres(), titled(0.3, 43, "postgres: a shop [local] idle in transaction")]
    state = name_objects(reduce_all(fakes.numbered(events)), {}, whole=True)
    assert names(state)[43] == "a shop 2"


def test_a_new_program_has_its_own_name():
    events = [*postgres(), Executed(t=0.4, pid=43, path="/bin/cat", argv=("cat",), name="cat")]
    state = name_objects(reduce_all(fakes.numbered(events)), {}, whole=True)
    assert names(state)[43] == "cat"


def test_what_is_launched_gets_its_name_when_it_executes_its_program():
    argv = ("python3", "mp.py")
    launched = forked(0.0, 40, how="launched", name="python3", argv=argv)
    shim = Executed(t=0.1, pid=40, path="/s", argv=("bash", "/shims/python3", "mp.py"), name="x")
    python = Executed(t=0.2, pid=40, path="/p", argv=argv, name="python3")
    state = name_objects(reduce_all(fakes.numbered([launched, shim, python])), {}, whole=True)
    assert names(state)[40] == "mp.py"


def test_a_name_without_a_screen_has_the_pid():
    assert names(reduce_all(fakes.numbered(postgres())))[41] == "checkpointer[41]"
    assert reduce_all(fakes.numbered(postgres())).processes[41].called == "checkpointer[41]"


def test_a_thread_is_called_by_its_name_where_it_has_one():
    events = [
        forked(0.0, 40, how="launched", name="redis-server", argv=("redis-server",)),
        ThreadCreated(t=0.1, pid=40, tid=41, by=40, name="bio_aof"),
        ThreadCreated(t=0.1, pid=40, tid=42, by=40, name="io"),
        ThreadCreated(t=0.1, pid=40, tid=43, by=40, name="io"),
        ThreadCreated(t=0.1, pid=40, tid=44, by=40),
    ]
    state = name_objects(reduce_all(fakes.numbered(events)), {}, whole=True)
    found = [name_process(state, 40, tid) for tid in (41, 42, 43, 44)]
    assert found == [
        "redis-server/bio_aof",
        "redis-server/io 3",
        "redis-server/io 4",
        "redis-server/5",
    ]
