"""A scenario as a trace keeps it: enough to tell its story again, and its files as texts."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec

from ipcviz.events.decoding import DecodingError, decode_json
from ipcviz.scenario.format import Scenario

_MOST_BYTES: Final = 1 << 20


def meta_of(scenario: Scenario) -> dict[str, str]:
    """What a trace's table `meta` keeps of a scenario."""
    return {"scenario": msgspec.json.encode(scenario, enc_hook=_encode_path).decode()}


def scenario_of(meta: Mapping[str, str]) -> Scenario | None:
    """The scenario that a trace was made with; None if it was none, or what is kept is not one."""
    kept = meta.get("scenario", "")
    if not kept:
        return None
    try:
        return decode_json(_make_decoder(), kept)
    except DecodingError:
        return None


def sources_of(scenario: Scenario) -> dict[str, str]:
    """The texts of a scenario's folder, by their paths in it; what is no text or very large is left
    out.
    """
    found = {}
    for file in sorted(scenario.folder.rglob("*")):
        try:
            if (
                file.is_file()
                and "__pycache__" not in file.parts
                and file.stat().st_size <= _MOST_BYTES
            ):
                found[str(file.relative_to(scenario.folder))] = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        if len(found) >= 100:
            break
    return found


def _encode_path(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    raise NotImplementedError


def _decode_path(kind: Any, value: Any) -> Any:
    if kind is Path:
        return Path(value)
    raise NotImplementedError


@cache
def _make_decoder() -> msgspec.json.Decoder[Scenario]:
    """Make the decoder when a scenario is read for the first time: most runs read none."""
    return msgspec.json.Decoder(Scenario, dec_hook=_decode_path)
