"""Portability: what works on one machine only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from stackwright.checks.finding import Fix, Hit, Place
from stackwright.checks.fixes import add_entries
from stackwright.checks.raw import RawFile
from stackwright.checks.rule import ADVICE, ERROR, WARNING, rule
from stackwright.checks.subject import Subject
from stackwright.checks.urls import own_hosts
from stackwright.model.marks import Map, Seq
from stackwright.refactor.edits import Edit

_WINDOWS = re.compile(r"^[A-Za-z]:[\\/]|^\.{0,2}\\|^\\\\|\w\\\w")


@rule(
    "SW1201",
    "windows-path",
    WARNING,
    reason="The path exists on a Windows machine only; on any other Docker makes an odd folder, or refuses it.",
    mend="write a path relative to the project with forward slashes",
)
def windows_path(subject: Subject) -> Iterator[Hit]:
    """A bind mount from a Windows path."""
    for raw in subject.raws:
        for name, service, _ in raw.services():
            volumes: Any = service.get("volumes")
            for index, volume in enumerate(volumes if type(volumes) is Seq else ()):
                source = str(volume.get("source") if type(volume) is Map else volume)
                if _WINDOWS.match(source) or (type(volume) is Map and "\\" in source):
                    place = raw.place(volumes.mark_at(index))
                    yield Hit(
                        f'service "{name}" mounts a path of Windows',
                        place=place,
                        service=name,
                        path=f"services.{name}.volumes",
                    )


@rule(
    "SW1202",
    "crlf-in-script",
    ERROR,
    reason='With Windows line ends the kernel looks for an interpreter called "sh\\r": the container ends with "no such file or directory".',
    mend="save it with line feeds only, and put *.sh text eol=lf into .gitattributes",
)
def crlf_in_script(subject: Subject) -> Iterator[Hit]:
    """A mounted shell script, or one next to a Dockerfile that is its entrypoint, with CRLF line ends."""
    for service in subject.each:
        for index, mount in enumerate(service.items("volumes")):
            source = str(mount.get("source") or "")
            if mount.get("type") == "bind" and source.endswith((".sh", ".bash")) and _crlf(subject, source):
                yield service.hit(
                    f"mounts the script {source}, which has Windows line ends",
                    service.at("volumes", index),
                    "volumes",
                )
        build, context = service.build, str(service.mapping("build").get("context") or "")
        if build is None or build.file is None or not build.path:
            continue
        for one in build.instructions(str(service.mapping("build").get("target") or ""), "COPY", "ADD"):
            for name in one.args[:-1] if not one.flag("from") else ():
                path = f"{context}/{name.removeprefix('./')}"
                if name.endswith((".sh", ".bash")) and _crlf(subject, path):
                    yield service.hit(
                        f"copies the script {name}, which has Windows line ends",
                        0,
                        "build",
                        place=build.place(one.line),
                    )


def _crlf(subject: Subject, path: str) -> bool:
    text = subject.files.read(path)
    return text is not None and text.startswith(b"#!") and b"\r\n" in text[:256]


@rule(
    "SW1203",
    "other-case",
    ERROR,
    reason="Linux tells capital letters from small ones: what macOS and Windows find is not there.",
    mend="write the name as the file has it",
)
def other_case(subject: Subject) -> Iterator[Hit]:
    """A path that exists with other capital letters only."""
    if not subject.files.look:
        return
    for service in subject.each:
        paths = [
            (str(mount.get("source") or ""), service.at("volumes", index))
            for index, mount in enumerate(service.items("volumes"))
            if mount.get("type") == "bind"
        ]
        paths.append((str(service.mapping("build").get("context") or ""), service.at("build", "context")))
        for path, mark in paths:
            folder, _, name = path.rpartition("/")
            names = subject.files.names(folder) if folder.startswith(subject.folder) and name else None
            other = (
                next((one for one in names or () if one.lower() == name.lower()), "")
                if names and name not in names
                else ""
            )
            if other:
                yield service.hit(f'names "{name}", but the file is called "{other}"', mark, "volumes")


@rule(
    "SW1204",
    "home-of-one-person",
    WARNING,
    reason="The path exists on one person's machine only.",
    mend="use a path relative to the project, or a variable",
)
def home_of_one_person(subject: Subject) -> Iterator[Hit]:
    """A bind mount from somebody's home folder, written out."""
    for service in subject.each:
        for index, mount in enumerate(service.items("volumes")):
            source = str(mount.get("source") or "")
            mark = service.at("volumes", index)
            home = re.match(r"/(?:home|Users)/([\w.-]+)/", source)
            if mount.get("type") == "bind" and home and home[0] in subject.written(mark):
                yield service.hit(f"mounts {source} out of the home folder of {home[1]}", mark, "volumes")


