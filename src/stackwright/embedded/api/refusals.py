"""What a client is told when something fails: a status and one sentence, never a traceback."""

from __future__ import annotations

import logging
import sqlite3

from stackwright.embedded.errors import EngineError

log = logging.getLogger("stackwright.engine")


def explained(error: Exception, what: str) -> tuple[int, str]:
    """Status and message for an error of the request `what`. What is no ordinary refusal is logged."""
    if isinstance(error, EngineError):
        return error.status, error.message
    if isinstance(error, ConnectionError | TimeoutError):
        return 500, str(error) or "the connection was lost"
    if isinstance(error, OSError | sqlite3.OperationalError):
        # A missing right, a full or broken disk: the client is told which, the log has where.
        log.warning("%s: %s", what, error, exc_info=error)
        return 500, str(error)
    log.error("%s failed", what, exc_info=error)
    return 500, "internal error of the engine; its log has the details"
