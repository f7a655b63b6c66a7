"""Start order: who waits for whom, and whether the wait means anything."""

from __future__ import annotations

from collections.abc import Iterator

from stackwright.checks.finding import Fix, Hit
from stackwright.checks.fixes import condition
from stackwright.checks.rule import ADVICE, ERROR, WARNING, rule
from stackwright.checks.service import ServiceView
from stackwright.checks.subject import Subject
from stackwright.model.marks import Map

_STARTED, _HEALTHY, _COMPLETED = "service_started", "service_healthy", "service_completed_successfully"


def _waits(subject: Subject) -> Iterator[tuple[ServiceView, str, Map, ServiceView]]:
    """``(service, name, dependency, the other service)`` of each written dependency that is there."""
    for service in subject.each:
        for name, dependency in service.mapping("depends_on").items():
            other = subject.services.get(name)
            if other is not None and type(dependency) is Map:
                yield service, name, dependency, other


def _conditioned(service: ServiceView, name: str, wanted: str) -> Fix | None:
    mark = service.key("depends_on", name)
    raw = service.subject.raw_at(mark)
    return condition(raw, service.subject.place(mark), name, service.name, wanted) if raw else None


def _path(service: ServiceView) -> str:
    return f"services.{service.name}.depends_on"


@rule(
    "SW201",
    "wait-without-condition",
    WARNING,
    reason="Without a condition the wait ends when the container starts, not when the program in it can answer.",
    mend="add condition: service_healthy",
    fixable=True,
)
def wait_without_condition(subject: Subject) -> Iterator[Hit]:
    """A wait for "started" on a service that has a health check."""
    implied = ("links", "volumes_from", "network_mode", "ipc", "pid")
    for service, name, dependency, other in _waits(subject):
        if dependency.get("condition") != _STARTED or not other.health_test or other.one_shot:
            continue
        if any(name in str(service.data.get(key) or "") for key in implied):
            continue
        message = f'service "{service.name}" waits until "{name}" has started, not until it is healthy'
        related = ((f'the health check of "{name}"', other.key("healthcheck")),)
        yield Hit(
            message,
            service.key("depends_on", name),
            service=service.name,
            path=_path(service),
            related=related,
            fix=_conditioned(service, name, _HEALTHY),
        )


@rule(
    "SW202",
    "healthy-without-check",
    ERROR,
    reason="A container without a health check never becomes healthy: the start fails.",
    mend="give the service a healthcheck, or wait for service_started",
)
def healthy_without_check(subject: Subject) -> Iterator[Hit]:
    """A wait for "healthy" on a service that certainly has no health check."""
    for service, name, dependency, other in _waits(subject):
        if dependency.get("condition") != _HEALTHY or other.health_test:
            continue
        if other.health_off:
            message = f'service "{service.name}" waits until "{name}" is healthy, but its health check is switched off'
        elif _certainly_none(other):
            message = (
                f'service "{service.name}" waits until "{name}" is healthy, but that has no health check'
            )
        else:
            continue
        mend = (
            f'add "healthcheck: test: {other.software.healthcheck}" to "{name}"'
            if other.software and other.software.healthcheck
            else ""
        )
        yield Hit(
            message, service.key("depends_on", name), service=service.name, path=_path(service), mend=mend
        )


_WITH_CHECK = (
    "mysql/mysql-server",
    "mcr.microsoft.com",
    "influxdb",
    "clickhouse",
    "minio/minio",
    "portainer",
)


def _certainly_none(other: ServiceView) -> bool:
    """Whether neither the file nor the image brings a health check, as far as can be known."""
    if "healthcheck" in other.data and other.health_test:
        return False
    if other.software is not None and other.image is not None:
        official = "/" not in other.image.repository and other.kind in ("database", "cache", "queue", "proxy")
        return official and other.image.last not in _WITH_CHECK
    build = other.build
    if build is None or build.file is None:
        return False
    target = str(other.mapping("build").get("target") or "")
    base = build.base_image(target)
    official = bool(base) and "/" not in base.partition(":")[0]
    return official and not build.instructions(target, "HEALTHCHECK")


@rule(
    "SW203",
    "database-without-check",
    WARNING,
    reason="A database takes seconds before it accepts connections; without a check the services that need it can only fail and try again.",
    mend="add a healthcheck to it, and condition: service_healthy to those that wait",
)
def database_without_check(subject: Subject) -> Iterator[Hit]:
    """A database or queue that others wait for and that has no health check."""
    waited: dict[str, list[str]] = {}
    for service, name, dependency, _ in _waits(subject):
        if dependency.get("condition") == _STARTED:
            waited.setdefault(name, []).append(service.name)
    for name, waiting in waited.items():
        other = subject.services[name]
        software = other.software
        if (
            software is None
            or software.kind not in ("database", "queue", "search")
            or "healthcheck" in other.data
        ):
            continue
        if not _certainly_none(other):
            continue
        shown = ", ".join(f'"{one}"' for one in waiting)
        message = (
            f'{shown} {"waits" if len(waiting) == 1 else "wait"} for "{name}", which has no health check'
        )
        mend = f'add "healthcheck: test: {software.healthcheck}"' if software.healthcheck else ""
        yield Hit(message, other.mark, service=name, path=f"services.{name}", mend=mend)


