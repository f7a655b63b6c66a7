"""What the runtime alone costs, below the API: start, exec and stop of a container, memory of a monitor.

    sudo .venv/bin/python bench/start.py [--rounds 30] [--side-by-side 20]

No network is set up and no image is needed: the container's root is this host's /usr. Printed, as
medians in milliseconds: from the request to the successful exec, from SIGKILL to the known end, an
exec session from request to its exit code; then N starts side by side, and the private memory of the
monitors while all of them run and the starter is there.
"""

from __future__ import annotations

import argparse
import asyncio
import compileall
import signal
import statistics
import sys
import tempfile
import time
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from stackwright.embedded.containers.running import Running  # noqa: E402
from stackwright.embedded.containers.runtime import Runtime  # noqa: E402
from stackwright.embedded.containers.spec import (  # noqa: E402
    ContainerSpec,
    ExecSpec,
    Mount,
    ProcessSpec,
    Rootfs,
)

MEMORY_CEILING_KB = 5 * 1024


def make_spec(root: Path, *args: str) -> ContainerSpec:
    """A container of its own directory under `root`."""
    name = uuid.uuid4().hex * 2
    directory = root / name
    for part in ("upper", "work", "merged"):
        (directory / part).mkdir(parents=True)
    return ContainerSpec(
        id=name,
        directory=str(directory),
        rootfs=Rootfs(
            lower=(str(root / "lower"),),
            upper=str(directory / "upper"),
            work=str(directory / "work"),
            merged=str(directory / "merged"),
        ),
        process=ProcessSpec(args=args),
        mounts=(Mount(kind="bind", source="/usr", target="/usr", readonly=True),),
        cgroup_parent="stackwright-bench",
    )


def make_lower(root: Path) -> None:
    """Links into /usr."""
    lower = root / "lower"
    for name in ("usr", "tmp", "etc"):
        (lower / name).mkdir(parents=True)
    for name in ("bin", "sbin", "lib", "lib64"):
        (lower / name).symlink_to(f"usr/{name}")


def private_kb(pid: int) -> int:
    """Private memory of a process."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))


def parent_of(pid: int) -> int:
    """Init's parent: the monitor."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


async def end(running: Running) -> None:
    await running.signal(signal.SIGKILL)
    await running.wait()


async def measure(root: Path, rounds: int, side_by_side: int) -> bool:
    runtime = Runtime()
    await end(await runtime.start(make_spec(root, "sleep", "100")))
    starts, ends, execs = [], [], []
    for _ in range(rounds):
        spec = make_spec(root, "sleep", "100")
        began = time.perf_counter()
        running = await runtime.start(spec)
        starts.append(time.perf_counter() - began)
        began = time.perf_counter()
        session = await running.exec(ExecSpec(id="bench", process=ProcessSpec(args=("true",))), attach=False)
        await session.wait()
        execs.append(time.perf_counter() - began)
        began = time.perf_counter()
        await end(running)
        ends.append(time.perf_counter() - began)
    for name, values in (("start", starts), ("exec of true", execs), ("kill", ends)):
        milliseconds = sorted(value * 1000 for value in values)
        print(
            f"{name:14} median {statistics.median(milliseconds):5.1f} ms"
            f"   best {milliseconds[0]:5.1f}   worst {milliseconds[-1]:5.1f}"
        )
    specs = [make_spec(root, "sleep", "100") for _ in range(side_by_side)]
    began = time.perf_counter()
    together = await asyncio.gather(*(runtime.start(spec) for spec in specs))
    took = (time.perf_counter() - began) * 1000
    print(f"{side_by_side} side by side: {took:.0f} ms, {took / side_by_side:.1f} ms each")
    memory = [private_kb(parent_of(running.pid)) for running in together]
    print(f"private memory of a monitor: median {statistics.median(memory):.0f} kB, most {max(memory)} kB")
    await asyncio.gather(*(end(running) for running in together))
    await runtime.close()
    return max(memory) <= MEMORY_CEILING_KB


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--side-by-side", type=int, default=20)
    options = parser.parse_args()
    compileall.compile_dir(str(ROOT / "src"), quiet=2)
    with tempfile.TemporaryDirectory(prefix="sw-bench-") as folder:
        root = Path(folder)
        make_lower(root)
        return 0 if asyncio.run(measure(root, options.rounds, options.side_by_side)) else 1


if __name__ == "__main__":
    sys.exit(main())
