"""What is there after a step, asked from the engine itself: neither tool has a say in it."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import quote

from tests.scenarios import normal

PROJECT = "com.docker.compose.project"
HASH = "com.docker.compose.config-hash"
UNTOLD = {"com.docker.compose.project", "com.docker.compose.project.working_dir", "com.docker.compose.image"}
"""Labels whose values are of one run, or are in the names."""


T = TypeVar("T")


class _Unix(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("engine", timeout=60)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(self._path)


def _settled(ask: Callable[[], T], settled: Callable[[T], bool], seconds: float = 10) -> T:
    """What `ask` gives once it is settled; what it gives last when that takes too long."""
    deadline = time.monotonic() + seconds
    while not settled(answer := ask()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return answer


class EngineView:
    """One project on one engine. `address` is `unix:///…`."""

    def __init__(self, address: str, project: str, folder: str) -> None:
        self.path, self.project, self.folder = address.removeprefix("unix://"), project, folder

    def ask(self, method: str, path: str) -> Any:
        """One request; the answer as JSON, text where it is none; None for what is not there.

        Podman cannot list what another scenario is just removing, and says so with a server error: then again.
        """
        status, body = _settled(
            lambda: self._once(method, path), lambda answer: method != "GET" or answer[0] < 500
        )
        if status == 404:
            return None
        try:
            return json.loads(body) if body.strip() else {}
        except ValueError:
            return body.decode("utf-8", "replace")

    def _once(self, method: str, path: str) -> tuple[int, bytes]:
        connection = _Unix(self.path)
        try:
            connection.request(method, f"/v1.41{path}", headers={"Connection": "close"})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def mine(self) -> list[dict[str, Any]]:
        """ContainerInspect of each container of the project, by name."""
        filters = quote(json.dumps({"label": [f"{PROJECT}={self.project}"]}))
        listed = self.ask("GET", f"/containers/json?all=1&filters={filters}") or []
        found = [self._inspected(one["Id"]) for one in listed]
        return sorted((one for one in found if one), key=lambda one: str(one["Name"]))

    def _inspected(self, container: str) -> dict[str, Any] | None:
        """Podman calls one stopped, for a moment, whose process has ended and which it has not cleaned up after."""
        found = _settled(
            lambda: self.ask("GET", f"/containers/{container}/json"),
            lambda one: not one or one["State"]["Status"] != "stopped",
        )
        return dict(found) if found else None

    def container(self, short: str) -> dict[str, Any] | None:
        """ContainerInspect by name without the project, such as `web-1`; by the whole name otherwise."""
        for name in (f"{self.project}-{short}", short):
            if found := self.ask("GET", f"/containers/{name}/json"):
                return dict(found)
        return None

    def output(self, name: str) -> bytes:
        """What a container has written, frames and all."""
        found = self.ask("GET", f"/containers/{name}/logs?stdout=1&stderr=1")
        return found.encode() if isinstance(found, str) else json.dumps(found).encode()

    def look(self, what: tuple[str, ...]) -> dict[str, Any]:
        """The parts of the picture that were asked for."""
        return {name: getattr(self, f"_{name}")() for name in what}

    def _plain(self, value: str) -> str:
        return normal.text(value, self.project, self.folder)

    def _containers(self) -> dict[str, Any]:
        return {self._named(one): self._container(one) for one in self.mine()}

    def _named(self, one: dict[str, Any]) -> str:
        name = self._plain(str(one["Name"]).lstrip("/"))
        return name.removeprefix("PROJECT-")

    def _container(self, one: dict[str, Any]) -> dict[str, Any]:
        state, config, host = one["State"], one["Config"], one["HostConfig"]
        running = state["Status"] in ("running", "paused")
        return {
            "state": state["Status"],
            "exit code": state["ExitCode"] if state["Status"] == "exited" else None,
            "health": (state.get("Health") or {}).get("Status") or None if running else None,
            "labels": self._labels(config.get("Labels") or {}),
            "networks": self._attachments(one, config),
            "mounts": sorted(map(self._mount, one.get("Mounts") or ()), key=lambda mount: str(mount["at"])),
            "ports": self._ports(host.get("PortBindings") or {}),
        }

    def _labels(self, labels: dict[str, str]) -> dict[str, str]:
        kept = {key: value for key, value in sorted(labels.items()) if key not in UNTOLD}
        # The hash of a service is the same in every project; those of networks and volumes have its name in them.
        whole = {HASH} if "com.docker.compose.service" in kept else frozenset()
        return {key: value if key in whole else self._plain(value) for key, value in kept.items()}

    def _attachments(self, one: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
        own = {one["Id"][:12], config.get("Hostname")}
        found = {}
        for name, endpoint in (one["NetworkSettings"].get("Networks") or {}).items():
            aliases = {alias for alias in endpoint.get("Aliases") or () if alias not in own}
            fixed = endpoint.get("IPAMConfig") or {}
            found[self._plain(name)] = {
                "aliases": sorted(self._plain(alias) for alias in aliases),
                **({"address": fixed["IPv4Address"]} if fixed.get("IPv4Address") else {}),
            }
        return dict(sorted(found.items()))

    def _mount(self, mount: dict[str, Any]) -> dict[str, Any]:
        kind = mount.get("Type")
        source = (mount.get("Name") if kind == "volume" else mount.get("Source")) or ""
        return {
            "type": kind,
            "from": self._plain(source),
            "at": mount["Destination"],
            "writable": bool(mount.get("RW")),
        }

    def _ports(self, bindings: dict[str, Any]) -> dict[str, Any]:
        return {
            key: [f"{one.get('HostIp') or ''}:{_host_port(one.get('HostPort') or '')}" for one in value or ()]
            for key, value in sorted(bindings.items())
        }

    def _details(self) -> dict[str, Any]:
        """How containers were made, as far as engines keep it: what was left out is not told from nothing."""
        return {self._named(one): self._detail(one) for one in self.mine()}

    def _detail(self, one: dict[str, Any]) -> dict[str, Any]:
        own = {one["Id"][:12], one["Id"]}
        parts = {}
        for name, skipped in (("Config", _SKIPPED_CONFIG), ("HostConfig", _SKIPPED_HOST)):
            parts[name] = {
                key: self._deep(value)
                for key, value in sorted(one[name].items())
                if key not in skipped and value not in (None, [], {}, "", 0, False, *own)
            }
        return parts

    def _deep(self, value: Any) -> Any:
        if isinstance(value, dict):
            kept = {key: self._deep(one) for key, one in sorted(value.items())}
            return {key: one for key, one in kept.items() if one not in (None, [], {}, "", 0, False)}
        if isinstance(value, list):
            cleaned = [self._deep(one) for one in value]
            plain = all(isinstance(one, str) for one in cleaned)
            if plain and cleaned[:1] != ["sh"]:
                return sorted(cleaned)
            named = all(isinstance(one, dict) and "Name" in one for one in cleaned)
            return sorted(cleaned, key=lambda one: str(one["Name"])) if named else cleaned
        return self._plain(value) if isinstance(value, str) else value

    def _networks(self) -> dict[str, Any]:
        filters = quote(json.dumps({"label": [f"{PROJECT}={self.project}"]}))
        return {
            self._plain(one["Name"]): {
                "labels": self._labels(one.get("Labels") or {}),
                "driver": one["Driver"],
                "internal": bool(one.get("Internal")),
            }
            for one in sorted(
                self.ask("GET", f"/networks?filters={filters}") or (), key=lambda one: str(one["Name"])
            )
        }

    def _volumes(self) -> dict[str, Any]:
        filters = quote(json.dumps({"label": [f"{PROJECT}={self.project}"]}))
        found = (self.ask("GET", f"/volumes?filters={filters}") or {}).get("Volumes") or ()
        return {
            self._plain(one["Name"]): {
                "labels": self._labels(one.get("Labels") or {}),
                "driver": one["Driver"],
            }
            for one in sorted(found, key=lambda one: str(one["Name"]))
        }

    def _images(self) -> list[str]:
        """Images whose names have the project's in them."""
        listed = self.ask("GET", "/images/json") or ()
        names = {tag for one in listed for tag in one.get("RepoTags") or () if self.project in tag}
        return sorted(self._plain(name).removeprefix("localhost/") for name in names)

    def clear(self) -> None:
        """Remove whatever the scenario made, but images: Podman cannot build while somebody removes some."""
        for one in self.mine():
            self.ask("DELETE", f"/containers/{one['Id']}?force=1&v=1")
        for one in self.ask("GET", "/containers/json?all=1") or ():
            if any(self.project in name for name in one.get("Names") or ()):
                self.ask("DELETE", f"/containers/{one['Id']}?force=1&v=1")
        for kind, field in (("networks", None), ("volumes", "Volumes")):
            listed = self.ask("GET", f"/{kind}") or ()
            for one in (listed[field] if field else listed) or ():
                if self.project in one["Name"] or (one.get("Labels") or {}).get(PROJECT) == self.project:
                    self.ask("DELETE", f"/{kind}/{one['Name']}")


def _host_port(text: str) -> str:
    return text if text.isdigit() and int(text) < 32000 else text if "-" in text else "PORT"


_SKIPPED_CONFIG = frozenset({"Labels", "Image"})
_SKIPPED_HOST = frozenset(
    {"Binds", "Mounts", "NetworkMode", "PortBindings", "ConsoleSize", "Runtime", "Isolation", "LogConfig"}
)
"""Shown elsewhere, or the same for all of an engine's containers."""
