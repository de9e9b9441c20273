"""Scenarios: their format, finding and reading them, what to launch, and how a story follows the
events.
"""

from ipcviz.scenario.errors import ScenarioError
from ipcviz.scenario.format import (
    Label,
    Parameter,
    Question,
    Role,
    Scenario,
    SchedulePlan,
    Step,
    Variant,
    When,
)
from ipcviz.scenario.launch import Launch, choose_variant, missing, prepare
from ipcviz.scenario.loader import find, load, load_all
from ipcviz.scenario.parameters import allowed_values, read_settings
from ipcviz.scenario.plans import read_schedule
from ipcviz.scenario.story import Progress, Skip, Story, StoryMove

__all__ = [
    "Label",
    "Launch",
    "Parameter",
    "Progress",
    "Question",
    "Role",
    "Scenario",
    "ScenarioError",
    "SchedulePlan",
    "Skip",
    "Step",
    "Story",
    "StoryMove",
    "Variant",
    "When",
    "allowed_values",
    "choose_variant",
    "find",
    "load",
    "load_all",
    "missing",
    "prepare",
    "read_schedule",
    "read_settings",
]
