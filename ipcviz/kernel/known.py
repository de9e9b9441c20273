"""Open file descriptions by number, to find again which one a descriptor refers to: by its object,
then by kcmp(2).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Literal

from ipcviz.events import Mode, ObjectInfo

Order = Literal["same", "before", "after", "different"]
Place = tuple[int, int]
"""A process and the number of its descriptor."""
Compare = Callable[[int, int, int, int], Order | None]
Refers = Callable[[Place], bool]

ANONYMOUS: Final = "anon:"
FEW: Final = 16
"""Among so few descriptions each is compared with, before one is believed to be new."""
KEPT: Final = 1000
"""Groups of closed objects that are kept in any case."""


def group_of(info: ObjectInfo, mode: Mode) -> str:
    """What descriptors that share a description have in common: the object (or kind of inode), and
    the access mode.
    """
    return (
        f"{mode} {ANONYMOUS}{info.kind}" if info.key.startswith(ANONYMOUS) else f"{mode} {info.key}"
    )


class Known:
    """The descriptions that are known, each with the descriptors that refer to it, as far as was
    said.

    Those of one object are kept sorted by kcmp's order, so that a descriptor finds its own with a
    few comparisons however many there are. Before another process's descriptor is compared with, it
    is looked at whether it still refers to that object; if not, it is forgotten.
    """

    def __init__(self) -> None:
        self._groups: dict[str, list[int]] = {}
        """Numbers of the descriptions, sorted; one that nobody has open any more is dropped when it
        is met, or by `_forget_closed`.
        """
        self._unsorted: dict[str, list[int]] = {}
        """Those that belong there, and were not compared yet."""
        self._group: dict[int, str] = {}
        self._holders: dict[int, dict[Place, None]] = {}
        self._tables: dict[int, dict[int, int]] = {}

    def list_descriptions(self, pid: int) -> Mapping[int, int]:
        """The descriptions behind a process's descriptors."""
        return self._tables.get(pid, {})

    def drop_descriptor(self, place: Place) -> None:
        """A descriptor was closed."""
        pid, fd = place
        ofd = self._tables.get(pid, {}).pop(fd, 0)
        places = self._holders.get(ofd)
        if places is not None:
            places.pop(place, None)
            if not places:
                del self._holders[ofd]

    def drop_process(self, pid: int) -> None:
        """A process is gone."""
        for fd in list(self._tables.get(pid, ())):
            self.drop_descriptor((pid, fd))
        self._tables.pop(pid, None)

    def note_descriptor(self, ofd: int, group: str, place: Place) -> None:
        """A descriptor refers to this description, as is known from elsewhere."""
        self._note_place(ofd, place)
        if ofd not in self._group:
            self._group[ofd] = group
            self._unsorted.setdefault(group, []).append(ofd)

    def identify_description(
        self, group: str, place: Place, compare: Compare, refers: Refers, new: Callable[[], int]
    ) -> int:
        """Find the description that a descriptor refers to, and know from then on that it does.

        A descriptor that is the only one of a description is believed to be what it was as long as
        its object is the same and it is none of the others': nothing tells whether it was closed,
        and that object opened again in its place.

        Args:
            group: See `group_of`.
            place: The descriptor.
            compare: See `ipcviz.kernel.descriptors.compare_descriptions`.
            refers: Whether a descriptor refers to this object now.
            new: Gives a number for a description that is not among the known.
        """
        if group not in self._groups and group not in self._unsorted:
            # Nobody is known who has this object open: of most objects of a first look that is so.
            self._forget_closed()
            found = new()
            self._groups[group], self._group[found] = [found], group
            self._note_place(found, place)
            return found
        before = self._tables.get(place[0], {}).get(place[1], 0)
        if before and (self._group.get(before) != group or len(self._holders[before]) > 1):
            before = 0
        found, index = self._find_description(group, place, compare, refers)
        if not found:
            rows = self._groups[group]
            if before in rows:
                index -= rows.index(before) < index
                rows.remove(before)
            found = before or new()
            rows.insert(index, found)
            self._group[found] = group
        self._note_place(found, place)
        return found

    def _forget_closed(self) -> None:
        """Forget the groups of objects that nobody has open any more, once they are most of all."""
        if len(self._groups) <= 2 * len(self._holders) + KEPT:
            return
        self._groups = {
            group: left
            for group, rows in self._groups.items()
            if (left := [ofd for ofd in rows if ofd in self._holders])
        }
        there = {ofd for rows in (*self._groups.values(), *self._unsorted.values()) for ofd in rows}
        self._group = {ofd: group for ofd, group in self._group.items() if ofd in there}

    def _note_place(self, ofd: int, place: Place) -> None:
        table = self._tables.setdefault(place[0], {})
        if table.get(place[1], ofd) != ofd:
            self.drop_descriptor(place)
        table[place[1]] = ofd
        self._holders.setdefault(ofd, {})[place] = None

    def _find_description(
        self, group: str, place: Place, compare: Compare, refers: Refers
    ) -> tuple[int, int]:
        """(The description that a descriptor refers to, 0 if none of the group's; where it is, or
        belongs).
        """
        rows = self._groups.setdefault(group, [])
        for ofd in self._unsorted.pop(group, ()):
            one = self._find_holder(ofd, None, refers)
            found, index = (
                self._find_description(group, one, compare, refers) if one is not None else (0, 0)
            )
            if one is None or found:
                self._group.pop(ofd, None)
            else:
                rows.insert(index, ofd)
        found, index = self._search_rows(rows, place, compare, refers)
        if not found and 1 < len(rows) <= FEW:
            # A descriptor that was closed unseen, and now refers to another description of the same
            # object, is in the wrong place here until its own table is read again.
            found = self._try_all(rows, place, compare, refers)
        return found, index

    def _search_rows(
        self, rows: list[int], place: Place, compare: Compare, refers: Refers
    ) -> tuple[int, int]:
        """`_find_description`, by halving the rows."""
        low, high = 0, len(rows)
        while low < high:
            middle = (low + high) // 2
            other = self._other_holder(rows, middle, place, refers)
            if other is None:
                high -= 1
                continue
            if other == place:
                # It can't be compared with itself, and may refer to what another row is by now.
                middle += 1 if middle + 1 < high else -1
                other = self._other_holder(rows, middle, place, refers) if middle >= low else place
                if other is None:
                    high -= 1
                    continue
            order = "same" if other == place else compare(*place, *other)
            if order == "same":
                return rows[max(middle, low)], max(middle, low)
            if order == "before":
                high = middle
            elif order == "after":
                low = middle + 1
            else:
                # One of the two is gone, or the kernel gives no order: the rest can only be tried
                # one by one.
                return self._try_all(rows, place, compare, refers), len(rows)
        return 0, low

    def _other_holder(
        self, rows: list[int], index: int, place: Place, refers: Refers
    ) -> Place | None:
        """`_find_holder` of a row; a row that nobody has open any more is dropped."""
        other = self._find_holder(rows[index], place, refers)
        if other is None:
            self._group.pop(rows.pop(index), None)
        return other

    def _find_holder(self, ofd: int, place: Place | None, refers: Refers) -> Place | None:
        """A descriptor that refers to a description, rather another one than the one that is asked
        about.
        """
        places = self._holders.get(ofd, {})
        while (other := next((one for one in places if one != place), None)) is not None:
            if refers(other):
                return other
            self.drop_descriptor(other)
        return place if place in places else None

    def _try_all(self, rows: list[int], place: Place, compare: Compare, refers: Refers) -> int:
        """The description of a descriptor, by comparing with one after the other; 0 if it is none
        of them, or as long as nothing can be compared the one that it was.
        """
        own = 0
        for ofd in rows:
            other = self._find_holder(ofd, place, refers)
            if other == place:
                own = ofd
            elif other is not None and compare(*place, *other) == "same":
                return ofd
        return own
