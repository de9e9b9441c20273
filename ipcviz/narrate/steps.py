"""Step mode in words: what a held thread is about to do, and what became of a step."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Final

from msgspec.structs import replace

from ipcviz.events import (
    Accessed,
    Call,
    Event,
    Executed,
    Exited,
    Forked,
    Held,
    Marker,
    Poised,
    Reaped,
    Released,
    SemaphoreOp,
    Settled,
    SignalDelivered,
    Stepped,
    ThreadCreated,
    ThreadExited,
    Waiting,
)
from ipcviz.events.arguments import flag_in, number_in, text_in
from ipcviz.events.calls import OPENS, READS, WRITES, where
from ipcviz.events.signals import signal_name, signals_in
from ipcviz.model.mechanisms.queues import RECEIVES, SENDS
from ipcviz.model.state import State
from ipcviz.model.steps.scheduler import Move
from ipcviz.model.steps.stepping import comes_first, find_pending_signals, find_value
from ipcviz.model.steps.visible import is_visible, is_visible_semaphore
from ipcviz.narrate.sentence import NOISE, STEP, TURN, Sentence
from ipcviz.narrate.waits import explain_wait
from ipcviz.narrate.words import count_bytes, end_of, name_process, quote_bytes, signal_names

Args = Mapping[str, int | str]

_ENDS: Final = ("terminate", "core")
"""What a signal can do to a process that ends it."""
_SHOWN: Final = 32
"""Bytes that are quoted of what is about to be written."""
_ACTIONS: Final = {
    "handler": "to run its handler for {}",
    "terminate": "to be ended by {}",
    "core": "to be ended by {}, with a core dump",
    "stop": "to be stopped by {}",
    "continue": "to be continued by {}",
    "ignore": "to ignore {}",
}


def describe_awaited(state: State, move: Move) -> str:
    """What only time can bring that a schedule waits for: `a to write, but it is blocked in read:
    empty`; empty if nothing.
    """
    reason = explain_wait(state, move.wait) if move.wait is not None else ""
    return f"{move.waits}: {reason}" if move.waits and reason else move.waits


def describe_intention(state: State, poised: Poised) -> str:
    """What a held thread will do when it is let go, as the rest of `it is about ...`: `to read from
    P1`.

    Names, paths and data in it are the program's own: escape them before they are shown.
    """
    if poised.at == "entry":
        words = describe_call(
            state, poised.pid, poised.call, poised.args, poised.object, poised.data
        )
        return (
            f"to {words}, once more after {poised.repeated} short waits"
            if poised.repeated
            else f"to {words}"
        )
    if poised.at == "semaphore":
        return f"to {_describe_semaphore_op(state, poised)}"
    if poised.at == "signal":
        source = (
            f" from {name_process(state, poised.sender)}"
            if poised.sender in state.processes
            else ""
        )
        return _ACTIONS.get(poised.action, "to take {}").format(signal_name(poised.signo)) + source
    if poised.at == "return":
        return f"to return from {poised.call or 'its call'}"
    if poised.at == "start":
        return "to begin"
    if poised.at == "access":
        variable = state.variables.get(poised.object)
        name = variable.label if variable is not None else "a variable"
        return f"to go on after its {poised.op} of {name}"
    return "to go on in its own code"


def describe_next(state: State, tid: int, *, quotes: bool = True) -> str:
    """What a held thread does when it is let go: `cat is about to read from P1`; with the signal
    that comes first, if there is one. A sentence without a full stop.

    Args:
        state: The moment.
        tid: The thread, which must be held.
        quotes: Whether the bytes are quoted that it is about to write.
    """
    thread = state.threads[tid]
    assert thread.poised is not None
    poised = thread.poised if quotes else replace(thread.poised, data=b"")
    name, words = name_process(state, thread.pid, tid), describe_intention(state, poised)
    signo = comes_first(state, thread)
    if not signo:
        return f"{name} is about {words}"
    return f"{name} is about to take {signal_name(signo)}, which is pending; then {words}"


def describe_stand(state: State, poised: Poised) -> str:
    """The same as a whole sentence without its subject: `is about to read from P1`, `stands behind
    its read`.
    """
    if poised.at == "return":
        return f"stands behind its {poised.call or 'call'}"
    if poised.at == "start":
        return "was just born, and has done nothing yet"
    if poised.at == "running":
        return "is held in its own code"
    if poised.at == "access":
        variable = state.variables.get(poised.object)
        did = {"load": "loaded", "store": "stored", "update": "loaded and stored"}
        name = variable.label if variable is not None else "a variable"
        return f"has just {did.get(poised.op, 'loaded or stored')} {name}"
    return f"is about {describe_intention(state, poised)}"


def describe_arrival(state: State, poised: Poised) -> str:
    """How far a held thread came in a step of which there is nothing else to tell, as a sentence
    without its subject: `ran up to its next operation: read up to 10 bytes from P1`.
    """
    if poised.at == "return":
        return f"ran up to the return of its {poised.call or 'call'}"
    if poised.at == "running":
        return "ran in its own code"
    if poised.at not in ("entry", "semaphore"):
        return describe_stand(state, poised)
    return f"ran up to its next operation: {describe_intention(state, poised).removeprefix('to ')}"


_NAMELESS: Final = "a semaphore"
_TAKES: Final = ("wait", "trywait", "timedwait", "clockwait")


def _describe_semaphore_op(state: State, poised: Poised) -> str:
    info, label = poised.semaphore, _NAMELESS
    if info is not None:
        found = state.semaphores.get(info.key)
        label = found.label if found is not None else info.name or label
    now = find_value(state, poised)
    value = "" if now is None else f" (it is {now})"
    if poised.op in _TAKES:
        verb = "take" if now is None or now else "wait for"
        return (
            f"{'try to ' if poised.op == 'trywait' else ''}{verb} {label}{value}: sem_{poised.op}"
        )
    new = label if label == _NAMELESS else f"the semaphore {label}"
    return {"post": f"post {label}{value}", "init": f"initialise {new}"}.get(
        poised.op, f"call sem_{poised.op} on {label}{value}"
    )


def _name_subject(state: State, key: str, args: Args) -> str:
    """What a call is about: an object's label, or its descriptor."""
    if key in state.objects:
        return state.objects[key].label
    return f"descriptor {args['fd']}" if number_in(args, "fd") is not None else key


