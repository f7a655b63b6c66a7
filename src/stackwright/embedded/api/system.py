"""Routes of the engine itself: ping, version, info, df, events, auth, shutdown (Engine API 1.50, System)."""

from __future__ import annotations

import asyncio
import os
import platform
import time
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from stackwright.embedded.api.call import Call, answer, begin_stream
from stackwright.embedded.api.routing import NEWEST, OLDEST, Route
from stackwright.embedded.api.server import VERSION
from stackwright.embedded.api.shapes import list_item
from stackwright.embedded.api.stats import total_memory
from stackwright.embedded.api.times import parse_time, rfc3339
from stackwright.embedded.errors import BadParameter, Unavailable
from stackwright.embedded.images.registry.client import RegistryClient
from stackwright.embedded.images.types import RegistryAuth
from stackwright.embedded.kernel.userns import in_user_namespace
from stackwright.embedded.lifecycle.engine import Engine, tree_size
from stackwright.embedded.lifecycle.events import Event, matches
from stackwright.embedded.lifecycle.machine import Status
from stackwright.embedded.volumes.types import Volume

_NO_CACHE = {"Cache-Control": "no-cache, no-store, must-revalidate", "Pragma": "no-cache"}
_SWARM = ("swarm", "nodes", "services", "tasks", "secrets", "configs")


class SystemRoutes:
    """Nothing here concerns one container."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def table(self) -> list[Route]:
        """The routes."""
        return [
            Route("GET", "/_ping", self.ping),
            Route("GET", "/version", self.version),
            Route("GET", "/info", self.info),
            Route("GET", "/system/df", self.disk_usage),
            Route("GET", "/events", self.events, follows=True),
            Route("POST", "/auth", self.auth),
            Route("GET", "/plugins", self.no_plugins),
            Route("POST", "/stackwright/shutdown", self.shutdown),
            *(Route("GET", f"/{name}", self.no_swarm) for name in _SWARM),
            *(Route("GET", f"/{name}/{{rest:path}}", self.no_swarm) for name in _SWARM),
            *(Route("POST", f"/{name}/{{rest:path}}", self.no_swarm) for name in _SWARM),
        ]

    async def ping(self, call: Call) -> web.StreamResponse:
        """GET and HEAD /_ping. `Builder-Version: 2`: BuildKit's clients are served, besides the classic."""
        return web.Response(
            text="OK",
            content_type="text/plain",
            headers={**_NO_CACHE, "Builder-Version": "2", "Swarm": "inactive"},
        )

    async def version(self, call: Call) -> web.StreamResponse:
        """GET /version."""
        newest, oldest = f"{NEWEST[0]}.{NEWEST[1]}", f"{OLDEST[0]}.{OLDEST[1]}"
        host = platform.uname()
        details = {
            "ApiVersion": newest,
            "Arch": architecture(),
            "BuildTime": "",
            "Experimental": "false",
            "GitCommit": "",
            "GoVersion": f"python{platform.python_version()}",
            "KernelVersion": host.release,
            "MinAPIVersion": oldest,
            "Os": "linux",
        }
        return answer(
            {
                "Platform": {"Name": "Stackwright Engine"},
                "Components": [{"Name": "Engine", "Version": VERSION, "Details": details}],
                "Version": VERSION,
                **{key: value for key, value in details.items() if key != "Experimental"},
                "BuildTime": "",
            }
        )

    async def info(self, call: Call) -> web.StreamResponse:
        """GET /info."""
        services = self._engine.services
        statuses = [container.status for container in services.containers]
        host = platform.uname()
        return answer(
            {
                "ID": services.instance,
                "Name": host.node,
                "ServerVersion": VERSION,
                "Containers": len(statuses),
                "ContainersRunning": statuses.count(Status.RUNNING),
                "ContainersPaused": statuses.count(Status.PAUSED),
                "ContainersStopped": len(statuses) - sum(s in ("running", "paused") for s in statuses),
                "Images": len(services.images.list(all_images=True)),
                "Driver": "overlay2",
                "DriverStatus": [["Backing Filesystem", ""], ["Native Overlay Diff", "true"]],
                "DockerRootDir": str(services.state_dir),
                "SystemTime": rfc3339(time.time_ns()),
                "LoggingDriver": "json-file",
                "CgroupDriver": "cgroupfs",
                "CgroupVersion": cgroup_version(),
                "NEventsListener": 0,
                "KernelVersion": host.release,
                "OperatingSystem": os_release().get("PRETTY_NAME", "Linux"),
                "OSVersion": os_release().get("VERSION_ID", ""),
                "OSType": "linux",
                "Architecture": host.machine,
                "IndexServerAddress": "https://index.docker.io/v1/",
                "RegistryConfig": {"IndexConfigs": {}, "InsecureRegistryCIDRs": [], "Mirrors": []},
                "NCPU": os.cpu_count() or 1,
                "MemTotal": total_memory(),
                "Plugins": {
                    "Volume": ["local"],
                    "Network": ["bridge", "host", "null"],
                    "Authorization": None,
                    "Log": ["json-file", "none"],
                },
                "MemoryLimit": True, "SwapLimit": True, "CpuCfsPeriod": True, "CpuCfsQuota": True,
                "CPUShares": True, "CPUSet": True, "PidsLimit": True, "OomKillDisable": True,
                "IPv4Forwarding": True, "Debug": False, "NFd": sum(1 for _ in Path("/proc/self/fd").iterdir()),
                "NGoroutines": len(asyncio.all_tasks()),
                "HttpProxy": os.environ.get("HTTP_PROXY", ""), "HttpsProxy": os.environ.get("HTTPS_PROXY", ""),
                "NoProxy": os.environ.get("NO_PROXY", ""),
                "Labels": [], "ExperimentalBuild": False, "LiveRestoreEnabled": True,
                "Runtimes": {"stackwright": {"path": "stackwright"}}, "DefaultRuntime": "stackwright",
                "Swarm": {"NodeID": "", "NodeAddr": "", "LocalNodeState": "inactive", "ControlAvailable": False,
                          "Error": "", "RemoteManagers": None},
                "Isolation": "", "InitBinary": "", "SecurityOptions": security_options(),
                "ContainerdCommit": {"ID": ""}, "RuncCommit": {"ID": ""}, "InitCommit": {"ID": ""},
                "Warnings": [f"WARNING: {text}" for text in services.limitations] or None,
            }
        )  # fmt: skip

    async def disk_usage(self, call: Call) -> web.StreamResponse:
        """GET /system/df."""
        services, engine = self._engine.services, self._engine
        kinds = set(call.texts("type")) or {"container", "image", "volume", "build-cache"}
        result: dict[str, Any] = {
            "LayersSize": 0,
            "Images": [],
            "Containers": [],
            "Volumes": [],
            "BuildCache": [],
        }
        if "image" in kinds:
            result |= await asyncio.to_thread(services.images.disk_usage)
        if "container" in kinds:
            result["Containers"] = [list_item(engine, c, size=True) for c in services.containers]
        if "volume" in kinds:
            result["Volumes"] = [volume_usage(engine, v) for v in services.volumes.list()]
        return answer(result)

    async def events(self, call: Call) -> web.StreamResponse:
        """GET /events?since=&until=&filters=: the past from `since`, then what happens, up to `until`."""
        since, until, filters = parse_time(call.text("since")), parse_time(call.text("until")), call.filters()
        bus = self._engine.services.events
        with bus.subscribe() as subscription:
            response = await begin_stream(call, "application/json")

            async def send(event: Event) -> None:
                if matches(event, filters):
                    await response.write(msgspec.json.encode(event.to_docker()) + b"\n")

            seen = 0
            if since:
                for event in bus.past(since, until or None):
                    await send(event)
                    seen = event.time_ns
            remaining = (until - time.time_ns()) / 1e9 if until else None
            try:
                async with asyncio.timeout(remaining):
                    async for event in subscription:
                        if event.time_ns > seen:
                            await send(event)
            except TimeoutError:
                pass
        return response

    async def auth(self, call: Call) -> web.StreamResponse:
        """POST /auth: try the credentials on their registry. Unauthorized or Unavailable when that fails."""
        document = await call.json_object()
        auth = RegistryAuth.from_json(document)
        if auth is None:
            raise BadParameter("no credentials were given")
        async with RegistryClient(registry_host(auth.server_address), "", auth) as registry:
            # Behind /v2/ there is nothing, but whoever is let in hears so instead of 401.
            async with registry.request("GET", "", accept=(400, 404, 405)):
                return answer({"IdentityToken": "", "Status": "Login Succeeded"})

    async def no_plugins(self, call: Call) -> web.StreamResponse:
        """GET /plugins: there are none."""
        return answer([])

    async def no_swarm(self, call: Call) -> web.StreamResponse:
        """Everything of Swarm, in Docker's words for an engine that is in none."""
        raise Unavailable(
            'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this '
            "node to swarm and try again."
        )

    async def shutdown(self, call: Call) -> web.StreamResponse:
        """POST /stackwright/shutdown?force=&keep=: end the engine (our own route).

        Containers are stopped first, each with its grace period; `force=1` kills them at once, `keep=1`
        leaves them running for the next engine, as SIGTERM does. Answers when they have stopped.
        """
        if not call.flag("keep"):
            await self._engine.manager.stop_all(timeout=0 if call.flag("force") else None)
        self._engine.stopping.set()
        return answer({"Stopped": not call.flag("keep")})


