"""The builder's steps as vertexes, named as BuildKit names them: ``[build 2/5] RUN make``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stackwright.dockerfile import Dockerfile, Instruction, Stage
from stackwright.embedded.builder.contexts import ImageContext, NamedContext, find_context
from stackwright.embedded.builder.errors import StepFailed
from stackwright.embedded.builder.watch import StepWatch, UnwatchedStep
from stackwright.embedded.buildkit.progress import Progress, VertexProgress, pull_status
from stackwright.embedded.images.reference import Reference

_SHOWN = ("RUN", "COPY", "ADD", "WORKDIR")
"""What is a step for BuildKit; the rest only changes the configuration."""


class _Step:
    def __init__(self, vertex: VertexProgress) -> None:
        self._vertex = vertex
        self.output = vertex.output
        self.cached = vertex.cached

    def progress(self, message: dict[str, Any]) -> None:
        pull_status(self._vertex, message)

    def finished(self, failed: StepFailed | None = None) -> None:
        self._vertex.done(failure_text(failed) if failed else "")

    def cancelled(self) -> None:
        self._vertex.done("context canceled")


class VertexWatch:
    """A :class:`~stackwright.embedded.builder.watch.BuildWatch`; ``variables`` for names after ``FROM``."""

    def __init__(
        self, progress: Progress, variables: Mapping[str, str], contexts: Mapping[str, NamedContext]
    ) -> None:
        self._progress, self._variables, self._contexts = progress, dict(variables), contexts
        self._file: Dockerfile | None = None
        self._last: dict[int, str] = {}

    def begun(self, dockerfile: Dockerfile) -> None:
        """See BuildWatch."""
        self._file = dockerfile
        self._variables |= dockerfile.global_values(self._variables)

    def step(self, stage: Stage, instruction: Instruction) -> StepWatch:
        """See BuildWatch."""
        text = self._from(stage) if instruction is stage.start else instruction.text
        if not text or (instruction is not stage.start and instruction.name not in _SHOWN):
            return UnwatchedStep()
        shown = [one for one in stage.instructions if one.name in _SHOWN]
        number = next((at for at, one in enumerate(shown, 2) if one is instruction), 1)
        width = len(str(len(shown) + 1))
        place = f"{self._stage_name(stage)}{number:>{width}}/{len(shown) + 1}"
        before = self._last.get(stage.index)
        vertex = self._progress.vertex(f"[{place}] {text}", [before] if before else ())
        self._last[stage.index] = vertex.digest
        return _Step(vertex)

    def _stage_name(self, stage: Stage) -> str:
        if stage.name:
            return f"{stage.name} "
        return f"stage-{stage.index} " if self._file and len(self._file.stages) > 1 else ""

    def _from(self, stage: Stage) -> str:
        """The text of a stage's ``FROM``; empty for an earlier stage or ``scratch``, which are no steps."""
        assert self._file is not None, "begun comes before the first step"
        name = self._file.base_of(stage, self._variables)
        context = find_context(self._contexts, name)
        if isinstance(context, ImageContext):
            return f"FROM {context.name}"
        if context is not None:
            return f"FROM {name}"
        if name == "scratch" or self._file.earlier_stage(name, stage.index):
            return ""
        return f"FROM {Reference.parse(name).tagged().canonical}"


def failure_text(failed: StepFailed) -> str:
    """Why a step failed, in BuildKit's words."""
    if failed.command:
        return f'process "{failed.command}" did not complete successfully: exit code: {failed.code}'
    return failed.message
