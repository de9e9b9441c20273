"""The /proc panel: each process and what its threads are blocked in, and on."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple

from ipcviz.app.panels.cells import wrap_text
from ipcviz.app.panels.panel import Late, Panel, Row, Span, fit_value, make_late, make_row
from ipcviz.app.text import Shown, bytes_text
from ipcviz.events.signals import signal_name
from ipcviz.model.mechanisms.families import describe_group, describe_namespaces, describe_reaper
from ipcviz.narrate import describe_intention, name_process
from ipcviz.narrate.facts import describe_facts, describe_machine
from ipcviz.narrate.waits import describe_remaining, describe_wait_untimed

if TYPE_CHECKING:
    from ipcviz.app.view import View
    from ipcviz.model.state import Process, Thread

_THREADS_SHOWN = 8


class Proc(Panel):
    """Processes and threads as /proc shows them."""

    TITLE = "/proc"
    HELP_TEXT: ClassVar[str] = (
        "Each process: its state (R runs, B is blocked until another process acts, S sleeps or"
        " waits, D waits for a device, T is stopped, Z has ended and was not waited for, x is"
        " gone), CPU use of the last second (computed from two looks), CPU seconds (user+system),"
        " resident memory, page faults (minor/major), context switches (voluntary/forced), bytes"
        " read and written by calls (rchar/wchar), and what it waits in: the call, its descriptor,"
        " the object, why, for how long, and what is `left` of its limit; below it because of whom:"
        " each process named is the only one that could end the wait before it, as far as is seen;"
        " in a circle none goes on by itself, and `probably` says that this is not proved, and why."
        " `~`: only sampled, its calls are not all traced. `-`: not read yet. Of the selected"
        " process also its group, session, controlling terminal and whether its group is in the"
        " foreground there; who gets orphans, as far as seen; and those of its namespaces that are"
        " not ipcviz's own; its user, when it was started, its share of the processors, and its"
        " limits (what is unlimited is left out), read once a second; and the machine."
    )

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._shown = 0
        """The selected process that was scrolled to last."""
        self._place = (0, 0)
        """Its first row, and how many it has."""

    def rebuild_rows(self) -> None:
        """Make the rows anew, and show those of the selected process when another one is
        selected.
        """
        super().rebuild_rows()
        if self.view is None or self.view.pid == self._shown:
            return
        self._shown = self.view.pid
        first, count = self._place
        top, height = self.scroll_offset.y, self.size.height
        if count and not top <= first <= first + count <= top + height:
            y = first if first < top or count >= height else first + count - height
            self.scroll_to(y=y, animate=False, immediate=True, force=True)

    @classmethod
    def has_content(cls, view: View) -> bool:
        """Whether a process lives: of others little is left to say."""
        return any(process.fate == "alive" for process in view.state.processes.values())

    def build_rows(self, view: View, width: int) -> list[Late]:
        """One to three rows for each process, by the width, and one for each further thread."""
        if not view.processes:
            return [make_row(("No process yet.", "dim"))]
        head = f"    {fit_value('PROCESS', 18)} {'CPU':>5} {'TIME':>11} {'RSS':>8}"
        if width >= _MIDDLE:
            head += f" {'FAULTS':>12} {'SWITCHES':>12}"
        if width >= _WIDE:
            head += f" {'READ/WRITTEN':>17}  WAITS IN"
        rows: list[Late] = [make_row((fit_value(head, width), "head"))]
        each = 2 if width >= _MIDDLE else 3
        if width >= _WIDE:
            each = 1
        self._place = (0, 0)
        for process in view.processes:
            more = [
                tid for tid in process.threads if tid != process.pid and tid in view.state.threads
            ]
            count = (
                each
                + len(_detail_lines(view, process, width))
                + sum(
                    len(_make_reason_rows(view, process, tid, width))
                    for tid in (process.pid, *more[:_THREADS_SHOWN])
                )
                + min(len(more), _THREADS_SHOWN)
                + (len(more) > _THREADS_SHOWN)
            )
            if process.pid == view.pid:
                self._place = (len(rows), count)
            rows.extend(make_late(count, lambda process=process: _make_rows(view, process, width)))  # type: ignore[misc]
        return rows


_WIDE: Final = 124
_MIDDLE: Final = 76


class _Figures(NamedTuple):
    """What was counted of a process, in words; `-` for what was not read yet."""

    cpu: str = "-"
    used: str = "-"
    memory: str = "-"
    faults: str = "-"
    switches: str = "-"
    moved: str = "-"


def _read_figures(view: View, process: Process) -> _Figures:
    sample = process.sample
    if sample is None:
        return _Figures()
    percent = view.compute_cpu(process.pid)
    return _Figures(
        cpu="-" if percent is None or process.fate != "alive" else f"{percent:.0f}%",
        used=f"{sample.user_time:.2f}+{sample.system_time:.2f}",
        memory=bytes_text(sample.rss),
        faults=f"{_describe_count(sample.minor_faults)}/{_describe_count(sample.major_faults)}",
        switches=f"{_describe_count(sample.voluntary_switches)}/{_describe_count(sample.forced_switches)}",
        moved=f"{bytes_text(sample.chars_read)}/{bytes_text(sample.chars_written)}",
    )


def _make_rows(view: View, process: Process, width: int) -> list[Row]:
    """A process's rows: its figures, what its threads do and why, and more of the selected one."""
    target = ("process", process.pid)
    ended = process.fate != "alive"
    faded = "dim" if ended else ""
    rows = _make_process_rows(view, process, width)
    why = _make_reason_rows(view, process, process.pid, width)
    at = 1 if width >= _WIDE else 2
    rows[at:at] = [make_row((words, faded), target=target) for words in why]
    rows.extend(
        make_row((fit_value(f"      {words}", width), "dim"), target=target)
        for words in _detail_lines(view, process, width)
    )
    others = [tid for tid in process.threads if tid != process.pid and tid in view.state.threads]
    for tid in others[:_THREADS_SHOWN]:
        rows.append(make_row((_doing_text(view, process, tid, width), ""), target=target))
        rows.extend(
            make_row((words, ""), target=target)
            for words in _make_reason_rows(view, process, tid, width)
        )
    if len(others) > _THREADS_SHOWN:
        rows.append(
            make_row(
                (f"      and {len(others) - _THREADS_SHOWN} more threads", "dim"), target=target
            )
        )
    return rows


