"""Who plays which role, and which object has which name: from events and states, pure."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Final

import msgspec

from ipcviz.events import (
    Event,
    Executed,
    Forked,
    ObjectInfo,
    Poised,
    SemaphoreInfo,
    SemaphoreOp,
)
from ipcviz.model import layouts
from ipcviz.model.maps import Map
from ipcviz.model.state import State
from ipcviz.scenario.format import Label, Role, Scenario


class Birth(msgspec.Struct, frozen=True):
    """How a process came to be: which one of the run, of whom, and which of its children (both from
    1).
    """

    order: int
    parent: int
    child: int


class Recognised(msgspec.Struct, frozen=True):
    """Who is who, so far.

    Attributes:
        roles: Role names by pid.
        labels: The scenario's names of objects and semaphores by key.
        births: How each process came to be, by pid.
        children: How many children each process has had.
        looked_at: Keys of objects and semaphores that were looked at.
        counted: How many matched each label, by its place in the scenario.
    """

    roles: Map[int, str] = Map()
    labels: Map[str, str] = Map()
    births: Map[int, Birth] = Map()
    children: Map[int, int] = Map()
    looked_at: frozenset[str] = frozenset()
    counted: Map[int, int] = Map()


_replace = msgspec.structs.replace
_NO_BIRTH: Final = Birth(order=0, parent=0, child=0)


def recognise_roles(scenario: Scenario, cast: Recognised, event: Event, after: State) -> Recognised:
    """The cast after an event; the same one if nothing new is known."""
    if isinstance(event, Forked):
        count = cast.children.get(event.parent, 0) + 1
        birth = Birth(order=len(cast.births) + 1, parent=event.parent, child=count)
        cast = _replace(
            cast,
            births=cast.births.set(event.pid, birth),
            children=cast.children.set(event.parent, count),
            roles=cast.roles.delete(event.pid) if event.pid in cast.roles else cast.roles,
        )
        launched = event.how in ("launched", "attached")
        cast = _give_role(
            scenario,
            cast,
            event.pid,
            event.argv if launched else (),
            (event.name,) if launched else (),
        )
    elif isinstance(event, Executed) and event.pid not in cast.roles:
        cast = _give_role(
            scenario, cast, event.pid, event.argv, (_strip_folder(event.path), event.name)
        )
    if isinstance(event, SemaphoreOp) and event.op == "open":
        cast = _look_again(cast, event.semaphore.key)
    if isinstance(event, Poised) and event.semaphore is not None:
        cast = _name_ahead(scenario, cast, event.semaphore, after)
    known = len(after.objects) + len(after.semaphores) + len(after.variables)
    if scenario.objects and known != len(cast.looked_at):
        cast = _give_labels(scenario, cast, after)
    return cast


def _look_again(cast: Recognised, key: str) -> Recognised:
    """Let a semaphore without a label be looked at once more: sem_open makes a new one under a
    name for the time being, maps it, and only then gives it its own.
    """
    if key in cast.labels or key not in cast.looked_at:
        return cast
    return _replace(cast, looked_at=cast.looked_at - {key})


def _name_ahead(
    scenario: Scenario, cast: Recognised, semaphore: SemaphoreInfo, after: State
) -> Recognised:
    """Name an unnamed semaphore by where it lies, as soon as somebody stands before its sem_init:
    a schedule may go there, and a question may be about it. It is no semaphore before that, so it
    is not counted yet.
    """
    if semaphore.kind != "unnamed" or semaphore.key in cast.labels:
        return cast
    for label in scenario.objects:
        if not label.order and _is_semaphore(label, semaphore, after):
            return _replace(cast, labels=cast.labels.set(semaphore.key, label.name))
    return cast


def _give_role(
    scenario: Scenario, cast: Recognised, pid: int, argv: tuple[str, ...], programs: tuple[str, ...]
) -> Recognised:
    for role in scenario.roles:
        if _can_play(role, cast, pid, argv, programs):
            return _replace(cast, roles=cast.roles.set(pid, role.name))
    return cast


def _can_play(
    role: Role, cast: Recognised, pid: int, argv: tuple[str, ...], programs: tuple[str, ...]
) -> bool:
    birth = cast.births.get(pid, _NO_BIRTH)
    return not (
        (role.order and role.order != birth.order)
        or (role.parent and cast.roles.get(birth.parent) != role.parent)
        or (role.child and role.child != birth.child)
        or (role.program and not any(fnmatchcase(name, role.program) for name in programs))
        or (role.argument and not any(fnmatchcase(word, role.argument) for word in argv[1:]))
    )


def _give_labels(scenario: Scenario, cast: Recognised, after: State) -> Recognised:
    labels, counted = cast.labels, cast.counted
    objects = sorted(
        (thing for key, thing in after.objects.items() if key not in cast.looked_at),
        key=lambda thing: (thing.opened_at, thing.info.key),
    )
    semaphores = sorted(
        (semaphore for key, semaphore in after.semaphores.items() if key not in cast.looked_at),
        key=lambda semaphore: (semaphore.info.object, semaphore.info.offset, semaphore.info.key),
    )
    keys = [thing.info.key for thing in objects] + [semaphore.info.key for semaphore in semaphores]
    found = [[_is_object(label, thing.info) for label in scenario.objects] for thing in objects]
    found += [
        [_is_semaphore(label, semaphore.info, after) for label in scenario.objects]
        for semaphore in semaphores
    ]
    for key, variable in after.variables.items():
        if key not in cast.looked_at:
            keys.append(key)
            found.append(
                [
                    label.kind == "variable" and label.name == variable.info.name
                    for label in scenario.objects
                ]
            )
    for key, matches in zip(keys, found, strict=True):
        for place, label in enumerate(scenario.objects):
            if not matches[place]:
                continue
            count = counted.get(place, 0) + 1
            counted = counted.set(place, count)
            if key not in labels and label.order in (0, count):
                labels = labels.set(key, label.name)
    return _replace(
        cast, labels=labels, counted=counted, looked_at=cast.looked_at | frozenset(keys)
    )


def _is_object(label: Label, info: ObjectInfo) -> bool:
    return label.kind == info.kind and (
        not label.path or fnmatchcase(_strip_folder(info.path), label.path)
    )


def _is_semaphore(label: Label, info: SemaphoreInfo, after: State) -> bool:
    if label.kind != "semaphore" or (label.offset is not None and label.offset != info.offset):
        return False
    if not label.path:
        return True
    holder = after.objects.get(info.object)
    paths = (
        info.name,
        holder.info.path if holder and info.kind == "unnamed" else "",
    )
    return any(path and fnmatchcase(_strip_folder(path), label.path) for path in paths)


def _strip_folder(path: str) -> str:
    return path.removesuffix(" (deleted)").rstrip("/").rpartition("/")[2]


def list_layouts(scenario: Scenario) -> dict[str, tuple[layouts.Field, ...]]:
    """The declared fields of its objects, by the objects' names; those without any are left out."""
    return {
        label.name: tuple(
            layouts.Field(
                name=field.name,
                type=field.type,
                offset=field.offset,
                count=layouts.MOST_ELEMENTS if isinstance(field.count, str) else field.count,
                counted_by=field.count if isinstance(field.count, str) else "",
            )
            for field in label.fields
        )
        for label in scenario.objects
        if label.fields
    }


def named_by_path(scenario: Scenario, path: str) -> frozenset[str]:
    """Labels that a path in a call's arguments stands for, for what has a name before anybody has
    it open.
    """
    if not path:
        return frozenset()
    return frozenset(
        label.name
        for label in scenario.objects
        if label.path
        and label.kind not in ("semaphore", "variable")
        and fnmatchcase(_strip_folder(path), label.path)
    )
