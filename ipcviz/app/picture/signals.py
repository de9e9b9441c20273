"""Timers and what became of them, and signals on their way to a process. Pure.

A signal that is pending stands at the door: the line from its sender ends before the box, with a
block in the place of the arrow. It has an arrow into the box once it is delivered.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from msgspec.structs import replace

from ipcviz.app.picture.draft import KEPT, SceneDraft
from ipcviz.app.picture.scene import Edge, Node, NodeLine
from ipcviz.events.signals import bit_of, is_real_time, signal_name, signals_in
from ipcviz.model.mechanisms.notifiers import format_seconds
from ipcviz.model.mechanisms.signals import sent_and_pending
from ipcviz.model.parts import SignalPart
from ipcviz.model.state import POSIX, ArmedTimer, PastTimer, Process
from ipcviz.model.waits.values import Why
from ipcviz.narrate.words import signal_names

ABOUT: Final = "signals"
"""The panel that a story points at if it is about signals (`scenario.format.Panel`)."""

_TIMER_ROWS: Final = 4
"""Rows of words of a timer in step mode: its signal, since when, what became of it, what is now."""
_TIMER_CELLS: Final = 17
"""Cells of words of a timer: `nothing armed now`."""
_ON_ITS_WAY: Final = "s:signal:"
"""What the id of a signal's node begins with, where a process has sent it."""
_CHIPS: Final = 8
"""Chips of a set of signals at most; of a set of more than half of all there are none."""


def add_signals(d: SceneDraft) -> None:
    """Timers, and signals on their way, at the left of the process that they are for."""
    for (pid, key), timer in sorted(d.state.timers.items()):
        process = d.processes.get(pid)
        if process is not None and process.fate == "alive" and timer.armed:
            lines, pending = _describe_timer(d, pid, timer)
            _add_timer(d, pid, key, timer.signo, lines, pending=pending)
    for (pid, key), past in sorted(d.state.past_timers.items()):
        process = d.processes.get(pid)
        if process is not None and _is_told(d, process, past):
            _add_timer(d, pid, key, past.signo, _describe_past_timer(d, past), pending=False)
    if d.ended:
        _add_totals(d)
    else:
        _add_sent(d)


# -- timers


def _is_told(d: SceneDraft, process: Process, past: PastTimer) -> bool:
    """Whether it matters that a timer was there: in step mode and in a story about signals, to who
    waits for a signal, and for a moment to everybody.
    """
    if not d.is_there(process.pid) or past.since < process.born:
        return False
    if d.state.stepping or ABOUT in d.about or d.state.t - past.over < KEPT:
        return True
    return any(wait.why is Why.SIGNAL for wait in d.waits[process.pid])


def _describe_timer(
    d: SceneDraft, pid: int, timer: ArmedTimer
) -> tuple[tuple[NodeLine, ...], bool]:
    """What becomes of a timer that is armed, as far as known; and whether its signal is pending."""
    lines = [NodeLine(f"armed at step {timer.step}", "dim")] if d.state.stepping else []
    if timer.fired:
        times = "once" if timer.fired == 1 else f"{timer.fired:,} times"
        lines.append(NodeLine(f"has fired {times}", "dim"))
    # A signal that no process sent can only be the timer's, once its time is up.
    is_over = not timer.clock and timer.due <= d.state.t
    if is_over and _is_pending(d, pid, timer.signo) and not _find_sender(d, pid, timer.signo):
        words = "fired, is blocked" if _is_blocked(d, pid, timer.signo) else "fired, is pending"
        return (*lines, NodeLine(words, "strong")), True
    left = max(0.0, timer.due - d.state.t)
    due = f"{timer.due:g} s of CPU" if timer.clock else f"{left:.1f} s"
    return (*lines, NodeLine(f"fires in {due}", "strong", short=f"in {due}")), False


