"""Whether a scenario of the right shape makes sense: names that refer to something, programs that
are there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from ipcviz.events.accesses import MOST_VARIABLES, TYPES
from ipcviz.events.kinds import MEMORY
from ipcviz.events.signals import NAMES, signal_name, signal_number
from ipcviz.model.layouts import MOST_ELEMENTS
from ipcviz.scenario.format import ACCESSES, KEYS_OF, Document, Label, Parameter, Variant, When
from ipcviz.scenario.lines import Path as KeyPath
from ipcviz.scenario.operations import SEMAPHORE_OPS, list_calls
from ipcviz.scenario.parameters import problem_of_value, type_of
from ipcviz.scenario.plans import problems_of_cast, problems_of_schedule
from ipcviz.scenario.reasons import NAMES as NAMES_OF_REASONS
from ipcviz.scenario.reasons import reasons_of
from ipcviz.scenario.shape import Problem, suggest_allowed
from ipcviz.scenario.words import FIXED, names_in

_NAME: Final = re.compile(r"[a-z][a-z0-9_-]*\Z")

_HAVE_FIELDS: Final = frozenset(MEMORY) | {"file"}
"""Kinds of objects that have bytes at fixed places."""
ACTIONS: Final = ("handler", "ignore", "terminate", "core", "stop", "continue")


def list_texts(value: str | tuple[str, ...]) -> tuple[str, ...]:
    """One text or several, as several."""
    return (value,) if isinstance(value, str) else value


def problems_of_meaning(sheet: Document, folder: Path) -> Iterator[Problem]:
    """Everything in a document that makes no sense, or names what is not there, in the document's
    order.
    """
    for key in ("title", "topic", "summary"):
        if not getattr(sheet, key).strip():
            yield Problem((key,), f"{key!r} is empty; write a few words.")
    if sheet.minutes < 1:
        yield Problem(("minutes",), f"'minutes' is {sheet.minutes}, but must be 1 or more.")
    if not sheet.learn:
        yield Problem(
            ("learn",), "'learn' is empty; say in a sentence each what one knows afterwards."
        )
    yield from _check_sentences(sheet.learn, ("learn",))
    yield from _check_sentences(sheet.reading, ("reading",))
    yield from _check_sentences(sheet.teacher.wrong, ("teacher", "wrong"))
    yield from _check_sentences(sheet.teacher.next, ("teacher", "next"))
    if not sheet.variants:
        yield Problem(("variants",), "There is no variant; write at least one, e.g. [variants.sh].")
    if sheet.default and sheet.default not in sheet.variants:
        yield Problem(
            ("default",),
            f"{sheet.default!r} is not a variant{suggest_allowed(sheet.default, sheet.variants)}",
        )
    for name, parameter in sheet.parameters.items():
        yield from _check_parameter(name, parameter)
    for name, variant in sheet.variants.items():
        yield from _check_variant(sheet, name, variant, folder)
    yield from _check_roles(sheet)
    yield from _check_objects(sheet)
    yield from _check_story(sheet)
    yield from _check_questions(sheet)
    for name, plan in sheet.schedules.items():
        yield from problems_of_schedule(sheet, name, plan)
    yield from problems_of_cast(sheet)


def _check_sentences(sentences: tuple[str, ...], path: KeyPath) -> Iterator[Problem]:
    for place, sentence in enumerate(sentences):
        if not sentence.strip():
            yield Problem(
                (*path, place), f"Number {place + 1} of {path[-1]!r} is empty; leave it out."
            )


def _check_parameter(name: str, parameter: Parameter) -> Iterator[Problem]:
    path: KeyPath = ("parameters", name)
    if not _NAME.match(name) or name in FIXED:
        yield Problem(
            path,
            f"{name!r} can't name a parameter; use small letters, digits, _ and -, but not"
            f" {', '.join(FIXED)}.",
        )
    kind = type_of(parameter)
    if kind == "choice" and not parameter.choices:
        yield Problem(
            path, f"Parameter {name!r} is a choice without 'choices'; list what is allowed."
        )
    elif kind != "choice" and parameter.choices:
        yield Problem(
            (*path, "choices"), f"Parameter {name!r} is of type {kind}, which has no 'choices'."
        )
    elif kind not in ("integer", "number") and (parameter.min, parameter.max) != (None, None):
        yield Problem(path, f"Parameter {name!r} is of type {kind}, which has no 'min' and 'max'.")
    else:
        wrong = problem_of_value(name, parameter, parameter.default)
        if wrong:
            yield Problem((*path, "default"), wrong)


def _check_variant(sheet: Document, name: str, variant: Variant, folder: Path) -> Iterator[Problem]:
    path: KeyPath = ("variants", name)
    if not variant.command:
        yield Problem(
            (*path, "command"),
            '\'command\' is empty; it needs a program, e.g. ["sh", "{here}/run.sh"].',
        )
    allowed = (*FIXED, *sheet.parameters)
    for place, word in enumerate(variant.command):
        where = (*path, "command", place)
        for inside in names_in(word):
            if inside not in allowed:
                yield Problem(
                    where, f"{{{inside}}} stands for nothing{suggest_allowed(inside, allowed)}"
                )
        if word.startswith("{here}/"):
            yield from _check_file(folder, word.removeprefix("{here}/"), where)
        program = word.removeprefix("{build}/")
        if program != word and program not in variant.build:
            yield Problem(
                where,
                f"{program!r} is not built by this"
                f" variant{suggest_allowed(program, variant.build)}",
            )
    if variant.language == "c" and not variant.build:
        yield Problem(
            path,
            f"Variant {name!r} is in C but builds nothing; write e.g. build = {{queue ="
            ' ["queue.c"]}.',
        )
    for program, sources in variant.build.items():
        where = (*path, "build", program)
        if not _NAME.match(program):
            yield Problem(
                where, f"{program!r} can't name a program; use small letters, digits, _ and -."
            )
        if not sources:
            yield Problem(where, f"Program {program!r} has no source files.")
        for place, source in enumerate(sources):
            yield from _check_file(folder, source, (*where, place))


def _check_file(folder: Path, name: str, where: KeyPath) -> Iterator[Problem]:
    file = folder / name
    if not file.resolve().is_relative_to(folder.resolve()):
        yield Problem(
            where, f"{name!r} is outside the scenario's folder; its programs must lie in it."
        )
    elif not file.is_file():
        there = sorted(
            p.name for p in folder.iterdir() if p.is_file() and p.name != "scenario.toml"
        )
        yield Problem(
            where,
            f"There is no file {name!r} in the scenario's folder{suggest_allowed(name, there)}",
        )


def _check_doubles(names: Iterable[str], path: str, key: str) -> Iterator[Problem]:
    seen: set[str] = set()
    for place, name in enumerate(names):
        if name and name in seen:
            yield Problem(
                (path, place, key), f"{key} {name!r} is there twice in {path}; each must differ."
            )
        seen.add(name)


def _check_roles(sheet: Document) -> Iterator[Problem]:
    names = [role.name for role in sheet.roles]
    yield from _check_doubles(names, "roles", "name")
    for place, role in enumerate(sheet.roles):
        path: KeyPath = ("roles", place)
        if not (role.program or role.argument or role.parent or role.order):
            yield Problem(
                path,
                f"Nothing tells who plays {role.name!r}; give 'program', 'argument', 'parent' or"
                " 'order'.",
            )
        if role.parent and role.parent not in names:
            yield Problem(
                (*path, "parent"),
                f"{role.parent!r} is not a role{suggest_allowed(role.parent, names)}",
            )
        if role.child and not role.parent:
            yield Problem(
                (*path, "child"),
                f"Role {role.name!r} has 'child' but no 'parent' to count the children of.",
            )
        for key in ("child", "order"):
            if getattr(role, key) < 0:
                yield Problem(
                    (*path, key), f"{key!r} is {getattr(role, key)}, but must be 1 or more."
                )


def _check_objects(sheet: Document) -> Iterator[Problem]:
    variables = [label.name for label in sheet.objects if label.kind == "variable"]
    if len(variables) > MOST_VARIABLES:
        yield Problem(
            ("objects",),
            f"{len(variables)} variables are declared, and a processor watches"
            f" {MOST_VARIABLES} at most.",
        )
    yield from _check_doubles((label.name for label in sheet.objects), "objects", "name")
    for place, label in enumerate(sheet.objects):
        if label.offset is not None and label.kind not in ("semaphore", "variable"):
            yield Problem(
                ("objects", place, "offset"),
                "'offset' is for semaphores and variables only; leave it out.",
            )
        if label.kind == "variable":
            yield from _check_variable(label, ("objects", place))
        elif label.memory or label.symbol:
            yield Problem(
                ("objects", place), "'memory' and 'symbol' are for variables only; leave them out."
            )
        yield from _check_fields(label, ("objects", place, "fields"))
        if label.order < 0:
            yield Problem(
                ("objects", place, "order"), f"'order' is {label.order}, but must be 1 or more."
            )


def _check_fields(label: Label, path: KeyPath) -> Iterator[Problem]:
    if label.fields and label.kind not in _HAVE_FIELDS:
        yield Problem(
            path,
            f"'fields' are for what can be mapped ({', '.join(sorted(_HAVE_FIELDS))}); leave them"
            " out.",
        )
    names: list[str] = []
    for place, field in enumerate(label.fields):
        where = (*path, place)
        if not field.name or field.name in names:
            yield Problem(
                (*where, "name"),
                f"{field.name!r} can't name a field of {label.name!r}: each needs a name of its"
                " own.",
            )
        if field.type not in TYPES:
            yield Problem(
                (*where, "type"),
                f"{field.type!r} is not a type{suggest_allowed(field.type, TYPES)}",
            )
        if field.offset < 0:
            yield Problem((*where, "offset"), f"'offset' is {field.offset}, but must be 0 or more.")
        if isinstance(field.count, str) and field.count not in names:
            hint = suggest_allowed(field.count, names)
            yield Problem((*where, "count"), f"{field.count!r} is not an earlier field{hint}")
        elif isinstance(field.count, int) and not 1 <= field.count <= MOST_ELEMENTS:
            yield Problem(
                (*where, "count"),
                f"'count' is {field.count}, but must be from 1 to {MOST_ELEMENTS}.",
            )
        names.append(field.name)


def _check_variable(label: Label, path: KeyPath) -> Iterator[Problem]:
    if bool(label.memory) == bool(label.symbol):
        yield Problem(
            path,
            f"Variable {label.name!r} needs 'symbol' (a C variable), or 'memory' with 'offset' and"
            " 'type' (where it lies in shared memory).",
        )
    if label.type not in TYPES:
        yield Problem(
            (*path, "type"), f"{label.type!r} is not a type{suggest_allowed(label.type, TYPES)}"
        )
    elif label.memory and (label.offset or 0) % TYPES[label.type][0]:
        yield Problem(
            (*path, "offset"),
            f"'offset' is {label.offset}, but must be a multiple of the {TYPES[label.type][0]}"
            f" bytes of {label.type}.",
        )


def _check_story(sheet: Document) -> Iterator[Problem]:
    ids = [step.id for step in sheet.story]
    yield from _check_doubles(ids, "story", "id")
    for place, step in enumerate(sheet.story):
        path: KeyPath = ("story", place)
        yield from _check_condition(sheet, step.when, (*path, "when"))
        if step.unless is not None:
            yield from _check_condition(sheet, step.unless, (*path, "unless"))
        for number, name in enumerate(step.after):
            if name not in ids[:place] or not name:
                hint = suggest_allowed(name, ids[:place])
                yield Problem(
                    (*path, "after", number), f"{name!r} is not the id of an earlier step{hint}"
                )


def _check_condition(sheet: Document, when: When, path: KeyPath) -> Iterator[Problem]:
    kind = when.kind
    if not kind:
        yield Problem(
            path, f"Nothing tells which event is meant; give 'event'{suggest_allowed('', KEYS_OF)}"
        )
        return
    given = [
        key for key in when.__struct_fields__ if getattr(when, key) not in ((), None, {}, False, "")
    ]
    given += [key for key in ("failed",) if getattr(when, key) is False]
    for key in dict.fromkeys(given):
        if key not in ("event", "role") and key not in KEYS_OF[kind]:
            hint = suggest_allowed("", ("role", *sorted(KEYS_OF[kind])))
            yield Problem((*path, key), f"{key!r} says nothing about an event {kind!r}{hint}")
    roles = tuple(role.name for role in sheet.roles)
    labels = tuple(label.name for label in sheet.objects)
    for key, what, allowed in (
        ("role", "a role", roles),
        ("child", "a role", roles),
        ("object", "one of the objects", labels),
        ("op", "an operation on a semaphore or variable", (*SEMAPHORE_OPS, *sorted(ACCESSES))),
        ("action", "an action of a signal", ACTIONS),
    ):
        for word in list_texts(getattr(when, key)):
            if word not in allowed:
                yield Problem(
                    (*path, key), f"{word!r} is not {what}{suggest_allowed(word, allowed)}"
                )
    for key in ("call", "interrupted"):
        for word in list_texts(getattr(when, key)):
            if word not in list_calls():
                yield Problem(
                    (*path, key),
                    f"{word!r} is not a call that is watched{_suggest_near(word, list_calls())}",
                )
    for word in list_texts(when.because):
        if not reasons_of(word):
            yield Problem(
                (*path, "because"),
                f"{word!r} is no reason to wait{suggest_allowed(word, sorted(NAMES_OF_REASONS))}",
            )
    for word in list_texts(when.signal):
        number = signal_number(word)
        if number is None or signal_name(number) != word:
            yield Problem(
                (*path, "signal"), f"{word!r} is not a signal{_suggest_near(word, NAMES.values())}"
            )


def _suggest_near(word: str, allowed: Iterable[str]) -> str:
    """A suggestion where the list of all that is allowed is too long to be of use."""
    text = suggest_allowed(word, allowed)
    hint = text.partition(" Allowed:")[0]
    return (
        hint
        if hint != "."
        else "; use the name of a system call or signal as in its manual page, e.g. read, SIGALRM."
    )


def _check_questions(sheet: Document) -> Iterator[Problem]:
    ids = [step.id for step in sheet.story]
    for place, question in enumerate(sheet.questions):
        path: KeyPath = ("questions", place)
        for name in question.ids or ("",):
            if name not in ids or not name:
                hint = suggest_allowed(name, ids)
                yield Problem((*path, "before"), f"{name!r} is not the id of a step{hint}")
        if len(question.choices) < 2:
            yield Problem((*path, "choices"), "A question needs two choices at least.")
        elif question.answer not in question.choices:
            hint = suggest_allowed(question.answer, question.choices)
            yield Problem((*path, "answer"), f"{question.answer!r} is not one of the choices{hint}")
