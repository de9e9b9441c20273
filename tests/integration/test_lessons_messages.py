"""The scenarios of messages and sockets, stepped from first to last."""

from __future__ import annotations

import os
import platform
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from ipcviz.model.mechanisms.datagrams import list_waiting
from ipcviz.model.mechanisms.sockets import describe_closing
from ipcviz.model.waits.values import Why
from tests.integration.lessons import ORDERS, assert_on_screen, run_lesson
from tests.integration.test_lessons_memory import choose_claims, step_lesson

pytestmark = pytest.mark.kernel

LISTENS = "00010000"  # __SO_ACCEPTCON among the flags of /proc/net/unix


def has_listener(_):
    rows = [row.split() for row in Path("/proc/net/unix").read_text().splitlines()]
    return any(row[-1] == "demo_socket" and row[3] == LISTENS for row in rows)


CLAIMS = {
    "unix-stream connected": has_listener,
    "unix-stream refused": lambda m: m.event.error == "EADDRINUSE",
}
SERVED = {"listen", "connected", "sent", "accepted", "handler", "read", "answer", "end"}
RUNS = [
    ("unix-stream", "py", "", SERVED, "client: hello from the server"),
    ("unix-stream", "c", "", SERVED, "client: hello from the server"),
    ("unix-stream", "c", "half", SERVED, "one read returned 100 bytes"),
    ("unix-stream", "py-stale", "", {"refused"}, "bind: Address already in use"),
    ("unix-stream", "c-stale", "", {"refused"}, "bind: Address already in use"),
    ("unix-stream", "py-unlink", "early-py", SERVED | {"removed"}, "client: hello from the server"),
    ("unix-stream", "c-unlink", "", SERVED | {"removed"}, "client: hello from the server"),
]


@pytest.mark.parametrize(
    ("name", "variant", "plan", "wanted", "says"),
    RUNS,
    ids=[" ".join(run[:3]).strip() for run in RUNS],
)
def test_what_a_lesson_must_show(name, variant, plan, wanted, says):
    told, output, _, _ = step_lesson(name, variant, plan, claims=CLAIMS)
    assert wanted <= set(told)
    assert says in output


def read_queues_of_sockets():
    """(bytes or connections that wait, the limit of a listening one) by inode, as ss(8) says."""
    if not shutil.which("ss"):
        pytest.skip("ss is not installed")
    done = subprocess.run(["ss", "-xanH"], capture_output=True, text=True, check=True)
    rows = [line.split() for line in done.stdout.splitlines()]
    return {int(row[5]): (int(row[2]), int(row[3])) for row in rows if row[5].isdigit()}


def are_as_ss_says(seen):
    """Each buffer of a connection, and the listener's backlog, is as full as ss says."""
    found = read_queues_of_sockets()
    levels = [
        (thing.level.queued, found[int(key[8:-1])][0])
        for key, thing in seen.state.objects.items()
        if thing.info.kind == "unix socket" and thing.level and int(key[8:-1]) in found
    ]
    assert levels
    assert [one for one, _ in levels] == [other for _, other in levels]


def both_hold_bytes(seen):
    are_as_ss_says(seen)
    (mine,) = (
        seen.state.objects[file.object]
        for row, file in seen.state.descriptions_of(seen.pids["client"])
        if row.fd > 2
    )
    found = read_queues_of_sockets()
    ends = (mine.info.key, mine.info.peer)
    assert [found[int(key[8:-1])][0] for key in ends] == [len("hello from the server"), 100]


async def test_both_buffers_of_a_connection_hold_bytes():
    steps = ("connected", "sent", "accepted", "read", "answer", "closed")
    readers = dict.fromkeys(steps, are_as_ss_says) | {"both": both_hold_bytes}
    lesson = run_lesson("unix-stream", "c", "half", readers=readers)
    lesson.assert_whole("refused", "removed")
    await assert_on_screen(lesson, {"both": {"u": ["100", "21"]}})


@pytest.mark.parametrize(("variant", "plan"), [("c", "early"), ("py", "early-py")])
def test_a_client_is_connected_and_has_written_before_accept(variant, plan):
    told, output, _, _ = step_lesson("unix-stream", variant, plan, claims=CLAIMS)
    assert told.index("connected") < told.index("sent") < told.index("accepted")
    assert "returned 200 bytes" in output


