"""Scaling: what stands in the way of more than one container."""

from __future__ import annotations

from collections.abc import Iterator

from stackwright.checks.finding import Hit
from stackwright.checks.rule import ADVICE, ERROR, WARNING, rule
from stackwright.checks.subject import Subject
from stackwright.model.marks import Map


@rule(
    "SW401",
    "fixed-container-name",
    ADVICE,
    reason="A container name exists once on a machine: the service cannot be scaled, and a second copy of the project cannot start.",
    mend="remove container_name; the service's name already works as a host name",
)
def fixed_container_name(subject: Subject) -> Iterator[Hit]:
    """Any ``container_name``."""
    for service in subject.each:
        name = service.data.get("container_name")
        if name and service.replicas <= 1:
            message = f'service "{service.name}" has the fixed container name "{name}"'
            yield Hit(
                message,
                service.key("container_name"),
                service=service.name,
                path=f"services.{service.name}.container_name",
            )


@rule(
    "SW402",
    "fixed-port-with-replicas",
    ERROR,
    reason="All containers of the service ask for the same host port: only the first one starts.",
    mend="publish a range, or let a proxy in front publish the one port",
)
def fixed_port_with_replicas(subject: Subject) -> Iterator[Hit]:
    """A service with several containers that publishes a single host port."""
    for service in subject.each:
        for port in service.published if service.replicas > 1 else ():
            if port.last - port.first + 1 < service.replicas:
                message = f'service "{service.name}" publishes host port {port} and has more containers than that is for'
                related = (("the number of containers", service.replicas_mark),)
                yield Hit(
                    message,
                    port.mark,
                    service=service.name,
                    path=f"services.{service.name}.ports",
                    related=related,
                )


@rule(
    "SW403",
    "replicas-share-volume",
    WARNING,
    reason="Containers that write the same files overwrite each other unless the program was made for it.",
    mend="keep the state in a database or an object store, or mount the volume read_only",
)
def replicas_share_volume(subject: Subject) -> Iterator[Hit]:
    """A service with several containers that writes a named volume."""
    for service in subject.each:
        if service.replicas <= 1 or (service.software and service.software.single):
            continue
        for index, mount in enumerate(service.items("volumes")):
            if mount.get("type") == "volume" and mount.get("source") and not mount.get("read_only"):
                message = f'all containers of service "{service.name}" write the volume "{mount["source"]}"'
                yield Hit(
                    message,
                    service.at("volumes", index),
                    service=service.name,
                    path=f"services.{service.name}.volumes",
                )


@rule(
    "SW404",
    "replicated-database",
    ERROR,
    reason="Containers of one service are copies that know nothing of each other: each would keep data of its own, or all would damage the same files.",
    mend="run one container, or set up the program's own replication with a service per member",
)
def replicated_database(subject: Subject) -> Iterator[Hit]:
    """A database, cache or queue with several containers."""
    for service in subject.each:
        software = service.software
        if (
            software is not None
            and software.single
            and service.replicas > 1
            and software.name not in ("Memcached", "NATS")
        ):
            message = f'service "{service.name}" runs several containers of {software.name}'
            yield Hit(
                message,
                service.replicas_mark,
                service=service.name,
                path=f"services.{service.name}.deploy.replicas",
            )


@rule(
    "SW405",
    "fixed-address-with-replicas",
    ERROR,
    reason="An address can be given to one container only.",
    mend="remove the address; the service's name leads to all of its containers",
)
def fixed_address_with_replicas(subject: Subject) -> Iterator[Hit]:
    """A static address, or a MAC address, on a service with several containers."""
    for service in subject.each:
        if service.replicas <= 1:
            continue
        for network, attachment in service.mapping("networks").items():
            for key in ("ipv4_address", "ipv6_address", "mac_address"):
                if type(attachment) is Map and attachment.get(key):
                    message = f'service "{service.name}" has several containers and the one address {attachment[key]}'
                    yield Hit(
                        message,
                        service.at("networks", network, key),
                        service=service.name,
                        path=f"services.{service.name}.networks",
                    )
        if service.data.get("mac_address"):
            message = f'service "{service.name}" has several containers and one MAC address'
            yield Hit(
                message,
                service.at("mac_address"),
                service=service.name,
                path=f"services.{service.name}.mac_address",
            )


@rule(
    "SW406",
    "swarm-only",
    ADVICE,
    reason="docker compose reads this and does nothing with it; only Swarm and `stackwright deploy` act on it.",
    mend="nothing, if the file is also deployed that way; otherwise remove it",
)
def swarm_only(subject: Subject) -> Iterator[Hit]:
    """Parts of ``deploy`` that plain ``up`` ignores."""
    for service in subject.each:
        deploy = service.mapping("deploy")
        ignored = [
            key
            for key in ("update_config", "rollback_config", "placement", "endpoint_mode")
            if deploy.get(key)
        ]
        if deploy.get("mode") == "global":
            ignored.append("mode")
        if ignored:
            shown = ", ".join(f"deploy.{key}" for key in ignored)
            message = f'service "{service.name}": {shown} has no effect with up'
            yield Hit(
                message,
                service.key("deploy", ignored[0]),
                service=service.name,
                path=f"services.{service.name}.deploy.{ignored[0]}",
            )
