"""Pages of mappings: /proc/PID/pagemap and smaps say which are in memory, shared, copied on write
or dirty.

Nothing here touches a page of the observed process, so none comes into its memory because somebody
looked. The flags of pagemap are readable for whoever may trace the process; the frame numbers
beside them need CAP_SYS_ADMIN and are not used. Sources: the kernel's
Documentation/admin-guide/mm/pagemap.rst, proc(5).
"""

from __future__ import annotations

import os
import re
from array import array
from typing import Final, NamedTuple

from ipcviz.kernel import procfs
from ipcviz.kernel.memory import PAGE_SIZE

ENTRY_BYTES: Final = 8

PRESENT: Final = 1 << 63
SWAPPED: Final = 1 << 62
FILE_OR_SHARED: Final = 1 << 61
EXCLUSIVE: Final = 1 << 56

ABSENT_PAGE: Final = "."
"""Not in this process's page table: never touched by it, or given back."""
OWN_PAGE: Final = "o"
"""A page of the object itself (file or shared memory) that only this process has in its page table.
"""
COMMON_PAGE: Final = "O"
"""A page of the object itself that other page tables have too."""
COPY: Final = "c"
"""A private page that belongs to this process alone: in a mapping of a file, copied on write."""
COMMON_COPY: Final = "C"
"""A private page that a fork shares until one side writes."""
SWAPPED_PAGE: Final = "z"
"""Swapped out, or on its way between two places."""


def parse_pages(raw: bytes) -> str:
    """One letter for each entry of /proc/PID/pagemap, a 64-bit word each."""
    words = array("Q", raw[: len(raw) // ENTRY_BYTES * ENTRY_BYTES])
    return "".join([_choose_letter(word) if word else ABSENT_PAGE for word in words])


def _choose_letter(word: int) -> str:
    if word & PRESENT:
        if word & FILE_OR_SHARED:
            return OWN_PAGE if word & EXCLUSIVE else COMMON_PAGE
        return COPY if word & EXCLUSIVE else COMMON_COPY
    return SWAPPED_PAGE if word & SWAPPED else ABSENT_PAGE


def read_pages(pid: int, start: int, count: int) -> str | None:
    """The states of `count` pages from an address on, a letter each.

    Args:
        pid: The process.
        start: Address of the first page.
        count: Pages; more than that are never read, whatever the mapping's length.

    Returns:
        The letters; fewer if the address space ends; None if the process is gone or not ours to
        look at.
    """
    try:
        fd = os.open(f"/proc/{pid}/pagemap", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return parse_pages(os.pread(fd, count * ENTRY_BYTES, start // PAGE_SIZE * ENTRY_BYTES))
    except (OSError, OverflowError):
        return None
    finally:
        os.close(fd)


class MappingUse(NamedTuple):
    """What /proc/PID/smaps counts for one mapping, in bytes.

    Attributes:
        rss: In this process's page table.
        pss: The same, each page divided by the number of processes that have it.
        shared_dirty: Written since it was last written back, and in more than one page table.
        private_dirty: Written, and in this page table alone.
        swap: Swapped out.
        huge: In this process's page table as pages of hugetlbfs, which none of the others counts.
    """

    rss: int
    pss: int
    shared_dirty: int
    private_dirty: int
    swap: int
    huge: int = 0


_HEAD: Final = re.compile(rb"^([0-9a-f]+)-([0-9a-f]+) ", re.MULTILINE)
_FIELDS: Final = (b"Rss", b"Pss", b"Shared_Dirty", b"Private_Dirty", b"Swap")
_HUGE: Final = (b"Shared_Hugetlb", b"Private_Hugetlb")


def parse_smaps(raw: bytes, starts: frozenset[int]) -> dict[int, MappingUse]:
    """The use of the mappings that begin at these addresses, from /proc/PID/smaps."""
    found = {}
    heads = list(_HEAD.finditer(raw))
    for index, head in enumerate(heads):
        start = int(head[1], 16)
        if start not in starts:
            continue
        end = heads[index + 1].start() if index + 1 < len(heads) else len(raw)
        fields: dict[bytes, int] = {}
        for line in raw[head.end() : end].split(b"\n"):
            name, colon, value = line.partition(b":")
            words = value.split()
            if colon and len(words) == 2 and words[1] == b"kB":
                fields[name] = int(words[0]) * 1024
        huge = sum(fields.get(name, 0) for name in _HUGE)
        rss, pss, shared, private, swap = (fields.get(name, 0) for name in _FIELDS)
        found[start] = MappingUse(rss, pss, shared, private, swap, huge)
    return found


def read_use(pid: int, starts: frozenset[int]) -> dict[int, MappingUse] | None:
    """The use of some mappings of a process.

    The kernel walks all of its pages for it: ask rarely.
    """
    raw = procfs.read_bytes(f"/proc/{pid}/smaps", whole=True)
    return None if raw is None else parse_smaps(raw, starts)
