"""The system calls that ipcviz knows: their arguments, and when a process is stopped at them.

Names and argument order are those of the manual pages (section 2) and the kernel's syscalls.h. A
call that is in no table here passes unseen.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from ipcviz.kernel.seccomp import AnyBits, Condition, Masked, OneOf


class Signature(NamedTuple):
    """A call's arguments, one `name:kind` each, in order.

    Kinds: `int` (signed 32 bits), `long` (signed 64), `hex`, `fd`, `path` (a string in memory),
    `signal`, `pid`, `buf` (data: how much is said by `count`), `iov`, `msg`, `at` (a directory
    descriptor), or the name of a decoder in `ipcviz.tracer.calls.decode`.
    """

    arguments: tuple[tuple[str, str], ...]


def _s(text: str) -> Signature:
    parts: list[tuple[str, str]] = []
    for word in text.split():
        name, _, kind = word.partition(":")
        parts.append((name, kind or "long"))
    return Signature(tuple(parts))


STRUCTURAL: Final[dict[str, Signature]] = {
    # Descriptor tables.
    "open": _s("path:path flags:open_flags mode:mode"),
    "openat": _s("dirfd:at path:path flags:open_flags mode:mode"),
    "openat2": _s("dirfd:at path:path how:hex size"),
    "creat": _s("path:path mode:mode"),
    "close": _s("fd:fd"),
    "close_range": _s("first:fd last:fd flags:close_range_flags"),
    "dup": _s("fd:fd"),
    "dup2": _s("fd:fd newfd:fd"),
    "dup3": _s("fd:fd newfd:fd flags:open_flags"),
    "fcntl": _s("fd:fd cmd:fcntl_command arg"),
    "pipe": _s("fds:hex"),
    "pipe2": _s("fds:hex flags:open_flags"),
    "ioctl": _s("fd:fd request:ioctl_request arg:hex"),
    "eventfd": _s("initval:int"),
    "eventfd2": _s("initval:int flags:eventfd_flags"),
    "epoll_create": _s("size:int"),
    "epoll_create1": _s("flags:open_flags"),
    "timerfd_create": _s("clock:clock flags:open_flags"),
    "signalfd": _s("fd:fd mask:sigset size"),
    "signalfd4": _s("fd:fd mask:sigset size flags:open_flags"),
    "inotify_init": _s(""),
    "inotify_init1": _s("flags:open_flags"),
    "inotify_add_watch": _s("fd:fd path:path mask:inotify_mask"),
    "inotify_rm_watch": _s("fd:fd wd:int"),
    "memfd_create": _s("name:path flags:memfd_flags"),
    "memfd_secret": _s("flags:hex"),
    "pidfd_open": _s("pid:pid flags:hex"),
    "pidfd_getfd": _s("pidfd:fd targetfd:fd flags:hex"),
    "userfaultfd": _s("flags:hex"),
    "ptrace": _s("request:ptrace_request pid:pid"),
    "io_uring_setup": _s("entries:int params:hex"),
    "perf_event_open": _s("attr:hex pid:pid cpu:int group:int flags:hex"),
    "fanotify_init": _s("flags:hex eventflags:hex"),
    "landlock_create_ruleset": _s("attr:hex size flags:hex"),
    "fsopen": _s("name:path flags:hex"),
    # Sockets.
    "socket": _s("domain:socket_domain type:socket_type protocol:int"),
    "socketpair": _s("domain:socket_domain type:socket_type protocol:int fds:hex"),
    "bind": _s("fd:fd address:sockaddr length:int"),
    "listen": _s("fd:fd backlog:int"),
    "accept": _s("fd:fd address:hex length:hex"),
    "accept4": _s("fd:fd address:hex length:hex flags:socket_type"),
    "connect": _s("fd:fd address:sockaddr length:int"),
    "shutdown": _s("fd:fd how:shutdown_how"),
    "getsockopt": _s("fd:fd level:int option:int value:hex length:hex"),
    # Names.
    "mknod": _s("path:path mode:mode dev:hex"),
    "mknodat": _s("dirfd:at path:path mode:mode dev:hex"),
    "unlink": _s("path:path"),
    "unlinkat": _s("dirfd:at path:path flags:hex"),
    "rename": _s("old:path new:path"),
    "renameat": _s("olddirfd:at old:path newdirfd:at new:path"),
    "renameat2": _s("olddirfd:at old:path newdirfd:at new:path flags:rename_flags"),
    "link": _s("old:path new:path"),
    "linkat": _s("olddirfd:at old:path newdirfd:at new:path flags:hex"),
    "access": _s("path:path mode:int"),
    "faccessat": _s("dirfd:at path:path mode:int"),
    "faccessat2": _s("dirfd:at path:path mode:int flags:hex"),
    "chdir": _s("path:path"),
    "fchdir": _s("fd:fd"),
    # Queues, segments, semaphores that have a name or a key.
    "mq_open": _s("path:path flags:open_flags mode:mode attr:hex"),
    "mq_unlink": _s("path:path"),
    "mq_notify": _s("fd:fd event:hex"),
    "mq_getsetattr": _s("fd:fd new:hex old:hex"),
    "shmget": _s("key:hex size flags:segment_flags"),
    "shmat": _s("id:int address:hex flags:attach_flags"),
    "shmdt": _s("address:hex"),
    "shmctl": _s("id:int cmd:ipc_command buf:hex"),
    "semget": _s("key:hex count:int flags:ipc_flags"),
    "semctl": _s("id:int index:int cmd:ipc_command arg:hex"),
    "msgget": _s("key:hex flags:ipc_flags"),
    "msgctl": _s("id:int cmd:ipc_command buf:hex"),
    # Memory.
    "mmap": _s("address:hex length prot:protection flags:map_flags fd:fd offset:long"),
    "ftruncate": _s("fd:fd length"),
    "truncate": _s("path:path length"),
    "fallocate": _s("fd:fd mode:fallocate_mode offset length"),
    # Processes. What clone makes is told by ptrace's events; it is a mark only where it would
    # escape the tracer.
    "clone": _s("flags:hex stack:hex parent_tid:hex child_tid:hex tls:hex"),
    "clone3": _s("args:hex size"),
    "wait4": _s("pid:pid status:hex options:wait_options rusage:hex"),
    "waitid": _s("which:int pid:pid info:hex options:wait_options rusage:hex"),
    "setsid": _s(""),
    "setpgid": _s("pid:pid pgid:pid"),
    "unshare": _s("flags:clone_flags"),
    "setns": _s("fd:fd type:clone_flags"),
    "prctl": _s("option:prctl_option value:long"),
    "seccomp": _s("operation:seccomp_operation flags:hex args:hex"),
    # Signals.
    "kill": _s("pid:pid signal:signal"),
    "tkill": _s("tid:pid signal:signal"),
    "tgkill": _s("pid:pid tid:pid signal:signal"),
    "rt_sigqueueinfo": _s("pid:pid signal:signal info:hex"),
    "rt_tgsigqueueinfo": _s("pid:pid tid:pid signal:signal info:hex"),
    "pidfd_send_signal": _s("pidfd:fd signal:signal info:hex flags:hex"),
    "rt_sigaction": _s("signal:signal new:sigaction old:hex size"),
    "rt_sigprocmask": _s("how:mask_how set:sigset old:hex size"),
    "rt_sigsuspend": _s("mask:sigset size"),
    "rt_sigreturn": _s(""),
    "sigaltstack": _s("new:hex old:hex"),
    "pause": _s(""),
    "alarm": _s("seconds:int"),
    "setitimer": _s("which:itimer new:itimerval old:hex"),
    "timer_create": _s("clock:clock event:hex timer:hex"),
    "timer_settime": _s("timer:int flags:timer_flags new:itimerspec old:hex"),
    "timer_delete": _s("timer:int"),
    # Locks.
    "flock": _s("fd:fd operation:flock_operation"),
}
"""Calls that change who is connected to what, or how signals are treated: a process is stopped at
every one.
"""

DATA: Final[dict[str, Signature]] = {
    "read": _s("fd:fd buf:buf count"),
    "write": _s("fd:fd buf:buf count"),
    "pread64": _s("fd:fd buf:buf count offset"),
    "pwrite64": _s("fd:fd buf:buf count offset"),
    "readv": _s("fd:fd iov:iov count:int"),
    "writev": _s("fd:fd iov:iov count:int"),
    "preadv": _s("fd:fd iov:iov count:int offset"),
    "pwritev": _s("fd:fd iov:iov count:int offset"),
    "preadv2": _s("fd:fd iov:iov count:int offset"),
    "pwritev2": _s("fd:fd iov:iov count:int offset"),
    "sendto": _s("fd:fd buf:buf count flags:message_flags address:sockaddr length:int"),
    "recvfrom": _s("fd:fd buf:buf count flags:message_flags address:hex length:hex"),
    "sendmsg": _s("fd:fd msg:msg flags:message_flags"),
    "recvmsg": _s("fd:fd msg:msg flags:message_flags"),
    "sendmmsg": _s("fd:fd msgs:hex count:int flags:message_flags"),
    "recvmmsg": _s("fd:fd msgs:hex count:int flags:message_flags timeout:hex"),
    "splice": _s("fd_in:fd off_in:hex fd_out:fd off_out:hex count flags:hex"),
    "tee": _s("fd_in:fd fd_out:fd count flags:hex"),
    "vmsplice": _s("fd:fd iov:iov count:int flags:hex"),
    "sendfile": _s("fd_out:fd fd_in:fd offset:hex count"),
    "copy_file_range": _s("fd_in:fd off_in:hex fd_out:fd off_out:hex count flags:hex"),
    "lseek": _s("fd:fd offset whence:whence"),
    "futex": _s("address:hex op:futex_op value:int timeout:hex address2:hex value3:int"),
    "semop": _s("id:int ops:sembuf count:int"),
    "semtimedop": _s("id:int ops:sembuf count:int timeout:hex"),
    "msgsnd": _s("id:int msg:msgbuf count flags:queue_flags"),
    "msgrcv": _s("id:int msg:hex count type:long flags:queue_flags"),
    "mq_timedsend": _s("fd:fd buf:buf count priority:int timeout:hex"),
    "mq_timedreceive": _s("fd:fd buf:buf count priority:hex timeout:hex"),
    "poll": _s("fds:pollfds count:int timeout:int"),
    "ppoll": _s("fds:pollfds count:int timeout:hex mask:call_mask size"),
    "select": _s("nfds:int readfds:hex writefds:hex exceptfds:hex timeout:hex"),
    "pselect6": _s("nfds:int readfds:hex writefds:hex exceptfds:hex timeout:hex mask:pselect_mask"),
    "epoll_wait": _s("fd:fd events:hex count:int timeout:int"),
    "epoll_pwait": _s("fd:fd events:hex count:int timeout:int mask:call_mask"),
    "epoll_pwait2": _s("fd:fd events:hex count:int timeout:hex mask:call_mask"),
    "epoll_ctl": _s("fd:fd op:epoll_op target:fd event:epoll_event"),
    "rt_sigtimedwait": _s("set:sigset info:hex timeout:hex size"),
    "rt_sigpending": _s("set:hex size"),
    "nanosleep": _s("request:hex remaining:hex"),
    "clock_nanosleep": _s("clock:int flags:int request:hex remaining:hex"),
    "msync": _s("address:hex length flags:msync_flags"),
    "mprotect": _s("address:hex length prot:protection"),
    "mremap": _s("address:hex length newlength flags:remap_flags newaddress:hex"),
    "madvise": _s("address:hex length advice:advice"),
    "fsync": _s("fd:fd"),
    "fdatasync": _s("fd:fd"),
    "getdents64": _s("fd:fd buf:hex count"),
    "timerfd_settime": _s("fd:fd flags:timer_flags new:itimerspec old:hex"),
    "setsockopt": _s("fd:fd level:int option:int value:hex length:int"),
    "sched_yield": _s(""),
    "munmap": _s("address:hex length"),
    "io_uring_enter": _s("fd:fd submit:int complete:int flags:hex"),
}
"""Calls that move data or wait for it: a process is stopped at them only while it is traced in
full.
"""

ADDRESSED: Final = frozenset({"munmap", "mprotect", "mremap", "msync", "madvise"})
"""Calls about a range of memory: of interest only where that range is shared with others."""

MARKER_PATH: Final[dict[str, int]] = {
    "stat": 0,
    "lstat": 0,
    "newfstatat": 1,
    "fstatat": 1,
    "statx": 1,
}
"""Calls that only look at a path, and which argument that is: a program may leave a marker by
them. They are far too frequent to be structural, and are looked at only while a process is
traced in full."""

KNOWN: Final[dict[str, Signature]] = {**STRUCTURAL, **DATA}

BIRTHS_AND_ENDS: Final[dict[str, Signature]] = {
    "fork": _s(""),
    "vfork": _s(""),
    "clone": _s("flags:hex stack:hex"),
    "clone3": _s("args:hex size"),
    "execve": _s("path:path argv:argv"),
    "execveat": _s("dirfd:at path:path argv:argv"),
    "exit_group": _s("code:int"),
}
"""Calls that ptrace's own events tell of; step mode holds threads before them, too."""

