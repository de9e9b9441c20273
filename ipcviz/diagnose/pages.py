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
        hangs: Whether its programs hang; else they go on, with something wrong.
    """

    name: str
    title: str
    certainty: Certainty
    looks: str
    why: str
    mend: str
    evidence: str
    scenario: str = ""
    hangs: bool = True

    @property
    def parts(self) -> tuple[tuple[str, str], ...]:
        """What is told of it: each part's heading and text."""
        return (
            ("What one sees", self.looks),
            ("Why", self.why),
            ("The mend", self.mend),
            ("Told by", self.evidence),
        )

    @property
    def shown_by(self) -> str:
        """How it is shown, as a line; empty if no scenario does."""
        return f"Shown by: ipcviz run {self.scenario}" if self.scenario else ""


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
    RulePage(
        name="short-write",
        title="a write moved a part, and nothing wrote the rest",
        certainty="sure",
        looks="Data is cut off in the middle.",
        why=(
            "write(2) returns how many bytes it took. For a pipe or a socket that does not "
            "block, or at a signal, that may be fewer than asked."
        ),
        mend="Write in a loop until all is written.",
        evidence=(
            "A write to a pipe or socket returned fewer bytes than asked; the descriptor "
            "was then closed, or its process ended, and it wrote no more to it."
        ),
        scenario="pipe-blocking",
        hangs=False,
    ),
    RulePage(
        name="end-of-file-loop",
        title="a loop reads on at the end of the file",
        certainty="sure",
        looks="A process takes all of its CPU after the other side has left.",
        why=(
            "At the end of a pipe, FIFO or socket each read returns 0 at once; it does not "
            "wait for the next writer."
        ),
        mend=(
            "Close the descriptor when read returns 0; open a FIFO again to wait for the "
            "next writer."
        ),
        evidence="50 reads of one descriptor in a row returned 0.",
        hangs=False,
    ),
    RulePage(
        name="broken-pipe-loop",
        title="a program goes on writing to what nobody reads",
        certainty="sure",
        looks="'Broken pipe', again and again.",
        why=(
            "SIGPIPE would end the program at its first write to a pipe without a reader. "
            "Who ignores it gets EPIPE, and must stop by itself. That it is ignored is "
            "inherited over exec."
        ),
        mend="Stop when a write fails with EPIPE, or set SIGPIPE to its default before exec.",
        evidence="10 writes to one descriptor in a row failed with EPIPE.",
        hangs=False,
    ),
    RulePage(
        name="sigpipe-death",
        title="SIGPIPE ended a program at a peer's end",
        certainty="sure",
        looks="A server or helper is gone, with status 141 and no message.",
        why=(
            "A write to a pipe or socket whose other end is closed sends SIGPIPE, which "
            "ends the process."
        ),
        mend=(
            "Ignore SIGPIPE, or send with MSG_NOSIGNAL, and take EPIPE for the end of the "
            "other side."
        ),
        evidence=(
            "A process was ended by SIGPIPE after a write to another descriptor than 1 had "
            "failed with EPIPE."
        ),
        hangs=False,
    ),
    RulePage(
        name="mixed-writes",
        title="the bytes of several writers are mixed",
        certainty="sure",
        looks="Lines in a log or a pipe are mixed up.",
        why=(
            "A write to a pipe of up to PIPE_BUF (4,096) bytes stays whole. A larger one "
            "may be split, and another one's bytes lie in between."
        ),
        mend="Write at most 4,096 bytes at once, or take a lock around each write.",
        evidence="The byte ledger: bytes of another process lie between those of one write.",
        hangs=False,
    ),
    RulePage(
        name="shared-input",
        title="two processes read from one input",
        certainty="sure",
        looks="A 'while read' loop ends after its first line.",
        why=(
            "A child has its parent's standard input. What it reads from it is gone for the "
            "parent: they share one open file description."
        ),
        mend="Give the child another input: </dev/null, ssh -n, ffmpeg -nostdin.",
        evidence=(
            "A process read from a descriptor, one that it started read from the same open "
            "file description, and the first one then got the end of file."
        ),
        hangs=False,
    ),
    RulePage(
        name="output-twice",
        title="a stdio buffer was written by parent and child",
        certainty="probable",
        looks="Some output comes twice, but only into a file or a pipe.",
        why=(
            "What printf has put into its buffer before fork is in both processes' memory, "
            "and both write it when they end."
        ),
        mend="Call fflush before fork, and end the child with _exit.",
        evidence="Both ended with a write of the same bytes to one open file description.",
        hangs=False,
    ),
    RulePage(
        name="datagram-cut",
        title="a datagram did not fit into the receiver's buffer",
        certainty="sure",
        looks="The end of a message is missing.",
        why=(
            "A receive takes one datagram, whole or not at all. What does not fit is thrown away."
        ),
        mend="Receive into a buffer that is as large as the largest datagram.",
        evidence="A datagram was longer than what the receive returned.",
        hangs=False,
    ),
    RulePage(
        name="merged-signals",
        title="a signal was sent while the same one was pending",
        certainty="probable",
        looks="Signals get lost.",
        why=(
            "A standard signal is one bit: it is pending or not. One that is sent again "
            "before it is delivered adds nothing."
        ),
        mend=(
            "Count in a pipe, an eventfd or a semaphore, or send a real-time signal, which queues."
        ),
        evidence=(
            "A signal was sent to a process that catches it while the same one was pending there."
        ),
        scenario="signal-table",
        hangs=False,
    ),
    RulePage(
        name="interrupted-call",
        title="a call that a signal cut short was taken for an error",
        certainty="sure",
        looks="A program ends with 'Interrupted system call'.",
        why=(
            "A handler that was set without SA_RESTART makes a sleeping call return EINTR. "
            "Nothing is wrong; the call is to be made again."
        ),
        mend="Call it again when it fails with EINTR, or set SA_RESTART.",
        evidence="A call failed with EINTR, and the program wrote that as an error.",
        scenario="eintr",
        hangs=False,
    ),
    RulePage(
        name="shared-nonblocking",
        title="another program has set O_NONBLOCK on a shared descriptor",
        certainty="sure",
        looks="'Resource temporarily unavailable' from cat or another plain program.",
        why=(
            "O_NONBLOCK belongs to the open file description, which all share that have "
            "inherited it."
        ),
        mend="Set O_NONBLOCK only on what nobody shares, or take it back before the end.",
        evidence=(
            "A call failed with EAGAIN, and the program said so; another process had set "
            "O_NONBLOCK on that open file description."
        ),
        hangs=False,
    ),
    RulePage(
        name="ignored-term",
        title="a process does not let SIGTERM in",
        certainty="sure",
        looks="'docker stop' or a shutdown takes ten seconds.",
        why="SIGTERM is ignored or blocked; both are inherited over exec.",
        mend="Let SIGTERM end it, or send SIGKILL.",
        evidence=(
            "SIGTERM was sent 2 seconds ago to a process that ignores or blocks it, and "
            "that goes on."
        ),
        hangs=False,
    ),
    RulePage(
        name="zombies",
        title="children that ended are not waited for",
        certainty="sure or probable",
        looks="Zombies pile up.",
        why=(
            "A process that has ended stays as a zombie until its parent waits for it. One "
            "SIGCHLD may stand for several children."
        ),
        mend="Call waitpid(-1, ..., WNOHANG) in a loop, or set SIGCHLD to SIG_IGN.",
        evidence="Three or more children ended 5 seconds ago, and their parent is in no wait.",
        scenario="sigchld",
        hangs=False,
    ),
    RulePage(
        name="address-in-use",
        title="the address of a server is taken",
        certainty="sure or probable",
        looks="'Address already in use' after a restart.",
        why=(
            "The name of a UNIX socket stays when its server has ended. A port is taken as "
            "long as somebody has the listening socket, also a child that inherited it."
        ),
        mend="Unlink the name first; close listening sockets in children; set SO_REUSEADDR.",
        evidence="bind failed with EADDRINUSE, and the process ended with an error.",
        scenario="unix-stream",
        hangs=False,
    ),
    RulePage(
        name="left-behind",
        title="shared memory, semaphores or queues are left behind",
        certainty="sure or probable",
        looks="/dev/shm fills up; the second run finds old values.",
        why=(
            "They have a name or a key, and stay until somebody removes them, however their "
            "processes end."
        ),
        mend="Call shm_unlink, sem_unlink, mq_unlink or IPC_RMID when the last user is done.",
        evidence="What was made in the run is there when all have ended.",
        scenario="persistence",
        hangs=False,
    ),
    RulePage(
        name="beyond-the-file",
        title="a mapping is longer than its file",
        certainty="sure",
        looks="Bus error.",
        why=(
            "A page of a mapping that lies beyond the end of the file can't be used: "
            "SIGBUS. The file was not sized, or was cut."
        ),
        mend="Call ftruncate before mmap, and do not cut a file that is mapped.",
        evidence="SIGBUS with BUS_ADRERR at an address of a mapping, beyond the file's size.",
        scenario="mmap-hello",
        hangs=False,
    ),
    RulePage(
        name="mapped-empty",
        title="a file is mapped before it has its size",
        certainty="sure or probable",
        looks="The one who opens it finds zeros, or gets SIGBUS.",
        why="One process makes and then sizes it. Another one opens and maps it in between.",
        mend="Size and fill it under another name, and rename it; or wait for a mark in it.",
        evidence="mmap of a file that had no bytes.",
        scenario="mmap-hello",
        hangs=False,
    ),
    RulePage(
        name="private-mapping",
        title="one of those who share a file has a private copy",
        certainty="probable",
        looks="Both processes have their own values.",
        why=(
            "With MAP_PRIVATE each page is copied when it is written; nobody else sees what "
            "is stored."
        ),
        mend="Use MAP_SHARED.",
        evidence=(
            "A file that is open for reading and writing is mapped with MAP_PRIVATE and "
            "PROT_WRITE, and another process maps it, too."
        ),
        scenario="mmap-shared-private",
        hangs=False,
    ),
    RulePage(
        name="dropped-lock",
        title="a lock by fcntl was lost by closing another descriptor",
        certainty="sure",
        looks="Two processes have the same lock.",
        why=(
            "A lock by fcntl belongs to the process and the file: it goes when the process "
            "closes any descriptor of that file."
        ),
        mend="Open the file once, or use F_OFD_SETLK or flock.",
        evidence=(
            "A close released a lock; the process has the file still open by another descriptor."
        ),
        scenario="lock-file",
        hangs=False,
    ),
)
"""All rules, in the order in which their faults are reported most often."""

BY_NAME: Final = {page.name: page for page in PAGES}