def _describe_past_timer(d: SceneDraft, past: PastTimer) -> tuple[NodeLine, ...]:
    """What became of a timer, and that nothing is armed any more."""
    word = "cancelled" if past.cancelled else "fired"
    if d.state.stepping:
        lines = [
            NodeLine(f"armed at step {past.step}", "dim"),
            NodeLine(f"{word} at step {past.over_step}", "strong"),
        ]
    else:
        ago = round(max(0.0, d.state.t - past.over), 1)
        when = f"{format_seconds(ago)} ago" if ago else "just now"
        lines = [NodeLine(f"{word} {when}", "strong", short=word)]
    return (*lines, NodeLine("nothing armed now", "text"))


def _add_timer(
    d: SceneDraft, pid: int, key: int, signo: int, lines: tuple[NodeLine, ...], *, pending: bool
) -> None:
    corner = f"timer {key - POSIX}" if key >= POSIX else "timer"
    # As high as it will be at last, so that nothing moves when it fires.
    rows = _TIMER_ROWS if d.state.stepping else _TIMER_ROWS - 1
    _add_node(d, f"s:timer:{pid}:{key}", pid, signo, corner, lines, pending=pending, rows=rows)


# -- signals that were sent


def is_on_its_way(node: Node) -> bool:
    """Whether a node is a signal that a process has sent, and no timer."""
    return node.id.startswith(_ON_ITS_WAY)


def _add_sent(d: SceneDraft) -> None:
    """Signals that a process has sent: those that are pending, and those whose handler runs."""
    senders: dict[tuple[int, int], int] = {}
    arrived: set[tuple[int, int]] = set()
    for sent in d.state.sent:
        target = (sent.target, sent.signo)
        if sent.coalesced or sent.target not in d.processes:
            continue
        if sent.delivered is None and _is_pending(d, *target):
            senders[target] = sent.sender
            arrived.discard(target)
        elif sent.delivered is not None and _is_inside_handler(d, *target):
            senders[target] = sent.sender
            arrived.add(target)
    for (pid, signo), sender in sorted(senders.items()):
        pending = (pid, signo) not in arrived
        line = NodeLine(
            _describe_pending(d, pid, signo) if pending else "its handler runs",
            "strong",
            short="pending" if pending else "handler runs",
        )
        node = _add_node(
            d, f"{_ON_ITS_WAY}{pid}:{signo}", pid, signo, "signal", (line,), pending=pending
        )
        if sender != pid and sender in d.processes and d.processes[sender].fate == "alive":
            lit = SignalPart(pid, signo) in d.lit
            d.edges.setdefault(
                (f"p:{sender}", node, "signal"), Edge(f"p:{sender}", node, "signal", lit=lit)
            )


def _add_totals(d: SceneDraft) -> None:
    """All have ended: who has sent which signal to whom, how often, and what came of the last."""
    counts: Counter[tuple[int, int, int]] = Counter()
    for sent in d.state.sent:
        if sent.sender in d.processes and sent.target in d.processes:
            counts[sent.sender, sent.target, sent.signo] += 1
    for (sender, pid, signo), count in sorted(counts.items()):
        times = {1: "once", 2: "twice"}.get(count, f"{count:,} times")
        lines = [NodeLine(f"sent {times}", "strong")]
        if d.processes[pid].exit_signal == signo:
            lines.append(NodeLine("ended it", "text"))
        node = _add_node(
            d,
            f"{_ON_ITS_WAY}{pid}:{signo}" + ("" if sender == pid else f":{sender}"),
            pid,
            signo,
            "signal",
            tuple(lines),
            pending=False,
        )
        if sender != pid:
            edge = Edge(f"p:{sender}", node, "signal")
            d.edges[edge.key] = edge


def _describe_pending(d: SceneDraft, pid: int, signo: int) -> str:
    """That a signal is pending, why, and how many were sent."""
    count = sent_and_pending(d.state, pid, signo)
    words = "pending"
    if _is_blocked(d, pid, signo):
        words += ": blocked"
    if count > 1:
        words += f", {count} queued" if is_real_time(signo) else f", {count} as one"
    return words


def _find_sender(d: SceneDraft, pid: int, signo: int) -> bool:
    """Whether a process was seen to send a signal that was not delivered yet."""
    return any(
        sent.target == pid and sent.signo == signo and sent.delivered is None and not sent.lost
        for sent in d.state.sent
    )


