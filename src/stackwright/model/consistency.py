"""Stage: what must hold between elements (Compose Specification; the reference's consistency checks).

``CHECKS`` lists the rules for one service; each reports everything it finds.
"""

from __future__ import annotations

from stackwright.model.marks import Map, Seq
from stackwright.model.nearest import nearest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, TypeAlias

    from stackwright.model.marks import Mark
    from stackwright.model.sources import Reporter

    Check: TypeAlias = Callable[["Project", str, Map], None]

_SERVICE = "service:"
_EMPTY: Map = Map()


class Project:
    """A normalised model with its services split by profile, and where to report."""

    def __init__(self, model: Map, enabled: Map, disabled: Map, report: Reporter) -> None:
        self.model = model
        self.services = enabled
        self.disabled = disabled
        self.report = report

    def names(self, kind: str) -> Map:
        """The resources of a kind by name."""
        found: Map = self.model.get(kind) or _EMPTY
        return found

    def unknown(self, kind: str, name: str) -> bool:
        """Whether nothing defines a name, and nothing was dropped that may have."""
        names = self.names(kind)
        return name not in names and not names.lost

    def undefined(self, kind: str, service: str, name: str, mark: Mark, what: str = "") -> None:
        """Report a name that nothing defines."""
        word = what or kind.removesuffix("s")
        message = f'service "{service}" refers to undefined {word} "{name}"'
        code = f"undefined-{word.replace(' ', '-')}"
        guess = nearest(name, self.names(kind))
        hint = f'did you mean "{guess}"?' if guess else f'add "{name}" under the top-level "{kind}"'
        self.report.error(code, message, mark, hint=hint)


def check_consistency(model: Map, enabled: Map, disabled: Map, report: Reporter) -> None:
    """Report every contradiction among the enabled services and what they refer to."""
    project = Project(model, enabled, disabled, report)
    for name, service in enabled.items():
        for check in CHECKS:
            check(project, name, service)
    _container_names(project)
    _secrets(project)
    _cycles(project)


def _source(project: Project, name: str, service: Map) -> None:
    if service.broken or "build" in service or "image" in service or "provider" in service:
        return
    message = f'service "{name}" has neither an image nor a build'
    mark = project.services.key_mark(name)
    project.report.error("no-image", message, mark, hint='add "image:" or "build:"')


def _build(project: Project, name: str, service: Map) -> None:
    build = service.get("build") or _EMPTY
    if build.get("dockerfile_inline") and build.get("dockerfile"):
        message = f'service "{name}" has both "dockerfile" and "dockerfile_inline"'
        project.report.error("exclusive", message, build.key_mark("dockerfile_inline"))
    contexts = build.get("additional_contexts") or _EMPTY
    for key, context in contexts.items():
        target = context.removeprefix(_SERVICE)
        if target == context:
            continue
        mark = contexts.mark_at(key)
        if project.unknown("services", target):
            message = f'service "{name}" names undefined service "{target}" as build context "{key}"'
            project.report.error("undefined-service", message, mark, near=target, among=project.services)
        elif "build" not in project.services.get(target, {"build"}):
            message = (
                f'service "{name}" names service "{target}" as build context "{key}", but it has no build'
            )
            project.report.error("no-build", message, mark)
    platforms = build.get("platforms")
    if platforms and service.get("platform") and service["platform"] not in platforms:
        message = f'service "{name}": build.platforms must include platform "{service["platform"]}"'
        project.report.error("platform", message, build.mark_at("platforms"))


def _networks(project: Project, name: str, service: Map) -> None:
    networks = service.get("networks") or _EMPTY
    if service.get("network_mode") and networks:
        message = f'service "{name}" has both "network_mode" and "networks"'
        project.report.error("exclusive", message, service.key_mark("network_mode"))
    for network in networks:
        if project.unknown("networks", network):
            project.undefined("networks", name, network, networks.key_mark(network))
    mode = service.get("network_mode", "")
    if mode.startswith(_SERVICE):
        target = mode.removeprefix(_SERVICE)
        if project.unknown("services", target) and target not in (service.get("depends_on") or _EMPTY):
            mark = service.mark_at("network_mode")
            message = f'service "{name}" uses the network of undefined service "{target}"'
            project.report.error("undefined-service", message, mark, near=target, among=project.services)


def _healthcheck(project: Project, name: str, service: Map) -> None:
    health = service.get("healthcheck") or _EMPTY
    test = health.get("test")
    if test and test[0] not in ("CMD", "CMD-SHELL", "NONE"):
        message = (
            f'service "{name}": healthcheck.test must start with CMD, CMD-SHELL or NONE, not "{test[0]}"'
        )
        hint = "write the test as one text, or put CMD first"
        project.report.error("healthcheck", message, health.mark_at("test"), hint=hint)


def _dependencies(project: Project, name: str, service: Map) -> None:
    dependencies = service.get("depends_on") or _EMPTY
    for target, dependency in dependencies.items():
        if target in project.services:
            continue
        mark = dependencies.key_mark(target)
        if target in project.disabled:
            if dependency and not dependency.get("required", True):
                continue
            profiles = ", ".join(project.disabled[target].get("profiles", ()))
            message = f'service "{name}" depends on service "{target}", which no active profile enables'
            hint = f"activate one of its profiles ({profiles}), or set required: false"
            project.report.error("disabled-service", message, mark, hint=hint)
        elif project.unknown("services", target):
            message = f'service "{name}" depends on undefined service "{target}"'
            among = [*project.services, *project.disabled]
            project.report.error("undefined-service", message, mark, near=target, among=among)