@rule(
    "SW204",
    "never-completes",
    ERROR,
    reason="A service that is started again whenever it ends never counts as completed: those that wait for it never start.",
    mend='set restart: "no" or on-failure on it',
)
def never_completes(subject: Subject) -> Iterator[Hit]:
    """A wait for the end of a service that always restarts."""
    for service, name, dependency, other in _waits(subject):
        if dependency.get("condition") == _COMPLETED and other.data.get("restart") in (
            "always",
            "unless-stopped",
        ):
            message = f'service "{service.name}" waits for the end of "{name}", which restarts {other.data["restart"]}'
            related = (("it restarts because of this", other.at("restart")),)
            yield Hit(
                message,
                service.key("depends_on", name),
                service=service.name,
                path=_path(service),
                related=related,
            )


@rule(
    "SW205",
    "one-shot-not-awaited",
    ADVICE,
    reason="A migration or set-up job that has only started has not done its work yet.",
    mend="add condition: service_completed_successfully",
    fixable=True,
)
def one_shot_not_awaited(subject: Subject) -> Iterator[Hit]:
    """A wait for "started" on a job that ends by itself."""
    for service, name, dependency, other in _waits(subject):
        if (
            dependency.get("condition") == _STARTED
            and other.one_shot
            and not other.health_test
            and not service.one_shot
        ):
            message = f'service "{service.name}" waits until "{name}" has started, not until its work is done'
            fix = _conditioned(service, name, _COMPLETED)
            yield Hit(
                message,
                service.key("depends_on", name),
                service=service.name,
                path=_path(service),
                fix=fix,
            )


@rule(
    "SW206",
    "interval-delays-start",
    WARNING,
    reason="The engine probes for the first time one interval after the start, so whoever waits loses that time at every start.",
    mend="set start_interval: 1s with a start_period, or a shorter interval (stackwright itself probes sooner by default)",
)
def interval_delays_start(subject: Subject) -> Iterator[Hit]:
    """A long interval on a service that others wait for."""
    for name in sorted(subject.awaited_health):
        service = subject.services.get(name)
        if service is None or not service.health_test:
            continue
        interval = service.duration("healthcheck", "interval")
        start_interval = service.duration("healthcheck", "start_interval")
        started = 30.0 if interval is None else interval
        if started >= 20 and not (start_interval and start_interval < 10):
            how = "" if interval is not None else " (the default)"
            message = f'those who wait for "{name}" wait at least {started:.0f} s{how}: the first probe comes after one interval'
            yield Hit(
                message,
                service.key("healthcheck", "interval"),
                service=name,
                path=f"services.{name}.healthcheck",
            )


@rule(
    "SW207",
    "start-interval-without-period",
    WARNING,
    reason="start_interval only counts within start_period, which is 0 unless given.",
    mend="add a start_period as long as the slowest start",
)
def start_interval_without_period(subject: Subject) -> Iterator[Hit]:
    """``start_interval`` without ``start_period``."""
    for service in subject.each:
        check = service.mapping("healthcheck")
        if check.get("start_interval") and not service.duration("healthcheck", "start_period"):
            message = f'service "{service.name}": start_interval has no effect without start_period'
            yield Hit(
                message,
                service.key("healthcheck", "start_interval"),
                service=service.name,
                path=f"services.{service.name}.healthcheck",
            )


@rule(
    "SW208",
    "start-period-too-short",
    WARNING,
    reason="Failed probes count once start_period is over: a slow start is then taken for an illness.",
    mend="make start_period longer than the slowest start",
)
def start_period_too_short(subject: Subject) -> Iterator[Hit]:
    """A ``start_period`` and retries shorter than the start that was measured last time."""
    for name, seconds in subject.host.boots.items():
        service = subject.services.get(name)
        if service is None or not service.health_test:
            continue
        period = service.duration("healthcheck", "start_period") or 0.0
        interval = service.duration("healthcheck", "interval")
        retries = service.mapping("healthcheck").get("retries")
        patience = period + (30.0 if interval is None else interval) * (
            3 if retries is None else int(retries)
        )
        if period < seconds and patience < seconds * 1.5:
            message = f'service "{name}" took {seconds:.0f} s to become healthy last time; it is given up after {patience:.0f} s'
            yield Hit(
                message,
                service.key("healthcheck", "start_period"),
                service=name,
                path=f"services.{name}.healthcheck",
            )


@rule(
    "SW209",
    "no-restart",
    None,
    production=WARNING,
    reason="A program that ends, and every container after a reboot, stays down until somebody notices.",
    mend="add restart: unless-stopped",
)
def no_restart(subject: Subject) -> Iterator[Hit]:
    """A service in production that nothing starts again."""
    for service in subject.each:
        if not service.restarts and not service.one_shot and not service.profiles:
            message = f'service "{service.name}" is not started again when it ends'
            yield Hit(message, service.key("restart"), service=service.name, path=f"services.{service.name}")


@rule(
    "SW210",
    "no-healthcheck",
    None,
    production=ADVICE,
    reason="Without a check nobody notices that a running program has stopped answering, and a deploy cannot wait for the new version.",
    mend="add a healthcheck",
)
def no_healthcheck(subject: Subject) -> Iterator[Hit]:
    """A service in production without a health check, as far as can be known."""
    for service in subject.each:
        if "healthcheck" in service.data or service.one_shot or service.profiles:
            continue
        if _certainly_none(service) or "build" in service.data:
            if service.build is not None and service.build.instructions(
                str(service.mapping("build").get("target") or ""), "HEALTHCHECK"
            ):
                continue
            yield Hit(
                f'service "{service.name}" has no health check',
                service.mark,
                service=service.name,
                path=f"services.{service.name}",
            )
