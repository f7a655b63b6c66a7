"""Stage: relative paths made absolute, against the folder of the project (or of the extended file)."""

from __future__ import annotations

import os.path

from stackwright.model.marks import Map, Seq
from stackwright.model.rules import compile_rules, entries, joined

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    from stackwright.model.rules import Rules
    from stackwright.model.sources import Reporter

    Resolve: TypeAlias = Callable[["Folder", Any], Any]

_REMOTE = ("https://", "http://", "git://", "ssh://", "github.com/", "git@")


class Folder:
    """A base for relative paths, and the home folder for ``~``."""

    def __init__(self, base: str, home: str | None) -> None:
        self.base = base
        self.home = home

    def expand(self, path: str) -> str:
        """``~`` replaced by the home folder, where there is one."""
        if not path.startswith("~") or not self.home:
            return path
        return join(self.home, path[1:])

    def absolute(self, path: str) -> str:
        """A path as it is when it is absolute or empty, else below the base."""
        path = self.expand(path)
        return path if not path or path.startswith("/") else join(self.base, path)

    def absolute_unless_windows(self, path: str) -> str:
        """The same, but paths with a drive or a share stay."""
        path = self.expand(path)
        return path if path.startswith("/") or is_windows_absolute(path) else join(self.base, path)


def resolve_paths(model: Map, folder: Folder, report: Reporter) -> Map:
    """Make paths absolute in place."""
    _visit(model, _RULES, "", folder, report)
    return model


def _visit(value: Any, rules: Rules, path: str, folder: Folder, report: Reporter) -> None:
    for key, item, below in entries(value, rules):
        if below.rule is not None:
            try:
                value[key] = below.rule(folder, item)
            except _NoSourceError:
                place = joined(path, key)
                message = f'{place}: a bind mount needs a "source"'
                report.error("volume", message, value.mark_at(key), place)
        elif type(item) is Map or type(item) is Seq:
            _visit(item, below, joined(path, key), folder, report)


class _NoSourceError(Exception):
    pass


def join(base: str, path: str) -> str:
    """Two paths joined and cleaned, the second one taken as relative (Go's ``filepath.Join``)."""
    joined_path = f"{base}/{path}" if base else path
    if joined_path[:1] == "/":
        return os.path.normpath("/" + joined_path.lstrip("/"))
    return os.path.normpath(joined_path) if joined_path else ""


def _path(folder: Folder, value: Any) -> Any:
    return folder.absolute(value) if type(value) is str else value


def _path_unless_windows(folder: Folder, value: Any) -> Any:
    return folder.absolute_unless_windows(value) if type(value) is str else value


def _context(folder: Folder, value: Any) -> Any:
    """A build context: URLs, images and other services are not paths."""
    if type(value) is not str or "://" in value or value.startswith(("service:", *_REMOTE)):
        return value
    return folder.absolute(value)


def _real_path(folder: Folder, value: Any) -> Any:
    """An absolute path with its first symbolic link followed."""
    if type(value) is not str:
        return value
    path = folder.absolute(value)
    current = "/"
    for part in path.split("/"):
        current = join(current, part)
        if os.path.islink(current):
            return path.replace(current, os.path.realpath(current), 1)
    return path


def _mount(folder: Folder, mount: Any) -> Any:
    if type(mount) is Map and mount.get("type") == "bind":
        source = mount.get("source")
        if source is None:
            raise _NoSourceError
        mount["source"] = folder.absolute_unless_windows(str(source))
    return mount


def _volume(folder: Folder, volume: Any) -> Any:
    """A local volume that is in truth a bind mount has a path in its options."""
    if type(volume) is Map and volume.get("driver") == "local":
        options = volume.get("driver_opts")
        if type(options) is Map and options.get("o") == "bind" and type(options.get("device")) is str:
            options["device"] = folder.absolute_unless_windows(options["device"])
    return volume


def is_windows_absolute(path: str) -> bool:
    """Whether a path starts with a drive and a slash, or is a share or device (``\\\\host\\share``)."""
    if len(path) >= 2 and path[1] == ":":
        return path[2:3] in ("\\", "/") and bool(path[2:])
    return len(path) >= 2 and path[0] in "\\/" and path[1] in "\\/"


PATHS: dict[str, Resolve] = {
    "services.*.build.context": _context,
    "services.*.build.additional_contexts.*": _context,
    "services.*.build.ssh.*": _path_unless_windows,
    "services.*.env_file.[].path": _path,
    "services.*.label_file.[]": _path,
    "services.*.extends.file": _path,
    "services.*.develop.watch.[].path": _real_path,
    "services.*.volumes.[]": _mount,
    "configs.*.file": _path_unless_windows,
    "secrets.*.file": _path_unless_windows,
    "volumes.*": _volume,
}

_RULES = compile_rules(PATHS)
