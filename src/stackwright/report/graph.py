"""A project as a graph: services with their ports and volumes, dependencies with conditions, networks."""

from __future__ import annotations

from dataclasses import dataclass, field

from stackwright.checks.knowledge.software import software_of
from stackwright.model.project import Project
from stackwright.model.types import Service

_CONDITIONS = {"service_started": "", "service_healthy": "healthy", "service_completed_successfully": "done"}


@dataclass(frozen=True, slots=True)
class Node:
    """A service. ``kind`` decides its shape: service, database, queue, proxy, job, tool."""

    name: str
    kind: str
    image: str
    replicas: int
    ports: tuple[str, ...]
    volumes: tuple[str, ...]
    networks: tuple[str, ...]
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class Edge:
    """``source`` waits for ``target``; ``label`` is what it waits for, empty for "has started"."""

    source: str
    target: str
    label: str


@dataclass(frozen=True, slots=True)
class Graph:
    """Everything that is drawn, in the file's order."""

    name: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    networks: tuple[str, ...] = field(default=())


def graph_of(project: Project) -> Graph:
    """The graph of a project, services of inactive profiles included."""
    services = [(service, False) for service in project.services.values()]
    services += [(service, True) for service in project.disabled_services.values()]
    names = {service.name for service, _ in services}
    awaited = {
        name
        for service, _ in services
        for name, dependency in service.depends_on.items()
        if dependency.condition == "service_completed_successfully"
    }
    nodes = tuple(_node(service, service.name in awaited, disabled) for service, disabled in services)
    edges = tuple(
        Edge(service.name, target, _CONDITIONS[dependency.condition])
        for service, _ in services
        for target, dependency in service.depends_on.items()
        if target in names
    )
    used = [name for name in project.networks if any(name in node.networks for node in nodes)]
    return Graph(project.name, nodes, edges, tuple(used))


def _node(service: Service, job: bool, disabled: bool) -> Node:
    software = software_of(service.image) if service.image and service.build is None else None
    kinds = {
        "database": "database",
        "cache": "database",
        "search": "database",
        "storage": "database",
        "queue": "queue",
        "proxy": "proxy",
        "admin": "tool",
        "metrics": "tool",
    }
    kind = "job" if job else kinds.get(software.kind if software else "", "service")
    ports = []
    for port in service.ports:
        if port.published:
            where = f"{port.host_ip}:" if port.host_ip else ":"
            inner = "" if port.published == str(port.target) else f"→{port.target}"
            protocol = "" if port.protocol == "tcp" else f"/{port.protocol}"
            ports.append(f"{where}{port.published}{inner}{protocol}")
    volumes = tuple(mount.source for mount in service.volumes if mount.type == "volume" and mount.source)
    image = service.image or "built here"
    return Node(
        service.name, kind, image, service.replicas, tuple(ports), volumes, tuple(service.networks), disabled
    )


def layers(graph: Graph) -> list[list[str]]:
    """Names by depth: what depends on nothing is last, whoever nobody waits for comes as near to its needs as it can.

    Circles cannot be in a model that was read; should there be one, its nodes end where they are met first.
    """
    needs: dict[str, list[str]] = {node.name: [] for node in graph.nodes}
    for edge in graph.edges:
        needs[edge.source].append(edge.target)
    depth: dict[str, int] = {}

    def measure(name: str, trail: frozenset[str]) -> int:
        if name not in depth:
            below = [measure(target, trail | {name}) + 1 for target in needs[name] if target not in trail]
            depth[name] = max(below, default=0)
        return depth[name]

    for name in needs:
        measure(name, frozenset())
    height = max(depth.values(), default=0)
    found: list[list[str]] = [[] for _ in range(height + 1)]
    for name in needs:
        found[height - depth[name]].append(name)
    return found
