"""Resources: what services may use, together and each."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stackwright.checks.finding import Hit
from stackwright.checks.rule import ADVICE, ERROR, WARNING, rule
from stackwright.checks.service import ServiceView
from stackwright.checks.subject import Subject
from stackwright.model.final.sizes import parse_size

_MB = 1024 * 1024
_LEAST = 6 * _MB
"""The engine refuses a limit below this."""


def shown(size: int) -> str:
    """A size for a person: ``512 MB``, ``1.5 GB``."""
    for unit, name in ((1024 * _MB, "GB"), (_MB, "MB"), (1024, "KB")):
        if size >= unit:
            return f"{size / unit:.1f}".rstrip("0").rstrip(".") + f" {name}"
    return f"{size} bytes"


@rule(
    "SW501",
    "no-memory-limit",
    None,
    production=WARNING,
    reason="One service that leaks takes the memory of all, and the kernel ends whichever it likes.",
    mend="add deploy.resources.limits.memory",
)
def no_memory_limit(subject: Subject) -> Iterator[Hit]:
    """A service in production without a memory limit."""
    for service in subject.each:
        if not service.memory_limit and not service.one_shot and not service.profiles:
            yield service.hit("has no memory limit", service.mark, "deploy.resources.limits.memory")


@rule(
    "SW502",
    "over-budget",
    WARNING,
    reason="When all services use what they may, the machine has not enough: the kernel ends some of them.",
    mend="lower limits, run fewer replicas, or put optional services into profiles",
)
def over_budget(subject: Subject) -> Iterator[Hit]:
    """Memory limits whose sum is over the budget of ``stackwright.toml``, or over the machine's memory (``--host``)."""
    limited = [service for service in subject.each if service.memory_limit and service.enabled]
    total = sum(service.memory_limit * max(service.replicas, 0) for service in limited)
    for size, what in ((subject.budget.memory, "the budget"), (subject.host.memory, "this machine's memory")):
        if size and total > size:
            largest = sorted(limited, key=lambda one: -one.memory_limit * one.replicas)[:3]
            names = ", ".join(f"{one.name} {shown(one.memory_limit * one.replicas)}" for one in largest)
            message = (
                f"the memory limits add up to {shown(total)}, over {what} of {shown(size)} (most: {names})"
            )
            yield Hit(message, largest[0].memory_mark, path="services")
            break


@rule(
    "SW503",
    "reservation-over-limit",
    ERROR,
    reason="The engine refuses a container that is promised more than it may have.",
    mend="make the limit at least as large as the reservation",
)
def reservation_over_limit(subject: Subject) -> Iterator[Hit]:
    """Memory or processors reserved beyond the limit."""
    for service in subject.each:
        if service.memory_limit and service.memory_reservation > service.memory_limit:
            message = f"is promised {shown(service.memory_reservation)} of memory and may have {shown(service.memory_limit)}"
            yield service.hit(
                message, service.at("deploy", "resources", "reservations", "memory"), "deploy.resources"
            )
        limit, reserved = _cpus(service, "limits"), _cpus(service, "reservations")
        if limit and reserved > limit:
            message = f"is promised {reserved:g} processors and may have {limit:g}"
            yield service.hit(
                message, service.at("deploy", "resources", "reservations", "cpus"), "deploy.resources"
            )


def _cpus(service: ServiceView, side: str) -> float:
    given = service.mapping("deploy", "resources", side).get("cpus") or 0
    try:
        return float(given)
    except (TypeError, ValueError):
        return 0.0


@rule(
    "SW504",
    "limit-too-small",
    ERROR,
    reason="The engine refuses limits below 6 MB; a number without a unit means bytes.",
    mend='write the unit: "512M"',
)
def limit_too_small(subject: Subject) -> Iterator[Hit]:
    """A memory limit of a few bytes."""
    for service in subject.each:
        if 0 < service.memory_limit < _LEAST:
            yield service.hit(
                f"may have {shown(service.memory_limit)} of memory",
                service.memory_mark,
                "deploy.resources.limits.memory",
            )


