"""Faults with signals, with calls that they cut short, and with children that nobody waits for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from ipcviz.diagnose.deeds import EventRule, SequenceRule, keep_others
from ipcviz.diagnose.findings import Evidence, Finding
from ipcviz.diagnose.moment import CaseMoment
from ipcviz.events import Call, Exited, Sent, StatusFlags
from ipcviz.events.calls import FOR_CHILD, WRITES
from ipcviz.events.signals import NUMBERS, SIGCHLD, bit_of, is_real_time, signal_name
from ipcviz.model.state import Process, SignalSent, State
from ipcviz.model.waits.rules import explain_waiting
from ipcviz.model.waits.values import Children

SIGKILL: Final = NUMBERS["SIGKILL"]
SIGTERM: Final = NUMBERS["SIGTERM"]
SIGURG: Final = NUMBERS["SIGURG"]
LASTS_SECONDS: Final = 2.0
"""How long a process goes on after SIGTERM before it is said that it does not end."""
UNWAITED_SECONDS: Final = 5.0
MANY: Final = 3
"""So many children that ended so long ago, and were not waited for, are too many."""
_MOST: Final = 3
"""So many children are named."""
_FIRST: Final = (
    "is PID 1 of its PID namespace, which no signal ends that it has no handler for"
    " (pid_namespaces(7))"
)
_WORDS: Final = {
    "EINTR": b"nterrupted system call",
    "EAGAIN": b"temporarily unavailable",
}
"""What programs write of an error that they don't expect (strerror(3))."""


class MergedSignals(EventRule):
    """A signal that was sent while the one before was still pending."""

    effects = (Sent,)

    def follow_event(self, moment: CaseMoment, event: Any) -> Iterator[Finding]:
        """See `EventRule`."""
        for effect in event.effects:
            if not isinstance(effect, Sent) or is_real_time(effect.signo):
                continue
            if effect.signo == SIGURG and effect.target == event.pid:
                # So Go's runtime interrupts its own threads: one hint is as good as two.
                continue
            sent = moment.state.sent[-1] if moment.state.sent else None
            target = moment.state.processes.get(effect.target)
            if sent is None or not sent.coalesced or sent.target != effect.target:
                continue
            handling = target.handling.get(effect.signo) if target is not None else None
            if handling is None or handling.action != "catch":
                continue
            names = moment.name_parties(effect.target, event.pid)
            one, other = names.name_process(effect.target), names.name_process(event.pid)
            who = "itself" if event.pid == effect.target else one
            signal = signal_name(effect.signo)
            yield moment.make_finding(
                "merged-signals",
                [effect.target, event.pid],
                f"{other} sent {signal} to {who} while the one before was still pending: its"
                " handler runs once for both.",
                "Count in a pipe, an eventfd or a semaphore, or send a real-time signal, which"
                " queues.",
                evidence=[Evidence(f"{event.name} of {signal}, which was pending", event.n)],
                probable="it matters only if the handler counts",
                about=signal,
            )


