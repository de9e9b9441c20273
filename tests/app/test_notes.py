"""The teacher's notes: a socket of one's own that tells pages, and whoever is at either end."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import stat
import sys
import time

import pytest

from ipcviz.app.app import IpcvizApp
from ipcviz.app.notes.client import choose_screen, find_screens, read_first_page, read_pages
from ipcviz.app.notes.folder import (
    NotesError,
    find_folder,
    list_offers,
    make_folder,
    name_socket,
    sweep_folder,
)
from ipcviz.app.notes.host import NotesHost
from ipcviz.app.notes.page import (
    FORMAT,
    MOST_BYTES,
    NotesPage,
    OnScreen,
    StoryPart,
    build_page,
    decode_page,
    encode_page,
)
from ipcviz.app.notes.screen import NotesApp
from ipcviz.app.notes.server import NotesServer
from ipcviz.app.notes.words import format_page
from ipcviz.scenario import Progress, find_scenario
from tests import fakes, stepped
from tests.app.test_stepping import stage

PAGE = NotesPage(
    format=FORMAT, scenario="talk", title="Two and a pipe", pid=7, way="live", minutes=5
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    # A socket's path has at most 107 bytes.
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return find_folder()


def serve(folder, page=PAGE, on_readers=lambda anybody: None):
    return NotesServer(lambda: page, on_readers, folder)


# The page.


def test_a_page_has_the_notes_what_comes_next_and_the_answer():
    scenario = find_scenario("shell-pipeline")
    shown = OnScreen(
        pid=7,
        way="step by step",
        place="part 2 of 15",
        used=72.0,
        step=4,
        following="shell is about to fork",
    )
    page = build_page(scenario, Progress(reached=(0, 1)), shown)
    assert decode_page(encode_page(page)) == page
    text = "\n".join(format_page(page))
    assert text.startswith(
        "A pipeline of the shell - part 2 of 15 - step 4 - step by step\n1:12 of 8"
    )
    assert scenario.story[1].notes in text
    assert "shell is about to fork" in text
    assert "=> 2  both" in text
    assert "fork copies the whole descriptor table." in text
    assert scenario.story[2].notes in " ".join(text.split())
    assert "pipe(2), fork(2)" in text


def test_hands_are_told_with_the_choices():
    scenario = find_scenario("shell-pipeline")
    shown = OnScreen(pid=7, way="live", place="", used=0.0, counts=(3, 1, 0))
    page = build_page(scenario, Progress(reached=(0, 1)), shown)
    text = "\n".join(format_page(page))
    assert "only the one that it needs   3 hands" in text
    assert "both   1 hand\n" in text


def test_a_page_is_bounded_whatever_the_scenario_says():
    from msgspec.structs import replace

    scenario = find_scenario("shell-pipeline")
    many = ("\x01" * 100_000,) * 100
    hostile = replace(
        scenario,
        title="\udc80" * 5_000,
        reading=many,
        teacher=replace(scenario.teacher, wrong=many, next=many),
        story=tuple(
            replace(step, text=many[0], notes=many[0], title=many[0]) for step in scenario.story
        ),
    )
    shown = OnScreen(pid=7, way="live", place="\x1b" * 5_000, used=0.0)
    line = encode_page(build_page(hostile, Progress(reached=(0,)), shown))
    assert len(line) < MOST_BYTES
    assert decode_page(line).reading[0].startswith("\x01")


# The socket.


async def test_a_socket_is_of_its_owner_alone_and_goes_with_the_screen(folder):
    server = serve(folder)
    await server.start()
    (path,) = folder.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert await read_first_page(path) == PAGE
    server.stop()
    assert list(folder.iterdir()) == []


async def test_pages_follow_and_the_end_is_the_end(folder):
    pages, told, readers = [PAGE], [], []
    server = NotesServer(lambda: pages[-1], readers.append, folder)
    await server.start()
    (path,) = folder.iterdir()

    async def follow():
        async for page in read_pages(path):
            told.append(page.place)

    following = asyncio.create_task(follow())
    for place in ("part 1 of 3", "part 1 of 3", "part 2 of 3"):
        await until(lambda: told)
        pages.append(
            NotesPage(
                format=FORMAT, scenario="talk", title="", pid=7, way="live", place=place, used=3.0
            )
        )
        server.tell_page()
    await until(lambda: told[-1] == "part 2 of 3")
    server.stop()
    await asyncio.wait_for(following, 10)
    assert told == ["", "part 1 of 3", "part 2 of 3"]
    assert readers[0] is True


async def until(holds):
    for _ in range(1_000):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come to that")


async def test_a_reader_that_sends_anything_or_takes_nothing_is_left(folder):
    big = NotesPage(
        format=FORMAT,
        scenario="talk",
        title="",
        pid=7,
        way="live",
        now=StoryPart(text="x" * 400_000),
    )
    pages = [big]
    server = NotesServer(lambda: pages[-1], lambda anybody: None, folder)
    await server.start()
    (path,) = folder.iterdir()
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(b"rm -rf /\n")
    assert len(await asyncio.wait_for(reader.read(), 10)) <= len(encode_page(big))
    writer.close()

    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.setblocking(False)
        deaf.connect(str(path))
        await until(lambda: server._readers)
        for number in range(20):
            pages.append(
                NotesPage(
                    format=FORMAT,
                    scenario="talk",
                    title=str(number),
                    pid=7,
                    way="live",
                    now=big.now,
                )
            )
            server.tell_page()
        await until(lambda: not server._readers)
    server.stop()


async def test_what_was_killed_is_cleared_and_what_lives_is_found(folder):
    code = (
        "import asyncio, sys\n"
        "from tests.app.test_notes import serve, PAGE\n"
        "from pathlib import Path\n"
        "async def main():\n"
        "    await serve(Path(sys.argv[1])).start()\n"
        "    print('ready', flush=True)\n"
        "    await asyncio.sleep(100)\n"
        "asyncio.run(main())\n"
    )
    root = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, str(folder), stdout=asyncio.subprocess.PIPE, cwd=root
    )
    assert await asyncio.wait_for(child.stdout.readline(), 30) == b"ready\n"
    found = await find_screens(folder)
    assert [(offer.pid, page) for offer, page in found] == [(child.pid, PAGE)]
    child.send_signal(signal.SIGKILL)
    await child.wait()
    assert len(list_offers(folder)) == 1
    server = serve(folder)
    await server.start()
    assert [offer.pid for offer in list_offers(folder)] == [os.getpid()]
    server.stop()


async def test_another_users_folder_is_not_trusted(folder):
    await (server := serve(folder)).start()
    folder.chmod(0o777)
    with pytest.raises(NotesError, match="not a folder of yours alone"):
        await find_screens(folder)
    server.stop()
    folder.chmod(0o700)
    assert await find_screens(folder) == []


async def test_a_folder_that_is_a_link_is_not_used(folder, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(NotesError, match="not a folder of yours alone"):
        await serve(folder).start()
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (b"\x1b]0;mine\x07\n", "no page of notes"),
        (b"{}\n", "no page of notes"),
        (b"[" * 100_000 + b"\n", "no page of notes"),
        (b"x" * (MOST_BYTES * 3), "too long"),
        (encode_page(PAGE).replace(b'"format":1', b'"format":9'), "another ipcviz"),
    ],
)
async def test_whoever_tells_something_else_is_one_sentence(folder, sent, says):
    async def tell(reader, writer):
        writer.write(sent)
        try:
            await writer.drain()
        except ConnectionError:
            pass
        writer.close()

    folder.mkdir(mode=0o700)
    async with await asyncio.start_unix_server(tell, path=folder / "1.notes"):
        with pytest.raises(NotesError, match=says):
            await find_screens(folder)


async def test_several_are_told_apart(folder):
    found = [
        (offer_of(2), PAGE),
        (offer_of(1), NotesPage(**{**vars_of(PAGE), "scenario": "queue"})),
    ]
    assert choose_screen(found, "")[0].pid == 2
    assert choose_screen(found, "queue")[0].pid == 1
    assert choose_screen(found, "1")[0].pid == 1
    with pytest.raises(NotesError, match=r"There is: talk \(process 2\), queue \(process 1\)"):
        choose_screen(found, "pipe")
    with pytest.raises(NotesError, match="No scenario is on a screen of yours"):
        choose_screen([], "")


def offer_of(pid):
    from pathlib import Path

    from ipcviz.app.notes.folder import Offer

    return Offer(pid, Path("/nowhere"))


def vars_of(page):
    from msgspec.structs import asdict

    return asdict(page)


# Both screens.


async def test_the_notes_follow_the_screen(folder):
    scenario = find_scenario("shell-pipeline")
    async with stage(stepped.pair(), scenario=scenario) as s:
        host = NotesHost(s.app, clock=lambda: s.clock.now, folder=folder)
        await host.start()
        (offer,) = list_offers(folder)
        page = await read_first_page(offer.path)
        assert page.way == "step by step"
        assert page.following
        s.app.feed.story.progress = Progress(reached=(0, 1))
        s.app.live.timeline.show_present(s.app.feed.make_view())
        page = await read_first_page(offer.path)
        assert page.now.notes == scenario.story[1].notes
        host.stop()


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (20, 5)])
async def test_the_notes_screen_shows_pages_escaped_and_ends_with_the_screen(folder, size):
    told = [
        NotesPage(
            format=FORMAT,
            scenario="talk",
            title="\x1b]0;mine\x07 [/foo]",
            pid=7,
            way="live",
            now=StoryPart(title="A pipe [/b]", text="text", notes="Point at 3 \x1b[2J."),
            minutes=5,
            used=301.0,
        )
    ]
    server = NotesServer(lambda: told[-1], lambda anybody: None, folder)
    await server.start()
    (offer,) = list_offers(folder)
    app = NotesApp(offer, PAGE, "There is another.", clock=lambda: 0.0)
    async with app.run_test(size=size) as pilot:
        for _ in range(100):
            await pilot.pause()
            if app.page.used:
                break
        shown = "\n".join(str(one.render()) for one in app.query("Static"))
        assert r"\x1b]0;mine\x07 [/foo]" in shown
        assert r"Point at 3 \x1b[2J." in shown or size[0] < 40
        assert "5:01 of 5 minutes" in shown
        await pilot.press("j", "k", "T")
        server.stop()
        for _ in range(100):
            await pilot.pause()
            if app.return_value:
                break
    assert app.return_value == "talk: its screen has ended."


def leave_socket(folder, pid):
    """A socket at which nobody accepts, as a screen leaves it that is killed."""
    make_folder(folder)
    path = name_socket(folder, pid)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path.relative_to(os.getcwd())))
        left.listen()
    return path


async def test_what_a_killed_screen_left_is_removed_by_the_next_one_of_any_kind(folder):
    path = leave_socket(folder, 99)
    session = fakes.FakeSession(fakes.pipeline_start())
    app = IpcvizApp(session, "a command", notes=True)
    async with app.run_test():
        deadline = time.monotonic() + 10
        while path.exists():
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)


async def test_what_cant_be_removed_harms_nobody(folder, monkeypatch):
    path = leave_socket(folder, 99)

    def refuse(self, missing_ok=False):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(type(path), "unlink", refuse)
    await sweep_folder(folder)
    monkeypatch.undo()
    folder.chmod(0o777)
    await sweep_folder(folder)
    await sweep_folder(folder / "nowhere")
    assert path.exists()
