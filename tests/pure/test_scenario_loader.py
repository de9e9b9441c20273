"""Reading scenarios: each mistake has a sentence with file, line, what is wrong and what is
allowed.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from ipcviz.cli.check import check
from ipcviz.scenario import ScenarioError, find_scenario, list_layouts, load_all, load_scenario
from ipcviz.scenario.lines import key_lines, line_of
from ipcviz.scenario.loader import TOPICS, list_missing, shipped_folder
from ipcviz.scenario.reasons import find_phrases

GOOD = """\
title = "Two and a pipe"
topic = "pipes"
summary = "One speaks, one listens."
learn = ["something"]
minutes = 5

[parameters.times]
default = 3
min = 1
help = "how often"

[variants.sh]
language = "sh"
command = ["sh", "{here}/talk.sh", "{times}"]

[[roles]]
name = "shell"
order = 1

[[roles]]
name = "cat"
parent = "shell"
child = 2

[[objects]]
name = "the pipe"
kind = "pipe"

[[story]]
id = "pipe"
text = "A pipe."
when = { role = "shell", call = ["pipe", "pipe2"] }

[[story]]
id = "eof"
text = "The end."
when = { role = "cat", call = "read", object = "the pipe", result = 0 }
after = ["pipe"]

[[questions]]
before = "eof"
text = "How?"
choices = ["so", "not so"]
answer = "so"
"""


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "two"
    place.mkdir()
    (place / "talk.sh").write_text("echo hello | cat\n")
    (place / "scenario.toml").write_text(GOOD)
    return place


def wrong(folder, old, new):
    assert GOOD.count(old) == 1, f"{old!r} must be there once"
    (folder / "scenario.toml").write_text(GOOD.replace(old, new))
    with pytest.raises(ScenarioError) as caught:
        load_scenario(folder)
    return caught.value.message


def test_a_good_one_is_read_whole(folder):
    scenario = load_scenario(folder)
    assert scenario.name == "two"
    assert scenario.folder == folder
    assert scenario.default_variant == "sh"
    assert scenario.variants["sh"].command == ("sh", "{here}/talk.sh", "{times}")
    assert scenario.list_sources("sh") == (folder / "talk.sh",)
    assert [step.when.kind for step in scenario.story] == ["call", "call"]
    assert not scenario.shipped


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        (
            'title = "Two',
            'titel = "Two',
            1,
            "'titel' is not a key of the scenario; did you mean 'title'?",
        ),
        (
            'title = "Two and a pipe"\n',
            "",
            1,
            "the scenario has no 'title'; it needs title, topic, summary",
        ),
        (
            "minutes = 5",
            'minutes = "5"',
            5,
            "'minutes' is the text '5', but must be a whole number.",
        ),
        ("minutes = 5", "minutes = true", 5, "'minutes' is true, but must be a whole number."),
        ("minutes = 5", "minutes = 0", 5, "'minutes' is 0, but must be 1 or more."),
        (
            'learn = ["something"]',
            'learn = "something"',
            4,
            "'learn' is the text 'something', but must be a list",
        ),
        (
            'learn = ["something"]',
            'learn = [\n"a",\n7]',
            6,
            "'learn' is the number 7, but must be text in quotes",
        ),
        (
            'learn = ["something"]',
            'learn = [\n"a",\n" "]',
            6,
            "Number 2 of 'learn' is empty; leave it out.",
        ),
        ("minutes = 5", 'minutes = 5\nreading = "pipe(2)"', 6, "'reading' is the text"),
        ("minutes = 5", 'minutes = 5\nreading = [""]', 6, "Number 1 of 'reading' is empty"),
        (
            "minutes = 5",
            'minutes = 5\n[teacher]\nwrnog = ["a"]',
            7,
            "'wrnog' is not a key of teacher; did you mean 'wrong'?",
        ),
        ("minutes = 5", 'minutes = 5\n[teacher]\nnext = ["", "a"]', 7, "Number 1 of 'next'"),
        ('text = "A pipe."', 'text = "A pipe."\nnotes = 1', 32, "'notes' is the number 1"),
        ('topic = "pipes"', 'topic = ""', 2, "'topic' is empty"),
        ("default = 3", "default = 0", 8, "times can't be '0': it must be a whole number from 1."),
        (
            'help = "how often"',
            'help = "x"\ntype = "int"',
            11,
            "'int' is not a value of 'type'; did you mean 'integer'?",
        ),
        ('help = "how often"', 'help = "x"\ntype = "choice"', 7, "is a choice without 'choices'"),
        ('language = "sh"', 'language = "bash"', 13, "'bash' is not a value of 'language'"),
        (
            "{here}/talk.sh",
            "{here}/tlak.sh",
            14,
            "no file 'tlak.sh' in the scenario's folder; did you mean 'talk.sh'?",
        ),
        ("{here}/talk.sh", "{here}/../../etc/passwd", 14, "is outside the scenario's folder"),
        ('"{times}"', '"{tims}"', 14, "{tims} stands for nothing; did you mean 'times'?"),
        ('language = "sh"', 'language = "c"', 12, "is in C but builds nothing"),
        (
            "order = 1",
            'orde = "1"',
            18,
            "'orde' is not a key of roles number 1; did you mean 'order'?",
        ),
        ("order = 1", "", 16, "Nothing tells who plays 'shell'"),
        (
            'parent = "shell"',
            'parent = "shall"',
            22,
            "'shall' is not a role; did you mean 'shell'?",
        ),
        ('name = "cat"', 'name = "shell"', 21, "name 'shell' is there twice in roles"),
        (
            'kind = "pipe"',
            'kind = "pip"',
            27,
            "'pip' is not a value of 'kind'; did you mean 'pipe'?",
        ),
        ('"pipe2"] }', '"pip2"] }', 32, "'pip2' is not a call that is watched; did you mean"),
        (
            "result = 0 }",
            'because = "emty" }',
            37,
            "'emty' is no reason to wait; did you mean 'empty'?",
        ),
        ('role = "cat"', 'role = "dog"', 37, "'dog' is not a role. Allowed: shell, cat."),
        (
            'role = "cat"',
            'roel = "cat"',
            37,
            "'roel' is not a key of story number 2 when; did you mean 'role'?",
        ),
        (
            'role = "cat"',
            'event = "calls"',
            37,
            "'calls' is not a value of 'event'; did you mean 'call'?",
        ),
        ('call = "read", ', "", 37, "Nothing tells which event is meant"),
        (
            "result = 0",
            "op = 'post'",
            37,
            "'op' says nothing about an event 'call'. Allowed: role, args, call",
        ),
        (
            'call = "read", object = "the pipe", result = 0',
            'op = "psot"',
            37,
            "did you mean 'post'?",
        ),
        (
            'call = "read", object = "the pipe", result = 0',
            'event = "exited", signal = "SIGALARM"',
            37,
            "'SIGALRM'",
        ),
        (
            'object = "the pipe"',
            'object = "a pipe"',
            37,
            "'a pipe' is not one of the objects; did you mean 'the pipe'?",
        ),
        (
            'after = ["pipe"]',
            'after = ["eof"]',
            38,
            "'eof' is not the id of an earlier step. Allowed: pipe.",
        ),
        ('before = "eof"', 'before = "end"', 41, "'end' is not the id of a step"),
        (
            'answer = "so"',
            'answer = "yes"',
            44,
            "'yes' is not one of the choices. Allowed: so, not so.",
        ),
        ('choices = ["so", "not so"]', 'choices = ["so"]', 43, "A question needs two choices"),
        ("[variants.sh]", "[variants.sh", 12, "This is not TOML"),
        ('text = "How?"', "text = How", 42, "This is not TOML"),
        ('learn = ["something"]', "learn = []", 4, "'learn' is empty"),
        (
            "minutes = 5",
            'minutes = 5\ndefault = "hs"',
            6,
            "'hs' is not a variant. Allowed: sh.",
        ),
        ("[parameters.times]", "[parameters.here]", 7, "'here' can't name a parameter"),
        ("[parameters.times]", "[parameters.Times]", 7, "'Times' can't name a parameter"),
        (
            "min = 1",
            'type = "integer"\nchoices = ["3"]',
            10,
            "is of type integer, which has no 'choices'",
        ),
        ("default = 3", 'default = "3"', 7, "is of type text, which has no 'min' and 'max'"),
        ('command = ["sh", "{here}/talk.sh", "{times}"]', "command = []", 14, "'command' is empty"),
        ('"{here}/talk.sh"', '"{build}/talk"', 14, "'talk' is not built by this variant"),
        (
            'language = "sh"',
            'language = "sh"\nbuild = { "a/b" = ["talk.sh"] }',
            14,
            "'a/b' can't name a program",
        ),
        ('language = "sh"', 'language = "sh"\nbuild = { talk = [] }', 14, "has no source files"),
        (
            "order = 1",
            "order = 1\nchild = 2",
            19,
            "'child' but no 'parent' to count the children of",
        ),
        ("child = 2", "child = -2", 23, "'child' is -2, but must be 1 or more"),
        (
            'kind = "pipe"',
            'kind = "pipe"\noffset = 4',
            28,
            "'offset' is for semaphores and variables only",
        ),
        (
            'kind = "pipe"',
            'kind = "pipe"\nsymbol = "counter"',
            25,
            "'memory' and 'symbol' are for variables only",
        ),
        ('kind = "pipe"', 'kind = "pipe"\norder = -1', 28, "'order' is -1, but must be 1 or more"),
        ('kind = "pipe"', 'kind = "variable"', 25, "needs 'symbol' (a C variable), or 'memory'"),
        (
            'kind = "pipe"',
            'kind = "variable"\nsymbol = "n"\ntype = "itn"',
            29,
            "'itn' is not a type; did you mean 'int'?",
        ),
        (
            'kind = "pipe"',
            'kind = "variable"\nmemory = "m"\noffset = 2\ntype = "int"',
            29,
            "'offset' is 2, but must be a multiple of the 4 bytes of int",
        ),
    ],
)
def test_each_mistake_has_its_line_and_what_is_allowed(folder, old, new, line, says):
    message = wrong(folder, old, new)
    assert message.startswith(f"{folder / 'scenario.toml'}:{line}: "), message
    assert says in message


FIELDS = """name = "the pipe"
kind = "shared memory"
path = "queue"
fields = [
  { name = "size", offset = 0 },
  { name = "slot", offset = 8, type = "long", count = "size" },
  { name = "text", offset = 64, type = "char", count = 16 },
]
"""


def with_fields(folder, old, new):
    text = GOOD.replace('name = "the pipe"\nkind = "pipe"\n', FIELDS.replace(old, new))
    assert "fields" in text
    (folder / "scenario.toml").write_text(text)
    return load_scenario(folder)


def test_fields_of_shared_memory_are_read(folder):
    layout = list_layouts(with_fields(folder, "", ""))["the pipe"]
    assert [(f.name, f.type, f.offset, f.counted_by) for f in layout] == [
        ("size", "int", 0, ""),
        ("slot", "long", 8, "size"),
        ("text", "char", 64, ""),
    ]
    assert (layout[0].count, layout[2].count, layout[2].is_text) == (1, 16, True)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (", offset = 0", "", "has no 'offset'; it needs name, offset"),
        ("offset = 0 ", "offset = -4 ", "'offset' is -4, but must be 0 or more"),
        ('"long"', '"lang"', "'lang' is not a type; did you mean 'long'?"),
        ('"size" }', '"sise" }', "'sise' is not an earlier field; did you mean 'size'?"),
        ("count = 16", "count = 0", "'count' is 0, but must be from 1 to"),
        ("count = 16", "count = true", "'count'"),
        ('name = "text"', 'name = "slot"', "'slot' can't name a field of 'the pipe'"),
        ('"shared memory"', '"pipe"', "'fields' are for what can be mapped"),
    ],
)
def test_what_is_wrong_with_fields(folder, old, new, says):
    assert FIELDS.count(old) == 1
    with pytest.raises(ScenarioError) as caught:
        with_fields(folder, old, new)
    assert says in caught.value.message


def test_what_is_for_the_teacher_is_read(folder):
    text = GOOD.replace(
        "minutes = 5",
        'minutes = 5\nreading = ["pipe(2)"]\n[teacher]\nwrong = ["It is a file."]\nnext = ["Why?"]',
    ).replace('text = "A pipe."', 'text = "A pipe."\nnotes = "Point at 3."')
    (folder / "scenario.toml").write_text(text)
    scenario = load_scenario(folder)
    assert scenario.reading == ("pipe(2)",)
    assert scenario.teacher.wrong == ("It is a file.",)
    assert scenario.teacher.next == ("Why?",)
    assert [step.notes for step in scenario.story] == ["Point at 3.", ""]


def test_a_scenario_without_variants(folder):
    text = re.sub(r"\[variants\.sh\][^[]*\[\"sh[^\n]*", "[variants]", GOOD)
    (folder / "scenario.toml").write_text(text)
    with pytest.raises(ScenarioError, match="There is no variant; write at least one"):
        load_scenario(folder)


def test_more_variables_than_a_processor_watches(folder):
    one = '[[objects]]\nname = "v{0}"\nkind = "variable"\nsymbol = "v{0}"\n'
    (folder / "scenario.toml").write_text(GOOD + "".join(one.format(n) for n in range(5)))
    with pytest.raises(ScenarioError, match="5 variables are declared, and a processor watches 4"):
        load_scenario(folder)


WITH_NOTES = ("shell-pipeline", "fifo-gzip", "mmap-queue", "sem-counter", "sleep-race")


@pytest.mark.parametrize("name", WITH_NOTES)
def test_the_first_ones_have_notes_for_the_teacher(name):
    scenario = find_scenario(name)
    assert scenario.reading
    assert scenario.teacher.wrong
    assert scenario.teacher.next
    assert sum(bool(step.notes) for step in scenario.story) > len(scenario.story) / 2


def test_the_first_of_several_mistakes_is_said_and_the_others_counted(folder):
    (folder / "scenario.toml").write_text(
        GOOD.replace("minutes", "minuts").replace('answer = "so"', "answer = 1")
    )
    with pytest.raises(ScenarioError, match=r":5: 'minuts' is not .* \(2 more\.\)"):
        load_scenario(folder)


def test_what_is_no_file_or_no_text(folder, tmp_path):
    with pytest.raises(ScenarioError, match=r"There is no scenario\.toml in"):
        load_scenario(tmp_path)
    (folder / "scenario.toml").write_bytes(b'title = "a"\nsummary = "\xff"\n')
    with pytest.raises(ScenarioError, match=":2: This line is not UTF-8"):
        load_scenario(folder)
    (folder / "scenario.toml").write_text(f"minutes = {'1' * 5000}\n")
    with pytest.raises(ScenarioError, match=":1: A number in it has more digits"):
        load_scenario(folder)
    (folder / "scenario.toml").unlink()
    (folder / "scenario.toml").mkdir()
    with pytest.raises(ScenarioError, match="can't be read: Is a directory"):
        load_scenario(folder)


def test_found_by_name_by_topic_and_by_path(folder, monkeypatch):
    assert find_scenario("sleep-race").shipped
    assert find_scenario("signals/sleep-race").name == "sleep-race"
    assert find_scenario(str(folder)).name == "two"
    assert find_scenario(folder / "scenario.toml").name == "two"
    monkeypatch.chdir(folder)
    assert find_scenario(".").name == "two"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("sleep-rac", "Did you mean 'sleep-race'?"),
        ("no-such-thing", "There is no scenario 'no-such-thing'; 'ipcviz list' shows all."),
        ("/no/such/folder", "There is no scenario at '/no/such/folder'"),
        ("", "There is no scenario ''"),
    ],
)
def test_what_is_not_found_is_said(name, says):
    with pytest.raises(ScenarioError) as caught:
        find_scenario(name)
    assert says in caught.value.message
    assert "\n" not in caught.value.message


def test_the_shipped_ones_are_sound():
    scenarios = load_all()
    assert {"shell-pipeline", "fifo-gzip", "mmap-queue", "sleep-race"} <= {
        scenario.name for scenario in scenarios
    }
    assert [scenario.topic for scenario in scenarios] == sorted(
        (s.topic for s in scenarios), key=TOPICS.index
    )
    for scenario in scenarios:
        assert scenario.folder.parent == shipped_folder() / scenario.topic
        languages = {variant.language for variant in scenario.variants.values()}
        default = scenario.variants[scenario.default_variant].language
        assert default != "c" or languages == {"c"}, "the default must need no compiler"
        assert scenario.questions, "a story asks at least one question"
        assert len(scenario.story) > 5
        for name in scenario.variants:
            assert scenario.list_sources(name)


def test_lines_of_everything_that_toml_can_say():
    text = """\
