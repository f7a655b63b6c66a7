"""Image references: ``[registry/]repository[:tag][@digest]`` (the distribution project's grammar, Docker's
defaults).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from stackwright.embedded.errors import BadParameter

DEFAULT_DOMAIN = "docker.io"
DEFAULT_TAG = "latest"
_OFFICIAL = "library/"
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_DOMAIN = re.compile(
    r"(?:(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*"
    r"|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
)
_PATH = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_HEX_ID = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Reference:
    """A parsed name; ``tag`` and ``digest`` are empty when not given."""

    domain: str
    path: str
    tag: str = ""
    digest: str = ""

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Read what a user typed; BadParameter("invalid reference format") as Docker says it."""
        if _HEX_ID.fullmatch(text):
            raise BadParameter(
                f"invalid repository name ({text}), cannot specify 64-byte hexadecimal strings"
            )
        rest, at, digest = text.partition("@")
        if at and not _DIGEST.fullmatch(digest):
            raise BadParameter("invalid reference format")
        head, slash, tail = rest.partition("/")
        if slash and ("." in head or ":" in head or head == "localhost" or head.lower() != head):
            domain, rest = head, tail
        else:
            domain = DEFAULT_DOMAIN
        path, colon, tag = rest.partition(":")
        if domain == "index.docker.io":
            domain = DEFAULT_DOMAIN
        if domain == DEFAULT_DOMAIN and "/" not in path:
            path = _OFFICIAL + path
        if path.lower() != path and _PATH.fullmatch(path.lower()):
            raise BadParameter(f"invalid reference format: repository name ({path}) must be lowercase")
        valid = _PATH.fullmatch(path) and _DOMAIN.fullmatch(domain) and len(path) <= 255
        if not valid or (colon and not _TAG.fullmatch(tag)):
            raise BadParameter("invalid reference format")
        return cls(domain, path, tag, digest)

    def tagged(self, tag: str = "") -> Reference:
        """With ``tag``, or with ``latest`` where neither a tag nor a digest is there."""
        if tag and not _TAG.fullmatch(tag):
            raise BadParameter(f"invalid tag format: {tag}")
        if tag:
            return replace(self, tag=tag)
        return self if self.tag or self.digest else replace(self, tag=DEFAULT_TAG)

    @property
    def name(self) -> str:
        """The full repository: ``docker.io/library/debian``."""
        return f"{self.domain}/{self.path}"

    @property
    def familiar_name(self) -> str:
        """The repository as people write it: ``debian``."""
        if self.domain != DEFAULT_DOMAIN:
            return self.name
        return self.path.removeprefix(_OFFICIAL) if self.path.count("/") == 1 else self.path

    @property
    def suffix(self) -> str:
        """``:tag``, ``@digest``, or both."""
        return (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")

    @property
    def canonical(self) -> str:
        """How it is stored; a digest makes a tag beside it meaningless."""
        return self.name + (f"@{self.digest}" if self.digest else f":{self.tag}")

    @property
    def familiar(self) -> str:
        """How it is shown: ``debian:bookworm-slim``."""
        return self.familiar_name + self.suffix
