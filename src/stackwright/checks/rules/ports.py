"""Ports: who claims which, and who can reach them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from stackwright.checks.finding import Hit
from stackwright.checks.rule import ADVICE, ERROR, WARNING, rule
from stackwright.checks.service import Published
from stackwright.checks.subject import Subject


@rule(
    "SW301",
    "host-port-collision",
    ERROR,
    reason="Only one container can listen on a port of the host: the second one fails to start.",
    mend="publish one of them on another port, or not at all",
)
def host_port_collision(subject: Subject) -> Iterator[Hit]:
    """Two services, or two entries of one, publish the same host port."""
    published = [port for service in subject.each for port in service.published if port.first == port.last]
    for one, other in combinations(published, 2):
        if one.first != other.first or not _clash(one, other) or not one.service.together_with(other.service):
            continue
        if one.service is other.service:
            message = f'service "{one.service.name}" publishes port {one.first} twice'
        else:
            message = (
                f'services "{one.service.name}" and "{other.service.name}" both publish port {one.first}'
            )
        related = ((f'"{one.service.name}" publishes it here', one.mark),)
        yield Hit(
            message,
            other.mark,
            service=other.service.name,
            path=f"services.{other.service.name}.ports",
            related=related,
        )


def _clash(one: Published, other: Published) -> bool:
    everywhere = ("", "0.0.0.0", "::")
    same = one.where == other.where or one.where in everywhere or other.where in everywhere
    return one.protocol == other.protocol and same


@rule(
    "SW302",
    "host-port-taken",
    WARNING,
    reason="Another program on this machine already listens on the port, so the container cannot start.",
    mend="stop the other program, or publish another port",
)
def host_port_taken(subject: Subject) -> Iterator[Hit]:
    """A published port that something on the host listens on (only with ``--host``)."""
    for service in subject.each:
        for port in service.published:
            if port.first == port.last and (port.protocol, port.first) in subject.host.ports:
                message = (
                    f'service "{service.name}" publishes port {port.first}, which is in use on this machine'
                )
                yield Hit(message, port.mark, service=service.name, path=f"services.{service.name}.ports")


@rule(
    "SW306",
    "database-published",
    WARNING,
    production=ERROR,
    reason="Docker publishes on every address and past the host's firewall: the data is one password away from the world.",
    mend='publish on this machine only ("127.0.0.1:5432:5432"), or not at all',
)
def database_published(subject: Subject) -> Iterator[Hit]:
    """A database, cache or queue reachable from other machines."""
    for service in subject.each:
        software = service.software
        if software is None or software.kind not in ("database", "cache", "queue", "search"):
            continue
        for port in service.published:
            if port.to_the_world and port.target in software.ports:
                message = f'service "{service.name}" publishes {software.name} (port {port}) to every network of the host'
                mend = f'publish on this machine only ("127.0.0.1:{port.first}:{port.target}"), or not at all: services reach each other without it'
                path = f"services.{service.name}.ports"
                grave = ADVICE if subject.kind == "test" else None
                yield Hit(message, port.mark, service=service.name, path=path, mend=mend, severity=grave)
                break


@rule(
    "SW307",
    "admin-published",
    None,
    production=WARNING,
    reason="Administration pages give whoever reaches them power over the data or the machine.",
    mend="publish it on 127.0.0.1 and use a tunnel, or put it behind the proxy with a login",
)
def admin_published(subject: Subject) -> Iterator[Hit]:
    """An administration or metrics page published to the world in production."""
    for service in subject.each:
        software = service.software
        if software is None:
            continue
        pages = (
            software.ports
            if software.kind in ("admin", "metrics")
            else (15672,)
            if software.name == "RabbitMQ"
            else ()
        )
        for port in service.published:
            if port.to_the_world and port.target in pages:
                message = f'service "{service.name}" publishes {software.name}\'s pages (port {port}) to every network of the host'
                yield Hit(message, port.mark, service=service.name, path=f"services.{service.name}.ports")


@rule(
    "SW308",
    "base-60-port",
    ADVICE,
    reason='YAML 1.1 readers take "22:22" without quotes for a number in base 60 when the parts are below 60.',
    mend="put the port in quotes",
    fixable=True,
)
def base_60_port(subject: Subject) -> Iterator[Hit]:
    """A port mapping without quotes that old YAML readers misunderstand."""
    from stackwright.checks.fixes import quote

    for raw in subject.raws:
        for name, service, _ in raw.services():
            ports = service.get("ports")
            for index, port in enumerate(ports if isinstance(ports, list) else ()):
                parts = str(port).split(":")
                if not isinstance(port, str) or len(parts) < 2 or not all(part.isdigit() for part in parts):
                    continue
                place = raw.place(service["ports"].mark_at(index))
                written = raw.line(place.line)[place.column - 1 :]
                if int(parts[-1]) < 60 and written[:1].isdigit():
                    message = f'service "{name}": the port {port} needs quotes'
                    fix = quote(raw, place, port, f"quote the port {port}")
                    yield Hit(message, place=place, service=name, path=f"services.{name}.ports", fix=fix)


@rule(
    "SW309",
    "host-network-ports",
    WARNING,
    reason="A container on the host's network has no ports of its own to publish: the list is ignored.",
    mend="remove the ports, or the network_mode",
)
def host_network_ports(subject: Subject) -> Iterator[Hit]:
    """``ports`` beside ``network_mode: host``."""
    for service in subject.each:
        mode = str(service.data.get("network_mode") or "")
        if mode == "host" and service.items("ports"):
            message = f'service "{service.name}" is on the host\'s network, so its ports are not published'
            yield Hit(
                message, service.key("ports"), service=service.name, path=f"services.{service.name}.ports"
            )
        elif mode == "none" and service.items("ports"):
            message = f'service "{service.name}" has no network, so its ports cannot be reached'
            yield Hit(
                message, service.key("ports"), service=service.name, path=f"services.{service.name}.ports"
            )


_MOVABLE = ("-p", "--port", "port=", "port:", "-c")


@rule(
    "SW310",
    "wrong-container-port",
    WARNING,
    reason="Nothing listens on that port inside the container, so the published port leads nowhere.",
    mend="the number after the colon must be the port on which the program listens",
)
def wrong_container_port(subject: Subject) -> Iterator[Hit]:
    """A database published from a port that its program does not listen on."""
    for service in subject.each:
        software = service.software
        if (
            software is None
            or software.kind not in ("database", "cache", "queue")
            or software.name in ("Kafka", "ZooKeeper", "etcd", "MongoDB", "CockroachDB")
        ):
            continue
        ports = service.published
        tuned = any(
            word.startswith(_MOVABLE) or "port" in word.lower() or ".conf" in word or ".cnf" in word
            for word in service.command
        )
        moved = any(key.endswith(("PORT", "PORT_NUMBER", "TCP_PORT")) for key in service.environment)
        configured = any(
            str(mount.get("target")).endswith((".conf", ".cnf", "conf.d"))
            for mount in service.items("volumes")
        )
        targets = {port.target for port in ports}
        if (
            not ports
            or tuned
            or moved
            or configured
            or targets & {*software.ports, *_EXTRA.get(software.name, ())}
        ):
            continue
        message = f'service "{service.name}" publishes container port {ports[0].target}, but {software.name} listens on {software.ports[0]}'
        mend = f'write "{ports[0]}:{software.ports[0]}"'
        yield Hit(
            message, ports[0].mark, service=service.name, path=f"services.{service.name}.ports", mend=mend
        )


_EXTRA: dict[str, tuple[int, ...]] = {
    "RabbitMQ": (15672, 5671, 15692, 1883, 61613, 15674, 15675),
    "Qdrant": (6335,),
    "MySQL": (33060,),
    "Redis": (8001,),
    "NATS": (8222, 6222, 8080),
    "SQL Server": (1433,),
    "Neo4j": (7473,),
    "Cassandra": (7000, 7001, 7199, 9160, 9180, 10000),
    "RethinkDB": (8080, 29015),
    "ClickHouse": (9009, 8443, 9440, 9004, 9005, 9363),
    "InfluxDB": (8083, 8088, 8089),
}
"""Further ports on which the programs listen by themselves or with a usual plugin."""
