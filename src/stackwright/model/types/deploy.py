# ruff: noqa: RUF012 - msgspec copies empty defaults
"""``services.*.deploy`` (Compose Deploy Specification) and device requests."""

from stackwright.model.types.base import Bytes, Extensions, Nanoseconds, Value


class DeviceRequest(Value, frozen=True, kw_only=True):
    """A request for devices such as GPUs. ``count`` is -1 for all, 0 when ``device_ids`` are named."""

    capabilities: list[str] = []
    driver: str = ""
    count: int = 0
    device_ids: list[str] = []
    options: dict[str, str] = {}


class DiscreteResource(Value, frozen=True, kw_only=True):
    """A countable resource of a node."""

    kind: str = ""
    value: int = 0


class GenericResource(Value, frozen=True, kw_only=True):
    """A user-defined resource of a node."""

    discrete_resource_spec: DiscreteResource | None = None


class Resource(Value, frozen=True, kw_only=True):
    """One side of ``resources``. ``cpus`` is in processors, ``memory`` in bytes; 0 is no limit."""

    cpus: float = 0.0
    memory: Bytes = 0
    pids: int = 0
    devices: list[DeviceRequest] = []
    generic_resources: list[GenericResource] = []
    extensions: Extensions = {}


class Resources(Value, frozen=True, kw_only=True):
    """What a service may use at most, and what is kept for it."""

    limits: Resource | None = None
    reservations: Resource | None = None
    extensions: Extensions = {}


class UpdateConfig(Value, frozen=True, kw_only=True):
    """How containers are replaced; also used for ``rollback_config``."""

    parallelism: int | None = None
    delay: Nanoseconds = 0
    failure_action: str = ""
    monitor: Nanoseconds = 0
    max_failure_ratio: float = 0.0
    order: str = ""
    extensions: Extensions = {}


class RestartPolicy(Value, frozen=True, kw_only=True):
    """When and how an ended container is started again."""

    condition: str = ""
    delay: Nanoseconds | None = None
    max_attempts: int | None = None
    window: Nanoseconds | None = None
    extensions: Extensions = {}


class PlacementPreference(Value, frozen=True, kw_only=True):
    """A strategy for spreading tasks."""

    spread: str = ""


class Placement(Value, frozen=True, kw_only=True):
    """Which nodes may run the service."""

    constraints: list[str] = []
    preferences: list[PlacementPreference] = []
    max_replicas_per_node: int = 0
    extensions: Extensions = {}


class Deploy(Value, frozen=True, kw_only=True):
    """How many containers, where, with which resources, and how they are replaced."""

    mode: str = ""
    replicas: int | None = None
    labels: dict[str, str] = {}
    update_config: UpdateConfig | None = None
    rollback_config: UpdateConfig | None = None
    resources: Resources = Resources()
    restart_policy: RestartPolicy | None = None
    placement: Placement = Placement()
    endpoint_mode: str = ""
    extensions: Extensions = {}
