"""Faults in how bytes are moved: cut off, mixed, twice, to nobody, or from nowhere for ever."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import takewhile
from typing import Any, Final

from ipcviz.diagnose.deeds import EventRule, Return, SequenceRule, keep_others, returns_of
from ipcviz.diagnose.findings import Evidence, Finding
from ipcviz.diagnose.moment import CaseMoment
from ipcviz.events import Call, Closed, Disposition, Duplicated, Executed, Exited, Forked
from ipcviz.events.calls import MOVES, READS, READS_ANY, WRITES, SystemCall, where
from ipcviz.events.kinds import MET, PIPES, SOCKETS
from ipcviz.events.signals import NUMBERS
from ipcviz.model.channels import Interleaving
from ipcviz.model.ledger.directions import find_directions
from ipcviz.model.ledger.provenance import list_interleavings
from ipcviz.model.state import State
from ipcviz.narrate.words import label_of

SIGPIPE: Final = NUMBERS["SIGPIPE"]
ENDS: Final = 50
"""Reads in a row that said that the end is reached, after which it is a loop."""
BROKEN: Final = 10
"""Writes in a row that failed with EPIPE, after which it is a loop."""
ALIKE: Final = 4
"""Bytes that two processes must have written alike to be taken for one buffer's."""
_LARGE: Final = "it was larger than PIPE_BUF, 4,096 bytes"
_IN_PIECES: Final = "a stream socket takes a long write in pieces"
_STREAMS: Final = PIPES | SOCKETS
_UNFLUSHED: Final = Evidence(
    "it had written nothing to its descriptor 1: if it had printed anything, that is lost"
)


def _is_simple(call: SystemCall) -> bool:
    return call.find_argument("buf") >= 0 and not call.positioned and call.on != "queue"


SIMPLE_WRITES: Final = where(lambda call: call.name in WRITES and _is_simple(call))
SIMPLE_READS: Final = where(lambda call: call.name in READS and _is_simple(call))
"""Those of one buffer, which begin where the one before has ended."""


class ShortWrites(SequenceRule):
    """A write that moved a part, whose rest was never written."""

    calls = returns_of(SIMPLE_WRITES, Return.PART)
    follows = SIMPLE_WRITES
    kinds = (Exited,)

    def __init__(self) -> None:
        self._cut: dict[tuple[int, int], Call] = {}

    def forget_process(self, pid: int | None) -> None:
        """See `SequenceRule`."""
        self._cut = keep_others(self._cut, pid, lambda key, _: key[0])

    def follow_event(self, moment: CaseMoment, event: Any) -> Iterator[Finding]:
        """See `EventRule`."""
        if isinstance(event, Exited):
            for key in [key for key in self._cut if key[0] == event.pid]:
                call = self._cut.pop(key)
                if not event.signo:
                    yield self._tell(moment, call, "ended")
            return
        key = (event.pid, event.fd or 0)
        if event.name in self.calls and event.ret > 0:
            thing = moment.state.objects.get(event.object)
            count = _count_asked(event)
            self._end(key)
            if event.ret < count and thing is not None and thing.info.kind in _STREAMS:
                self._cut[key] = event
                self.begin(event.pid)
        for effect in event.effects:
            key = (event.pid, effect.fd) if isinstance(effect, Closed) else (0, 0)
            cut = self._end(key)
            if cut is not None:
                yield self._tell(moment, cut, f"closed descriptor {key[1]}")

    def _end(self, key: tuple[int, int]) -> Call | None:
        """The write that was cut at a descriptor of a process, which does not matter any more."""
        cut = self._cut.pop(key, None)
        if cut is not None and not any(pid == cut.pid for pid, _ in self._cut):
            self.end(cut.pid)
        return cut

    def _tell(self, moment: CaseMoment, call: Call, then: str) -> Finding:
        fd, count = call.get_number("fd"), _count_asked(call)
        name = moment.name_parties(call.pid).name_process(call.pid)
        return moment.make_finding(
            "short-write",
            [call.pid],
            f"{name} wrote {call.ret} of {count} bytes to {label_of(moment.state, call.object)},"
            f" and {then} without writing the other {count - call.ret}.",
            "Write in a loop until all is written; write(2) may take a part.",
            evidence=[
                Evidence(f"{call.name}({fd}) of {count} bytes returned {call.ret}", call.n),
            ],
            objects=[call.object],
        )


