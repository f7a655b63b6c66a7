"""Why the engine cannot run for this user."""

from __future__ import annotations


class RootlessError(Exception):
    """`str()` says what was refused and what would mend it."""