def _describe_descriptor(state: State, pid: int, fd: int | str | None) -> str:
    """A descriptor with what is behind it: `4 (P1, write end)`."""
    file = state.find_description(pid, fd) if isinstance(fd, int) else None
    thing = state.object_of(file)
    if file is None or thing is None:
        return str(fd)
    end = end_of(file.mode, thing.info.kind)
    return f"{fd} ({thing.label}, {end})" if end else f"{fd} ({thing.label})"


def describe_call(
    state: State, pid: int, name: str, args: Args, key: str = "", data: bytes = b""
) -> str:
    """A call that is about to be made, in words: `write 3 bytes to P1: "one"`."""
    on = _name_subject(state, key, args)
    count = number_in(args, "count" if "count" in args else "len")
    if name in SENDS or name in RECEIVES:
        content = (
            f": {quote_bytes(data, count if count is not None else len(data), _SHOWN)}"
            if data
            else ""
        )
        return f"put a message into {on}{content}" if name in SENDS else f"take a message from {on}"
    if name in WRITES or name in READS:
        return _describe_data(name, on, count, data)
    if name in OPENS:
        return _describe_open(args)
    if "lock" in args:
        return f"change a lock on {on}: {args['lock']}"
    made = _WORDS.get(name)
    return (
        made(state, pid, args, on)
        if made is not None
        else f"call {name}" + (f" on {on}" if on else "")
    )


_ONE_BUFFER: Final = where(
    lambda call: (
        call.name in READS | WRITES and call.find_argument("buf") >= 0 and call.on != "queue"
    )
)
"""Calls whose `count` is how many bytes they are to move."""


