"""Build arguments: which are known where (Dockerfile reference, "ARG")."""

from __future__ import annotations

import os
from collections.abc import Mapping

from stackwright.dockerfile import Instruction, expand
from stackwright.dockerfile.stages import arguments
from stackwright.embedded.images.types import Platform

PREDEFINED = frozenset(
    name
    for base in ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")
    for name in (base, base.lower())
)
"""Known to RUN without an ``ARG``, and not part of the cache key unless there is one."""


def platform_arguments(target: Platform) -> dict[str, str]:
    """``TARGETPLATFORM`` and its like, as BuildKit sets them."""
    values: dict[str, str] = {}
    for prefix, platform in (("TARGET", target), ("BUILD", Platform.host())):
        values[f"{prefix}PLATFORM"] = str(platform)
        values[f"{prefix}OS"] = platform.os
        values[f"{prefix}ARCH"] = platform.architecture
        values[f"{prefix}VARIANT"] = platform.variant
    return values


def given_arguments(options: Mapping[str, str | None]) -> dict[str, str]:
    """What the client gave; an argument without a value comes from the engine's environment, or not at all."""
    found: dict[str, str] = {}
    for name, value in options.items():
        actual = os.environ.get(name) if value is None else value
        if actual is not None:
            found[name] = actual
    return found


class StageArguments:
    """The arguments of one stage, as its instructions go by."""

    def __init__(self, given: Mapping[str, str], outer: Mapping[str, str]) -> None:
        self._given, self._outer = given, outer
        self.declared: dict[str, str] = {}
        """Name and value of every argument declared so far that has a value."""
        self._names: set[str] = set()

    def declare(self, instruction: Instruction, variables: Mapping[str, str], escape: str) -> None:
        """``ARG name[=default]``: given values win, then the default, then a global argument of that name."""
        known = dict(variables)
        for name, default in arguments(instruction, escape):
            self._names.add(name)
            if name in self._given:
                value: str | None = self._given[name]
            elif default is not None:
                value = expand(default, known, escape)
            else:
                value = self._outer.get(name)
            if value is not None:
                self.declared[name] = known[name] = value

    def for_run(self, environment: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
        """``(visible, hidden)`` variables of a RUN step beyond ``ENV``; the hidden ones stay out of the
        cache key.
        """
        visible = {name: value for name, value in self.declared.items() if name not in environment}
        hidden = {
            name: value
            for name, value in self._given.items()
            if name in PREDEFINED and name not in self._names and name not in environment
        }
        return visible, hidden
