"""Compiling a variant's C programs on first use, into the user's cache."""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from ipcviz.scenario.errors import ScenarioError
from ipcviz.scenario.format import Scenario

FLAGS: Final = ("-O0", "-g", "-Wall")
"""Unoptimised and with line tables: each line of the source is there to be stopped at."""

SECONDS: Final = 60.0
"""How long a compiler may take for one program."""


def find_compiler() -> tuple[str, ...] | None:
    """The machine's C compiler and its fixed arguments: $CC, or cc; None if it can't be found."""
    try:
        words = shlex.split(os.environ.get("CC", "")) or ["cc"]
    except ValueError:
        words = [os.environ["CC"]]
    path = shutil.which(words[0])
    return (path, *words[1:]) if path else None


def without_compiler() -> str:
    """Why there is no compiler, in a sentence; empty if there is one."""
    if find_compiler() is not None:
        return ""
    chosen = os.environ.get("CC", "").strip()
    if chosen:
        return f"the C compiler that $CC names ({chosen}) can't be found: unset CC or correct it"
    return "no C compiler (cc) is installed: install gcc or clang, or set CC"


def cache_folder() -> Path | None:
    """The folder `build_programs` in the user's cache for ipcviz: on Linux below
    `$XDG_CACHE_HOME`, or `~/.cache`.

    None if the user has no home.
    """
    # Only who compiles needs it, and everybody would wait for it.
    import platformdirs

    try:
        return platformdirs.user_cache_path("ipcviz", appauthor=False) / "build"
    except RuntimeError:
        return None


def build_programs(scenario: Scenario, variant: str, spare: Path) -> Path:
    """A folder in which the variant's programs are, compiled if they were not yet.

    Args:
        scenario: The scenario.
        variant: One of its variants.
        spare: A folder to compile into if the cache can't be written; the caller removes it.

    Returns:
        The folder that `{build}` stands for; any folder if the variant builds nothing.

    Raises:
        ScenarioError: There is no compiler, or it failed; then its own words follow.
    """
    chosen = scenario.variants[variant]
    if not chosen.build:
        return spare
    command = find_compiler()
    if command is None:
        raise ScenarioError(
            f"Variant {variant!r} of {scenario.name!r} can't be compiled: {without_compiler()}."
        )
    for program, sources in chosen.build.items():
        missing = [source for source in sources if not (scenario.folder / source).is_file()]
        if missing:
            raise ScenarioError(
                f"{program!r} can't be compiled: {scenario.folder / missing[0]} is no longer there."
            )
    cache = cache_folder()
    try:
        key = _compute_key(scenario, variant, command)
    except OSError as error:
        raise ScenarioError(f"{error.filename} can't be read: {error.strerror}.") from None
    kept = _make_folder(cache / key) if cache is not None else None
    target = kept or spare
    for program, sources in chosen.build.items():
        if not os.access(target / program, os.X_OK):
            _compile_program(
                scenario, [*command, *FLAGS], list(sources), list(chosen.flags), target / program
            )
    return target


def _compute_key(scenario: Scenario, variant: str, command: tuple[str, ...]) -> str:
    """A name that differs whenever the programs could: sources, headers, flags, compiler,
    machine.
    """
    chosen = scenario.variants[variant]
    made = hashlib.sha256()
    compiled_by = os.stat(command[0])
    parts: list[object] = [
        platform.machine(),
        *command,
        compiled_by.st_size,
        compiled_by.st_mtime_ns,
        *FLAGS,
        "|",
    ]
    parts += [*chosen.flags, "|", chosen.build]
    made.update(repr(parts).encode())
    sources = {scenario.folder / source for group in chosen.build.values() for source in group}
    headers = {file for file in scenario.folder.glob("*.h") if file.is_file()}
    for file in sorted(sources | headers):
        made.update(f"\0{file.name}\0".encode(errors="surrogateescape"))
        made.update(file.read_bytes())
    return f"{scenario.name}-{made.hexdigest()[:24]}"


def _make_folder(folder: Path) -> Path | None:
    """The folder, made if need be; None if programs can't be put there and run from there."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Somebody else's folder, or one that others can write, could hold somebody else's program.
        status = folder.stat()
        if status.st_uid != os.geteuid() or status.st_mode & 0o022:
            return None
        with tempfile.NamedTemporaryFile(dir=folder):
            pass
        return None if os.statvfs(folder).f_flag & os.ST_NOEXEC else folder
    except OSError:
        return None


def _compile_program(
    scenario: Scenario, command: list[str], sources: list[str], flags: list[str], target: Path
) -> None:
    """Compile into a file beside the target and rename it there, so that two at once do no harm."""
    fresh = ""
    try:
        handle, fresh = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)
        os.close(handle)
        # Sources before flags: libraries among the flags are searched for what the sources need.
        argv = [*command, "-o", fresh, *(f"./{source}" for source in sources), *flags]
        done = subprocess.run(
            argv,
            cwd=scenario.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=SECONDS,
            check=False,
        )
        if done.returncode != 0:
            words = done.stdout.decode(errors="replace").strip()
            raise ScenarioError(
                f"{target.name!r} of {scenario.name!r} does not compile; {command[0]} says:", words
            )
        os.chmod(fresh, 0o755)
        os.replace(fresh, target)
        fresh = ""
    except subprocess.TimeoutExpired:
        raise ScenarioError(
            f"{target.name!r} of {scenario.name!r} does not compile: {command[0]} took over"
            f" {SECONDS:.0f} seconds."
        ) from None
    except OSError as error:
        raise ScenarioError(
            f"{target.name!r} of {scenario.name!r} can't be compiled: {error.strerror}."
        ) from None
    finally:
        if fresh:
            Path(fresh).unlink(missing_ok=True)
