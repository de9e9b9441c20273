"""The box of a process. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from ipcviz.app.picture import channels, signals
from ipcviz.app.picture import words as words_of
from ipcviz.app.picture.draft import SceneDraft, make_process_age_key
from ipcviz.app.picture.scene import Edge, Node, NodeLine
from ipcviz.app.text import argv_text, make_visible
from ipcviz.model.parts import ProcessPart, ThreadPart

if TYPE_CHECKING:
    from ipcviz.model.state import Process


def add_process(d: SceneDraft, process: Process) -> None:
    """A process, and the line from its parent where that says something."""
    pid = process.pid
    waits = d.waits[pid]
    letter, style = words_of.choose_chip(d.state, process, waits)
    parent = f"p:{process.parent}" if process.parent in d.processes else ""
    lit = ProcessPart(pid) in d.lit or any(ThreadPart(tid) in d.lit for tid in process.threads)
    tree = pid not in d.strong
    words = words_of.describe_activity(d.state, process, waits)
    short = words_of.describe_wait_briefly(d.state, process, waits)
    wrote = channels.describe_input(d, pid) if d.ended else ""
    if wrote:
        words, short = f"{words}, {wrote}", words
    d.add_node(
        Node(
            id=f"p:{pid}",
            kind="process",
            title=make_visible(process.own_name or process.name) or "?",
            label=make_visible(process.title),
            corner=str(pid),
            letter=letter,
            chip=style,
            lines=(NodeLine(words, "text", short=short),),
            order=make_process_age_key(process),
            parent=parent,
            tree=tree,
            lit=lit,
            faded=process.fate == "gone",
            select=("process", pid),
        )
    )
    if parent and (tree or process.parent not in d.strong):
        d.edges[parent, f"p:{pid}", "child"] = Edge(parent, f"p:{pid}", "child")


def complete_box(d: SceneDraft, node: Node) -> Node:
    """The box with all its lines: made only for those that are not folded away."""
    process = d.processes[int(node.select[1])]
    lines = list(node.lines)
    lines.extend(words_of.line_row(d.state, process))
    lines.extend(signals.list_signal_lines(d, process))
    rows = len(lines) if signals.ABOUT in d.about and process.fate == "alive" else 0
    if len(process.threads) > 1:
        lines.append(NodeLine(f"{len(process.threads)} threads", "dim"))
    written = process.title_words
    if (len(written) > 1 or written != process.argv) and (
        process.executed or process.how == "launched" or written != process.argv
    ):
        program, others = _strip_folder(written[0]), written[1:]
        short = (_strip_folder(one) if one.startswith("/") else one for one in others)
        text = argv_text((program, *others))
        lines.append(NodeLine(text, "dim", short=argv_text((program, *short))))
    elif process.name and not process.title.startswith(process.name):
        lines.append(NodeLine(make_visible(process.name), "dim"))
    if process.fate == "alive" and not process.full:
        lines.append(NodeLine("sampled", "dim"))
    return replace(node, lines=tuple(lines), rows=rows, digit=str(d.slots.get(process.pid, "")))


def _strip_folder(path: str) -> str:
    return path.rpartition("/")[2] or path
