"""The difference between two runs of a scenario, as paths: `2 ps -a/stdout`, `last look/containers/web-1/state`."""

from __future__ import annotations

from typing import Any

ANYTHING = "(of the folder)"
"""A recorded value that no other run can have: the hash of a configuration with absolute paths in it."""
_MISSING = "(nothing)"


def differences(theirs: list[Any], ours: list[Any]) -> dict[str, tuple[Any, Any]]:
    """Path to (theirs, ours), for all that differs."""
    found: dict[str, tuple[Any, Any]] = {}
    by_step = [{one["step"]: one for one in side} for side in (theirs, ours)]
    for step in sorted({*by_step[0], *by_step[1]}):
        left, right = (side.get(step, {}) for side in by_step)
        where = f"{step} {(left or right)['do']}"
        _walk(where, _compared(left), _compared(right), found)
    return found


def _compared(shown: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in shown.items() if key not in ("step", "do", "stderr")}


def _walk(path: str, left: Any, right: Any, found: dict[str, tuple[Any, Any]]) -> None:
    if left in (right, ANYTHING):
        return
    if isinstance(left, dict) and isinstance(right, dict):
        for key in sorted({*left, *right}):
            _walk(f"{path}/{key}", left.get(key, _MISSING), right.get(key, _MISSING), found)
    else:
        found[path] = (left, right)
