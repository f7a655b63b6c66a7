"""Which files, which folder, which variables, which name: what is settled before any file is read."""

from __future__ import annotations

import os.path

from stackwright.model.paths import join
from stackwright.model.sources import is_remote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stackwright.model.sources import Reporter

DEFAULT_NAMES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
OVERRIDE_NAMES = (
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
)
_NAME_SIGNS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_-")


def absolute(path: str, base: str) -> str:
    """A path as given on the command line, made absolute. ``-`` and what is not a local file stay."""
    if path == "-" or is_remote(path):
        return path
    return os.path.normpath(path if path.startswith("/") else join(base, path))


def compose_files(
    files: Sequence[str] | None, environment: Mapping[str, str], here: str, search: str, report: Reporter
) -> list[str]:
    """The compose files: those named, else ``COMPOSE_FILE``, else the default ones.

    Args:
        files: from the command line.
        environment: with the env files' variables.
        here: the current folder, to which named files are relative.
        search: the folder where the search for default names begins; it goes on in the parents.
        report: told when there are none, or too many.
    """
    if files:
        return [absolute(file, here) for file in files]
    listed = environment.get("COMPOSE_FILE")
    if listed is not None:
        separator = environment.get("COMPOSE_PATH_SEPARATOR") or os.pathsep
        return [absolute(file, here) for file in listed.split(separator)]
    folder = search
    while True:
        found = [join(folder, name) for name in DEFAULT_NAMES if os.path.exists(join(folder, name))]
        if found:
            return [*_first(found, "config", report), *_overrides(folder, report)]
        if folder == "/" or os.path.dirname(folder) == folder:
            names = " or ".join(DEFAULT_NAMES[:2])
            hint = f"make a {names}, or name a file with -f"
            message = f"no Compose file in {search} or the folders above"
            report.error("no-file", message, hint=hint)
            return []
        folder = os.path.dirname(folder)


def _overrides(folder: str, report: Reporter) -> list[str]:
    found = [join(folder, name) for name in OVERRIDE_NAMES if os.path.exists(join(folder, name))]
    return _first(found, "override", report)


def _first(found: list[str], what: str, report: Reporter) -> list[str]:
    if len(found) > 1:
        report.warn(f"Found multiple {what} files with supported names: {', '.join(found)}")
        report.warn(f"Using {found[0]}")
    return found[:1]


def env_files(
    files: Sequence[str] | None, environment: Mapping[str, str], folder: str, start: str, report: Reporter
) -> list[str]:
    """The env files: those named, else ``COMPOSE_ENV_FILES``, else ``.env`` of the project's folder."""
    if files:
        return [absolute(file, start) for file in files]
    listed = environment.get("COMPOSE_ENV_FILES")
    if listed:
        return [absolute(file, start) for file in listed.split(",")]
    disabled = environment.get("COMPOSE_DISABLE_ENV_FILE")
    if disabled is not None:
        if disabled in ("1", "t", "T", "true", "True", "TRUE"):
            return []
        if disabled not in ("0", "f", "F", "false", "False", "FALSE"):
            report.error("environment", f'COMPOSE_DISABLE_ENV_FILE is "{disabled}", not a boolean')
    default = join(folder, ".env")
    return [default] if os.path.exists(default) and not os.path.isdir(default) else []


def normal_name(text: str) -> str:
    """A text as a project's name: lower case letters, digits, ``-`` and ``_``, starting with one of the first."""
    return "".join(sign for sign in text.lower() if sign in _NAME_SIGNS).lstrip("_-")