class EndlessEnds(SequenceRule):
    """A loop that reads at the end of what it reads."""

    calls = returns_of(SIMPLE_READS, Return.NOTHING)
    follows = SIMPLE_READS

    def __init__(self) -> None:
        self._ends: dict[tuple[int, str], int] = {}

    def forget_process(self, pid: int | None) -> None:
        """See `SequenceRule`."""
        self._ends = keep_others(self._ends, pid, lambda key, _: key[0])

    def follow_event(self, moment: CaseMoment, event: Any) -> Iterator[Finding]:
        """See `EventRule`."""
        if event.name not in self.calls:
            return
        key = (event.pid, event.object)
        if event.ret or event.asked_for_nothing:
            self._ends.pop(key, None)
            if not any(pid == event.pid for pid, _ in self._ends):
                self.end(event.pid)
            return
        thing = moment.state.objects.get(event.object)
        if thing is None or thing.info.kind not in _STREAMS:
            return
        self._ends[key] = count = self._ends.get(key, 0) + 1
        self.begin(event.pid)
        if count == ENDS:
            name = moment.name_parties(event.pid).name_at(event.pid, event.tid)
            reopen = thing.info.kind in MET
            yield moment.make_finding(
                "end-of-file-loop",
                [event.pid],
                f"{name} reads {thing.label} again and again, though each read says that the end is"
                f" reached: {_explain_end(thing.info.kind)}.",
                "Close the descriptor when read returns 0"
                + (", and open the FIFO again to wait for the next writer." if reopen else "."),
                evidence=[
                    Evidence(f"{count} calls {event.name}({event.fd}) in a row returned 0", event.n)
                ],
                objects=[event.object],
                ends=[(event.pid, event.fd or 0)],
            )


