"""Syntax that still works, or never did anything, and that newer syntax has replaced."""

from __future__ import annotations

from collections.abc import Iterator

from stackwright.checks.finding import Hit
from stackwright.checks.fixes import remove_entry
from stackwright.checks.rule import ADVICE, WARNING, rule
from stackwright.checks.subject import Subject
from stackwright.model.marks import Map


@rule(
    "SW1301",
    "version-key",
    ADVICE,
    reason="Compose ignores the version and says so on every command.",
    mend="remove the line",
    fixable=True,
)
def version_key(subject: Subject) -> Iterator[Hit]:
    """``version:`` at the top of a file."""
    for raw in subject.raws:
        for top in raw.tops:
            if "version" in top:
                place = raw.place(top.key_mark("version"))
                fix = remove_entry(raw, place, "remove the obsolete version")
                yield Hit(f"`version: {top['version']}` is obsolete", place=place, path="version", fix=fix)


@rule(
    "SW1302",
    "links",
    WARNING,
    reason="Links are a leftover of the time before networks: services on one network already find each other by name.",
    mend="remove links; use depends_on for the order, and networks.<name>.aliases for another name",
)
def links(subject: Subject) -> Iterator[Hit]:
    """``links`` and ``external_links``."""
    for service in subject.each:
        for key in ("links", "external_links"):
            if service.data.get(key):
                message = f'service "{service.name}" uses {key}'
                yield Hit(
                    message, service.key(key), service=service.name, path=f"services.{service.name}.{key}"
                )


@rule(
    "SW1303",
    "external-name",
    WARNING,
    reason="The long form of external has been replaced by name beside it.",
    mend="write external: true and name: ... beside it",
    fixable=True,
)
def external_name(subject: Subject) -> Iterator[Hit]:
    """``external: {name: ...}``."""
    from stackwright.checks.fixes import external_beside

    for raw in subject.raws:
        for top in raw.tops:
            for kind in ("networks", "volumes", "secrets", "configs"):
                resources = top.get(kind)
                for name, resource in resources.items() if type(resources) is Map else ():
                    external = resource.get("external") if type(resource) is Map else None
                    if type(external) is Map and external.get("name"):
                        place = raw.place(resource.key_mark("external"))
                        message = f'{kind}.{name}: "external: name:" is the old form'
                        fix = external_beside(raw, place, str(external["name"]), "name" in resource)
                        yield Hit(message, place=place, path=f"{kind}.{name}.external", fix=fix)


@rule(
    "SW1304",
    "volumes-from",
    ADVICE,
    reason="Which folders come along is decided in another service and cannot be seen here.",
    mend="mount the named volumes in both services",
)
def volumes_from(subject: Subject) -> Iterator[Hit]:
    """``volumes_from``."""
    for service in subject.each:
        if service.data.get("volumes_from"):
            message = f'service "{service.name}" uses volumes_from'
            yield Hit(
                message,
                service.key("volumes_from"),
                service=service.name,
                path=f"services.{service.name}.volumes_from",
            )


@rule(
    "SW1305",
    "runtime-nvidia",
    ADVICE,
    reason="The nvidia runtime has been replaced by device requests, which need no change of the engine's settings.",
    mend="remove runtime and write gpus: all",
)
def runtime_nvidia(subject: Subject) -> Iterator[Hit]:
    """``runtime: nvidia``."""
    for service in subject.each:
        if service.data.get("runtime") == "nvidia":
            message = f'service "{service.name}" uses the runtime "nvidia"'
            yield Hit(
                message, service.key("runtime"), service=service.name, path=f"services.{service.name}.runtime"
            )
