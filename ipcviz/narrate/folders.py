"""Files as messages, in words: names that come, go and move in directories, and who else uses
those.
"""

from __future__ import annotations

from typing import Final

from ipcviz.events import Call, Filed, Opened
from ipcviz.events.calls import where
from ipcviz.model.mechanisms.folders import list_other_users
from ipcviz.model.noise import is_noise
from ipcviz.model.state import Did, State
from ipcviz.narrate.sentence import DETAIL, NOISE, STEP, TURN, Clause
from ipcviz.narrate.words import label_of, name_process

VERBS: Final[dict[Did, str]] = {
    "watches": "watches",
    "lists": "lists",
    "reads": "reads from",
    "takes": "takes files out of",
    "puts": "puts files into",
}


def folder_label(path: str) -> str:
    """A directory by its last name: `queue/`."""
    return f"{path.rstrip('/').rpartition('/')[2]}/"


def describe_folder_use(after: State, pid: int, path: str, how: str = "in") -> tuple[str, bool]:
    """(`, in queue/, which lpd[13] watches and lists`, whether such a process lives); empty if
    nobody else uses it.
    """
    found, alive = list_other_users(after, path, pid)
    if not found:
        return "", False
    if not alive:
        names = " and ".join(name_process(after, one.pid) for one in found[:2])
        return (
            (
                f", {how} {folder_label(path)}, which {names}{_format_more(len(found) - 2)} used"
                " before"
            ),
            False,
        )
    parts = [
        f"{name_process(after, one.pid)} {' and '.join(VERBS[did] for did in one.did[:2])}"
        for one in found[:2]
    ]
    return (
        f", {how} {folder_label(path)}, which {', and '.join(parts)}{_format_more(len(found) - 2)}",
        True,
    )


def _format_more(count: int) -> str:
    return f" and {count} more" if count > 0 else ""


def _weigh_names(alive: bool, *paths: str) -> int:
    if any(is_noise(path) for path in paths):
        return NOISE
    return TURN if alive else STEP


def describe_filed(event: Call, effect: Filed, after: State) -> Clause | None:
    """A name that came, went or moved."""
    where, alive = describe_folder_use(after, event.pid, effect.folder)
    old, new = event.args.get("old", ""), event.args.get("new", "")
    keys = (effect.object,) if effect.object else ()
    if effect.action == "watched":
        return None
    if effect.action == "removed":
        text = f"removed the name {event.args.get('path', effect.name)}"
        return Clause(f"{text}{where}", _weigh_names(alive, effect.folder), "name", keys)
    if not alive and effect.source and effect.source != effect.folder:
        # What was taken away matters to those who use the place that it was in.
        where, alive = (
            (where, alive)
            if where
            else describe_folder_use(after, event.pid, effect.source, "out of")
        )
    text = {
        "moved": f"renamed {old} to {new}",
        "linked": f"gave {old} a further name, {new}",
        "exchanged": f"exchanged the names {old} and {new}",
    }[effect.action]
    if effect.replaced and effect.action == "moved":
        text += ", in place of what had that name"
    return Clause(f"{text}{where}", _weigh_names(alive, effect.folder, effect.source), "name", keys)


def describe_failed_rename(event: Call, before: State, after: State) -> Clause | None:
    """A rename or link that failed; None where it succeeded, which its effects tell."""
    if not event.error:
        return None
    verb = "link" if event.name.startswith("link") else "rename"
    why = ": that name exists already" if event.error == "EEXIST" else ""
    text = (
        f"could not {verb} {event.args.get('old', '?')} to {event.args.get('new', '?')}"
        f" ({event.error}){why}"
    )
    return Clause(text, STEP, "name")


def describe_opening(event: Call, effect: Opened, after: State) -> tuple[str, bool]:
    """What an opening means to others: (words to follow its own, whether one of them lives)."""
    thing = after.objects.get(effect.object.key)
    if thing is None or effect.object.kind != "file":
        return "", False
    if effect.mode == "r" and thing.last_writer not in (0, event.pid):
        return f", which {name_process(after, thing.last_writer)} wrote", False
    if event.has_flag("O_EXCL"):
        where, alive = describe_folder_use(
            after, event.pid, effect.object.path.rpartition("/")[0] or "/"
        )
        return (where, True) if alive else ("", False)
    return "", False


def describe_fsync(event: Call, before: State, after: State) -> Clause | None:
    """fsync(2), fdatasync(2)."""
    thing = after.objects.get(event.object)
    label = label_of(after, event.object) if event.object else "a file"
    keys = (event.object,) if event.object else ()
    if event.error:
        return Clause(f"got {event.error} from {event.name} of {label}", DETAIL, "name", keys)
    path = thing.info.path if thing is not None else ""
    is_folder = thing is not None and thing.info.kind == "directory"
    where, alive = describe_folder_use(
        after, event.pid, path if is_folder else path.rpartition("/")[0] or "/"
    )
    what = f"the names in {folder_label(path)}" if is_folder else label
    text = f"had {what} put onto the disk ({event.name})"
    return Clause(f"{text}{'' if is_folder else where}", STEP if alive else DETAIL, "name", keys)


def describe_listing(event: Call, before: State, after: State) -> Clause | None:
    """getdents64(2)."""
    thing = after.objects.get(event.object)
    if thing is None or event.error or event.ret == 0:
        return None
    found, alive = list_other_users(after, thing.info.path, event.pid)
    putters = [name_process(after, one.pid) for one in found if "puts" in one.did][:2]
    where = (
        f", which {' and '.join(putters)} put{'s' if len(putters) == 1 else ''} files into"
        if putters
        else ""
    )
    weight = STEP if putters and alive else DETAIL
    if is_noise(thing.info.path):
        weight = NOISE
    return Clause(f"listed {folder_label(thing.info.path)}{where}", weight, "name", (event.object,))


SPECIAL: Final = {
    **dict.fromkeys(where(lambda call: call.names in ("renames", "links")), describe_failed_rename),
    **dict.fromkeys(where(lambda call: call.waits == "disk"), describe_fsync),
    "getdents64": describe_listing,
}
"""Calls that are about names and directories."""
