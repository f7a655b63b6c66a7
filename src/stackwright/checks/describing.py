"""Differences between two models in a person's words, by service."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from stackwright.checks.knowledge.credentials import names_credential
from stackwright.refactor.compare import NAMED, Change

Words = Callable[[Change, str], str]


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference. ``kind`` is ``services``, ``networks``... or ``project``; ``name`` the element's."""

    kind: str
    name: str
    sentence: str
    path: str
    change: str
    old: Any
    new: Any

    def as_dict(self) -> dict[str, Any]:
        """Plain data; credentials are masked as they are in the sentence."""
        secret = names_credential(self.path.rpartition(".")[2])
        values = ("***", "***") if secret else (self.old, self.new)
        return {
            "kind": self.kind,
            "name": self.name,
            "path": self.path,
            "change": self.change,
            "old": values[0] if self.old is not None else None,
            "new": values[1] if self.new is not None else None,
            "sentence": self.sentence,
        }


def describe(changes: Sequence[Change], left: str, right: str) -> list[Difference]:
    """The differences in words; ``left`` and ``right`` are the names of the sides."""
    spread = [part for change in changes for part in _spread(change)]
    return [_one(change, left, right) for change in spread if not _noise(change)]


_BY_ENTRY = frozenset(
    {
        "environment",
        "depends_on",
        "networks",
        "args",
        "labels",
        "resources",
        "limits",
        "reservations",
        "deploy",
        *NAMED,
    }
)
"""Mappings whose entries are differences of their own when one side lacks the whole mapping."""


def _spread(change: Change) -> list[Change]:
    given = change.new if change.kind == "added" else change.old
    if (
        change.kind == "changed"
        or change.path[-1] not in _BY_ENTRY
        or not isinstance(given, dict)
        or not given
    ):
        return [change]
    found: list[Change] = []
    for key, item in given.items():
        sides = (None, item) if change.kind == "added" else (item, None)
        found += _spread(Change((*change.path, str(key)), change.kind, *sides))
    return found


def _noise(change: Change) -> bool:
    """What only follows from something else: names with the project's prefix."""
    return change.path == ("name",) or (
        len(change.path) == 3 and change.path[0] in NAMED[1:] and change.path[2] == "name"
    )


def _one(change: Change, left: str, right: str) -> Difference:
    kind = change.path[0] if change.path[0] in NAMED else "project"
    name = change.path[1] if kind != "project" and len(change.path) > 1 else ""
    rest = change.path[2:] if kind != "project" else change.path
    if not rest:
        word = kind.removesuffix("s")
        sentence = f"only in {right if change.kind == 'added' else left}" if name else f"{word} differs"
    else:
        sentence = _sentence(change, rest)
    return Difference(kind, name, sentence, change.dotted, change.kind, change.old, change.new)


def _sentence(change: Change, rest: tuple[str, ...]) -> str:
    for depth in range(len(rest), 0, -1):
        words = _WORDS.get(".".join(rest[:depth]))
        if words is not None:
            return words(change, ".".join(rest[depth:]))
    return _plain(".".join(rest))(change, "")


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return " ".join(str(item) for item in value) if value else "nothing"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_shown(item)}" for key, item in value.items()) or "nothing"
    return str(value)


def _plain(label: str, show: Callable[[Any], str] = _shown) -> Words:
    """ "label: old → new"."""

    def words(change: Change, rest: str) -> str:
        what = f"{label}.{rest}" if rest else label
        if change.kind == "added":
            return f"{what}: {show(change.new)} (was not given)"
        if change.kind == "removed":
            return f"{what}: no longer given (was {show(change.old)})"
        return f"{what}: {show(change.old)} → {show(change.new)}"

    return words


def _size(value: Any) -> str:
    from stackwright.checks.rules.resources import shown

    return shown(int(value)) if str(value).isdigit() else str(value)


