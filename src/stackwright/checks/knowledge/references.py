"""Image references taken apart (OCI Distribution Specification, the names that Docker completes)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class ImageName:
    """``registry/repository:tag@digest``; ``repository`` without ``library/``, ``registry`` empty for Docker Hub."""

    registry: str
    repository: str
    tag: str
    digest: str

    @property
    def last(self) -> str:
        """The last part of the repository: ``postgres`` of ``example.org/team/postgres``."""
        return self.repository.rpartition("/")[2]

    @property
    def version(self) -> tuple[int, ...]:
        """The numbers that the tag starts with, without suffix: ``15.2-alpine`` is (15, 2)."""
        numbers = []
        for part in self.tag.removeprefix("v").split("-")[0].split("."):
            if not part.isdigit():
                break
            numbers.append(int(part))
        return tuple(numbers)

    @property
    def variant(self) -> str:
        """What follows the version in the tag: ``alpine``."""
        return self.tag.partition("-")[2] if self.version else self.tag


@lru_cache(maxsize=4096)
def parse_image(text: str) -> ImageName:
    """Take a reference apart; whatever is missing is empty.

    >>> parse_image("docker.io/library/postgres:15-alpine").repository
    'postgres'
    """
    rest, _, digest = text.partition("@")
    head, _, last = rest.rpartition("/")
    last, _, tag = last.partition(":")
    path = f"{head}/{last}" if head else last
    first, slash, tail = path.partition("/")
    registry = ""
    if slash and ("." in first or ":" in first or first == "localhost"):
        registry, path = first, tail
    if registry in ("docker.io", "index.docker.io", "registry-1.docker.io"):
        registry = ""
    if not registry:
        path = path.removeprefix("library/")
    return ImageName(registry, path, tag, digest)