def _describe_data(name: str, on: str, count: int | None, data: bytes) -> str:
    whole = count is not None and name in _ONE_BUFFER
    amount = count_bytes(count) if whole and count is not None else ""
    if name in READS:
        return f"read up to {amount} from {on}" if amount else f"read from {on} ({name})"
    size = count if whole and count is not None else len(data) + 1
    content = f": {quote_bytes(data, size, _SHOWN)}" if data else ""
    return (f"write {amount} to {on}" if amount else f"write to {on} ({name})") + content


def _describe_open(args: Args) -> str:
    how = "for reading"
    if flag_in(args, "O_WRONLY"):
        how = "for writing"
    elif flag_in(args, "O_RDWR"):
        how = "for reading and writing"
    path = args.get("path", "a file")
    return (
        f"make {path}, if it does not exist, and open it"
        if flag_in(args, "O_EXCL")
        else f"open {path} {how}"
    )


def _name_target(state: State, args: Args) -> str:
    target = args.get("pid", args.get("tid", "?"))
    if not isinstance(target, int):
        return target
    if target > 0:
        return name_process(state, target)
    return f"the process group {-target}" if target else "its process group"


def _describe_kill(state: State, pid: int, args: Args, on: str) -> str:
    return f"send {args.get('signal', 'a signal')} to {_name_target(state, args)}"


def _describe_mask(state: State, pid: int, args: Args, on: str) -> str:
    names = number_in(args, "set")
    words = signal_names(names) if names is not None else text_in(args, "set")
    verb = {"SIG_BLOCK": "block", "SIG_UNBLOCK": "unblock"}.get(str(args.get("how")), "")
    return f"{verb} {words}" if verb else f"let its mask of blocked signals be {words}"


def _describe_sigaction(state: State, pid: int, args: Args, on: str) -> str:
    name = args.get("signal", "a signal")
    new = text_in(args, "new")
    if new.startswith("catch"):
        return f"catch {name} from now on"
    return (
        f"ignore {name} from now on"
        if new.startswith("ignore")
        else f"set {name} back to its default"
    )


def _describe_sigreturn(state: State, pid: int, args: Args, on: str) -> str:
    thread = next((t for t in state.threads.values() if t.pid == pid and t.handlers), None)
    return (
        f"leave its handler for {signal_name(thread.handlers[-1])}"
        if thread is not None
        else "leave its handler"
    )


def _describe_wait4(state: State, pid: int, args: Args, on: str) -> str:
    child = args.get("pid", -1)
    return (
        f"wait for {name_process(state, child)}"
        if isinstance(child, int) and child > 0
        else "wait for a child"
    )


def _describe_sigsuspend(state: State, pid: int, args: Args, on: str) -> str:
    mask = number_in(args, "mask")
    return "wait for a signal" + (
        f", with {signal_names(mask)} blocked" if mask is not None and mask else ""
    )


def _describe_dup(state: State, pid: int, args: Args, on: str) -> str:
    return (
        f"make fd {args.get('newfd', '?')} a duplicate of"
        f" {_describe_descriptor(state, pid, args.get('fd'))}"
    )


_CLONE_THREAD: Final = 0x10000  # linux/sched.h


def _describe_clone(state: State, pid: int, args: Args, on: str) -> str:
    flags = int(str(args.get("flags", 0)), 0)
    return "make a thread" if flags & _CLONE_THREAD else "fork (clone)"


def _describe_mmap(state: State, pid: int, args: Args, on: str) -> str:
    if not on or args.get("fd") == -1:
        return "map memory to share with its children"
    return f"map {on}, {'private' if flag_in(args, 'MAP_PRIVATE') else 'shared'}"


_Make = Callable[[State, int, Args, str], str]


def _make_plain(text: str) -> _Make:
    return lambda state, pid, args, on: text


