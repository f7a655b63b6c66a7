#!/usr/bin/env python3
"""From saving a file to the change being there: `watch` on a small project beside the real tool, and on a real stack.

    bench/watch.py --docker unix:///path/docker.sock [--saves 10] [--image busybox]
    bench/watch.py --stack [--saves 10] [--project-directory stacks/taskapp]

With --docker both tools watch the same project on the same Docker Engine, one after the other: a file is saved, and
read in the container through a folder that the service copies it to (the image needs `sh`); `scripts/get-compose-peer`
fetches the real tool. With --stack the task management stack is copied to a temporary folder and brought up there
(its images must be there, or are built), then a file of the backend is saved again and again until the API answers
with it. Take a running demo down first: container names are the stack's. Prints medians in seconds.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from tests.support.forkserver import warm_commands  # noqa: E402

OURS = str(Path(sys.executable).with_name("stackwright"))
SMALL = """\
services:
  web:
    image: {image}
    init: true
    command: ["sh", "-c", "mkdir -p /srv; while :; do cmp -s /srv/page /out/page || cp /srv/page /out/page; sleep 0.005; done"]
    volumes: ["./out:/out"]
    build: {{context: ., dockerfile_inline: "FROM {image}"}}
    develop: {{watch: [{{path: ./src, action: sync, target: /srv}}]}}
"""


def until(condition: Callable[[], bool], what: str, seconds: float = 120) -> float:
    """Seconds until the condition holds."""
    begun = time.monotonic()
    while not condition():
        if time.monotonic() - begun > seconds:
            sys.exit(f"waited for {what}")
        time.sleep(0.001)
    return time.monotonic() - begun


def watched(
    command: list[str],
    folder: Path,
    environ: dict[str, str],
    ready: str,
    save: Callable[[int], float],
    saves: int,
) -> list[float]:
    """Start a watch, wait until it says that it is ready, save again and again; seconds of each."""
    said = folder / "watch.log"
    with said.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=folder, env=environ, stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
    try:
        until(lambda: ready in said.read_text() or process.poll() is not None, ready)
        if process.poll() is not None:
            sys.exit(said.read_text())
        time.sleep(0.5)
        return [save(number) for number in range(saves + 1)][1:]
    finally:
        process.terminate()
        process.wait()


def small(docker: str, image: str, saves: int) -> None:
    """Both tools on one Docker Engine."""
    peer = subprocess.run([ROOT / "scripts/get-compose-peer"], capture_output=True, text=True, check=True)
    environ = {**os.environ, "DOCKER_HOST": docker, "DOCKER_BUILDKIT": "0"}
    medians = []
    for name, tool in (("ours", OURS), ("docker compose", peer.stdout.strip())):
        with tempfile.TemporaryDirectory(prefix="watch-") as text:
            folder = Path(text)
            (folder / "src").mkdir()
            (folder / "out").mkdir()
            (folder / "src/page").write_text("begin")
            (folder / "compose.yaml").write_text(SMALL.format(image=image))
            base = [tool, "-p", "watchbench"]

            def save(number: int, folder: Path = folder) -> float:
                word = f"word {number}"
                (folder / "src/page").write_text(word)
                shown = folder / "out/page"
                return until(lambda: shown.exists() and shown.read_text() == word, word)

            try:
                subprocess.run([*base, "up", "-d"], cwd=folder, env=environ, check=True, capture_output=True)
                took = watched([*base, "watch", "--no-up"], folder, environ, "atch enabled", save, saves)
            finally:
                subprocess.run([*base, "down", "-t", "0"], cwd=folder, env=environ, capture_output=True)
        medians.append(statistics.median(took))
        print(f"sync of one file, {name:<15} {medians[-1]:.3f} s (worst {max(took):.3f} s of {len(took)})")
    print(f"ratio {medians[0] / medians[1]:.2f}")


def stack(source: Path, saves: int) -> None:
    """The backend of the task management stack."""
    with tempfile.TemporaryDirectory(prefix="watch-") as text:
        folder = Path(text) / "taskapp"
        shutil.copytree(source, folder, ignore=shutil.ignore_patterns("node_modules", ".next", ".env"))
        subprocess.run([sys.executable, str(folder / "make-env")], check=True, stdout=subprocess.DEVNULL)
        ports = free_ports(3)
        names = ("BACKEND_PORT", "POSTGRES_PORT", "FRONTEND_PORT")
        environ = {**os.environ, **{name: str(port) for name, port in zip(names, ports, strict=True)}}
        port = ports[0]
        base = [OURS, "-p", "watchbench"]
        file = folder / "backend/taskapp/health.py"
        before = file.read_text()

        def save(number: int) -> float:
            word = f"Service is running, change {number}"
            file.write_text(re.sub(r'"Service is running[^"]*"', f'"{word}"', before))
            return until(lambda: word in answer(port), word)

        try:
            subprocess.run(
                [*base, "up", "-d", "--wait", "--build", "--quiet-build", "backend"],
                cwd=folder,
                env=environ,
                check=True,
            )
            took = watched(
                [*base, "watch", "--no-up", "backend"], folder, environ, "Watch enabled", save, saves
            )
        finally:
            subprocess.run([*base, "down", "-v"], cwd=folder, env=environ, capture_output=True)
    print(
        f"task management stack, backend: from saving to the changed code answering, median of {len(took)}: "
        f"{statistics.median(took):.3f} s (worst {max(took):.3f} s)"
    )


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nothing uses now."""
    held = [socket.socket() for _ in range(count)]
    try:
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in held]
    finally:
        for one in held:
            one.close()


def answer(port: int) -> str:
    """What the API says about its health, or nothing while it does not answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/health", timeout=5) as got:
            return str(got.read().decode())
    except OSError:
        return ""


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--docker", help="address of a Docker Engine: compare with the real tool there")
    parser.add_argument("--stack", action="store_true", help="measure on the task management stack")
    parser.add_argument("--project-directory", type=Path, default=ROOT / "stacks/taskapp")
    parser.add_argument("--image", default="busybox")
    parser.add_argument("--saves", type=int, default=10)
    options = parser.parse_args()
    if not options.docker and not options.stack:
        parser.error("say --docker ADDRESS, --stack, or both")
    if options.docker:
        small(options.docker, options.image, options.saves)
    if options.stack:
        stack(options.project_directory, options.saves)
    return 0


if __name__ == "__main__":
    with warm_commands():
        sys.exit(main())
