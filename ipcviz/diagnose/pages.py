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
        probable_if: Where its findings are only probable, after "probable"; empty if nothing more
            is to be said.
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
    probable_if: str = ""
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
        certainty="sure or probable",
        looks="It hangs, but only if there is much output.",
        why=(
            "A pipe mostly has room for 65,536 bytes. When it is full, the child sleeps in "
            "write. The parent sleeps in wait until the child ends. Neither goes on."
        ),
        mend="Read the pipe until its end, then wait; in Python communicate() does both.",
        evidence=(
            "A process sleeps in write on a full pipe; each process with a read end waits for"
            " the end of that process, or of one that waits for it."
        ),
        probable_if="of a FIFO, which others can open",
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
        name="leaked-descriptor",
        title="a program has a descriptor that it knows nothing of",
        certainty="sure or probable",
        looks="The end of file, or the hang-up of a connection, does not come.",
        why=(
            "fork copies all descriptors, and exec keeps those that are not close-on-exec. The new "
            "program does not know of them. It keeps pipes and connections open until it ends."
        ),
        mend=(
            "Make descriptors with O_CLOEXEC or SOCK_CLOEXEC; leave Python's close_fds=True; in a "
            "shell close them for the command: 'cmd 3>&-'."
        ),
        evidence=(
            "Somebody reads to the end of a pipe or connection. All who have its other end have "
            "inherited it, have executed another program since, have it under a number above 2 "
            "that no argument names, and have not used it."
        ),
        probable_if="of a FIFO, which others can open",
    ),
    RulePage(
        name="own-write-end",
        title="a write end is left open, so the end of file does not come",
        certainty="sure or probable",
        looks="The reader gets all the data, and then hangs.",
        why=(
            "A read returns the end of file when nobody has a write end open any more. After "
            "fork each process has both ends. So the reader itself, its parent or a sibling may "
            "still have a write end."
        ),
        mend="Close the write end in every process that does not write, right after fork.",
        evidence=(
            "A process sleeps in read on an empty pipe. All write ends are its own, or those of "
            "processes that wait. Or who has a write end goes on, but has not used it: then it "
            "is only probable."
        ),
        probable_if="where who has it goes on, but has not used it, or could write in a handler",
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
            "Both pipes are full, and nobody reads; or both are empty, and nobody writes. Nobody "
            "writes mostly because one has its answer in its stdio buffer, which is flushed at "
            "each line only on a terminal. Or one answers only when its input has ended, as sort "
            "does, and the other one keeps that open."
        ),
        mend=(
            "Read and write by turns (poll), or in a thread each. Flush after each answer: "
            "fflush, 'stdbuf -oL', python3 -u, grep --line-buffered. Close what you write to "
            "when you have written all."
        ),
        evidence=(
            "A circle of processes that sleep in read or write on pipes or sockets to each other."
        ),
        probable_if="if one reads",
    ),
    RulePage(
        name="stdio-buffer",
        title="output stays in a stdio buffer",
        certainty="probable",
        looks="Nothing arrives at the end of the pipeline.",
        why=(
            "The C library gathers 4,096 bytes or more before it writes, unless it writes to a "
            "terminal."
        ),
        mend="Flush, or use 'stdbuf -oL', python3 -u, grep --line-buffered, sed -u.",
        evidence=(
            "A stage has read bytes and written none, and is back in read; the next one has "
            "waited for 2 seconds. Bytes in a buffer of a program can't be seen."
        ),
        probable_if=": bytes in a buffer can't be seen",
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
        probable_if=": an unwatched process may open it",
    ),
    RulePage(
        name="datagram-end",
        title="a receiver of datagrams waits for an end that does not come",
        certainty="sure",
        looks="A reader of a socket pair does not end, though the other side has.",
        why=(
            "A pair of SOCK_DGRAM sockets has no connection that could end. When the other "
            "socket is closed, a receive goes on waiting."
        ),
        mend="Use SOCK_SEQPACKET or SOCK_STREAM, or send a last datagram that means the end.",
        evidence=(
            "A process receives from a socket of a pair of datagram sockets, and nobody else has "
            "the other one open."
        ),
    ),
    RulePage(
        name="inherited-lock",
        title="a child keeps a lock that was let go",
        certainty="sure or probable",
        looks="The lock is held, though who took it has closed the file or ended.",
        why=(
            "A lock by flock (or F_OFD_SETLK) belongs to the open file description. fork passes "
            "that on, and exec keeps it. The lock goes when the last descriptor is closed."
        ),
        mend=(
            "Unlock it (LOCK_UN) before closing it; open it with O_CLOEXEC; 'flock -o', or '9>&-' "
            "for what stays in the background."
        ),
        evidence=(
            "A process waits for a lock, or fails to get it. Those who have the lock's open file "
            "description have inherited it, and the process that opened the file has closed it, "
            "or ended."
        ),
        probable_if="where nobody sleeps for it, or it may have been passed on on purpose",
        scenario="lock-file",
    ),
    RulePage(
        name="handler-lock",
        title="a signal handler waits for a lock that the interrupted code has",
        certainty="sure or probable",
        looks="It hangs once a month, in a handler.",
        why=(
            "malloc, printf and others take locks. If the signal comes while a thread is inside "
            "one of them, and the handler calls it again, the handler waits for a lock that its "
            "own thread has. So does a handler in Python that takes a threading.Lock which its "
            "program has."
        ),
        mend=(
            "Set a flag in the handler, or write to a pipe; call only what signal-safety(7) lists."
        ),
        evidence=(
            "A thread sleeps on a private futex inside a signal handler, and nobody but itself "
            "can have the lock. Or it waits for a semaphore that it took before the signal came, "
            "and its process has no other thread. Python runs its handlers between two "
            "operations of the program, so of those it is only probable."
        ),
        probable_if="where an interpreter runs the handler",
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
        probable_if="if who had it is not known",
    ),
    RulePage(
        name="dead-owner",
        title="the owner of a lock has ended",
        certainty="sure or probable",
        looks="Everybody waits for a mutex or semaphore.",
        why=(
            "A process that ends does not give back what it has locked, unless the mutex is "
            "robust or the semaphore has SEM_UNDO."
        ),
        mend=(
            "Use a robust mutex (PTHREAD_MUTEX_ROBUST) or SEM_UNDO. Or use a file lock: the "
            "kernel gives that back."
        ),
        evidence=(
            "The mutex's owner word names a thread that does not exist; or the process that took "
            "the semaphore, as the events tell, has ended."
        ),
        probable_if="where others give it as well",
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
        probable_if=": an unwatched process may have it",
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
        looks="Now and then it does not wake up.",
        why=(
            "The program tests a flag, and then calls pause. The signal comes between the two: "
            "its handler runs, and pause waits for the next signal."
        ),
        mend=(
            "Block the signal, test, and wait with sigsuspend (or ppoll, pselect), which "
            "unblocks it and waits in one step."
        ),
        evidence=(
            "The handler of the signal has run, and only then the process began to wait for a "
            "signal. No timer is armed, and nobody who is watched goes on."
        ),
        probable_if=": another one may be meant to come",
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
            "A send waits while nobody who goes on has the queue open; or a msgrcv waits for a "
            "type, and no message in the queue has it."
        ),
        probable_if="where it has a name or a key",
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
        name="vfork-wait",
        title="a parent is suspended by vfork, and its child hangs",
        certainty="sure or probable",
        looks="A program hangs when it starts another one.",
        why=(
            "After vfork the parent sleeps until the child executes a program or exits. The child "
            "waits for something that the parent would do."
        ),
        mend="Do nothing between vfork and execve or _exit; else use fork or posix_spawn.",
        evidence="A process is in vfork, and its child waits and hangs.",
        probable_if="where others could come to what the child waits for",
    ),
    RulePage(
        name="lock-order",
        title="locks are taken in different orders",
        certainty="sure or probable",
        looks="It hangs now and then.",
        why=(
            "One has the first lock and wants the second, another one has the second and wants "
            "the first. Or one thread takes a lock twice."
        ),
        mend="Take locks in the same order everywhere.",
        evidence="A circle in the wait-for graph, over semaphores, mutexes and file locks.",
        probable_if="where others can come to a lock by its name",
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
        probable_if="where somebody else could end one of the waits",
    ),
    RulePage(
        name="nobody-left",
        title="nobody is left who could end the wait",
        certainty="probable",
        looks="It hangs, and uses no CPU.",
        why=(
            "A thread waits for a lock, a semaphore, a condition variable or an event, and the "
            "thread that was to come to it has ended, by an error as a rule. Or it waits for what "
            "it has taken itself. Or all descriptors that it polls lead to itself alone."
        ),
        mend=(
            "Wake it on every way out, also when a worker fails; or wait with a time limit. "
            "Don't take a lock twice that is not reentrant."
        ),
        evidence=(
            "For 2 seconds no thread runs that could wake it. Where a signal's handler may let it "
            "go on nothing is said; one of SIGINT does not count, which Python has always."
        ),
        probable_if="what wakes it lies in memory",
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
        name="short-read",
        title="a part of a record was taken for the whole",
        certainty="probable",
        looks="Records are garbled, or data is cut off, now and then.",
        why=(
            "read(2) of a pipe or a stream socket returns what is there, which may be less than "
            "asked. A stream knows nothing of records."
        ),
        mend="Read in a loop until the record is whole; recv has MSG_WAITALL, dd iflag=fullblock.",
        evidence=(
            "A read returned less than it had asked for, though just that many bytes were "
            "written as one record: a write began at the first of them, and one ended at the "
            "last. Then the reader asked for a whole record again, and got bytes of two. Or it "
            "ended with an error, or without reading the rest."
        ),
        probable_if=": only how the bytes were written tells what a record is",
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
        name="hang-up-loop",
        title="poll says at each turn that the other side has left",
        certainty="sure",
        looks="A process takes all of its CPU after the other side has left.",
        why=(
            "poll, select and epoll return at once as long as a descriptor is at its end, "
            "broken, or not open. poll reports POLLHUP, POLLERR and POLLNVAL also where they "
            "were not asked for."
        ),
        mend="Close the descriptor then, or take it out of the set.",
        evidence=(
            "50 waits of a thread in a row found the same descriptor at its end, and nothing read, "
            "wrote or closed it in between."
        ),
        hangs=False,
    ),
    RulePage(
        name="broken-pipe-loop",
        title="a program goes on writing to what nobody reads",
        certainty="sure",
        looks="'Broken pipe', again and again.",
        why=(
            "SIGPIPE would end the program at its first write to a pipe without a reader. A "
            "program that ignores the signal gets EPIPE, and has to stop by itself. A program "
            "inherits over exec that the signal is ignored."
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
            "A write to a pipe of up to PIPE_BUF (4,096) bytes stays whole. A longer one is "
            "split when the pipe is full. While its writer sleeps, others write, and their bytes "
            "lie in between."
        ),
        mend="Write at most 4,096 bytes at once, or take a lock around each write.",
        evidence=(
            "The order of the calls, and how many bytes lay in the pipe while the writers slept, "
            "prove that bytes of another process lie between those of one write."
        ),
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
        probable_if=": they may be meant to write the same",
        hangs=False,
    ),
    RulePage(
        name="datagram-cut",
        title="a datagram did not fit into the receiver's buffer",
        certainty="sure",
        looks="The end of a message is missing.",
        why="A receive takes one datagram. What does not fit into its buffer is thrown away.",
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
        probable_if=": it matters if the handler counts",
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
        title="a process does not end at SIGTERM",
        certainty="sure or probable",
        looks="'docker stop' or a shutdown takes ten seconds; a program goes on after its script.",
        why=(
            "SIGTERM is ignored or blocked; both are inherited over exec. PID 1 of a container "
            "gets only signals that it has a handler for. Or it was sent to a shell: the program "
            "that this waits for does not get it, and a trap runs when that has ended."
        ),
        mend="Let SIGTERM end it, run it by 'exec' in a script, or send it to the process group.",
        evidence=(
            "SIGTERM was sent 2 seconds ago to a process that keeps it out and goes on; or that "
            "waits, or waited, for a child which was not sent it."
        ),
        probable_if="where it was sent to who waits for a child",
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
        probable_if="unless it got fewer SIGCHLD than children ended",
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
        probable_if="if nobody who is watched has the address",
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
        probable_if="if they may be older than the run",
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
        probable_if="if nobody else made it",
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
        probable_if=": a copy may be wanted",
        scenario="mmap-shared-private",
        hangs=False,
    ),
    RulePage(
        name="shared-pointer",
        title="memory that is shared has an address of one process in it",
        certainty="sure or probable",
        looks="The other process crashes, or reads nonsense.",
        why=(
            "Each process maps the memory where there is room. An address that one of them stores "
            "there means something else in another one."
        ),
        mend="Store offsets from the beginning of the memory; or map it at one address in all.",
        evidence=(
            "Two processes have mapped it at different addresses, and 8 bytes of it are an address "
            "inside one mapping and not inside the other. It is sure where SIGSEGV ended a process "
            "at such an address."
        ),
        probable_if="unless a process was ended by SIGSEGV at such an address",
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
