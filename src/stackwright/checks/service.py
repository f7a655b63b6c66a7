"""A service as rules see it: canonical data with marks, and what is worth computing once."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from stackwright.checks.builds import BuildFile, read_build
from stackwright.checks.finding import Hit
from stackwright.checks.knowledge.references import ImageName, parse_image
from stackwright.checks.knowledge.software import Software, software_of
from stackwright.model.final.durations import parse_duration
from stackwright.model.marks import Map, Origin, Seq, place_of

if TYPE_CHECKING:
    from stackwright.checks.subject import Subject
    from stackwright.model.marks import Mark

EMPTY: Map = Map()
_NONE: Seq = Seq()


class ServiceView:
    """One service of one environment. ``data`` is its canonical form (see ``config --format json``)."""

    def __init__(self, name: str, data: Map, mark: Mark, subject: Subject, *, enabled: bool) -> None:
        self.name = name
        self.data = data
        self.mark = mark
        self.subject = subject
        self.enabled = enabled

    # Places

    def at(self, *keys: str | int) -> Mark:
        """Where the value at these keys was written, or the nearest place above it that is known."""
        return self._mark(keys, value=True)

    def key(self, *keys: str | int) -> Mark:
        """Where the last of these keys itself was written, or the nearest place above it."""
        return self._mark(keys, value=False)

    def _mark(self, keys: tuple[str | int, ...], *, value: bool) -> Mark:
        here: Any = self.data
        found = self.mark
        for key in keys:
            if type(here) is Map and isinstance(key, str) and key in here:
                mark = here.mark_at(key) if value else here.key_mark(key)
                here = here[key]
            elif type(here) is Seq and isinstance(key, int) and key < len(here):
                mark = here.mark_at(key)
                here = here[key]
            else:
                break
            if known(mark):
                found = mark
        return found

    def mapping(self, *keys: str) -> Map:
        """The mapping at these keys; an empty one when there is none."""
        here: Any = self.data
        for key in keys:
            here = here.get(key) if type(here) is Map else None
        return here if type(here) is Map else EMPTY

    def items(self, *keys: str) -> Seq:
        """The list at these keys; an empty one when there is none."""
        here: Any = self.mapping(*keys[:-1]).get(keys[-1])
        if type(here) is Seq:
            return here
        listed = Seq()
        for item in here if isinstance(here, list) else ():
            listed.add(item, self.key(*keys))
        return listed if listed else _NONE

    def duration(self, *keys: str) -> float | None:
        """The seconds at these keys; None when not given."""
        text = self.mapping(*keys[:-1]).get(keys[-1])
        return None if text is None else parse_duration(str(text)) / 1e9

    # What it is

    @cached_property
    def image_text(self) -> str:
        """The image as given; empty without one."""
        return str(self.data.get("image") or "")

    @cached_property
    def image(self) -> ImageName | None:
        """The image's name taken apart."""
        return parse_image(self.image_text) if self.image_text else None

    @cached_property
    def software(self) -> Software | None:
        """The well-known program that the image holds. None for images built here."""
        if not self.image_text or "build" in self.data:
            return None
        return software_of(self.image_text)

    @property
    def kind(self) -> str:
        """The kind of its software: ``database``, ``cache``, ``proxy``... or empty."""
        return self.software.kind if self.software else ""

    @cached_property
    def build(self) -> BuildFile | None:
        """Its Dockerfile, read; None without a build, or when it cannot be read."""
        return read_build(self) if "build" in self.data else None

    @cached_property
    def replicas(self) -> int:
        """How many containers it asks for."""
        for given in (self.data.get("scale"), self.mapping("deploy").get("replicas")):
            if isinstance(given, int):
                return given
        return 1

    @property
    def replicas_mark(self) -> Mark:
        """Where the number of containers was given."""
        return self.at("scale") if "scale" in self.data else self.at("deploy", "replicas")

    @cached_property
    def environment(self) -> dict[str, str]:
        """Variables that have a value."""
        given = self.mapping("environment")
        return {str(key): str(value) for key, value in given.items() if value is not None}

    @cached_property
    def command(self) -> list[str]:
        """Entrypoint and command as words; empty when the image decides."""
        words: list[str] = []
        for key in ("entrypoint", "command"):
            given = self.data.get(key)
            if isinstance(given, list):
                words += [str(word) for word in given]
        return words

    @cached_property
    def one_shot(self) -> bool:
        """Whether it is meant to end by itself: another service waits for its end, or its name says so."""
        if self.name in self.subject.awaited_ends:
            return True
        if self.restarts or self.items("ports"):
            return False
        words = self.name.lower().replace("_", "-").split("-")
        return any(word in _ONE_SHOT for word in words)

    @cached_property
    def restarts(self) -> bool:
        """Whether the engine starts it again when it ends by itself."""
        given = self.data.get("restart")
        if given:
            return given not in ("no", False)
        condition = self.mapping("deploy", "restart_policy").get("condition")
        return condition in ("any", "on-failure") or (
            "restart_policy" in self.mapping("deploy") and not condition
        )

    @cached_property
    def networks(self) -> list[str]:
        """Keys of the networks that it is attached to; empty with a ``network_mode``."""
        return [] if self.data.get("network_mode") else list(self.mapping("networks"))

    @cached_property
    def names(self) -> set[str]:
        """Every name by which other services may reach it."""
        found = {
            self.name,
            str(self.data.get("container_name") or self.name),
            str(self.data.get("hostname") or self.name),
        }
        for attachment in self.mapping("networks").values():
            if type(attachment) is Map:
                found.update(str(alias) for alias in attachment.get("aliases") or ())
        return found

    @cached_property
    def health_test(self) -> list[str]:
        """The health check's test: ``CMD`` or ``CMD-SHELL`` first; empty without one or when it is off."""
        check = self.mapping("healthcheck")
        test = check.get("test")
        if check.get("disable") or not isinstance(test, list) or not test or test[0] == "NONE":
            return []
        return [str(word) for word in test]

    @cached_property
    def health_off(self) -> bool:
        """Whether the file switches the health check off."""
        check = self.mapping("healthcheck")
        return bool(check.get("disable")) or list(check.get("test") or ())[:1] == ["NONE"]

    @cached_property
    def memory_limit(self) -> int:
        """Bytes; 0 without a limit."""
        return self._size("memory", "limits", "mem_limit")

    @cached_property
    def memory_reservation(self) -> int:
        """Bytes; 0 without one."""
        return self._size("memory", "reservations", "mem_reservation")

    def _size(self, key: str, side: str, old: str) -> int:
        given = self.mapping("deploy", "resources", side).get(key, self.data.get(old))
        text = str(given or 0)
        return int(text) if text.lstrip("-").isdigit() else 0

    @property
    def memory_mark(self) -> Mark:
        """Where the memory limit was given."""
        return (
            self.at("mem_limit")
            if "mem_limit" in self.data
            else self.at("deploy", "resources", "limits", "memory")
        )

    @cached_property
    def published(self) -> list[Published]:
        """The ports that it publishes on fixed host ports."""
        return [
            port for index, entry in enumerate(self.items("ports")) for port in _published(self, index, entry)
        ]

    @cached_property
    def profiles(self) -> set[str]:
        """Its profiles; empty: always there."""
        return {str(profile) for profile in self.data.get("profiles") or ()}

    def hit(self, message: str, mark: Mark, key: str = "", **more: Any) -> Hit:
        """A hit about this service; ``key`` is the place below it. The message starts with its name."""
        path = f"services.{self.name}.{key}" if key else f"services.{self.name}"
        return Hit(f'service "{self.name}" {message}', mark, service=self.name, path=path, **more)

    def together_with(self, other: ServiceView) -> bool:
        """Whether both may run at the same time: alternatives are in different profiles."""
        return not self.profiles or not other.profiles or bool(self.profiles & other.profiles)

    def written(self, mark: Mark) -> str:
        """The text of the line at a mark, from its column on, as a person wrote it."""
        return self.subject.written(mark)


