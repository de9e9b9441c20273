"""What belongs to how programs start, and not to what they do."""

from __future__ import annotations

from typing import Final

_NOISE_PATHS: Final = (
    "/usr/lib",
    "/lib",
    "/etc/ld.so",
    "/etc/locale",
    "/etc/nsswitch",
    "/etc/passwd",
    "/etc/group",
    "/etc/localtime",
    "/usr/share/locale",
    "/usr/share/zoneinfo",
    "/usr/local/lib",
    "/proc/self",
    "/proc/filesystems",
    "/proc/sys",
    "/sys/",
    "/dev/null",
    "/dev/urandom",
    "/etc/ssl",
)


def is_noise(path: str) -> bool:
    """Whether a path belongs to how programs start (libraries, locale, accounts) and not to what
    they do.
    """
    return bool(path) and (
        path.startswith(_NOISE_PATHS)
        or path.endswith((".so", ".pyc", ".mo", "pyvenv.cfg", "._pth", "pybuilddir.txt"))
        or ".so." in path
        or "/lib/python" in path
    )


SHELLS: Final = frozenset({"ash", "bash", "busybox", "dash", "ksh", "sh", "zsh"})
"""Names of shells."""

_INTERPRETERS: Final = SHELLS | {"python", "perl", "ruby", "node", "tclsh", "lua"}


def is_own_script(argv: tuple[str, ...], path: str) -> bool:
    """Whether a path is that of the script that an interpreter runs: reading it is how the program
    starts.

    Args:
        argv: The process's arguments.
        path: The path, as the process gave it or absolute.
    """
    if _name_interpreter(argv) not in _INTERPRETERS:
        return False
    script = next((word for word in argv[1:] if not word.startswith("-")), "")
    return bool(script) and (path == script or path.endswith("/" + script.removeprefix("./")))


def is_python(argv: tuple[str, ...]) -> bool:
    """Whether a program is Python, by its arguments: it catches SIGINT as it starts."""
    return _name_interpreter(argv) == "python"


def _name_interpreter(argv: tuple[str, ...]) -> str:
    """A program's name without a version; empty if it has no arguments."""
    return argv[0].rpartition("/")[2].rstrip("0123456789.") if argv else ""
