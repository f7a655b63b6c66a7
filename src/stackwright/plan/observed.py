"""What an engine has of a project, as values: read from the Engine API's lists, no I/O here."""

from __future__ import annotations

import re
from typing import Any

from msgspec import Struct, field

from stackwright.plan import labels

_EXIT = re.compile(r"Exited \((\d+)\)")
_HEALTH = {"(healthy)": "healthy", "(unhealthy)": "unhealthy", "(health: starting)": "starting"}


class Container(Struct, frozen=True):
    """A container as ContainerList describes it."""

    id: str
    name: str
    image: str
    image_id: str
    command: str
    state: str  # created, running, paused, restarting, removing, exited, dead
    status: str
    created: int
    labels: dict[str, str]
    ports: tuple[dict[str, Any], ...] = ()
    mounts: tuple[dict[str, Any], ...] = ()
    networks: dict[str, str] = field(default_factory=dict)
    """Network name to the id that it had when the container joined it; empty before the first start, and where the
    engine does not say."""

    @classmethod
    def from_api(cls, summary: dict[str, Any]) -> Container:
        """Read a ContainerSummary."""
        names = summary.get("Names") or ["/?"]
        own = [name for name in names if name.count("/") == 1] or names
        return cls(
            id=summary["Id"],
            name=own[0].removeprefix("/"),
            image=summary.get("Image", ""),
            image_id=summary.get("ImageID", ""),
            command=summary.get("Command", ""),
            state=summary.get("State", ""),
            status=summary.get("Status", ""),
            created=int(summary.get("Created") or 0),
            labels=dict(summary.get("Labels") or {}),
            ports=tuple(summary.get("Ports") or ()),
            mounts=tuple(summary.get("Mounts") or ()),
            networks={
                name: str((endpoint or {}).get("NetworkID") or "")
                for name, endpoint in ((summary.get("NetworkSettings") or {}).get("Networks") or {}).items()
            },
        )

    @property
    def service(self) -> str:
        """The service it belongs to."""
        return self.labels.get(labels.SERVICE, "")

    @property
    def project(self) -> str:
        """The project it belongs to."""
        return self.labels.get(labels.PROJECT, "")

    @property
    def number(self) -> int:
        """Its number within the service, from 1."""
        text = self.labels.get(labels.NUMBER, "")
        return int(text) if text.isdigit() else 0

    @property
    def oneoff(self) -> bool:
        """Whether `run` made it."""
        return self.labels.get(labels.ONEOFF) == "True"

    @property
    def config_hash(self) -> str:
        """The hash of the configuration it was made from."""
        return self.labels.get(labels.CONFIG_HASH, "")

    @property
    def running(self) -> bool:
        """Whether its process runs (a paused one does)."""
        return self.state in ("running", "paused", "restarting")

    @property
    def exit_code(self) -> int:
        """The exit code in the status text; 0 when it has not ended."""
        found = _EXIT.search(self.status)
        return int(found[1]) if found else 0

    @property
    def health(self) -> str:
        """healthy, unhealthy, starting, or empty."""
        return next((word for sign, word in _HEALTH.items() if sign in self.status), "")


class Observed(Struct, frozen=True):
    """Everything of one project on an engine, and the local ids of the images it names."""

    containers: tuple[Container, ...] = ()
    networks: dict[str, str] = field(default_factory=dict)
    """Name to id of the networks that exist (of the project, or external ones it names)."""
    volumes: frozenset[str] = frozenset()
    network_details: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Name to what the engine says of the network."""
    volume_details: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Name to what the engine says of the volume."""
    images: dict[str, str] = field(default_factory=dict)
    """Image reference to image id, where the engine has it."""

    def of(self, service: str) -> list[Container]:
        """The service's containers that `up` keeps, by number."""
        found = [one for one in self.containers if one.service == service and not one.oneoff]
        return sorted(found, key=lambda one: (one.number, one.name))