class Interrupted(SequenceRule):
    """A program that gave up because a signal had cut a call short, or because a descriptor that it
    shares does not block: it says so itself.
    """

    errors = frozenset({"EINTR", "EAGAIN"})
    follows = WRITES
    effects = (StatusFlags,)
    kinds = (Exited,)

    def __init__(self) -> None:
        self._failed: dict[int, Call] = {}
        self._said: dict[int, Call] = {}
        self._setters: dict[int, int] = {}
        self._shares: dict[int, int] = {}

    def forget_process(self, pid: int | None) -> None:
        """See `SequenceRule`."""
        self._failed = keep_others(self._failed, pid, lambda key, _: key)
        self._said = keep_others(self._said, pid, lambda key, _: key)

    def follow_event(self, moment: CaseMoment, event: Any) -> Iterator[Finding]:
        """See `EventRule`."""
        if isinstance(event, Exited):
            failed, said = self._failed.pop(event.pid, None), self._said.pop(event.pid, None)
            setter = self._shares.pop(event.pid, 0)
            if failed is not None and said is not None and event.code:
                yield from self._tell(moment, failed, said, setter)
            return
        if event.error in self.errors:
            row = moment.state.find_descriptor(event.pid, event.fd or 0)
            setter = self._setters.get(row.ofd, 0) if row is not None else 0
            self._said.pop(event.pid, None)
            if event.error == "EINTR" or setter not in (0, event.pid):
                self._failed[event.pid], self._shares[event.pid] = event, setter
                self.begin(event.pid)
            else:
                # It is used to that.
                self._failed.pop(event.pid, None)
                self.end(event.pid)
            return
        for effect in event.effects:
            if isinstance(effect, StatusFlags) and "nonblock" in effect.flags:
                row = moment.state.find_descriptor(event.pid, effect.fd)
                if row is not None:
                    self._setters[row.ofd] = event.pid
        failed = self._failed.get(event.pid)
        if failed is not None and event.name in WRITES and _WORDS[failed.error] in event.data:
            self._said[event.pid] = event

    def _tell(self, moment: CaseMoment, failed: Call, said: Call, setter: int) -> Iterator[Finding]:
        name = moment.name_parties(failed.pid).name_process(failed.pid)
        proof = [
            Evidence(f"{failed.name} failed: {failed.error}", failed.n),
            Evidence(f"it wrote: {said.data!r}", said.n),
        ]
        if failed.error == "EINTR":
            signal = _find_signal(moment, failed.pid)
            yield moment.make_finding(
                "interrupted-call",
                [failed.pid],
                f"{name} took a {failed.name} that {signal} had cut short for an error, and ended.",
                "Call it again when it fails with EINTR, or set SA_RESTART with sigaction.",
                evidence=proof,
                objects=[failed.object],
                about=failed.name,
            )
            return
        names, fd = moment.name_parties(failed.pid, setter), failed.get_number("fd")
        yield moment.make_finding(
            "shared-nonblocking",
            [failed.pid, setter],
            f"{names.name_process(failed.pid)} failed, since its descriptor {fd} does not block:"
            f" {names.name_process(setter)}, which shares the open file description, has set"
            " O_NONBLOCK.",
            "Set O_NONBLOCK on what nobody shares: open it anew (/dev/tty, /proc/self/fd/0), or"
            " take it back before the end.",
            evidence=proof,
            objects=[failed.object],
        )


def find_ignored_term(moment: CaseMoment) -> Iterator[Finding]:
    """Who was sent SIGTERM, and does not let it in, or whose child goes on without it."""
    for sent in moment.state.sent:
        if sent.signo != SIGTERM or moment.now - sent.t < LASTS_SECONDS:
            continue
        process = moment.state.processes.get(sent.target)
        if process is None or _was_killed_later(moment.state, sent.target, sent.t):
            continue
        if process.fate == "alive":
            how = _find_refusal(moment.state, process)
            if how:
                yield _tell_refusal(moment, sent, how)
            elif sent.delivered is not None:
                yield from _find_late_trap(moment, sent, process)
        elif process.exit_signal == SIGTERM:
            yield from _find_unsignalled_child(moment, sent, process)


def _tell_refusal(moment: CaseMoment, sent: SignalSent, how: str) -> Finding:
    name = moment.name_parties(sent.target, sent.sender).name_at(sent.target)
    mend = "Let SIGTERM end it (a shell as PID 1 needs 'exec' or a trap), or use SIGKILL."
    if how == _FIRST:
        mend = "Set a handler for SIGTERM, or run it under an init (docker run --init, tini)."
    return moment.make_finding(
        "ignored-term",
        [sent.target],
        f"{name} was sent SIGTERM, and goes on: it {how}.",
        mend,
        evidence=[_prove_sent(moment, sent)],
        about="SIGTERM",
    )


def _prove_sent(moment: CaseMoment, sent: SignalSent) -> Evidence:
    names = moment.name_parties(sent.target, sent.sender)
    by = f" from {names.name_process(sent.sender)}" if sent.sender else ""
    return Evidence(f"SIGTERM{by} at {sent.t:.1f} s")


def _find_late_trap(moment: CaseMoment, sent: SignalSent, process: Process) -> Iterator[Finding]:
    """A process that has caught SIGTERM and waits for a child that was not sent it: a shell runs
    its trap only when its child has ended.
    """
    state = moment.state
    handling = process.handling.get(SIGTERM)
    thread = state.threads.get(process.pid)
    if handling is None or handling.action != "catch" or thread is None or thread.waiting is None:
        return
    wait = explain_waiting(state, thread, thread.waiting)
    pids = wait.facts.pids if isinstance(wait.facts, Children) else ()
    if not pids or any(_was_sent_since(state, pid, sent.t) for pid in pids):
        return
    names = moment.name_parties(process.pid, *pids)
    children = names.join(pids[:_MOST])
    were = "was" if len(pids) == 1 else "were"
    yield moment.make_finding(
        "ignored-term",
        [process.pid, *pids],
        f"{names.name_at(process.pid)} has caught SIGTERM, and waits on for {children}, which"
        f" {were} not sent it: a shell runs its trap when the program that it waits for has ended.",
        "Run the program by 'exec', or in the background with 'wait', and pass the signal on.",
        waits=(wait,),
        evidence=[_prove_sent(moment, sent)],
        probable="it may mean to end when its child has ended",
        about="SIGTERM",
    )