def volume_usage(engine: Engine, volume: Volume) -> dict[str, Any]:
    """A volume with its `UsageData`."""
    users = sum(any(m.name == volume.name for m in c.mounts) for c in engine.services.containers)
    size = tree_size(Path(volume.mountpoint))
    return {**engine.services.volumes.inspect(volume), "UsageData": {"Size": size, "RefCount": users}}


def registry_host(address: str) -> str:
    """`https://index.docker.io/v1/` → `docker.io`; other addresses without scheme and path."""
    host = address.partition("://")[2] or address
    host = host.partition("/")[0]
    return "docker.io" if host in ("", "index.docker.io", "registry-1.docker.io") else host


def architecture() -> str:
    """The machine in Go's words."""
    machine = platform.machine()
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


def security_options() -> list[str]:
    """As Docker lists them; `rootless` tells its command line that root in here is nobody special."""
    return ["name=seccomp,profile=builtin", *(["name=rootless"] if in_user_namespace() else [])]


def cgroup_version() -> str:
    """2 where the unified hierarchy has controllers, else 1."""
    try:
        return "2" if Path("/sys/fs/cgroup/cgroup.controllers").read_text().strip() else "1"
    except OSError:
        return "1"


def os_release() -> dict[str, str]:
    """/etc/os-release."""
    try:
        return platform.freedesktop_os_release()
    except OSError:
        return {}
