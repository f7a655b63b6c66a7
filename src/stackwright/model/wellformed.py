"""Stage: rules within one element that its shape cannot express (exclusive fields, addresses)."""

from __future__ import annotations

from stackwright.model.addresses import is_ip
from stackwright.model.marks import Map, Seq
from stackwright.model.rules import compile_rules, entries, joined

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    from stackwright.model.rules import Rules
    from stackwright.model.sources import Reporter

    Check: TypeAlias = Callable[[Any, str, Reporter], None]


def check_elements(model: Map, report: Reporter) -> Map:
    """Report every element that contradicts itself; returns the model."""
    _visit(model, _RULES, "", report)
    return model


def _visit(value: Any, rules: Rules, path: str, report: Reporter) -> None:
    for key, item, below in entries(value, rules):
        if below.rule is not None:
            if type(item) is Map and not item.broken:
                below.rule(item, joined(path, key), report)
        elif type(item) is Map or type(item) is Seq:
            _visit(item, below, joined(path, key), report)


def _external_volume(volume: Map, path: str, report: Reporter) -> None:
    if not is_true(volume.get("external")):
        return
    for key in volume:
        if key not in ("name", "external") and not key.startswith("x-"):
            message = f'{path} is external, so "{key}" has no effect and is not allowed'
            report.error("external", message, volume.key_mark(key), path)


def _one_source(*sources: str) -> Check:
    def check(element: Map, path: str, report: Reporter) -> None:
        given = [key for key in sources if key in element]
        words = " or ".join(f'"{key}"' for key in sources)
        if len(given) > 1:
            mark = element.key_mark(given[1])
            report.error("exclusive", f"{path} can have only one of {words}", mark, path)
        elif not given and "driver" not in element and "external" not in element:
            report.error("no-source", f"{path} needs {words}", element.mark, path)

    return check


def _watch_rule(rule: Map, path: str, report: Reporter) -> None:
    if rule.get("path") == "":
        report.error("watch-path", f"{path}.path cannot be empty", rule.mark_at("path"), path)


def _device_request(request: Map, path: str, report: Reporter) -> None:
    if "count" in request and "device_ids" in request:
        message = f'{path} can have only one of "count" or "device_ids"'
        report.error("exclusive", message, request.key_mark("device_ids"), path)


def _port(port: Map, path: str, report: Reporter) -> None:
    if "target" not in port:
        report.error("missing", f'{path}: a port needs a "target"', port.mark, path)
    address = port.get("host_ip")
    if address is not None and not is_ip(str(address)):
        report.error("address", f'{path}: "{address}" is no IP address', port.mark_at("host_ip"), path)


def is_true(value: Any) -> bool:
    """Whether a boolean, or its text, is true (Go's ``ParseBool``)."""
    return value is True or (type(value) is str and value in ("1", "t", "T", "true", "True", "TRUE"))


def _needs_target(what: str) -> Check:
    def check(element: Map, path: str, report: Reporter) -> None:
        if element.get("target") is None:
            report.error("missing", f'{path}: {what} needs a "target"', element.mark, path)

    return check


def _needs_path(element: Map, path: str, report: Reporter) -> None:
    if not element.get("path"):
        report.error("missing", f'{path} needs a "path"', element.mark, path)


CHECKS: dict[str, Check] = {
    "volumes.*": _external_volume,
    "configs.*": _one_source("file", "environment", "content"),
    "secrets.*": _one_source("file", "environment"),
    "services.*.ports.[]": _port,
    "services.*.develop.watch.[]": _watch_rule,
    "services.*.deploy.resources.reservations.devices.[]": _device_request,
    "services.*.gpus.[]": _device_request,
    "services.*.volumes.[]": _needs_target("a volume"),
    "services.*.devices.[]": _needs_target("a device"),
    "services.*.env_file.[]": _needs_path,
}

_RULES = compile_rules(CHECKS)
