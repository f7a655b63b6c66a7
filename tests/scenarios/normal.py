"""What differs from run to run is replaced by a word: ids, times, addresses, the project's name."""

from __future__ import annotations

import json
import re
from typing import Any

_RULES = (
    (re.compile(r"\b[0-9a-f]{64}\b"), "ID"),
    (re.compile(r"sha256:ID"), "ID"),
    (re.compile(r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{12}\b"), "ID"),
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( ?Z| [+-]\d{4} UTC)?"), "TIME"),
    (re.compile(r"\b(Less than a second|About an? (minute|hour)|\d+ (second|minute|hour)s?)\b"), "A WHILE"),
    (re.compile(r"\b172\.\d+\.\d+\.\d+\b|\b10\.(88|89|90|91)\.\d+\.\d+\b"), "ADDRESS"),
    (re.compile(r"\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b"), "MAC"),
    (re.compile(r"(?<=:)(3[2-9]|4\d|5\d|6[0-5])\d{3}\b"), "PORT"),
    (re.compile(r"\b(3[2-9]|4\d|5\d|6[0-5])\d{3}(?=->)"), "PORT"),
    (re.compile(r"\b(localhost/|docker\.io/library/)(?=stackwright-test/|PROJECT)"), ""),
    (re.compile(r"[ \t]+"), " "),
)
_VOLATILE = frozenset(
    {"CreatedAt", "Created", "ID", "RunningFor", "Size", "Mounts", "Ports", "ContainerName", "LastTagTime"}
)
"""Fields of JSON output whose values are of one run; that they are there is compared."""


def text(value: str, project: str, folder: str) -> str:
    """Normal text, without blanks at the ends of lines."""
    value = value.replace(folder, "FOLDER").replace(project, "PROJECT")
    for pattern, word in _RULES:
        value = pattern.sub(word, value)
    return "\n".join(line.rstrip() for line in value.splitlines()).strip("\n")


def stdout(value: str, how: str, project: str, folder: str) -> Any:
    """A command's output, as far as it is compared. `how`: text, sorted, json or no."""
    if how == "no":
        return None
    if how == "json":
        return _json(value, project, folder)
    normal = text(value, project, folder)
    return sorted(normal.splitlines()) if how == "sorted" else normal


def _json(value: str, project: str, folder: str) -> Any:
    try:
        parsed = (
            json.loads(value)
            if value.lstrip().startswith("[")
            else [json.loads(line) for line in value.splitlines()]
        )
    except ValueError:
        return {"not JSON": text(value, project, folder)}
    cleaned = [_clean(one, project, folder) for one in parsed]
    return sorted(cleaned, key=lambda one: json.dumps(one, sort_keys=True))


def _clean(value: Any, project: str, folder: str) -> Any:
    if isinstance(value, dict):
        return {
            key: "SOMETHING"
            if key in _VOLATILE
            else _labels(one)
            if key == "Labels"
            else _port(one, key)
            if key == "PublishedPort"
            else _clean(one, project, folder)
            for key, one in sorted(value.items())
        }
    if isinstance(value, list):
        return [_clean(one, project, folder) for one in value]
    return text(value, project, folder) if isinstance(value, str) else value


def _labels(value: Any) -> Any:
    return (
        sorted({part.partition("=")[0] for part in value.split(",") if "=" in part})
        if isinstance(value, str)
        else sorted(value)
    )


def _port(value: Any, key: str) -> Any:
    return "PORT" if isinstance(value, int) and value >= 32000 else value
