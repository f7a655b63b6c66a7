"""Networks: who can reach whom, and whether that is meant."""

from __future__ import annotations

from collections.abc import Iterator

from stackwright.checks.finding import Hit
from stackwright.checks.rule import ADVICE, ERROR, WARNING, rule
from stackwright.checks.service import ServiceView
from stackwright.checks.subject import Subject
from stackwright.model.marks import Map

_DATA = ("database", "queue", "search", "cache")


def _internal(subject: Subject, name: str) -> bool:
    return bool((subject.section("networks").get(name) or {}).get("internal"))


@rule(
    "SW901",
    "flat-network",
    None,
    production=ADVICE,
    reason="Every service can reach every other: whoever takes over the one that faces the world speaks to the database at once.",
    mend="put what faces the world and what keeps data on networks of their own",
)
def flat_network(subject: Subject) -> Iterator[Hit]:
    """Five or more services in production, with a database, all on one network."""
    attached = [service for service in subject.each if service.networks]
    used = {name for service in attached for name in service.networks}
    if len(attached) >= 5 and len(used) == 1 and any(service.kind in _DATA for service in attached):
        name = next(iter(used))
        networks = subject.section("networks")
        mark = networks.key_mark(name) if networks.marks.get(name, (0, 0))[0] else attached[0].mark
        yield Hit(
            f'all {len(attached)} services are on the one network "{name}"', mark, path=f"networks.{name}"
        )


@rule(
    "SW902",
    "database-in-front",
    WARNING,
    reason="The services that face the world can reach the database directly, although there is a network apart for it.",
    mend="take the database off the front network",
)
def database_in_front(subject: Subject) -> Iterator[Hit]:
    """A database on the network of the proxy, in a project that has several networks."""
    every = [name for service in subject.each for name in service.networks]
    used = {name for name in every if every.count(name) > 1}
    if len(used) < 2:
        return
    fronts: dict[str, ServiceView] = {}
    for service in subject.each:
        if service.kind == "proxy" and any(port.to_the_world for port in service.published):
            fronts.update(dict.fromkeys(service.networks, service))
    for service in subject.each:
        # A service on one network only has to share it with whoever needs it.
        shared = [name for name in service.networks if name in fronts]
        if (
            service.kind in ("database", "queue", "search")
            and shared
            and (len(service.networks) > 1 or len(set(fronts)) < len(used))
        ):
            front = fronts[shared[0]]
            yield service.hit(
                f'is on the network "{shared[0]}" of "{front.name}", which faces the world',
                service.key("networks", shared[0]),
                "networks",
            )


@rule(
    "SW903",
    "could-be-internal",
    None,
    production=ADVICE,
    reason="A network that nothing outside needs can be closed: a program that was taken over then cannot send the data away.",
    mend="add internal: true to the network",
)
def could_be_internal(subject: Subject) -> Iterator[Hit]:
    """A network in production that only databases and services with another network are on."""
    networks = subject.section("networks")
    for name, network in networks.items():
        members = [service for service in subject.each if name in service.networks]
        definition = network if type(network) is Map else Map()
        if definition.get("internal") or definition.get("external") or len(members) < 2 or name == "default":
            continue
        others = [service for service in members if service.kind not in _DATA]
        closed = all(len(service.networks) > 1 for service in others) and not any(
            service.published for service in members if service.kind in _DATA
        )
        if len(others) < len(members) and others and closed:
            yield Hit(
                f'nothing needs a way out of the network "{name}"',
                networks.key_mark(name),
                path=f"networks.{name}.internal",
            )


@rule(
    "SW904",
    "published-on-internal",
    ERROR,
    reason="A network that is internal has no way in from the host: the published port leads nowhere.",
    mend="attach the service to a network that is not internal, too",
)
def published_on_internal(subject: Subject) -> Iterator[Hit]:
    """Published ports of a service that is on internal networks only."""
    for service in subject.each:
        if (
            service.networks
            and service.items("ports")
            and all(_internal(subject, name) for name in service.networks)
        ):
            shown = ", ".join(f'"{name}"' for name in service.networks)
            yield service.hit(
                f"publishes ports, but is only on the internal network {shown}", service.key("ports"), "ports"
            )


@rule(
    "SW905",
    "alias-of-another",
    WARNING,
    reason="Two services answer to one name: each connection goes to the one or the other.",
    mend="choose another alias",
)
def alias_of_another(subject: Subject) -> Iterator[Hit]:
    """A network alias that is the name of another service on that network."""
    for service in subject.each:
        for network, attachment in service.mapping("networks").items():
            for alias in (attachment.get("aliases") or ()) if type(attachment) is Map else ():
                other = subject.services.get(str(alias))
                if (
                    other is not None
                    and other is not service
                    and network in other.networks
                    and service.together_with(other)
                ):
                    yield service.hit(
                        f'answers to "{alias}" on network "{network}", as does the service of that name',
                        service.key("networks", network),
                        "networks",
                    )


@rule(
    "SW906",
    "name-of-another",
    WARNING,
    reason="Two services answer to one name: each connection goes to the one or the other.",
    mend="choose another container_name or hostname",
)
def name_of_another(subject: Subject) -> Iterator[Hit]:
    """A container name that is the name of another service on the same network."""
    for service in subject.each:
        name = str(service.data.get("container_name") or "")
        other = subject.services.get(name)
        if (
            other is not None
            and other is not service
            and set(service.networks) & set(other.networks)
            and service.together_with(other)
        ):
            yield service.hit(
                f'has the container name "{name}", which is another service',
                service.at("container_name"),
                "container_name",
            )


@rule(
    "SW907",
    "default-bridge",
    WARNING,
    reason="On Docker's default bridge containers have no names: the service cannot find the others, nor they it.",
    mend="remove network_mode",
)
def default_bridge(subject: Subject) -> Iterator[Hit]:
    """``network_mode: bridge`` in a project of several services."""
    for service in subject.each:
        if (
            service.data.get("network_mode") == "bridge"
            and len(subject.services) > 1
            and not service.data.get("links")
        ):
            yield service.hit(
                "is on the default bridge, where it finds no other service by name",
                service.at("network_mode"),
                "network_mode",
            )
