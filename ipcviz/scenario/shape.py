"""Whether a TOML document has a struct's shape: which keys, which types, said for people.

msgspec checks the same when it converts; it names no dictionary's keys in its errors, and suggests
nothing.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

import msgspec.inspect as inspect

from ipcviz.scenario.lines import Path


class Problem(NamedTuple):
    """Something wrong: where in the document, and what, with what is allowed.

    What is `absent` may be there under a wrong name, which is the better thing to say.
    """

    path: Path
    message: str
    absent: bool = False


_WORDS: Final[dict[type, str]] = {
    inspect.StrType: 'text in quotes ("...")',
    inspect.IntType: "a whole number",
    inspect.FloatType: "a number",
    inspect.BoolType: "true or false",
    inspect.VarTupleType: "a list ([...])",
    inspect.DictType: "a table ({...})",
    inspect.StructType: "a table ({...})",
}


def suggest_allowed(word: str, allowed: Iterable[str]) -> str:
    """`; did you mean 'x'?` and what is allowed, for a sentence about an unknown word."""
    names = [name for name in allowed if name]
    near = difflib.get_close_matches(word, names, 1, 0.6)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    return f"{hint} Allowed: {', '.join(names) or 'none'}."


def problems_of_shape(document: object, shape: type) -> Iterator[Problem]:
    """Everything in a document that does not fit the struct `shape`, in the order of the
    document.
    """
    yield from _check_value(document, inspect.type_info(shape), (), "scenario.toml")


def _check_value(value: object, kind: inspect.Type, path: Path, name: str) -> Iterator[Problem]:
    if isinstance(kind, inspect.UnionType):
        yield from _check_union(value, kind, path, name)
    elif isinstance(kind, inspect.StructType):
        if isinstance(value, dict):
            yield from _check_struct(value, kind, path, name)
        else:
            yield _build_mismatch(value, (kind,), path, name)
    elif isinstance(kind, inspect.LiteralType):
        if value not in kind.values or isinstance(value, bool):
            yield _not_among(value, tuple(map(str, kind.values)), path, name)
    elif not _is_of_kind(value, kind):
        yield _build_mismatch(value, (kind,), path, name)
    elif isinstance(kind, inspect.VarTupleType):
        for place, item in enumerate(_list_items(value)):
            yield from _check_value(item, kind.item_type, (*path, place), name)
    elif isinstance(kind, inspect.DictType) and isinstance(value, dict):
        for key, item in value.items():
            yield from _check_value(item, kind.value_type, (*path, key), f"{name}.{key}")


def _list_items(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _check_struct(
    value: dict[str, Any], kind: inspect.StructType, path: Path, name: str
) -> Iterator[Problem]:
    fields = {field.encode_name: field for field in kind.fields}
    for key, item in value.items():
        if key in fields:
            yield from _check_value(item, fields[key].type, (*path, key), key)
        else:
            yield Problem(
                (*path, key),
                f"{key!r} is not a key of {_name_place(path)}{suggest_allowed(key, fields)}",
            )
    for key, field in fields.items():
        if field.required and key not in value:
            yield Problem(
                path,
                f"{_name_place(path)} has no {key!r}; it needs {_name_required(kind)}.",
                absent=True,
            )


def _name_required(kind: inspect.StructType) -> str:
    return ", ".join(field.encode_name for field in kind.fields if field.required)


def _name_place(path: Path) -> str:
    names = [part if isinstance(part, str) else f"number {part + 1}" for part in path]
    return " ".join(names) if names else "the scenario"


def _check_union(
    value: object, kind: inspect.UnionType, path: Path, name: str
) -> Iterator[Problem]:
    literals: list[str] = []
    for option in kind.types:
        if isinstance(option, inspect.LiteralType):
            literals += [str(word) for word in option.values]
            if value in option.values and not isinstance(value, bool):
                return
        elif _is_of_kind(value, option):
            yield from _check_value(value, option, path, name)
            return
    if literals and isinstance(value, str):
        yield _not_among(value, tuple(literals), path, name)
    else:
        yield _build_mismatch(value, kind.types, path, name)


def _is_of_kind(value: object, kind: inspect.Type) -> bool:
    if isinstance(kind, inspect.StrType):
        return isinstance(value, str)
    if isinstance(kind, inspect.BoolType):
        return isinstance(value, bool)
    if isinstance(kind, inspect.IntType):
        return isinstance(value, int) and not isinstance(value, bool)
    if isinstance(kind, inspect.FloatType):
        return isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(kind, inspect.VarTupleType):
        return isinstance(value, list)
    if isinstance(kind, inspect.DictType | inspect.StructType):
        return isinstance(value, dict)
    return False


def _build_mismatch(
    value: object, kinds: tuple[inspect.Type, ...], path: Path, name: str
) -> Problem:
    allowed = dict.fromkeys(_WORDS[type(kind)] for kind in kinds if type(kind) in _WORDS)
    return Problem(
        path, f"{name!r} is {_describe_value(value)}, but must be {' or '.join(allowed)}."
    )


def _describe_value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"the text {value!r}" if len(value) <= 40 else "a text"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, list):
        return "a list"
    return "a table" if isinstance(value, dict) else "a date or time"


def _not_among(value: object, allowed: tuple[str, ...], path: Path, name: str) -> Problem:
    if not isinstance(value, str):
        return Problem(
            path,
            f"{name!r} is {_describe_value(value)}, but must be one of:"
            f" {', '.join(filter(None, allowed))}.",
        )
    return Problem(path, f"{value!r} is not a value of {name!r}{suggest_allowed(value, allowed)}")
