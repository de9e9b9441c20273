"""What every floor needs to know of a system call: one table, a row a call.

Who asks "which calls open something?" asks the table (`where(lambda call: call.names == "opens")`)
and keeps no list of its own. What only one floor can do with a call (decode its memory, read its
effects, say it in words) are functions of that floor, in tables of functions by name.

To add a call, add its row, in the group of its mechanism: its name and its arguments as its manual
page (section 2) has them, when a process is stopped at it, and whatever else is not as usual.
`memfd_secret`, which makes a descriptor of which no more is known than that it is there, needs

    _structural("memfd_secret", "flags:hex", "effects", descriptors="new"),

and nothing else: it is decoded, its descriptor is opened in the model, and the log says it. A test
fails for what a row promises and no floor does. `python -m docs.make_calls` writes the table as a
page, docs/calls.md. Pure data.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

import msgspec

Stops = Literal["always", "in full mode", "for markers", "by an event", "unstopped"]
"""When a process is stopped at a call.

`always`: it changes who is connected to what, or how signals are treated (a *structural* call).
`in full mode`: it moves data or waits for it (a *data* call), and is stopped at only while its
process is traced in full. `for markers`: it only looks at a path, by which a program may leave a
marker; far too frequent to be structural. `by an event`: ptrace's own events tell of it.
`unstopped`: a thread may be found in it, or its result may have to be read.
"""

Family = Literal["", "birth", "program", "end"]
"""What a call does to who is there: it makes a process or thread, puts another program in its
place, or ends it.
"""

Flow = Literal["", "takes", "puts", "transfers"]
"""How bytes move: out of an object into the process, the other way, or from `fd_in` to `fd_out`."""

Returns = Literal["", "bytes", "messages", "process", "identifier", "elsewhere"]
"""What a call that succeeded returns: how many bytes or messages it moved, a process's number, a
System V identifier; `elsewhere`: its thread goes on at another place. Empty for all else,
descriptors among it.
"""

On = Literal["", "any", "file", "pipe", "socket", "queue", "semaphores", "segment"]
"""What a call works on, where that is one sort of thing: `any` descriptor of which bytes can be
read or written, a file, a pipe (tee, splice and vmsplice need one), a socket, a message queue, a
System V set of semaphores or segment of shared memory.
"""

Names = Literal["", "opens", "looks at", "makes", "links", "removes", "renames"]
"""What a call does to a name in a directory (of mq_unlink(2), among the queues' names)."""

Descriptors = Literal["", "new", "pair", "duplicate", "received", "sent"]
"""How a call makes descriptors: it returns one of a new open file description, makes two, makes a
duplicate, or receives some from another process; or it sends some.
"""

Waits = Literal[
    "", "ready", "signal", "time", "child", "connection", "peer", "lock", "disk", "semaphore",
    "message", "room", "word", "program", "completion",
]  # fmt: skip
"""What a call waits for whatever object it is about: until one of several descriptors is `ready`;
for a signal; for time to pass; for a child to end or stop; for a connection; for the `peer` to
accept one; for a lock on a file; for the disk; for a semaphore of System V; for a message in a
queue, or room for one; for the `word` of a futex to change; until the child executes a `program` or
ends (vfork); for the completion of what was asked for before. Empty: it never sleeps, or what for
depends on the object alone, as for read(2).
"""

Expired = Literal["", "0", "EAGAIN", "ETIME"]
"""What a call returns when a limit of its own is up that the kernel would begin anew if the call
were made again after a signal: of its arguments, or its socket's (SO_RCVTIMEO, SO_SNDTIMEO). Empty
where it has none, or where the kernel keeps it: nanosleep, poll and futex have restart blocks, and
a limit that is a moment stays the same.
"""

Visible = Literal["", "always", "by path", "by object", "by objects", "by arguments"]
"""Whether a call is worth a step: always, or if its path, the object behind `fd`, one of those
behind `fd_in` and `fd_out`, or what else it is about is.
"""

After = Literal["", "notifier", "list", "process"]
"""What is read when a call has succeeded: the descriptor that tells of events and that it is about;
that, once for many calls that change its list; the caller's namespaces and timers.
"""

Trait = Literal[
    "effects", "untold", "failing", "changes", "quick", "loads", "foretold", "uncounted",
    "unfollowed", "followed running", "maps", "ranged", "confines", "namespaces", "sends signals",
    "takes signals", "restarts", "parts", "anew", "once", "strict",
]  # fmt: skip

TRAITS: Final[dict[Trait, str]] = {
    "effects": "Its return can bring effects: changes of state that the tracer reads.",
    "untold": "No sentence tells of it: what it does matters to nobody else, or a sample tells it.",
    "failing": "That it failed is worth a sentence.",
    "changes": (
        "Its return alone, without an effect, changes more in the state than counts and the use of"
        " the descriptor `fd`."
    ),
    "quick": (
        "Its arguments can be looked at while it is being made. It is frequent and writes to"
        " nothing that it reads. What it undoes is known without a look."
    ),
    "loads": (
        "The dynamic linker finds and maps libraries by it: what it opens it closes again, and"
        " nobody notices."
    ),
    "foretold": "It can only succeed if its arguments are in order, so it is known at its entry.",
    "uncounted": (
        "It is looked at however many there are: it bears on how a process can be traced, and /proc"
        " does not tell of it. Programs make few."
    ),
    "unfollowed": "It is frequent, and nothing else follows from its success.",
    "followed running": "It is frequent, and is followed up while its thread runs on.",
    "maps": "After it something else may lie at an address.",
    "ranged": "It is about a range of memory, and matters only where that is shared with others.",
    "confines": "It can forbid its process further calls.",
    "namespaces": "It brings its process into other namespaces.",
    "sends signals": "It sends a signal to a process, a thread or a group.",
    "takes signals": "It takes pending signals, or tells of events (signalfd, inotify).",
    "restarts": (
        "The kernel starts it again as it was after PTRACE_INTERRUPT (ERESTARTSYS and its like;"
        " signal(7)), whatever it waits for."
    ),
    "parts": "It comes back with what it has moved so far if it is cut short.",
    "anew": "The kernel makes it again by itself, but with its whole time limit.",
    "once": "It is not to be made again: what it was to undo is gone, or it means nothing twice.",
    "strict": "Seccomp's strict mode allows it (seccomp(2)).",
}
"""What can be said of a call in one word, and what it means."""


class SystemCall(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the table.

    Attributes:
        name: As in the manual pages.
        signature: Its arguments, `name:type` each, in order; without a type it is `long`. Types:
            `int` (signed 32 bits), `long` (signed 64), `hex`, `fd`, `path` (a string in memory),
            `signal`, `pid` (a number of a process, thread or, below zero, group), `buf` (data; its
            length is `count`), `iov`, `msg`, `at` (a directory's descriptor), `milliseconds`,
            `timespec` and `timeval` (a length of time in memory; with `_left` the kernel writes
            what is left of it there), `moment` (of CLOCK_REALTIME), or the name of a decoder in
            `ipcviz.tracer.calls.decode`.
        arguments: The same as (name, type).
        stops: When a process is stopped at it.
        traits: What else is so; see `TRAITS`.
        like: The older call that it takes the place of, with more arguments: for who says what is
            done both are one operation. Empty if there is none.
    """

    name: str
    signature: str
    arguments: tuple[tuple[str, str], ...]
    stops: Stops
    traits: frozenset[Trait] = frozenset()
    family: Family = ""
    flow: Flow = ""
    returns: Returns = ""
    on: On = ""
    names: Names = ""
    descriptors: Descriptors = ""
    waits: Waits = ""
    expired: Expired = ""
    visible: Visible = ""
    after: After = ""
    like: str = ""

    def has_argument(self, argument: str) -> bool:
        """Whether it has an argument of this name."""
        return any(name == argument for name, _ in self.arguments)

    def find_argument(self, *types: str) -> int:
        """Which of its arguments is the first of one of these types; -1 if none is."""
        for place, (_, kind) in enumerate(self.arguments):
            if kind in types:
                return place
        return -1

    @property
    def positioned(self) -> bool:
        """Whether it reads or writes at an offset of its own, and leaves the description's alone.

        preadv2(2) and pwritev2(2) do neither if their offset is -1.
        """
        return bool(self.flow) and ("offset", "long") in self.arguments


class _Row:
    """Makes rows of one sort."""

    def __init__(self, stops: Stops) -> None:
        self._stops = stops

    def __call__(
        self,
        name: str,
        signature: str,
        *traits: Trait,
        family: Family = "",
        flow: Flow = "",
        returns: Returns = "",
        on: On = "",
        names: Names = "",
        descriptors: Descriptors = "",
        waits: Waits = "",
        expired: Expired = "",
        visible: Visible = "",
        after: After = "",
        like: str = "",
    ) -> SystemCall:
        pairs = (word.partition(":") for word in signature.split())
        return SystemCall(
            name=name,
            signature=signature,
            arguments=tuple((argument, kind or "long") for argument, _, kind in pairs),
            stops=self._stops,
            traits=frozenset(traits),
            family=family,
            flow=flow,
            returns=returns,
            on=on,
            names=names,
            descriptors=descriptors,
            waits=waits,
            expired=expired,
            visible=visible,
            after=after,
            like=like,
        )


_structural: Final = _Row("always")
_data: Final = _Row("in full mode")
_look: Final = _Row("for markers")
_event: Final = _Row("by an event")
_unstopped: Final = _Row("unstopped")

# fmt: off
_ROWS: Final = (
    # Descriptors.
    _structural("close", "fd:fd", "failing", "effects", "quick", "loads", "once",
        visible="by object"),
    _structural("close_range", "first:fd last:fd flags:close_range_flags", "effects"),
    _structural("dup", "fd:fd", "failing", "effects", "quick", "unfollowed",
        descriptors="duplicate", visible="by object"),
    _structural("dup2", "fd:fd newfd:fd", "failing", "effects", "quick", "unfollowed",
        descriptors="duplicate", visible="by object"),
    _structural("dup3", "fd:fd newfd:fd flags:open_flags", "failing", "effects", "quick",
        "unfollowed", descriptors="duplicate", visible="by object", like="dup2"),
    _structural("fcntl", "fd:fd cmd:fcntl_command arg", "failing", "effects", "quick", "unfollowed",
        waits="lock", visible="by arguments"),
    _structural("ioctl", "fd:fd request:ioctl_request arg:hex", "effects", "quick"),
    _data("lseek", "fd:fd offset whence:whence", "failing", "unfollowed", on="file",
        visible="by arguments"),
    # Names in directories: opened, looked at, made, given and removed.
    _structural("open", "path:path flags:open_flags mode:mode", "failing", "effects", "quick",
        "loads", "followed running", names="opens", descriptors="new", visible="by path"),
    _structural("openat", "dirfd:at path:path flags:open_flags mode:mode", "failing", "effects",
        "quick", "loads", "followed running", names="opens", descriptors="new", visible="by path"),
    _structural("openat2", "dirfd:at path:path how:hex size", "failing", "effects", names="opens",
        descriptors="new", visible="by path"),
    _structural("creat", "path:path mode:mode", "failing", "effects", "quick", "followed running",
        names="opens", descriptors="new", visible="by path"),
    _structural("access", "path:path mode:int", "untold", "quick", "loads", "unfollowed",
        names="looks at"),
    _structural("faccessat", "dirfd:at path:path mode:int", "unfollowed", "untold", "quick",
        "loads", names="looks at"),
    _structural("faccessat2", "dirfd:at path:path mode:int flags:hex", "unfollowed", "untold",
        "quick", "loads", names="looks at"),
    _look("stat", "path:path buf:hex", "loads", names="looks at"),
    _look("lstat", "path:path buf:hex", "loads", names="looks at"),
    _look("newfstatat", "dirfd:at path:path buf:hex flags:hex", "loads", names="looks at"),
    _look("statx", "dirfd:at path:path flags:hex mask:hex buf:hex", "loads", names="looks at"),
    _structural("mknod", "path:path mode:mode dev:hex", "failing", "effects", names="makes",
        visible="by path"),
    _structural("mknodat", "dirfd:at path:path mode:mode dev:hex", "failing", "effects",
        names="makes", visible="by path"),
    _structural("link", "old:path new:path", "effects", names="links", visible="by path"),
    _structural("linkat", "olddirfd:at old:path newdirfd:at new:path flags:hex", "effects",
        names="links", visible="by path"),
    _structural("unlink", "path:path", "failing", "effects", names="removes", visible="by path"),
    _structural("unlinkat", "dirfd:at path:path flags:hex", "failing", "effects", names="removes",
        visible="by path"),
    _structural("rename", "old:path new:path", "effects", names="renames", visible="by path"),
    _structural("renameat", "olddirfd:at old:path newdirfd:at new:path", "effects", names="renames",
        visible="by path"),
    _structural("renameat2", "olddirfd:at old:path newdirfd:at new:path flags:rename_flags",
        "effects", names="renames", visible="by path"),
    _structural("chdir", "path:path", "effects"),
    _structural("fchdir", "fd:fd", "effects"),
    _data("getdents64", "fd:fd buf:hex count", "changes", "unfollowed"),
    # Bytes through any descriptor; files.
    _data("read", "fd:fd buf:buf count", "quick", "loads", "takes signals", "anew", "strict",
        flow="takes", returns="bytes", on="any", expired="EAGAIN", visible="by object"),
    _data("write", "fd:fd buf:buf count", "quick", "parts", "strict", flow="puts", returns="bytes",
        on="any", expired="EAGAIN", visible="by object"),
    _data("readv", "fd:fd iov:iov count:int", "quick", "parts", "anew", flow="takes",
        returns="bytes", on="any", expired="EAGAIN", visible="by object"),
    _data("writev", "fd:fd iov:iov count:int", "quick", "parts", flow="puts", returns="bytes",
        on="any", expired="EAGAIN", visible="by object"),
    _data("pread64", "fd:fd buf:buf count offset", "quick", "loads", flow="takes", returns="bytes",
        on="any", visible="by object"),
    _data("pwrite64", "fd:fd buf:buf count offset", "quick", "parts", flow="puts", returns="bytes",
        on="any", visible="by object"),
    _data("preadv", "fd:fd iov:iov count:int offset", flow="takes", returns="bytes", on="any",
        visible="by object"),
    _data("pwritev", "fd:fd iov:iov count:int offset", "parts", flow="puts", returns="bytes",
        on="any", visible="by object"),
    _data("preadv2", "fd:fd iov:iov count:int offset", "parts", flow="takes", returns="bytes",
        on="any", visible="by object"),
    _data("pwritev2", "fd:fd iov:iov count:int offset", "parts", flow="puts", returns="bytes",
        on="any", visible="by object"),
    _data("sendfile", "fd_out:fd fd_in:fd offset:hex count", "changes", "parts", flow="transfers",
        returns="bytes", on="any", expired="EAGAIN", visible="by objects"),
    _data("copy_file_range", "fd_in:fd off_in:hex fd_out:fd off_out:hex count flags:hex", "changes",
        "parts", flow="transfers", returns="bytes", on="file", visible="by objects"),
    _data("fsync", "fd:fd", waits="disk", visible="by object"),
    _data("fdatasync", "fd:fd", waits="disk", visible="by object"),
    _structural("ftruncate", "fd:fd length", "failing", visible="by object"),
    _structural("truncate", "path:path length"),
    _structural("fallocate", "fd:fd mode:fallocate_mode offset length"),
    _structural("flock", "fd:fd operation:flock_operation", "failing", waits="lock",
        visible="always"),
    # Pipes.
    _structural("pipe", "fds:hex", "effects", "quick", "followed running", on="pipe",
        descriptors="pair", visible="always"),
    _structural("pipe2", "fds:hex flags:open_flags", "effects", "quick", "followed running",
        on="pipe", descriptors="pair", visible="always", like="pipe"),
    _data("splice", "fd_in:fd off_in:hex fd_out:fd off_out:hex count flags:hex", "changes", "parts",
        flow="transfers", returns="bytes", on="pipe", expired="EAGAIN", visible="by objects"),
    _data("tee", "fd_in:fd fd_out:fd count flags:hex", "changes", "parts", flow="transfers",
        returns="bytes", on="pipe", visible="by objects"),
    _data("vmsplice", "fd:fd iov:iov count:int flags:hex", "parts", flow="puts", returns="bytes",
        on="pipe", visible="by object"),
    # Sockets.
    _structural("socket", "domain:socket_domain type:socket_type protocol:int", "failing",
        "effects", "quick", on="socket", descriptors="new", visible="always"),
    _structural("socketpair", "domain:socket_domain type:socket_type protocol:int fds:hex",
        "effects", "quick", "followed running", on="socket", descriptors="pair", visible="always"),
    _structural("bind", "fd:fd address:sockaddr length:int", "effects", on="socket",
        visible="always"),
    _structural("listen", "fd:fd backlog:int", "effects", on="socket", visible="always"),
    _structural("accept", "fd:fd address:hex length:hex", "effects", "quick", on="socket",
        descriptors="new", waits="connection", expired="EAGAIN", visible="always"),
    _structural("accept4", "fd:fd address:hex length:hex flags:socket_type", "effects", "quick",
        on="socket", descriptors="new", waits="connection", expired="EAGAIN", visible="always",
        like="accept"),
    _structural("connect", "fd:fd address:sockaddr length:int", "effects", on="socket",
        waits="peer", expired="EAGAIN", visible="always"),
    _structural("shutdown", "fd:fd how:shutdown_how", "changes", "effects", "quick", on="socket",
        visible="always"),
    _structural("getsockopt", "fd:fd level:int option:int value:hex length:hex", on="socket"),
    _data("setsockopt", "fd:fd level:int option:int value:hex length:int", "untold", "changes",
        on="socket"),
    _data("sendto", "fd:fd buf:buf count flags:message_flags address:sockaddr length:int", "quick",
        "parts", flow="puts", returns="bytes", on="socket", expired="EAGAIN", visible="by object"),
    _data("recvfrom", "fd:fd buf:buf count flags:message_flags address:hex length:hex", "quick",
        "parts", flow="takes", returns="bytes", on="socket", expired="EAGAIN", visible="by object"),
    _data("sendmsg", "fd:fd msg:msg flags:message_flags", "effects", "parts", flow="puts",
        returns="bytes", on="socket", descriptors="sent", expired="EAGAIN", visible="by object"),
    _data("recvmsg", "fd:fd msg:msg flags:message_flags", "effects", "parts", flow="takes",
        returns="bytes", on="socket", descriptors="received", expired="EAGAIN",
        visible="by object"),
    _data("sendmmsg", "fd:fd msgs:hex count:int flags:message_flags", "changes", "effects", "parts",
        flow="puts", returns="messages", on="socket", descriptors="sent", expired="EAGAIN",
        visible="by object"),
    _data("recvmmsg", "fd:fd msgs:hex count:int flags:message_flags timeout:hex", "changes",
        "effects", "parts", "anew", flow="takes", returns="messages", on="socket",
        descriptors="received", expired="EAGAIN", visible="by object"),
    # Descriptors that tell of events, and waits until one of several is ready.
    _structural("eventfd", "initval:int", "effects", descriptors="new", visible="always",
        after="notifier"),
    _structural("eventfd2", "initval:int flags:eventfd_flags", "effects", "quick",
        descriptors="new", visible="always", after="notifier", like="eventfd"),
    _structural("timerfd_create", "clock:clock flags:open_flags", "effects", descriptors="new",
        visible="always", after="notifier"),
    _data("timerfd_settime", "fd:fd flags:timer_flags new:itimerspec old:hex", visible="always",
        after="notifier"),
    _structural("signalfd", "fd:fd mask:sigset size", "effects", visible="always",
        after="notifier"),
    _structural("signalfd4", "fd:fd mask:sigset size flags:open_flags", "effects", visible="always",
        after="notifier", like="signalfd"),
    _structural("pidfd_open", "pid:pid flags:hex", "effects", descriptors="new", visible="always",
        after="notifier"),
    _structural("pidfd_getfd", "pidfd:fd targetfd:fd flags:hex", "effects", descriptors="received",
        visible="always"),
    _structural("inotify_init", "", "effects", descriptors="new", visible="always",
        after="notifier"),
    _structural("inotify_init1", "flags:open_flags", "effects", descriptors="new", visible="always",
        after="notifier", like="inotify_init"),
    _structural("inotify_add_watch", "fd:fd path:path mask:inotify_mask", "effects",
        visible="always", after="list"),
    _structural("inotify_rm_watch", "fd:fd wd:int", visible="always", after="list"),
    _structural("epoll_create", "size:int", "effects", descriptors="new", visible="always",
        after="notifier"),
    _structural("epoll_create1", "flags:open_flags", "effects", descriptors="new", visible="always",
        after="notifier", like="epoll_create"),
    _data("epoll_ctl", "fd:fd op:epoll_op target:fd event:epoll_event", "quick", visible="always",
        after="list"),
    _data("epoll_wait", "fd:fd events:hex count:int timeout:milliseconds", "quick", waits="ready",
        expired="0", visible="always"),
    _data("epoll_pwait", "fd:fd events:hex count:int timeout:milliseconds mask:call_mask",
        waits="ready", expired="0", visible="always"),
    _data("epoll_pwait2", "fd:fd events:hex count:int timeout:timespec mask:call_mask",
        waits="ready", expired="0", visible="always"),
    _data("poll", "fds:pollfds count:int timeout:milliseconds", "unfollowed", "restarts",
        waits="ready", visible="always"),
    _data("ppoll", "fds:pollfds count:int timeout:timespec_left mask:call_mask size", waits="ready",
        expired="0", visible="always"),
    _data("select", "nfds:int readfds:hex writefds:hex exceptfds:hex timeout:timeval_left",
        waits="ready", expired="0", visible="always"),
    _data("pselect6",
        "nfds:int readfds:hex writefds:hex exceptfds:hex timeout:timespec_left mask:pselect_mask",
        waits="ready", expired="0", visible="always"),
    # Descriptors of which no more is known than that they are there.
    _structural("memfd_secret", "flags:hex", "effects", descriptors="new"),
    _structural("userfaultfd", "flags:hex", "effects", descriptors="new"),
    _structural("perf_event_open", "attr:hex pid:pid cpu:int group:int flags:hex", "effects",
        descriptors="new"),
    _structural("fanotify_init", "flags:hex eventflags:hex", "effects", descriptors="new"),
    _structural("fsopen", "name:path flags:hex", "effects", descriptors="new"),
    _structural("io_uring_setup", "entries:int params:hex", "changes", "effects",
        descriptors="new"),
    _data("io_uring_enter", "fd:fd submit:int complete:int flags:hex", "untold", waits="completion",
        expired="ETIME"),
    _unstopped("io_getevents", "context:hex least:long most:long events:hex timeout:timespec",
        waits="completion", expired="0"),
    _unstopped("io_pgetevents",
        "context:hex least:long most:long events:hex timeout:timespec mask:hex", "anew",
        waits="completion", expired="0"),
    # Message queues: those of POSIX have a descriptor, those of System V an id.
    _structural("mq_open", "path:path flags:open_flags mode:mode attr:hex", "failing", "effects",
        on="queue", descriptors="new", visible="always"),
    _structural("mq_unlink", "path:path", "effects", on="queue", names="removes", visible="always"),
    _structural("mq_notify", "fd:fd event:hex", on="queue", visible="always"),
    _structural("mq_getsetattr", "fd:fd new:hex old:hex", "effects", on="queue"),
    _data("mq_timedsend", "fd:fd buf:buf count priority:int timeout:moment", flow="puts",
        on="queue", waits="room", visible="always"),
    _data("mq_timedreceive", "fd:fd buf:buf count priority:hex timeout:moment", flow="takes",
        returns="bytes", on="queue", waits="message", visible="always"),
    _structural("msgget", "key:hex flags:ipc_flags", "failing", "effects", returns="identifier",
        on="queue", visible="always"),
    _data("msgsnd", "id:int msg:msgbuf count flags:queue_flags", "changes", flow="puts", on="queue",
        waits="room", visible="always"),
    _data("msgrcv", "id:int msg:hex count type:long flags:queue_flags", "changes", flow="takes",
        returns="bytes", on="queue", waits="message", visible="always"),
    _structural("msgctl", "id:int cmd:ipc_command buf:hex", "effects", on="queue",
        visible="always"),
    # Semaphores and mutexes.
    _structural("semget", "key:hex count:int flags:ipc_flags", "failing", returns="identifier",
        on="semaphores", visible="always"),
    _data("semop", "id:int ops:sembuf count:int", "changes", on="semaphores", waits="semaphore",
        visible="always"),
    _data("semtimedop", "id:int ops:sembuf count:int timeout:timespec", "changes", on="semaphores",
        waits="semaphore", expired="EAGAIN", visible="always", like="semop"),
    _structural("semctl", "id:int index:int cmd:ipc_command arg:hex", "changes", on="semaphores",
        visible="always"),
    _data("futex", "address:hex op:futex_op value:int timeout:hex address2:hex value3:int",
        "restarts", waits="word"),
    # Memory.
    _structural("memfd_create", "name:path flags:memfd_flags", "effects", descriptors="new",
        visible="always"),
    _structural("mmap", "address:hex length prot:protection flags:map_flags fd:fd offset:long",
        "failing", "effects", "quick", "loads", "maps", visible="by arguments"),
    _data("munmap", "address:hex length", "effects", "loads", "maps", "ranged",
        visible="by arguments"),
    _data("mprotect", "address:hex length prot:protection", "effects", "loads", "ranged",
        visible="by arguments"),
    _data("mremap", "address:hex length newlength flags:remap_flags newaddress:hex", "effects",
        "maps", "ranged", visible="by arguments"),
    _data("msync", "address:hex length flags:msync_flags", "ranged", visible="always"),
    _data("madvise", "address:hex length advice:advice", "ranged"),
    _structural("shmget", "key:hex size flags:segment_flags", "failing", returns="identifier",
        on="segment", visible="always"),
    _structural("shmat", "id:int address:hex flags:attach_flags", "effects", "maps", on="segment",
        visible="always"),
    _structural("shmdt", "address:hex", "effects", "maps", on="segment", visible="always"),
    _structural("shmctl", "id:int cmd:ipc_command buf:hex", on="segment", visible="always"),
    # Processes.
    _event("fork", "", "failing", family="birth", returns="process", visible="always"),
    _event("vfork", "", "failing", family="birth", returns="process", waits="program",
        visible="always"),
    _structural("clone", "flags:hex stack:hex parent_tid:hex child_tid:hex tls:hex", "failing",
        "uncounted", family="birth", returns="process", visible="always"),
    _structural("clone3", "args:hex size", "failing", "uncounted", family="birth",
        returns="process", visible="always"),
    _event("execve", "path:path argv:argv", "failing", family="program", visible="always"),
    _event("execveat", "dirfd:at path:path argv:argv", "failing", family="program",
        visible="always"),
    _event("exit_group", "code:int", family="end", visible="always"),
    _unstopped("exit", "code:int", "strict"),
    _structural("wait4", "pid:pid status:hex options:wait_options rusage:hex", "failing", "quick",
        "followed running", "restarts", returns="process", waits="child", visible="always"),
    _structural("waitid", "which:int pid:pid info:hex options:wait_options rusage:hex", "failing",
        "restarts", waits="child", visible="always"),
    _unstopped("getpid", "", returns="process"),
    _unstopped("gettid", "", returns="process"),
    _unstopped("getppid", "", returns="process"),
    _structural("setsid", "", "effects", returns="process", visible="always"),
    _structural("setpgid", "pid:pid pgid:pid", "failing", "effects", "quick", visible="always"),
    # What confines a process, or hides it.
    _structural("ptrace", "request:ptrace_request pid:pid", "uncounted"),
    _structural("prctl", "option:prctl_option value:long", "effects", "confines", visible="always"),
    _structural("seccomp", "operation:seccomp_operation flags:hex args:hex", "effects", "confines"),
    _structural("landlock_create_ruleset", "attr:hex size flags:hex", "effects", descriptors="new"),
    _structural("unshare", "flags:clone_flags", "uncounted", "namespaces", visible="always",
        after="process"),
    _structural("setns", "fd:fd type:clone_flags", "uncounted", "namespaces", visible="always",
        after="process"),
    # Signals and timers.
    _structural("kill", "pid:pid signal:signal", "effects", "sends signals", visible="always"),
    _structural("tkill", "tid:pid signal:signal", "effects", "sends signals", visible="always"),
    _structural("tgkill", "pid:pid tid:pid signal:signal", "effects", "sends signals",
        visible="always"),
    _structural("rt_sigqueueinfo", "pid:pid signal:signal info:hex", "effects", "sends signals",
        visible="always"),
    _structural("rt_tgsigqueueinfo", "pid:pid tid:pid signal:signal info:hex", "effects",
        "sends signals", visible="always"),
    _structural("pidfd_send_signal", "pidfd:fd signal:signal info:hex flags:hex", "effects",
        "sends signals", visible="always"),
    _structural("rt_sigaction", "signal:signal new:sigaction old:hex size", "effects", "foretold",
        visible="by arguments"),
    _structural("rt_sigprocmask", "how:mask_how set:sigset old:hex size", "effects", "foretold",
        "unfollowed", visible="by arguments"),
    _structural("rt_sigsuspend", "mask:sigset size", "untold", waits="signal", visible="always"),
    _data("rt_sigtimedwait", "set:sigset info:hex timeout:timespec size", "takes signals",
        waits="signal", expired="EAGAIN", visible="always"),
    _data("rt_sigpending", "set:hex size", "untold"),
    _structural("rt_sigreturn", "", "untold", "quick", "once", "strict", returns="elsewhere",
        visible="always"),
    _structural("sigaltstack", "new:hex old:hex", "untold", "uncounted"),
    _structural("pause", "", "untold", waits="signal", visible="always"),
    _structural("alarm", "seconds:int", "effects", visible="always"),
    _structural("setitimer", "which:itimer new:itimerval old:hex", "effects", visible="always"),
    _structural("timer_create", "clock:clock event:hex timer:hex", "effects", after="process"),
    _structural("timer_settime", "timer:int flags:timer_flags new:itimerspec old:hex", "effects",
        visible="always"),
    _structural("timer_delete", "timer:int", "effects", visible="always", after="process"),
    _data("nanosleep", "request:timespec remaining:hex", "untold", waits="time", visible="always"),
    _data("clock_nanosleep", "clock:int flags:int request:timespec remaining:hex", "untold",
        waits="time", visible="always"),
    # Others.
    _data("sched_yield", "", "untold"),
    _unstopped("getrandom", "buf:hex count flags:hex"),
    _unstopped("restart_syscall", "", "restarts", "once"),
)
# fmt: on

CALLS: Final[dict[str, SystemCall]] = {call.name: call for call in _ROWS}
"""Every call that ipcviz knows, by name. Another one passes unseen."""


def where(test: Callable[[SystemCall], bool]) -> frozenset[str]:
    """The names of the calls of which something is true: to be asked once, at import."""
    return frozenset(call.name for call in _ROWS if test(call))


def having(trait: Trait) -> frozenset[str]:
    """The names of the calls that have a trait."""
    return frozenset(call.name for call in _ROWS if trait in call.traits)


READS: Final = where(
    lambda call: call.flow == "takes" and call.returns == "bytes" and call.has_argument("fd")
)
"""Calls that take bytes out of the object behind `fd` and return how many."""

READS_ANY: Final = where(
    lambda call: call.flow == "takes" and call.on == "any" and not call.positioned
)
"""Those of them that read whatever descriptor they are given, where it stands."""

WRITES: Final = where(
    lambda call: call.flow == "puts" and call.returns == "bytes" and call.has_argument("fd")
)
"""Calls that put bytes into the object behind `fd` and return how many. (vmsplice(2) takes them out
at a pipe's read end.)
"""

MOVES: Final = where(lambda call: call.flow == "transfers")
"""Calls that move bytes from `fd_in` to `fd_out` and return how many; tee(2) copies them, and takes
none out.
"""

COUNTS_MESSAGES: Final = where(lambda call: call.returns == "messages")
"""Calls that return how many messages they moved, not how many bytes."""

OPENS: Final = where(lambda call: call.names == "opens")
"""Calls that open something by its name."""

BIRTHS: Final = where(lambda call: call.family == "birth")
"""Calls that make a process or a thread."""

ACCEPTS: Final = where(lambda call: call.waits == "connection")
"""Calls that take a connection from a listening socket."""

FOR_READY: Final = where(lambda call: call.waits == "ready")
"""Calls that wait until one of several descriptors is ready."""

FOR_CHILD: Final = where(lambda call: call.waits == "child")
FOR_SIGNAL: Final = where(lambda call: call.waits == "signal")
FOR_TIME: Final = where(lambda call: call.waits == "time")
LOCKS: Final = where(lambda call: call.waits == "lock")
"""Calls that take locks on files, or wait for them (of fcntl(2), some commands)."""

CHANGES_SEMAPHORES: Final = where(lambda call: call.waits == "semaphore")
"""Calls that change semaphores of a System V set at once, or sleep until they can."""


def is_same_operation(name: str, other: str) -> bool:
    """Whether two calls are one operation, whichever of its forms libc makes: accept(2) and
    accept4(2). So are two words that are equal, and name no call.
    """
    return name == other or _find_oldest(name) == _find_oldest(other)


def _find_oldest(name: str) -> str:
    row = CALLS.get(name)
    return row.like or name if row is not None else name
