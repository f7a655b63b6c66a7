"""Starting one container: everything between the decision and the running process, undone when a step
fails."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from stackwright.embedded.containers.runtime import Running, Sandbox, StartError
from stackwright.embedded.containers.spec import ContainerSpec, Mount, PortBinding, container_spec, encode
from stackwright.embedded.containers.users import UserNotFound, resolve_user
from stackwright.embedded.errors import EngineError
from stackwright.embedded.lifecycle.files import ContainerFiles, resolve_mount
from stackwright.embedded.lifecycle.ports import Promised, wanted_bindings
from stackwright.embedded.lifecycle.record import Container
from stackwright.embedded.lifecycle.services import Services
from stackwright.embedded.lifecycle.specs import Surroundings, build_spec, hostname_of, namespaces_of
from stackwright.embedded.lifecycle.wiring import Wires, Wiring

BeforeGo = Callable[[Sandbox], Awaitable[None]]
_CLIENTS_FAULT = "process"


class StartFailed(EngineError):  # noqa: N818 (as in errors.py)
    """The container could not be started. `code` is the exit code it is left with (126, 127, 128)."""

    def __init__(self, message: str, *, code: int, status: int) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class Launcher:
    """Prepares networks, files and the specification, and has the runtime start it."""

    def __init__(self, services: Services, files: ContainerFiles, wiring: Wiring) -> None:
        self._services = services
        self._files = files
        self._wiring = wiring
        self._promised: dict[str, Promised] = {}
        """Container id to the host ports that its start has chosen and does not listen on yet."""
        services.database.migrate(
            "runs", ["CREATE TABLE runs (container TEXT PRIMARY KEY, spec BLOB NOT NULL)"]
        )

    async def launch(self, container: Container, before_go: BeforeGo) -> Running:
        """Start it; `before_go` runs when its monitor listens but the process has not begun.

        Raises StartFailed or another EngineError, with nothing left behind.
        """
        try:
            wires = await self._wiring.prepare(container)
            spec = await self._specify(container, wires)
            self._remember(spec)

            async def configure(sandbox: Sandbox) -> None:
                await self._wiring.configure(container, wires, sandbox)
                await before_go(sandbox)

            return await self._services.runtime.start(spec, configure)
        except StartError as error:
            await self._undo(container)
            status = 400 if error.stage == _CLIENTS_FAULT else 500
            raise StartFailed(str(error), code=error.code, status=status) from error
        except UserNotFound as error:
            await self._undo(container)
            raise StartFailed(str(error.args[0]), code=126, status=400) from error
        except OSError as error:
            await self._undo(container)
            raise StartFailed(f"starting the container: {error}", code=128, status=500) from error
        except BaseException:
            await self._undo(container)
            raise
        finally:
            self._promised.pop(container.id, None)

    def run_of(self, container_id: str) -> ContainerSpec | None:
        """What the container was started with, if it may still run: written before the start, gone after
        the end."""
        row = self._services.database.execute(
            "SELECT spec FROM runs WHERE container = ?", (container_id,)
        ).fetchone()
        return container_spec(row["spec"]) if row else None

    def forget(self, container_id: str) -> None:
        """The run is over."""
        self._services.database.execute("DELETE FROM runs WHERE container = ?", (container_id,))

    async def _undo(self, container: Container) -> None:
        self.forget(container.id)
        await self._wiring.release(container)

    def _remember(self, spec: ContainerSpec) -> None:
        self._services.database.execute("INSERT OR REPLACE INTO runs VALUES (?, ?)", (spec.id, encode(spec)))

    async def _specify(self, container: Container, wires: Wires) -> ContainerSpec:
        services, host = self._services, container.host_config
        if wires.shares is not None:  # one network, one name
            container.config.hostname = hostname_of(wires.shares)
            container.config.domainname = wires.shares.config.domainname
        self._files.write_identity(container.id, wires.identity)
        rootfs = self._files.rootfs(container, services.images.lower_dirs(container.image_id))
        mounts = [await resolve_mount(mount, services.volumes) for mount in container.mounts]
        taken = {mount.target for mount in mounts}
        identity = self._files.identity_mounts((wires.shares or container).id, taken)
        pids = {
            name: other.pid for other in services.containers if other.up for name in (other.id, other.name)
        }
        return build_spec(
            container,
            Surroundings(
                directory=self._files.directory(container.id),
                rootfs=rootfs,
                user=resolve_user(rootfs, container.config.user, additional_groups=tuple(host.group_add)),
                mounts=_ordered((*identity, *mounts)),
                namespaces=namespaces_of(container, wires.net, pids),
                dns=wires.dns,
                variables=wires.variables,
                ports=self._ports(container) if wires.net == "new" else (),
                cgroup_parent=host.cgroup_parent.strip("/") or services.cgroup_parent,
            ),
        )

    def _ports(self, container: Container) -> tuple[PortBinding, ...]:
        promised = frozenset().union(*self._promised.values())
        ports = wanted_bindings(container.config.exposed_ports, container.host_config, promised)
        self._promised[container.id] = frozenset((port.proto, port.host_port) for port in ports)
        return ports


def _ordered(mounts: tuple[Mount, ...]) -> tuple[Mount, ...]:
    """Parents before what lies in them; otherwise as given."""
    return tuple(sorted(mounts, key=lambda mount: mount.target.count("/")))
