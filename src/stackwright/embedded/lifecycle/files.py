"""A container's folder under the state directory: its overlay, its identity files, what the monitor writes.

containers/<id>/fs/{upper,work,merged}      the writable layer and where init mounts it
containers/<id>/{hosts,hostname,resolv.conf} bind-mounted into /etc
containers/<id>/json.log, exit.json, …       the monitor's (containers/spec.py)
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from stackwright.embedded.containers.spec import Mount, Rootfs
from stackwright.embedded.errors import BadParameter, EngineError
from stackwright.embedded.lifecycle.record import Container, MountPoint
from stackwright.embedded.snapshots.frozen import FrozenStore, successor
from stackwright.embedded.trash import Trash
from stackwright.embedded.volumes.service import VolumeService

MARK = ".dockerenv"
"""In the root of every container; programs look for it to know that they are in one."""
IDENTITY = ("hosts", "hostname", "resolv.conf")


class ContainerFiles:
    """Makes, finds and removes the folders of containers."""

    def __init__(self, state_dir: Path, frozen: FrozenStore) -> None:
        self.root = state_dir / "containers"
        self.trash = Trash(state_dir / "trash")
        self._frozen = frozen
        self._writers: Counter[str] = Counter()

    def directory(self, container_id: str) -> Path:
        """The container's folder."""
        return self.root / container_id

    def create(self, container: Container) -> None:
        """Make the folder; on failure nothing is left."""
        directory = self.directory(container.id)
        try:
            directory.mkdir(parents=True, mode=0o710)
            for name in ("fs", "fs/upper", "fs/work", "fs/merged"):
                (directory / name).mkdir(mode=0o755)
            if container.frozen:
                successor(self._frozen.data(container.frozen[0]), directory / "fs" / "upper")
            else:
                (directory / "fs" / "upper" / MARK).touch(mode=0o755)
        except OSError as error:
            shutil.rmtree(directory, ignore_errors=True)
            raise EngineError(f"creating the container's folder: {error.strerror}: {directory}") from error

    def remove(self, container_id: str) -> None:
        """Take the folder away, now; what is in it is deleted behind the caller's back. Safe to call twice."""
        self.trash.throw(self.directory(container_id))

    @contextmanager
    def writing(self, container_id: str) -> Iterator[None]:
        """While somebody else than its processes writes into a container: it cannot be frozen."""
        self._writers[container_id] += 1
        try:
            yield
        finally:
            self._writers[container_id] -= 1
            if not self._writers[container_id]:
                del self._writers[container_id]

    def written_to(self, container_id: str) -> bool:
        """Whether somebody is in `writing`."""
        return container_id in self._writers

    def own_layers(self, container: Container) -> tuple[Path, ...]:
        """What differs from its image, topmost first: its writable layer, and what was frozen of it."""
        return (self.upper(container.id), *self._frozen.folders(container.frozen))

    def upper(self, container_id: str) -> Path:
        """The overlay's upper folder: what the container changed."""
        return self.directory(container_id) / "fs" / "upper"

    def rootfs(self, container: Container, layers: Sequence[Path]) -> Rootfs:
        """The overlay of the image's layers (topmost first) and what was frozen under the container's own."""
        fs = self.directory(container.id) / "fs"
        return Rootfs(
            lower=tuple(str(layer) for layer in (*self._frozen.folders(container.frozen), *layers)),
            upper=str(fs / "upper"),
            work=str(fs / "work"),
            merged=str(fs / "merged"),
            readonly=container.host_config.readonly_rootfs,
        )

    def write_identity(self, container_id: str, contents: dict[str, str]) -> None:
        """Write those of hosts, hostname, resolv.conf that are given; in place, since they may be mounted."""
        for name, text in contents.items():
            (self.directory(container_id) / name).write_text(text)

    def identity(self, container_id: str, name: str) -> str:
        """What is in one of them now; the container may have changed it. Empty where there is none."""
        path = self.directory(container_id) / name
        return path.read_text(errors="replace") if path.exists() else ""

    def identity_mounts(self, owner_id: str, taken: set[str]) -> tuple[Mount, ...]:
        """Mounts of the identity files (of `owner_id`, which is another in `container:` mode)."""
        directory = self.directory(owner_id)
        return tuple(
            Mount(kind="bind", source=str(directory / name), target=f"/etc/{name}")
            for name in IDENTITY
            if f"/etc/{name}" not in taken and (directory / name).exists()
        )


async def resolve_mount(mount: MountPoint, volumes: VolumeService) -> Mount:
    """A mount as decided at creation → as the container's init makes it now."""
    if mount.kind == "tmpfs":
        options = tuple(o for o in mount.options.split(",") if o and o not in ("ro", "rw"))
        readonly = mount.readonly or "ro" in mount.options.split(",")
        return Mount(kind="tmpfs", target=mount.destination, readonly=readonly, options=options)
    if mount.kind == "volume":
        wanted = await volumes.mount(volumes.get(mount.name))
        if wanted.kind == "tmpfs":
            return Mount(
                kind="tmpfs", target=mount.destination, readonly=mount.readonly, options=wanted.options
            )
        source = _inside(Path(wanted.source), mount.subpath) if mount.subpath else wanted.source
        return Mount(
            kind="volume",
            source=str(source),
            target=mount.destination,
            readonly=mount.readonly,
            options=wanted.options,
        )
    return Mount(
        kind="bind",
        source=bind_source(mount),
        target=mount.destination,
        readonly=mount.readonly,
        propagation=mount.propagation or "rprivate",
        recursive=mount.recursive,
    )


def bind_source(mount: MountPoint) -> str:
    """The host path of a bind; the short syntax makes a missing one as a folder, the long one refuses."""
    path = Path(mount.source)
    try:
        there = path.exists()
    except OSError as error:  # a folder on the way that the engine's user may not enter
        raise BadParameter(f"bind source path {mount.source}: {error.strerror}") from error
    if not there:
        if mount.options == "must-exist":
            raise BadParameter(
                f'invalid mount config for type "bind": bind source path does not exist: {mount.source}'
            )
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EngineError(
                f"error while creating mount source path '{mount.source}': mkdir {path}: {error.strerror}"
            ) from error
    return str(path)


def _inside(root: Path, subpath: str) -> Path:
    resolved = (root / subpath.lstrip("/")).resolve()
    if not resolved.is_relative_to(root.resolve()) or not resolved.exists():
        raise BadParameter(
            f"cannot access path {subpath} in the volume: it does not exist or leads out of it"
        )
    return resolved