class Published:
    """One published port, or a range from which the engine picks (``first`` < ``last``)."""

    __slots__ = ("first", "index", "last", "mark", "protocol", "service", "target", "where")

    def __init__(
        self, service: ServiceView, index: int, where: str, first: int, last: int, target: int, protocol: str
    ) -> None:
        self.service, self.index, self.where = service, index, where
        self.first, self.last, self.target, self.protocol = first, last, target, protocol
        self.mark = service.at("ports", index)

    @property
    def to_the_world(self) -> bool:
        """Whether other machines can reach it."""
        return self.where in ("", "0.0.0.0", "::") or not (
            self.where.startswith("127.") or self.where == "::1"
        )

    def __str__(self) -> str:
        shown = str(self.first) if self.first == self.last else f"{self.first}-{self.last}"
        return f"{self.where}:{shown}" if self.where else shown


def _published(service: ServiceView, index: int, entry: Any) -> list[Published]:
    if type(entry) is not Map or not entry.get("published"):
        return []
    first, _, last = str(entry["published"]).partition("-")
    if not first.isdigit() or (last and not last.isdigit()):
        return []
    where, target = str(entry.get("host_ip") or ""), entry.get("target") or 0
    protocol = str(entry.get("protocol") or "tcp")
    return [Published(service, index, where, int(first), int(last or first), int(target), protocol)]


def known(mark: Mark) -> bool:
    """Whether a mark names a place."""
    return place_of(mark)[0] > 0


def place_key(mark: Mark) -> int:
    """The bare place of a mark, for comparing."""
    return mark.mark if type(mark) is Origin else int(mark)  # type: ignore[arg-type]


_ONE_SHOT = frozenset(
    [
        "migrate",
        "migration",
        "migrations",
        "migrator",
        "init",
        "initializer",
        "seed",
        "seeder",
        "setup",
        "bootstrap",
        "createbuckets",
        "mc",
        "job",
        "backup",
        "restore",
        "test",
        "tests",
        "e2e",
        "k6",
        "pgbench",
        "bench",
        "benchmark",
        "loadtest",
    ]
)
