"""What all tests share."""

import pytest
from hypothesis import settings

# How long an example takes says nothing here: a busy machine must not fail a test.
settings.register_profile("ipcviz", deadline=None)
settings.load_profile("ipcviz")


@pytest.fixture(scope="session", autouse=True)
def _state_folder(tmp_path_factory):
    """What ipcviz keeps for its user goes into a folder of the tests, in all that they start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield
