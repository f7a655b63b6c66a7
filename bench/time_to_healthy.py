#!/usr/bin/env python3
"""The task management stack on Docker Engine, from `up` to all healthy: ours beside the real `docker compose`.

    .venv/bin/python bench/time_to_healthy.py [--rounds 3] [--docker ADDRESS] [--state FOLDER]

With the health-check intervals of the system's own document (30 s). The images are built once on the embedded engine
(stand-ins from packages where no registry is reachable) and carried over to Docker Engine; --state keeps them for the
next time. The tools take turns; every round starts from an empty volume. Printed are medians in seconds. Needs root,
Debian's docker.io and, for the first build, a package mirror.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

import docker  # noqa: E402
from tests.peers import running_dockerd, why_no_docker  # noqa: E402
from tests.stacks.taskapp import Taskapp  # noqa: E402
from tests.support.cli import Stackwright  # noqa: E402
from tests.support.forkserver import warm_commands  # noqa: E402


@contextmanager
def built(state: Path | None) -> Iterator[Taskapp]:
    """The stack in a folder of its own, its images on an embedded engine of its own."""
    root = state or Path(tempfile.mkdtemp(prefix="sw-healthy-"))
    root.mkdir(exist_ok=True)
    command = Stackwright(root)
    folder = root / "taskapp"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        app = Taskapp.prepare(folder, command)
        app.ok("create", "--build", timeout=1800)
        yield app
        app.ok("down", "-v")
    finally:
        command.stop_engine()
        if state is None:
            shutil.rmtree(root, ignore_errors=True)


def carry_over(app: Taskapp, address: str) -> None:
    """Copy the stack's images from the embedded engine to Docker Engine."""
    here = docker.APIClient(base_url=f"unix://{app.command.socket}", version="1.41", timeout=600)
    there = docker.DockerClient(base_url=address, timeout=600)
    for name in app.ok("config", "--images").split():
        with tempfile.TemporaryFile() as archive:
            for piece in here.get_image(name):
                archive.write(piece)
            archive.seek(0)
            there.images.load(archive)
    here.close()
    there.close()


def measure(command: list[str], app: Taskapp, address: str) -> float:
    """Seconds from `up` to all healthy; taken down afterwards, with its volume."""
    environ = {**os.environ, "DOCKER_HOST": address}
    begun = time.monotonic()
    up = subprocess.run(
        [*command, "up", "-d", "--wait", "--no-build"],
        cwd=app.folder,
        env=environ,
        capture_output=True,
        text=True,
    )
    taken = time.monotonic() - begun
    subprocess.run([*command, "down", "-v"], cwd=app.folder, env=environ, capture_output=True)
    if up.returncode != 0:
        sys.exit(f"{' '.join(command)} up failed:\n{up.stderr[-3000:]}")
    return taken


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--docker", help="address of a Docker Engine; without it one is started")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--state", type=Path, help="folder that keeps the built images")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if reason := why_no_docker():
        sys.exit(f"no Docker Engine can be started here: {reason}")
    peer = subprocess.run([ROOT / "scripts/get-compose-peer"], capture_output=True, text=True, check=True)
    tools = {
        "docker compose": [peer.stdout.strip()],
        "ours": [str(Path(sys.executable).with_name("stackwright"))],
    }
    times: dict[str, list[float]] = {name: [] for name in tools}
    with built(options.state) as app, running_dockerd() as own:
        address = options.docker or own.address
        carry_over(app, address)
        for number in range(options.rounds):
            for name, command in tools.items():
                times[name].append(measure(command, app, address))
                print(f"round {number + 1}: {name} {times[name][-1]:.1f} s", file=sys.stderr, flush=True)
    medians = {name: statistics.median(found) for name, found in times.items()}
    if options.json:
        print(json.dumps(medians))
        return 0
    print(f"up to all healthy on Docker Engine, empty volume, median of {options.rounds} rounds")
    for name, seconds in medians.items():
        print(f"  {name:15} {seconds:6.1f} s")
    print(f"  {medians['docker compose'] / medians['ours']:.1f} times as fast")
    return 0


if __name__ == "__main__":
    with warm_commands():
        sys.exit(main())