def _find_unsignalled_child(
    moment: CaseMoment, sent: SignalSent, process: Process
) -> Iterator[Finding]:
    """A process that SIGTERM has ended inside a wait for a child, which goes on."""
    state = moment.state
    left = [
        pid
        for pid in moment.history.awaited.get(process.pid, ())
        if pid in state.processes
        and state.processes[pid].fate == "alive"
        and not _was_sent_since(state, pid, sent.t)
    ]
    if not left:
        return
    names = moment.name_parties(process.pid, *left)
    was, goes = ("was", "goes") if len(left) == 1 else ("were", "go")
    yield moment.make_finding(
        "ignored-term",
        [process.pid, *left],
        f"SIGTERM has ended {names.name_process(process.pid)}, but {names.join(left[:_MOST])},"
        f" which it waited for, {was} not sent it and {goes} on.",
        "Run the program by 'exec', or send the signal to its process group (kill -- -PGID).",
        evidence=[_prove_sent(moment, sent)],
        probable="it may be meant to go on",
        about="SIGTERM",
    )


def _was_sent_since(state: State, pid: int, t: float) -> bool:
    """Whether a process was sent a signal since a moment, by whomever."""
    return any(one.target == pid and one.t >= t for one in state.sent)


def find_zombies(moment: CaseMoment) -> Iterator[Finding]:
    """Who has many children that have ended, and does not wait for them."""
    hanging = {tid for hang in moment.hangs for tid in hang.ways}
    unwaited: dict[int, list[Process]] = {}
    for process in moment.state.processes.values():
        long_ago = process.died is not None and moment.now - process.died > UNWAITED_SECONDS
        if process.fate == "zombie" and long_ago:
            unwaited.setdefault(process.parent, []).append(process)
    for pid, children in unwaited.items():
        parent = moment.state.processes.get(pid)
        if len(children) < MANY or parent is None or parent.fate != "alive":
            continue
        threads = [moment.state.threads[tid] for tid in parent.threads]
        if any(one.waiting is not None and one.waiting.name in FOR_CHILD for one in threads):
            continue
        if not hanging.isdisjoint(parent.threads):
            # It would wait for them if it did not hang.
            continue
        catches = parent.handling.get(SIGCHLD)
        got = sum(one.pid == pid and one.signo == SIGCHLD for one in moment.state.delivered)
        caught = catches is not None and catches.action == "catch"
        name = moment.name_parties(pid).name_at(pid)
        yield moment.make_finding(
            "zombies",
            [pid, *(child.pid for child in children[:MANY])],
            f"{len(children)} children of {name} have ended, and it has not waited for them: they"
            " stay as zombies.",
            "Call waitpid(-1, ..., WNOHANG) in a loop at each SIGCHLD: several become one."
            if caught
            else "Wait for each child, or set SIGCHLD to SIG_IGN.",
            evidence=[
                Evidence(
                    f"{len(children)} zombies, the first for more than {UNWAITED_SECONDS:.0f} s"
                ),
                *([Evidence(f"{got} deliveries of SIGCHLD were seen")] if caught else []),
            ],
            probable="" if caught and got < len(children) else "it may wait for them later",
            about=str(pid),
        )


def _find_refusal(state: State, process: Process) -> str:
    """How a process keeps SIGTERM out: `ignores that signal`; empty if it does not."""
    handling = process.handling.get(SIGTERM)
    if handling is not None and handling.action == "ignore":
        return "ignores that signal"
    threads = [state.threads[tid] for tid in process.threads if tid in state.threads]
    if threads and all(thread.blocked & bit_of(SIGTERM) for thread in threads):
        return "blocks that signal"
    around = process.surroundings
    if handling is None and around is not None and around.inner[-1:] == (1,):
        return _FIRST
    return ""


def _was_killed_later(state: State, pid: int, t: float) -> bool:
    return any((one.target, one.signo) == (pid, SIGKILL) and one.t >= t for one in state.sent)


def _find_signal(moment: CaseMoment, pid: int) -> str:
    """The name of the signal that a process was delivered last; `a signal` if none is known."""
    last = [one for one in moment.state.delivered if one.pid == pid]
    return signal_name(last[-1].signo) if last else "a signal"
