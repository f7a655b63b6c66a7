# ruff: noqa: N818 - the tree's root says Error; the leaves say what happened
"""What can go wrong between us and an engine: one tree with stable codes.

Every class knows its exit code. `code` never changes once released; the message may.
"""

from __future__ import annotations


class EngineError(Exception):
    """Root of the tree. `hint` is one line on what to do, or empty."""

    code = "engine.error"
    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class EngineUnavailable(EngineError):
    """No engine answers at the address, or none could be found."""

    code = "engine.unavailable"


class EngineStartFailed(EngineUnavailable):
    """The embedded engine was started but ended or did not answer; the message has its last lines."""

    code = "engine.start_failed"


class EngineGone(EngineError):
    """The engine ended the connection in the middle of an answer."""

    code = "engine.gone"


class ProtocolError(EngineError):
    """The other side does not speak HTTP or the Engine API."""

    code = "engine.protocol"


class ApiError(EngineError):
    """The engine answered with an error status (Engine API: `ErrorResponse`)."""

    code = "engine.api"

    def __init__(self, status: int, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status


class BadRequest(ApiError):
    """400: a parameter the engine does not accept."""

    code = "engine.bad_request"


class NotFound(ApiError):
    """404: no such container, image, network or volume."""

    code = "engine.not_found"


class Conflict(ApiError):
    """409: the name is taken, or the object is in the wrong state."""

    code = "engine.conflict"


class ServerFailure(ApiError):
    """500 and above: the engine tried and failed."""

    code = "engine.failure"


class BuildFailed(EngineError):
    """An image build ended with an error; `output` holds its last lines."""

    code = "image.build_failed"

    def __init__(self, message: str, *, output: tuple[str, ...] = (), hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.output = output


class PullFailed(EngineError):
    """An image could not be pulled. `unreachable` tells a dead network from a registry's refusal."""

    code = "image.pull_failed"

    def __init__(self, message: str, *, unreachable: bool, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.unreachable = unreachable


class PushFailed(EngineError):
    """An image could not be pushed to its registry."""

    code = "image.push_failed"


_BY_STATUS: dict[int, type[ApiError]] = {400: BadRequest, 404: NotFound, 409: Conflict}


def from_status(status: int, message: str) -> ApiError:
    """The error for an HTTP status; foreign errors become ours here and nowhere else."""
    kind = _BY_STATUS.get(status, ServerFailure if status >= 500 else ApiError)
    return kind(status, message.strip() or f"the engine answered with status {status}")
