"""The engine's error tree: each class knows its status; the API edge answers `{"message": …}` with it.

Services raise these with Docker's wording where clients match on it ("No such container: …").
Anything else that reaches the edge is a defect of ours: it is logged and answered 500 without a traceback.
"""

# ruff: noqa: N818 (named for what the client is told, as the Engine API's own documentation does)

from __future__ import annotations


class EngineError(Exception):
    """Base of everything a client may be told. `message` is shown as it is; `status` is the HTTP status."""

    status: int = 500

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class BadParameter(EngineError):
    """The request cannot be understood or names something impossible."""

    status = 400


class Unauthorized(EngineError):
    """A registry refused the credentials."""

    status = 401


class Forbidden(EngineError):
    """Understood, but not allowed (removing a predefined network, for instance)."""

    status = 403


class NotFound(EngineError):
    """No such container, image, network, volume, exec."""

    status = 404


class Conflict(EngineError):
    """The state of the object stands against it (name in use, container running)."""

    status = 409


class NotModified(EngineError):
    """Already so: start of a running container, stop of a stopped one. Sent without a body."""

    status = 304


class NotImplementedYet(EngineError):
    """Known part of the Engine API that this engine does not serve."""

    status = 501


class Unavailable(EngineError):
    """Temporarily impossible: the engine is stopping, a registry cannot be reached."""

    status = 503


class DiskFull(EngineError):
    """Nothing more fits on the disk of the state folder. Nothing that the engine did wrong."""

    def __init__(self, where: str = "") -> None:
        super().__init__(
            "no space left on the disk of the engine's state folder" + (f" ({where})" if where else "")
        )
