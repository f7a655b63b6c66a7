"""Addresses between services: names that nobody has, ports that nobody listens on, networks not shared."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stackwright.checks.finding import Fix, Hit
from stackwright.checks.fixes import changed, replace_on_line
from stackwright.checks.rule import ADVICE, ERROR, WARNING, rule
from stackwright.checks.service import ServiceView
from stackwright.checks.subject import Subject
from stackwright.checks.urls import LOCAL, Address, addresses, names_elsewhere, own_hosts, single_label
from stackwright.model.marks import Map
from stackwright.model.nearest import nearest


def _others(address: Address) -> list[ServiceView]:
    """The services that an address may mean."""
    return [
        one for one in address.service.subject.by_name.get(address.host, []) if one is not address.service
    ]


def guess(host: str, subject: Subject) -> str:
    """What a name that nobody has may have been meant to be, as a sentence; empty without an idea."""
    numbered = re.fullmatch(r"(.+)[-_]\d+", host)
    if numbered and numbered[1] in subject.by_name:
        return f'the name of all containers of the service is "{numbered[1]}"'
    near = nearest(host, subject.by_name)
    return f'did you mean "{near}"?' if near else ""


@rule(
    "SW110",
    "unknown-host",
    WARNING,
    reason="No service, alias or extra host has that name, so it cannot be resolved inside the container.",
    mend="name a service of the project, or add the service",
)
def unknown_host(subject: Subject) -> Iterator[Hit]:
    """A variable whose address names a host that is no service."""
    for service in subject.each:
        if names_elsewhere(service):
            continue
        own = own_hosts(service)
        said: set[str] = set()
        for address in addresses(service):
            host = address.host
            if (
                not single_label(host)
                or host in subject.by_name
                or host in own
                or host in said
                or address.for_browsers
            ):
                continue
            if not address.scheme and not _surely_host(address):
                continue
            if host in service.mapping("depends_on"):
                continue  # The model has said that the service is missing.
            said.add(host)
            message = f'reaches for "{host}" in {address.variable}, which no service is called'
            yield service.hit(message, address.mark, "environment", mend=guess(host, subject))


def _surely_host(address: Address) -> bool:
    """A bare word in ``*_HOST`` is a host of this project when another such word there is one, or it has a port."""
    return bool(address.port) or address.variable.upper() in (
        "DB_HOST",
        "DATABASE_HOST",
        "POSTGRES_HOST",
        "PGHOST",
        "MYSQL_HOST",
        "REDIS_HOST",
        "MONGO_HOST",
        "RABBITMQ_HOST",
        "QDRANT_HOST",
        "ELASTICSEARCH_HOST",
        "KAFKA_HOST",
    )


@rule(
    "SW111",
    "no-common-network",
    ERROR,
    reason="Services find each other only on a network that both are attached to.",
    mend="attach both to one network",
)
def no_common_network(subject: Subject) -> Iterator[Hit]:
    """A variable whose address names a service that shares no network."""
    for service in subject.each:
        if service.data.get("network_mode") or not service.networks or names_elsewhere(service):
            continue
        said: set[str] = set()
        for address in addresses(service):
            others = _others(address)
            if (
                not others
                or address.host in said
                or address.for_browsers
                or not (address.scheme or address.port)
            ):
                continue
            if any(not one.networks or set(one.networks) & set(service.networks) for one in others):
                continue
            said.add(address.host)
            message = f'reaches for "{address.host}" in {address.variable}, but they share no network'
            related = ((f'the networks of "{others[0].name}"', others[0].key("networks")),)
            yield service.hit(message, address.mark, "environment", related=related)


@rule(
    "SW112",
    "host-port-inside",
    ERROR,
    reason="Between services the port inside the container counts; the published one exists only on the host.",
    mend="use the container's port",
    fixable=True,
)
def host_port_inside(subject: Subject) -> Iterator[Hit]:
    """A variable whose address names a service with the port that it has on the host."""
    for service in subject.each:
        for address in addresses(service):
            for other in _others(address):
                inside = {port.target for port in other.published} | _exposed(other)
                outside = {port.first: port.target for port in other.published if port.first == port.last}
                if other.software:
                    inside |= set(other.software.ports)
                if address.port in outside and address.port not in inside and not address.for_browsers:
                    right = outside[address.port]
                    message = f'reaches for "{address.host}:{address.port}" in {address.variable}; inside the network it listens on {right}'
                    mend = f'write "{address.host}:{right}"'
                    yield service.hit(
                        message, address.mark, "environment", mend=mend, fix=_port(address, right)
                    )


def _port(address: Address, right: int) -> Fix | None:
    """The address with the container's port, where it is written out."""
    service = address.service
    raw, place = service.subject.raw_at(address.mark), service.subject.place(address.mark)
    if raw is None or service.subject.in_env_file(address.mark):
        return None
    old, new = f"{address.host}:{address.port}", f"{address.host}:{right}"
    changes = changed(service.name, f"environment.{address.variable}")
    return replace_on_line(raw, place.line, old, new, "use the container's port", changes)


