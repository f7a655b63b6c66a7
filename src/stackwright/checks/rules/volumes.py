"""Volumes and data: what is lost, what two write, what is not there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from stackwright.checks.finding import Hit
from stackwright.checks.rule import ADVICE, ERROR, WARNING, rule
from stackwright.checks.service import ServiceView
from stackwright.checks.subject import Subject
from stackwright.model.marks import Map


def _targets(service: ServiceView) -> list[str]:
    found = [str(mount.get("target") or "") for mount in service.items("volumes")]
    found += [str(entry).partition(":")[0] for entry in service.data.get("tmpfs") or ()]
    return found


def _below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _keeps(service: ServiceView) -> bool:
    """Whether some mount holds the data of a service's program, or all of it is meant to be lost."""
    assert service.software is not None
    folders = [*service.software.data]
    for name, value in service.environment.items():
        if name.endswith(("PGDATA", "DATA_DIR", "DATADIR", "LOG_DIRS", "DATA_PATH")) and value.startswith(
            "/"
        ):
            folders.append(value)
    words = service.command
    folders += [word.rpartition("=")[2] for word in words if "=/" in word and "dir" in word]
    folders += [
        words[index + 1] for index, word in enumerate(words[:-1]) if "dir" in word or word in ("-D", "-d")
    ]
    return any(
        _below(target, folder) or _below(folder, target)
        for target in _targets(service)
        for folder in folders
        if folder.startswith("/")
    )


@rule(
    "SW801",
    "state-without-volume",
    WARNING,
    production=ERROR,
    reason="The data is in the container: `down`, or any change of the service, deletes it.",
    mend="mount a named volume at its data folder",
)
def state_without_volume(subject: Subject) -> Iterator[Hit]:
    """A database or queue whose data folder is on no volume."""
    for service in subject.each:
        software = service.software
        if (
            software is None
            or not software.stateful
            or not software.data
            or _keeps(service)
            or service.one_shot
        ):
            continue
        if (
            service.data.get("volumes_from")
            or subject.kind == "test"
            or service.command[:1] in (["sh"], ["/bin/sh"], ["bash"])
        ):
            continue
        folder = _folder(service)
        near = next((target for target in _targets(service) if _similar(target, folder)), "")
        detail = f" (it is at {folder}, not at {near})" if near else ""
        mark = service.key("volumes") if near else service.mark
        yield service.hit(
            f"keeps the data of {software.name} on no volume{detail}",
            mark,
            "volumes",
            mend=f'add a volume: "{service.name}_data:{folder}"',
        )


def _folder(service: ServiceView) -> str:
    assert service.software is not None and service.image is not None
    if service.software.name == "PostgreSQL" and service.image.repository == "postgres":
        major = service.image.version[0] if service.image.version else 17
        return "/var/lib/postgresql" if major >= 18 else "/var/lib/postgresql/data"
    bitnami = service.image.repository.startswith("bitnami")
    return next(
        (folder for folder in service.software.data if folder.startswith("/bitnami") == bitnami),
        service.software.data[0],
    )


def _similar(target: str, folder: str) -> bool:
    words = {word for word in re.split(r"[/_-]", folder) if len(word) > 3}
    return (
        target not in ("", "/") and bool(words & set(re.split(r"[/_-]", target))) and "initdb" not in target
    )


@rule(
    "SW802",
    "volume-of-two-databases",
    ERROR,
    reason="Two database servers on the same files destroy them.",
    mend="give each a volume of its own",
)
def volume_of_two_databases(subject: Subject) -> Iterator[Hit]:
    """One volume as the data folder of two databases."""
    first: dict[tuple[str, str], ServiceView] = {}
    for service in subject.each:
        if (
            service.software is None
            or not service.software.single
            or not service.software.data
            or service.command[:1] in (["sh"], ["/bin/sh"], ["bash"])
        ):
            continue
        for index, mount in enumerate(service.items("volumes")):
            source, target = str(mount.get("source") or ""), str(mount.get("target") or "")
            held = any(_below(target, folder) or _below(folder, target) for folder in service.software.data)
            if (
                mount.get("type") not in ("volume", "bind")
                or not source
                or not held
                or mount.get("read_only")
            ):
                continue
            subpath = str((mount.get("volume") or {}).get("subpath") or "")
            other = first.setdefault((source, subpath), service)
            if (
                other is not service
                and service.together_with(other)
                and not other.one_shot
                and not service.one_shot
            ):
                message = f'and "{other.name}" both keep their data on the volume "{source}"'
                yield service.hit(message, service.at("volumes", index), "volumes")


