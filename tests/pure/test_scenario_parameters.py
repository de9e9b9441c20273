"""What the viewer sets is read by its type, and refused with what is allowed."""

from __future__ import annotations

import pytest

from ipcviz.scenario import ScenarioError, allowed_values, find_scenario, read_settings
from ipcviz.scenario.format import Parameter
from ipcviz.scenario.parameters import as_text, read_value, settle_parameters, type_of
from ipcviz.scenario.words import fill_placeholders, names_in


@pytest.mark.parametrize(
    ("parameter", "text", "value"),
    [
        (Parameter(default=4, help="", min=1, max=64), "64", 64),
        (Parameter(default=0.5, help="", min=0), "2", 2.0),
        (Parameter(default="stack", help="", choices=("stack", "ring")), "ring", "ring"),
        (Parameter(default=False, help=""), "Yes", True),
        (Parameter(default=True, help=""), "off", False),
        (Parameter(default="a", help=""), "", ""),
        (Parameter(default=1, help="", type="number"), "0.25", 0.25),
    ],
)
def test_read(parameter, text, value):
    assert read_value("x", parameter, text) == value
    assert type(read_value("x", parameter, text)) is type(value)


@pytest.mark.parametrize(
    ("parameter", "text", "says"),
    [
        (
            Parameter(default=4, help="", min=1, max=64),
            "65",
            "x can't be '65': it must be a whole number from 1 to 64.",
        ),
        (Parameter(default=4, help="", max=9), "many", "must be a whole number up to 9."),
        (Parameter(default=4, help=""), "4.5", "must be a whole number."),
        (Parameter(default=0.5, help="", min=0), "-0.1", "must be a number from 0."),
        (Parameter(default=0.5, help=""), "nan", "must be a number."),
        (Parameter(default=0.5, help=""), "inf", "must be a number."),
        (
            Parameter(default="stack", help="", choices=("stack", "ring")),
            "heap",
            "must be stack or ring.",
        ),
        (Parameter(default=False, help=""), "perhaps", "must be yes or no."),
    ],
)
def test_refused(parameter, text, says):
    with pytest.raises(ScenarioError) as caught:
        read_value("x", parameter, text)
    assert caught.value.message.endswith(says)


def test_all_are_settled():
    scenario = find_scenario("mmap-queue")
    values = settle_parameters(scenario, {"order": "ring", "slots": 4})
    assert values["order"] == "ring"
    assert values["slots"] == 4
    assert values["messages"] == scenario.parameters["messages"].default
    with pytest.raises(
        ScenarioError, match=r"no parameter 'slot'; it has: slots, .* Did you mean 'slots'\?"
    ):
        settle_parameters(scenario, {"slot": "1"})
    with pytest.raises(ScenarioError, match="slots can't be 'no'"):
        settle_parameters(scenario, {"slots": False})


def test_set_words():
    assert read_settings(("a=1", "b=x=y", "c=")) == {"a": "1", "b": "x=y", "c": ""}
    for word in ("a", "=1"):
        with pytest.raises(ScenarioError, match="--set needs name=value"):
            read_settings([word])


def test_words_of_a_command():
    assert names_in("{here}/x {a-b} {{c}} {} { d }") == ("here", "a-b")
    assert fill_placeholders("{a}{{a}}{}-{b}", {"a": "{b}", "b": "2"}.__getitem__) == "{b}{a}{}-2"


def test_words_for_people():
    assert type_of(Parameter(default="x", help="", choices=("x",))) == "choice"
    assert (
        allowed_values(Parameter(default=0.5, help="", min=0, max=2.5)) == "a number from 0 to 2.5"
    )
    assert [as_text(value) for value in (True, False, 1.0, 0.1, 3, "a")] == [
        "yes",
        "no",
        "1",
        "0.1",
        "3",
        "a",
    ]
