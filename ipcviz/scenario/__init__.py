"""Scenarios: their format, finding and reading them, what to launch, and how a story follows the
events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipcviz.late import import_late

if TYPE_CHECKING:
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
    from ipcviz.scenario.launch import Launch, choose_variant, explain_missing, prepare_launch
    from ipcviz.scenario.loader import find_scenario, load_all, load_scenario
    from ipcviz.scenario.parameters import allowed_values, read_settings
    from ipcviz.scenario.plans import read_schedule
    from ipcviz.scenario.recognise import list_layouts
    from ipcviz.scenario.story import Progress, Skip, Story, StoryMove
else:
    __getattr__ = import_late(
        __name__,
        {
            "Label": "format",
            "Launch": "launch",
            "Parameter": "format",
            "Progress": "story",
            "Question": "format",
            "Role": "format",
            "Scenario": "format",
            "ScenarioError": "errors",
            "SchedulePlan": "format",
            "Skip": "story",
            "Step": "format",
            "Story": "story",
            "StoryMove": "story",
            "Variant": "format",
            "When": "format",
            "allowed_values": "parameters",
            "choose_variant": "launch",
            "explain_missing": "launch",
            "find_scenario": "loader",
            "list_layouts": "recognise",
            "load_all": "loader",
            "load_scenario": "loader",
            "prepare_launch": "launch",
            "read_schedule": "plans",
            "read_settings": "parameters",
        },
    )

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
    "explain_missing",
    "find_scenario",
    "list_layouts",
    "load_all",
    "load_scenario",
    "prepare_launch",
    "read_schedule",
    "read_settings",
]
