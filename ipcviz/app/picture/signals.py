"""Armed timers, and signals on their way. Pure."""

from __future__ import annotations

from ipcviz.app.picture.draft import SceneDraft
from ipcviz.app.picture.scene import Edge, Node, NodeLine
from ipcviz.events.signals import bit_of, signal_name
from ipcviz.model.parts import SignalPart


def add_signals(d: SceneDraft) -> None:
    """Armed timers and signals on their way, at the left of the process that they are for."""
    for (pid, _), timer in sorted(d.state.timers.items()):
        process = d.processes.get(pid)
        if process is None or process.fate != "alive" or not timer.armed:
            continue
        left = max(0.0, timer.due - d.state.t)
        text = f"{timer.due:g} s of CPU" if timer.clock else f"in {left:.1f} s"
        corner = "timer" if timer.id < 0 else f"timer {timer.id}"
        _add_signal(d, pid, timer.signo, text, corner)
    newest: dict[tuple[int, int], int] = {}
    for sent in d.state.sent:
        if (
            sent.delivered is None
            and not sent.coalesced
            and _is_pending(d, sent.target, sent.signo)
        ):
            newest[sent.target, sent.signo] = sent.sender
    for (pid, signo), sender in sorted(newest.items()):
        node = _add_signal(d, pid, signo, "pending", "signal")
        if sender != pid and sender in d.processes and d.processes[sender].fate == "alive":
            d.edges.setdefault((f"p:{sender}", node, "signal"), Edge(f"p:{sender}", node, "signal"))


def _is_pending(d: SceneDraft, pid: int, signo: int) -> bool:
    process = d.processes.get(pid)
    if process is None or process.fate != "alive":
        return False
    bits = process.sample.pending if process.sample else 0
    for tid in process.threads:
        thread = d.state.threads.get(tid)
        bits |= thread.pending if thread else 0
    return bool(bits & bit_of(signo))


def _add_signal(d: SceneDraft, pid: int, signo: int, text: str, corner: str) -> str:
    node = f"s:{corner}:{pid}:{signo}"
    lit = SignalPart(pid, signo) in d.lit
    d.add_node(
        Node(
            id=node,
            kind="signal",
            title=signal_name(signo),
            corner=corner,
            lines=(NodeLine(text, "strong"),),
            order=(d.make_age_key(pid)[0], pid),
            lit=lit,
            select=("process", pid),
        )
    )
    d.edges[node, f"p:{pid}", "signal"] = Edge(node, f"p:{pid}", "signal", lit=lit)
    d.strong.add(pid)
    return node
