"""From the query and headers of ``POST /build`` to :class:`BuildOptions` (Engine API, ImageBuild)."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from stackwright.embedded.builder.contexts import IMAGE, ImageContext, NamedContext
from stackwright.embedded.builder.folders import HostFolder, Repository
from stackwright.embedded.builder.git import is_git
from stackwright.embedded.builder.types import BuildOptions, Ulimit
from stackwright.embedded.images.types import RegistryAuth

SECRETS_HEADER = "X-Stackwright-Build-Secrets"
SSH_HEADER = "X-Stackwright-Build-SSH"
CONTEXTS_HEADER = "X-Stackwright-Build-Contexts"
"""Named contexts by name: `docker-image://...`, a git URL, or an absolute path on the engine's host."""


class MultiQuery(Protocol):
    """The part of a multi-valued query mapping that is used here (aiohttp's ``request.query``)."""

    def get(self, key: str, default: str) -> str: ...

    def getall(self, key: str, default: Sequence[str]) -> Sequence[str]: ...


def options_from_query(
    query: MultiQuery, headers: Mapping[str, str], *, host_ca: Path | None = None
) -> BuildOptions:
    """Read what a client asked for; ValueError names the parameter that can't be read."""
    return BuildOptions(
        dockerfile=query.get("dockerfile", "") or "Dockerfile",
        tags=tuple(tag for tag in query.getall("t", ()) if tag),
        build_args=_json_object("buildargs", query.get("buildargs", "")),
        target=query.get("target", ""),
        labels=_json_object("labels", query.get("labels", "")),
        no_cache=_flag(query, "nocache"),
        pull=_flag(query, "pull"),
        quiet=_flag(query, "q"),
        network=query.get("networkmode", ""),
        extra_hosts=_list("extrahosts", query.getall("extrahosts", ())),
        shm_size=_integer(query, "shmsize"),
        memory=_integer(query, "memory"),
        cpu_shares=_integer(query, "cpushares"),
        cpu_period=_integer(query, "cpuperiod"),
        cpu_quota=_integer(query, "cpuquota"),
        ulimits=_ulimits(query.get("ulimits", "")),
        contexts=_contexts(headers),
        platform=query.get("platform", ""),
        cache_from=_list("cachefrom", query.getall("cachefrom", ())),
        remote=query.get("remote", ""),
        squash=_flag(query, "squash"),
        host_ca=host_ca,
        secrets=_secrets(headers),
        ssh=_agents(headers),
        auth={
            host: auth
            for host, document in _packed(headers, "X-Registry-Config").items()
            if (auth := RegistryAuth.from_json(document))
        },
    )


def _secrets(headers: Mapping[str, str]) -> dict[str, bytes]:
    packed = _packed(headers, SECRETS_HEADER)
    try:
        return {name: base64.b64decode(value, validate=True) for name, value in packed.items()}
    except (TypeError, ValueError) as error:
        raise ValueError(f"{SECRETS_HEADER}: not base64: {error}") from None


def _agents(headers: Mapping[str, str]) -> dict[str, Path]:
    packed = _packed(headers, SSH_HEADER)
    for name, path in packed.items():
        if not isinstance(path, str) or not path.startswith("/"):
            raise ValueError(f"{SSH_HEADER}: {name}: {path!r} is not the absolute path of a socket")
    return {name: Path(path) for name, path in packed.items()}


def _ulimits(text: str) -> tuple[Ulimit, ...]:
    """``[{"Name": "nofile", "Soft": 1024, "Hard": 2048}]``."""
    try:
        entries = json.loads(text) if text else []
        return tuple(Ulimit(str(one["Name"]), int(one["Soft"]), int(one["Hard"])) for one in entries or ())
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"ulimits: {error}") from None


def _contexts(headers: Mapping[str, str]) -> dict[str, NamedContext]:
    found: dict[str, NamedContext] = {}
    for name, value in _packed(headers, CONTEXTS_HEADER).items():
        if not isinstance(value, str):
            raise ValueError(f"{CONTEXTS_HEADER}: {name}: expected a text")
        if value.startswith(IMAGE):
            found[name] = ImageContext(value.removeprefix(IMAGE))
        elif is_git(value):
            found[name] = Repository(value)
        elif value.startswith("/"):
            found[name] = HostFolder(Path(value))
        else:
            raise ValueError(
                f"{CONTEXTS_HEADER}: {name}: {value} is no absolute path, image or git repository"
            )
    return found


def _flag(query: MultiQuery, name: str) -> bool:
    return query.get(name, "").lower() not in ("", "0", "no", "false", "none")


def _integer(query: MultiQuery, name: str) -> int:
    value = query.get(name, "")
    try:
        return int(value) if value else 0
    except ValueError:
        raise ValueError(f'{name}: "{value}" is not a number') from None


def _json_object(name: str, text: str) -> dict[str, Any]:
    if not text:
        return {}
    try:
        value = json.loads(text)
    except ValueError as error:
        raise ValueError(f"{name}: not JSON: {error}") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError(f"{name}: expected a JSON object")
    return value


def _list(name: str, values: Sequence[str]) -> tuple[str, ...]:
    """A list arrives as a repeated parameter, as JSON, or (extra hosts) with commas, depending on the
    client.
    """
    found: list[str] = []
    for value in values:
        if value.startswith("["):
            try:
                found += [str(item) for item in json.loads(value)]
            except ValueError as error:
                raise ValueError(f"{name}: not JSON: {error}") from None
        else:
            found += [part.strip() for part in value.split(",")]
    return tuple(item for item in found if item and item != "null")


def _packed(headers: Mapping[str, str], name: str) -> dict[str, Any]:
    value = headers.get(name, "")
    if not value:
        return {}
    try:
        return _json_object(name, base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)).decode())
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValueError(f"{name}: not base64: {error}") from None
