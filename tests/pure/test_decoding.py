"""Bytes from elsewhere: whatever is wrong with them is one error, with every release of msgspec."""

from __future__ import annotations

import re
import zlib
from pathlib import Path
from typing import Any

import msgspec
import pytest

import ipcviz
from ipcviz.events.decoding import DecodingError, NotUtf8Error, decode_json, decode_messagepack
from ipcviz.trace import TraceError
from ipcviz.trace.keyframes import unpack_state


class Row(msgspec.Struct):
    """Something with a text, a number, a part that may be anything, and one that is decoded
    later.
    """

    text: str = ""
    number: int = 0
    anything: Any = None
    later: msgspec.Raw = msgspec.Raw()


_DEEP = 100_000


@pytest.mark.parametrize("kind", [Any, Row])
@pytest.mark.parametrize(
    "data",
    [
        b'{"text": "\xff"}',
        b'{"\xff": 1}',
        b'{"unknown": "caf\xe9"}',
        b'{"text": "\xed\xa0\x80"}',
        b"\xff\xfe{",
        '{"text": "\ud800"}',
    ],
)
def test_json_that_is_not_utf_8(kind, data):
    """Also where the decoder would not look at the bytes: in what the type does not know."""
    with pytest.raises(DecodingError) as error:
        decode_json(msgspec.json.Decoder(kind), data)
    assert isinstance(error.value, NotUtf8Error) or isinstance(data, str)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[1]",
        b'{"number": "x"}',
        b'{"number": ' + b"1" * 5000 + b"}",
        b'{"anything": ' + b"[" * _DEEP,
        b'{"later": ' + b"[" * _DEEP,
        b'{"unknown": ' + b"[" * _DEEP,
        b'{"text": "\\ud800"}',
    ],
    ids=lambda data: repr(data[:24]),
)
def test_json_of_another_kind(data):
    with pytest.raises(DecodingError) as error:
        decode_json(msgspec.json.Decoder(Row), data)
    assert not isinstance(error.value, NotUtf8Error)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x81",
        b"\x91\x01",
        b"\x81\xa4text\xa1\xff",
        b"\x81\xa8anything\xa1\xff",
        b"\x81\xa8anything\x81\xa1\xff\x01",
        b"\x81\xa6number\xa1x",
        b"\x81\xa8anything" + b"\x91" * _DEEP,
        b"\x81\xa5later" + b"\x91" * _DEEP,
        b"\x81\xa7unknown" + b"\x91" * _DEEP,
        b"\xdd\xff\xff\xff\xff",
    ],
    ids=lambda data: repr(data[:24]),
)
def test_messagepack_of_another_kind(data):
    with pytest.raises(DecodingError):
        decode_messagepack(msgspec.msgpack.Decoder(Row), data)


@pytest.mark.parametrize("nested", [b"\x91" * _DEEP, b"\xa1\xff"], ids=["deep", "not UTF-8"])
def test_a_kept_state_that_is_none(nested):
    """A map's rows are kept back at first, and decoded by themselves."""
    rows = b"\x91\x92\x01" + nested
    body = msgspec.msgpack.encode({"processes": 0}).replace(b"\x00", b"\x92" + rows + b"\x90")
    with pytest.raises(TraceError, match="can't be read"):
        unpack_state(zlib.compress(body))


def test_only_one_module_knows_what_msgspec_raises():
    """Elsewhere its errors would be caught by name, and the names differ from release to
    release.
    """
    top = Path(ipcviz.__file__).parent
    named = re.compile(r"MsgspecError|msgspec\.\w*Error")
    found = [
        str(file.relative_to(top)) for file in top.rglob("*.py") if named.search(file.read_text())
    ]
    assert found == ["events/decoding.py"]
