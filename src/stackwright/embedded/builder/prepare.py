"""Gets the mounts of one RUN step ready, and their mount points, outside of the layer to come."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import posixpath
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from stackwright.embedded.builder.agent import forwarded
from stackwright.embedded.builder.errors import StepFailed
from stackwright.embedded.builder.fingerprint import fingerprint
from stackwright.embedded.builder.runmounts import RunMount
from stackwright.embedded.builder.types import Lender, StepMount
from stackwright.embedded.builder.upper import Ownership, UpperWriter
from stackwright.embedded.images.view import LayerView
from stackwright.embedded.kernel.userns import give

CA_TARGET = "/run/stackwright/host-ca.crt"
CA_VARIABLES = (
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "PIP_CERT",
    "NODE_EXTRA_CA_CERTS",
    "GIT_SSL_CAINFO",
    "npm_config_cafile",
    "CARGO_HTTP_CAINFO",
    "AWS_CA_BUNDLE",
)
_FOLDERS = ("/proc", "/sys", "/dev")
_FILES = ("/etc/hosts", "/etc/resolv.conf", "/etc/hostname")

ViewOf = Callable[[str], Awaitable[LayerView]]
"""The files of ``from=``: a stage's or image's, or the context's for an empty name."""


class CacheFolders:
    """The folders of ``type=cache`` mounts, kept between builds."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._locks: dict[str, asyncio.Lock] = {}

    def folder(self, name: str) -> Path:
        """Where the cache of this id lives."""
        return self._root / hashlib.sha256(name.encode()).hexdigest()[:24]

    @asynccontextmanager
    async def locked(self, name: str) -> AsyncIterator[None]:
        """Alone with a cache (``sharing=locked``)."""
        async with self._locks.setdefault(name, asyncio.Lock()):
            yield


@dataclass(slots=True)
class Prepared:
    """Mounts, environment and the folder with mount points for one step."""

    mounts: list[StepMount] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)


class MountPreparer:
    """``folder``: a private one for this step; ``lender``: has secrets and agents; ``cwd``: the step's
    working directory.
    """

    def __init__(
        self,
        folder: Path,
        caches: CacheFolders,
        lender: Lender,
        view_of: ViewOf,
        cwd: str,
    ) -> None:
        self._folder, self._caches, self._lender = folder, caches, lender
        self._view_of, self._cwd = view_of, cwd

    async def cache_key(self, mounts: Sequence[RunMount]) -> list[str]:
        """What of the mounts decides about the step's result: their text and the content of bound files."""
        key = []
        for mount in mounts:
            key.append(mount.text)
            if mount.kind == "bind":
                view = await self._view_of(mount.origin)
                node = view.lookup(mount.source)
                if node is not None:
                    key.append(await asyncio.to_thread(fingerprint, view, node, owners=bool(mount.origin)))
        return key

    async def prepare(self, mounts: Sequence[RunMount], held: AsyncExitStack) -> Prepared:
        """Make ready what the mounts need; locks on caches and forwarded agents are held by ``held``."""
        done = Prepared()
        for number, mount in enumerate(mounts):
            match mount.kind:
                case "tmpfs":
                    done.mounts.append(StepMount("tmpfs", self._target(mount), size=mount.size))
                case "bind":
                    done.mounts.append(await self._bind(mount, number))
                case "cache":
                    done.mounts.append(await self._cache(mount, held))
                case "secret":
                    await self._secret(mount, number, done)
                case "ssh":
                    await self._ssh(mount, number, done, held)
        return done

    def _target(self, mount: RunMount) -> str:
        return posixpath.normpath(posixpath.join("/", self._cwd, mount.target))

    async def _bind(self, mount: RunMount, number: int) -> StepMount:
        view = await self._view_of(mount.origin)
        node = view.lookup(mount.source)
        if node is None:
            raise StepFailed(f'"{mount.source or "/"}" of --mount={mount.text}: not found')
        if mount.readonly and len(node.hosts) == 1:
            return StepMount("bind", self._target(mount), Path(node.host), readonly=True)
        # Several layers, or writes that must not reach the original: a copy that lives as long as the step.
        copy = self._folder / f"bind-{number}"
        copy.mkdir()
        writer = UpperWriter((), copy)
        kept = Ownership(owner=None)
        if node.is_dir:
            await asyncio.to_thread(writer.copy_tree, view, node, "/", kept)
            source = copy
        else:
            await asyncio.to_thread(writer.copy_file, node, "/file", kept)
            source = copy / "file"
        return StepMount("bind", self._target(mount), source, readonly=mount.readonly)

    async def _cache(self, mount: RunMount, held: AsyncExitStack) -> StepMount:
        name = mount.id or self._target(mount)
        if mount.sharing == "private":
            folder = self._folder / f"cache-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
        else:
            folder = self._caches.folder(name)
        if mount.sharing == "locked":
            await held.enter_async_context(self._caches.locked(name))
        if not folder.exists():
            folder.mkdir(parents=True)
            folder.chmod(mount.mode if mount.mode is not None else 0o755)
            if os.geteuid() == 0:
                give(str(folder), *mount.owner)
            if mount.origin:
                view = await self._view_of(mount.origin)
                node = view.lookup(mount.source)
                if node is not None and node.is_dir:
                    writer = UpperWriter((), folder)
                    await asyncio.to_thread(writer.copy_tree, view, node, "/", Ownership(owner=None))
        return StepMount("bind", self._target(mount), folder, readonly=mount.readonly)

    async def _secret(self, mount: RunMount, number: int, done: Prepared) -> None:
        name = mount.id or posixpath.basename(mount.target)
        content = await self._lender.secret(name)
        if content is None:
            if mount.required:
                raise StepFailed(f"secret {name}: not found")
            return
        if mount.env:
            done.environment[mount.env] = content.decode(errors="surrogateescape")
            if not mount.target:
                return
        file = self._folder / f"secret-{number}"
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
        with os.fdopen(descriptor, "wb") as out:
            out.write(content)
        file.chmod(mount.mode if mount.mode is not None else 0o400)
        if os.geteuid() == 0:
            give(str(file), *mount.owner)
        target = self._target(mount) if mount.target else f"/run/secrets/{name}"
        done.mounts.append(StepMount("bind", target, file, readonly=True))

    async def _ssh(self, mount: RunMount, number: int, done: Prepared, held: AsyncExitStack) -> None:
        name = mount.id or "default"
        place = self._folder / f"agent-{number}"
        place.mkdir()
        agent = await held.enter_async_context(self._lender.agent(name, place))
        if agent is None:
            if mount.required:
                raise StepFailed(
                    f"ssh agent {name}: not found (the client has to lend it, in Compose by build.ssh)"
                )
            return
        mode = mount.mode if mount.mode is not None else 0o600
        own = await held.enter_async_context(
            forwarded(agent, self._folder, f"ssh-{number}", mount.owner, mode)
        )
        target = self._target(mount) if mount.target else f"/run/buildkit/ssh_agent.{number}"
        done.mounts.append(StepMount("bind", target, own))
        done.environment.setdefault("SSH_AUTH_SOCK", target)


def scaffold(lower: Sequence[Path], folder: Path, mounts: Sequence[StepMount]) -> None:
    """Fill ``folder`` with the mount points that ``lower`` lacks: a layer above it that no image ever gets."""
    writer = UpperWriter(lower, folder)
    files = [*_FILES, *(m.target for m in mounts if m.source is not None and not m.source.is_dir())]
    folders = [*_FOLDERS, *(m.target for m in mounts if m.source is None or m.source.is_dir())]
    for target in folders:
        node = writer.view.lookup(target)
        if node is None or not node.is_dir:
            with contextlib.suppress(NotADirectoryError):
                writer.folder(target)
    for target in files:
        if writer.view.lookup(target) is None:
            with contextlib.suppress(NotADirectoryError):
                writer.write_file(target, b"", Ownership(), 0o644)