@pytest.mark.parametrize("seed", ORDERS)
def test_a_server_at_a_path_in_any_order(seed):
    claims = choose_claims("unix-stream", CLAIMS)
    lesson = run_lesson("unix-stream", "c", seed=seed, claims=claims)
    lesson.assert_sound()
    assert {"connected", "sent", "accepted", "read", "answer", "end"} <= lesson.told.keys()


# unix-datagram


def read_blocked_call(pid):
    """The number of the call that a process is blocked in, as the kernel says here."""
    return int(Path(f"/proc/{pid}/syscall").read_text().split()[0])


def waiting_letters(seen):
    """The letters that wait in the mailbox, the next one first."""
    (box,) = {
        file.object
        for file in seen.state.open_files.values()
        if seen.state.objects[file.object].info.kind == "unix socket"
        and seen.state.datagrams.get(file.object)
    }
    return [one.head for one in list_waiting(seen.state, seen.state.objects[box])]


def sender_sleeps(seen):
    assert read_blocked_call(seen.pids["sender"]) == SENDTO
    letters = waiting_letters(seen)
    assert letters[:3] == [b"Dear reader, how do you do?", b"no", b"yes"]


SENDTO = 44 if platform.machine() == "x86_64" else 206
DATAGRAM_CLAIMS = {
    "first": lambda s: s.event.ret == 27,
    "full": lambda s: s.waits("sender", Why.FULL),
    "peeked": lambda s: s.event.ret == 27 and s.event.data == b"D",
    "cut": lambda s: s.event.data == b"Dear reade",
    "whole": lambda s: s.event.data == b"Dear reader, how do you do?",
    "gone": lambda s: s.event.data == b"no",
    "borders": lambda s: s.event.data == b"yes",
    "empty": lambda s: s.event.ret == 0 and not s.event.error,
}


@pytest.mark.parametrize(
    ("variant", "plan", "untold"),
    [
        ("py", "full", {"pair", "peeked", "whole"}),
        ("py-pair", "full", {"bound", "peeked", "whole", "unlinked"}),
        ("py-peek", "full", {"pair", "cut", "gone"}),
        ("py", "at-once", {"pair", "peeked", "whole", "full", "room"}),
    ],
)
def test_unix_datagram(variant, plan, untold):
    readers = {"full": sender_sleeps}
    lesson = run_lesson("unix-datagram", variant, plan, claims=DATAGRAM_CLAIMS, readers=readers)
    lesson.assert_whole(*untold)
    whole = variant == "py-peek"
    assert ("27 bytes: Dear reader, how do you do?" in lesson.output) == whole


async def test_letters_that_wait_are_on_the_screen():
    lesson = run_lesson("unix-datagram", "py", "full")
    shows = {
        "full": {"t": ["27 B Dear", "2 B no", "full"], "u": ["Dear reader, how do you do?"]},
        "cut": {"t": ["read 10 of 27 bytes", "2 B no"]},
    }
    await assert_on_screen(lesson, shows)


@pytest.mark.parametrize("seed", ORDERS)
@pytest.mark.parametrize("variant", ["py", "py-peek"])
def test_letters_in_any_order(variant, seed):
    settings = {"letters": 8, "rest": 0}
    lesson = run_lesson(
        "unix-datagram", variant, seed=seed, settings=settings, claims=DATAGRAM_CLAIMS
    )
    lesson.assert_sound()
    assert {"first", "borders", "empty"} <= lesson.told.keys()


# posix-mq


def read_queue_file(seen):
    """What the queue's own file tells now, read here: numbers by their name."""
    (fd,) = seen.modes("receiver", "tasks")
    words = Path(f"/proc/{seen.pids['receiver']}/fd/{fd}").read_text().split()
    return {name: int(number) for name, number in (word.split(":") for word in words)}


def is_full(seen):
    assert read_queue_file(seen)["QSIZE"] == len("floor") + len("fire") + len("mail")
    level = seen.object("tasks").level
    assert (level.queued, level.capacity, level.largest) == (3, 3, 32)
    posted = seen.state.posted[seen.keys["tasks"]]
    assert [one.head for one in posted] == [b"fire", b"mail", b"floor"]


def is_registered(seen):
    assert read_queue_file(seen)["NOTIFY_PID"] == seen.pids["receiver"]
    assert seen.object("tasks").level.notify == seen.pids["receiver"]


def is_told_once(seen):
    assert read_queue_file(seen)["NOTIFY_PID"] == 0


