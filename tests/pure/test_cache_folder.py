"""Where compiled programs are kept."""

from __future__ import annotations

import pwd
from pathlib import Path

from ipcviz.scenario.compile import cache_folder


def test_where_the_user_says(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "ipcviz" / "build"


def test_below_home_if_it_is_not_said_or_said_by_a_relative_path(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    for said in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", said)
        assert cache_folder() == tmp_path / ".cache" / "ipcviz" / "build"


def test_nowhere_without_a_home(monkeypatch):
    """Not in a folder named ~ in the current one."""

    def unknown(uid: int):
        raise KeyError(uid)

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert cache_folder() is None


def test_nothing_is_made_by_asking(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = cache_folder()
    assert isinstance(folder, Path)
    assert not (tmp_path / "cache").exists()
