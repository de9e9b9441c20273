"""The rules' pages: what each fault looks like, why it happens, how it is mended. One table."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

Certainty = Literal["sure", "sure or probable", "probable"]


class RulePage(NamedTuple):
    """What is said of a rule.

    Attributes:
        name: Its name on the command line and in reports.
        title: The fault in a few words.
        certainty: Whether its findings are proved.
        looks: What people see.
        why: Why it happens.
        mend: What to do.
        evidence: What it is told by.
        scenario: A scenario that shows it; empty if there is none.
    """

    name: str
    title: str
    certainty: Certainty
    looks: str
    why: str
    mend: str
    evidence: str
    scenario: str = ""


PAGES: Final = (
    RulePage(
        name="wait-before-read",
        title="a parent waits for a child whose output it does not read",
        certainty="sure",
        looks="It hangs, but only if there is much output.",
        why=(
            "A pipe has room for 65,536 bytes, mostly. The child sleeps in write when it is "
            "full, and the parent sleeps in wait until the child ends. Neither goes on."
        ),
        mend="Read the pipe until its end, then wait; in Python communicate() does both.",
        evidence=(
            "A process sleeps in write on a full pipe; each process with a read end waits for"
            " the end of that process, or of one that waits for it."
        ),
    ),
    RulePage(
        name="own-write-end",
        title="a write end is left open, so the end of file does not come",
        certainty="sure or probable",
        looks="The reader gets all the data, and then hangs.",
        why=(
            "A read returns the end of file when nobody has a write end open any more. After "
            "fork each process has both ends; the reader itself, its parent, or a sibling "
            "still has one."
        ),
        mend="Close the write end in every process that does not write, right after fork.",
        evidence=(
            "A process sleeps in read on an empty pipe; all write ends are its own or those "
            "of processes that wait. It is probable where who has one goes on, but has not used"
            " it."
        ),
    ),
    RulePage(
        name="own-read-end",
        title="a read end is left open, so SIGPIPE does not come",
        certainty="sure",
        looks="The reader has left, and the writer hangs and does not die.",
        why=(
            "A write to a pipe fails (SIGPIPE, EPIPE) when nobody has a read end open any "
            "more. The writer itself, or somebody who waits for it, still has one."
        ),
        mend="Close the read end in every process that does not read, right after fork.",
        evidence=(
            "A process sleeps in write on a full pipe; the only read ends are its own, or "
            "those of processes that wait for it and are not its reader."
        ),
    ),
    RulePage(
        name="waits-for-input",
        title="a parent waits for a child that waits for input from it",
        certainty="sure",
        looks="A filter such as cat, sort or wc does not end.",
        why=(
            "The child reads until the end of file. The parent, which has the only write end,"
            " waits for the child before it closes that."
        ),
        mend="Close the child's standard input (p.stdin.close()), then wait.",
        evidence=(
            "A process sleeps in read; the only other process with the write end waits for its end."
        ),
    ),
    RulePage(
        name="feeding-circle",
        title="two programs wait for each other's bytes",
        certainty="sure or probable",
        looks="A program and its helper hang: at once, or with much data.",
        why=(
            "Both pipes are full, and nobody reads; or both are empty, and nobody writes. The"
            " latter mostly since one has its answer in its stdio buffer, which is flushed at"
            " each line only on a terminal."
        ),
        mend=(
            "Read and write by turns (poll), or in a thread each. Flush after each answer: "
            "fflush, 'stdbuf -oL', python3 -u, grep --line-buffered."
        ),
        evidence=(
            "A circle of processes that sleep in read or write on pipes or sockets to each other."
        ),
    ),
    RulePage(
        name="fifo-open",
        title="an open of a FIFO waits for its other end",
        certainty="probable",
        looks="It does nothing at its start.",
        why=(
            "open(2) of a FIFO returns when its other end is opened, too. Nobody opens it; or"
            " two processes open two FIFOs in different orders, and each waits for the other."
        ),
        mend=(
            "Start the other program; open several FIFOs in the same order on both sides; or "
            "open one with O_RDWR, or O_NONBLOCK."
        ),
        evidence="A process sleeps in open of a FIFO, and everybody else who is watched waits.",
    ),
    RulePage(
        name="stopped",
        title="everybody waits for a process that is stopped",
        certainty="sure",
        looks="All wait, and nothing is wrong with them.",
        why=(
            "SIGSTOP, or SIGTTIN and SIGTTOU of a background job that wants the terminal, "
            "stopped it."
        ),
        mend="kill -CONT; or redirect its input and output.",
        evidence="A stopped process is at the end of the chain of waits.",
    ),
    RulePage(
        name="lock-order",
        title="locks are taken in different orders",
        certainty="sure or probable",
        looks="It hangs now and then.",
        why=(
            "One has the first lock and wants the second, another one has the second and "
            "wants the first."
        ),
        mend="Take locks in the same order everywhere.",
        evidence="A circle in the wait-for graph, over semaphores, mutexes and file locks.",
        scenario="mmap-queue",
    ),
    RulePage(
        name="circle",
        title="processes wait for each other",
        certainty="sure or probable",
        looks="It hangs.",
        why="Each of them waits for what another one of them alone could do.",
        mend="Let one of them go on without the other.",
        evidence="A circle in the wait-for graph that none of the other rules has a name for.",
    ),
)
"""All rules, in the order in which their faults are reported most often."""

BY_NAME: Final = {page.name: page for page in PAGES}
