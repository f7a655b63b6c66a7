"""A failed step as BuildKit's clients show it: with the lines of the Dockerfile at fault."""

from __future__ import annotations

import json
from base64 import b64encode

from google.protobuf.any_pb2 import Any

from stackwright.embedded.builder.errors import StepFailed
from stackwright.embedded.buildkit.watch import failure_text
from stackwright.embedded.errors import EngineError

_SOURCE = "github.com/moby/buildkit/errdefs.Source+json"
"""The type's name among BuildKit's; packed as JSON, as its name says."""


class SolveFailed(EngineError):  # noqa: N818 (named as the errors of embedded/errors.py are)
    """A build whose Dockerfile (``name``, ``text``) says where it failed."""

    def __init__(self, failed: StepFailed, name: str, text: str) -> None:
        super().__init__(failure_text(failed))
        self.details: list[Any] = []
        """For the status: where in the Dockerfile."""
        instruction = failed.instruction
        if instruction is not None and instruction.line:
            shown = {
                "info": {
                    "filename": name,
                    "data": b64encode(text.encode()).decode(),
                    "language": "Dockerfile",
                },
                "ranges": [{"start": {"line": instruction.line}, "end": {"line": instruction.end_line}}],
            }
            self.details.append(Any(type_url=_SOURCE, value=json.dumps(shown).encode()))