def _exposed(service: ServiceView) -> set[int]:
    found = set()
    for entry in service.data.get("expose") or ():
        first = str(entry).partition("/")[0]
        if first.isdigit():
            found.add(int(first))
    for value in service.environment.values():
        if value.isdigit():
            found.add(int(value))
    return found


@rule(
    "SW113",
    "localhost-inside",
    WARNING,
    reason="Inside a container localhost is that container itself, not the host and not another service.",
    mend="write the other service's name",
)
def localhost_inside(subject: Subject) -> Iterator[Hit]:
    """A database address on localhost, although the database is another service of the project."""
    for service in subject.each:
        if service.data.get("network_mode"):
            continue
        for address in addresses(service):
            if address.host not in LOCAL or address.host == "0.0.0.0" or address.for_browsers:
                continue
            other = _meant(address, subject)
            if other is not None and other is not service:
                message = f"looks for {other.software.name if other.software else other.name} on {address.host} in {address.variable}"
                yield service.hit(message, address.mark, "environment", mend=f'write "{other.name}"')


def _meant(address: Address, subject: Subject) -> ServiceView | None:
    """The service that an address on localhost should name: the only one that runs such a program."""
    own = address.service.software
    if own is not None and (address.scheme in own.schemes or own.kind in ("database", "cache", "queue")):
        return None
    found = [
        one
        for one in subject.each
        if one.software
        and one.software.kind in ("database", "cache", "queue", "search")
        and _speaks(one, address)
    ]
    return found[0] if len(found) == 1 else None


def _speaks(service: ServiceView, address: Address) -> bool:
    assert service.software is not None
    if address.scheme:
        return address.scheme in service.software.schemes
    name = address.variable.upper()
    words = {service.software.name.upper(), service.name.upper()}
    starts = {
        "PostgreSQL": ("POSTGRES", "PG", "DB_", "DATABASE_"),
        "MySQL": ("MYSQL", "DB_", "DATABASE_"),
        "MariaDB": ("MYSQL", "MARIADB", "DB_"),
        "MongoDB": ("MONGO",),
    }
    return name.startswith((*words, *starts.get(service.software.name, ())))


_OWN = {
    "PostgreSQL": (("POSTGRES_USER", "POSTGRES_PASSWORD", "postgres"),),
    "MySQL": (("MYSQL_USER", "MYSQL_PASSWORD", ""), ("", "MYSQL_ROOT_PASSWORD", "root")),
    "MariaDB": (
        ("MYSQL_USER", "MYSQL_PASSWORD", ""),
        ("MARIADB_USER", "MARIADB_PASSWORD", ""),
        ("", "MYSQL_ROOT_PASSWORD", "root"),
        ("", "MARIADB_ROOT_PASSWORD", "root"),
    ),
    "MongoDB": (("MONGO_INITDB_ROOT_USERNAME", "MONGO_INITDB_ROOT_PASSWORD", ""),),
    "RabbitMQ": (("RABBITMQ_DEFAULT_USER", "RABBITMQ_DEFAULT_PASS", ""),),
}
"""Where each program's image takes its users from: variable of the name, of the password, name by default."""


