"""From the attributes of BuildKit's Dockerfile frontend to :class:`BuildOptions`."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from stackwright.embedded.builder.contexts import NamedContext
from stackwright.embedded.builder.types import BuildOptions, Lender, Ulimit
from stackwright.embedded.errors import BadParameter, NotImplementedYet

FRONTENDS = ("dockerfile.v0", "gateway.v0")
"""``gateway.v0`` names an image with a frontend (``# syntax=``): the engine's own reads the same files."""
_NETWORKS = {"": "", "sandbox": "", "default": "", "none": "none", "host": "host"}


def options_from_attributes(
    attributes: Mapping[str, str],
    lender: Lender,
    *,
    cache: Sequence[str] = (),
    host_ca: Path | None = None,
    contexts: Mapping[str, NamedContext] | None = None,
) -> BuildOptions:
    """Read what a client asked for; BadParameter names what cannot be read, NotImplementedYet what is not here."""
    if request := attributes.get("requestid"):
        raise NotImplementedYet(
            f"{request}: only builds are served by this engine (no docker build --call or --check)"
        )
    platform = attributes.get("platform", "")
    if "," in platform:
        raise NotImplementedYet(
            f"a build for several platforms at once ({platform}): build for one at a time"
        )
    return BuildOptions(
        dockerfile=attributes.get("filename", "") or "Dockerfile",
        build_args=_prefixed(attributes, "build-arg:"),
        target=attributes.get("target", ""),
        labels=_prefixed(attributes, "label:"),
        no_cache="no-cache" in attributes,
        pull=attributes.get("image-resolve-mode", "") == "pull",
        network=_network(attributes.get("force-network-mode", "")),
        extra_hosts=tuple(_host(entry) for entry in _listed(attributes.get("add-hosts", ""))),
        shm_size=_number(attributes, "shm-size"),
        ulimits=_ulimits(attributes.get("ulimit", "")),
        platform=platform,
        cache_from=tuple(dict.fromkeys((*cache, *_caches(attributes)))),
        host_ca=host_ca,
        lender=lender,
        contexts=contexts or {},
        remote=attributes.get("context", ""),
    )


def cache_references(entries: Sequence[tuple[str, Mapping[str, str]]]) -> list[str]:
    """The images of ``--cache-from``: of ``type=registry`` (and of an image with an inline cache)."""
    return [attrs["ref"] for kind, attrs in entries if kind == "registry" and attrs.get("ref")]


def _caches(attributes: Mapping[str, str]) -> list[str]:
    found = _listed(attributes.get("cache-from", ""))
    text = attributes.get("cache-imports", "")
    if text:
        try:
            entries = [(str(entry["Type"]), dict(entry.get("Attrs") or {})) for entry in json.loads(text)]
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise BadParameter(f"cache-imports: {error}") from None
        found += cache_references(entries)
    return found


def _prefixed(attributes: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {key.removeprefix(prefix): value for key, value in attributes.items() if key.startswith(prefix)}


def _listed(text: str) -> list[str]:
    return [item.strip() for item in next(csv.reader([text]), []) if item.strip()]


def _host(entry: str) -> str:
    name, _, address = entry.partition("=")
    return f"{name}:{address}"


def _network(mode: str) -> str:
    try:
        return _NETWORKS[mode]
    except KeyError:
        raise BadParameter(f"network mode {mode!r} of a build: default, none or host") from None


def _ulimits(text: str) -> tuple[Ulimit, ...]:
    try:
        return tuple(Ulimit.parse(entry) for entry in _listed(text))
    except ValueError as error:
        raise BadParameter(str(error)) from None


def _number(attributes: Mapping[str, str], name: str) -> int:
    text = attributes.get(name, "") or "0"
    try:
        return int(text)
    except ValueError:
        raise BadParameter(f"{name}: {text!r} is not a number") from None
