# ruff: noqa: RUF012 - msgspec copies empty defaults
"""``services.*.build`` (Compose Build Specification)."""

from stackwright.model.types.base import Bytes, Extensions, Value
from stackwright.model.types.mounts import FileReference


class Ulimit(Value, frozen=True, kw_only=True):
    """A resource limit of a container's processes. A single number sets both."""

    soft: int = 0
    hard: int = 0


class Build(Value, frozen=True, kw_only=True):
    """How to build a service's image. Paths are absolute unless they are URLs."""

    context: str = ""
    dockerfile: str = ""
    """Relative to the context; ``Dockerfile`` by default; empty with ``dockerfile_inline``."""
    dockerfile_inline: str = ""
    entitlements: list[str] = []
    args: dict[str, str | None] = {}
    """Resolved from the environment; None: named without a value anywhere."""
    provenance: str = ""
    sbom: str = ""
    ssh: dict[str, str] = {}
    """Agent name to socket path; an empty path is the default agent."""
    labels: dict[str, str] = {}
    cache_from: list[str] = []
    cache_to: list[str] = []
    no_cache: bool = False
    no_cache_filter: list[str] = []
    """Stages for which no cache is used."""
    additional_contexts: dict[str, str] = {}
    pull: bool = False
    extra_hosts: dict[str, list[str]] = {}
    isolation: str = ""
    network: str = ""
    target: str = ""
    secrets: list[FileReference] = []
    shm_size: Bytes = 0
    tags: list[str] = []
    ulimits: dict[str, Ulimit] = {}
    platforms: list[str] = []
    privileged: bool = False
    extensions: Extensions = {}
