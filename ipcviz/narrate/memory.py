"""Shared memory in words: mappings, protections, sizes, and why an access failed."""

from __future__ import annotations

from ipcviz.events import Call, MapEntry, Mapped, Protected, SignalDelivered, Unmapped
from ipcviz.events.kinds import SEALED
from ipcviz.model import query
from ipcviz.model.mechanisms.system_v_keys import describe_key, warning_of
from ipcviz.model.noise import is_noise
from ipcviz.model.state import State
from ipcviz.narrate.future import explain_seals
from ipcviz.narrate.sentence import DETAIL, NOISE, STEP, TURN, Clause
from ipcviz.narrate.words import count_bytes, label_of, name_process, with_warning

_DEFAULT_PAGE = 4096


def _find_page_size(state: State) -> int:
    return state.started.page_size if state.started is not None else _DEFAULT_PAGE


def _whole_pages(state: State, size: int) -> int:
    page = _find_page_size(state)
    return (size + page - 1) // page * page


def describe_mapped(event: Call, effect: Mapped, after: State) -> Clause:
    """A new mapping, and a warning if it is longer than what it maps."""
    label = label_of(after, effect.object.key)
    kind = "shared" if effect.shared else "private"
    text = (
        f"mapped {count_bytes(effect.length)} of {label} {kind}, {effect.prot}, at"
        f" {effect.start:#x}"
    )
    if event.name == "shmat":
        text = (
            f"attached {count_bytes(effect.length)} of {label}, {effect.prot}, at {effect.start:#x}"
        )
    weight = STEP if effect.shared else DETAIL
    if is_noise(effect.object.path):
        weight = NOISE
    if effect.size >= 0 and effect.offset + effect.length > _whole_pages(after, effect.size):
        text += (
            f"; it has only {count_bytes(effect.size)}: touching a page beyond its end raises"
            " SIGBUS"
        )
        weight = TURN
    elif not effect.shared and "w" in effect.prot:
        text += ": what it writes there stays its own"
        weight = STEP
    return Clause(text, weight, "memory", (effect.object.key,))


def describe_unmapped(event: Call, effect: Unmapped, before: State) -> Clause | None:
    """A mapping that went, whole or in part."""
    entry = query.mapping_at(before, event.pid, effect.start, effect.length)
    if entry is None:
        return None
    start = max(entry.start, effect.start)
    count = min(entry.start + entry.length, effect.start + effect.length) - start
    of = "" if count == entry.length else f" of the {count_bytes(entry.length)}"
    text = (
        f"unmapped {count_bytes(count)}{of} of {label_of(before, entry.object.key)} at {start:#x}"
    )
    if event.name == "mmap":
        text += ": private memory is mapped over it (MAP_FIXED)"
    return Clause(
        text, NOISE if is_noise(entry.object.path) else STEP, "memory", (entry.object.key,)
    )


def describe_protected(event: Call, effect: Protected, after: State) -> Clause | None:
    """A protection that changed."""
    entry = query.mapping_at(after, event.pid, effect.start, effect.length)
    if entry is None:
        return None
    allowed = {"---": "nothing may touch it", "r--": "it may only be read"}.get(effect.prot, "")
    text = (
        f"set the protection of {count_bytes(effect.length)} of"
        f" {label_of(after, entry.object.key)} "
    )
    text += f"at {effect.start:#x} to {effect.prot}" + (f": {allowed}" if allowed else "")
    return Clause(text, STEP, "memory", (entry.object.key,))


def describe_mremap(event: Call, before: State, after: State) -> Clause | None:
    """mremap(2): moved, or made longer or shorter."""
    address, old, new = (_parse_number(event, name) for name in ("address", "length", "newlength"))
    entry = query.mapping_at(before, event.pid, address, max(old, 1))
    if entry is None:
        return None
    label, keys = label_of(after, entry.object.key), (entry.object.key,)
    flags = event.args.get("flags", 0)
    if event.error:
        return Clause(
            f"got {event.error} from mremap of {label} at {address:#x} ({flags})",
            STEP,
            "memory",
            keys,
        )
    if not old:
        text = f"mapped {count_bytes(new)} of {label} once more, at {event.ret:#x} (mremap)"
    else:
        moved = (
            f"moved its mapping of {label} from {address:#x} to {event.ret:#x}"
            if event.ret != address
            else ""
        )
        size = f"{count_bytes(new)} long (it had {count_bytes(old)})" if new != old else ""
        if moved and size:
            text = f"{moved} and made it {size}"
        else:
            text = (
                moved
                or f"made its mapping of {label} at {address:#x}"
                f" {size or 'no longer and no shorter'}"
            )
        text += " (mremap)"
    found = next((effect for effect in event.effects if isinstance(effect, Mapped)), None)
    if (
        found is not None
        and found.size >= 0
        and found.offset + found.length > _whole_pages(after, found.size)
    ):
        text += (
            f"; it has only {count_bytes(found.size)}: touching a page beyond its end raises SIGBUS"
        )
        return Clause(text, TURN, "memory", keys)
    return Clause(text, STEP, "memory", keys)


