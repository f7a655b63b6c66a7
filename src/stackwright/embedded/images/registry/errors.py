"""How talking to a registry fails."""

# Named as the errors of embedded/errors.py are.

from __future__ import annotations

from stackwright.embedded.errors import EngineError, NotFound, Unauthorized, Unavailable


class RegistryUnreachable(Unavailable):
    """No connection, no answer, or the certificate is not trusted: it says nothing about whether the image
    exists.
    """

    def __init__(self, host: str, why: object) -> None:
        super().__init__(f"cannot reach the registry {host}: {why or type(why).__name__}")


class RegistryRefused(Unauthorized):
    """The registry does not accept the credentials, or wants some."""


class RegistryError(EngineError):
    """Any other answer that is no success."""

    status = 500


def pull_denied(name: str, detail: str) -> NotFound:
    """What Docker says when a repository is missing or closed; registries do not tell these apart."""
    return NotFound(
        f"pull access denied for {name}, repository does not exist or may require 'docker login': "
        f"denied: {detail or 'requested access to the resource is denied'}"
    )