def _make_template(text: str) -> _Make:
    """Words with `{on}` and the names of arguments in braces."""

    def made(state: State, pid: int, args: Args, on: str) -> str:
        known = defaultdict(lambda: "?", {name: str(value) for name, value in args.items()})
        known["on"] = on or "something"
        return text.format_map(known)

    return made


_ASKS: Final = {
    "PR_SET_CHILD_SUBREAPER": "ask for orphans among its descendants, or no longer",
    "PR_SET_PDEATHSIG": "ask for a signal when its parent ends",
    "PR_SET_SECCOMP": "confine itself (seccomp)",
}


def _describe_prctl(state: State, pid: int, args: Args, on: str) -> str:
    option = text_in(args, "option")
    return _ASKS.get(option, f"change how the kernel treats it ({option})")


def _describe_copy(state: State, pid: int, args: Args, on: str) -> str:
    return f"duplicate descriptor {_describe_descriptor(state, pid, args.get('fd'))}"


def _map_calls(names: str, make: _Make) -> dict[str, _Make]:
    return dict.fromkeys(names.split(), make)


_WORDS: Final[dict[str, _Make]] = {
    **_map_calls("pipe pipe2", _make_plain("make a pipe")),
    "socketpair": _make_plain("make a pair of sockets"),
    "socket": _make_plain("make a socket"),
    "bind": _make_template("give {on} the address {address}"),
    "listen": _make_template("listen on {on}"),
    **_map_calls("accept accept4", _make_template("accept a connection on {on}")),
    "connect": _make_template("connect {on} to {address}"),
    "shutdown": _make_template("shut down {on}: {how}"),
    "clone": _describe_clone,
    "clone3": _make_plain("make a process or thread"),
    "fork": _make_plain("fork"),
    "vfork": _make_plain("vfork"),
    **_map_calls("execve execveat", _make_template("execute {path}")),
    "exit_group": _make_template("exit with status {code}"),
    **_map_calls("wait4 waitid", _describe_wait4),
    "close": lambda state, pid, args, on: (
        f"close descriptor {_describe_descriptor(state, pid, args.get('fd'))}"
    ),
    "dup": _describe_copy,
    **_map_calls("dup2 dup3", _describe_dup),
    "fcntl": lambda state, pid, args, on: (
        _describe_copy(state, pid, args, on)
        if text_in(args, "cmd").startswith("F_DUPFD")
        else f"change {on}: {args.get('cmd', '?')}"
    ),
    **_map_calls("mknod mknodat", _make_template("make the name {path}")),
    **_map_calls("unlink unlinkat mq_unlink", _make_template("remove the name {path}")),
    **_map_calls("rename renameat renameat2", _make_template("rename {old} to {new}")),
    **_map_calls("link linkat", _make_template("give {old} the second name {new}")),
    "lseek": _make_template("seek in {on}"),
    "ftruncate": _make_template("set the size of {on} to {length} bytes"),
    **_map_calls("fsync fdatasync", _make_template("have {on} written to the disk")),
    "mmap": _describe_mmap,
    "munmap": _make_template("unmap {on}"),
    "mprotect": _make_template("change how it may use {on}: {prot}"),
    "msync": _make_template("have {on} written to the disk (msync)"),
    "shmget": _make_template("get a shared memory segment for the key {key}"),
    "shmat": _make_plain("attach a shared memory segment"),
    "shmdt": _make_plain("detach a shared memory segment"),
    "semget": _make_template("get a set of semaphores for the key {key}"),
    **_map_calls("semop semtimedop", _make_template("change semaphores: {ops}")),
    "msgget": _make_template("get a message queue for the key {key}"),
    "mq_open": _make_template("open the message queue {path}"),
    "mq_notify": _make_template("ask to be told of messages in {on}"),
    "flock": _make_template("flock {on}: {operation}"),
    **_map_calls("kill tkill tgkill rt_sigqueueinfo rt_tgsigqueueinfo", _describe_kill),
    "rt_sigaction": _describe_sigaction,
    "rt_sigprocmask": _describe_mask,
    "rt_sigreturn": _describe_sigreturn,
    "rt_sigsuspend": _describe_sigsuspend,
    "rt_sigtimedwait": _make_plain("take a pending signal, or wait for one"),
    "pause": _make_plain("wait for a signal (pause)"),
    "alarm": _make_template("have SIGALRM sent in {seconds} s"),
    "setitimer": _make_template("set a timer: {new}"),
    "timer_settime": _make_template("set a timer: {new}"),
    "timer_create": _make_plain("make a timer that sends a signal"),
    "timer_delete": _make_template("remove the timer {timer}"),
    **_map_calls("eventfd eventfd2", _make_template("make an eventfd at {initval}")),
    "timerfd_create": _make_plain("make a timer descriptor"),
    "timerfd_settime": _make_template("set the timer {on}: {new}"),
    **_map_calls("signalfd signalfd4", _make_plain("have signals read from a descriptor")),
    "pidfd_open": _make_template("make a descriptor of the process {pid}"),
    **_map_calls("inotify_init inotify_init1", _make_plain("make an inotify descriptor")),
    "inotify_add_watch": _make_template("watch {path} by {on}"),
    "inotify_rm_watch": _make_template("end a watch of {on}"),
    **_map_calls("epoll_create epoll_create1", _make_plain("make an epoll set")),
    "epoll_ctl": _make_template("change the epoll set {on}: {op} of descriptor {target}"),
    "setsid": _make_plain("begin a session and a group of its own"),
    "setpgid": _make_template(
        "put the process {pid} (0: itself) into the group {pgid} (0: its own)"
    ),
    "unshare": _make_template("have its own, no longer shared: {flags}"),
    "setns": _make_template("enter another namespace"),
    "prctl": _describe_prctl,
    "seccomp": _make_plain("confine itself (seccomp)"),
    **_map_calls("nanosleep clock_nanosleep", _make_plain("sleep for a time")),
    **_map_calls(
        "poll ppoll select pselect6", _make_plain("wait until one of its descriptors is ready")
    ),
    **_map_calls(
        "epoll_wait epoll_pwait epoll_pwait2",
        _make_plain("wait until one of its descriptors is ready"),
    ),
    "futex": _make_plain("wait in a futex"),
    "marker": _make_template("pass the marker: {text}"),
}