def _variable(change: Change, rest: str) -> str:
    if not rest:
        return _plain("environment")(change, "")
    secret = names_credential(rest)

    def value(given: Any) -> str:
        return "***" if secret and given else ("nothing" if given is None else f'"{given}"')

    if change.kind == "added":
        return f"sets {rest} to {value(change.new)}"
    if change.kind == "removed":
        return f"does not set {rest} (was {value(change.old)})"
    if secret:
        return f"has another {rest}"
    return f"{rest}: {value(change.old)} → {value(change.new)}"


def _port(change: Change, rest: str) -> str:
    def shown(port: Any) -> str:
        if not isinstance(port, dict):
            return _shown(port)
        where = f"{port['host_ip']}:" if port.get("host_ip") else ""
        protocol = "" if port.get("protocol", "tcp") == "tcp" else f"/{port['protocol']}"
        return f"{where}{port.get('published') or 'any'} → {port.get('target')}{protocol}"

    return _listed(change, "publishes", "does not publish", shown)


def _mount(change: Change, rest: str) -> str:
    def shown(mount: Any) -> str:
        if not isinstance(mount, dict):
            return _shown(mount)
        mode = " (read-only)" if mount.get("read_only") else ""
        return f"{mount.get('source') or 'an unnamed volume'} at {mount.get('target')}{mode}"

    return _listed(change, "mounts", "does not mount", shown)


def _listed(change: Change, has: str, has_not: str, shown: Callable[[Any], str]) -> str:
    def each(value: Any) -> str:
        return ", ".join(shown(item) for item in value) if isinstance(value, list) else shown(value)

    if change.kind == "added":
        return f"{has} {each(change.new)}"
    if change.kind == "removed":
        return f"{has_not} {each(change.old)}"
    return f"{has} {each(change.new)} instead of {each(change.old)}"


def _network(change: Change, rest: str) -> str:
    if rest and "." not in rest:
        return f'is {"" if change.kind == "added" else "not "}on network "{rest}"'
    return _plain("networks")(change, rest)


def _dependency(change: Change, rest: str) -> str:
    conditions = {
        "service_started": "has started",
        "service_healthy": "is healthy",
        "service_completed_successfully": "has ended well",
    }
    name, _, key = rest.partition(".")
    if key == "condition":
        return f'waits until "{name}" {conditions.get(change.new, change.new)} (was: {conditions.get(change.old, change.old)})'
    if not key and change.kind != "changed":
        given = change.new or change.old or {}
        until = (
            conditions.get(given.get("condition", ""), "is there") if isinstance(given, dict) else "is there"
        )
        return f'waits until "{name}" {until}' if change.kind == "added" else f'does not wait for "{name}"'
    return _plain("depends_on")(change, rest)


def _replicas(change: Change, rest: str) -> str:
    old, new = change.old or 1, change.new or 1
    return f"{new} container{'s' if new != 1 else ''} instead of {old}"


def _has(label: str) -> Words:
    """An element that one side has and the other has not; details as plain differences."""

    def words(change: Change, rest: str) -> str:
        if rest or change.kind == "changed":
            return _plain(label)(change, rest)
        return f"has {label}" if change.kind == "added" else f"has no {label}"

    return words


_WORDS: dict[str, Words] = {
    "environment": _variable,
    "ports": _port,
    "volumes": _mount,
    "networks": _network,
    "depends_on": _dependency,
    "deploy.replicas": _replicas,
    "scale": _replicas,
    "deploy.resources.limits.memory": _plain("memory limit", _size),
    "deploy.resources.reservations.memory": _plain("memory kept for it", _size),
    "deploy.resources.limits.cpus": _plain("processors"),
    "deploy.resources.reservations.cpus": _plain("processors kept for it"),
    "mem_limit": _plain("memory limit", _size),
    "healthcheck": _has("health check"),
    "logging": _has("logging"),
    "build": _has("build"),
    "build.target": _plain("build target"),
    "deploy": _has("deploy"),
    "deploy.resources": _has("resource limits"),
    "build.args": _variable,
}
"""How to say a difference below these keys of an element; the longest that fits counts."""