def _make_process_rows(view: View, process: Process, width: int) -> list[Row]:
    """A process's figures and what its leader does, in one row to three."""
    target, faded = ("process", process.pid), "dim" if process.fate != "alive" else ""
    figures = _read_figures(view, process)
    counted = f" {figures.cpu:>5} {figures.used:>11} {figures.memory:>8}"
    first = [
        *_make_head_spans(view, process),
        (counted, "dim" if process.sample is None else faded),
    ]
    doing = _doing_text(view, process, process.pid, width)
    if width >= _MIDDLE:
        first.append((f" {figures.faults:>12} {figures.switches:>12}", faded))
    if width >= _WIDE:
        first.extend([(f" {figures.moved:>17}  ", faded), (doing, faded)])
        return [make_row(*first, target=target)]
    if width >= _MIDDLE:
        moved = fit_value(f"r/w {figures.moved}", 24, right=True)
        return [make_row(*first, target=target), make_row((doing + moved, faded), target=target)]
    third = f"      faults {figures.faults}, switches {figures.switches}, r/w {figures.moved}"
    return [
        make_row(*first, target=target),
        make_row((doing, faded), target=target),
        make_row((fit_value(third, width), "dim"), target=target),
    ]


_NAME: Final = 18
"""Cells of a name with its PID."""


def _make_head_spans(view: View, process: Process) -> list[Span | str]:
    """A process's mark, digit, state and name."""
    letter, chip = view.choose_process_chip(process.pid)
    chosen = process.pid == view.pid
    name = f"{process.called}{'' if process.full else '~'}"
    number = f" {process.pid}" if process.label and len(name) < _NAME - 6 else ""
    style = "dim" if process.fate == "gone" else "process"
    return [
        (">" if chosen else " ", "chosen"),
        (str(view.slots.get(process.pid, "")) or " ", "dim"),
        (letter, "gone-chip" if chip == "gone" else chip),
        " ",
        (fit_value(name, _NAME - len(number)), "chosen" if chosen else style),
        (number, "dim"),
    ]


