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
        name="orphan-keeps-pipe",
        title="an orphan keeps a pipe open",
        certainty="sure",
        looks="$(...), ssh or a step of a CI job does not return, though the command has ended.",
        why=(
            "A program that the command left running in the background has inherited the "
            "write end of the pipe. Whoever reads the pipe gets the end of file only when the"
            " last write end is closed."
        ),
        mend="Start it with its output elsewhere: 'daemon >/dev/null 2>&1 &'.",
        evidence=(
            "A process has read an empty pipe for 2 seconds; all write ends are those of "
            "processes whose parent has ended, and which inherited them and did not write."
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
        name="stdio-buffer",
        title="output stays in a stdio buffer",
        certainty="probable",
        looks="Nothing arrives at the end of the pipeline.",
        why="The C library gathers 4,096 bytes or more before it writes to what is no terminal.",
        mend="Flush, or use 'stdbuf -oL', python3 -u, grep --line-buffered, sed -u.",
        evidence=(
            "A stage has read bytes and written none, and is back in read; the next one has "
            "waited for 2 seconds. Bytes in a buffer of a program can't be seen."
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
        name="handler-lock",
        title="a signal handler waits for a lock that the interrupted code has",
        certainty="sure",
        looks="It hangs once a month, in a handler.",
        why=(
            "malloc, printf and others take locks. If the signal comes inside of them and its"
            " handler calls them again, that waits for itself."
        ),
        mend=(
            "Set a flag in the handler, or write to a pipe; call only what signal-safety(7) lists."
        ),
        evidence=(
            "A thread sleeps on a private futex inside a signal handler, and nobody but "
            "itself can have the lock."
        ),
    ),
    RulePage(
        name="forked-lock",
        title="fork copied a lock that another thread had",
        certainty="sure or probable",
        looks="The child of a threaded program hangs.",
        why=(
            "The child has a copy of all memory, locked locks among it, but only the thread "
            "that called fork."
        ),
        mend=(
            "After fork in a threaded program call execve at once, or use posix_spawn; "
            "multiprocessing's 'spawn' or 'forkserver'."
        ),
        evidence=(
            "A child sleeps on a futex in memory that fork copied while another thread held it."
        ),
    ),
    RulePage(
        name="dead-owner",
        title="who had the lock has ended",
        certainty="sure or probable",
        looks="Everybody waits for a mutex or semaphore.",
        why=(
            "A process that ends does not give back what it has locked, unless the mutex is "
            "robust or the semaphore has SEM_UNDO."
        ),
        mend="PTHREAD_MUTEX_ROBUST, SEM_UNDO, or a file lock, which the kernel gives back.",
        evidence=(
            "The mutex's owner word names a thread that is none; or who took the semaphore, "
            "as the events tell, has ended."
        ),
    ),
    RulePage(
        name="stale-semaphore",
        title="a named semaphore has the value of an earlier run",
        certainty="probable",
        looks="The first run works, the second one hangs at once.",
        why=(
            "sem_open with O_CREAT takes a semaphore that is there as it is; the initial "
            "value is for new ones alone."
        ),
        mend=(
            "sem_unlink at the end, or at the start before sem_open; O_EXCL tells whether it "
            "is new."
        ),
        evidence=(
            "A process sleeps in sem_wait on a named semaphore that was there before the run,"
            " its value is 0, and nobody in the run has posted it."
        ),
    ),
    RulePage(
        name="private-semaphore",
        title="a semaphore is not shared with the other process",
        certainty="sure",
        looks="sem_post in one process does not wake the other one.",
        why=(
            "sem_init was given pshared 0; or the semaphore lies in memory that fork copied, "
            "so that each process has its own."
        ),
        mend="mmap with MAP_SHARED, and sem_init with pshared 1.",
        evidence=(
            "A private futex wait on a shared mapping; or a wait on a semaphore at an address"
            " that the parent has a semaphore at, in private memory."
        ),
    ),
    RulePage(
        name="lost-wakeup",
        title="the signal came before the wait for it",
        certainty="probable",
        looks="Now and then it sleeps on.",
        why=(
            "Between the test and pause the signal comes: its handler runs, and pause waits "
            "for the next one."
        ),
        mend="Block the signal, test, wait with sigsuspend (ppoll, pselect).",
        evidence=(
            "The handler of the signal has run, the process waits for a signal then, no timer"
            " is armed, and nobody who is watched goes on."
        ),
        scenario="sleep-race",
    ),
    RulePage(
        name="queue",
        title="a message queue is full, or the wanted message is not sent",
        certainty="sure or probable",
        looks="msgsnd or mq_send does not return; nor does msgrcv though there are messages.",
        why=(
            "The queue's limit is reached and nobody receives; or msgrcv asks for a type that"
            " nobody sends."
        ),
        mend="Receive, or send with IPC_NOWAIT or O_NONBLOCK; send the type that is asked for.",
        evidence=(
            "A blocked send while nobody who goes on has it open; a blocked msgrcv of a type "
            "of which none is queued."
        ),
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