TASK_CLAIMS = {
    "made": lambda s: s.modes("receiver", "tasks"),
    "found": lambda s: set(s.modes("sender", "tasks").values()) == {"w"},
    "full": lambda s: s.waits("sender", Why.FULL),
    "told": lambda s: s.event.ret == signal.SIGUSR1,
    "too-small": lambda s: s.event.error == "EMSGSIZE",
    "urgent": lambda s: (
        s.event.data == b"fire" and len(s.calls("receiver", "mq_timedreceive")) <= 2
    ),
    "first": lambda s: s.event.data == b"floor",
    "empty": lambda s: s.waits("receiver", Why.EMPTY),
    "last": lambda s: s.event.data == b"home",
}
TASK_READERS = {"full": is_full, "registered": is_registered, "told": is_told_once}
IN_ORDER = ["fire", "mail", "floor", "lunch", "home"]


@pytest.mark.parametrize(
    ("variant", "plan", "untold"),
    [
        ("py", "full", {"registered", "told", "too-small", "empty"}),
        ("c", "full", {"registered", "told", "empty"}),
        ("c", "empty", {"registered", "told", "urgent", "first", "full", "room"}),
        ("py-notify", "told", {"too-small", "empty"}),
        ("c-notify", "told", {"empty"}),
    ],
)
def test_posix_mq(variant, plan, untold):
    lesson = run_lesson("posix-mq", variant, plan, claims=TASK_CLAIMS, readers=TASK_READERS)
    lesson.assert_whole(*untold)
    if plan != "empty":
        rows = [row for row in lesson.output.splitlines() if row.startswith("priority")]
        assert [row.rpartition(" ")[2] for row in rows] == IN_ORDER


async def test_messages_are_on_the_screen_by_priority():
    lesson = run_lesson("posix-mq", "c", "full")
    limits = "3 messages in tasks, 13 bytes; at most 3 of up to 32 bytes each"
    shows = {
        "full": {"t": ["prio 9 4 B fire", "full", "3 of 3"], "u": [limits]},
        "file": {"t": ["read about tasks (fd 3), and took no message", "prio 9 4 B fire"]},
    }
    await assert_on_screen(lesson, shows)


@pytest.mark.parametrize("seed", ORDERS)
@pytest.mark.parametrize("variant", ["c", "c-notify"])
def test_messages_in_any_order(variant, seed):
    lesson = run_lesson("posix-mq", variant, seed=seed, settings={"rest": 0}, claims=TASK_CLAIMS)
    lesson.assert_sound()
    assert {"sent", "last", "unlinked"} <= lesson.told.keys()


# door


def find_note(pid):
    """The positions of a process's descriptors that are the note, as /proc tells them here."""
    found = {}
    for number in os.listdir(f"/proc/{pid}/fd"):
        if "/note" in os.readlink(f"/proc/{pid}/fd/{number}"):
            words = Path(f"/proc/{pid}/fdinfo/{number}").read_text().split()
            found[int(number)] = int(words[words.index("pos:") + 1])
    return found


def is_under_way(seen):
    """It is in no table; the kernel counts it in the client's socket."""
    assert not find_note(seen.pids["client"])
    (fd,) = (row.fd for row, file in seen.state.descriptions_of(seen.pids["client"]) if row.fd > 2)
    words = Path(f"/proc/{seen.pids['client']}/fdinfo/{fd}").read_text().split()
    if "scm_fds:" in words:  # since Linux 5.10
        assert words[words.index("scm_fds:") + 1] == "1"
    assert seen.state.flights


def is_in_the_other_table(seen):
    numbers = find_note(seen.pids["client"])
    assert list(numbers.values()) == [len("first line\n")], "where the server had stopped"
    assert numbers.keys() == seen.modes("client", "note").keys()
    assert numbers.keys().isdisjoint(NOTE_IN_SERVER)


NOTE_IN_SERVER = {5}  # 0 to 2 are the terminal, then come the two sockets
DOOR_CLAIMS = {
    "caller": lambda s: s.event.args["credentials"].startswith(f"pid {s.pids['client']},"),
    "opened": lambda s: s.modes("server", "note").keys() == NOTE_IN_SERVER,
    "passed": lambda s: s.event.ret == 1,
    "received": lambda s: s.modes("client", "note") == {4: "r"},
    "read": lambda s: s.event.data == b"second line\n",
    "nothing": lambda s: not s.modes("client", "note"),
}
GIVEN = {"number", "used", "nothing"}
NOT_GIVEN = {"passed", "closed", "received", "read"}