def _make_reason_rows(view: View, process: Process, tid: int, width: int) -> list[str]:
    """Because of whom a thread waits, and what that one waits for in turn, in rows; none where the
    row above names him already.
    """
    why = view.explain_wait(tid) if process.fate == "alive" else ""
    whom = why.removesuffix(", not watched").partition(" ")[2]
    if not why or whom in _doing_text(view, process, tid, width):
        return []
    return [fit_value(Shown(f"        {line}"), width) for line in wrap_text(why, width - 8)]


def _doing_text(view: View, process: Process, tid: int, width: int) -> str:
    """What a thread does, in the cells that there are for it; of a process that has ended, how."""
    thread = view.state.threads.get(tid)
    if tid != process.pid and thread is not None:
        label = f"      thread {tid} {thread.name} {thread.state}: "
        return _fit_doing(_describe_activity(view, thread, process), width, label)
    doing = (
        _describe_activity(view, thread, process)
        if process.fate == "alive"
        else (_describe_fate(view, process), "")
    )
    if width >= _WIDE:
        return _fit_doing(doing, width - 94)
    return _fit_doing(doing, width - 24 if width >= _MIDDLE else width, "      ")


def _detail_lines(view: View, process: Process, width: int) -> list[str]:
    """Of the selected process: its family, namespaces that are not ours, what hardly changes of it,
    and the machine.
    """
    if process.pid != view.pid or process.fate != "alive":
        return []
    words = [
        describe_group(view.state, process),
        describe_reaper(view.state, process),
        describe_namespaces(process),
    ]
    started = view.state.started
    if process.facts is not None and started is not None:
        words += describe_facts(
            process.facts, started.host, started.began + view.now if started.began else 0.0
        )
    if started is not None and started.host is not None:
        words.append(f"the machine: {describe_machine(started.host)} when the watch began")
    return [line for word in words if word for line in wrap_text(word, width - 6)]


def _describe_count(number: int) -> str:
    """A count in at most five characters."""
    if number < 10_000:
        return str(number)
    return f"{number / 1000:.0f}k" if number < 1_000_000 else f"{number / 1e6:.1f}M"


def _describe_fate(view: View, process: Process) -> str:
    ended = (
        f"killed by {signal_name(process.exit_signal)}"
        if process.exit_signal
        else f"exited {process.exit_code}"
    )
    if not process.exit_known:
        ended = "ended, how is not known"
    if process.fate != "zombie":
        return ended
    parent = view.state.processes.get(process.parent)
    by = (
        f" by {name_process(view.state, parent.pid)}"
        if parent is not None and parent.fate == "alive"
        else ""
    )
    return f"{ended}, not waited for yet{by}"


_STATES: Final = {
    "R": "running",
    "t": "running",
    "?": "running",
    "S": "sleeps",
    "D": "waits for a device",
}


def _fit_doing(doing: tuple[str, str], width: int, before: str = "") -> str:
    """What a thread does, for how long, and for how long at most: if there is too little room, the
    times stay.
    """
    words, times = doing
    return fit_value(
        fit_value(before + words, max(0, width - len(times))).rstrip() + times, max(0, width)
    )


def _describe_activity(view: View, thread: Thread | None, process: Process) -> tuple[str, str]:
    """What a thread waits in, and for how long: `read(0) on P1, empty` and `, 1.2 s, 3 s left`."""
    if process.stopped_by:
        found = (
            d for d in reversed(view.state.delivered) if d.pid == process.pid and d.action == "stop"
        )
        cause = next(found, None)
        by = (
            f" from {name_process(view.state, cause.sender)}"
            if cause is not None and cause.sender
            else ""
        )
        return f"stopped by {signal_name(process.stopped_by)}{by}", ""
    if thread is None:
        return "-", ""
    if thread.poised is not None:
        return f"held, {describe_intention(view.state, thread.poised)}", ""
    if thread.state == "T":
        # Which signal did it is not told of a process that was stopped before the watch.
        tracer = process.sample.tracer if process.sample is not None else 0
        return f"stopped by its tracer, process {tracer}" if tracer else "stopped", ""
    wait = view.find_thread_wait(thread.tid)
    if wait is None:
        return _STATES.get(thread.state, f"state {thread.state}"), ""
    seconds = max(0.0, view.now - wait.since)
    since = f", {seconds:.1f} s" if wait.since and seconds >= 0.1 else ""
    limit = describe_remaining(view.state, wait, view.now)
    return describe_wait_untimed(view.state, wait, view.now), since + (
        f", {limit}" if limit else ""
    )
