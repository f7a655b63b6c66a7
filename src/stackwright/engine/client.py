"""A client of the Docker Engine API, for Docker, Podman and the embedded engine alike.

One method per endpoint, named for it; objects are the API's own JSON as dicts. Everything
raises errors of `stackwright.engine.errors`.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from stackwright.engine import podman_api
from stackwright.engine.address import Address
from stackwright.engine.errors import (
    ApiError,
    EngineUnavailable,
    NotFound,
    ProtocolError,
)
from stackwright.engine.http import Body, Transport
from stackwright.engine.image_calls import ImageCalls
from stackwright.engine.streams import Chunk, Stream, demultiplex, raw

JSON = dict[str, Any]
NEWEST = (1, 47)  # the newest version of the API this client was written against


class EngineClient(ImageCalls):
    """Talks to one engine. Use as an async context manager, or call `close`.

    `address` is parsed, or text such as `unix:///path` or `tcp://host:port`. `connect` must be awaited (the context
    manager does) before other calls: it agrees on the API's version.
    """

    def __init__(self, address: str | Address) -> None:
        self.address = Address.parse(address) if isinstance(address, str) else address
        super().__init__(Transport(self.address))
        self.api_version: tuple[int, int] = (0, 0)
        self.kind = "docker"  # docker | podman | embedded
        self.revive: Callable[[], Awaitable[None]] | None = None
        """Starts the engine again, where that is ours to do."""
        self._promised: set[tuple[int, str]] = set()
        """Host ports that were taken or given out of ranges, where that is ours to do."""
        self.absence = asyncio.Lock()
        """Held by who waits for the engine's return."""

    def ask_ahead(self) -> None:
        """Let the engine answer what `connect` will ask while the caller does something else. Needs no event loop."""
        self.transport.ask_ahead("/_ping")

    async def connect(self, timeout: float | None = None) -> Self:
        """Ping the engine and choose the API version; `timeout` in seconds, None for what suits the address.

        Raises `EngineUnavailable`.
        """
        timeout = timeout or (30.0 if self.address.scheme == "ssh" else 5.0)
        try:
            async with asyncio.timeout(timeout):
                headers = await self.ping()
        except TimeoutError as error:
            raise EngineUnavailable(
                f"the engine at {self.address} does not answer within {timeout:g} s",
                hint="it may be starting, or stuck: see its log",
            ) from error
        except ApiError as error:
            raise _no_engine(self.address, error) from error
        try:
            major, minor = (int(part) for part in headers.get("api-version", "1.24").split("."))
        except ValueError as error:
            raise ProtocolError(f"what listens at {self.address} is not a container engine") from error
        self.api_version = min((major, minor), NEWEST)
        self.transport.prefix = "/v{}.{}".format(*self.api_version)
        server = headers.get("server", "").lower()
        self.kind = (
            "embedded"
            if "stackwright" in server
            else "podman"
            if "libpod-api-version" in headers
            else "docker"
        )
        return self

    async def __aenter__(self) -> Self:
        return await self.connect()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close idle connections."""
        self.transport.close()

    # -- system ----------------------------------------------------------------------------------

    async def ping(self) -> dict[str, str]:
        """The headers of `/_ping` (lower-case names). SystemPing."""
        response = await self.transport.request("GET", "/_ping")
        await response.read()
        return response.headers

    async def version(self) -> JSON:
        """SystemVersion."""
        return dict(await self._get("/version"))

    async def info(self) -> JSON:
        """SystemInfo."""
        return dict(await self._get("/info"))

    async def events(
        self, *, filters: JSON | None = None, since: float | None = None, until: float | None = None
    ) -> AsyncIterator[JSON]:
        """SystemEvents, until the stream is closed. `since` and `until` are Unix seconds."""
        begin, end = _stamp(since), _stamp(until)
        if self.kind == "podman":
            filters, (begin, end) = podman_api.event_filters(filters), podman_api.event_times(since, until)
        query = {"filters": filters, "since": begin, "until": end}
        response = await self.transport.request("GET", "/events", query=query)
        async for message in self._messages(response):
            yield podman_api.event(message) if self.kind == "podman" else message

    # -- containers ------------------------------------------------------------------------------

    async def list_containers(self, *, all: bool = False, filters: JSON | None = None) -> list[JSON]:
        """ContainerList: summaries, newest first."""
        found = list(await self._get("/containers/json", all=all, filters=filters))
        return podman_api.listed(found) if self.kind == "podman" else found

    async def inspect_container(self, container: str) -> JSON:
        """ContainerInspect. Raises `NotFound`."""
        path = f"/containers/{container}/json"
        if self.kind != "podman":
            return dict(await self._get(path))
        try:
            found = await self._get(path)
        except ApiError as error:
            if not podman_api.ended_under_inspection(error):
                raise
            found = await self._get(path)
        return podman_api.inspected(dict(found))

    async def create_container(self, name: str | None, config: JSON, *, platform: str | None = None) -> str:
        """ContainerCreate; returns the id. Raises `NotFound` (image), `Conflict` (name)."""
        if self.kind == "podman":
            config = podman_api.to_create(config)
            if podman_api.has_ranges(config):
                self._promised |= podman_api.published(await self.list_containers(all=True))
                config = podman_api.single_ports(config, self._promised)
        try:
            made = await self._post("/containers/create", config, name=name, platform=platform or None)
        except ApiError as error:
            raise podman_api.failure(error) if self.kind == "podman" else error from None
        return str(made["Id"])

    async def start_container(self, container: str) -> None:
        """ContainerStart; no error when it runs already."""
        await self._post(f"/containers/{container}/start")

    async def stop_container(self, container: str, *, timeout: int | None = None) -> None:
        """ContainerStop; `timeout` in seconds, None for the container's own; no error when stopped."""
        try:
            await self._post(f"/containers/{container}/stop", t=timeout)
        except ApiError as error:
            if self.kind != "podman" or "paused" not in error.message:
                raise
            await self.unpause_container(container)  # Podman stops nobody who is paused
            await self._post(f"/containers/{container}/stop", t=timeout)

    async def kill_container(self, container: str, signal: str = "SIGKILL") -> None:
        """ContainerKill. Raises `Conflict` when it does not run."""
        await self._post(f"/containers/{container}/kill", signal=signal)

    async def restart_container(self, container: str, *, timeout: int | None = None) -> None:
        """ContainerRestart; `timeout` in seconds."""
        await self._post(f"/containers/{container}/restart", t=timeout)

    async def pause_container(self, container: str) -> None:
        """ContainerPause."""
        await self._post(f"/containers/{container}/pause")

    async def unpause_container(self, container: str) -> None:
        """ContainerUnpause."""
        await self._post(f"/containers/{container}/unpause")

    async def rename_container(self, container: str, name: str) -> None:
        """ContainerRename."""
        await self._post(f"/containers/{container}/rename", name=name)

    async def remove_container(self, container: str, *, force: bool = False, volumes: bool = False) -> None:
        """ContainerDelete; `volumes` removes its anonymous volumes too."""
        await self._delete(f"/containers/{container}", force=force, v=volumes)

    async def wait_container(self, container: str) -> int:
        """ContainerWait until it does not run; returns the exit code."""
        answer = await self._post(f"/containers/{container}/wait", condition="not-running")
        return int(answer["StatusCode"])

    async def top(self, container: str, ps_args: str | None = None) -> JSON:
        """ContainerTop: Titles and Processes."""
        found = dict(await self._get(f"/containers/{container}/top", ps_args=ps_args))
        return podman_api.top(found) if self.kind == "podman" else found

    async def run_healthcheck(self, container: str) -> None:
        """Podman's ContainerHealthcheck: run the check once and count its outcome, as a timer would."""
        await self._get(f"/libpod/containers/{container}/healthcheck")

    async def stats(self, container: str) -> JSON:
        """ContainerStats: one sample, with the one before it for rates."""
        return dict(await self._get(f"/containers/{container}/stats", stream=False))

    async def resize_container(self, container: str, rows: int, columns: int) -> None:
        """ContainerResize."""
        await self._post(f"/containers/{container}/resize", h=rows, w=columns)

    async def logs(
        self,
        container: str,
        *,
        follow: bool = False,
        since: str | None = None,
        until: str | None = None,
        timestamps: bool = False,
        tail: str | int = "all",
        tty: bool | None = None,
    ) -> AsyncIterator[Chunk]:
        """ContainerLogs. `since`/`until` are Unix seconds as text; `tty` None asks the engine."""
        query = {
            "stdout": True, "stderr": True, "follow": follow, "since": since, "until": until,
            "timestamps": timestamps, "tail": tail,
        }  # fmt: skip
        response = await self.transport.request("GET", f"/containers/{container}/logs", query=query)
        async with response:
            kind = response.headers.get("content-type", "")
            if tty is None:
                if kind.endswith("multiplexed-stream"):
                    tty = False
                elif kind.endswith("raw-stream") and self.api_version >= (1, 42):
                    tty = True
                else:
                    tty = bool((await self.inspect_container(container))["Config"].get("Tty"))
            async for chunk in (raw if tty else demultiplex)(response.chunks()):
                yield chunk

    async def attach(
        self,
        container: str,
        *,
        stdin: bool = False,
        stdout: bool = True,
        stderr: bool = True,
        logs: bool = False,
        tty: bool = False,
        detach_keys: str = "",
    ) -> Stream:
        """ContainerAttach: the container's own streams. `detach_keys` such as `ctrl-p,ctrl-q` end it."""
        query = {
            "stream": True, "stdin": stdin, "stdout": stdout, "stderr": stderr, "logs": logs,
            "detachKeys": detach_keys or None,
        }  # fmt: skip
        connection, _ = await self.transport.hijack(f"/containers/{container}/attach", query=query)
        return Stream(connection, multiplexed=not tty)

    async def put_archive(
        self, container: str, path: str, tar: Body, *, own: bool = False, keep_kind: bool = False
    ) -> None:
        """PutContainerArchive: unpack a tar into a folder of the container.

        `own`: files belong to the container's user. `keep_kind`: a file never replaces a folder, nor a folder a file.
        """
        response = await self.transport.request(
            "PUT",
            f"/containers/{container}/archive",
            query={"path": path, "copyUIDGID": own or None, "noOverwriteDirNonDir": keep_kind or None},
            body=tar,
            content_type="application/x-tar",
        )
        await response.read()

    async def get_archive(self, container: str, path: str) -> tuple[JSON, AsyncIterator[bytes]]:
        """ContainerArchive: what is at `path` (as `stat_archive` says), and it as a tar, piece by piece."""
        response = await self.transport.request(
            "GET", f"/containers/{container}/archive", query={"path": path}
        )
        return _path_stat(response.headers), response.chunks()

    async def stat_archive(self, container: str, path: str) -> JSON:
        """ContainerArchiveInfo: name, size, mode (Go's bits), mtime, linkTarget. Raises `NotFound`."""
        response = await self.transport.head(f"/containers/{container}/archive", query={"path": path})
        if response.status == 404:
            raise NotFound(404, f"no such file in the container: {path}")
        await response.raise_for_status()
        return _path_stat(response.headers)

    async def export(self, container: str) -> AsyncIterator[bytes]:
        """ContainerExport: the container's file system as a tar, piece by piece."""
        response = await self.transport.request("GET", f"/containers/{container}/export")
        async with response:
            async for piece in response.chunks():
                yield piece

    async def commit(
        self,
        container: str,
        *,
        repo: str = "",
        tag: str = "",
        author: str = "",
        comment: str = "",
        changes: Sequence[str] = (),
        pause: bool = True,
    ) -> str:
        """ImageCommit: a container's changes become an image; returns its id."""
        made = await self._post(
            "/commit",
            {},
            container=container,
            repo=repo or None,
            tag=tag or None,
            author=author or None,
            comment=comment or None,
            changes=list(changes),
            pause=pause,
        )
        return str(made["Id"])

    # -- exec ------------------------------------------------------------------------------------

    async def create_exec(self, container: str, config: JSON) -> str:
        """ContainerExec; returns the exec's id. Raises `Conflict` when it does not run."""
        return str((await self._post(f"/containers/{container}/exec", config))["Id"])

    async def start_exec(self, exec_id: str, *, tty: bool = False) -> Stream:
        """ExecStart, attached."""
        connection, _ = await self.transport.hijack(
            f"/exec/{exec_id}/start", json_body={"Detach": False, "Tty": tty}
        )
        return Stream(connection, multiplexed=not tty)

    async def start_exec_detached(self, exec_id: str) -> None:
        """ExecStart, in the background."""
        await self._post(f"/exec/{exec_id}/start", {"Detach": True, "Tty": False})

    async def inspect_exec(self, exec_id: str) -> JSON:
        """ExecInspect: Running, ExitCode, Pid."""
        return dict(await self._get(f"/exec/{exec_id}/json"))

    async def resize_exec(self, exec_id: str, rows: int, columns: int) -> None:
        """ExecResize."""
        await self._post(f"/exec/{exec_id}/resize", h=rows, w=columns)

    async def run_exec(self, container: str, command: Sequence[str], **config: Any) -> tuple[int, bytes]:
        """Run `command` in a container to its end; returns exit code and output (both streams)."""
        body = {"Cmd": list(command), "AttachStdout": True, "AttachStderr": True, **config}
        exec_id = await self.create_exec(container, body)
        output = bytearray()
        async with await self.start_exec(exec_id) as stream:
            async for chunk in stream:
                output += chunk.data
        state = await self.inspect_exec(exec_id)
        code = state.get("ExitCode")
        return (int(code) if code is not None else -1), bytes(output)

    # -- networks and volumes --------------------------------------------------------------------

    async def list_networks(self, *, filters: JSON | None = None) -> list[JSON]:
        """NetworkList."""
        return list(await self._get("/networks", filters=filters))

    async def inspect_network(self, network: str) -> JSON:
        """NetworkInspect. Raises `NotFound`."""
        return dict(await self._get(f"/networks/{network}"))

    async def create_network(self, config: JSON) -> str:
        """NetworkCreate; returns the id. Raises `Conflict` when the name is taken."""
        return str((await self._post("/networks/create", config))["Id"])

    async def remove_network(self, network: str) -> None:
        """NetworkDelete. Raises `Conflict` or another `ApiError` while containers are in it."""
        try:
            await self._delete(f"/networks/{network}")
        except ApiError as error:
            raise podman_api.failure(error) if self.kind == "podman" else error from None

    async def connect_network(self, network: str, container: str, endpoint: JSON) -> None:
        """NetworkConnect."""
        await self._do(f"/networks/{network}/connect", {"Container": container, "EndpointConfig": endpoint})

    async def disconnect_network(self, network: str, container: str, *, force: bool = False) -> None:
        """NetworkDisconnect."""
        await self._do(f"/networks/{network}/disconnect", {"Container": container, "Force": force})

    async def list_volumes(self, *, filters: JSON | None = None) -> list[JSON]:
        """VolumeList."""
        return list((await self._get("/volumes", filters=filters)).get("Volumes") or [])

    async def inspect_volume(self, volume: str) -> JSON:
        """VolumeInspect. Raises `NotFound`."""
        return dict(await self._get(f"/volumes/{volume}"))

    async def create_volume(self, config: JSON) -> JSON:
        """VolumeCreate; the same name twice is no error."""
        return dict(await self._post("/volumes/create", config))

    async def remove_volume(self, volume: str, *, force: bool = False) -> None:
        """VolumeDelete. Raises `Conflict` while a container uses it."""
        await self._delete(f"/volumes/{volume}", force=force)


def _path_stat(headers: Mapping[str, str]) -> JSON:
    """The header that describes a path in a container (Engine API: X-Docker-Container-Path-Stat)."""
    try:
        return dict(json.loads(base64.b64decode(headers["x-docker-container-path-stat"])))
    except (KeyError, ValueError) as error:
        raise ProtocolError("the engine does not describe the path in the container") from error


def _no_engine(address: Address, error: ApiError) -> EngineUnavailable:
    if "HTTPS server" in error.message:
        return EngineUnavailable(
            f"the engine at {address} wants TLS",
            hint="set DOCKER_TLS_VERIFY=1, and DOCKER_CERT_PATH to the folder with ca.pem, cert.pem and key.pem",
        )
    return EngineUnavailable(f"the engine at {address} answers with status {error.status}: {error.message}")


def _stamp(seconds: float | None) -> str | None:
    return None if seconds is None else f"{seconds:.9f}"