class BrokenPipes(SequenceRule):
    """Writes to what nobody reads any more: a loop that goes on, or a death by SIGPIPE at another
    descriptor than the standard output.
    """

    errors = frozenset({"EPIPE"})
    follows = WRITES
    effects = (Disposition,)
    kinds = (Executed, Exited, Forked)

    def __init__(self) -> None:
        self._failed: dict[tuple[int, str], int] = {}
        self._last: dict[int, Call] = {}
        self._silent: dict[int, bool] = {}
        self._ignoring: set[int] = set()
        """Processes whose program has itself set SIGPIPE to be ignored."""

    def forget_process(self, pid: int | None) -> None:
        """See `SequenceRule`."""
        self._failed = keep_others(self._failed, pid, lambda key, _: key[0])
        self._last = keep_others(self._last, pid, lambda key, _: key)

    def follow_event(self, moment: CaseMoment, event: Any) -> Iterator[Finding]:
        """See `EventRule`."""
        if isinstance(event, Exited):
            call = self._last.pop(event.pid, None)
            self._ignoring.discard(event.pid)
            if event.signo == SIGPIPE and call is not None:
                yield from self._tell_death(moment, call)
            return
        if not isinstance(event, Call):
            self._follow_family(event)
            return
        for effect in event.effects:
            if isinstance(effect, Disposition) and effect.signo == SIGPIPE:
                self._ignoring.add(event.pid)
        if event.name not in WRITES:
            return
        key = (event.pid, event.object)
        if event.error != "EPIPE":
            self._failed.pop(key, None)
            self._last.pop(event.pid, None)
            if not any(pid == event.pid for pid, _ in self._failed):
                self.end(event.pid)
            return
        self.begin(event.pid)
        self._last[event.pid] = event
        out = moment.state.find_descriptor(event.pid, 1)
        self._silent[event.pid] = out is not None and not out.used
        self._failed[key] = count = self._failed.get(key, 0) + 1
        if count == BROKEN:
            yield self._tell_loop(moment, event, count)

    def _follow_family(self, event: Forked | Executed) -> None:
        if isinstance(event, Executed):
            self._ignoring.discard(event.pid)
        elif event.parent in self._ignoring:
            self._ignoring.add(event.pid)

    def _tell_loop(self, moment: CaseMoment, event: Call, count: int) -> Finding:
        process = moment.state.processes.get(event.pid)
        handling = process.handling.get(SIGPIPE) if process is not None else None
        ignored = handling is not None and handling.action == "ignore"
        name = moment.name_parties(event.pid).name_at(event.pid, event.tid)
        why = ", and SIGPIPE, which would have ended it, is ignored" if ignored else ""
        started = moment.history.executed.get(event.pid)
        proof = [
            Evidence(f"{count} calls {event.name}({event.fd}) in a row failed: EPIPE", event.n)
        ]
        if ignored and started is not None and event.pid not in self._ignoring:
            why += ", as it was already when its program was executed"
            proof.append(Evidence("the program that ignores it was executed so", started.n))
        return moment.make_finding(
            "broken-pipe-loop",
            [event.pid],
            f"{name} writes to {label_of(moment.state, event.object)} again and again, though"
            f" nobody can read it{why}.",
            "Stop when a write fails with EPIPE. A program that is started with SIGPIPE ignored"
            " inherits that; Python's subprocess has restore_signals.",
            evidence=proof,
            objects=[event.object],
            ends=[(event.pid, event.fd or 0)],
        )

    def _tell_death(self, moment: CaseMoment, call: Call) -> Iterator[Finding]:
        fd = call.get_number("fd") or 0
        if fd == 1:
            return  # The last stage of a pipeline has left: `yes | head -1` is meant to end so.
        name = moment.name_parties(call.pid).name_process(call.pid)
        yield moment.make_finding(
            "sigpipe-death",
            [call.pid],
            f"{name} was ended by SIGPIPE (status 141 in a shell): it wrote to"
            f" {label_of(moment.state, call.object)}, its descriptor {fd}, whose other"
            " end is closed.",
            "Ignore SIGPIPE (or send with MSG_NOSIGNAL), and take EPIPE for the other side's end.",
            evidence=[
                Evidence(f"{call.name}({fd}) failed: EPIPE", call.n),
                *([_UNFLUSHED] if self._silent.get(call.pid) else []),
            ],
            objects=[call.object],
        )


class MixedWrites(EventRule):
    """A write whose bytes others came in between of."""

    calls = returns_of(WRITES | MOVES, Return.SLEPT)

    def __init__(self) -> None:
        self._told: set[str] = set()

    def follow_event(self, moment: CaseMoment, event: Any) -> Iterable[Finding]:
        """See `EventRule`."""
        state = moment.state
        key = find_directions(state, event.pid, event.name, event.args, event.object).target
        found = [
            one
            for one in list_interleavings(state, key)
            if one.n == event.n and one.pid != one.other_pid
        ]
        if not found or key in self._told:
            return
        self._told.add(key)
        yield self._tell(moment, key, found[-1])

    def _tell(self, moment: CaseMoment, key: str, last: Interleaving) -> Finding:
        names = moment.name_parties(last.pid, last.other_pid)
        one, other = names.name_process(last.pid), names.name_process(last.other_pid)
        thing = moment.state.objects[key]
        pipe = thing.info.kind in PIPES
        return moment.make_finding(
            "mixed-writes",
            [last.pid, last.other_pid],
            f"Bytes of {other} lie in {thing.label} between those of one write of {one}:"
            f" {_LARGE if pipe else _IN_PIECES}, and so may be split.",
            f"{'Write at most PIPE_BUF bytes at once, or take' if pipe else 'Take'} a lock around"
            " each write.",
            evidence=[
                Evidence(f"the write of {one} that was split", last.n),
                Evidence(f"the write of {other} that came in between", last.other),
            ],
            objects=[key],
            about=key,
        )


