"""What all tests share."""

from hypothesis import settings

# How long an example takes says nothing here: a busy machine must not fail a test.
settings.register_profile("ipcviz", deadline=None)
settings.load_profile("ipcviz")
