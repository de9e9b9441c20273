"""The course: in which order the lessons and their scenarios are taught."""

from __future__ import annotations

from typing import Final, NamedTuple


class Lesson(NamedTuple):
    """A lesson: scenarios that belong together.

    Attributes:
        topic: The topic of its scenarios, which is the name of their folder.
        title: What it is called.
        names: Its scenarios, in the order in which they build upon each other.
    """

    topic: str
    title: str
    names: tuple[str, ...]


LESSONS: Final = (
    Lesson(
        "pipes",
        "Pipes",
        (
            "pipe-fork",
            "pipe-blocking",
            "pipe-eof",
            "shell-pipeline",
            "connect2",
            "pipe-atomicity",
            "sigpipe",
            "select-poll",
            "browser",
        ),
    ),
    Lesson(
        "named-pipes",
        "Named pipes",
        ("fifo-gzip", "fifo-rendezvous", "fifo-tail", "fifo-adapter", "fifo-timeout"),
    ),
    Lesson(
        "memory",
        "Shared memory",
        (
            "mmap-shared-private",
            "mmap-anonymous",
            "mmap-hello",
            "mmap-pages",
            "mmap-pointers",
            "mmap-segv",
            "posix-shm",
            "sysv-shm",
            "persistence",
            "mmap-vs-write",
        ),
    ),
    Lesson(
        "semaphores",
        "Semaphores",
        ("sem-counter", "sem-named", "mmap-queue", "sysv-sem", "deadlock"),
    ),
    Lesson(
        "signals",
        "Signals",
        (
            "signal-handlers",
            "signal-table",
            "sleep-race",
            "eintr",
            "unsafe-handler",
            "sigchld",
            "sigcont",
        ),
    ),
    Lesson(
        "messages",
        "Messages and sockets",
        ("posix-mq", "sysv-msg", "unix-stream", "unix-datagram", "door", "tcp-loopback"),
    ),
    Lesson("files", "Files", ("proc-files", "spool", "lock-file")),
    Lesson("side-by-side", "Side by side", ("hierarchy",)),
)
"""The lessons in order."""


def place_in_course(topic: str, name: str) -> tuple[int, str, int, str]:
    """The place of a scenario among all, to sort by: what the course does not have comes behind
    what it has, by name.
    """
    for at, lesson in enumerate(LESSONS):
        if lesson.topic == topic:
            known = lesson.names.index(name) if name in lesson.names else len(lesson.names)
            return at, topic, known, name
    return len(LESSONS), topic, 0, name


def title_of_topic(topic: str) -> str:
    """What a topic is called: its lesson's title, else its own words."""
    found = next((lesson.title for lesson in LESSONS if lesson.topic == topic), "")
    return found or topic.replace("-", " ").capitalize()