@rule(
    "SW803",
    "bind-missing",
    WARNING,
    reason="Docker makes an empty folder owned by root in the place of what is missing: a program that expects a file there fails in odd ways.",
    mend="create it, or correct the path",
)
def bind_missing(subject: Subject) -> Iterator[Hit]:
    """A bind mount of something inside the project that does not exist."""
    if not subject.files.look:
        return
    for service in subject.each:
        for index, mount in enumerate(service.items("volumes")):
            source = str(mount.get("source") or "")
            inside = _below(source, subject.folder) or (
                source.startswith("/") and _project_parent(subject.folder, source)
            )
            if mount.get("type") != "bind" or not inside or subject.files.exists(source):
                continue
            refuses = (mount.get("bind") or {}).get("create_host_path") is False
            file = bool(PurePosixPath(source).suffix) and bool(PurePosixPath(str(mount.get("target"))).suffix)
            if not file and not refuses and not mount.get("read_only"):
                continue  # An empty folder for data is what the mount is meant to make.
            what = "which does not exist" + (
                ": the mount makes a folder of that name" if file and not refuses else ""
            )
            yield service.hit(f"mounts {source}, {what}", service.at("volumes", index), "volumes")


def _project_parent(folder: str, source: str) -> bool:
    """Whether a path lies beside the project's folder (``../shared``)."""
    parent = folder.rpartition("/")[0]
    return parent.count("/") > 1 and _below(source, parent)


_DISPOSABLE = re.compile(
    r"node_modules|vendor|\.venv|venv|\.next|target|dist|build|tmp|cache|\.cache|\.git|__pycache__|log|run|obj|bin|\.gradle|\.m2|bundle|site-packages|pkg"
)


@rule(
    "SW804",
    "anonymous-volume",
    WARNING,
    reason="A volume without a name is not found again: `down -v`, or a change of the project's name, loses the data, and old copies pile up.",
    mend="give the volume a name",
)
def anonymous_volume(subject: Subject) -> Iterator[Hit]:
    """Data of a well-known program on a volume without a name."""
    for service in subject.each:
        if service.software is None or not service.software.data:
            continue
        for index, mount in enumerate(service.items("volumes")):
            target = str(mount.get("target") or "")
            held = any(_below(target, folder) or _below(folder, target) for folder in service.software.data)
            if (
                mount.get("type") == "volume"
                and not mount.get("source")
                and held
                and not _DISPOSABLE.search(target)
            ):
                yield service.hit(
                    f"keeps {target} on a volume without a name", service.at("volumes", index), "volumes"
                )


@rule(
    "SW805",
    "source-in-production",
    None,
    production=WARNING,
    reason="What runs is then not the image that was tested, but whatever lies in that folder of the machine.",
    mend="copy it into the image",
)
def source_in_production(subject: Subject) -> Iterator[Hit]:
    """The source code mounted over that of the image in production."""
    for service in subject.each:
        context = str(service.mapping("build").get("context") or "")
        for index, mount in enumerate(service.items("volumes") if context.startswith("/") else ()):
            source = str(mount.get("source") or "")
            code = _below(context, source) or (
                _below(source, context)
                and PurePosixPath(source).name
                in ("src", "app", "lib", "server", "client", "public", "pages", "components")
            )
            if mount.get("type") == "bind" and code:
                yield service.hit(
                    f"runs code from the machine's {source}", service.at("volumes", index), "volumes"
                )


