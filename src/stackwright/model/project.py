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
    config_hashes: dict[str, str] = {}
    """Service name to the value of the label ``com.docker.compose.config-hash``."""
    warnings: tuple[str, ...] = ()
    model: dict[str, Any] = {}

    @property
    def directory(self) -> Path:
        """The project directory."""
        return Path(self.working_dir)
