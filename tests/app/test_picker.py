"""Choosing running processes: the table, its search, marks, and what is chosen."""

from __future__ import annotations

import pytest

from ipcviz.app.picker import ExaminedPicker, Picker
from ipcviz.app.textual_internals import shown_notes
from ipcviz.tracer.running import RunningProcess

NOW = 1_800_000_000.0


def process(
    pid: int,
    name: str,
    *words: str,
    user: str = "ada",
    age: float = 60.0,
    blocked_in: str = "runs",
    **kw,
):
    return RunningProcess(
        pid, user, name, (name, *words), NOW - age, kw.get("threads", 1), blocked_in
    )


REDIS = process(
    40, "redis-server", "*:6379", age=7200, blocked_in="epoll_wait(5) for descriptors", threads=6
)
CAT = process(31, "cat", "[/foo]", "\x1b]0;HI\x07", blocked_in="read(0) on a pipe")
SLEEP = process(30, "sleep", "100", user="bob", blocked_in="clock_nanosleep for time to pass")


class Table:
    """The picker over processes that the test changes."""

    def __init__(
        self,
        *processes: RunningProcess,
        refusal: str = "",
        kind: type[Picker] = Picker,
        **options: object,
    ) -> None:
        self.processes = processes
        self.refusal = refusal
        self.app = kind(
            lambda: self.processes, lambda pids, trace: self.refusal, clock=lambda: NOW, **options
        )

    def rows(self) -> list[str]:
        table = self.app.query_one("#list")
        return [str(table.get_option_at_index(at).prompt) for at in range(table.option_count)]

    def about(self) -> str:
        return str(self.app.query_one("#about").content)


async def test_a_row_says_whose_since_when_and_blocked_in_what():
    table = Table(CAT, SLEEP, REDIS)
    async with table.app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        cat, sleep, redis = table.rows()
    assert cat.split()[:6] == ["31", "ada", "cat", "60", "s", "1"]
    assert cat.rstrip().endswith("read(0) on a pipe")
    assert sleep.split()[1] == "bob"
    assert "2 h" in redis.replace("120 min", "2 h")
    assert "6  epoll_wait(5)" in redis


async def test_typing_searches_in_all_that_is_listed_and_enter_chooses():
    table = Table(CAT, SLEEP, REDIS)
    async with table.app.run_test(size=(80, 24)) as pilot:
        await pilot.press(*"bob 100")
        await pilot.pause()
        assert [row.split()[0] for row in table.rows()] == ["30"]
        await pilot.press("enter")
    assert table.app.return_value == ((30,), False, False)


async def test_several_are_marked_and_how_they_are_watched_is_said():
    table = Table(CAT, SLEEP, REDIS, trace=True)
    async with table.app.run_test(size=(80, 24)) as pilot:
        await pilot.press("tab", "down", "tab", "ctrl+r")
        await pilot.pause()
        assert (
            "Enter watches the 2 marked processes and what they fork. They stop at each"
            in table.about()
        )
        await pilot.press("ctrl+t")
        await pilot.pause()
        assert "Nothing is stopped: they are only looked at" in table.about()
        await pilot.press("enter")
    assert table.app.return_value == ((31, 40), False, True)


async def test_the_cursor_and_the_marks_stay_with_their_processes():
    table = Table(CAT, SLEEP, REDIS)
    async with table.app.run_test(size=(80, 24)) as pilot:
        await pilot.press("tab", "down")  # cat is marked, the cursor on redis
        assert table.app.chosen == REDIS
        table.processes = (process(50, "new", age=1), CAT._replace(started=NOW - 3), REDIS)
        await table.app.refresh_processes()
        await pilot.pause()
        assert table.app.chosen == REDIS
        assert table.app.marked == {}  # another process has got the number since
        table.processes = ()
        await table.app.refresh_processes()
        await pilot.press("enter")
        assert table.app.chosen is None
        assert table.app.is_running


async def test_a_refusal_is_said_and_the_table_stays():
    table = Table(REDIS, refusal="redis-server[40] is a process of root: run ipcviz as root.")
    async with table.app.run_test(size=(80, 24), notifications=True) as pilot:
        await pilot.press("enter")
        await pilot.pause()
        assert [note.message for note in shown_notes(table.app)] == [table.refusal]
        assert table.app.is_running


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (40, 10), (20, 5)])
async def test_names_of_any_bytes_are_only_text(size):
    table = Table(CAT, process(7, "x" * 300, user="ü" * 40))
    async with table.app.run_test(size=size) as pilot:
        await pilot.pause()
        assert all(row.isprintable() and len(row) <= max(size[0], 20) for row in table.rows())
        assert "\x1b" not in table.app.export_screenshot()
        assert (table.about() == "") == (size[0] < 40) or "[/foo]" in table.about()


async def test_words_of_the_command_line_are_searched_from_the_beginning():
    table = Table(CAT, SLEEP, REDIS, wanted="redis")
    async with table.app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        assert len(table.rows()) == 1
        assert table.rows()[0].rstrip().endswith("redis-server '*:6379'")
        await pilot.press("escape")
        await pilot.pause()
        assert len(table.rows()) == 3


async def test_who_is_called_so_comes_before_who_only_mentions_it():
    table = Table(process(9, "bash", "-c", "sleep 5"), SLEEP, CAT, wanted="sleep")
    async with table.app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert [row.split()[0] for row in table.rows()] == ["30", "9"]


async def test_space_marks_while_nothing_is_searched_for():
    table = Table(CAT, SLEEP, REDIS)
    async with table.app.run_test(size=(80, 24)) as pilot:
        await pilot.press("space", "space")
        assert set(table.app.marked) == {31, 30}
        await pilot.press(*"bob", "space", "1")
        assert table.app.query_one("#search").value == "bob 1"
        await pilot.press("enter")
    assert table.app.return_value == ((31, 30), False, False)


async def test_who_is_examined_is_not_traced():
    table = Table(CAT, SLEEP, REDIS, kind=ExaminedPicker, tree=True)
    async with table.app.run_test(size=(80, 24)) as pilot:
        await pilot.press("ctrl+t", "ctrl+r")
        await pilot.pause()
        assert "Enter examines this process and what it forks. Nothing is stopped" in table.about()
        await pilot.press("enter")
    assert table.app.return_value == ((31,), False, True)
