"""Dockerfiles as text: instructions with positions, stages, variables, ``.dockerignore``. Pure: no I/O at
all.
"""

from __future__ import annotations

from collections.abc import Mapping

from stackwright.dockerfile.errors import DockerfileError, ExpansionError
from stackwright.dockerfile.ignore import DockerIgnore
from stackwright.dockerfile.instruction import Instruction
from stackwright.dockerfile.lines import Heredoc
from stackwright.dockerfile.stages import Dockerfile, Stage, parse
from stackwright.dockerfile.words import expand

__all__ = [
    "DockerIgnore",
    "Dockerfile",
    "DockerfileError",
    "ExpansionError",
    "Heredoc",
    "Instruction",
    "Stage",
    "base_images",
    "expand",
    "parse",
]


def base_images(text: str, build_args: Mapping[str, str | None] | None = None, target: str = "") -> list[str]:
    """The images a build of ``text`` needs from outside, in order of first use and without repetition.

    ``FROM`` and ``COPY --from``/``RUN --mount=from`` of stages that ``target`` (default: the last) needs;
    stage names and ``scratch`` are left out, global ``ARG`` filled in from ``build_args``.
    Raises DockerfileError.
    """
    dockerfile = parse(text)
    variables = dockerfile.global_values(build_args or {})
    found: dict[str, None] = {}
    for stage in dockerfile.needed(dockerfile.stage(target), variables):
        for source in dockerfile.sources(stage, variables):
            if isinstance(source, str) and source != "scratch":
                found[source] = None
    return list(found)
