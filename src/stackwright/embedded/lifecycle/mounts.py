"""What a container mounts: binds, `--mount`, `--tmpfs`, `--volumes-from` and the image's VOLUMEs as one
list. Pure.

A destination named by several sources is taken from the first of: Binds and Mounts (twice there is an error),
Tmpfs, VolumesFrom, then the volumes of image and config, which only fill what is still free.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Sequence

from stackwright.embedded.errors import BadParameter
from stackwright.embedded.lifecycle.config import HostConfig, MountConfig
from stackwright.embedded.lifecycle.record import MountPoint

_PROPAGATION = {"shared", "rshared", "slave", "rslave", "private", "rprivate"}
_IGNORED_MODES = {"z", "Z", "consistent", "cached", "delegated", "rw"}


def plan_mounts(
    host: HostConfig, volumes: Iterable[str], inherited: Sequence[tuple[list[MountPoint], str]] = ()
) -> list[MountPoint]:
    """All mounts of a new container, shortest destination first so that nested ones end up inside.

    `volumes`: destinations of config and image. `inherited`: mounts of other containers (VolumesFrom) with
    the mode they are taken over in ("", ro, rw). Volume mounts without a name are anonymous. Raises
    BadParameter.
    """
    found: dict[str, MountPoint] = {}
    explicit = [parse_bind(text) for text in host.binds] + [from_mount(m) for m in host.mounts]
    for mount in explicit:
        if mount.destination in found:
            raise BadParameter(f"Duplicate mount point: {mount.destination}")
        found[mount.destination] = mount
    for destination, options in host.tmpfs.items():
        destination = _destination(destination)
        if destination in found:
            raise BadParameter(f"Duplicate mount point: {destination}")
        found[destination] = MountPoint(kind="tmpfs", destination=destination, options=options)
    for mounts, mode in inherited:
        for mount in mounts:
            if mount.kind != "tmpfs":
                found.setdefault(mount.destination, _inherit(mount, mode))
    for destination in volumes:
        destination = _destination(destination)
        found.setdefault(
            destination, MountPoint(kind="volume", destination=destination, anonymous=True, driver="local")
        )
    return sorted(found.values(), key=lambda m: m.destination.count("/") if m.destination != "/" else 0)


def parse_bind(text: str) -> MountPoint:
    """`[source:]destination[:mode]`, e.g. `/srv/data:/data:ro`, `cache:/cache`, `/anonymous`."""
    parts = text.split(":")
    if len(parts) == 1:
        return MountPoint(kind="volume", destination=_destination(parts[0]), anonymous=True, driver="local")
    if len(parts) > 3 or not parts[0]:
        raise BadParameter(f"invalid volume specification: '{text}'")
    source, destination, mode = parts[0], parts[1], parts[2] if len(parts) == 3 else ""
    is_bind = source.startswith("/")
    if not is_bind and ("/" in source or source in (".", "..")):
        raise BadParameter(
            f'create {source}: "{source}" includes invalid characters for a local volume name, only '
            '"[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. '
            "If you intended to pass a host directory, use absolute path"
        )
    mount = MountPoint(
        kind="bind" if is_bind else "volume",
        source=posixpath.normpath(source) if is_bind else "",
        name="" if is_bind else source,
        driver="" if is_bind else "local",
        destination=_destination(destination),
        mode=mode if is_bind else mode or "z",  # as Docker shows it, SELinux or not
        propagation="rprivate" if is_bind else "",
    )
    for option in mode.split(",") if mode else ():
        if option == "ro":
            mount.readonly = True
        elif option in ("nocopy", "volume-nocopy"):
            mount.no_copy = True
        elif option in _PROPAGATION:
            mount.propagation = option
        elif option not in _IGNORED_MODES:
            raise BadParameter(f'invalid mode: {option} in volume specification "{text}"')
    return mount


def from_mount(mount: MountConfig) -> MountPoint:
    """One entry of `Mounts`."""
    destination = _destination(mount.target)
    if mount.type == "tmpfs":
        options = mount.tmpfs_options or {}
        words = [f"size={options['SizeBytes']}"] if options.get("SizeBytes") else []
        words += [f"mode={int(options['Mode']):o}"] if options.get("Mode") else []
        words += [
            item[0] if len(item) == 1 else f"{item[0]}={item[1]}" for item in options.get("Options") or ()
        ]
        return MountPoint(
            kind="tmpfs", destination=destination, options=",".join(words), readonly=mount.read_only
        )
    if mount.type == "bind":
        bind = mount.bind_options or {}
        if not mount.source.startswith("/"):
            raise BadParameter(
                'invalid mount config for type "bind": invalid mount path: '
                f"'{mount.source}' mount path must be absolute"
            )
        return MountPoint(
            kind="bind",
            source=posixpath.normpath(mount.source),
            destination=destination,
            readonly=mount.read_only,
            propagation=bind.get("Propagation") or "rprivate",
            recursive=not bind.get("NonRecursive", False),
            options="create" if bind.get("CreateMountpoint") else "must-exist",
        )
    if mount.type == "volume":
        if mount.read_only and not mount.source:
            raise BadParameter(
                'invalid mount config for type "volume": must not set ReadOnly mode when using anonymous volumes'
            )
        volume = mount.volume_options or {}
        return MountPoint(
            kind="volume",
            name=mount.source,
            driver="local",
            destination=destination,
            readonly=mount.read_only,
            mode="z",
            no_copy=bool(volume.get("NoCopy", False)),
            subpath=str(volume.get("Subpath") or ""),
            anonymous=not mount.source,
        )
    raise BadParameter(f'invalid mount config for type "{mount.type}": mount type unknown')


def parse_volumes_from(text: str) -> tuple[str, str]:
    """`container[:ro|rw]` → container, mode."""
    name, _, mode = text.partition(":")
    if not name or mode not in ("", "ro", "rw", "z", "Z"):
        raise BadParameter(f"invalid volumes-from specification: '{text}'")
    return name, mode


def _inherit(mount: MountPoint, mode: str) -> MountPoint:
    copy = MountPoint(**{name: getattr(mount, name) for name in mount.__struct_fields__})
    copy.anonymous = False
    copy.no_copy = True
    if mode == "ro":
        copy.readonly = True
    return copy


def _destination(path: str) -> str:
    if not path.startswith("/"):
        raise BadParameter(
            f"invalid volume specification: '{path}': "
            f"invalid mount path: '{path}' mount path must be absolute"
        )
    clean = posixpath.normpath("/" + path.lstrip("/"))
    if clean == "/":
        raise BadParameter("invalid volume specification: destination can't be '/'")
    return clean
