# ruff: noqa: RUF012 - msgspec copies empty defaults
"""The typed project that ``load`` returns."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stackwright.model.types import Config, Extensions, Model, Network, Secret, Service, Volume
from stackwright.model.types.base import Value


class Project(Value, frozen=True, kw_only=True):
    """A whole Compose application after every stage of reading.

    Services that a profile leaves out are in ``disabled_services``. ``model`` is the same project
    as plain data in canonical (long) form, the value from which ``config`` prints.
    """

    name: str
    working_dir: str
    """Absolute path of the project directory."""
    services: dict[str, Service] = {}
    networks: dict[str, Network] = {}
    volumes: dict[str, Volume] = {}
    secrets: dict[str, Secret] = {}
    configs: dict[str, Config] = {}
    models: dict[str, Model] = {}
    extensions: Extensions = {}
    compose_files: tuple[str, ...] = ()
    environment: Mapping[str, str] = {}
    """What interpolation saw: the process environment over the env files."""
    disabled_services: dict[str, Service] = {}
    profiles: tuple[str, ...] = ()
    config_hashes: Mapping[str, str] = {}
    """Service name to the value of the label ``com.docker.compose.config-hash``; worked out when asked for."""
    warnings: tuple[str, ...] = ()
    model: dict[str, Any] = {}
    source_names: tuple[str, ...] = ()
    """The files that were read, by their numbers in marks; number 0 is no file."""

    @property
    def directory(self) -> Path:
        """The project directory."""
        return Path(self.working_dir)

    def locate(self, path: str) -> str:
        """`file:line` of a place such as ``services.db.healthcheck``, or of the nearest one above it.

        Empty when no file names it.
        """
        from stackwright.model.marks import Map, place_of

        here: Any = self.model
        found = (0, 0, 0)
        for key in path.split("."):
            if type(here) is not Map or key not in here:
                break
            found = place_of(here.key_mark(key))
            here = here[key]
        number, line, _ = found
        return f"{self.source_names[number]}:{line}" if 0 < number < len(self.source_names) else ""