# [not.a.table]
a = '''
b = 1
''' # c
"d e" = { x = 1, y = { z = "}" } }
f.g = [
  "# no comment", [1.5, 2],
  { h = 1 },
]

[[t]]
k = "\\"]"
[t.u]
v = 1
[[t]]
k = \"\"\"
m = "
\"\"\"
[[t.w]]
q = 1979-05-27T07:32:00Z
[[t.w]]
q = +1e5
"""
    lines = key_lines(text)
    wanted = {
        ("a",): 2,
        ("d e", "y", "z"): 5,
        ("f", "g", 0): 7,
        ("f", "g", 1, 1): 7,
        ("f", "g", 2, "h"): 8,
        ("t", 0, "k"): 12,
        ("t", 0, "u", "v"): 14,
        ("t", 1, "k"): 16,
        ("t", 1, "w", 0, "q"): 20,
        ("t", 1, "w", 1, "q"): 22,
    }
    assert {path: lines.get(path) for path in wanted} == wanted
    assert line_of(lines, ("t", 1, "w", 1, "missing", 3)) == 21
    assert line_of(lines, ("nothing",)) == 1
    assert ("b",) not in lines


@given(
    st.integers(0, len(GOOD)),
    st.integers(0, 40),
    st.text(alphabet="[]{}=\"'#\n,. \\a1é", max_size=6),
)
def test_no_damage_to_the_file_gives_anything_but_a_sentence(tmp_path_factory, start, length, put):
    place = tmp_path_factory.getbasetemp() / "damaged"
    place.mkdir(exist_ok=True)
    (place / "talk.sh").write_text("")
    (place / "scenario.toml").write_text(GOOD[:start] + put + GOOD[start + length :])
    try:
        load_scenario(place)
        said = None
    except ScenarioError as error:
        said = error.message
    assert said is None or said.startswith(f"{place / 'scenario.toml'}:")


def test_reading_scenarios_needs_no_screen():
    code = (
        "import sys, ipcviz.scenario; print([m for m in sys.modules if m.split('.')[0] in"
        " ('textual', 'rich')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_manuals_example_is_right(tmp_path):
    text = (Path(__file__).parents[2] / "docs" / "scenarios.md").read_text()
    for language, name in (("toml", "scenario.toml"), ("sh", "talk.sh")):
        (tmp_path / name).write_text(re.search(rf"```{language}\n(.*?)```", text, re.DOTALL)[1])
    assert [step.id for step in load_scenario(tmp_path).story] == ["pipe", "said", "eof"]


PLAN = """
[schedules.first]
title = "the cat comes first"
settings = { times = 2 }
variants = ["sh"]
steps = \"\"\"
# the second child
cat to read on the pipe
until SIGCHLD pending on shell
1.1 to end
run until call=write on="the pipe" of=cat
\"\"\"
"""


def test_a_schedule_is_read(folder):
    (folder / "scenario.toml").write_text(GOOD + PLAN)
    plan = load_scenario(folder).schedules["first"]
    assert plan.title == "the cat comes first"
    assert plan.settings == {"times": 2}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "cat to read",
            "dog to read",
            "In line 2 of the steps 'dog' is not a role. Allowed: shell, cat.",
        ),
        ("to read on", "to raed on", "'raed' is no operation"),
        (
            "on the pipe",
            "on the hose",
            "'the hose' is not one of the objects; did you mean 'the pipe'?",
        ),
        ("SIGCHLD", "SIGCHILD", "In line 3 of the steps 'SIGCHILD' is not a signal"),
        ("1.1 to end", "1.1", "In line 4 of the steps '1.1' is no step; write "),
        ("times = 2", "times = 0", "times can't be '0'"),
        ("times = 2", "time = 2", "'time' is not a parameter; did you mean 'times'?"),
        ('variants = ["sh"]', 'variants = ["zsh"]', "'zsh' is not a variant; did you mean 'sh'?"),
        ('title = "the cat comes first"\n', "", "schedules first has no 'title'"),
    ],
)
def test_what_is_wrong_with_a_schedule(folder, old, new, words):
    assert old in PLAN
    (folder / "scenario.toml").write_text(GOOD + PLAN.replace(old, new))
    with pytest.raises(ScenarioError) as caught:
        load_scenario(folder)
    assert words in caught.value.message
    assert "scenario.toml:" in caught.value.message


@pytest.mark.parametrize(
    ("cast", "words"),
    [
        ("frist", "'frist' is not a schedule; did you mean 'first'?"),
        ("first", "Schedule 'first' is not for 'py', the variant that is run if none is named."),
    ],
)
def test_what_is_wrong_with_the_schedule_of_a_cast(folder, cast, words):
    other = '[variants.py]\nlanguage = "py"\ncommand = ["cat"]\n\n[variants.sh]'
    text = GOOD.replace("minutes = 5", f'minutes = 5\ncast = "{cast}"') + PLAN
    (folder / "scenario.toml").write_text(text.replace("[variants.sh]", other))
    with pytest.raises(ScenarioError) as caught:
        load_scenario(folder)
    assert "scenario.toml:6: " in caught.value.message
    assert words in caught.value.message


def test_check_says_all_that_is_wrong_line_by_line(folder):
    text = GOOD.replace("default = 3", "default = 0").replace('answer = "so"', 'answer = "yes"')
    (folder / "scenario.toml").write_text(text)
    done = CliRunner().invoke(check, [str(folder)])
    assert done.exit_code == 2
    lines = done.output.splitlines()
    assert [re.search(r"scenario\.toml:(\d+): ", line)[1] for line in lines] == ["8", "44"]
    assert "more.)" not in done.output


def test_check_says_what_a_lesson_is_missing(folder):
    done = CliRunner().invoke(check, [str(folder)])
    assert done.exit_code == 0
    for words in (
        "scenario.toml:1: There is no 'reading'",
        "[teacher] needs 'wrong'",
        "Step 'eof' has no 'look'",
        "This question has no 'why'",
    ):
        assert words in done.output, done.output


def test_check_says_that_a_question_may_come_too_late(folder):
    file = folder / "scenario.toml"
    file.write_text(re.sub(r'after = \["[a-z]+"\]\n', "", GOOD))
    done = CliRunner().invoke(check, [str(folder)])
    assert "Step 'eof' answers a question and has no 'after'" in done.output


def test_nothing_is_missing_in_what_comes_with_ipcviz():
    assert [line for scenario in load_all() for line in list_missing(scenario)] == []


def test_words_of_the_screen_are_taken_for_names_and_said_to_be_old(folder):
    file = folder / "scenario.toml"
    file.write_text(GOOD.replace("result = 0 }", 'because = ["no writer*", "empty"] }'))
    assert find_phrases(load_scenario(folder)) == (("'eof'", "no writer*", ("no-writer",)),)
    done = CliRunner().invoke(check, [str(folder)])
    assert done.exit_code == 0
    assert (
        "Step 'eof': because = 'no writer*' is how the screen once put it; write 'no-writer'.\n"
        in done.output
    )
