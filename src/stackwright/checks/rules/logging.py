"""Logging and monitoring: whether the disk fills up, and whether anybody would notice trouble."""

from __future__ import annotations

from collections.abc import Iterator

from stackwright.checks.finding import Hit
from stackwright.checks.rule import ADVICE, WARNING, rule
from stackwright.checks.subject import Subject


@rule(
    "SW1101",
    "unbounded-logs",
    None,
    production=WARNING,
    reason="The default log file grows until the disk is full, and then everything on the machine stops.",
    mend='add logging: {driver: json-file, options: {max-size: "10m", max-file: "3"}} (an anchor says it once for all)',
)
def unbounded_logs(subject: Subject) -> Iterator[Hit]:
    """Services in production whose log has no largest size: one finding for all of them."""
    found = []
    for service in subject.each:
        logging = service.mapping("logging")
        driver = logging.get("driver") or "json-file"
        if driver == "json-file" and not (logging.get("options") or {}).get("max-size"):
            found.append(service)
    if found:
        others = " and others" if len(found) > 1 else ""
        message = f'the log of service "{found[0].name}"{others} grows without bound'
        yield Hit(message, found[0].mark, service=found[0].name, path="services.*.logging")


@rule(
    "SW1102",
    "no-logs",
    WARNING,
    reason="What the program says is thrown away: nobody can find out why it failed.",
    mend="remove it, or choose a driver with a largest size",
)
def no_logs(subject: Subject) -> Iterator[Hit]:
    """``logging.driver: none``."""
    for service in subject.each:
        if service.mapping("logging").get("driver") == "none":
            yield service.hit("keeps no log", service.at("logging", "driver"), "logging.driver")


@rule(
    "SW1103",
    "log-options-ignored",
    WARNING,
    reason="The driver does not know the option: the container does not start, or the log grows without bound.",
    mend="use the options of the driver",
)
def log_options_ignored(subject: Subject) -> Iterator[Hit]:
    """Size options for a driver that has none."""
    for service in subject.each:
        logging = service.mapping("logging")
        options = logging.get("options") or {}
        if (
            logging.get("driver") in ("syslog", "journald", "gelf", "fluentd", "awslogs", "splunk", "loki")
            and logging["driver"] != "loki"
        ):
            for name in ("max-size", "max-file"):
                if name in options:
                    yield service.hit(
                        f"gives {name} to the log driver {logging['driver']}, which has no such option",
                        service.key("logging", "options", name),
                        "logging.options",
                    )
                    break


@rule(
    "SW1104",
    "no-metrics",
    None,
    production=ADVICE,
    reason="Nobody sees that memory runs out or that answers get slow before the users do.",
    mend="add metrics (stackwright can generate Prometheus and Grafana from the model)",
)
def no_metrics(subject: Subject) -> Iterator[Hit]:
    """Three or more services in production and nothing that collects metrics."""
    services = list(subject.each)
    words = (
        "exporter",
        "metrics",
        "prometheus",
        "otel",
        "opentelemetry",
        "telegraf",
        "datadog",
        "newrelic",
        "grafana",
        "alloy",
        "cadvisor",
        "zabbix",
        "netdata",
        "monitor",
    )
    for service in services:
        text = f"{service.name} {service.image_text} {' '.join(service.environment)} {' '.join(service.mapping('labels'))}".lower()
        if service.kind == "metrics" or any(word in text for word in words):
            return
    if len([service for service in services if not service.one_shot]) >= 3:
        yield Hit(
            "nothing collects metrics of these services", subject.section("services").mark, path="services"
        )