@rule(
    "SW806",
    "device-missing",
    ERROR,
    reason="Unlike a bind mount, a volume with a device does not make the folder: the container fails to start.",
    mend="create the folder, or use a plain named volume",
)
def device_missing(subject: Subject) -> Iterator[Hit]:
    """A volume bound to a folder that does not exist."""
    if not subject.files.look:
        return
    volumes = subject.section("volumes")
    for name, volume in volumes.items():
        options = (volume or {}).get("driver_opts") or {}
        device = str(options.get("device") or "")
        if "bind" not in str(options.get("o") or "").split(",") or not device or "\\" in device:
            continue
        mark = options.mark_at("device") if type(options) is Map else volumes.key_mark(name)
        path = f"volumes.{name}.driver_opts"
        if not device.startswith(("/", "~")):
            message = f'volume "{name}" is the folder {device}, which is relative: the engine refuses it'
            mend = "add driver: local, with which Compose makes it absolute, or write an absolute path"
            yield Hit(message, mark, path=path, mend=mend)
        elif not subject.files.is_folder(device):
            yield Hit(f'volume "{name}" is the folder {device}, which does not exist', mark, path=path)


@rule(
    "SW807",
    "configuration-writable",
    ADVICE,
    reason="A program that can write its own configuration can be made to change it.",
    mend='add ":ro"',
    fixable=False,
)
def configuration_writable(subject: Subject) -> Iterator[Hit]:
    """A single configuration file mounted for writing into an image from a registry."""
    for service in subject.each:
        for index, mount in enumerate(service.items("volumes") if service.software else ()):
            target = PurePosixPath(str(mount.get("target") or ""))
            known = target.suffix in (
                ".conf",
                ".cnf",
                ".ini",
                ".toml",
                ".yml",
                ".yaml",
                ".sql",
                ".xml",
                ".cfg",
            )
            if mount.get("type") == "bind" and known and not mount.get("read_only"):
                yield service.hit(f"may change {target}", service.at("volumes", index), "volumes")


@rule(
    "SW808",
    "evicting-queue",
    WARNING,
    reason="Redis told to keep data on disk and to throw any key away when it is full loses jobs and sessions without a word.",
    mend="use --maxmemory-policy noeviction for data that counts, or switch off appendonly for a mere cache",
)
def evicting_queue(subject: Subject) -> Iterator[Hit]:
    """Redis with persistence and an eviction policy for all keys."""
    for service in subject.each:
        words = " ".join(service.command).split()
        if (
            service.software is None
            or service.software.name != "Redis"
            or "--maxmemory-policy" not in words[:-1]
        ):
            continue
        policy = words[words.index("--maxmemory-policy") + 1]
        kept = "--appendonly" in words[:-1] and words[words.index("--appendonly") + 1] == "yes"
        if policy.startswith("allkeys-") and kept:
            yield service.hit(
                f"keeps its data on disk and throws any of it away when it is full ({policy})",
                service.at("command"),
                "command",
            )


@rule(
    "SW809",
    "mount-hides-mount",
    WARNING,
    reason="What is mounted at a folder hides what was mounted below it before.",
    mend="mount the outer folder first, or put the inner one elsewhere",
)
def mount_hides_mount(subject: Subject) -> Iterator[Hit]:
    """A tmpfs over a folder that also has a volume at the same place or below."""
    for service in subject.each:
        temporary = [str(entry).partition(":")[0] for entry in service.data.get("tmpfs") or ()]
        # The same path, written the same, is a mistake of the model.
        for index, mount in enumerate(service.items("volumes")):
            target = str(mount.get("target") or "")
            if (
                mount.get("type") == "volume"
                and mount.get("source")
                and target not in temporary
                and target.rstrip("/") in {one.rstrip("/") for one in temporary}
            ):
                yield service.hit(
                    f"has a volume and a tmpfs at {target}", service.at("volumes", index), "volumes"
                )
