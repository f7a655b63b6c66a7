"""Where Podman answers the Engine API in its own way, turned into Docker's.

Known of 4.3. Everything here is a value in and a value out; the client calls it where the engine is Podman.
"""

from __future__ import annotations

import signal
from contextlib import suppress
from math import ceil, floor
from typing import Any

from stackwright.engine.errors import ApiError, Conflict

JSON = dict[str, Any]
STOP_SECONDS = 10
"""How long a stop waits by default (Docker's default; Compose Specification, stop_grace_period)."""
_EVENTS = {"die": "died", "destroy": "remove"}
"""Docker's names of events to those by which Podman filters. It translates them back only in its answers."""


def event_filters(filters: JSON | None) -> JSON | None:
    """Filters of SystemEvents."""
    if not filters or "event" not in filters:
        return filters
    return {**filters, "event": [_EVENTS.get(name, name) for name in filters["event"]]}


def event_times(since: float | None, until: float | None) -> tuple[str | None, str | None]:
    """`since` and `until` of SystemEvents: whole seconds, for with fractions nothing is found."""
    return (None if since is None else str(floor(since)), None if until is None else str(ceil(until)))


def event(message: JSON) -> JSON:
    """An event, by Docker's name."""
    back = {theirs: ours for ours, theirs in _EVENTS.items()}
    action = message.get("Action")
    if message.get("Type") != "container" or action not in back:
        return message
    return {**message, "Action": back[action], "status": back[action]}


def listed(containers: list[JSON]) -> list[JSON]:
    """ContainerList: Podman writes a network's name where its id should be, which is no help to who compares."""
    for one in containers:
        for name, endpoint in ((one.get("NetworkSettings") or {}).get("Networks") or {}).items():
            if endpoint and endpoint.get("NetworkID") == name:
                endpoint["NetworkID"] = ""
    return containers


def inspected(container: JSON) -> JSON:
    """ContainerInspect: the stop signal by name, not by number."""
    number = str((container.get("Config") or {}).get("StopSignal") or "")
    if number.isdigit():
        with suppress(ValueError):  # a real-time signal has no name
            container["Config"]["StopSignal"] = signal.Signals(int(number)).name
    return container


def top(answer: JSON) -> JSON:
    """ContainerTop: columns, where Podman gives whole lines."""
    titles = [title for text in answer.get("Titles") or () for title in text.split()]
    rows = [
        row[0].split(None, len(titles) - 1) if len(row) == 1 else row for row in answer.get("Processes") or ()
    ]
    return {**answer, "Titles": titles, "Processes": rows}


def to_create(config: JSON) -> JSON:
    """A body of ContainerCreate: without a StopTimeout, Podman takes 0 for it and kills at once."""
    return {"StopTimeout": STOP_SECONDS, **config}


def failure(error: ApiError) -> ApiError:
    """A name that is taken, or a network in use, is a conflict, not an accident."""
    taken = "is already in use" in error.message and "name" in error.message
    if taken or "network is being used" in error.message:
        return Conflict(409, error.message)
    return error


def ended_under_inspection(error: ApiError) -> bool:
    """Whether Podman failed to look into a container because that ended the very moment: the next look sees it ended."""
    return "/cgroup: no such process" in error.message


def has_ranges(config: JSON) -> bool:
    """Whether ContainerCreate asks for host ports out of a range."""
    bindings = (config.get("HostConfig") or {}).get("PortBindings") or {}
    return any(
        "-" in str(one.get("HostPort") or "") for several in bindings.values() for one in several or ()
    )


def single_ports(config: JSON, taken: set[tuple[int, str]]) -> JSON:
    """ContainerCreate: a free host port where a range is asked for, which Podman does not understand.

    `taken` are host ports by number and protocol; what is chosen here is added. A range without a free port stays, and
    Podman's refusal is the answer.
    """
    bindings = (config.get("HostConfig") or {}).get("PortBindings") or {}
    chosen = {
        port: [
            {**one, "HostPort": _single(str(one.get("HostPort") or ""), port, taken)} for one in several or ()
        ]
        for port, several in bindings.items()
    }
    return {**config, "HostConfig": {**config["HostConfig"], "PortBindings": chosen}} if bindings else config


def _single(text: str, port: str, taken: set[tuple[int, str]]) -> str:
    first, dash, last = text.partition("-")
    if not (dash and first.isdigit() and last.isdigit()):
        return text
    protocol = port.partition("/")[2] or "tcp"
    for number in range(int(first), int(last) + 1):
        if (number, protocol) not in taken:
            taken.add((number, protocol))
            return str(number)
    return text


def published(summaries: list[JSON]) -> set[tuple[int, str]]:
    """ContainerList: the host ports of all containers, by number and protocol."""
    ports = [port for one in summaries for port in one.get("Ports") or ()]
    return {
        (int(port["PublicPort"]), str(port.get("Type", "tcp"))) for port in ports if port.get("PublicPort")
    }
