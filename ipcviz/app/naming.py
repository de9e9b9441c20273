"""What everything is called on the screen: the names of objects and processes in a state.

This is the one place where a process gets the name under which it stands in sentences, boxes, rows
and bars: its role in a scenario, else what it calls itself (`model.names`) and, from the second one
of that name on, which one it is. Whoever shows a process asks its state (`narrate.who`,
`Process.called`, `Process.title`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from msgspec.structs import replace

from ipcviz.model.parts import ProcessPart

if TYPE_CHECKING:
    from ipcviz.model.layouts import Field
    from ipcviz.model.state import Process, State

_NO_NAMES: Mapping[int, str] = {}
_NO_LAYOUTS: Mapping[str, tuple[Field, ...]] = {}


def name_objects(
    state: State,
    labels: Mapping[str, str],
    roles: Mapping[int, str] = _NO_NAMES,
    layouts: Mapping[str, tuple[Field, ...]] = _NO_LAYOUTS,
    *,
    whole: bool = False,
) -> State:
    """The state with the screen's names.

    Args:
        state: A state that follows from a named one, or any with `whole`.
        labels: The scenario's names of objects and semaphores, by key.
        roles: The scenario's names of processes, by pid.
        layouts: The fields that the scenario declares in its objects, by their names.
        whole: Whether every process is to be named, and not only those that the last event changed
            and those with a role.
    """
    state = _name_objects(state, labels, layouts) if labels else state
    if whole:
        return _name_processes(state, roles, state.processes)
    changed = [part.pid for part in state.changed if type(part) is ProcessPart]
    return _name_processes(state, roles, {*changed, *roles} if roles else changed)


def _name_objects(
    state: State, labels: Mapping[str, str], layouts: Mapping[str, tuple[Field, ...]]
) -> State:
    objects, semaphores = state.objects, state.semaphores
    for key, name in labels.items():
        thing, semaphore = objects.get(key), semaphores.get(key)
        if thing is not None and (thing.label != name or not thing.named):
            named = replace(thing, label=name, named=True, fields=layouts.get(name, ()))
            objects = objects.set(key, named)
        if semaphore is not None and semaphore.label != name:
            semaphores = semaphores.set(key, replace(semaphore, label=name))
    if objects is state.objects and semaphores is state.semaphores:
        return state
    return replace(state, objects=objects, semaphores=semaphores)


def _name_processes(state: State, roles: Mapping[int, str], pids: Iterable[int]) -> State:
    processes = state.processes
    wanted = _number_roles(roles) if roles else roles
    for pid in pids:
        process = processes.get(pid)
        if process is None:
            continue
        label = wanted.get(pid) or _name_of(process)
        if process.label != label:
            processes = processes.set(pid, replace(process, label=label))
    return state if processes is state.processes else replace(state, processes=processes)


def _number_roles(roles: Mapping[int, str]) -> Mapping[int, str]:
    """Roles by pid; where several have the same one, the second of them is `client 2`."""
    if len(set(roles.values())) == len(roles):
        return roles
    seen: Counter[str] = Counter()
    found = {}
    for pid, role in roles.items():
        seen[role] += 1
        found[pid] = role if seen[role] == 1 else f"{role} {seen[role]}"
    return found


def _name_of(process: Process) -> str:
    """`cat`, `cat 2`, `checkpointer`; with the PID where it is not known which one it is."""
    name = process.own_name or process.name
    if not name or not process.number:
        return f"{name or 'process'}[{process.pid}]"
    return name if process.number == 1 else f"{name} {process.number}"
