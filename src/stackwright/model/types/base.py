"""What every typed value of the model shares."""

from typing import Any, TypeAlias

import msgspec

Nanoseconds: TypeAlias = int
"""A duration in nanoseconds, the Engine API's unit."""

Bytes: TypeAlias = int
"""A size in bytes."""

Extensions: TypeAlias = dict[str, Any]
"""The ``x-…`` keys of a mapping, as written."""


class Value(msgspec.Struct, kw_only=True, frozen=True):
    """An immutable, comparable value of the model. Change one with ``msgspec.structs.replace``."""
