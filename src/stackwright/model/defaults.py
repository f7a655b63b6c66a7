"""Stage: what the specification fills in when it is left out."""

from __future__ import annotations

from stackwright.model.marks import NOWHERE, Map, Seq
from stackwright.model.rules import compile_rules, entries

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    from stackwright.model.rules import Rules

    Default: TypeAlias = Callable[[Map], None]


def fill_defaults(model: Map) -> Map:
    """Add missing values in place."""
    _visit(model, _RULES)
    return model


def _visit(value: Any, rules: Rules) -> None:
    for _, item, below in entries(value, rules):
        if below.rule is not None and type(item) is Map:
            below.rule(item)
        elif type(item) is Map or type(item) is Seq:
            _visit(item, below)


def _build(build: Map) -> None:
    if "context" not in build:
        build.put("context", ".", NOWHERE)


def _secret(secret: Map) -> None:
    if "target" not in secret:
        secret.put("target", f"/run/secrets/{secret.get('source')}", NOWHERE)


def _port(port: Map) -> None:
    for key, value in (("protocol", "tcp"), ("mode", "ingress")):
        if key not in port:
            port.put(key, value, NOWHERE)


def _device_request(request: Map) -> None:
    if "count" not in request and "device_ids" not in request:
        request.put("count", "all", NOWHERE)


DEFAULTS: dict[str, Default] = {
    "services.*.build": _build,
    "services.*.secrets.[]": _secret,
    "services.*.ports.[]": _port,
    "services.*.deploy.resources.reservations.devices.[]": _device_request,
    "services.*.gpus.[]": _device_request,
}

_RULES = compile_rules(DEFAULTS)