def _files(project: Project, name: str, service: Map) -> None:
    build = service.get("build") or _EMPTY
    for kind, holder, what in (
        ("secrets", build, "build secret"),
        ("configs", service, ""),
        ("secrets", service, ""),
    ):
        references: Seq = holder.get(kind) or Seq()
        for index, reference in enumerate(references):
            source = reference.get("source", "")
            if project.unknown(kind, source):
                mark = reference.mark_at("source") or references.mark_at(index)
                project.undefined(kind, name, source, mark, what)
    models = service.get("models") or _EMPTY
    for model in models:
        if project.unknown("models", model):
            project.undefined("models", name, model, models.key_mark(model))


def _volumes(project: Project, name: str, service: Map) -> None:
    seen: dict[str, str] = {}
    tmpfs = service.get("tmpfs") or ()
    for index, entry in enumerate(tmpfs):
        seen.setdefault(entry.partition(":")[0], f"tmpfs[{index}]")
    volumes: Seq = service.get("volumes") or Seq()
    for index, mount in enumerate(volumes):
        mark = mount.mark_at("source") or volumes.mark_at(index)
        named = mount.get("source") if mount.get("type") == "volume" else None
        if named and project.unknown("volumes", named):
            project.undefined("volumes", name, named, mark)
        target = mount.get("target", "")
        if target in seen:
            message = (
                f'service "{name}" mounts two things at "{target}" (volumes[{index}] and {seen[target]})'
            )
            project.report.error("duplicate-mount", message, mount.mark_at("target"))
        seen[target] = f"volumes[{index}]"


def _scale(project: Project, name: str, service: Map) -> None:
    deploy = service.get("deploy") or _EMPTY
    scale, replicas = service.get("scale"), deploy.get("replicas")
    if scale is not None and replicas is not None and scale != replicas:
        message = f'service "{name}": scale is {scale} but deploy.replicas is {replicas}'
        project.report.error(
            "distinct-values", message, deploy.mark_at("replicas"), hint="keep only one of them"
        )
    count = scale if scale is not None else replicas
    holder, key = (service, "scale") if scale is not None else (deploy, "replicas")
    if count is not None and count < 0:
        project.report.error("range", f'service "{name}": {key} cannot be negative', holder.mark_at(key))
    if count is not None and count > 1 and service.get("container_name"):
        message = f'service "{name}" has a container_name, so it cannot have {count} containers'
        hint = "remove container_name, or have one container"
        project.report.error("container-name-replicas", message, holder.mark_at(key), hint=hint)


_TWICE = (
    ("cpus", "limits", "cpus"),
    ("mem_limit", "limits", "memory"),
    ("mem_reservation", "reservations", "memory"),
    ("pids_limit", "limits", "pids"),
)


def _resources(project: Project, name: str, service: Map) -> None:
    resources = (service.get("deploy") or _EMPTY).get("resources") or _EMPTY
    for key, side, other in _TWICE:
        holder = resources.get(side)
        if key not in service or holder is None:
            continue
        nothing: Any = 0 if key in ("cpus", "pids_limit") else "0"
        if service[key] != nothing and holder.get(other, nothing) != service[key]:
            message = f'service "{name}": {key} and deploy.resources.{side}.{other} are different'
            mark = service.mark_at(key)
            project.report.error("distinct-values", message, mark, hint="keep only one of them")


def _watch(project: Project, name: str, service: Map) -> None:
    for rule in (service.get("develop") or _EMPTY).get("watch") or ():
        if not rule.get("target") and rule.get("action") not in ("rebuild", "restart"):
            message = f'service "{name}": a watch rule with action "{rule.get("action")}" needs a "target"'
            project.report.error("watch-target", message, rule.mark)


CHECKS: tuple[Check, ...] = (
    _source,
    _build,
    _networks,
    _healthcheck,
    _dependencies,
    _files,
    _volumes,
    _scale,
    _resources,
    _watch,
)


def _container_names(project: Project) -> None:
    owners: dict[str, str] = {}
    for name, service in project.services.items():
        container = service.get("container_name")
        if not container:
            continue
        if container in owners:
            message = (
                f'services "{owners[container]}" and "{name}" have the same container_name "{container}"'
            )
            project.report.error("container-name", message, service.mark_at("container_name"))
        owners[container] = name


def _secrets(project: Project) -> None:
    secrets = project.model.get("secrets") or _EMPTY
    for name, secret in secrets.items():
        if secret is None or secret.broken or secrets.lost or secret.get("external"):
            continue
        if not secret.get("file") and not secret.get("environment"):
            message = f'secret "{name}" needs "file" or "environment"'
            project.report.error("no-source", message, secrets.key_mark(name))


def _cycles(project: Project) -> None:
    """Report each circle of dependencies once."""
    done: set[str] = set()
    for start in sorted(project.services):
        trail: list[str] = []
        on_trail: set[str] = set()
        stack: list[tuple[str, Iterator[str]]] = []
        _enter(project, start, done, trail, on_trail, stack)
        while stack:
            _, targets = stack[-1]
            target = next(iter(targets), None)
            if target is None:
                stack.pop()
                left = trail.pop()
                on_trail.discard(left)
                done.add(left)
            elif target in on_trail:
                circle = [*trail[trail.index(target) :], target]
                dependencies = project.services[trail[-1]]["depends_on"]
                message = "services depend on each other in a circle: " + " → ".join(circle)
                project.report.error("dependency-cycle", message, dependencies.key_mark(target))
            else:
                _enter(project, target, done, trail, on_trail, stack)


def _enter(
    project: Project,
    name: str,
    done: set[str],
    trail: list[str],
    on_trail: set[str],
    stack: list[tuple[str, Iterator[str]]],
) -> None:
    if name in done or name not in project.services:
        return
    trail.append(name)
    on_trail.add(name)
    stack.append((name, iter(sorted(project.services[name].get("depends_on") or ()))))
