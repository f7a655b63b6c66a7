"""Environments that have drifted apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from stackwright.checks.environments import DEFAULT
from stackwright.checks.finding import Hit
from stackwright.checks.rule import ADVICE, WARNING, rule_across
from stackwright.checks.service import ServiceView
from stackwright.checks.subject import Subject


def _pairs(subjects: Sequence[Subject]) -> Iterator[tuple[str, list[tuple[Subject, ServiceView]]]]:
    """Each service with the environments that have it."""
    names = dict.fromkeys(name for subject in subjects for name in subject.services)
    for name in names:
        yield name, [(subject, subject.services[name]) for subject in subjects if name in subject.services]


@rule_across(
    "SW1010",
    "other-version-elsewhere",
    WARNING,
    reason="What was tested is not what runs: another version of a database may not even read the same files.",
    mend="use one version in every environment",
)
def other_version_elsewhere(subjects: Sequence[Subject]) -> Iterator[tuple[Subject, Hit]]:
    """A database or queue with different major versions in two environments."""
    for _, places in _pairs(subjects):
        known = [
            (subject, service)
            for subject, service in places
            if service.software and service.image and service.image.version
        ]
        for subject, service in known[1:]:
            first, other = known[0]
            if (
                service.software is not other.software
                or service.image is None
                or other.image is None
                or service.kind not in ("database", "queue", "search", "cache")
            ):
                continue
            if service.image.version[:1] != other.image.version[:1]:
                message = f"runs {service.image.repository} {service.image.tag} in {subject.environment} and {other.image.tag} in {first.environment}"
                yield subject, service.hit(message, service.at("image"), "image")


@rule_across(
    "SW1011",
    "variable-missing-here",
    ADVICE,
    reason="A variable that all other environments set is usually forgotten in the one that does not.",
    mend="set it here, too, or give it a default in the program",
)
def variable_missing_here(subjects: Sequence[Subject]) -> Iterator[tuple[Subject, Hit]]:
    """A variable that a service has in every other environment (at least two), but not in this one."""
    for _, places in _pairs([subject for subject in subjects if subject.environment != DEFAULT]):
        if len(places) < 3:
            continue
        for subject, service in places:
            others = [set(one.mapping("environment")) for other, one in places if other is not subject]
            for name in sorted(set.intersection(*others) - set(service.mapping("environment"))):
                yield (
                    subject,
                    service.hit(
                        f"has no {name} in {subject.environment}, as it has in all other environments",
                        service.key("environment"),
                        "environment",
                    ),
                )


@rule_across(
    "SW1012",
    "service-missing-here",
    ADVICE,
    reason="An environment that lacks a service that the others have has probably been forgotten when it was added.",
    mend="add it here, or take it for a difference that is meant (suppress this with the reason)",
)
def service_missing_here(subjects: Sequence[Subject]) -> Iterator[tuple[Subject, Hit]]:
    """A service with a build that production lacks and all others have."""
    named = [subject for subject in subjects if subject.environment != DEFAULT]
    for name, places in _pairs(named):
        missing = [subject for subject in named if name not in subject.services]
        if (
            len(named) >= 3
            and len(missing) == 1
            and missing[0].strict
            and "build" in places[0][1].data
            and not places[0][1].profiles
        ):
            services = missing[0].section("services")
            yield (
                missing[0],
                Hit(
                    f'{missing[0].environment} has no service "{name}", as all other environments have',
                    services.mark,
                    path="services",
                ),
            )
