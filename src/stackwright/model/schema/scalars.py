"""The scalars that most places want."""

from __future__ import annotations

from stackwright.model.schema.shapes import Scalar

TEXT = Scalar("string")
BOOL = Scalar("boolean")
INT = Scalar("integer")
NUMBER = Scalar("number")
NULL = Scalar("null")
BOOL_TEXT = Scalar("boolean", "string")
INT_TEXT = Scalar("integer", "string")
NUMBER_TEXT = Scalar("number", "string")
