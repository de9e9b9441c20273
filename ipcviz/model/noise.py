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
    """Whether a path belongs to how programs start (libraries, locale, accounts) and not to what they do."""
    return (
        path.startswith(_NOISE_PATHS)
        or path.endswith((".so", ".pyc", ".mo", "pyvenv.cfg", "._pth"))
        or ".so." in path
        or "/lib/python" in path
    )
