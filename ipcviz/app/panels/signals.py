"""The signals panel: dispositions, masks, pending sets, and what was sent and became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple

from ipcviz.app.panels.cells import wrap_text
from ipcviz.app.panels.panel import Panel, Row, fit_value, make_row
from ipcviz.events.signals import bit_of, is_real_time, signal_name, signals_in
from ipcviz.model.mechanisms.notifiers import format_seconds
from ipcviz.model.mechanisms.signals import MASKED, sent_and_pending
from ipcviz.model.parts import SignalPart
from ipcviz.model.state import POSIX, ArmedTimer, Process, SignalSent, Thread
from ipcviz.narrate import name_process
from ipcviz.narrate.words import signal_names

if TYPE_CHECKING:
    from ipcviz.app.view import View
    from ipcviz.events import SignalDelivered

_SHOWN: Final = 60


_TIMERS_HELP: Final = (
    "TIMERS: those of alarm, setitimer and timer_create that the selected process has: when each"
    " expires next comes from the calls; of one that was armed before ipcviz looked it is not"
    " known."
)


class SignalsPanel(Panel):
    """Signals of the selected process, and the traffic of all."""

    TITLE = "Signals"
    HELP_TEXT: ClassVar[str] = (
        "Above: each signal that the selected process catches (C), ignores (I), blocks (B; `b` if"
        " only some of its threads do) or has pending (P); `h` while it is inside the handler."
        " While a thread sleeps in sigsuspend, ppoll, pselect or epoll_pwait, B is the mask of that"
        " call, which a row tells. Pending real-time signals are queued, standard ones come once"
        " however often they were sent: both as far as the sendings were seen. Caught and ignored"
        " come from the calls seen and from /proc; `!` marks a row where the two differ. Below,"
        " latest first: what was sent by whom to whom, and what became of it: delivered after so"
        " long, taken by a call (sigwait, a read of a signalfd), still pending, or coalesced (a"
        " standard signal that was already pending: only one arrives). K sends a signal to the"
        " selected process. " + _TIMERS_HELP
    )

    @classmethod
    def has_content(cls, view: View) -> bool:
        """Whether there is a process whose dispositions and sets can be told, or a signal was sent
        or delivered.
        """
        living = view.process is not None and view.process.fate == "alive"
        return living or bool(view.state.sent or view.state.delivered or view.state.timers)

    def title_of(self, view: View) -> str:
        """The selected process."""
        return f"Signals of {name_process(view.state, view.pid)}" if view.process else self.TITLE

    def build_rows(self, view: View, width: int) -> list[Row]:
        """The selected process's signals, then the traffic."""
        rows: list[Row] = []
        if view.process is not None:
            rows.extend(_make_dispositions(view, view.process, width))
            rows.extend(_timer_rows(view, view.process, width))
        rows.extend(_make_traffic_rows(view, width))
        return rows


class _Masks(NamedTuple):
    """A process's signal sets, each as a mask.

    Attributes:
        caught: Those with a handler, by the calls that were seen.
        ignored: Those that are ignored, by the calls that were seen.
        read_caught: Those with a handler, as the kernel said when it was last asked.
        read_ignored: Those that are ignored, as the kernel said.
        blocked: Those that any thread blocks.
        by_all: Those that all threads block.
        pending: Those that are pending, for the process or a thread.
        inside: Those whose handler a thread is in.
    """

    caught: int
    ignored: int
    read_caught: int
    read_ignored: int
    blocked: int
    by_all: int
    pending: int
    inside: int

    @property
    def handled(self) -> int:
        """Those of which more is known than that they are blocked."""
        return self.caught | self.ignored | self.pending | self.read_caught | self.read_ignored


def _read_masks(process: Process, threads: list[Thread]) -> _Masks:
    """The signal sets of a process, from its threads and the last sample."""
    sample = process.sample
    blocked, by_all, pending = 0, -1 if threads else 0, 0
    for thread in threads:
        blocked |= thread.blocked
        by_all &= thread.blocked
        pending |= thread.pending
    caught = sum(bit_of(s) for s, how in process.handling.items() if how.action == "catch")
    ignored = sum(bit_of(s) for s, how in process.handling.items() if how.action == "ignore")
    return _Masks(
        caught=caught,
        ignored=ignored,
        read_caught=sample.caught if sample else caught,
        read_ignored=sample.ignored if sample else ignored,
        blocked=blocked,
        by_all=by_all,
        pending=pending | (sample.pending if sample else 0),
        inside=sum({bit_of(signo) for thread in threads for signo in thread.handlers}),
    )