_HOST = "host.docker.internal"


@rule(
    "SW1205",
    "host-name-of-desktop",
    WARNING,
    reason="Only Docker Desktop knows the name host.docker.internal by itself; on Linux it must be added.",
    mend='add extra_hosts: ["host.docker.internal:host-gateway"]',
    fixable=True,
)
def host_name_of_desktop(subject: Subject) -> Iterator[Hit]:
    """``host.docker.internal`` in a service without the matching ``extra_hosts``."""
    for service in subject.each:
        given = service.mapping("environment")
        if _HOST in own_hosts(service) or service.data.get("network_mode") == "host":
            continue
        for name, value in service.environment.items():
            if _HOST in value:
                fix = None
                place = subject.place(service.mark)
                raw = next((raw for raw in subject.raws if raw.path == place.file), None)
                if (
                    raw is not None
                    and not service.data.get("extra_hosts")
                    and subject.place(given.mark_at(name)).file == raw.path
                ):
                    changes = (f"services.{service.name}.extra_hosts", f"disabled.{service.name}.extra_hosts")
                    fix = add_entries(
                        raw,
                        place,
                        ["extra_hosts:", f'  - "{_HOST}:host-gateway"'],
                        "add the host's name",
                        changes,
                    )
                yield service.hit(
                    f"reaches for {_HOST} in {name}", given.mark_at(name), "extra_hosts", fix=fix
                )
                break


@rule(
    "SW1206",
    "other-architecture",
    ADVICE,
    reason="On machines of another architecture the program runs in an emulator: several times slower, or not at all.",
    mend="leave platform out when the image exists for both",
)
def other_architecture(subject: Subject) -> Iterator[Hit]:
    """A fixed ``platform`` outside production."""
    for service in subject.each:
        platform = str(service.data.get("platform") or "")
        if platform and not subject.strict and subject.literal(service.at("platform")):
            yield service.hit(f"runs for {platform} on every machine", service.at("platform"), "platform")


@rule(
    "SW1207",
    "clock-file",
    ADVICE,
    reason="The file is there on Linux hosts only, and images without time zone data ignore it.",
    mend="set the variable TZ",
)
def clock_file(subject: Subject) -> Iterator[Hit]:
    """``/etc/localtime`` or ``/etc/timezone`` of the host mounted."""
    for service in subject.each:
        for index, mount in enumerate(service.items("volumes")):
            if mount.get("source") in ("/etc/localtime", "/etc/timezone"):
                yield service.hit(
                    f"mounts the host's {mount['source']}", service.at("volumes", index), "volumes"
                )


@rule(
    "SW1208",
    "crlf-in-compose",
    ADVICE,
    reason="Values over several lines, such as scripts, get the carriage returns, too.",
    mend="save the file with line feeds only",
    fixable=True,
)
def crlf_in_compose(subject: Subject) -> Iterator[Hit]:
    """A Compose file with Windows line ends."""
    for raw in subject.raws:
        if b"\r\n" in raw.text:
            yield Hit("the file has Windows line ends", place=Place(raw.path, 1, 1), fix=_line_feeds(raw))


def _line_feeds(raw: RawFile) -> Fix:
    edits = []
    at = raw.text.find(b"\r\n")
    while at >= 0:
        edits.append(Edit(raw.path, at, at + 1))
        at = raw.text.find(b"\r\n", at + 2)
    return Fix("save with line feeds", tuple(edits))