def _is_pending(d: SceneDraft, pid: int, signo: int) -> bool:
    """Whether a signal waits to be delivered: it is pending, or in step mode is about to act."""
    process = d.processes.get(pid)
    if process is None or process.fate != "alive":
        return False
    return bool(_read_pending(d, process) & bit_of(signo))


def _read_pending(d: SceneDraft, process: Process) -> int:
    """The signals that wait to be delivered, as a mask: for the process and for its threads, and
    what in step mode is about to act on a thread that is held before it.
    """
    bits = process.sample.pending if process.sample else 0
    for tid in process.threads:
        thread = d.state.threads.get(tid)
        if thread is not None:
            bits |= thread.pending
            if thread.poised is not None and thread.poised.at == "signal":
                bits |= bit_of(thread.poised.signo)
    return bits


def _is_inside_handler(d: SceneDraft, pid: int, signo: int) -> bool:
    process = d.processes[pid]
    threads = (d.state.threads.get(tid) for tid in process.threads)
    return any(thread is not None and signo in thread.handlers for thread in threads)


def _is_blocked(d: SceneDraft, pid: int, signo: int) -> bool:
    """Whether all threads of a process block a signal."""
    threads = [d.state.threads.get(tid) for tid in d.processes[pid].threads]
    return bool(threads) and all(t is not None and t.blocked & bit_of(signo) for t in threads)


def _add_node(
    d: SceneDraft,
    node: str,
    pid: int,
    signo: int,
    corner: str,
    lines: tuple[NodeLine, ...],
    *,
    pending: bool,
    rows: int = 0,
) -> str:
    lit = SignalPart(pid, signo) in d.lit
    d.add_node(
        Node(
            id=node,
            kind="signal",
            title=signal_name(signo),
            corner=corner,
            lines=lines,
            rows=rows,
            cells=max(len(line.text) for line in lines) if not rows else _TIMER_CELLS,
            order=(d.make_age_key(pid)[0], pid),
            lit=lit,
            select=("process", pid),
        )
    )
    d.edges[node, f"p:{pid}", "signal"] = Edge(node, f"p:{pid}", "signal", lit=lit, at_door=pending)
    d.strong.add(pid)
    return node


# -- the lines in a process's box


def list_signal_lines(d: SceneDraft, process: Process) -> list[NodeLine]:
    """What a process's box says of signals.

    Which handlers run, and what is pending, if there is any. In a story about signals also what is
    caught and blocked, each in a row that is there all the time: nothing in the box moves.
    """
    if process.fate != "alive":
        return []
    about = ABOUT in d.about
    threads = [d.state.threads[tid] for tid in process.threads if tid in d.state.threads]
    pending = _read_pending(d, process)
    blocked = 0
    for thread in threads:
        blocked |= thread.blocked
    lines = []
    running = next((t.handlers for t in threads if t.handlers), ())
    if running:
        # In the place of what is caught: that these are goes without saying.
        names = [signal_name(signo) for signo in running]
        chips = tuple((f"> {n}" if place else n, "signal") for place, n in enumerate(names))
        lines.append(NodeLine("handler", "strong", chips=chips))
    elif about:
        lines.append(_list_caught(process))
    if about:
        lines.append(_make_set_line("blocked", blocked, "mask"))
        lines.append(_make_set_line("pending", pending, "signal"))
    elif pending:
        word = "pending, blocked" if not pending & ~blocked else "pending"
        lines.append(replace(_make_set_line(word, pending, "signal"), style="pending"))
    return lines


def _list_caught(process: Process) -> NodeLine:
    caught = sum(bit_of(s) for s, how in process.handling.items() if how.action == "catch")
    return _make_set_line("caught", caught, "mask")


def _make_set_line(word: str, mask: int, style: str) -> NodeLine:
    """A set of signals as chips behind its name."""
    numbers = signals_in(mask)
    if not numbers:
        return NodeLine(f"{word} none", "dim")
    if len(numbers) > _CHIPS:
        return NodeLine(f"{word} {signal_names(mask, 2)}", "dim", short=f"{word} {len(numbers)}")
    return NodeLine(word, "text", chips=tuple((signal_name(n), style) for n in numbers))