# Sentences for the log.


def narrate_poised(event: Poised, before: State, after: State) -> Sentence:
    """A thread is held: a turn of the story where a signal or a wake-up brought it there."""
    weight = {"signal": TURN, "return": STEP}.get(event.at, NOISE)
    words = describe_stand(after, event)
    if event.at == "return":
        words = f"came out of its {event.call or 'call'}, and is held behind it"
    text = f"{name_process(after, event.pid, event.tid)} {words}"
    return Sentence(
        event.n, event.t, event.pid, text, weight, "signal" if event.at == "signal" else "session"
    )


def narrate_held(event: Held, before: State, after: State) -> Sentence:
    """All are held."""
    text = describe_held(event, after)
    return Sentence(event.n, event.t, 0, text[0].upper() + text[1:], TURN, "session")


def describe_held(event: Held, after: State) -> str:
    """That all are held, and at which breakpoint: `everything is held at: write P1 by cat[12]`."""
    if not event.reason:
        return "everything is held"
    whose = f" by {name_process(after, event.pid)}" if event.pid else ""
    return f"everything is held at: {event.reason}{whose}"


def narrate_released(event: Released, before: State, after: State) -> Sentence:
    """All go on."""
    return Sentence(event.n, event.t, 0, "Everything runs by itself again", TURN, "session")


_DEEDS: Final = (
    *(
        Accessed,
        Call,
        Waiting,
        SemaphoreOp,
        SignalDelivered,
        Forked,
        ThreadCreated,
        Executed,
        Reaped,
        Exited,
        ThreadExited,
    ),
    Marker,
)