def _make_dispositions(view: View, process: Process, width: int) -> list[Row]:
    """How many signals are caught, ignored, blocked and pending, and a row for each of them."""
    if process.fate != "alive":
        return [make_row(("It has ended.", "dim"))]
    state = view.state
    threads = [state.threads[tid] for tid in process.threads if tid in state.threads]
    masks = _read_masks(process, threads)
    counts = (
        ("caught", masks.caught | masks.read_caught),
        ("ignored", masks.ignored | masks.read_ignored),
        ("blocked", masks.blocked),
        ("pending", masks.pending),
    )
    words = ", ".join(f"{len(signals_in(mask))} {name}" for name, mask in counts)
    rows = [make_row((fit_value(words, width), "dim"))]
    rows.extend(
        make_row((fit_value(line, width), "lit"))
        for text in masks_of_calls(threads)
        for line in wrap_text(text, width)
    )
    numbers = signals_in(masks.handled | masks.blocked)
    if not numbers:
        return rows
    rows.append(make_row((fit_value("  SIGNAL       C I B P  HANDLING", width), "head")))
    # Masks of all signals would fill the panel: what is only blocked is said in one row if it is
    # much.
    only_blocked = [signo for signo in numbers if not masks.handled & bit_of(signo)]
    folded = set(only_blocked) if len(only_blocked) > 10 else set()
    rows.extend(
        _make_disposition_row(view, process, signo, masks, threads, width)
        for signo in numbers
        if signo not in folded
    )
    if folded:
        rows.append(
            make_row(
                (fit_value(f"  and {len(folded)} more signals are blocked only", width), "dim")
            )
        )
    return rows


def _make_disposition_row(
    view: View, process: Process, signo: int, masks: _Masks, threads: list[Thread], width: int
) -> Row:
    """What a process does with a signal, and whether it is blocked and pending."""
    bit = bit_of(signo)
    lit, inside = SignalPart(process.pid, signo) in view.lit, bool(masks.inside & bit)
    differs = (masks.caught ^ masks.read_caught | masks.ignored ^ masks.read_ignored) & bit
    mark = "h" if inside else " "
    letters = " ".join(
        letter if on else "."
        for letter, on in (
            ("C", masks.read_caught & bit),
            ("I", masks.read_ignored & bit),
            ("B" if masks.by_all & bit else "b", masks.blocked & bit),
            ("P", masks.pending & bit),
        )
    )
    words = _describe_handling(process, signo, masks)
    if masks.pending & bit:
        words += _describe_pending(view, process, signo, threads)
    return make_row(
        ("*" if lit else mark, "lit-chip" if lit or inside else ""),
        ("!" if differs else " ", "bad" if differs else ""),
        (fit_value(signal_name(signo), 12), "lit" if lit else ""),
        " ",
        (letters, "lit" if masks.pending & bit else ""),
        "  ",
        (fit_value(words, max(0, width - 24)), "dim"),
    )


def _describe_handling(process: Process, signo: int, masks: _Masks) -> str:
    """What becomes of a signal when it is delivered, in words."""
    words, bit, how = "default", bit_of(signo), process.handling.get(signo)
    if masks.read_caught & bit:
        flags = ", ".join(flag for flag in how.flags if flag != "SA_RESTORER") if how else ""
        words = f"its handler ({flags})" if flags else "its handler"
    elif masks.read_ignored & bit:
        words = "ignored"
    return f"{words}, inside it now" if masks.inside & bit else words


def masks_of_calls(threads: list[Thread]) -> list[str]:
    """Which threads sleep under a mask that a call brought along, and how it differs from their
    own.
    """
    found = []
    for thread in threads:
        call = thread.waiting
        if call is None or call.name not in MASKED or call.get_number("mask") is None:
            continue
        place = (
            f"Thread {thread.tid}, only in {call.name}"
            if len(threads) > 1
            else f"Only in {call.name}"
        )
        words = "a mask of its own"
        if thread.own_mask is not None:
            lets, keeps = thread.own_mask & ~thread.blocked, thread.blocked & ~thread.own_mask
            parts = [
                f"{verb} {signal_names(mask, 3)}"
                for verb, mask in (("lets in", lets), ("blocks", keeps))
                if mask
            ]
            words = " and ".join(parts) or "the same mask as otherwise"
        found.append(f"{place}: {words}")
    return found


