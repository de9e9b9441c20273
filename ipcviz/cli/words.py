"""What commands of the command line share: telling a scenario's name from a command, and what may
be written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from ipcviz.outputs import OutputError, find_place, same_file

if TYPE_CHECKING:
    from ipcviz.export import CastError

AFTER_DASHES: Final = "ipcviz.command"
"""Whether a command stands after `--`, in `click.Context.meta`."""


WORDS: Final = "ipcviz.words"
"""All words behind the command's name, as they were typed, in `click.Context.meta`."""


class RemembersWords(click.Command):
    """Remembers its words for completion: click forgets them all while the last option still lacks
    its value.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Remember the words."""
        ctx.meta[WORDS] = tuple(args)
        return super().parse_args(ctx, args)


class AfterDashes(RemembersWords):
    """Tells `NAME` from `-- CMD`: click drops the dashes that make the difference."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Remember whether the command stands after `--`."""
        ctx.meta[AFTER_DASHES] = "--" in args
        return super().parse_args(ctx, args)


class CommandOrScenario(AfterDashes):
    """What follows the first word belongs to the command that it begins, also options; behind a
    scenario's name, which takes no words, they are ours, as before it.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """See whether options behind the first word are ours."""
        if "--" not in args and not ctx.resilient_parsing:
            found, _, _ = self.make_parser(ctx).parse_args(list(args))
            words = found.get("command")
            # Where there are none, one release of click has an empty tuple and another a mark.
            first, *more = words if isinstance(words, tuple) and words else ("",)
            behind = any(word.startswith("-") for word in more)
            # Scenarios take long to import, and most commands are none.
            from ipcviz.cli.scenarios import is_scenario

            ctx.allow_interspersed_args = behind and is_scenario(first)
        return super().parse_args(ctx, args)


def describe_cast_error(path: str, error: CastError) -> str:
    """A sentence for what is wrong with a cast: its file, its line, and what."""
    return f"{path}{f', line {error.line}' if error.line else ''}: {error.message}."


def check_outputs(*paths: str | None, streams: bool = False) -> None:
    """See whether files can be written before anything is launched.

    Args:
        paths: What was given; empty or None where nothing was, `-` for standard output.
        streams: See `find_place`.

    Raises:
        OutputError: One of them can't be written, or two are the same.
    """
    asked = [path for path in paths if path and path != "-"]
    for at, path in enumerate(asked):
        find_place(path, streams=streams)
        if any(same_file(path, other) for other in asked[:at]):
            raise OutputError(f"{path} can't hold two things: give each a file of its own.")
