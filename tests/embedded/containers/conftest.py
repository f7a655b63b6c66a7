"""A runtime of the test's own, and containers whose root is this host's /usr: no image, no download."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from stackwright.embedded.containers.attach import AttachStream
from stackwright.embedded.containers.logs import read_log
from stackwright.embedded.containers.running import Running, cgroup_of
from stackwright.embedded.containers.runtime import ExitStatus, Runtime
from stackwright.embedded.containers.spec import ContainerSpec, ExecSpec, Mount, ProcessSpec, Rootfs

_PROCESS = frozenset(ProcessSpec.__struct_fields__)
USR = Mount(kind="bind", source="/usr", target="/usr", readonly=True)


def process_spec(args: tuple[str, ...], options: dict[str, Any]) -> ProcessSpec:
    """The process fields among `options`, taken out of it. One argument is a shell command."""
    chosen = {name: options.pop(name) for name in list(options) if name in _PROCESS}
    argv = args if len(args) > 1 else ("/bin/sh", "-c", args[0])
    return ProcessSpec(args=argv, **chosen)


class Host:
    """Starts containers and knows what must be gone afterwards."""

    def __init__(self, root: Path, lower: Path) -> None:
        self.root = root
        self.lower = lower
        self.runtime = Runtime()
        self.specs: list[ContainerSpec] = []

    def spec(self, *args: str, mounts: tuple[Mount, ...] = (), **options: Any) -> ContainerSpec:
        """A container running `args`; keyword arguments are fields of ContainerSpec or ProcessSpec."""
        name = uuid.uuid4().hex * 2
        directory = self.root / name
        for part in ("upper", "work", "merged"):
            (directory / part).mkdir(parents=True)
        readonly = options.pop("readonly", False)
        rootfs = Rootfs(
            lower=(str(self.lower),),
            upper=str(directory / "upper"),
            work=str(directory / "work"),
            merged=str(directory / "merged"),
            readonly=readonly,
        )
        spec = ContainerSpec(
            id=name,
            directory=str(directory),
            rootfs=rootfs,
            process=process_spec(args, options),
            mounts=(USR, *mounts),
            cgroup_parent=f"stackwright-test-{os.getpid()}",
            **options,
        )
        self.specs.append(spec)
        return spec

    async def start(self, *args: str, **options: Any) -> Running:
        """Start a container running `args`."""
        return await self.runtime.start(self.spec(*args, **options))

    async def run(self, *args: str, **options: Any) -> tuple[ExitStatus, str]:
        """Run to the end; the ending and everything logged."""
        running = await self.start(*args, **options)
        async with asyncio.timeout(30):
            status = await running.wait()
        return status, await output_of(running)

    async def exec(self, running: Running, *args: str, **options: Any) -> tuple[int, str]:
        """Run in a container to the end; exit code and output."""
        spec = ExecSpec(id=uuid.uuid4().hex, process=process_spec(args, options), **options)
        session = await running.exec(spec)
        assert session.stream is not None
        output = await read_all(session.stream)
        return await session.wait(), output

    async def close(self) -> None:
        """Kill what still runs, then check that nothing is left."""
        for spec in self.specs:
            found = await self.runtime.adopt(spec)
            if isinstance(found, Running):
                with suppress(ProcessLookupError):
                    await found.signal(9)
                await found.wait()
        await self.runtime.close()
        for spec in self.specs:
            await gone(lambda spec=spec: not monitors_of(spec) and not cgroup_of(spec).directories())
        mounts = Path("/proc/self/mountinfo").read_text()
        assert str(self.root) not in mounts


def monitors_of(spec: ContainerSpec) -> list[int]:
    """Processes that have something of the container's directory open."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            opened = [str(fd.readlink()) for fd in (entry / "fd").iterdir()]
        except OSError:
            continue
        if any(target.startswith(spec.directory) for target in opened):
            found.append(int(entry.name))
    return found


async def gone(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait until `condition()` holds."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


async def output_of(running: Running) -> str:
    """Everything logged, both streams."""
    return b"".join([line.data async for line in read_log(running.spec.directory)]).decode()


async def read_all(stream: AttachStream) -> str:
    """Everything an attached stream gives until its end."""
    async with asyncio.timeout(30):
        return b"".join([data async for _, data in stream]).decode(errors="replace")


def changed(spec: ContainerSpec, **fields: Any) -> ContainerSpec:
    """A copy with other fields."""
    return msgspec.structs.replace(spec, **fields)


@pytest.fixture(scope="session")
def lower(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A read-only layer: links into /usr, a few accounts and hostile corners."""
    root = tmp_path_factory.mktemp("lower")
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / name).symlink_to(f"usr/{name}")
    for name in ("etc", "tmp", "root", "home/app", "data", "usr"):
        (root / name).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:App:/home/app:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\napp:x:1000:\nlogs:x:2000:app\n")
    (root / "etc/issue").write_text("Welcome\n")
    (root / "etc/script").write_text("#!/no/such/interpreter\n")
    (root / "etc/script").chmod(0o755)
    (root / "out").symlink_to("/../../../../tmp")
    yield root


@pytest_asyncio.fixture
async def host(tmp_path: Path, lower: Path) -> AsyncIterator[Host]:
    host = Host(tmp_path, lower)
    yield host
    await host.close()
