"""Make docs/ipcviz.1 anew: `python -m docs.make_man` in the root of a checkout, with ipcviz's
dependencies.

The page is made from the commands of the command line, so that it says what `--help` says. A test
asserts that it is up to date; the wheel installs it as share/man/man1/ipcviz.1.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import click

from ipcviz.cli.main import COMMANDS, cli

PAGE = Path(__file__).with_name("ipcviz.1")
SUMMARY = "see inter-process communication happen"
FILES = (
    (
        "$XDG_RUNTIME_DIR/ipcviz/PID.notes",
        ("A socket for ipcviz notes, of your user alone, while a scenario is on the screen."),
    ),
    (
        "~/.cache/ipcviz/build",
        (
            "Compiled programs of scenarios, below $XDG_CACHE_HOME if that is set. It can be"
            " removed at any time."
        ),
    ),
)
ENVIRONMENT = (
    ("CC", "The C compiler for scenarios, with arguments if need be; cc if it is not set."),
    ("XDG_CACHE_HOME", "Where the user's caches are; ~/.cache if it is not set."),
    ("NO_COLOR", "If it is set and not empty, the screen is without colours."),
)
STATUS = (
    ("0", "All went well."),
    ("2", "Something was wrong; one sentence on standard error says what, and what to do."),
    ("128+n", "Signal n ended ipcviz."),
    ("other", "With trace: the status of the command that was run."),
)
EXAMPLES = (
    ("ipcviz run -- sh -c 'seq 1000000 | sort -rn | head'", "Watch a pipeline."),
    ("ipcviz run sleep-race", "Step through a scenario."),
    ("ipcviz trace -o hang.ipcviz -- ./server", "Keep everything that happens, without a screen."),
    ("ipcviz replay hang.ipcviz", "Look at it, on any system."),
)
_ESCAPED = str.maketrans({"\\": "\\e", "-": "\\-", "'": "\\(aq", "^": "\\(ha", "~": "\\(ti"})
SEE_ALSO = (
    "strace(1)",
    "lsof(8)",
    "pipe(7)",
    "fifo(7)",
    "sem_overview(7)",
    "mq_overview(7)",
    "signal(7)",
    "ptrace(2)",
)


def make_page() -> str:
    """The whole page, as roff source with the macros of man(7)."""
    context = click.Context(cli, info_name="ipcviz", **cli.context_settings)
    lines = [
        '.\\" Made by docs/make_man.py from the commands: change those.',
        '.TH IPCVIZ 1 "" "ipcviz" "User Commands"',
        ".SH NAME",
        f"ipcviz \\- {SUMMARY}",
        ".SH SYNOPSIS",
        ".B ipcviz",
        "[\\fIOPTIONS\\fR] [\\fICOMMAND\\fR [\\fIARGS\\fR]...]",
        ".SH DESCRIPTION",
        *format_help(cli.help or ""),
        *format_options(cli, context),
        ".SH COMMANDS",
    ]
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        lines += format_command(
            name, command, click.Context(command, parent=context, info_name=name)
        )
    for title, rows in (("EXIT STATUS", STATUS), ("ENVIRONMENT", ENVIRONMENT), ("FILES", FILES)):
        lines.append(f".SH {title}")
        for term, text in rows:
            lines += format_row(f"\\fB{escape(term)}\\fR", text)
    lines.append(".SH EXAMPLES")
    for example, text in EXAMPLES:
        lines += format_row(f"\\fB{escape(example)}\\fR", text)
    lines.append(".SH SEE ALSO")
    for name in SEE_ALSO:
        comma = "" if name == SEE_ALSO[-1] else ","
        lines.append(f".BR {name[:-3]} {name[-3:]}{comma}")
    return "\n".join(lines) + "\n"


def format_command(name: str, command: click.Command, context: click.Context) -> Iterator[str]:
    """A command's usage, what it does, and its options."""
    yield ".SS " + " ".join(escape(word) for word in (name, *usage_words(command, context)))
    yield from format_help(command.help or "")
    yield from format_options(command, context)


def usage_words(command: click.Command, context: click.Context) -> Iterator[str]:
    """What stands behind the command's name: `[OPTIONS]` and its arguments."""
    if any(isinstance(param, click.Option) for param in command.params):
        yield "[OPTIONS]"
    for param in command.params:
        if isinstance(param, click.Argument):
            word = param.metavar or (param.name or "").upper()
            many = "..." if param.nargs == -1 and not word.endswith("...") else ""
            yield f"{word}{many}" if param.required or word.startswith("[") else f"[{word}]{many}"


def format_options(command: click.Command, context: click.Context) -> Iterator[str]:
    """The options, each with what it does; of a single command without --help, which all have."""
    for param in command.params if context.parent else command.get_params(context):
        if not isinstance(param, click.Option) or param.hidden:
            continue
        names = ", ".join(
            f"\\fB{escape(name)}\\fR"
            for name in (*sorted(param.opts, key=len), *param.secondary_opts)
        )
        value = value_name(param)
        term = f"{names} \\fI{escape(value)}\\fR" if value else names
        default = f" The default is {param.default}." if param.show_default else ""
        yield from format_row(term, f"{param.help or ''}{default}")


def value_name(option: click.Option) -> str:
    """What stands for an option's value; empty for a flag."""
    if option.is_flag or option.count:
        return ""
    if isinstance(option.type, click.Choice):
        return option.metavar or "|".join(str(choice) for choice in option.type.choices)
    return option.metavar or (option.name or "").upper()


def format_help(text: str) -> Iterator[str]:
    """Paragraphs of a help text; a line of its own that is a command is shown as one."""
    for number, paragraph in enumerate(
        re.split(r"\n\s*\n", textwrap.dedent(text).replace("\b\n", "").strip())
    ):
        if number:
            yield ".PP"
        words = " ".join(paragraph.split())
        yield f"\\fB{escape(words)}\\fR" if re.match(r"(ssh|ipcviz) ", words) else escape(words)


def format_row(term: str, text: str) -> tuple[str, str, str]:
    """A row of a list: the term, and the text below and beside it."""
    return ".TP", term, escape(text)


def escape(text: str) -> str:
    """Text for roff: nothing in it is a command, and a hyphen is the character that can be copied
    into a shell.
    """
    text = text.translate(_ESCAPED)
    return f"\\&{text}" if text.startswith(".") else text


def main() -> None:
    """Write the page."""
    PAGE.write_text(make_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
