"""``!reset`` and ``!override``: what earlier files or bases gave at these paths is taken away."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any


def apply_resets(model: dict[str, Any], paths: Iterable[tuple[str, ...]]) -> None:
    """Remove the elements at the paths, in place. Items of lists cannot be named, so they stay."""
    for path in paths:
        holder: Any = model
        for key in path[:-1]:
            holder = holder.get(key) if isinstance(holder, dict) else None
        if path and isinstance(holder, dict) and path[-1] in holder:
            del holder[path[-1]]
            getattr(holder, "marks", {}).pop(path[-1], None)