def _is_seen(event: Event, before: State) -> bool:
    """Whether what happened is worth a word: libc's own calls on the way are not."""
    if isinstance(event, Call):
        return is_visible(before, event.pid, event.name, event.args, event.tid)
    if isinstance(event, Waiting):
        return event.call != "vfork"
    return not isinstance(event, SemaphoreOp) or is_visible_semaphore(event.semaphore)


class Outcomes:
    """Gathers what became of the last step, from its events.

    Attributes:
        step: Which step it was.
        tid: The thread that was let go; 0 before the first step.
        pid: Its process.
        parts: What became of it, in clauses without a full stop, the most important first; none
            until it has settled.
    """

    def __init__(self, tell: Callable[[Event, State, State], Sentence | None]) -> None:
        self.step = 0
        self.tid = 0
        self.pid = 0
        self.parts: tuple[str, ...] = ()
        self._tell = tell
        self._did: list[str] = []
        self._fatal: dict[tuple[int, int], str] = {}
        self._others: list[str] = []
        self._pending: dict[int, int] = {}

    def add_event(self, event: Event, before: State, after: State) -> None:
        """Take an event."""
        if isinstance(event, Stepped):
            self.step, self.tid, self.pid, self.parts = event.step, event.tid, event.pid, ()
            self._did, self._others, self._fatal = [], [], {}
            self._pending = {
                tid: find_pending_signals(before, thread) for tid, thread in before.threads.items()
            }
        elif isinstance(event, Settled):
            self._describe_outcome(event, after)
        elif isinstance(event, Held):
            self.parts = ()
            self._did, self._others = [], []
            self.tid = 0
        elif self.tid and not self.parts:
            self._add_deed(event, before, after)

    def _add_deed(self, event: Event, before: State, after: State) -> None:
        if isinstance(event, Poised):
            if event.tid != self.tid and event.at == "return":
                self._others.append(f"{name_process(after, event.pid, event.tid)} was woken")
            elif event.tid == self.tid and event.at == "signal":
                self._did.append(
                    f"{name_process(after, event.pid, event.tid)} {describe_stand(after, event)}"
                    " first"
                )
            return
        if not isinstance(event, _DEEDS) or not _is_seen(event, before):
            return
        actor = getattr(event, "parent", 0) or getattr(event, "by", 0) or getattr(event, "pid", 0)
        sentence = self._tell(event, before, after)
        if sentence is None or sentence.weight <= NOISE:
            return
        if isinstance(event, SignalDelivered) and event.action in _ENDS:
            self._fatal[event.pid, event.signo] = sentence.text
        elif isinstance(event, Exited) and event.signo:
            # Who was killed by it need not be said to be reached by it.
            reached = self._fatal.get((event.pid, event.signo))
            self._did = [deed for deed in self._did if deed != reached]
        if actor == self.pid:
            self._did.append(sentence.text)
        elif isinstance(event, Exited | Waiting):
            self._others.append(sentence.text)

    def _describe_outcome(self, event: Settled, after: State) -> None:
        if not self.tid:
            return
        new = []
        for tid, thread in after.threads.items():
            more = find_pending_signals(after, thread) & ~self._pending.get(tid, 0)
            new += [
                f"{signal_name(signo)} is pending for {name_process(after, thread.pid, tid)}"
                for signo in signals_in(more)
                if tid == thread.pid
            ]
        parts = [*_shorten_deeds(self._did), *self._others[:2], *new[:2]]
        if not parts:
            mine = after.threads.get(self.tid)
            name = name_process(after, self.pid, self.tid)
            if mine is None:
                parts = [f"{name} ended"]
            elif mine.poised is None:
                parts = [f"{name} goes on"]
            else:
                parts = [f"{name} {describe_arrival(after, mine.poised)}"]
        self.parts = tuple(parts)

    @property
    def text(self) -> str:
        """All of it in one sentence; empty until it has settled."""
        return "; ".join(self.parts)


def _shorten_deeds(did: list[str]) -> list[str]:
    """The first and the last thing that it did."""
    return did if len(did) <= 2 else [did[0], did[-1]]