def _describe_pending(view: View, process: Process, signo: int, threads: list[Thread]) -> str:
    """For which of several threads a signal is pending, and how often it will come, as far as it
    was seen sent.
    """
    bit = bit_of(signo)
    words = ""
    if len(threads) > 1:
        whole = process.sample is not None and process.sample.pending & bit
        places = ["the process"] if whole else []
        places += [f"thread {thread.tid}" for thread in threads if thread.pending & bit]
        words = f", pending for {' and '.join(places[:3])}" if places else ""
    count = sent_and_pending(view.state, process.pid, signo)
    if is_real_time(signo):
        return words + (f", {count} queued" if count else "")
    return words + (f", {count} sent as one" if count > 1 else "")


def _make_traffic_rows(view: View, width: int) -> list[Row]:
    """Sendings and deliveries, latest first; a delivery that belongs to a sending is told with
    it.
    """
    sent = view.state.sent
    told = {(s.signo, s.delivered) for s in sent if s.delivered is not None}
    items: list[tuple[float, SignalSent | SignalDelivered]] = [(s.t, s) for s in sent]
    items.extend((d.t, d) for d in view.state.delivered if (d.signo, d.t) not in told)
    items.sort(key=lambda item: item[0], reverse=True)
    if not items:
        return [make_row((fit_value("No signal was sent so far.", width), "dim"))]
    coalesced = sum(s.coalesced for s in sent)
    title = f"SENT AND DELIVERED ({len(sent)} seen sent, {coalesced} coalesced)"
    rows = [make_row((fit_value(title, width), "head"))]
    room = min(36, max(20, width - 52))
    for t, item in items[:_SHOWN]:
        name = signal_name(item.signo)
        if isinstance(item, SignalSent):
            target = (
                name_process(view.state, item.target, item.tid)
                if item.target > 0
                else _describe_group(view, item)
            )
            route, fate = (
                _describe_route(name_process(view.state, item.sender), target, room),
                _describe_fate(view, item),
            )
            concerned = view.pid in (item.sender, item.target)
        else:
            route = _describe_route(
                _describe_source(view, item), name_process(view.state, item.pid, item.tid), room
            )
            fate = _describe_outcome(item)
            concerned = view.pid == item.pid
        rows.append(
            make_row(
                (f"{t:9.3f} ", "dim"),
                (fit_value(name, 11), "lit" if concerned else ""),
                (fit_value(route, room), ""),
                " ",
                (fit_value(fate, max(0, width - 23 - room)), "dim"),
                target=("process", item.target if isinstance(item, SignalSent) else item.pid),
            )
        )
    return rows


_ACTIONS: Final = {
    "handler": "handled",
    "ignore": "ignored",
    "terminate": "ended it",
    "core": "ended it, core",
    "stop": "stopped it",
    "continue": "continued it",
    "taken": "taken by a call",
}


def _describe_route(source: str, target: str, room: int) -> str:
    """`sh[12] > cat[13]`; where there is no room, rather without names than without numbers."""
    name, bracket, rest = target.partition("[")
    short = bracket + rest if rest and source.startswith(f"{name}[") else target
    numbers = f"{bracket}{rest}" if rest else target
    _, opened, left = source.partition("[")
    bare = f"{opened}{left}" if left else source
    choices = (
        f"{source} > {target}",
        f"{source} > {short}",
        f"{bare} > {target}",
        f"{bare} > {numbers}",
    )
    return next((text for text in choices if len(text) <= room), choices[-1])


def _describe_group(view: View, item: SignalSent) -> str:
    """A group, or all."""
    if item.target == -1:
        return "all that it may"
    process = view.state.processes.get(item.sender)
    return f"group {-item.target or (process.pgrp if process is not None else 0)}"


