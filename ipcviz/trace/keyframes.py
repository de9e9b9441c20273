"""A state as bytes, whole or as what differs from an earlier one.

The shape of the bytes is made from `State` itself, so a field that is added there is kept here. Two
states share what did not change, so a difference is found by identity, without comparing.
"""

from __future__ import annotations

import hashlib
import zlib
from functools import cache
from typing import Any, Final, NamedTuple, get_args, get_origin, get_type_hints

import msgspec

from ipcviz.events.decoding import decode_messagepack
from ipcviz.model.maps import Map
from ipcviz.model.state import State
from ipcviz.trace.errors import TraceError

MOST_BYTES: Final = 256 << 20
"""No keyframe and no batch is larger when unpacked: what claims to be is not one of ours."""


class Changes(msgspec.Struct, array_like=True):
    """What became of a map since the base: rows that were put, and keys that are gone."""

    put: msgspec.Raw
    gone: msgspec.Raw


def _describe_type(kind: Any, seen: dict[str, str]) -> None:
    """Describe a type and all that it is made of, by the names and types of the fields."""
    if (
        isinstance(kind, type)
        and issubclass(kind, msgspec.Struct)
        and kind.__qualname__ not in seen
    ):
        hints = get_type_hints(kind)
        seen[kind.__qualname__] = repr({name: hints[name] for name in kind.__struct_fields__})
        for hint in hints.values():
            _describe_type(hint, seen)
    for part in get_args(kind):
        _describe_type(part, seen)


@cache
def find_shape() -> str:
    """Names the shape of the states that this version keeps; keyframes of another shape are not
    used.
    """
    seen: dict[str, str] = {}
    _describe_type(State, seen)
    return hashlib.sha256(repr(sorted(seen.items())).encode()).hexdigest()[:16]


def _encode_map(value: Any) -> Any:
    if isinstance(value, Map):
        return list(value.items())
    raise NotImplementedError


def _decode_map(kind: Any, value: Any) -> Any:
    if get_origin(kind) is Map:
        key, item = get_args(kind)
        rows = list[tuple[key, item]]  # type: ignore[valid-type]
        return Map(msgspec.convert(value, rows, dec_hook=_decode_map))
    raise NotImplementedError


class _Codec(NamedTuple):
    """What packs and unpacks states, made from the types of their fields.

    Attributes:
        fields: Names of all fields.
        body: A struct of what is kept of each: a map's as `Changes`; unset if it is as in the base.
        bodies: Decodes it.
        put: Decode the rows of a map that were put, by its field's name.
        gone: Decode the keys of a map that are gone.
    """

    fields: tuple[str, ...]
    body: type[msgspec.Struct]
    bodies: msgspec.msgpack.Decoder[Any]
    put: dict[str, msgspec.msgpack.Decoder[Any]]
    gone: dict[str, msgspec.msgpack.Decoder[Any]]


@cache
def _make_codec() -> _Codec:
    """It is made when it is first needed: that takes longer than most imports."""
    hints = get_type_hints(State)
    maps = {name: get_args(hint) for name, hint in hints.items() if get_origin(hint) is Map}
    body = msgspec.defstruct(
        "_Body",
        [
            (
                name,
                Changes | msgspec.UnsetType if name in maps else hint | msgspec.UnsetType,
                msgspec.UNSET,
            )
            for name, hint in hints.items()
        ],
    )
    return _Codec(
        tuple(hints),
        body,
        msgspec.msgpack.Decoder(body, dec_hook=_decode_map),
        {
            name: msgspec.msgpack.Decoder(list[tuple[key, item]], dec_hook=_decode_map)  # type: ignore[valid-type]
            for name, (key, item) in maps.items()
        },
        {
            name: msgspec.msgpack.Decoder(list[key])  # type: ignore[valid-type]
            for name, (key, _) in maps.items()
        },
    )


_encoder: Final = msgspec.msgpack.Encoder(enc_hook=_encode_map)


def pack_state(state: State, base: State | None = None) -> bytes:
    """The bytes of a state, or of what differs from `base`."""
    fields: dict[str, Any] = {}
    codec = _make_codec()
    for name in codec.fields:
        value = getattr(state, name)
        before = getattr(base, name) if base is not None else None
        if base is not None and value is before:
            continue
        if name in codec.put:
            old = before if before is not None else Map()
            put = [(key, item) for key, item in value.items() if old.get(key) is not item]
            gone = [key for key in old if key not in value]
            fields[name] = Changes(_encode_raw(put), _encode_raw(gone))
        else:
            fields[name] = value
    return zlib.compress(_encoder.encode(codec.body(**fields)), 1)


def _encode_raw(value: Any) -> msgspec.Raw:
    return msgspec.Raw(_encoder.encode(value))


def unpack_state(data: bytes, base: State | None = None) -> State:
    """The state that `pack_state` made bytes of.

    Raises:
        TraceError: The bytes are no state.
    """
    try:
        codec = _make_codec()
        body = decode_messagepack(codec.bodies, unpack_bytes(data))
        fields: dict[str, Any] = {}
        for name in codec.fields:
            value = getattr(body, name)
            if value is msgspec.UNSET:
                if base is not None:
                    fields[name] = getattr(base, name)
            elif name in codec.put:
                with (getattr(base, name) if base is not None else Map()).mutate() as rows:
                    for key in decode_messagepack(codec.gone[name], value.gone):
                        rows.pop(key, None)
                    for key, item in decode_messagepack(codec.put[name], value.put):
                        rows[key] = item
                    fields[name] = rows.finish()
            else:
                fields[name] = value
        return State(**fields)
    except (TypeError, ValueError) as error:
        raise TraceError(f"A kept state can't be read: {error}.") from None


def unpack_bytes(data: bytes) -> bytes:
    """Decompress, but never beyond `MOST_BYTES`.

    Raises:
        TraceError: It is not compressed, cut off, or larger.
    """
    unpacker = zlib.decompressobj()
    try:
        found = unpacker.decompress(data, MOST_BYTES)
    except zlib.error:
        raise TraceError("The trace is damaged: a part can't be unpacked.") from None
    if not unpacker.eof:
        raise TraceError("The trace is damaged: a part is cut off or too large.")
    return found
