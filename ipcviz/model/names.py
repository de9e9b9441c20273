"""What a process calls itself: by its title, or by what its arguments say that it is. Pure.

    postgres: checkpointer                         checkpointer
    nginx: worker process                          worker process
    chromium --type=renderer ...                   renderer
    python -m pytest ..., node server.js           pytest, server.js
    java -jar app.jar                              app.jar

A title is what a program writes over its arguments (setproctitle(3)), so both are the words of
/proc/PID/cmdline. Whatever says nothing leaves the name of the program.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_LONGEST: Final = 32
"""Characters of a name at most."""
_WORDS: Final = 3
"""Words of a title at most; what follows changes, or is about a state."""

_TITLE: Final = re.compile(r"(?P<program>[\w.+-]+): +(?P<rest>\S.*)", re.DOTALL)
_CLUSTER: Final = re.compile(r"^[^\s:]+: +")
_STATE: Final = re.compile(r"^[\[/-]|\(|\d+\.\d+|^\d+$|^for$|^of$")
"""The first word of a title that is no part of a name: `[local]`, `10.0.0.1(4711)`, `/etc/x`."""

_INTERPRETERS: Final = re.compile(
    r"(python|pypy|perl|ruby|node|nodejs|deno|bun|php|lua|luajit|Rscript|tclsh|wish|guile"
    r"|bash|dash|sh|zsh|ksh|fish|java)[\d.]*"
)
_CODE: Final = frozenset({"-c", "-e", "-E", "-s", "--eval", "-p", "--print", "-i", "-"})
"""Options of interpreters after which no script comes: the code is an argument, or is typed."""
_WITH_VALUE: Final[dict[str, frozenset[str]]] = {
    "python": frozenset({"-W", "-X", "--check-hash-based-pycs"}),
    "pypy": frozenset({"-W", "-X"}),
    "perl": frozenset({"-I", "-M"}),
    "ruby": frozenset({"-I", "-r"}),
    "node": frozenset({"-r", "--require", "--import", "--loader", "-C", "--conditions"}),
    "php": frozenset({"-d", "-c", "-z"}),
    "bash": frozenset({"-o", "+o", "-O", "+O", "--rcfile", "--init-file"}),
    "sh": frozenset({"-o", "+o"}),
    "zsh": frozenset({"-o", "+o"}),
    "java": frozenset(
        {"-cp", "-classpath", "--class-path", "-p", "--module-path", "--add-modules"}
    ),
}
"""Options whose value is an argument of its own, by interpreter."""
_SUBCOMMANDS: Final = {"deno": "run", "bun": "run"}
_MULTIPROCESSING: Final = re.compile(r"from multiprocessing\.(\w+) import")
_BROWSERS: Final = frozenset({"chromium", "chrome", "chromium-browse", "brave", "msedge", "opera"})
_PARTS: Final = {"gpu-process": "gpu", "crashpad-handler": "crashpad"}


@lru_cache(maxsize=4096)
def choose_own_name(name: str, argv: tuple[str, ...]) -> str:
    """What a process calls itself; the name of its program if it says nothing.

    Args:
        name: The name of its program (comm).
        argv: Its arguments, or what it has written over them.
    """
    found = _read_title(argv) or _read_kind(name, argv) or _read_script(argv)
    return found[:_LONGEST] if found else name


def _read_title(argv: tuple[str, ...]) -> str:
    """`checkpointer` of `postgres: checkpointer`; empty if the arguments are no title."""
    match = _TITLE.fullmatch(argv[0].strip()) if argv and not any(argv[1:]) else None
    if match is None:
        return ""
    words: list[str] = []
    # PostgreSQL puts the name of the cluster before the rest, if it has one.
    for word in _CLUSTER.sub("", match["rest"]).split():
        if _STATE.search(word) or len(words) == _WORDS:
            break
        words.append(word)
    return " ".join(words)


def _read_kind(name: str, argv: tuple[str, ...]) -> str:
    """The kind of a browser's process."""
    words = argv
    if len(argv) == 1 and " --type=" in argv[0]:
        words = tuple(argv[0].split())
    kind = _find_option(words, "--type=")
    if kind == "utility":
        service = _find_option(words, "--utility-sub-type=").partition(".")[0]
        return service.replace("_", " ") or kind
    if kind:
        return _PARTS.get(kind, kind)
    if "-contentproc" in words[1:2] and words[-1].isalpha():
        return words[-1]
    is_browser = name in _BROWSERS and len(words) > 1
    return "browser" if is_browser and words[1].startswith("--") else ""


def _find_option(words: tuple[str, ...], prefix: str) -> str:
    return next((w.removeprefix(prefix) for w in words[1:] if w.startswith(prefix)), "")


def _read_script(argv: tuple[str, ...]) -> str:
    """The module, script, archive or class that an interpreter runs."""
    if len(argv) < 2:
        return ""
    match = _INTERPRETERS.fullmatch(argv[0].rpartition("/")[2].removeprefix("-"))
    if match is None:
        return ""
    kind = match[1]
    rest = iter(argv[1:])
    for word in rest:
        if word == _SUBCOMMANDS.get(kind):
            continue
        if word == "-m" and kind in ("python", "pypy"):
            return next(rest, "").partition(" ")[0]
        if word == "-jar" and kind == "java":
            return _strip_folder(next(rest, ""))
        if word in _CODE:
            code = next(rest, "")
            inside = _MULTIPROCESSING.match(code) if kind == "python" else None
            return inside[1] if inside is not None else ""
        if word in _WITH_VALUE.get(kind, ()):
            next(rest, "")
        elif not word.startswith(("-", "+")):
            if kind == "java":
                return word.rpartition(".")[2]
            return _strip_folder(word)
        elif kind not in ("python", "java", "node") and re.fullmatch(r"-[a-z]*[ce][a-z]*", word):
            return ""
    return ""


def _strip_folder(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]
