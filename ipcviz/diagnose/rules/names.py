"""Faults with names that outlive who made them: addresses that are taken, objects left behind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from ipcviz.diagnose.deeds import SequenceRule, keep_others, returns_of
from ipcviz.diagnose.findings import Evidence, Finding
from ipcviz.diagnose.moment import CaseMoment
from ipcviz.diagnose.rules.inherited import is_leaked, tell_leaked_address
from ipcviz.events import (
    Call,
    Counted,
    EndForced,
    Exited,
    Filed,
    Finished,
    NameRemoved,
    Opened,
)
from ipcviz.events.calls import ACCEPTS, where
from ipcviz.events.kinds import BY_PATH, MESSAGES
from ipcviz.model.query import Holder

_SHARED_MEMORY: Final = "/dev/shm/"
_SYSTEM_V: Final = {"shm": "shared memory", "sem": "semaphores", "msg": "message queue"}
_OF_SYSTEM_V: Final = where(
    lambda call: (
        call.name[:3] in _SYSTEM_V and (call.returns == "identifier" or call.has_argument("cmd"))
    )
)
_REMOVERS: Final = _OF_SYSTEM_V | where(lambda call: call.names == "removes")
_ANY: Final = frozenset({"0.0.0.0", "[::]", "::", "*"})
"""Hosts that stand for all addresses of the machine."""
_MOST: Final = 3
"""So many names are told."""


class FailedBind(NamedTuple):
    """A bind whose address was taken.

    Attributes:
        call: The call.
        holders: Who had a socket there then.
        stale: No socket that lives has the name: it had been bound in this run before, or the
            kernel lists none.
        leaked: They all had it by a leak alone.
    """

    call: Call
    holders: tuple[Holder, ...]
    stale: bool
    leaked: bool


class AddressesInUse(SequenceRule):
    """A bind that failed, since the name or port was taken, and after which the program gave up."""

    calls = returns_of(frozenset({"bind"}) | ACCEPTS)
    kinds = (Exited,)

    def __init__(self) -> None:
        self._failed: dict[int, FailedBind] = {}
        self._bound: set[str] = set()
        self._accepted: set[tuple[int, str]] = set()

    def forget_process(self, pid: int | None) -> None:
        """See `SequenceRule`."""
        self._failed = keep_others(self._failed, pid, lambda key, _: key)

    def follow_event(self, moment: CaseMoment, event: Any) -> Iterator[Finding]:
        """See `EventRule`."""
        if isinstance(event, Exited):
            failed = self._failed.pop(event.pid, None)
            if failed is not None and event.code:
                # A child may have been told of before the program that it executes.
                if failed.leaked or self._are_leaked(moment, failed.holders):
                    yield tell_leaked_address(moment, failed.call, failed.holders)
                else:
                    yield self._tell(moment, failed)
            return
        if event.name in ACCEPTS:
            self._accepted.add((event.pid, event.object))
            return
        address = event.get_text("address")
        if not event.error:
            thing = moment.state.objects.get(event.object)
            path = thing.info.path if thing is not None else ""
            self._bound.add(path or address)
            self._failed.pop(event.pid, None)
        elif event.error == "EADDRINUSE":
            holders = _list_bound(moment, address, event.object)
            leaked = self._are_leaked(moment, holders)
            stale = address in self._bound or event.get_text("behind") == "nothing"
            self._failed[event.pid] = FailedBind(event, holders, stale, leaked)

    def _are_leaked(self, moment: CaseMoment, holders: tuple[Holder, ...]) -> bool:
        return bool(holders) and all(
            is_leaked(moment, one) and (one.pid, one.object) not in self._accepted
            for one in holders
        )

    def _tell(self, moment: CaseMoment, failed: FailedBind) -> Finding:
        call, stale = failed.call, failed.stale
        holders = tuple(dict.fromkeys(one.pid for one in failed.holders))
        address = call.get_text("address")
        proof = [Evidence(f"bind to {address} failed: EADDRINUSE", call.n)]
        names = moment.name_parties(call.pid, *holders)
        name = names.name_process(call.pid)
        if holders:
            others = names.join(holders)
            has = "has" if len(holders) == 1 else "have"
            return moment.make_finding(
                "address-in-use",
                [call.pid, *holders],
                f"{name} can't bind to {address}: {others} {has} a socket there.",
                "End who has it first; close listening sockets in children that do not accept"
                " (SOCK_CLOEXEC).",
                evidence=proof,
                about=address,
            )
        if _is_path(moment, call):
            return moment.make_finding(
                "address-in-use",
                [call.pid],
                f"{name} can't bind to {address}: the name is there, though who made it has closed"
                " its socket.",
                "Unlink the name before bind, or when the server ends.",
                evidence=proof,
                probable="" if stale else "who is not watched may have a socket there",
                about=address,
            )
        return moment.make_finding(
            "address-in-use",
            [call.pid],
            f"{name} can't bind to {address}, and no watched process has a socket there.",
            "Set SO_REUSEADDR before bind, if an earlier connection is in TIME_WAIT;"
            " 'ss -tlnp' says who has it.",
            evidence=proof,
            probable="who is not watched may have a socket there",
            about=address,
        )


class MadeHere(NamedTuple):
    """An object that was made in this run.

    Attributes:
        pid: Who made it.
        n: Number of the event.
        names: The names that it has.
        sure: Whether it was not there before.
    """

    pid: int
    n: int
    names: frozenset[str]
    sure: bool


class LeftBehind(SequenceRule):
    """Shared memory, semaphores and queues that are still there when all have ended."""

    calls = returns_of(_OF_SYSTEM_V)
    effects = (Opened, Filed, NameRemoved)
    kinds = (Counted, EndForced, Finished)

    def __init__(self) -> None:
        self._made: dict[str, MadeHere] = {}
        self._forced = False

    def forget_process(self, pid: int | None) -> None:
        """See `SequenceRule`. Names are told of longer than reads and writes are."""
        if pid is None:
            self._made = {}

    def follow_event(self, moment: CaseMoment, event: Any) -> Iterator[Finding]:
        """See `EventRule`."""
        if isinstance(event, EndForced):
            self._forced = True
        elif isinstance(event, Counted):
            if not _REMOVERS.isdisjoint(event.calls):
                # Which of them were removed is not known.
                self._made = {}
        elif isinstance(event, Finished):
            if not (self._forced or event.left or event.detached):
                yield from self._tell(moment)
        elif not event.error:
            if event.name in _OF_SYSTEM_V:
                self._follow_system_v(event)
            else:
                self._follow_names(event)

    def _follow_names(self, event: Call) -> None:
        for effect in event.effects:
            if isinstance(effect, Opened) and event.has_flag("O_CREAT"):
                info = effect.object
                if info.kind in MESSAGES or info.path.startswith(_SHARED_MEMORY):
                    self._add(info.key, event, info.path, sure=event.has_flag("O_EXCL"))
            elif isinstance(effect, Filed) and effect.folder + "/" == _SHARED_MEMORY:
                if effect.action in ("linked", "moved") and effect.object in self._made:
                    made = self._made[effect.object]
                    names = made.names
                    if effect.action == "moved":
                        names -= {f"{effect.source}/{effect.source_name}"}
                    self._made[effect.object] = made._replace(
                        names=names | {f"{effect.folder}/{effect.name}"}, sure=True
                    )
            elif isinstance(effect, NameRemoved):
                self._remove(effect.path)

    def _follow_system_v(self, event: Call) -> None:
        kind = event.name[:3]
        if event.name.endswith("get"):
            private = event.get_text("key") in ("IPC_PRIVATE", "0", "0x0")
            if event.has_flag("IPC_CREAT") or private:
                name = f"{_SYSTEM_V[kind]} {event.ret} of System V"
                self._add(name, event, name, sure=private or event.has_flag("IPC_EXCL"))
        elif event.get_text("cmd").startswith("IPC_RMID"):
            self._made.pop(f"{_SYSTEM_V[kind]} {event.get_text('id')} of System V", None)

    def _add(self, key: str, event: Call, name: str, *, sure: bool) -> None:
        if key not in self._made:
            self._made[key] = MadeHere(event.pid, event.n, frozenset({name}), sure)

    def _remove(self, name: str) -> None:
        for key, made in list(self._made.items()):
            if name in made.names:
                left = made.names - {name}
                if left:
                    self._made[key] = made._replace(names=left)
                else:
                    del self._made[key]

    def _tell(self, moment: CaseMoment) -> Iterator[Finding]:
        for sure in (True, False):
            left = [made for made in self._made.values() if made.sure is sure]
            if not left:
                continue
            names = sorted(name for made in left for name in made.names)
            more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
            pids = tuple(dict.fromkeys(made.pid for made in left))
            makers = moment.name_parties(*pids)
            them, rest = ("it", "it stays") if len(names) == 1 else ("them", "they stay")
            yield moment.make_finding(
                "left-behind",
                pids,
                f"{makers.join(pids[:_MOST])} made {', '.join(names[:_MOST])}{more}, and no watched"
                f" process has removed {them}: {rest} until somebody does, or until a reboot.",
                "Call shm_unlink, sem_unlink, mq_unlink or IPC_RMID when the last user is done;"
                " 'ipcrm' and 'rm' remove what is left.",
                evidence=[
                    Evidence(f"{', '.join(sorted(made.names))} was made", made.n)
                    for made in left[:_MOST]
                ],
                probable="" if sure else "it may have been there before",
                about=names[0],
            )


def _list_bound(moment: CaseMoment, address: str, but: str) -> tuple[Holder, ...]:
    """Who has a socket that is bound to an address, of the same sort as the one that was not."""
    asked = moment.state.objects.get(but)
    found: list[Holder] = []
    for key, thing in moment.state.objects.items():
        info = thing.info
        if key == but or asked is None or info.kind != asked.info.kind:
            continue
        if info.path == address or (info.local and _is_same_port(info.local, address)):
            found += moment.holders(key)
    return tuple(found)


def _is_same_port(one: str, other: str) -> bool:
    """Whether two addresses `HOST:PORT` exclude each other: one port, and one host or any."""
    (host, _, port), (other_host, _, other_port) = one.rpartition(":"), other.rpartition(":")
    anywhere = not _ANY.isdisjoint((host, other_host))
    return port == other_port and (host == other_host or anywhere)


def _is_path(moment: CaseMoment, call: Call) -> bool:
    """Whether an address is one of a UNIX socket."""
    thing = moment.state.objects.get(call.object)
    return thing is not None and thing.info.kind in BY_PATH
