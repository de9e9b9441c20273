"""Offsets of open file descriptions, which all who share one move: by reads, writes and lseek(2).

Pure.
"""

from __future__ import annotations

from typing import Final

import msgspec

from ipcviz.events import Call, kinds
from ipcviz.events.calls import WRITES, where
from ipcviz.model.draft import Draft
from ipcviz.model.parts import ObjectPart

_FILES: Final = kinds.having("offset")
MOVES_OFFSET: Final = where(
    lambda call: call.flow in ("takes", "puts") and call.on == "any" and not call.positioned
) | {"lseek"}
"""Calls after which the offset is another one; pread and pwrite have their own."""


def apply_offset(draft: Draft, event: Call) -> None:
    """A call that returned has moved the offset of a file, a memfd or shared memory."""
    fd = event.fd
    if event.error or fd is None:
        return
    named = draft.objects.get(event.object)
    if named is not None and named.info.kind not in _FILES:
        return  # a pipe or a socket, of which most calls are
    found = draft.find_description(event.pid, fd)
    thing = draft.object_of(found)
    if found is None or thing is None or thing.info.kind not in _FILES:
        return
    if event.name == "lseek":
        now = event.ret
    elif "append" in found.flags and event.name in WRITES:
        return  # it stands at the file's end now, wherever that is
    else:
        now = found.offset + event.ret
    if now != found.offset:
        draft.open_files = draft.open_files.set(
            found.ofd, msgspec.structs.replace(found, offset=now)
        )
        draft.note_change(ObjectPart(found.object))