# fcntl commands (linux/fcntl.h) that change what is shown; the others are many and change nothing.
F_DUPFD: Final = 0
F_SETFD: Final = 2
F_SETFL: Final = 4
F_SETLK: Final = 6
F_SETLKW: Final = 7
F_OFD_SETLK: Final = 37
F_OFD_SETLKW: Final = 38
F_DUPFD_CLOEXEC: Final = 1030
F_SETPIPE_SZ: Final = 1031
F_ADD_SEALS: Final = 1033
LOCK_COMMANDS: Final = frozenset({F_SETLK, F_SETLKW, F_OFD_SETLK, F_OFD_SETLKW})

# asm-generic/ioctls.h
FIONBIO: Final = 0x5421
FIOCLEX: Final = 0x5451
FIONCLEX: Final = 0x5450

TIOCSCTTY: Final = 0x540E
TIOCSPGRP: Final = 0x5410
TIOCNOTTY: Final = 0x5422

PTRACE_TRACEME: Final = 0
PTRACE_ATTACH: Final = 16
PTRACE_SEIZE: Final = 0x4206
PR_SET_PDEATHSIG: Final = 1
SO_ERROR: Final = 4
SO_PEERCRED: Final = 17
"""asm-generic/socket.h, at level SOL_SOCKET"""

