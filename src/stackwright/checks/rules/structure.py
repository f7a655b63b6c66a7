"""References and structure: what is defined for nothing, or twice, or cannot mean what it says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from stackwright.checks.finding import Hit
from stackwright.checks.knowledge.software import SOFTWARE, Software
from stackwright.checks.rule import ADVICE, ERROR, WARNING, rule
from stackwright.checks.service import ServiceView, known
from stackwright.checks.subject import Subject
from stackwright.model.marks import Map, Seq
from stackwright.model.selection import used_resources


def _unused(subject: Subject, kind: str) -> Iterator[Hit]:
    services = Map()
    for part in (subject.section("services"), subject.model.disabled):
        services.update(part)
    used = used_resources(services)[kind]
    used |= _used_elsewhere(services, kind)
    resources = subject.section(kind)
    for name in resources:
        if name not in used and name != "default" and known(resources.key_mark(name)):
            word = kind.removesuffix("s")
            yield Hit(f'no service uses the {word} "{name}"', resources.key_mark(name), path=f"{kind}.{name}")


def _used_elsewhere(services: Map, kind: str) -> set[str]:
    """Names in places that are not looked at to decide what the engine must make."""
    if kind != "secrets":
        return set()
    return {
        str(item.get("source"))
        for service in services.values()
        for item in (service.get("build") or {}).get("secrets") or ()
    }


@rule(
    "SW101",
    "unused-volume",
    ADVICE,
    reason="A volume that nobody mounts is never made; often the service that should mount it names another one.",
    mend="mount it, or remove it",
)
def unused_volume(subject: Subject) -> Iterator[Hit]:
    """A volume of the file that no service mounts."""
    yield from _unused(subject, "volumes")


@rule(
    "SW102",
    "unused-network",
    ADVICE,
    reason="A network that nobody joins is never made; often a service was meant to join it.",
    mend="join it from a service, or remove it",
)
def unused_network(subject: Subject) -> Iterator[Hit]:
    """A network of the file that no service joins."""
    yield from _unused(subject, "networks")


@rule(
    "SW103",
    "unused-secret",
    ADVICE,
    reason="A secret or config that no service is given protects or configures nothing.",
    mend="give it to the service that needs it, or remove it",
)
def unused_secret(subject: Subject) -> Iterator[Hit]:
    """A secret or config that no service is given."""
    for kind in ("secrets", "configs"):
        yield from _unused(subject, kind)


@rule(
    "SW104",
    "one-image-two-builds",
    WARNING,
    reason="Both builds write the same image name, so which of the two every container gets depends on which build ends last.",
    mend="give each build an image name of its own, or build in one service and only name the image in the other",
)
def one_image_two_builds(subject: Subject) -> Iterator[Hit]:
    """Two services that build different things under one image name."""
    first: dict[str, ServiceView] = {}
    for service in subject.each:
        if "build" not in service.data or not service.image_text:
            continue
        other = first.setdefault(service.image_text, service)
        if other is service or not service.together_with(other):
            continue
        different = _different(service.mapping("build"), other.mapping("build"))
        if different:
            message = (
                f'and "{other.name}" both build the image "{service.image_text}", with different {different}'
            )
            related = ((f'the build of "{other.name}"', other.key("build")),)
            yield service.hit(message, service.at("image"), "image", related=related)


def _different(one: Map, other: Map) -> str:
    keys = ("context", "dockerfile", "dockerfile_inline", "target", "args", "platforms")
    return ", ".join(key for key in keys if (one.get(key) or None) != (other.get(key) or None))


_COMMAND = re.compile(r"\$\([^)]+\)|`[^`]+`")
_SHELLS = frozenset(
    {
        "sh",
        "bash",
        "ash",
        "zsh",
        "/bin/sh",
        "/bin/bash",
        "/bin/ash",
        "/usr/bin/env",
        "/usr/bin/bash",
        "CMD-SHELL",
    }
)


@rule(
    "SW105",
    "command-substitution",
    WARNING,
    reason="Compose runs no shell over the file: the container gets the text with $(...) in it, as it is.",
    mend="compute it before and pass it in a variable, or run the command through sh -c with $$( )",
)
def command_substitution(subject: Subject) -> Iterator[Hit]:
    """``$(command)`` where no shell will ever see it."""
    for service in subject.each:
        for key in ("command", "entrypoint"):
            words = service.data.get(key)
            shell = any(
                str(word).rpartition("/")[2] in _SHELLS or str(word) in ("-c", "-lc", "-ec", "-exc")
                for word in service.command
            )
            for word in words if isinstance(words, list) and not shell else ():
                if "$(" in str(word) and _COMMAND.search(str(word)) and service.data.get("entrypoint"):
                    yield service.hit(f'gets "{word}" as it is: no shell runs it', service.at(key), key)
                    break
                if "$(" in str(word) and _COMMAND.search(str(word)) and not _image_has_shell(service):
                    yield service.hit(f'gets "{word}" as it is: no shell runs it', service.at(key), key)
                    break
        given = service.mapping("environment")
        for name, value in service.environment.items():
            if (
                "$(" in value
                and _COMMAND.fullmatch(value.strip())
                and not subject.in_env_file(given.mark_at(name))
            ):
                yield service.hit(
                    f'gets {name}="{value}" as it is: no shell runs it', given.mark_at(name), "environment"
                )


def _image_has_shell(service: ServiceView) -> bool:
    """Whether the image may hand its command to a shell: those built here may."""
    return "build" in service.data


@rule(
    "SW106",
    "settings-of-another-program",
    WARNING,
    reason="The image does not read these settings: they belong to another program, probably copied with it.",
    mend="move them to the service they are for, or remove them",
)
def settings_of_another_program(subject: Subject) -> Iterator[Hit]:
    """Variables, configuration files or a command of one well-known program in the image of another."""
    for service in subject.each:
        software = service.software
        if software is None or software.kind not in ("database", "cache", "queue", "search"):
            continue
        given = service.mapping("environment")
        for name in service.environment:
            owner = _owner(name)
            if (
                owner is not None
                and not _same_world(software, owner)
                and not subject.in_env_file(given.mark_at(name))
            ):
                yield service.hit(
                    f"runs {software.name}, but {name} is a setting of {owner.name}",
                    given.key_mark(name),
                    "environment",
                )
        for index, mount in enumerate(service.items("volumes")):
            named = _owner_of_file(str(mount.get("target") or ""))
            if named and named != software.name and named not in _SAME.get(software.name, ()):
                yield service.hit(
                    f"runs {software.name}, but is given a file of {named}",
                    service.at("volumes", index),
                    "volumes",
                )
        binary = service.command[0].rpartition("/")[2] if service.command else ""
        for other in SOFTWARE:
            if binary in other.binaries and binary not in software.binaries:
                key = "command" if "command" in service.data else "entrypoint"
                yield service.hit(
                    f"runs the image of {software.name} with the command {binary} of {other.name}",
                    service.at(key),
                    key,
                )
                break


_SAME: dict[str, tuple[str, ...]] = {"MariaDB": ("MySQL",), "MySQL": ("MariaDB",)}
_PREFIXES = {
    "POSTGRES_": "PostgreSQL",
    "MYSQL_": "MySQL",
    "MARIADB_": "MariaDB",
    "MONGO_INITDB_": "MongoDB",
    "RABBITMQ_": "RabbitMQ",
    "KAFKA_": "Kafka",
    "CLICKHOUSE_": "ClickHouse",
}
_FILES = {
    "redis.conf": "Redis",
    "postgresql.conf": "PostgreSQL",
    "rabbitmq.conf": "RabbitMQ",
    "mongod.conf": "MongoDB",
    "my.cnf": "MySQL",
    "pg_hba.conf": "PostgreSQL",
}


def _owner(variable: str) -> Software | None:
    for prefix, name in _PREFIXES.items():
        if variable.startswith(prefix):
            return next(one for one in SOFTWARE if one.name == name)
    return None


def _same_world(software: Software, owner: Software) -> bool:
    return (
        software is owner
        or owner.name in _SAME.get(software.name, ())
        or {software.name, owner.name} == {"Kafka", "ZooKeeper"}
    )


def _owner_of_file(target: str) -> str:
    return _FILES.get(target.rpartition("/")[2], "")


@rule(
    "SW107",
    "duplicate-variable",
    WARNING,
    reason="Of two entries for one variable the last one counts, silently.",
    mend="keep one of them",
)
def duplicate_variable(subject: Subject) -> Iterator[Hit]:
    """A list of variables that names one twice with different values."""
    for raw in subject.raws:
        for name, service, _ in raw.services():
            given: Any = service.get("environment")
            if type(given) is not Seq:
                continue
            seen: dict[str, tuple[str, int]] = {}
            for index, entry in enumerate(given):
                variable, equals, value = str(entry).partition("=")
                before = seen.get(variable)
                if before is not None and equals and before[0] != value:
                    message = f'service "{name}" sets {variable} twice; the value here counts'
                    related = (("the other value", raw.place(given.mark_at(before[1]))),)
                    yield Hit(
                        message,
                        place=raw.place(given.mark_at(index)),
                        service=name,
                        path=f"services.{name}.environment",
                        related=related,
                    )
                seen[variable] = (value, index)


@rule(
    "SW108",
    "empty-image-part",
    ERROR,
    reason="An image name that ends in a colon, or has an empty part, is refused by every engine.",
    mend="set the variable, or give it a default: ${TAG:-1.0}",
)
def empty_image_part(subject: Subject) -> Iterator[Hit]:
    """An image whose tag or name is empty after variables were filled in."""
    for service in subject.each:
        text = service.image_text
        if text and (text.endswith((":", "/", "@")) or text.startswith((":", "/")) or "//" in text):
            message = f'has the image "{text}", which is no image name'
            known = subject.knows_an_env_file or subject.literal(service.at("image"))
            severity = None if known else WARNING
            yield service.hit(message, service.at("image"), "image", severity=severity)