class SharedInput(SequenceRule):
    """A process that reads records, and another one, which it started, that takes from the same
    open file description.
    """

    calls = returns_of(READS_ANY, Return.OTHER_TAKER | Return.NOTHING)

    def __init__(self) -> None:
        self._takers: dict[int, list[Call]] = {}

    def forget_process(self, pid: int | None) -> None:
        """See `SequenceRule`."""
        self._takers = {
            ofd: calls
            for ofd, calls in self._takers.items()
            if pid is not None and all(call.pid != pid for call in calls)
        }

    def forget_objects(self, state: State) -> None:
        """See `EventRule`."""
        self._takers = {
            ofd: calls for ofd, calls in self._takers.items() if ofd in state.open_files
        }

    def follow_event(self, moment: CaseMoment, event: Any) -> Iterator[Finding]:
        """See `EventRule`."""
        fd = event.get_number("fd")
        row = moment.state.find_descriptor(event.pid, fd) if fd is not None else None
        if row is None or event.error or event.asked_for_nothing:
            return
        if event.ret > 0:
            takers = self._takers.setdefault(row.ofd, [])
            if not takers or takers[-1].pid != event.pid:
                takers.append(event)
                del takers[:-8]
            return
        takers = self._takers.get(row.ofd, [])
        if len(takers) < 2 or takers[-1].pid == event.pid:
            return
        del self._takers[row.ofd]
        last = takers[-1]
        mine = any(call.pid == event.pid for call in takers[:-1])
        if not mine or not moment.history.has_started(event.pid, last.pid):
            return
        names = moment.name_parties(event.pid, last.pid)
        one, other = names.name_at(event.pid), names.name_process(last.pid)
        yield moment.make_finding(
            "shared-input",
            [event.pid, last.pid],
            f"{other}, which {one} started, has read from the input that {one} reads its records"
            f" from: what it took is gone for {one}.",
            f"Give {other} another input: '{other} ... </dev/null', ssh -n, ffmpeg -nostdin.",
            evidence=[
                Evidence(f"{other} read {last.ret} bytes", last.n),
                Evidence(f"{one} then got the end of file", event.n),
            ],
            objects=[event.object],
            ends=[(event.pid, fd or 0)],
        )