PR_SET_SECCOMP: Final = 22
PR_SET_CHILD_SUBREAPER: Final = 36
"""linux/prctl.h"""

SECCOMP_SET_MODE_STRICT: Final = 0
SECCOMP_SET_MODE_FILTER: Final = 1
"""linux/seccomp.h"""

MAP_SHARED: Final = 1
MAP_FIXED: Final = 0x10
MAP_ANONYMOUS: Final = 0x20
MAP_DENYWRITE: Final = 0x800
MREMAP_DONTUNMAP: Final = 4
"""linux/mman.h"""
AT_EMPTY_PATH: Final = 0x1000
PROT_EXEC: Final = 4

CLONE_UNTRACED: Final = 0x00800000
"""linux/sched.h: the new process or thread is not to be traced by whoever traces its maker."""

SECCOMP_FILTER_FLAG_NEW_LISTENER: Final = 8
"""linux/seccomp.h: the call returns a descriptor."""

CONDITIONS: Final[dict[str, tuple[Condition, ...]]] = {
    "clone": (AnyBits(0, CLONE_UNTRACED),),
    "fcntl": (
        OneOf(
            1,
            (
                F_DUPFD,
                F_SETFD,
                F_SETFL,
                F_SETLK,
                F_SETLKW,
                F_OFD_SETLK,
                F_OFD_SETLKW,
                F_DUPFD_CLOEXEC,
                F_SETPIPE_SZ,
                F_ADD_SEALS,
            ),
        ),
    ),
    "ioctl": (OneOf(1, (FIONBIO, FIOCLEX, FIONCLEX, TIOCSCTTY, TIOCSPGRP, TIOCNOTTY)),),
    "prctl": (OneOf(0, (PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_SET_CHILD_SUBREAPER)),),
    "seccomp": (OneOf(0, (SECCOMP_SET_MODE_STRICT, SECCOMP_SET_MODE_FILTER)),),
    "ptrace": (OneOf(0, (PTRACE_TRACEME, PTRACE_ATTACH, PTRACE_SEIZE)),),
    "landlock_create_ruleset": (Masked(2, 0xFFFFFFFF, 0),),
    "mq_getsetattr": (AnyBits(1, 0xFFFFFFFF),),
    "getsockopt": (OneOf(2, (SO_ERROR, SO_PEERCRED)),),
    "mmap": (AnyBits(3, MAP_SHARED), AnyBits(2, PROT_EXEC)),
    "rt_sigaction": (AnyBits(1, 0xFFFFFFFF),),
    "sigaltstack": (AnyBits(0, 0xFFFFFFFF),),
    "rt_sigprocmask": (AnyBits(1, 0xFFFFFFFF),),
}
"""Which of a structural call's uses are marked. rt_sigaction, rt_sigprocmask, sigaltstack and
mq_getsetattr that only ask have a null pointer there; its low half is zero in practice only
then. mmap is marked for shared memory and for code (libraries)."""

