"""What can be wrong with a Dockerfile."""

from __future__ import annotations


class DockerfileError(ValueError):
    """``message`` without the place; ``line`` counts from 1, 0 when no line is to blame."""

    def __init__(self, message: str, line: int = 0) -> None:
        self.message, self.line = message, line
        super().__init__(f"dockerfile parse error on line {line}: {message}" if line else message)


class ExpansionError(DockerfileError):
    """A variable or quotation mark in an argument that can't be resolved."""
