"""What shells complete, and the manual page, are made from the commands."""

from __future__ import annotations

import pytest
from click.shell_completion import ShellComplete

from docs.make_man import PAGE, make_page
from ipcviz.cli.main import COMMANDS, cli
from ipcviz.scenario import find_scenario, load_all

SCENARIOS = [one.name for one in load_all()]
FILES = "(files)"


def completed(*words: str) -> list[str]:
    """What the last of the words may become; `(files)` where the shell is to add files."""
    found = ShellComplete(cli, {}, "ipcviz", "_IPCVIZ_COMPLETE").get_completions(
        list(words[:-1]), words[-1]
    )
    return [FILES if one.type == "file" else one.value for one in found]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("",), list(COMMANDS)),
        (("re",), ["replay", "record"]),
        (("run", ""), SCENARIOS),
        (("run", "sle"), ["sleep-race"]),
        (("run", "sleep-race", ""), [FILES]),
        (("run", "./"), [FILES]),
        (("run", "--", ""), [FILES]),
        (("run", "--", "sle"), [FILES]),
        (("trace", "-o", "t", "mmap-q"), ["mmap-queue"]),
        (("record", "mmap-q"), ["mmap-queue"]),
        (("replay", ""), [FILES]),
        (("run", "sleep-race", "--schedule", ""), list(find_scenario("sleep-race").schedules)),
        (("run", "signals/sleep-race", "--schedule", "l"), ["lost"]),
        (("record", "sleep-race", "-o", "x", "--schedule", "l"), ["lost"]),
        (("trace", "--schedule", "./"), [FILES]),
        (("run", "sleep-race", "--variant", ""), list(find_scenario("sleep-race").variants)),
        (("run", "mmap-queue", "--set", "order="), ["order=stack", "order=ring"]),
        (("run", "mmap-queue", "--set", "sl"), ["slots=5"]),
        (("record", "sleep-race", "--theme", ""), ["dark", "light"]),
        (("run", "--save", ""), [FILES]),
        (("trace", "-o", "t"), [FILES]),
        (("attach", "--jsonl", "-o", ""), [FILES]),
    ],
)
def test_what_is_completed(words, expected):
    assert completed(*words) == expected


def test_before_a_scenario_is_named_those_of_all_are():
    everything = [name for one in load_all() for name in one.schedules]
    assert completed("trace", "--schedule", "") == list(dict.fromkeys(everything))


def test_the_manual_page_is_up_to_date():
    assert PAGE.read_text(encoding="utf-8") == make_page(), "run python -m docs.make_man"


def test_the_manual_page_has_every_command_and_option():
    page = make_page().replace("\\-", "-")
    for name in COMMANDS:
        assert f"\n.SS {name}" in page
        command = cli.get_command(None, name)
        for param in command.params:
            for option in param.opts if param.param_type_name == "option" else ():
                assert f"\\fB{option}\\fR" in page
