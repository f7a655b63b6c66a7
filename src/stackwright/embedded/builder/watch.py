"""Who follows a build step by step: the classic stream needs text in order, BuildKit's clients a tree of steps."""

from __future__ import annotations

from typing import Any, Protocol

from stackwright.dockerfile import Dockerfile, Instruction, Stage
from stackwright.embedded.builder.errors import StepFailed


class StepWatch(Protocol):
    """One step under way."""

    def output(self, data: bytes) -> None:
        """What a RUN step printed."""
        ...

    def progress(self, message: dict[str, Any]) -> None:
        """A message of an image's pull, as in the Engine API's stream."""
        ...

    def cached(self) -> None:
        """The result was there already."""
        ...

    def finished(self, failed: StepFailed | None = None) -> None:
        """It is over; ``failed`` says why it did not succeed."""
        ...

    def cancelled(self) -> None:
        """It was given up: the client went away, or another step failed."""
        ...


class BuildWatch(Protocol):
    """One build under way."""

    def begun(self, dockerfile: Dockerfile) -> None:
        """The Dockerfile was read; before any step."""
        ...

    def step(self, stage: Stage, instruction: Instruction) -> StepWatch:
        """A step starts now."""
        ...


class Unwatched:
    """Nobody follows."""

    def begun(self, dockerfile: Dockerfile) -> None:
        """See :class:`BuildWatch`."""

    def step(self, stage: Stage, instruction: Instruction) -> StepWatch:
        """See :class:`BuildWatch`."""
        return _UNWATCHED_STEP


class UnwatchedStep:
    """Nobody follows this step."""

    def output(self, data: bytes) -> None:
        """See :class:`StepWatch`."""

    def progress(self, message: dict[str, Any]) -> None:
        """See :class:`StepWatch`."""

    def cached(self) -> None:
        """See :class:`StepWatch`."""

    def finished(self, failed: StepFailed | None = None) -> None:
        """See :class:`StepWatch`."""

    def cancelled(self) -> None:
        """See :class:`StepWatch`."""


_UNWATCHED_STEP = UnwatchedStep()
