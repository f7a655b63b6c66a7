"""A service's Dockerfile as rules see it."""

from __future__ import annotations

import os.path
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stackwright.checks.finding import Place
from stackwright.dockerfile import Dockerfile, DockerfileError, ExpansionError, Instruction, Stage, parse

if TYPE_CHECKING:
    from stackwright.checks.service import ServiceView


@dataclass(frozen=True, slots=True)
class BuildFile:
    """A Dockerfile that was read. ``problem`` is what is wrong with it, then ``file`` is None."""

    path: str
    text: str
    file: Dockerfile | None
    problem: str = ""
    problem_line: int = 0
    variables: tuple[tuple[str, str], ...] = ()

    def place(self, line: int) -> Place:
        """A line of the file."""
        return Place(self.path, line, 1)

    def stage(self, target: str) -> Stage | None:
        """The stage that a target names, the last one for an empty text; None when there is none."""
        if self.file is None:
            return None
        try:
            return self.file.stage(target)
        except DockerfileError:
            return None

    def lineage(self, target: str) -> list[Stage]:
        """The stage and those it builds upon by ``FROM``, itself first."""
        found: list[Stage] = []
        stage = self.stage(target)
        while stage is not None and self.file is not None and stage not in found:
            found.append(stage)
            stage = self.file.earlier_stage(self.base(stage), stage.index)
        return found

    def base(self, stage: Stage) -> str:
        """The image or stage after ``FROM``, variables filled in; empty when that cannot be known."""
        assert self.file is not None
        try:
            return self.file.base_of(stage, dict(self.variables))
        except (DockerfileError, ExpansionError):
            return ""

    def base_image(self, target: str) -> str:
        """The image from outside on which the target rests; empty when that cannot be known."""
        lineage = self.lineage(target)
        return self.base(lineage[-1]) if lineage else ""

    def instructions(self, target: str, *names: str) -> list[Instruction]:
        """The instructions of these names that make up the target, oldest first."""
        stages = reversed(self.lineage(target))
        return [one for stage in stages for one in stage.instructions if one.name in names]


def dockerfile_path(service: ServiceView) -> str:
    """The absolute path of a service's Dockerfile; empty when it is inline or not on this disk."""
    build = service.mapping("build")
    context, name = str(build.get("context") or ""), str(build.get("dockerfile") or "")
    if not name or "://" in context or context.startswith(("git@", "github.com/")):
        return ""
    return os.path.normpath(name if name.startswith("/") else os.path.join(context, name))  # noqa: PTH118


def read_build(service: ServiceView) -> BuildFile | None:
    """Read the Dockerfile of a service that is built; None when it is not there."""
    build = service.mapping("build")
    inline = build.get("dockerfile_inline")
    path = dockerfile_path(service)
    if inline:
        text, path = str(inline), ""
    else:
        data = service.subject.files.read(path) if path else None
        if data is None:
            return None
        text = data.decode("utf-8", "replace")
    return service.subject.memory.dockerfile(path, text, _arguments(service))


def _arguments(service: ServiceView) -> tuple[tuple[str, str], ...]:
    given = service.mapping("build", "args")
    return tuple(sorted((str(name), str(value)) for name, value in given.items() if value is not None))


def parse_build(path: str, text: str, arguments: tuple[tuple[str, str], ...]) -> BuildFile:
    """A Dockerfile's text, read; mistakes are kept with their line."""
    try:
        file = parse(text)
    except DockerfileError as error:
        return BuildFile(path, text, None, str(error), getattr(error, "line", 0) or 1)
    try:
        values = tuple(sorted(file.global_values(dict(arguments)).items()))
    except (DockerfileError, ExpansionError):
        values = arguments
    return BuildFile(path, text, file, variables=values)