def _parse_number(event: Call, name: str) -> int:
    try:
        return int(str(event.args.get(name, 0)), 0)
    except ValueError:
        return 0


def describe_madvise(event: Call, before: State, after: State) -> Clause | None:
    """madvise(2), where it changes what is there."""
    advice = event.args.get("advice")
    entry = query.mapping_at(
        before, event.pid, _parse_number(event, "address"), max(_parse_number(event, "length"), 1)
    )
    if (
        entry is None
        or event.error
        or advice not in ("MADV_DONTNEED", "MADV_DONTNEED_LOCKED", "MADV_REMOVE")
    ):
        return None
    count, label = (
        count_bytes(_whole_pages(after, _parse_number(event, "length"))),
        label_of(after, entry.object.key),
    )
    if advice == "MADV_REMOVE":
        text = f"freed {count} of {label} ({advice}): all who have it mapped read zeros there now"
    elif entry.shared:
        text = (
            f"gave back {count} of its mapping of {label} ({advice}): {label} keeps what is in it"
        )
    else:
        text = (
            f"gave back {count} of its mapping of {label} ({advice}): its own copies of pages there"
            " are gone"
        )
    return Clause(text, STEP, "memory", (entry.object.key,))


def describe_fallocate(event: Call, before: State, after: State) -> Clause | None:
    """fallocate(2)."""
    if not event.object:
        return None
    label, mode = label_of(after, event.object), str(event.args.get("mode", "0"))
    if event.error:
        return Clause(
            f"got {event.error} from fallocate of {label}{_explain_refusal(event, after)}",
            STEP,
            "memory",
            (event.object,),
        )
    count, offset = count_bytes(_parse_number(event, "length")), _parse_number(event, "offset")
    mapped_by = bool(query.list_mappers(after).get(event.object))
    if "PUNCH_HOLE" in mode or "ZERO_RANGE" in mode:
        text = f"zeroed {count} of {label} from byte {offset:,} on (fallocate, {mode})"
    else:
        text = f"allocated {count} of {label} from byte {offset:,} on (fallocate" + (
            f", {mode})" if mode != "0" else ")"
        )
    return Clause(text, STEP if mapped_by else DETAIL, "memory", (event.object,))


def describe_sealing(event: Call, before: State, after: State) -> Clause | None:
    """fcntl(2) with F_ADD_SEALS."""
    seals = event.args.get("seals")
    if seals is None or not event.object:
        return None
    label = label_of(after, event.object)
    if event.error:
        return Clause(
            f"could not seal {label} ({seals}): {event.error}", STEP, "memory", (event.object,)
        )
    return Clause(
        f"sealed {label} ({seals}){explain_seals(str(seals))}", TURN, "memory", (event.object,)
    )


def _explain_refusal(event: Call, state: State) -> str:
    """Why a memfd refuses what its descriptor allows."""
    thing = state.objects.get(event.object)
    return (
        ": its seals forbid it"
        if event.error == "EPERM" and thing and thing.info.kind in SEALED
        else ""
    )


def describe_failed_mmap(event: Call, before: State, after: State) -> Clause | None:
    """mmap(2) that failed; what it mapped otherwise is told by its effects."""
    if not event.error:
        return None
    label = label_of(after, event.object) if event.object else "anonymous memory"
    why = _explain_refusal(event, after)
    if event.error == "EACCES" and event.object:
        why = ": its descriptor is not open for that"
    text = f"could not map {count_bytes(_parse_number(event, 'length'))} of {label} "
    text += f"({event.args.get('prot')}, {event.args.get('flags')}): {event.error}{why}"
    return Clause(
        text, STEP if event.object else DETAIL, "memory", (event.object,) if event.object else ()
    )


def describe_msync(event: Call, before: State, after: State) -> Clause | None:
    """msync(2)."""
    if not event.object:
        return None
    label = label_of(after, event.object)
    if event.error:
        return Clause(f"got {event.error} from msync of {label}", STEP, "memory", (event.object,))
    length = event.get_number("length")
    synchronous = event.has_flag("MS_SYNC")
    how = "and waited until it was" if synchronous else "without waiting for it"
    count = count_bytes(length) if length is not None else "some bytes"
    return Clause(
        f"had {count} of {label} written to the file, {how} (msync)",
        STEP,
        "memory",
        (event.object,),
    )