class OutputTwice(SequenceRule):
    """Two processes that end with the same bytes written, one the fork of the other: the buffer of
    stdio was copied.
    """

    kinds = (Forked, Executed, Exited)
    follows = SIMPLE_WRITES

    def __init__(self) -> None:
        self._parents: dict[int, tuple[int, int]] = {}
        self._writes: dict[int, Call] = {}
        self._closed: dict[int, int] = {}
        """By process, the open file description of its last write, if that is closed there."""
        self._ended: dict[int, tuple[int, Call]] = {}

    def forget_process(self, pid: int | None) -> None:
        """See `SequenceRule`."""
        self._parents = keep_others(self._parents, pid, lambda key, _: key)
        self._parents = keep_others(self._parents, pid, lambda _, value: value[0])
        self._writes = keep_others(self._writes, pid, lambda key, _: key)

    def follow_event(self, moment: CaseMoment, event: Any) -> Iterable[Finding]:
        """See `EventRule`."""
        match event:
            case Call():
                return self._follow_call(moment, event)
            case Forked(how="fork"):
                self._parents[event.pid] = (event.parent, event.n)
                self.begin(event.pid)
                self.begin(event.parent)
            case Executed():
                parent, _ = self._parents.pop(event.pid, (0, 0))
                for pid in (event.pid, parent):
                    self._end_if_alone(pid)
            case Exited():
                return self._follow_end(moment, event)
        return ()

    def _end_if_alone(self, pid: int) -> None:
        """Who is no fork of a process, nor has one, writes for itself."""
        if pid not in self._parents and all(one != pid for one, _ in self._parents.values()):
            self._writes.pop(pid, None)
            self._closed.pop(pid, None)
            self.end(pid)

    def _follow_call(self, moment: CaseMoment, event: Call) -> Iterable[Finding]:
        pid, last = event.pid, self._writes.get(event.pid)
        if event.name in SIMPLE_WRITES:
            self._writes[pid] = event
            self._closed.pop(pid, None)
        elif event.effects and last is not None and pid not in self._closed:
            fds = {one.fd for one in event.effects if isinstance(one, Closed | Duplicated)}
            row = moment.before.find_descriptor(pid, last.fd or 0) if last.fd in fds else None
            if row is not None:
                self._closed[pid] = row.ofd
        return ()

    def _follow_end(self, moment: CaseMoment, event: Exited) -> Iterable[Finding]:
        pid, last = event.pid, self._writes.pop(event.pid, None)
        ofd = self._closed.pop(pid, 0)
        if event.signo and pid in self._parents:
            self._end_if_alone(self._parents.pop(pid)[0])
        if last is None or event.signo:
            return ()
        if not ofd:
            row = moment.before.find_descriptor(pid, last.fd or 0)
            ofd = row.ofd if row is not None else 0
        if not ofd:
            return ()
        self._ended[pid] = ofd, last
        return self._compare(moment, pid)

    def _compare(self, moment: CaseMoment, pid: int) -> Iterator[Finding]:
        for child, (parent, born) in list(self._parents.items()):
            if pid not in (child, parent) or child not in self._ended or parent not in self._ended:
                continue
            del self._parents[child]
            (ofd, one), (other_ofd, other) = self._ended[parent], self._ended[child]
            pairs = zip(one.data, other.data, strict=False)
            alike = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
            if ofd != other_ofd or alike < ALIKE or min(one.n, other.n) < born:
                continue
            names = moment.name_parties(parent, child)
            first, second = names.name_process(parent), names.name_process(child)
            yield moment.make_finding(
                "output-twice",
                [parent, child],
                f"{first} and its child {second} ended by writing the same {alike} bytes to"
                f" {label_of(moment.state, one.object)}: they lay in a stdio buffer that fork has"
                " copied.",
                "Call fflush before fork, and end the child with _exit.",
                evidence=[
                    Evidence(f"the write of {second}", other.n),
                    Evidence(f"the write of {first}", one.n),
                ],
                objects=[one.object],
                probable="both may have been meant to write the same",
            )


class CutDatagrams(EventRule):
    """A datagram that its receiver had no room for."""

    calls = returns_of(READS, Return.WHOLE)

    def follow_event(self, moment: CaseMoment, event: Any) -> Iterable[Finding]:
        """See `EventRule`."""
        waiting = moment.before.datagrams and moment.before.datagrams.get(event.object)
        if not waiting or event.has_flag("MSG_PEEK") or not 0 < event.ret < waiting[0].length:
            return ()
        return self._tell(moment, event, waiting[0].length)

    def _tell(self, moment: CaseMoment, event: Call, size: int) -> Iterator[Finding]:
        name = moment.name_parties(event.pid).name_at(event.pid, event.tid)
        yield moment.make_finding(
            "datagram-cut",
            [event.pid],
            f"{name} read {event.ret} bytes of a datagram of {size} from"
            f" {label_of(moment.state, event.object)}: the other {size - event.ret} are gone.",
            "Receive into a buffer as large as the largest datagram; recvmsg says MSG_TRUNC.",
            evidence=[
                Evidence(f"{event.name}({event.get_number('fd')}) returned {event.ret}", event.n)
            ],
            objects=[event.object],
        )


def _explain_end(kind: str) -> str:
    """Why a read finds the end."""
    return "nobody has it open for writing" if kind in PIPES else "the other side has closed it"


def _count_asked(call: Call) -> int:
    """How many bytes a write was to move; 0 if that is not known."""
    return call.get_number("count") or 0