@pytest.mark.parametrize(
    ("variant", "plan", "untold"),
    [
        ("py", "both", GIVEN),
        ("c", "both", GIVEN),
        ("py", "under-way", GIVEN),
        ("c", "under-way", GIVEN),
        ("py-number", "", NOT_GIVEN),
        ("c-number", "", NOT_GIVEN),
    ],
)
def test_door(variant, plan, untold):
    readers = {"received": is_in_the_other_table}
    if plan:
        readers["passed"] = is_under_way
    lesson = run_lesson("door", variant, plan, claims=DOOR_CLAIMS, readers=readers)
    lesson.assert_whole(*untold)
    assert ("client: second line" in lesson.output) == (untold is GIVEN)


async def test_a_passed_descriptor_is_on_the_screen():
    lesson = run_lesson("door", "c", "under-way")
    shows = {
        "closed": {"t": ["+fd note"]},
        "received": {"t": ["received descriptor 4 (note) from server"], "d": ["note"]},
    }
    await assert_on_screen(lesson, shows)


async def test_both_descriptors_lead_to_one_open_file():
    lesson = run_lesson("door", "c", "both")
    await assert_on_screen(lesson, {"received": {"t": ["note", "shared"]}})


@pytest.mark.parametrize("seed", ORDERS)
@pytest.mark.parametrize("variant", ["c", "c-number"])
def test_a_door_in_any_order(variant, seed):
    lesson = run_lesson("door", variant, seed=seed, claims=DOOR_CLAIMS)
    lesson.assert_whole(*(GIVEN if variant == "c" else NOT_GIVEN))


# tcp-loopback


def read_tcp_rows():
    """(state, bytes to send, bytes to read) by (own port, the other's), as /proc/net/tcp tells."""
    found = {}
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, own, other, state, queues, *_ = line.split()
        ports = tuple(int(end.partition(":")[2], 16) for end in (own, other))
        to_send, _, to_read = queues.partition(":")
        found[ports] = (int(state, 16), int(to_send, 16), int(to_read, 16))
    return found


def find_ends(seen):
    """The client's end and the server's end of the connection, each with its row of the kernel."""
    (key,) = (
        file.object for row, file in seen.state.descriptions_of(seen.pids["client"]) if row.fd > 2
    )
    client = seen.state.objects[key]
    ports = tuple(int(end.rpartition(":")[2]) for end in (client.info.local, client.info.remote))
    rows = read_tcp_rows()
    return (client, rows[ports]), (seen.state.objects[client.info.peer], rows[ports[::-1]])


def both_queues_are_full(seen):
    (client, mine), (server, theirs) = find_ends(seen)
    assert mine == (ESTABLISHED, client.level.unsent, 0)
    assert theirs == (ESTABLISHED, 0, server.level.queued)
    assert client.level.unsent >= 8192
    assert server.level.queued >= 8192


def is_half_closed(seen):
    (client, mine), (server, theirs) = find_ends(seen)
    states = {4: "fin-wait-1", 5: "fin-wait-2", ESTABLISHED: "established", 8: "close-wait"}
    assert client.level.state == states[mine[0]]
    assert server.level.state == states[theirs[0]]
    assert describe_closing(client).startswith("fin-wait-")


ESTABLISHED = 1  # include/net/tcp_states.h
TCP_CLAIMS = {
    "listen": lambda s: any(
        o.info.detail.endswith("listening") and o.info.local.startswith("127.0.0.1:")
        for o in s.state.objects.values()
    ),
    "sent": lambda s: not s.calls("server", "recvfrom"),
    "full": lambda s: s.waits("client", Why.FULL),
    "eof": lambda s: sum(c.ret for c in s.calls("server", "recvfrom")) % 8192 == 0,
    "answer": lambda s: s.event.data.endswith(b" bytes came"),
}


@pytest.mark.parametrize("variant", ["py", "c"])
def test_tcp_loopback(variant):
    readers = {"full": both_queues_are_full, "shut": is_half_closed}
    lesson = run_lesson("tcp-loopback", variant, "full", claims=TCP_CLAIMS, readers=readers)
    lesson.assert_whole()
    assert "client: 40960 bytes came" in lesson.output


def test_tcp_takes_bytes_before_the_server_accepts():
    lesson = run_lesson("tcp-loopback", "c", "unaccepted", claims=TCP_CLAIMS)
    assert not lesson.departed
    lesson.assert_sound()
    lesson.assert_asked()
    assert lesson.told["connected"] < lesson.told["sent"] < lesson.told["accepted"]


