"""Questions to the kernel that it does not answer for long: a thread is left behind with them."""

from __future__ import annotations

import ctypes
import os

import pytest

from ipcviz.kernel.aside import Aside, UnwantedError
from tests.integration.puppet import until

pytestmark = pytest.mark.kernel


_libc = ctypes.CDLL(None, use_errno=True)


def spawn_blocked(fifo: str) -> str:
    """Sleep as no signal wakes it until somebody opens a FIFO for writing: a child that borrows our
    memory (vfork(2)) opens it for reading before it executes its program.

    By ctypes: `os.posix_spawn` keeps the interpreter's lock.
    """
    actions, pid = ctypes.create_string_buffer(256), ctypes.c_int()
    argv, envp = (ctypes.c_char_p * 2)(b"true", None), (ctypes.c_char_p * 1)(None)
    _libc.posix_spawn_file_actions_init(actions)
    _libc.posix_spawn_file_actions_addopen(actions, 9, fifo.encode(), os.O_RDONLY, 0)
    _libc.posix_spawn(ctypes.byref(pid), b"/bin/true", actions, None, argv, envp)
    os.waitpid(pid.value, 0)
    return "late"


def test_one_without_an_answer_keeps_no_other_waiting(tmp_path):
    fifo = str(tmp_path / "fifo")
    os.mkfifo(fifo)
    aside = Aside()
    looks = {"a": lambda: 1, "b": lambda: spawn_blocked(fifo), "c": lambda: 3, "d": lambda: None}
    assert aside.ask_all(looks.items()) == {"a": 1, "c": 3, "d": None}
    assert aside.is_in_use("b")
    # As long as it has not come back it is not asked again, and the others are.
    again = {"b": lambda: pytest.fail("it was asked"), "c": lambda: 4}
    assert aside.ask_all(again.items()) == {"c": 4}
    os.close(os.open(fifo, os.O_WRONLY))
    assert until(lambda: aside.ask("b", lambda: 2)) == 2
    assert not aside.is_in_use("b")


def test_several_without_an_answer(tmp_path):
    fifo = str(tmp_path / "fifo")
    os.mkfifo(fifo)
    aside = Aside()
    looks = {n: (lambda: spawn_blocked(fifo)) if n % 2 else (lambda n=n: n) for n in range(6)}
    assert aside.ask_all(((str(n), look) for n, look in looks.items())) == {"0": 0, "2": 2, "4": 4}
    assert [n for n in range(6) if aside.is_in_use(str(n))] == [1, 3, 5]
    # All three children wait for the same opening.
    os.close(os.open(fifo, os.O_WRONLY))
    assert until(lambda: all(aside.ask(str(n), lambda: 1) for n in (1, 3, 5)))


def test_what_a_question_raises_is_raised():
    aside = Aside()
    looks = {"a": lambda: 1, "b": lambda: 1 // 0, "c": lambda: 3}
    with pytest.raises(ZeroDivisionError):
        aside.ask_all(looks.items())
    assert aside.ask("c", lambda: 5) == 5
    with pytest.raises(UnwantedError):
        aside.ask("c", lambda: (_ for _ in ()).throw(UnwantedError))
