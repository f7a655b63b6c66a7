"""What a rule looks at: a project in one environment, with the facts that were given beside it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from stackwright.checks.files import Files, Host
from stackwright.checks.finding import Place
from stackwright.checks.raw import Memory, RawFile
from stackwright.checks.service import EMPTY, ServiceView
from stackwright.model.marks import Map, place_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stackwright.model.load import Model
    from stackwright.model.marks import Mark
    from stackwright.model.sources import Sources

STRICT_KINDS = frozenset({"production", "staging"})
"""Kinds of environments in which the rules for production count."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What all services together may use; 0 is no budget. Bytes and processors."""

    memory: int = 0
    cpus: float = 0.0


@dataclass(slots=True)
class Facts:
    """What a subject is given beside its model."""

    files: Files = field(default_factory=Files)
    host: Host = field(default_factory=Host)
    budget: Budget = field(default_factory=Budget)
    memory: Memory = field(default_factory=Memory)


class Subject:
    """A project in one environment. ``kind``: production, staging, development, test or empty (unknown)."""

    def __init__(self, model: Model, sources: Sources, environment: str, kind: str, facts: Facts) -> None:
        self.model = model
        self.sources = sources
        self.environment = environment
        self.kind = kind
        self.files = facts.files
        self.host = facts.host
        self.budget = facts.budget
        self.memory = facts.memory
        self.data: Map = model.data
        self.folder = model.context.working_dir

    @property
    def strict(self) -> bool:
        """Whether the severities for production count."""
        return self.kind in STRICT_KINDS

    @cached_property
    def services(self) -> dict[str, ServiceView]:
        """All services, those of inactive profiles too, in the files' order."""
        views: dict[str, ServiceView] = {}
        for services, enabled in ((self.section("services"), True), (self.model.disabled, False)):
            for name, data in services.items():
                if type(data) is Map and not data.broken and "provider" not in data:
                    views[name] = ServiceView(name, data, services.key_mark(name), self, enabled=enabled)
        return views

    @property
    def each(self) -> Iterable[ServiceView]:
        """The services."""
        return self.services.values()

    def section(self, kind: str) -> Map:
        """A top-level mapping: ``networks``, ``volumes``..."""
        found = self.data.get(kind)
        return found if type(found) is Map else EMPTY

    @cached_property
    def awaited_ends(self) -> frozenset[str]:
        """Names of services whose successful end another one waits for."""
        return frozenset(self._awaited("service_completed_successfully"))

    @cached_property
    def awaited_health(self) -> frozenset[str]:
        """Names of services whose health another one waits for."""
        return frozenset(self._awaited("service_healthy"))

    def _awaited(self, condition: str) -> Iterable[str]:
        for services in (self.section("services"), self.model.disabled):
            for service in services.values():
                for name, dependency in ((service or EMPTY).get("depends_on") or EMPTY).items():
                    if dependency and dependency.get("condition") == condition:
                        yield name

    @cached_property
    def by_name(self) -> dict[str, list[ServiceView]]:
        """Every name under which services can be reached, with those that have it."""
        found: dict[str, list[ServiceView]] = {}
        for service in self.each:
            for name in service.names:
                found.setdefault(name, []).append(service)
        return found

    @cached_property
    def raws(self) -> list[RawFile]:
        """The Compose files that were read, as written, each once."""
        found = []
        for name, text in zip(self.sources.names[1:], self.sources.texts[1:], strict=True):
            if name.endswith((".yml", ".yaml")) or name in self.model.files:
                found.append(self.memory.raw(name, text))
        return found

    @cached_property
    def unset(self) -> frozenset[str]:
        """Variables that were used without a value and without a default."""
        said = (warning for warning in self.model.warnings if warning.startswith('The "'))
        return frozenset(warning.split('"')[1] for warning in said if "variable is not set" in warning)

    @cached_property
    def knows_an_env_file(self) -> bool:
        """Whether any variable comes from a file. Where none does, a server or a pipeline has the values."""
        environment = self.model.context.environment
        return any(place_of(environment.origin(name)[1])[0] for name in environment.names())

    def raw_at(self, mark: Mark) -> RawFile | None:
        """The file that a mark is in, as written; None for no file."""
        number, _, _ = place_of(mark)
        return self.memory.raw(self.sources.names[number], self.sources.texts[number]) if number else None

    def place(self, mark: Mark) -> Place:
        """Where a mark is."""
        number, line, column = place_of(mark)
        return Place(self.sources.names[number], line, column)

    def written(self, mark: Mark) -> str:
        """The text of the line at a mark, from its column on."""
        number, line, column = place_of(mark)
        if not number:
            return ""
        raw = self.memory.raw(self.sources.names[number], self.sources.texts[number])
        return raw.line(line)[column - 1 :]

    def literal(self, mark: Mark) -> bool:
        """Whether the value at a mark is written out, without any variable."""
        return "$" not in self.written(mark).replace("$$", "")

    def in_env_file(self, mark: Mark) -> bool:
        """Whether a value comes from a file of variables rather than from a Compose file."""
        number, _, _ = place_of(mark)
        name = self.sources.names[number]
        return bool(number) and not name.endswith((".yml", ".yaml")) and name not in self.model.files
