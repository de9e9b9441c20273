"""The app's tests draw without animations and in true colour, whatever the terminal is, and wait
for what follows.
"""

import os

import pytest

os.environ["TEXTUAL_ANIMATIONS"] = "none"
os.environ["COLORTERM"] = "truecolor"
os.environ["TEXTUAL_COLOR_SYSTEM"] = "truecolor"
os.environ.pop("NO_COLOR", None)


@pytest.fixture(autouse=True)
def settling(monkeypatch):
    # This imports Textual, which looks at the environment then.
    from ipcviz.app.textual_internals import leave_undrawn, wait_until_settled

    monkeypatch.setattr("textual.app.wait_for_idle", wait_until_settled)
    monkeypatch.setattr("textual.pilot.wait_for_idle", wait_until_settled)
    leave_undrawn(monkeypatch.setattr)
