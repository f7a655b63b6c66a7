"""``GET /images/json``: which images a filter lets through."""

from __future__ import annotations

import fnmatch
import re
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from stackwright.embedded.errors import BadParameter
from stackwright.embedded.images.catalogue import Catalogue, seconds_of
from stackwright.embedded.images.reference import Reference
from stackwright.embedded.images.types import Image
from stackwright.embedded.images.views import summary

Filters = Mapping[str, Iterable[str]]
Test = Callable[[Image], bool]


def summaries(catalogue: Catalogue, filters: Filters | None, *, all_images: bool) -> list[dict[str, Any]]:
    """Summaries of the images that pass; unnamed steps of builds only with ``all_images``."""
    tests = [_test(key, list(values), catalogue) for key, values in (filters or {}).items()]
    patterns = list((filters or {}).get("reference", ()))
    steps = catalogue.parents_in_use()
    found = []
    for image in catalogue.all():
        if not all_images and not image.repo_tags and not image.repo_digests and image.id in steps:
            continue
        if not all(test(image) for test in tests):
            continue
        shown = summary(image)
        if patterns:
            shown["RepoTags"] = [tag for tag in image.repo_tags if reference_matches(tag, patterns)]
            shown["RepoDigests"] = [name for name in image.repo_digests if reference_matches(name, patterns)]
        found.append(shown)
    return found


def matcher(catalogue: Catalogue, filters: Filters, allowed: Iterable[str]) -> Test:
    """All of ``filters`` as one test; BadParameter for a key outside ``allowed``."""
    for key in filters:
        if key not in allowed:
            raise BadParameter(f"invalid filter '{key}'")
    tests = [_test(key, list(values), catalogue) for key, values in filters.items()]
    return lambda image: all(test(image) for test in tests)


def reference_matches(familiar: str, patterns: Iterable[str]) -> bool:
    """Docker's ``reference`` filter: a glob over the name, the tag being optional, ``*`` stopping at
    slashes.
    """
    reference = Reference.parse(familiar)
    for pattern in patterns:
        segments = pattern.count("/")
        for candidate in (reference.familiar, reference.familiar_name):
            if candidate.count("/") == segments and all(
                fnmatch.fnmatchcase(part, wanted)
                for part, wanted in zip(candidate.split("/"), pattern.split("/"), strict=True)
            ):
                return True
    return False


def label_matches(labels: Mapping[str, str] | None, wanted: str) -> bool:
    """``key`` or ``key=value``."""
    key, equals, value = wanted.partition("=")
    return key in (labels or {}) and (not equals or (labels or {})[key] == value)


def _test(key: str, values: list[str], catalogue: Catalogue) -> Test:
    match key:
        case "dangling":
            wanted = _boolean(key, values)
            return lambda image: (not image.repo_tags and not image.repo_digests) == wanted
        case "label":
            return lambda image: all(label_matches(image.run_config.get("Labels"), v) for v in values)
        case "label!":
            return lambda image: not any(label_matches(image.run_config.get("Labels"), v) for v in values)
        case "before" | "since":
            limits = [seconds_of(catalogue.find(value).created) for value in values]
            if key == "before":
                return lambda image: all(seconds_of(image.created) < limit for limit in limits)
            return lambda image: all(seconds_of(image.created) > limit for limit in limits)
        case "until":
            until = min(until_seconds(value) for value in values)
            return lambda image: seconds_of(image.created) < until
        case "reference":
            return lambda image: any(
                reference_matches(name, values) for name in (*image.repo_tags, *image.repo_digests)
            )
    raise BadParameter(f"invalid filter '{key}'")


def _boolean(key: str, values: list[str]) -> bool:
    text = values[0].lower() if values else ""
    if text not in ("1", "true", "0", "false"):
        raise BadParameter(f"invalid filter '{key}={text}'")
    return text in ("1", "true")


def until_seconds(text: str) -> float:
    """``24h30m``, seconds since 1970, or RFC 3339 → seconds since 1970."""
    units = {"s": 1.0, "m": 60.0, "h": 3600.0, "ms": 0.001}
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h)", text)
    if parts and "".join(number + unit for number, unit in parts) == text:
        return time.time() - sum(float(number) * units[unit] for number, unit in parts)
    try:
        return float(text)
    except ValueError:
        pass
    seconds = seconds_of(text)
    if not seconds:
        raise BadParameter(f"invalid filter 'until={text}'")
    return seconds
