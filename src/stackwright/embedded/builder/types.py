"""What a build is asked to do, and what one RUN step asks of the runtime."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from stackwright.dockerfile import Dockerfile
from stackwright.embedded.builder.contexts import NamedContext
from stackwright.embedded.images.types import RegistryAuth


@dataclass(frozen=True, slots=True)
class Ulimit:
    """A limit of a step's processes, named as Docker names it (``nofile``); -1 for none."""

    name: str
    soft: int
    hard: int

    @classmethod
    def parse(cls, text: str) -> Ulimit:
        """Read ``nofile=1024:2048``; ValueError for anything else."""
        name, equals, limits = text.partition("=")
        soft, _, hard = limits.partition(":")
        if not name or not equals:
            raise ValueError(f"invalid ulimit {text!r}: expected NAME=SOFT[:HARD]")
        return cls(name, int(soft), int(hard or soft))


class Lender(Protocol):
    """Whoever lends a build what must not be part of it."""

    async def secret(self, name: str) -> bytes | None:
        """A secret, None when there is none of that name."""
        ...

    def agent(self, name: str, folder: Path) -> AbstractAsyncContextManager[Path | None]:
        """The socket of an SSH agent, None when there is none; ``folder`` is there for a socket made for this."""
        ...

    async def credentials(self, host: str) -> RegistryAuth | None:
        """For a registry."""
        ...


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """The query of ``POST /build``; see :func:`stackwright.embedded.builder.query.options_from_query`."""

    dockerfile: str = "Dockerfile"
    """Path inside the context."""
    tags: tuple[str, ...] = ()
    build_args: Mapping[str, str | None] = field(default_factory=dict)
    """None: take the engine's own environment variable of that name, as Docker does."""
    target: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    no_cache: bool = False
    pull: bool = False
    quiet: bool = False
    network: str = ""
    """Network mode of RUN steps: empty or ``default``, ``none``, ``host``, or a network's name."""
    extra_hosts: tuple[str, ...] = ()
    shm_size: int = 0
    """Bytes; 0 for the runtime's default."""
    memory: int = 0
    cpu_shares: int = 0
    cpu_period: int = 0
    """Microseconds."""
    cpu_quota: int = 0
    """Microseconds of a period."""
    ulimits: tuple[Ulimit, ...] = ()
    platform: str = ""
    cache_from: tuple[str, ...] = ()
    remote: str = ""
    """URL of a Dockerfile or context archive, fetched by the engine instead of a request body."""
    squash: bool = False
    host_ca: Path | None = None
    """The host's CA bundle, to be trusted by RUN steps and never part of a layer."""
    secrets: Mapping[str, bytes] = field(default_factory=dict)
    """For ``RUN --mount=type=secret,id=...`` (our own extension: header ``X-Stackwright-Build-Secrets``)."""
    ssh: Mapping[str, Path] = field(default_factory=dict)
    """Sockets of SSH agents on this host by id, for ``RUN --mount=type=ssh`` (our own extension: header
    ``X-Stackwright-Build-SSH``)."""
    lender: Lender | None = None
    """Asked for secrets, agents and credentials instead of ``secrets``, ``ssh`` and ``auth``."""
    contexts: Mapping[str, NamedContext] = field(default_factory=dict)
    """What names after ``FROM`` and ``--from=`` mean before stages and images are looked for."""
    auth: Mapping[str, RegistryAuth] = field(default_factory=dict)
    """Registry credentials by host name (``X-Registry-Config``)."""


class Given:
    """A :class:`Lender` of what came with the options."""

    def __init__(self, options: BuildOptions) -> None:
        self._options = options

    async def secret(self, name: str) -> bytes | None:
        """See Lender."""
        return self._options.secrets.get(name)

    @asynccontextmanager
    async def agent(self, name: str, folder: Path) -> AsyncIterator[Path | None]:
        """See Lender."""
        yield self._options.ssh.get(name)

    async def credentials(self, host: str) -> RegistryAuth | None:
        """See Lender."""
        auth = self._options.auth
        names = (host, f"https://{host}", "https://index.docker.io/v1/")
        usable = names if host == "docker.io" else names[:2]
        return next((auth[name] for name in usable if name in auth), None)


@dataclass(frozen=True, slots=True)
class StepMount:
    """A mount that exists for one RUN step only. Its mount point is already there in ``StepSpec.lower``."""

    kind: Literal["bind", "tmpfs"]
    target: str
    """Absolute path in the container."""
    source: Path | None = None
    """For ``bind``: file or folder on the host."""
    readonly: bool = False
    size: int = 0
    """For ``tmpfs``: bytes, 0 for the default."""
    mode: int | None = None


@dataclass(frozen=True, slots=True)
class StepSpec:
    """One RUN step: a process in a container whose root is an overlay of ``lower`` with all changes going
    to ``upper``.

    Mount the overlay with ``redirect_dir=off,metacopy=off,index=off``: the upper folder becomes a layer as
    it is.
    ``lower`` (topmost first) already holds mount points for proc, sys, dev, /etc/hosts, /etc/resolv.conf,
    /etc/hostname
    and ``mounts``, in a folder that is not part of the image, so nothing of them is left in the layer.
    """

    id: str
    """64 hex digits, as a container id: name cgroups and folders after it; the first 12 are its host name."""
    lower: tuple[Path, ...]
    upper: Path
    work: Path
    args: tuple[str, ...]
    env: tuple[str, ...]
    """``NAME=value``."""
    cwd: str
    user: str
    """``user[:group]`` by name or number, as in the image's configuration; empty for root."""
    mounts: tuple[StepMount, ...] = ()
    network: str = ""
    """As :attr:`BuildOptions.network`, or what ``RUN --network=`` says."""
    extra_hosts: tuple[str, ...] = ()
    shm_size: int = 0
    memory: int = 0
    cpu_shares: int = 0
    cpu_period: int = 0
    cpu_quota: int = 0
    ulimits: tuple[Ulimit, ...] = ()


class ContextSource(Protocol):
    """Where a build's files come from, when not in the body of a request."""

    async def fill(self, context: Path, folder: Path) -> Dockerfile:
        """Put the files into the empty folder ``context`` and give the Dockerfile; ``folder`` is the build's own,
        for whatever else is needed on the way.
        """
        ...


class RunStep(Protocol):
    """Implemented by the engine over its runtime; by the tests over a plain chroot."""

    async def __call__(self, step: StepSpec, output: Callable[[bytes], None]) -> int:
        """Run to the end and return the exit code (128 + n for a signal), passing stdout and stderr on as
        they come.

        When cancelled, kill the container, undo its mounts and only then raise CancelledError.
        Raises EngineError when the container could not be started at all.
        """
        ...
