"""How long a ten-step Dockerfile takes, cold and cached: the embedded engine beside Docker Engine.

    .venv/bin/python bench/build.py [--rounds 5] [--no-docker]

Both engines run in the same invocation, on the same machine, with the same busybox image and the same `docker`
client (classic builder). Printed: medians of the whole command, and their ratio. Needs root and the `docker` client;
Docker Engine (Debian's docker.io) runs in namespaces of its own.
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
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from tests.embedded.engine_process import EngineProcess  # noqa: E402
from tests.peers import IMAGE, busybox_archive, running_dockerd, why_no_docker  # noqa: E402

DOCKERFILE = f"""FROM {IMAGE}
ENV A=1
RUN echo 1 > /one
RUN echo 2 > /two
RUN echo 3 > /three
RUN echo 4 > /four
COPY . /context
RUN echo 5 > /five
WORKDIR /work
CMD ["sh"]
"""


def docker(address: str, folder: Path, *arguments: str, stdin: bytes = b"") -> float:
    """Run the client; seconds it took."""
    environment = {**os.environ, "DOCKER_HOST": address, "DOCKER_BUILDKIT": "0"}
    start = time.perf_counter()
    subprocess.run(
        ["docker", *arguments], input=stdin, env=environment, cwd=folder, check=True, capture_output=True
    )
    return time.perf_counter() - start


def measure(address: str, rounds: int) -> tuple[float, float]:
    """Median seconds of a build with nothing cached, and of the same build again."""
    cold, cached = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "Dockerfile").write_text(DOCKERFILE)
        docker(address, folder, "load", stdin=busybox_archive())
        for number in range(rounds):
            (folder / "file").write_text(str(number))
            cold.append(docker(address, folder, "build", "--no-cache", "-t", "bench", "."))
            cached.append(docker(address, folder, "build", "-t", "bench", "."))
    return statistics.median(cold), statistics.median(cached)


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--no-docker", action="store_true")
    chosen = options.parse_args()
    engine = EngineProcess()
    try:
        engine.start()
        ours = measure(engine.address, chosen.rounds)
    finally:
        engine.close()
    print(f"embedded engine: cold {ours[0] * 1000:.0f} ms, cached {ours[1] * 1000:.0f} ms")
    reason = "not asked for" if chosen.no_docker else why_no_docker()
    if reason:
        print(f"Docker Engine: {reason}")
        return
    with running_dockerd() as dockerd:
        theirs = measure(dockerd.address, chosen.rounds)
    print(f"Docker Engine:   cold {theirs[0] * 1000:.0f} ms, cached {theirs[1] * 1000:.0f} ms")
    print(f"ratio:           cold {theirs[0] / ours[0]:.1f} times, cached {theirs[1] / ours[1]:.1f} times")


if __name__ == "__main__":
    main()
