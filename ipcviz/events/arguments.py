"""The arguments of a system call, by the names of the manual page: numbers, or text where they are
paths, signals, constants, or flags joined by `|`.
"""

from __future__ import annotations

from collections.abc import Mapping

Arguments = dict[str, int | str]


def number_in(args: Mapping[str, int | str], name: str) -> int | None:
    """An argument that is a number; None if the call has none of that name, or it is text."""
    value = args.get(name)
    return value if isinstance(value, int) else None


def text_in(args: Mapping[str, int | str], name: str) -> str:
    """An argument as text: a number in its digits; empty if the call has none of that name."""
    return str(args.get(name, ""))


def flag_in(args: Mapping[str, int | str], flag: str, name: str = "flags") -> bool:
    """Whether a flag is among those of an argument: `O_EXCL` in `O_WRONLY|O_CREAT|O_EXCL`."""
    flags = args.get(name)
    return isinstance(flags, str) and flag in flags and flag in flags.split("|")


class WithArguments:
    """Questions to whatever has the arguments of a call."""

    __slots__ = ()
    args: Arguments

    @property
    def fd(self) -> int | None:
        """The descriptor argument `fd`, as the program gave it; None if the call has none."""
        value = self.args.get("fd")
        return value if isinstance(value, int) else None

    def get_number(self, name: str) -> int | None:
        """An argument that is a number; None if the call has none of that name, or it is text."""
        return number_in(self.args, name)

    def get_text(self, name: str) -> str:
        """An argument as text: a number in its digits; empty if the call has none of that name."""
        return text_in(self.args, name)

    def has_flag(self, flag: str, name: str = "flags") -> bool:
        """Whether a flag is among those of an argument: `O_EXCL` in `O_WRONLY|O_CREAT|O_EXCL`."""
        return flag_in(self.args, flag, name)
