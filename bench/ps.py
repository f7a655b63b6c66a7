#!/usr/bin/env python3
"""`ps -a` of a large project: ours on both engines beside `docker compose`, in one run.

    .venv/bin/python bench/ps.py [--services 500] [--rounds 5] [--docker ADDRESS]

The containers are made, not started. Printed are medians in seconds; exits 1 when ours takes more than 0.2 s or
longer than `docker compose` on the same engine. Needs root and Debian's docker.io; see `bench/orchestrator.py`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src"), str(ROOT / "bench")]

from orchestrator import IMAGE, Tool, engines  # noqa: E402
from tests.support.forkserver import warm_commands  # noqa: E402

LIMIT_SECONDS = 0.2


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--docker", help="address of a Docker Engine that has the test image")
    parser.add_argument("--services", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    peer = subprocess.run([ROOT / "scripts/get-compose-peer"], capture_output=True, text=True, check=True)
    command = str(Path(sys.executable).with_name("stackwright"))
    text = "services:\n" + "".join(f"  s{n}: {{image: '{IMAGE}'}}\n" for n in range(options.services))
    with engines(options.docker) as (docker, embedded), tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "ps-bench"
        folder.mkdir()
        (folder / "compose.yaml").write_text(text)
        ours, own = Tool([command], docker), Tool([command], embedded)
        tools = {
            "docker compose": Tool([peer.stdout.strip()], docker),
            "ours, Docker": ours,
            "ours, embedded": own,
        }
        try:
            for tool in (ours, own):
                tool.run("all", "create", ["create"], folder)
            for _ in range(options.rounds):
                for tool in tools.values():
                    tool.run("all", "ps", ["ps", "-a"], folder)
        finally:
            for tool in (ours, own):
                tool.run("all", "down", ["down"], folder)
    medians = {title: tool.median("all", "ps") for title, tool in tools.items()}
    for title, seconds in medians.items():
        print(f"ps -a of {options.services} services, {title:15} {seconds:.3f} s")
    for title in ("ours, Docker", "ours, embedded"):
        print(
            f"create of {options.services} services, {title:11} {tools[title].median('all', 'create'):.2f} s"
        )
    slowest = max(medians["ours, Docker"], medians["ours, embedded"])
    return 0 if slowest <= LIMIT_SECONDS and medians["ours, Docker"] <= medians["docker compose"] else 1


if __name__ == "__main__":
    with warm_commands():
        sys.exit(main())
