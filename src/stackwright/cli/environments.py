"""Which environments a command is about: `-E`, `-f`, a file or a folder, or those found in the project."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from stackwright.checks.environments import Environment, choose, find_environments, kind_of
from stackwright.checks.settings import FILE, Settings, SettingsError, read_settings
from stackwright.cli.flags import GlobalOptions
from stackwright.model.discover import DEFAULT_NAMES


@dataclass(frozen=True, slots=True)
class Place:
    """A project's folder with its settings and the environments that are meant."""

    folder: Path
    settings: Settings
    environments: tuple[Environment, ...]


def project_folder(start: Path) -> Path:
    """The nearest folder at or above ``start`` that holds a Compose file or the settings; else ``start``."""
    if (start / FILE).is_file() or find_environments(start, Settings()):
        return start
    for folder in start.parents:
        if any((folder / name).is_file() for name in (*DEFAULT_NAMES, FILE)):
            return folder
    return start


def place_of(options: GlobalOptions, target: Path | None = None) -> Place:
    """What the global flags, or one argument, mean.

    Raises:
        SettingsError: the settings are wrong, or there is no environment of the name.
    """
    if target is not None and not target.exists():
        raise SettingsError(f"{target}: no such file or folder")
    if target is not None and target.is_file():
        return _of_file(target.absolute(), options)
    given = Path(options.project_directory) if options.project_directory else Path.cwd()
    start = (target or given).absolute()
    if options.files and target is None:
        return _of_flags(options, start)
    folder = project_folder(Path(os.path.normpath(start)))
    settings = read_settings(folder)
    environments = find_environments(folder, settings)
    if options.environment:
        environments = [choose(environments, options.environment, folder)]
    if not environments:
        # Nothing was found: loading says so, with its hint.
        environments = [Environment("default", "", str(folder), ())]
    return Place(folder, settings, tuple(environments))


def _of_flags(options: GlobalOptions, start: Path) -> Place:
    """`-f`: these files are one environment."""
    files = tuple(file if file == "-" else os.path.normpath(start / file) for file in options.files)
    folder = Path(files[0]).parent if files[0] != "-" else start
    settings = read_settings(folder)
    name = options.environment or "default"
    env_files = tuple(os.path.normpath(start / file) for file in options.env_files)
    home = options.project_directory and str(start)
    one = Environment(
        name, kind_of(name), home or str(folder), files, env_files, tuple(options.profiles), "-f"
    )
    return Place(folder, settings, (one,))


def _of_file(file: Path, options: GlobalOptions) -> Place:
    """A file alone, or the environments of its folder that it is part of."""
    folder = file.parent
    settings = read_settings(folder)
    found = [one for one in find_environments(folder, settings) if str(file) in one.files]
    if options.environment:
        found = [choose(found, options.environment, folder)]
    if not found:
        from stackwright.checks.environments import file_kind

        found = [Environment("default", file_kind(str(file)), str(folder), (str(file),), why=file.name)]
    return Place(folder, settings, tuple(found))


def apply_environment(options: GlobalOptions) -> None:
    """`-E` on any command: as if its files, env files and profiles had been named by flags.

    With `-f` the files are those that it names, and it is said that `-E` brings none.

    Raises:
        SettingsError: there is no such environment.
    """
    if not options.environment:
        return
    if options.files:
        sys.stderr.write(f"warning: -f names the files, so those of -E {options.environment} are not read\n")
        return
    (environment,) = place_of(options).environments
    options.files = list(environment.files)
    options.env_files = options.env_files or list(environment.env_files)
    options.profiles = options.profiles or list(environment.profiles)
    options.project_directory = options.project_directory or environment.folder
