"""RUN steps of the builder as containers: the builder's `RunStep` over the runtime."""

from __future__ import annotations

import asyncio
import shutil
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from stackwright.embedded.builder.types import StepMount, StepSpec
from stackwright.embedded.containers.runtime import Running, Sandbox, StartError
from stackwright.embedded.containers.spec import (
    ContainerSpec,
    DnsConfig,
    LogConfig,
    Mount,
    Namespaces,
    ProcessSpec,
    Resources,
    Rlimit,
    Rootfs,
    encode,
)
from stackwright.embedded.containers.users import UserNotFound, resolve_user
from stackwright.embedded.errors import BadParameter
from stackwright.embedded.ids import short_id
from stackwright.embedded.lifecycle.identity import RESOLVER, extra_hosts, hosts_file, resolv_conf
from stackwright.embedded.lifecycle.services import Services
from stackwright.embedded.lifecycle.specs import DEFAULT_SHM
from stackwright.embedded.networks.types import Endpoint, Network

Output = Callable[[bytes], None]
_SPEC = "step.json"
"""In a step's directory: what it takes to find its monitor again."""


class StepRunner:
    """Runs one step after the other or side by side; nothing of a step is left when it returns or is
    cancelled."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._root = services.state_dir / "steps"

    async def sweep(self) -> None:
        """End the steps that a killed engine left running (nobody waits for them now) and remove the rest."""
        for file in self._root.glob(f"*/{_SPEC}"):
            with suppress(OSError, msgspec.DecodeError, msgspec.ValidationError):
                spec = msgspec.json.decode(file.read_bytes(), type=ContainerSpec)
                left = await self._services.runtime.adopt(spec)
                if isinstance(left, Running):
                    with suppress(ProcessLookupError):
                        await left.signal(signal.SIGKILL)
                    await left.wait()
        shutil.rmtree(self._root, ignore_errors=True)

    async def __call__(self, step: StepSpec, output: Output) -> int:
        """See builder.types.RunStep."""
        directory = self._root / step.id
        (directory / "merged").mkdir(parents=True, mode=0o711)
        endpoint: Endpoint | None = None
        try:
            network = self._network(step.network)
            if network.driver == "bridge":
                endpoint = await self._services.networks.allocate(network, step.id)
            return await self._run(step, directory, network, endpoint, output)
        except StartError as error:
            raise BadParameter(str(error)) from error
        except UserNotFound as error:
            raise BadParameter(str(error.args[0])) from error
        finally:
            if endpoint is not None:
                await self._services.networks.release(endpoint)
            shutil.rmtree(directory, ignore_errors=True)

    async def _run(
        self, step: StepSpec, directory: Path, network: Network, endpoint: Endpoint | None, output: Output
    ) -> int:
        reading: asyncio.Task[None] | None = None

        async def configure(sandbox: Sandbox) -> None:
            nonlocal reading
            if endpoint is not None:
                await self._services.networks.attach(endpoint, sandbox, "eth0", not network.internal)
            stream = await sandbox.attach()

            async def read() -> None:
                async for _, data in stream:
                    output(data)

            reading = asyncio.ensure_future(read())

        running: Running | None = None
        try:
            spec = self._specify(step, directory, network, endpoint)
            (directory / _SPEC).write_bytes(encode(spec))
            running = await self._services.runtime.start(spec, configure)
            status = await running.wait()
            if reading is not None:
                await reading
            return status.code
        except asyncio.CancelledError:
            if running is not None:
                with suppress(ProcessLookupError):
                    await running.signal(signal.SIGKILL)
                await running.wait()
            raise
        finally:
            if reading is not None:
                reading.cancel()

    def _network(self, mode: str) -> Network:
        return self._services.networks.get("bridge" if mode in ("", "default") else mode)

    def _specify(
        self, step: StepSpec, directory: Path, network: Network, endpoint: Endpoint | None
    ) -> ContainerSpec:
        rootfs = Rootfs(
            lower=tuple(str(layer) for layer in step.lower),
            upper=str(step.upper),
            work=str(step.work),
            merged=str(directory / "merged"),
        )
        hostname = short_id(step.id)
        identity = self._write_identity(step, directory, hostname, network, endpoint)
        table = str(self._services.networks.dns_table(step.id)) if endpoint else ""
        return ContainerSpec(
            id=step.id,
            directory=str(directory),
            rootfs=rootfs,
            process=ProcessSpec(
                args=step.args,
                env=step.env,
                cwd=step.cwd or "/",
                user=resolve_user(rootfs, step.user),
                rlimits=tuple(Rlimit(name=one.name, soft=one.soft, hard=one.hard) for one in step.ulimits),
            ),
            hostname=hostname,
            mounts=(*identity, *(_mount(mount) for mount in step.mounts)),
            shm_size=step.shm_size or DEFAULT_SHM,
            namespaces=Namespaces(net={"bridge": "new", "host": "host"}.get(network.driver, "none")),
            cgroup_parent=self._services.cgroup_parent,
            resources=Resources(
                memory=step.memory or None,
                cpu_shares=step.cpu_shares or None,
                cpu_period=step.cpu_period or None,
                cpu_quota=step.cpu_quota or None,
            ),
            log=LogConfig(driver="none"),
            dns=DnsConfig(tables=(table,)) if endpoint else None,
        )

    def _write_identity(
        self, step: StepSpec, directory: Path, hostname: str, network: Network, endpoint: Endpoint | None
    ) -> tuple[Mount, ...]:
        gateway = endpoint.ipv4_gateway if endpoint else "127.0.0.1"
        own = [endpoint.ipv4] if endpoint and endpoint.ipv4 else []
        host_dns = Path("/etc/resolv.conf")
        host_text = host_dns.read_text() if host_dns.exists() else ""
        contents = {
            "hostname": hostname + "\n",
            "hosts": hosts_file(own, hostname, extra=extra_hosts(step.extra_hosts, gateway)),
            "resolv.conf": host_text
            if network.driver == "host"
            else resolv_conf(host_text, [RESOLVER] if endpoint else [], [], []),
        }
        for name, text in contents.items():
            (directory / name).write_text(text)
        return tuple(
            Mount(kind="bind", source=str(directory / name), target=f"/etc/{name}") for name in contents
        )


def _mount(mount: StepMount) -> Mount:
    if mount.kind == "tmpfs":
        options = [f"size={mount.size}"] if mount.size else []
        options += [f"mode={mount.mode:o}"] if mount.mode is not None else []
        return Mount(kind="tmpfs", target=mount.target, options=tuple(options), readonly=mount.readonly)
    return Mount(kind="bind", source=str(mount.source), target=mount.target, readonly=mount.readonly)
