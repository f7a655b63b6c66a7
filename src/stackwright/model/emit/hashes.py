"""A service's configuration hash: the label ``com.docker.compose.config-hash``.

The same text is hashed as by the reference, so that each tool recognises the other's containers as up to date.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

from stackwright.model.emit.json_form import json_service
from stackwright.model.emit.json_text import compact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_IGNORED = ("build", "pull_policy", "scale", "depends_on", "profiles")
"""What can change without a container having to be made anew."""


def service_hash(service: Mapping[str, Any]) -> str:
    """Hex SHA-256 of a service in its last form."""
    form = {key: value for key, value in json_service(service).items() if key not in _IGNORED}
    if "deploy" in form:
        form["deploy"] = {key: value for key, value in form["deploy"].items() if key != "replicas"}
    return sha256(compact(form).encode()).hexdigest()


class ServiceHashes(Mapping[str, str]):
    """The hashes of a project's services, each worked out when it is first asked for: most verbs need none."""

    def __init__(self, services: Mapping[str, Mapping[str, Any]]) -> None:
        self._services = services
        self._known: dict[str, str] = {}

    def __getitem__(self, name: str) -> str:
        if name not in self._known:
            self._known[name] = service_hash(self._services[name])
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._services)

    def __len__(self) -> int:
        return len(self._services)
