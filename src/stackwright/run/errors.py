# ruff: noqa: N818 - the tree's root says Error; the leaves say what happened
"""What can go wrong while a plan is carried out: one tree with stable codes."""

from __future__ import annotations

from msgspec import Struct, field


class RunError(Exception):
    """Root of the tree. `hint` is one line on what to do; `place` is `file:line` or empty."""

    code = "run.error"
    exit_code = 1

    def __init__(self, message: str, *, hint: str = "", place: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.place = place


class NoSuchService(RunError):
    """A command names a service that is not in the model."""

    code = "run.no_such_service"


class ImageMissing(RunError):
    """An image is not on the engine and cannot be had."""

    code = "image.missing"


class ResourceMissing(RunError):
    """An external network or volume does not exist."""

    code = "run.resource_missing"


class PortTaken(RunError):
    """A published port belongs to something else on the machine."""

    code = "run.port_taken"


class Unsupported(RunError):
    """The model asks for something that this engine or version cannot do."""

    code = "run.unsupported"


class Findings(Struct):
    """What is known about a container that failed."""

    exit_code: int | None = None
    meaning: str = ""
    probes: list[str] = field(default_factory=list)
    dependents: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    advice: list[str] = field(default_factory=list)


class ServiceFailed(RunError):
    """A service did not start, ended, or never became healthy. `findings` says what is known."""

    code = "run.service_failed"

    def __init__(
        self, service: str, message: str, findings: Findings | None = None, *, hint: str = "", place: str = ""
    ) -> None:
        super().__init__(message, hint=hint, place=place)
        self.service = service
        self.findings = findings or Findings()
