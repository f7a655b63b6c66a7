"""What rules may know of the machine: files of the project, and facts about the host, as data."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

MAX_BYTES = 1 << 20
"""A configuration file or script above this is not looked into."""


class Files:
    """Files of a project, read once. ``unsaved`` texts stand for files that an editor holds.

    With ``look`` False nothing is known of the disk: a Compose file alone, without its folder.
    """

    def __init__(self, unsaved: dict[str, bytes] | None = None, *, look: bool = True) -> None:
        self.unsaved = unsaved or {}
        self.look = look
        self._texts: dict[str, bytes | None] = {}
        self._folders: dict[str, frozenset[str] | None] = {}

    def exists(self, path: str) -> bool:
        """Whether something is at the path."""
        return path in self.unsaved or Path(path).exists()

    def is_folder(self, path: str) -> bool:
        """Whether the path is a folder."""
        return Path(path).is_dir()

    def is_file(self, path: str) -> bool:
        """Whether the path is a regular file."""
        return path in self.unsaved or Path(path).is_file()

    def names(self, folder: str) -> frozenset[str] | None:
        """What is in a folder; None when it is none or cannot be read."""
        if folder not in self._folders:
            try:
                self._folders[folder] = frozenset(entry.name for entry in Path(folder).iterdir())
            except OSError:
                self._folders[folder] = None
        return self._folders[folder]

    def read(self, path: str) -> bytes | None:
        """A file's content; None when it cannot be read or is too large to be looked into."""
        if path in self.unsaved:
            return self.unsaved[path]
        if path not in self._texts:
            self._texts[path] = _read(path)
        return self._texts[path]


def _read(path: str) -> bytes | None:
    file = Path(path)
    try:
        if not file.is_file() or file.stat().st_size > MAX_BYTES:
            return None
        return file.read_bytes()
    except OSError:
        return None


@dataclass(frozen=True, slots=True)
class Host:
    """Facts about the machine that is to run the project. Zero and empty mean unknown.

    ``memory`` in bytes; ``networks`` that the host has routes to, with the name of the interface;
    ``ports`` in use: (protocol, port); ``boots`` seconds from start to healthy when it last ran, by service.
    """

    memory: int = 0
    cpus: float = 0.0
    networks: tuple[tuple[str, IPv4Network | IPv6Network], ...] = ()
    ports: frozenset[tuple[str, int]] = frozenset()
    boots: dict[str, float] = field(default_factory=dict)
