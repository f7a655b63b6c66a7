#!/usr/bin/env python3
"""`up -d --wait` and `down` of trivial services: ours against the real `docker compose`, same engine, same run.

    bench/compose_up.py --docker unix:///path/docker.sock [--runs 3] [--image busybox]

Needs an image with `sh` on both engines and `scripts/get-compose-peer`. The embedded engine is used
with whatever STACKWRIGHT_STATE_DIR and STACKWRIGHT_SOCKET say. Prints medians in seconds.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RUN = """["sh", "-c", "trap 'exit 0' TERM; touch /tmp/ok; sleep 1000 & wait"]"""


def fan(image: str, count: int) -> str:
    """`count` services that know nothing of each other."""
    return "services:\n" + "".join(f"  s{n}: {{image: '{image}', command: {RUN}}}\n" for n in range(count))


def chain(image: str, count: int) -> str:
    """`count` services, each waiting for the one before to be healthy, with an interval of 5 s."""
    text = "services:\n"
    for number in range(count):
        text += f"  s{number}:\n    image: '{image}'\n    command: {RUN}\n"
        text += "    healthcheck: {test: [CMD-SHELL, test -f /tmp/ok], interval: 5s, retries: 3}\n"
        if number:
            text += f"    depends_on: {{s{number - 1}: {{condition: service_healthy}}}}\n"
    return text


def timed(command: list[str], folder: Path, environ: dict[str, str]) -> float:
    """Seconds of one command, which must succeed."""
    begun = time.monotonic()
    result = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(f"{' '.join(command)}:\n{result.stderr[-2000:]}")
    return time.monotonic() - begun


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--docker", required=True, help="address of a Docker Engine")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--image", default="busybox")
    options = parser.parse_args()
    peer = subprocess.run([ROOT / "scripts/get-compose-peer"], capture_output=True, text=True, check=True)
    ours = str(Path(sys.executable).with_name("stackwright"))
    docker = {**os.environ, "DOCKER_HOST": options.docker}
    tools = {
        "docker compose": ([peer.stdout.strip()], docker),
        "ours on Docker": ([ours], docker),
        "ours, embedded": ([ours, "--engine", "embedded"], dict(os.environ)),
    }
    print(f"{'':24}" + "".join(f"{name:>18}" for name in tools) + "   (up / down, seconds)")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "compose-bench"
        folder.mkdir()
        for title, text in {
            "1 service": fan(options.image, 1),
            "10 services": fan(options.image, 10),
            "chain of 5, 5 s checks": chain(options.image, 5),
        }.items():
            (folder / "compose.yaml").write_text(text)
            cells = []
            for command, environ in tools.values():
                ups, downs = [], []
                for _ in range(options.runs):
                    ups.append(timed([*command, "up", "-d", "--wait"], folder, environ))
                    downs.append(timed([*command, "down"], folder, environ))
                cells.append(f"{statistics.median(ups):.2f} / {statistics.median(downs):.2f}")
            print(f"{title:24}" + "".join(f"{cell:>18}" for cell in cells), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
