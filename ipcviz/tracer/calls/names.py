"""What calls do to names in directories: seen before they are made where it is gone afterwards, and
after them else.
"""

from __future__ import annotations

from typing import Final

import msgspec

from ipcviz.events import AnyEffect, Filed, NameRemoved
from ipcviz.events.arguments import flag_in
from ipcviz.events.calls import where
from ipcviz.kernel.names import AT_FDCWD, folder_of, key_of
from ipcviz.tracer.calls.flags import Word

_REMOVES: Final = where(lambda call: call.names == "removes" and call.on != "queue")
_RENAMES: Final = where(lambda call: call.names == "renames")
_LINKS: Final = where(lambda call: call.names == "links")


def names_lost(pid: int, name: str, args: dict[str, Word]) -> tuple[AnyEffect, ...]:
    """What a call is about to take from a name: to be asked at its entry, while that is still
    there.
    """
    if name == "mq_unlink":
        path = "/" + str(args["path"]).lstrip("/")
        return (NameRemoved(path=path, object=key_of(pid, path)),)
    if name in _REMOVES:
        path, directory = str(args["path"]), args.get("dirfd", AT_FDCWD)
        key = key_of(pid, path, directory)
        folder, last = folder_of(pid, path, directory)
        return (
            Filed(action="removed", folder=folder, name=last, object=key),
            NameRemoved(path=path, object=key),
        )
    if name in _RENAMES:
        new, directory = str(args["new"]), args.get("newdirfd", AT_FDCWD)
        return (Filed(action="moved", folder="", replaced=key_of(pid, new, directory)),)
    return ()


def with_names(
    pid: int, name: str, args: dict[str, Word], effects: tuple[AnyEffect, ...]
) -> tuple[AnyEffect, ...]:
    """A call's effects with what it did to names, once it has succeeded."""
    if name not in _RENAMES and name not in _LINKS:
        return effects
    begun = next((e for e in effects if isinstance(e, Filed)), Filed(action="linked", folder=""))
    old, new = str(args["old"]), str(args["new"])
    source, source_name = folder_of(pid, old, args.get("olddirfd", AT_FDCWD))
    folder, last = folder_of(pid, new, args.get("newdirfd", AT_FDCWD))
    done = msgspec.structs.replace(
        begun,
        action="exchanged" if flag_in(args, "RENAME_EXCHANGE") else begun.action,
        folder=folder,
        name=last,
        source=source,
        source_name=source_name,
        object=key_of(pid, new, args.get("newdirfd", AT_FDCWD)),
    )
    return (*(e for e in effects if not isinstance(e, Filed)), done)
