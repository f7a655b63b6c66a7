"""The parts of a project's architecture page, each as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from stackwright.checks.describing import Difference, describe
from stackwright.checks.knowledge.credentials import names_credential
from stackwright.checks.rules.resources import shown
from stackwright.checks.service import ServiceView
from stackwright.checks.subject import Subject
from stackwright.model.marks import Map, place_of
from stackwright.refactor.compare import differences
from stackwright.report.comments import comment_at

if TYPE_CHECKING:
    from stackwright.model.marks import Mark

_CONDITIONS = {
    "service_started": "started",
    "service_healthy": "healthy",
    "service_completed_successfully": "done",
}


def _counted(what: str, number: int) -> str:
    return f"{number or 'no'} {what}{'s' * (number != 1)}"


def _cell(text: object) -> str:
    return str(text).replace("|", "\\|").replace("\n", " ")


def overview(subject: Subject, picture: str, environments: Sequence[Subject]) -> str:
    """Counts, the picture, and a table of all services."""
    services = list(subject.each)
    public = [
        f"`{port}` ({service.name})"
        for service in services
        for port in service.published
        if port.to_the_world
    ]
    counts = {"service": len(services)}
    counts |= {what: len(subject.section(f"{what}s")) for what in ("network", "volume")}
    lines = [
        f"{', '.join(_counted(what, number) for what, number in counts.items())}.",
        "",
    ]
    lines += [f"![{subject.model.name}]({picture})", ""]
    if public:
        lines += [f"From outside: {', '.join(public)}.", ""]
    lines += ["| service | image | purpose |", "|---|---|---|"]
    for service in services:
        image = service.image_text or "built here"
        lines.append(f"| [{service.name}](#{service.name}) | `{_cell(image)}` | {_cell(_purpose(service))} |")
    return "\n".join(lines)


def _purpose(service: ServiceView) -> str:
    said = _comment(service, service.mark)
    return said or (service.software.name if service.software else "")


def _comment(service: ServiceView, mark: Mark) -> str:
    number, line, _ = place_of(mark)
    if not number:
        return ""
    sources = service.subject.sources
    return comment_at(service.subject.memory.raw(sources.names[number], sources.texts[number]).lines, line)


def service_part(service: ServiceView) -> str:
    """One service: what it is, how it is reached, what it needs, and who needs it."""
    lines = []
    said = _comment(service, service.mark)
    lines += [said, ""] if said else []
    rows = [("image", f"`{service.image_text}`" if service.image_text else "")]
    build = service.mapping("build")
    if build:
        context = str(build.get("context") or "").removeprefix(service.subject.folder).lstrip("/") or "."
        rows.append(
            ("built from", f"`{context}`" + (f", stage `{build['target']}`" if build.get("target") else ""))
        )
    rows.append(("containers", str(service.replicas) if service.replicas != 1 else ""))
    rows.append(("ports", ", ".join(f"`{port}` → {port.target}" for port in service.published)))
    rows.append(("networks", ", ".join(service.networks) or str(service.data.get("network_mode") or "")))
    rows.append(("volumes", ", ".join(_mount(mount, service) for mount in service.items("volumes"))))
    rows.append(("health check", f"`{' '.join(service.health_test[1:])}`" if service.health_test else ""))
    rows.append(("limits", _limits(service)))
    rows.append(("restart", str(service.data.get("restart") or "")))
    rows.append(
        ("depends on", ", ".join(_need(name, item) for name, item in service.mapping("depends_on").items()))
    )
    used = [other.name for other in service.subject.each if service.name in other.mapping("depends_on")]
    rows.append(("used by", ", ".join(f"[{name}](#{name})" for name in used)))
    rows.append(("profiles", ", ".join(sorted(service.profiles))))
    lines += ["| | |", "|---|---|", *(f"| {name} | {_cell(text)} |" for name, text in rows if text)]
    variables = _variables(service)
    if variables:
        lines += ["", "| variable | value | meaning |", "|---|---|---|", *variables]
    return "\n".join(lines)


def _mount(mount: Map, service: ServiceView) -> str:
    source = str(mount.get("source") or "unnamed").removeprefix(service.subject.folder + "/")
    return f"`{source}` at `{mount.get('target')}`" + (" (read-only)" if mount.get("read_only") else "")


def _limits(service: ServiceView) -> str:
    cpus = service.mapping("deploy", "resources", "limits").get("cpus")
    parts = [shown(service.memory_limit)] if service.memory_limit else []
    return ", ".join([*parts, *([f"{cpus} processors"] if cpus else [])])


def _need(name: str, dependency: object) -> str:
    condition = dependency.get("condition", "") if isinstance(dependency, dict) else ""
    return f"[{name}](#{name}) ({_CONDITIONS.get(condition, condition)})"


def _variables(service: ServiceView) -> list[str]:
    given = service.mapping("environment")
    rows = []
    for name, value in given.items():
        text = "" if value is None else "***" if names_credential(name) and value else f"`{_cell(value)}`"
        if "://" in str(value) and "@" in str(value):
            text = f"`{_cell(_masked(str(value)))}`"
        rows.append(f"| `{name}` | {text} | {_cell(_comment(service, given.key_mark(name)))} |")
    return rows


def _masked(address: str) -> str:
    head, _, tail = address.partition("://")
    login, _, rest = tail.rpartition("@")
    user = login.partition(":")[0]
    return f"{head}://{user}:***@{rest}"


def networks(subject: Subject) -> str:
    """Which services are on which network."""
    lines = ["| network | services | |", "|---|---|---|"]
    for name, network in subject.section("networks").items():
        members = [service.name for service in subject.each if name in service.networks]
        definition = network if type(network) is Map else Map()
        notes = [word for word in ("internal", "external") if definition.get(word)]
        subnets = [
            str(pool.get("subnet"))
            for pool in (definition.get("ipam") or {}).get("config") or ()
            if pool.get("subnet")
        ]
        lines.append(f"| {name} | {', '.join(members) or 'none'} | {', '.join([*notes, *subnets])} |")
    return "\n".join(lines)


def environments_part(subjects: Sequence[Subject]) -> str:
    """The environments and how each differs from the first."""
    lines = ["| environment | kind | files |", "|---|---|---|"]
    for subject in subjects:
        files = ", ".join(f"`{file.removeprefix(subjects[0].folder + '/')}`" for file in subject.model.files)
        lines.append(f"| {subject.environment} | {subject.kind or '-'} | {files} |")
    first = subjects[0]
    for subject in subjects[1:]:
        found = describe(differences(_whole(first), _whole(subject)), first.environment, subject.environment)
        lines += ["", f"### {subject.environment}, compared with {first.environment}", ""]
        lines += _by_service(found, subject.folder) or ["The same."]
    return "\n".join(lines)


def _whole(subject: Subject) -> dict[str, object]:
    return {**subject.data, "services": {**subject.section("services"), **subject.model.disabled}}


def _by_service(found: Sequence[Difference], folder: str) -> list[str]:
    groups: dict[str, list[str]] = {}
    for one in found:
        name = one.name if one.kind == "services" else f"{one.kind.removesuffix('s')} {one.name}".strip()
        groups.setdefault(name, []).append(one.sentence.replace(folder + "/", ""))
    return [f"- **{name}**: {'; '.join(sentences)}" for name, sentences in groups.items()]


def runbook(subject: Subject) -> str:
    """The everyday commands with this project's names in them."""
    lines = [
        "```bash",
        "stackwright up -d                 # start everything, wait until it is healthy",
        "stackwright ps                    # what runs, and how it is",
    ]
    services = list(subject.each)
    busiest = next(
        (service for service in services if "build" in service.data), services[0] if services else None
    )
    if busiest:
        lines.append(f"stackwright logs -f {busiest.name:14}# follow a service's output")
        lines.append(f"stackwright restart {busiest.name:14}# start it anew")
    lines += [f"stackwright exec {_client(service)}" for service in services if _client(service)]
    lines += [
        "stackwright check                 # every mistake in every environment",
        "stackwright down                  # stop; the volumes stay",
        "```",
    ]
    return "\n".join(lines)


_CLIENTS = {
    "PostgreSQL": "psql -U {POSTGRES_USER}",
    "Redis": "redis-cli",
    "MySQL": "mysql -u root -p",
    "MariaDB": "mariadb -u root -p",
    "MongoDB": "mongosh",
}


def _client(service: ServiceView) -> str:
    command = _CLIENTS.get(service.software.name, "") if service.software else ""
    user = service.environment.get("POSTGRES_USER", "postgres")
    return f"{service.name} {command}".replace("{POSTGRES_USER}", user) if command else ""
