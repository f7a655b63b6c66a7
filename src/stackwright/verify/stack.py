"""A running project: where its services answer, and what can be done with them."""

from __future__ import annotations

from typing import NamedTuple

from stackwright.engine.streams import STDERR
from stackwright.plan.observed import Container
from stackwright.run import lifecycle
from stackwright.run.errors import RunError
from stackwright.run.session import Session, check_services, containers


class Address(NamedTuple):
    """Where to connect to: `host` and `port`; as text `host:port`."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Ran(NamedTuple):
    """What a command in a container did."""

    code: int
    stdout: str
    stderr: str


class CommandFailed(RunError):  # noqa: N818 - says what is the matter
    """A command in a container ended with another exit code than 0."""

    code = "verify.command_failed"


class Service:
    """One service of a running stack. Addresses are those of the last look (`Stack.refresh`)."""

    def __init__(self, stack: Stack, name: str) -> None:
        self._stack, self.name = stack, name

    @property
    def containers(self) -> list[Container]:
        """Its containers, by number."""
        return [one for one in self._stack.containers if one.service == self.name]

    def container(self, index: int = 1) -> Container:
        """Container number `index`. Raises `RunError` when there is none."""
        for one in self.containers:
            if one.number == index:
                return one
        raise RunError(
            f"service {self.name} has no container number {index}",
            hint=f"it has {len(self.containers)}: see logs and state with `stackwright -p {self._stack.name} ps -a`",
        )

    def port(self, target: int, protocol: str = "tcp", *, index: int = 1) -> int:
        """The host port at which the container's port `target` is published."""
        return self.address(target, protocol, index=index).port

    def address(self, target: int, protocol: str = "tcp", *, index: int = 1) -> Address:
        """Where the container's port `target` can be reached from here. Raises `RunError`: it is not published."""
        published = self.container(index).ports
        for port in published:
            if (
                port.get("PrivatePort") == target
                and port.get("Type", "tcp") == protocol
                and port.get("PublicPort")
            ):
                return Address(self._stack.host(str(port.get("IP", ""))), int(port["PublicPort"]))
        shown = ", ".join(
            sorted(
                {
                    f"{port['PrivatePort']}/{port.get('Type', 'tcp')}"
                    for port in published
                    if port.get("PublicPort")
                }
            )
        )
        raise RunError(
            f"service {self.name} does not publish {target}/{protocol}"
            + (f", only {shown}" if shown else ""),
            hint=f'give it a port for the test: up(..., publish={{"{self.name}": [{target}]}})',
        )

    async def exec(
        self, *command: str, user: str = "", workdir: str = "", env: dict[str, str] | None = None,
        check: bool = True, index: int = 1,
    ) -> Ran:  # fmt: skip
        """Run a command in the container to its end. Raises `CommandFailed` for an exit code, unless not `check`."""
        engine = self._stack.session.engine
        config = {
            "Cmd": list(command), "AttachStdout": True, "AttachStderr": True, "User": user, "WorkingDir": workdir,
            "Env": [f"{key}={value}" for key, value in (env or {}).items()],
        }  # fmt: skip
        exec_id = await engine.create_exec(self.container(index).id, config)
        parts = {True: bytearray(), False: bytearray()}
        async with await engine.start_exec(exec_id) as stream:
            async for chunk in stream:
                parts[chunk.stream == STDERR] += chunk.data
        code = (await engine.inspect_exec(exec_id)).get("ExitCode")
        out, err = (parts[key].decode("utf-8", "replace") for key in (False, True))
        ran = Ran(-1 if code is None else int(code), out, err)
        if check and ran.code != 0:
            said = (err or out).strip().splitlines()[-5:]
            raise CommandFailed(
                f"{' '.join(command)} in service {self.name} ended with exit code {ran.code}"
                + "".join(f"\n  {line}" for line in said)
            )
        return ran

    async def logs(self, *, tail: int | str = "all", index: int = 1) -> str:
        """What the container printed so far, on both streams."""
        data = bytearray()
        async for chunk in self._stack.session.engine.logs(self.container(index).id, tail=tail):
            data += chunk.data
        return data.decode("utf-8", "replace")

    async def stop(self, *, timeout: int | None = None) -> None:
        """Stop its containers, and what depends on them stays; `timeout` in seconds, None for their own."""
        await lifecycle.stop(self._stack.session, (self.name,), timeout=timeout)
        await self._stack.refresh()

    async def start(self) -> None:
        """Start its containers, and wait until they are running or healthy."""
        await lifecycle.start(self._stack.session, (self.name,), wait=True)
        await self._stack.refresh()

    async def restart(self, *, timeout: int | None = None) -> None:
        """Stop and start its containers; free ports may be others afterwards."""
        await self.stop(timeout=timeout)
        await self.start()

    async def kill(self, signal: str = "SIGKILL") -> None:
        """Send its containers a signal."""
        await lifecycle.kill(self._stack.session, (self.name,), signal)
        await self._stack.refresh()


class Stack:
    """A project that was brought up. `name` is the project's name on the engine."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.name = session.project.name
        self.containers: tuple[Container, ...] = ()

    @property
    def services(self) -> dict[str, Service]:
        """Its services by name."""
        return {name: Service(self, name) for name in self.session.project.services}

    def service(self, name: str) -> Service:
        """One service. Raises `NoSuchService`, with a suggestion."""
        check_services(self.session, (name,))
        return Service(self, name)

    def host(self, address: str) -> str:
        """From where a published port is reached, given the address at which the engine listens."""
        engine = self.session.engine.address
        if engine.scheme != "unix" and engine.host:
            return engine.host
        return {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)

    async def refresh(self) -> None:
        """Look again: containers, states, ports."""
        found = await containers(self.session.engine, self.name)
        self.containers = tuple(one for one in found if not one.oneoff)