_HEAP = re.compile(r"-Xmx(\d+)([kKmMgG]?)")
_UNITS = {"": 1, "k": 1024, "m": _MB, "g": 1024 * _MB}


@rule(
    "SW505",
    "heap-over-limit",
    ERROR,
    reason="A program that is told to use as much as its container may have is ended by the kernel before it gets there.",
    mend="leave at least a quarter of the limit for everything beside the heap",
)
def heap_over_limit(subject: Subject) -> Iterator[Hit]:
    """``-Xmx`` as large as the container's limit."""
    for service in subject.each:
        given = service.mapping("environment")
        places = [
            (value, given.mark_at(name)) for name, value in service.environment.items() if "-Xmx" in value
        ]
        places += [(word, service.at("command")) for word in service.command if "-Xmx" in word]
        for text, mark in places if service.memory_limit else ():
            match = _HEAP.search(text)
            heap = int(match[1]) * _UNITS[match[2].lower()] if match else 0
            if heap >= service.memory_limit:
                message = f"has a heap of {shown(heap)} within a limit of {shown(service.memory_limit)}"
                yield service.hit(message, mark, "environment", related=(("the limit", service.memory_mark),))


@rule(
    "SW506",
    "cache-over-limit",
    WARNING,
    reason="Redis needs memory beside its data; with maxmemory at the container's limit the kernel ends it before it evicts anything.",
    mend="set maxmemory to about three quarters of the limit",
)
def cache_over_limit(subject: Subject) -> Iterator[Hit]:
    """Redis whose ``maxmemory`` is the container's limit, or more."""
    for service in subject.each:
        if service.software is None or service.software.name != "Redis" or not service.memory_limit:
            continue
        words = " ".join(service.command).split()
        if "--maxmemory" in words[:-1]:
            text = words[words.index("--maxmemory") + 1]
            try:
                size = parse_size(text)
            except ValueError:
                continue
            if size >= service.memory_limit:
                message = f"may keep {text} of data within a limit of {shown(service.memory_limit)}"
                yield service.hit(
                    message, service.at("command"), "command", related=(("the limit", service.memory_mark),)
                )


@rule(
    "SW507",
    "more-processors-than-there-are",
    ERROR,
    reason="The engine refuses a limit above the number of the machine's processors.",
    mend="lower the limit",
)
def more_processors(subject: Subject) -> Iterator[Hit]:
    """A processor limit over the machine's (``--host``) or the budget's."""
    most = subject.host.cpus or subject.budget.cpus
    for service in subject.each:
        limit = _cpus(service, "limits") or float(service.data.get("cpus") or 0)
        if most and limit > most:
            mark = (
                service.at("cpus")
                if "cpus" in service.data
                else service.at("deploy", "resources", "limits", "cpus")
            )
            yield service.hit(
                f"may use {limit:g} processors; there are {most:g}", mark, "deploy.resources.limits.cpus"
            )


@rule(
    "SW508",
    "little-shared-memory",
    ADVICE,
    reason="Browsers keep pages in /dev/shm, of which a container has 64 MB: tabs crash.",
    mend="set shm_size: 2gb",
)
def little_shared_memory(subject: Subject) -> Iterator[Hit]:
    """A browser image without ``shm_size``."""
    for service in subject.each:
        image = service.image
        if image is None or service.data.get("shm_size") or service.data.get("ipc"):
            continue
        browser = image.repository.startswith("selenium/") and image.last.startswith(("standalone", "node-"))
        mounted = any(mount.get("target") == "/dev/shm" for mount in service.items("volumes"))
        if (browser or image.repository in ("browserless/chrome",)) and not mounted:
            yield service.hit("runs a browser with 64 MB of shared memory", service.at("image"), "shm_size")