def describe_truncate(event: Call, before: State, after: State) -> Clause | None:
    """ftruncate(2) and truncate(2): and whose mappings are longer than the object now."""
    length = event.get_number("length")
    if not event.object or length is None:
        return None
    label = label_of(after, event.object)
    if label == event.object:
        label = str(event.args.get("path", label))
    if event.error:
        text = (
            f"could not set the size of {label} to {count_bytes(length)}:"
            f" {event.error}{_explain_refusal(event, after)}"
        )
        return Clause(text, STEP, "memory", (event.object,))
    text = f"set the size of {label} to {count_bytes(length)}"
    beyond = [
        row.pid
        for row in query.list_mappers(after).get(event.object, ())
        if row.entry.offset + row.entry.length > _whole_pages(after, length)
    ]
    if beyond:
        names = ", ".join(name_process(after, pid) for pid in dict.fromkeys(beyond))
        text += f"; {names} {'has' if len(set(beyond)) == 1 else 'have'} more than that mapped: "
        text += "touching a page beyond the end raises SIGBUS"
    return Clause(text, TURN if beyond else STEP, "memory", (event.object,))


def describe_shmget(event: Call, before: State, after: State) -> Clause | None:
    """shmget(2)."""
    key = event.args.get("key", 0)
    flags = event.args.get("flags", 0)
    if event.error:
        return Clause(
            f"got {event.error} from shmget for {describe_key(key)} ({flags})", STEP, "memory", ()
        )
    size = event.args.get("size", 0)
    count = f" of {count_bytes(size)}" if isinstance(size, int) and size else ""
    text = f"got the System V segment {event.ret}{count} for {describe_key(key)} ({flags})"
    return Clause(
        with_warning(text, key),
        TURN if warning_of(key) else STEP,
        "memory",
        (f"shm:{event.ret}",),
    )


def describe_shmctl(event: Call, before: State, after: State) -> Clause | None:
    """shmctl(2) with IPC_RMID; other commands change nothing that is shown."""
    if event.args.get("cmd") != "IPC_RMID":
        return None
    number = event.args.get("id", "?")
    key = f"shm:{number}"
    if event.error:
        return Clause(
            f"could not remove the System V segment {number}: {event.error}",
            STEP,
            "memory",
            (key,),
        )
    attached = {row.pid for row in query.list_mappers(after).get(key, ())}
    text = f"removed the System V segment {number} (IPC_RMID)"
    if attached:
        text += (
            ": it stays as long as"
            f" {', '.join(name_process(after, pid) for pid in sorted(attached))}"
            f" {'has' if len(attached) == 1 else 'have'} it attached"
        )
    return Clause(text, STEP, "memory", (key,))


def explain_fault(state: State, event: SignalDelivered) -> str:
    """Why an access to memory failed, from the signal's code and what lies at the address.

    Args:
        state: The state around it, for names.
        event: A delivery with a `fault`.

    Returns:
        Words like `address 0x10: nothing is mapped there`.
    """
    at = f"address {event.address:#x}"
    if event.fault is not None and event.fault.stack:
        return (
            f"{at}: below the end of its stack of {count_bytes(event.fault.stack)}, which has"
            " overflowed"
        )
    entry = event.fault.mapping if event.fault is not None else None
    if entry is None:
        if event.address < _find_page_size(state):
            return f"{at}: nothing is mapped there, it is next to a null pointer"
        return f"{at}: nothing is mapped there"
    assert event.fault is not None
    place = _describe_place(state, event, entry)
    offset = entry.offset + event.address - entry.start
    size = event.fault.size
    if event.code == "BUS_ADRERR":
        if size >= 0 and offset >= size:
            return (
                f"{at} is byte {offset:,} of {_name_mapping(state, entry)}, past its end: it has"
                f" {count_bytes(size)}"
            )
        return f"{at}{place}: the page could not be had (no space, or an error of the file system)"
    if event.code == "BUS_ADRALN":
        return f"{at}{place}: it is not aligned for that access"
    if event.code == "SEGV_ACCERR":
        if event.fault.execution:
            return f"{at}{place}: that page may not be executed ({entry.prot})"
        if entry.prot.startswith("r") and "w" not in entry.prot:
            return f"{at}{place}: the write was refused, that page may only be read ({entry.prot})"
        return f"{at}{place}: that access is not permitted ({entry.prot})"
    if event.code == "SEGV_MAPERR":
        # The mapping came to be after the fault: another thread's, or a stack that could not grow.
        return f"{at}: nothing was mapped there"
    return f"{at}{place}: {event.code}"


def _name_mapping(state: State, entry: MapEntry) -> str:
    found = state.objects.get(entry.object.key)
    if found is not None:
        return found.label
    path = entry.object.path.removesuffix(" (deleted)")
    return path.rpartition("/")[2] or path or "memory without a name"


def _describe_place(state: State, event: SignalDelivered, entry: MapEntry) -> str:
    kind = "shared" if entry.shared else "private"
    if entry.object.key == "vm":
        return f", in {entry.object.path or 'private memory'}"
    return (
        f", byte {entry.offset + event.address - entry.start:,} of {_name_mapping(state, entry)}"
        f" ({kind})"
    )
