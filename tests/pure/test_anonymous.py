"""Names of what has none in a file system."""

from __future__ import annotations

import pytest

from ipcviz.events import ObjectInfo
from ipcviz.model.mechanisms.anonymous import name_kind


@pytest.mark.parametrize(
    ("detail", "words"),
    [
        ("seccomp notify", "seccomp listener"),
        ("[io_uring]", "io_uring"),
        ("bpf-map", "BPF map"),
        ("kvm-vcpu:3", "KVM processor"),
        ("mnt", "mount namespace"),
        ("[never-heard-of]", "anonymous inode [never-heard-of]"),
        ("", "anonymous inode"),
    ],
)
def test_words(detail, words):
    assert name_kind(ObjectInfo(key="anon:1", kind="anonymous inode", detail=detail)) == words


def test_other_kinds_are_what_they_are():
    assert name_kind(ObjectInfo(key="pipe:[1]", kind="pipe", detail="net")) == "pipe"
