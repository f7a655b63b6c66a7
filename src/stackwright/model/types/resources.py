# ruff: noqa: RUF012 - msgspec copies empty defaults
"""The top-level elements besides services. ``name`` is always the engine's name, never empty."""

from stackwright.model.types.base import Extensions, Value


class IpamPool(Value, frozen=True, kw_only=True):
    """One address pool of a network."""

    subnet: str = ""
    gateway: str = ""
    ip_range: str = ""
    aux_addresses: dict[str, str] = {}
    extensions: Extensions = {}


class Ipam(Value, frozen=True, kw_only=True):
    """Address management of a network."""

    driver: str = ""
    config: list[IpamPool] = []
    extensions: Extensions = {}


class Network(Value, frozen=True, kw_only=True):
    """A network. ``name`` already carries the project's prefix where it has one."""

    name: str
    driver: str = ""
    driver_opts: dict[str, str] = {}
    ipam: Ipam = Ipam()
    external: bool = False
    internal: bool = False
    attachable: bool = False
    labels: dict[str, str] = {}
    enable_ipv4: bool | None = None
    enable_ipv6: bool | None = None
    extensions: Extensions = {}


class Volume(Value, frozen=True, kw_only=True):
    """A named volume. ``name`` already carries the project's prefix where it has one."""

    name: str
    driver: str = ""
    driver_opts: dict[str, str] = {}
    external: bool = False
    labels: dict[str, str] = {}
    extensions: Extensions = {}


class Secret(Value, frozen=True, kw_only=True):
    """A secret, from a file, an environment variable, or the platform (external).

    ``content`` is the resolved value when it comes from the environment; never printed.
    """

    name: str = ""
    file: str = ""
    environment: str = ""
    content: str = ""
    external: bool = False
    labels: dict[str, str] = {}
    driver: str = ""
    driver_opts: dict[str, str] = {}
    template_driver: str = ""
    extensions: Extensions = {}


class Config(Secret, frozen=True, kw_only=True):
    """A config, from a file, inline content, an environment variable, or the platform."""


class Model(Value, frozen=True, kw_only=True):
    """An AI model that services use."""

    name: str = ""
    model: str = ""
    context_size: int = 0
    runtime_flags: list[str] = []
    extensions: Extensions = {}