FULL_CONDITIONS: Final = {
    **CONDITIONS,
    "mmap": (
        *CONDITIONS["mmap"],
        Masked(3, MAP_ANONYMOUS | MAP_DENYWRITE, 0),
        Masked(3, MAP_FIXED | MAP_DENYWRITE, MAP_FIXED),
    ),
    "newfstatat": (Masked(3, AT_EMPTY_PATH, 0),),
    "fstatat": (Masked(3, AT_EMPTY_PATH, 0),),
    "statx": (Masked(2, AT_EMPTY_PATH, 0),),
}
"""The same in full mode, where private mappings of files that others write are to be seen, too,
and what is mapped in the place of something else; but not those that the dynamic linker makes of
programs and libraries, for which alone MAP_DENYWRITE is still used (mmap(2)). Of the calls that
look for a marker those are passed over that are about a descriptor: glibc's fstat is one of
them."""

NEW_DESCRIPTOR: Final = frozenset(
    {
        "open",
        "openat",
        "openat2",
        "creat",
        "eventfd",
        "eventfd2",
        "epoll_create",
        "epoll_create1",
        "timerfd_create",
        "inotify_init",
        "inotify_init1",
        "memfd_create",
        "memfd_secret",
        "pidfd_open",
        "userfaultfd",
        "io_uring_setup",
        "perf_event_open",
        "fanotify_init",
        "landlock_create_ruleset",
        "fsopen",
        "socket",
        "accept",
        "accept4",
        "mq_open",
    }
)
"""Calls that return the number of a descriptor of a new open file description."""