@rule(
    "SW115",
    "credentials-differ",
    ERROR,
    reason="The database is set up with one password and the service comes with another: every connection is refused.",
    mend="let both take it from the same variable",
)
def credentials_differ(subject: Subject) -> Iterator[Hit]:
    """An address with another password than the one its database is set up with."""
    for service in subject.each:
        for address in addresses(service):
            for other in _others(address) if address.user and address.password else ():
                wanted = _password_of(other, address.user)
                if wanted is not None and wanted != address.password:
                    message = f'connects to "{other.name}" as {address.user} with another password than "{other.name}" has'
                    related = ((f'the settings of "{other.name}"', other.key("environment")),)
                    yield service.hit(message, address.mark, "environment", related=related)


def _password_of(service: ServiceView, user: str) -> str | None:
    """The password that a user of a database is made with; None when that cannot be known."""
    for name_variable, password_variable, default in _OWN.get(
        service.software.name if service.software else "", ()
    ):
        name = service.environment.get(name_variable, default) if name_variable else default
        if name == user and service.environment.get(password_variable):
            return service.environment[password_variable]
    return None


@rule(
    "SW116",
    "unknown-user",
    WARNING,
    reason="The database's image makes one user; nobody makes this one, so the connection is refused.",
    mend="use the user that the database is set up with",
)
def unknown_user(subject: Subject) -> Iterator[Hit]:
    """An address with a user that its database is not set up with."""
    for service in subject.each:
        for address in addresses(service):
            for other in _others(address) if address.user else ():
                if (
                    other.software is None
                    or other.software.name != "PostgreSQL"
                    or "/" in (other.image.repository if other.image else "")
                ):
                    continue
                makes = any("initdb" in str(mount.get("target")) for mount in other.items("volumes"))
                user = other.environment.get("POSTGRES_USER", "postgres")
                if (
                    user
                    and address.user != user
                    and not makes
                    and "POSTGRES_USER_FILE" not in other.environment
                ):
                    message = (
                        f'connects to "{other.name}" as "{address.user}", but that is set up with "{user}"'
                    )
                    related = ((f'the settings of "{other.name}"', other.key("environment")),)
                    yield service.hit(message, address.mark, "environment", related=related)


@rule(
    "SW117",
    "dependency-not-stated",
    ADVICE,
    reason="Nothing says that the database must be there first, so the service may start before it and fail.",
    mend="add it to depends_on with condition: service_healthy",
)
def dependency_not_stated(subject: Subject) -> Iterator[Hit]:
    """An address of a database or queue that the service does not depend on."""
    for service in subject.each:
        before = _all_dependencies(service)
        said: set[str] = set()
        for address in addresses(service) if service.kind not in ("admin", "metrics", "proxy") else ():
            for other in _others(address):
                if (
                    other.kind not in ("database", "queue", "cache", "search")
                    or other.name in before
                    or other.name in said
                ):
                    continue
                if (
                    not address.scheme
                    or address.for_browsers
                    or not service.together_with(other)
                    or service.kind == other.kind
                ):
                    continue
                said.add(other.name)
                message = f'uses "{other.name}" ({address.variable}) and does not depend on it'
                yield service.hit(message, address.mark, "depends_on")


def _all_dependencies(service: ServiceView) -> set[str]:
    found: set[str] = set()
    waiting = [service]
    while waiting:
        for name in waiting.pop().mapping("depends_on"):
            other = service.subject.services.get(name)
            if name not in found:
                found.add(name)
                waiting += [other] if other is not None else []
    return found


@rule(
    "SW118",
    "depends-across-networks",
    WARNING,
    reason="The service waits for another that it can never reach: they share no network.",
    mend="attach both to one network, or remove the dependency",
)
def depends_across_networks(subject: Subject) -> Iterator[Hit]:
    """``depends_on`` between services that share no network."""
    for service in subject.each:
        for name, dependency in service.mapping("depends_on").items():
            other = subject.services.get(name)
            if other is None or not service.networks or not other.networks or other.one_shot:
                continue
            shared = set(service.networks) & set(other.networks)
            only_end = (
                type(dependency) is Map and dependency.get("condition") == "service_completed_successfully"
            )
            if not shared and not only_end and not (names_elsewhere(service) or names_elsewhere(other)):
                message = f'depends on "{name}", but they share no network'
                related = ((f'the networks of "{name}"', other.key("networks")),)
                yield service.hit(message, service.key("depends_on", name), "depends_on", related=related)
