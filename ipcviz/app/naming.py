"""The scenario's names in a state."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from ipcviz.model.state import State


def named(state: State, labels: Mapping[str, str]) -> State:
    """The state with the scenario's names for objects and semaphores, by key."""
    objects, semaphores = state.objects, state.semaphores
    for key, name in labels.items():
        thing, semaphore = objects.get(key), semaphores.get(key)
        if thing is not None and thing.label != name:
            objects = objects.set(key, replace(thing, label=name))
        if semaphore is not None and semaphore.label != name:
            semaphores = semaphores.set(key, replace(semaphore, label=name))
    if objects is state.objects and semaphores is state.semaphores:
        return state
    return replace(state, objects=objects, semaphores=semaphores)


def called_by_role(state: State, roles: Mapping[int, str]) -> State:
    """The state with the processes called by their roles, by pid."""
    processes = state.processes
    for pid, role in roles.items():
        process = processes.get(pid)
        if process is not None and process.name != role:
            processes = processes.set(pid, replace(process, name=role))
    return state if processes is state.processes else replace(state, processes=processes)