def _describe_outcome(item: SignalDelivered) -> str:
    """What a delivery did, to the process and to the call that it cut short."""
    words = _ACTIONS.get(item.action, item.action)
    if not item.interrupted or item.action in ("terminate", "core"):
        return words
    return f"{words}, {_OUTCOMES[item.outcome].format(item.interrupted)}"


_OUTCOMES: Final = {
    "EINTR": "{}: EINTR",
    "part": "{}: a part",
    "again": "{} goes on",
    "": "cut {} short",
}
_TERMINALS: Final = (1, 2, 3, 20, 21, 22, 28)
"""SIGHUP, SIGINT, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU, SIGWINCH: if the kernel sends them, for the
terminal.
"""
_TIMERS: Final = (14, 26, 27)
"""SIGALRM, SIGVTALRM, SIGPROF."""


def _describe_source(view: View, item: SignalDelivered) -> str:
    """Who sent what no call was seen to send."""
    if item.sender in view.state.processes:
        return name_process(view.state, item.sender)
    if item.sender:
        return f"{item.sender_name or 'process'}[{item.sender}], not watched"
    if item.code == "SI_TIMER" or item.signo in _TIMERS:
        return f"timer {item.timer}" if item.timer >= 0 else "timer"
    if item.fault is not None or item.address:
        return "its own fault"
    return "terminal" if item.code == "SI_KERNEL" and item.signo in _TERMINALS else "kernel"


def _describe_fate(view: View, item: SignalSent) -> str:
    """What became of a sending."""
    if item.coalesced:
        return "coalesced: one was pending"
    target = view.state.processes.get(item.target)
    if item.delivered is None:
        if target is not None and target.fate != "alive":
            return "not delivered: it ended"
        if item.lost:
            return "gone: taken by a call unseen"
        return "not delivered yet: pending" if item.target > 0 else "sent to a group"
    found = next(
        (
            d
            for d in reversed(view.state.delivered)
            if d.t == item.delivered and d.signo == item.signo
        ),
        None,
    )
    words = _describe_outcome(found) if found is not None else "delivered"
    if found is None and target is not None and target.exit_signal == item.signo:
        words = _ACTIONS["terminate"]
    first, *more = words.split(", ", 1)
    rest = f", {more[0]}" if more else ""
    return f"{first} after {(item.delivered - item.t) * 1000:.1f} ms{rest}"


# -- timers that send signals


def _timer_rows(view: View, process: Process, width: int) -> list[Row]:
    """A row for each timer of a process."""
    found = {key: timer for (pid, key), timer in view.state.timers.items() if pid == process.pid}
    known = process.surroundings.timers if process.surroundings is not None else ()
    if process.fate != "alive" or not (found or known):
        return []
    rows = [make_row((fit_value("  TIMER        SIGNAL       EXPIRES", width), "head"))]
    details = {POSIX + timer.id: timer for timer in known}
    for key in sorted({*found, *details}):
        timer, detail = found.get(key), details.get(key)
        signo = detail.signo if detail is not None else 0
        if timer is not None:
            signo = timer.signo
        sends = signal_name(signo) if signo and (detail is None or detail.notify) else "none"
        words = _describe_due(timer, view.now) if timer is not None else "not known"
        if detail is not None:
            words += f"; {detail.clock}"
            words += (
                f"; to {name_process(view.state, process.pid, detail.tid)}" if detail.tid else ""
            )
        name = f"timer {key - POSIX}" if key >= POSIX else _TIMER_NAMES.get(key, "timer")
        lit = SignalPart(process.pid, signo) in view.lit
        rows.append(
            make_row(
                ("*" if lit else " ", "lit-chip" if lit else ""),
                " ",
                (fit_value(name, 12), "lit" if lit else ""),
                " ",
                (fit_value(sends, 12), ""),
                " ",
                (fit_value(words, max(0, width - 28)), "dim"),
            )
        )
    return rows


_TIMER_NAMES: Final = {14: "real time", 26: "user time", 27: "CPU time"}


def _describe_due(timer: ArmedTimer, now: float) -> str:
    if not timer.armed:
        return "not armed"
    again = f", then every {format_seconds(timer.interval)}" if timer.interval else ""
    if timer.clock:
        return f"after {format_seconds(timer.due)} of {timer.clock}{again}"
    left = timer.due - now
    return (f"in {format_seconds(left)}" if left > 0 else "due now") + again
