"""How a build fails."""

# Named as the errors of embedded/errors.py are.
# ruff: noqa: N818

from __future__ import annotations

from stackwright.dockerfile import Instruction
from stackwright.embedded.errors import EngineError


class StepFailed(EngineError):
    """A step could not be carried out. ``code``: exit code of a RUN step, else 0; ``instruction``: which
    one.
    """

    def __init__(
        self, message: str, *, code: int = 0, instruction: Instruction | None = None, command: str = ""
    ) -> None:
        super().__init__(message)
        self.code, self.instruction = code, instruction
        self.command = command
        """What a RUN step ran, where that failed."""


class BuildFailed(EngineError):
    """The build ended with an error that was already emitted."""
