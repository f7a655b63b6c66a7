"""A service's volumes, configs and secrets → binds and mounts (Engine API: HostConfig)."""

from __future__ import annotations

import posixpath
from typing import Any

from msgspec import Struct

from stackwright.model.project import Project
from stackwright.model.types import Config, FileReference, Mount, Secret, Service

JSON = dict[str, Any]


class Inherited(Struct, frozen=True):
    """An anonymous volume that the container's predecessor had, by volume name and target."""

    volume: str
    target: str
    writable: bool = True


class Volumes(Struct, frozen=True):
    """Binds in short form and mounts in long form, as HostConfig takes them."""

    binds: tuple[str, ...]
    mounts: tuple[JSON, ...]


class InjectedFile(Struct, frozen=True):
    """A config or secret that is copied into the container before it starts."""

    target: str
    content: bytes | None
    file: str
    uid: int
    gid: int
    mode: int


def of(project: Project, service: Service, inherited: tuple[Inherited, ...]) -> Volumes:
    """All mounts of a container. A later entry for the same target replaces an earlier one."""
    by_target: dict[str, str | JSON] = {}
    for old in inherited:
        by_target[old.target] = {
            "Type": "volume",
            "Source": old.volume,
            "Target": old.target,
            "ReadOnly": not old.writable,
        }
    for mount in service.volumes:
        target = mount.target.rstrip("/") or "/"
        if mount.type == "volume" and not mount.source and target in by_target:
            continue  # anonymous, and the predecessor's data is kept
        by_target[target] = _bind_text(project, mount) or _mount(project, mount)
    for reference, entry in _files(project, service):
        if entry.file and not _needs_copy(reference):
            target = _target(reference, secret=entry is project.secrets.get(reference.source))
            by_target[target] = {
                "Type": "bind",
                "Source": entry.file,
                "Target": target,
                "ReadOnly": True,
                "BindOptions": {},
            }
    values = list(by_target.values())
    return Volumes(
        tuple(value for value in values if isinstance(value, str)),
        tuple(value for value in values if not isinstance(value, str)),
    )


def injected(project: Project, service: Service) -> list[InjectedFile]:
    """Configs and secrets that cannot be bind-mounted: inline, from the environment, or with an owner."""
    result = []
    for reference, entry in _files(project, service):
        if entry.file and not _needs_copy(reference):
            continue
        secret = entry is project.secrets.get(reference.source)
        result.append(
            InjectedFile(
                target=_target(reference, secret=secret),
                content=None if entry.file else entry.content.encode(),
                file=entry.file,
                uid=int(reference.uid) if reference.uid.isdigit() else 0,
                gid=int(reference.gid) if reference.gid.isdigit() else 0,
                mode=0o444 if reference.mode is None else reference.mode,
            )
        )
    return result


def _files(project: Project, service: Service) -> list[tuple[FileReference, Secret | Config]]:
    found: list[tuple[FileReference, Secret | Config]] = []
    for references, table in ((service.configs, project.configs), (service.secrets, project.secrets)):
        for reference in references:
            entry = table.get(reference.source)
            if entry is not None and not entry.external:
                found.append((reference, entry))
    return found


def _needs_copy(reference: FileReference) -> bool:
    # A bind mount shows the host's owner and permissions; only a copy can have others.
    return bool(reference.uid or reference.gid or reference.mode is not None)


def _target(reference: FileReference, *, secret: bool) -> str:
    target = reference.target or reference.source
    if target.startswith("/"):
        return target
    return posixpath.join("/run/secrets" if secret else "/", target)


def _bind_text(project: Project, mount: Mount) -> str | None:
    """The short form, where it can say the same: only it creates a missing host folder."""
    if mount.type == "bind":
        options = mount.bind
        if options is not None and (not options.create_host_path or options.recursive):
            return None
        words = ["ro" if mount.read_only else "rw"]
        if options is not None and options.selinux:
            words.append(options.selinux)
        if options is not None and options.propagation:
            words.append(options.propagation)
        return f"{mount.source}:{mount.target}:{','.join(words)}"
    if mount.type == "volume" and mount.source:
        volume = mount.volume
        if volume is not None and (volume.subpath or volume.labels):
            return None
        words = ["ro" if mount.read_only else "rw"]
        if volume is not None and volume.nocopy:
            words.append("nocopy")
        return f"{project.volumes[mount.source].name}:{mount.target}:{','.join(words)}"
    return None


def _mount(project: Project, mount: Mount) -> JSON:
    source = mount.source
    if mount.type == "volume" and source in project.volumes:
        source = project.volumes[source].name
    result: JSON = {"Type": mount.type, "Target": mount.target, "ReadOnly": mount.read_only}
    if source:
        result["Source"] = source
    if mount.consistency:
        result["Consistency"] = mount.consistency
    if mount.type == "bind" and mount.bind is not None:
        result["BindOptions"] = {
            **({"Propagation": mount.bind.propagation} if mount.bind.propagation else {}),
            **({"CreateMountpoint": True} if mount.bind.create_host_path else {}),
            **({"NonRecursive": True} if mount.bind.recursive == "disabled" else {}),
        }
    if mount.type == "volume" and mount.volume is not None:
        result["VolumeOptions"] = {
            **({"NoCopy": True} if mount.volume.nocopy else {}),
            **({"Labels": mount.volume.labels} if mount.volume.labels else {}),
            **({"Subpath": mount.volume.subpath} if mount.volume.subpath else {}),
        }
    if mount.type == "tmpfs" and mount.tmpfs is not None:
        result["TmpfsOptions"] = {
            **({"SizeBytes": mount.tmpfs.size} if mount.tmpfs.size else {}),
            **({"Mode": mount.tmpfs.mode} if mount.tmpfs.mode else {}),
        }
    if mount.type == "image" and mount.image is not None and mount.image.subpath:
        result["ImageOptions"] = {"Subpath": mount.image.subpath}
    return result