async def test_both_queues_of_a_connection_are_on_the_screen():
    lesson = run_lesson("tcp-loopback", "c", "full")
    shows = {
        "listen": {"t": ["127.0.0.1:"]},
        "full": {"t": ["full", "acknowledged"], "u": ["unacknowledged", "/16,384"]},
        "shut": {"u": ["fin-wait-"]},
    }
    await assert_on_screen(lesson, shows)


@pytest.mark.parametrize("seed", ORDERS)
def test_tcp_in_any_order(seed):
    settings = {"sends": 4, "rest": 0}
    lesson = run_lesson("tcp-loopback", "c", seed=seed, settings=settings, claims=TCP_CLAIMS)
    lesson.assert_sound()
    assert {"connected", "accepted", "read", "shut", "eof", "answer"} <= lesson.told.keys()
    assert "client: 32768 bytes came" in lesson.output


# sysv-msg


def read_queues():
    """The rows of /proc/sysvipc/msg by identifier, as the kernel tells them here."""
    head, *rows = Path("/proc/sysvipc/msg").read_text().splitlines()
    found = [dict(zip(head.split(), map(int, row.split()), strict=True)) for row in rows]
    return {row["msqid"]: row for row in found}


def read_letters(seen):
    """(the kernel's row of the queue, the letters that are shown to wait in it)."""
    thing = seen.object("letters")
    waiting = [(one.type, one.head.decode()) for one in thing.level.waiting]
    return read_queues().get(thing.info.ino), waiting


def sleeps_beside_letters(seen):
    row, waiting = read_letters(seen)
    assert (row["qnum"], row["cbytes"]) == (3, 18)
    assert waiting == [(1, "bill"), (1, "advert"), (1, "postcard")]


def others_stay(seen):
    row, waiting = read_letters(seen)
    assert row["lrpid"] == seen.pids["reader"]
    assert waiting == [(1, "bill"), (1, "advert"), (1, "postcard")]


def is_removed(seen):
    assert seen.object("letters").info.ino not in read_queues()


def is_left(seen):
    row = read_queues()[seen.object("letters").info.ino]
    assert row["qnum"] == 2, "with what nobody has taken"


LETTER_CLAIMS = {
    "sleeps": lambda s: s.waits("reader", Why.NO_MESSAGE),
    "type-2": lambda s: s.event.data == b"telegram",
    "got": lambda s: (s.event.data, s.event.args["taken"]) == (b"telegram", 2),
    "first": lambda s: (s.event.data, s.event.args["taken"]) == (b"bill", 1),
}
LETTER_READERS = {
    "sleeps": sleeps_beside_letters,
    "got": others_stay,
    "removed": is_removed,
    "left": is_left,
}


@pytest.mark.parametrize(
    ("variant", "plan", "untold"),
    [
        ("py", "beside", {"left"}),
        ("c", "beside", {"left"}),
        ("c", "there", {"left", "sleeps"}),
        ("py-left", "beside", {"removed"}),
        ("c-left", "beside", {"removed"}),
    ],
)
def test_sysv_msg(variant, plan, untold):
    lesson = run_lesson("sysv-msg", variant, plan, claims=LETTER_CLAIMS, readers=LETTER_READERS)
    if variant.endswith("-left"):
        assert lesson.left == ["file queue.key"], "ipcviz has removed the queue"
        lesson.left.clear()
    lesson.assert_whole(*untold)
    assert "wanted type 2, got type 2: telegram\nwanted type 0, got type 1: bill" in lesson.output


async def test_letters_beside_which_a_reader_sleeps_are_on_the_screen():
    lesson = run_lesson("sysv-msg", "c", "beside")
    shows = {
        "sent": {"t": ["type 1 4 B bill"]},
        "sleeps": {
            "t": ["no message of type 2: 3 others", "type 1 8 B postcard"],
            "u": ["type 1, 6 B", "advert"],
        },
        "got": {"t": ["type 1 4 B bill"]},
    }
    await assert_on_screen(lesson, shows)


@pytest.mark.parametrize("seed", ORDERS)
@pytest.mark.parametrize("variant", ["c", "py"])
def test_letters_by_type_in_any_order(variant, seed):
    settings = {"seconds": 0.0}
    lesson = run_lesson("sysv-msg", variant, seed=seed, settings=settings, claims=LETTER_CLAIMS)
    lesson.assert_whole(*{"left", "sleeps"} - lesson.told.keys())