LOADS: Final = frozenset(
    {
        *("access", "faccessat", "faccessat2", "open", "openat", "read", "pread64", "close"),
        *("mmap", "mprotect", "munmap", "stat", "lstat", "newfstatat", "fstatat", "statx"),
    }
)
"""Calls by which the dynamic linker finds and maps libraries: what it opens it closes again, and
nobody notices.
"""

FORETOLD: Final = frozenset({"rt_sigprocmask", "rt_sigaction"})
"""Calls that can only succeed if their arguments are in order (see `ipcviz.tracer.stops.foretold`).
"""

QUICK: Final = frozenset(
    {
        *("open", "openat", "creat", "close", "dup", "dup2", "dup3", "fcntl", "ioctl", "mmap"),
        *("pipe", "pipe2", "eventfd2", "socket", "socketpair", "accept", "accept4", "shutdown"),
        *("access", "faccessat", "faccessat2", "setpgid", "wait4", "rt_sigreturn"),
        *(
            "read",
            "write",
            "pread64",
            "pwrite64",
            "readv",
            "writev",
            "recvfrom",
            "sendto",
            "epoll_wait",
            "epoll_ctl",
        ),
    }
)
"""Frequent calls whose arguments can be looked at while they are being made.

They write to nothing that they read, and what they undo is known without a look."""

UNCOUNTED: Final = frozenset({"clone", "clone3", "sigaltstack", "ptrace", "unshare", "setns"})
"""Structural calls that are looked at however many there are: what they do bears on how a
process can be traced, and /proc does not tell of it. Programs make few."""

NUMBERED: Final[dict[str, tuple[str, ...]]] = {
    "kill": ("pid",),
    "tkill": ("tid",),
    "tgkill": ("pid", "tid"),
    "rt_sigqueueinfo": ("pid",),
    "rt_tgsigqueueinfo": ("pid", "tid"),
    "wait4": ("pid",),
    "waitid": ("pid",),
    "setpgid": ("pid", "pgid"),
    "pidfd_open": ("pid",),
}
"""Which arguments of which calls are numbers of processes, threads or, below zero, process groups.
"""

MAKES: Final = frozenset({"mknod", "mknodat"})
"""Calls that make FIFOs."""

NO_RETURN: Final = frozenset({"rt_sigreturn"})
"""Calls whose return says nothing of its own."""


def opening(name: str, raw: tuple[int, ...]) -> int:
    """The flags that a call opens a file with; -1 if it is none of those that open by a name."""
    return (
        raw[1] & 0xFFFFFFFF if name == "open" else raw[2] & 0xFFFFFFFF if name == "openat" else -1
    )
