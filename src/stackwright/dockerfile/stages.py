"""A whole Dockerfile: global arguments, stages, and which stage needs which."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from stackwright.dockerfile.errors import DockerfileError
from stackwright.dockerfile.instruction import Instruction, parse_instruction
from stackwright.dockerfile.lines import Directives, logical_lines, read_directives
from stackwright.dockerfile.words import expand, strip_quotes

_STAGE_NAME = re.compile(r"[a-z][a-z0-9-_.]*")
MAX_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Stage:
    """From one ``FROM`` to the next. ``name`` is empty when it has none."""

    index: int
    name: str
    start: Instruction
    instructions: tuple[Instruction, ...]

    @property
    def base(self) -> str:
        """What ``FROM`` names, variables not filled in."""
        return self.start.args[0]


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """A parsed file. ``global_args``: the ``ARG`` instructions before the first ``FROM``."""

    directives: Directives
    global_args: tuple[Instruction, ...]
    stages: tuple[Stage, ...]

    def stage(self, target: str) -> Stage:
        """The stage of a name or number, the last one for an empty string."""
        if not target:
            return self.stages[-1]
        for stage in self.stages:
            if stage.name and stage.name == target.lower():
                return stage
        if target.isdigit() and int(target) < len(self.stages):
            return self.stages[int(target)]
        raise DockerfileError(f"failed to reach build target {target} in Dockerfile")

    def earlier_stage(self, reference: str, before: int) -> Stage | None:
        """The stage that a ``FROM`` or ``--from=`` inside stage ``before`` means; None for an image."""
        for stage in reversed(self.stages[:before]):
            if stage.name and stage.name == reference.lower():
                return stage
        if reference.isdigit() and int(reference) < before:
            return self.stages[int(reference)]
        return None

    def check_from(self, reference: str, stage: Stage) -> None:
        """DockerfileError when ``--from=`` names its own stage or a number that is none yet."""
        own = {str(stage.index), stage.name} - {""}
        if reference.lower() in own:
            raise DockerfileError(f"invalid from flag value {reference}: refers to current build stage")
        if reference.isdigit() and int(reference) >= stage.index:
            raise DockerfileError(
                f"invalid from flag value {reference}: no stage of that number before this one"
            )

    def global_values(self, build_args: Mapping[str, str | None]) -> dict[str, str]:
        """Values of the global arguments: from ``build_args``, else their defaults."""
        values: dict[str, str] = {}
        for instruction in self.global_args:
            for name, default in arguments(instruction):
                given = build_args.get(name)
                if given is not None:
                    values[name] = given
                elif default is not None:
                    values[name] = expand(default, values, self.directives.escape)
        return values

    def base_of(self, stage: Stage, variables: Mapping[str, str]) -> str:
        """What ``FROM`` of this stage means with these global arguments."""
        name = expand(stage.base, variables, self.directives.escape)
        if not name:
            raise DockerfileError(f"base name ({stage.base}) should not be blank", stage.start.line)
        return name

    def sources(self, stage: Stage, variables: Mapping[str, str]) -> list[Stage | str]:
        """Everything a stage takes files from: earlier stages, and names of images."""
        names = [self.base_of(stage, variables)]
        for instruction in stage.instructions:
            names += from_flags(instruction, variables, self.directives.escape)
        return [self.earlier_stage(name, stage.index) or name for name in dict.fromkeys(names)]

    def needed(self, target: Stage, variables: Mapping[str, str]) -> list[Stage]:
        """The stages that ``target`` needs, itself included, in the order of the file."""
        wanted: dict[int, Stage] = {}
        pending = [target]
        while pending:
            stage = pending.pop()
            if stage.index not in wanted:
                wanted[stage.index] = stage
                pending += [one for one in self.sources(stage, variables) if isinstance(one, Stage)]
        return [wanted[index] for index in sorted(wanted)]


def parse(text: str) -> Dockerfile:
    """Read a Dockerfile; DockerfileError with the line of the first mistake."""
    if len(text) > MAX_BYTES:
        raise DockerfileError(f"the Dockerfile is larger than {MAX_BYTES} bytes")
    if "\0" in text:
        raise DockerfileError("the Dockerfile has a zero byte: it is no text file")
    directives = read_directives(text)
    global_args: list[Instruction] = []
    starts: list[Instruction] = []
    bodies: list[list[Instruction]] = []
    for line in logical_lines(text, directives.escape):
        instruction = parse_instruction(line, directives.escape)
        if instruction.name == "FROM":
            starts.append(instruction)
            bodies.append([])
        elif bodies:
            bodies[-1].append(instruction)
        elif instruction.name == "ARG":
            global_args.append(instruction)
        else:
            raise DockerfileError("no build stage in current context", instruction.line)
    if not starts:
        raise DockerfileError("the Dockerfile has no FROM" if global_args else "file with no instructions")
    stages = tuple(
        Stage(index, _stage_name(start), start, tuple(body))
        for index, (start, body) in enumerate(zip(starts, bodies, strict=True))
    )
    return Dockerfile(directives, tuple(global_args), stages)


def arguments(instruction: Instruction, escape: str = "\\") -> list[tuple[str, str | None]]:
    """``(name, default)`` of each argument that an ``ARG`` declares; the default still quoted, None for
    none.
    """
    found: list[tuple[str, str | None]] = []
    for word in instruction.args:
        name, equals, default = word.partition("=")
        found.append((strip_quotes(name, escape), default if equals else None))
    return found


def from_flags(instruction: Instruction, variables: Mapping[str, str], escape: str = "\\") -> list[str]:
    """What ``COPY --from=`` and ``RUN --mount=from=`` of one instruction name."""
    if instruction.nested is not None:
        return []
    if instruction.name in ("COPY", "ADD") and (name := instruction.flag("from")):
        return [expand(name, variables, escape)]
    found = []
    for mount in instruction.flag_values("mount"):
        for part in mount.split(","):
            key, _, value = part.partition("=")
            if key.strip().lower() == "from" and value:
                found.append(expand(value, variables, escape))
    return found


def _stage_name(start: Instruction) -> str:
    if len(start.args) == 1:
        return ""
    name = start.args[2].lower()
    if not _STAGE_NAME.fullmatch(name):
        raise DockerfileError(
            f'invalid name for build stage: "{start.args[2]}", name can\'t start with a number '
            "or contain symbols",
            start.line,
        )
    return name
