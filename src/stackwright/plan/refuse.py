"""What a plan cannot do, said before anything is started."""

from __future__ import annotations

from msgspec import Struct

from stackwright.model.project import Project


class Refusal(Struct, frozen=True):
    """A wish that cannot be met: why, where in the model, and what mends it."""

    message: str
    path: str
    hint: str


def refusals(project: Project, scale: dict[str, int], names: list[str]) -> list[Refusal]:
    """Services that cannot run as often as they should (a fixed name, one host port for many), or not at all."""
    found = []
    for name in names:
        service = project.services[name]
        found += _external(project, name)
        count = scale.get(name, service.replicas)
        if count < 2:
            continue
        if service.container_name:
            found.append(
                Refusal(
                    f"service {name} cannot run {count} times: its containers would all be named "
                    f"{service.container_name}",
                    f"services.{name}.container_name",
                    "leave out container_name, or do not scale the service",
                )
            )
        for port in service.ports:
            if port.published and _width(port.published) < count and service.network_mode != "host":
                found.append(
                    Refusal(
                        f"service {name} cannot run {count} times: each container would need the host's port "
                        f"{port.published}",
                        f"services.{name}.ports",
                        f'publish a range such as "{_range(port.published, count)}:{port.target}", or only '
                        f'"{port.target}" for free ports',
                    )
                )
    return found


def _external(project: Project, name: str) -> list[Refusal]:
    """Secrets and configs that a platform keeps: only Swarm does, and no engine's containers see them."""
    service = project.services[name]
    return [
        Refusal(
            f"service {name} uses the external {kind} {reference.source}, which no container engine keeps",
            f"services.{name}.{kind}s",
            f"give {kind}s.{reference.source} a file or an environment variable",
        )
        for kind, references, table in (
            ("secret", service.secrets, project.secrets),
            ("config", service.configs, project.configs),
        )
        for reference in references
        if reference.source in table and table[reference.source].external
    ]


def _width(published: str) -> int:
    first, dash, last = published.partition("-")
    return int(last) - int(first) + 1 if dash else 1


def _range(published: str, count: int) -> str:
    first = int(published.partition("-")[0])
    return f"{first}-{first + count - 1}"
