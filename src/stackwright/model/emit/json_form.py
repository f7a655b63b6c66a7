"""The JSON form of a project: as the reference's, whose JSON differs from its YAML in a few places.

A command that is not given is ``null``; structures that Go keeps by value appear though empty; extensions
below the top are left out, and so are models.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_EXTENSIBLE = frozenset(("labels", "annotations", "environment", "args", "options", "driver_opts", "sysctls"))
"""Mappings whose keys are the user's, so that ``x-`` is nothing special in them."""


def json_project(data: Mapping[str, Any]) -> dict[str, Any]:
    """The whole project."""
    made: dict[str, Any] = {}
    for key in sorted(data):
        if key == "services":
            made[key] = {name: json_service(service) for name, service in data[key].items()}
        elif key == "networks":
            made[key] = {name: _network(network) for name, network in data[key].items()}
        elif key in ("volumes", "secrets", "configs"):
            made[key] = {name: _plain(item) for name, item in data[key].items()}
        elif key == "name" or key.startswith("x-"):
            made[key] = _plain(data[key], extensions=True)
    made.setdefault("services", {})
    return made


def json_service(service: Mapping[str, Any]) -> dict[str, Any]:
    """One service; keys stay in the order of the tables."""
    from stackwright.model.final.tables import SERVICE

    made: dict[str, Any] = {}
    for key in SERVICE.fields:
        if key in service:
            convert = _SPECIAL.get(key, _plain)
            made[key] = convert(service[key])
        elif key in ("command", "entrypoint"):
            made[key] = None
    return made


def _plain(value: Any, *, extensions: bool = False) -> Any:
    if isinstance(value, dict):
        return {
            key: item if key in _EXTENSIBLE else _plain(item, extensions=extensions)
            for key, item in value.items()
            if extensions or not key.startswith("x-")
        }
    if isinstance(value, list):
        return [_plain(item, extensions=extensions) for item in value]
    return value


def _as_is(value: Any) -> Any:
    return value


def _by_name(value: Any) -> Any:
    """A mapping whose keys are names: ``x-`` is nothing special in them, but is below."""
    return {key: _plain(item) for key, item in value.items()}


def _network(network: Any) -> Any:
    made: dict[str, Any] = {}
    given = _plain(network or {})
    for key in ("name", "driver", "driver_opts"):
        if key in given:
            made[key] = given.pop(key)
    made["ipam"] = given.pop("ipam", {})
    return {**made, **given}


def _env_files(value: Any) -> Any:
    """A required file is its path."""
    return [file["path"] if file.get("required") else file for file in value]


def _ulimits(value: Any) -> Any:
    """Zeros are left out, even all of them."""
    made = {}
    for key, limit in value.items():
        given = limit if isinstance(limit, dict) else {}
        made[key] = {side: item for side, item in given.items() if item} if given or not limit else limit
    return made


def _build(value: Any) -> Any:
    made = _plain(value)
    if "ulimits" in made:
        made["ulimits"] = _ulimits(made["ulimits"])
    return made


def _hook(hook: Any) -> Any:
    return {"command": hook.get("command"), **_plain(hook)}


def _hooks(value: Any) -> Any:
    return [_hook(hook) for hook in value]


def _develop(value: Any) -> Any:
    made = _plain(value)
    if "watch" in made:
        made["watch"] = [_watch(rule) for rule in value["watch"]]
    return made


def _watch(rule: Any) -> Any:
    made: dict[str, Any] = {}
    given = _plain(rule)
    for key in ("path", "action", "target"):
        if key in given:
            made[key] = given.pop(key)
    made["exec"] = _hook(rule.get("exec") or {})
    given.pop("exec", None)
    return {**made, **given}


def _deploy(value: Any) -> Any:
    given = _plain(value)
    made: dict[str, Any] = {}
    for key in (
        "mode",
        "replicas",
        "labels",
        "update_config",
        "rollback_config",
        "resources",
        "restart_policy",
        "placement",
    ):
        if key in given or key in ("resources", "placement"):
            made[key] = given.pop(key, {})
    return {**made, **given}


def _blkio(value: Any) -> Any:
    made = _plain(value)
    for key, items in made.items():
        if isinstance(items, list):
            made[key] = [{name.capitalize(): item for name, item in entry.items()} for entry in items]
    return made


_SPECIAL = {
    "annotations": _as_is,
    "blkio_config": _blkio,
    "build": _build,
    "depends_on": _by_name,
    "deploy": _deploy,
    "develop": _develop,
    "env_file": _env_files,
    "environment": _as_is,
    "labels": _as_is,
    "models": _by_name,
    "networks": _by_name,
    "post_start": _hooks,
    "pre_start": _hooks,
    "pre_stop": _hooks,
    "storage_opt": _as_is,
    "sysctls": _as_is,
    "ulimits": _ulimits,
}
