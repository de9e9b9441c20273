"""What is said of a program that confines itself by seccomp(2), and of its end by that."""

import pytest

from ipcviz.events import Call, Exited, Forked, Poised
from ipcviz.model.reduce import reduce, reduce_all
from ipcviz.narrate import describe_intention, narrate
from tests import fakes

BEFORE = reduce_all(
    fakes.numbered([Forked(t=0, n=0, pid=10, parent=1, how="launched", name="box")])
)


def said(event):
    return narrate(event, BEFORE, reduce(BEFORE, event)).text


def call(name, error="", **args):
    return Call(
        t=1, n=9, pid=10, tid=10, name=name, began=1, args=args, ret=-1 if error else 0, error=error
    )


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (
            call("prctl", option="PR_SET_SECCOMP", value=1),
            "box[10] may only read, write, exit and leave handlers from now on (strict seccomp)",
        ),
        (
            call("seccomp", operation="SECCOMP_SET_MODE_STRICT"),
            "box[10] may only read, write, exit and leave handlers from now on (strict seccomp)",
        ),
        (
            call("prctl", option="PR_SET_SECCOMP", value=2),
            "box[10] has the kernel filter its calls from now on (seccomp)",
        ),
        (
            call("seccomp", operation="SECCOMP_SET_MODE_FILTER"),
            "box[10] has the kernel filter its calls from now on (seccomp)",
        ),
        (
            call("seccomp", error="EACCES", operation="SECCOMP_SET_MODE_FILTER"),
            "box[10] got EACCES from seccomp, which was to confine it (seccomp)",
        ),
        (
            Exited(t=1, n=9, pid=10, signo=9, forbidden="getpid"),
            (
                "box[10] was killed by SIGKILL, since it called getpid, which seccomp's strict mode"
                " forbids"
            ),
        ),
    ],
)
def test_sentences(event, words):
    assert said(event) == words


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("PR_SET_SECCOMP", "to confine itself (seccomp)"),
        ("PR_SET_PDEATHSIG", "to ask for a signal when its parent ends"),
        ("PR_SET_CHILD_SUBREAPER", "to ask for orphans among its descendants, or no longer"),
    ],
)
def test_intentions(option, words):
    poised = Poised(t=1, pid=10, tid=10, at="entry", call="prctl", args={"option": option})
    assert describe_intention(BEFORE, poised) == words
