#!/usr/bin/env python3
"""How long the task management stack takes from `up` to all healthy, and whose time it is.

    bench/warm_start.py [--runs 5] [--project-directory stacks/taskapp] [--fresh] [stackwright flags...]

Images must be there (run `make demo` once). Each run: `down`, then `up -d --wait`, timed from the
start of the command to its end. With --fresh the volumes go too, so that the database initialises
itself. Prints medians. The project's name and volume are its own, but its container names are the stack's:
take a running demo down first.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from tests.support.forkserver import warm_commands  # noqa: E402

DOCUMENT_SECONDS = 95.0
"""What the system's own document measured, on Docker, waiting out health-check intervals."""


def measure(command: list[str], folder: Path, *, fresh: bool) -> dict[str, float]:
    """One run; seconds of the whole command and of its parts."""
    down = [*command, "down", *(["-v"] if fresh else [])]
    subprocess.run(down, cwd=folder, check=True, capture_output=True)
    begun = time.monotonic()
    result = subprocess.run(
        [*command, "--progress", "json", "up", "-d", "--wait", "--no-build"],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    wall = time.monotonic() - begun
    if result.returncode != 0:
        sys.exit(f"up failed:\n{result.stderr[-3000:]}")
    timeline = json.loads(result.stderr.strip().splitlines()[-1])["timeline"]
    return {
        "wall": wall,
        "seconds": timeline["seconds"],
        "boot": timeline["boot_seconds"],
        "startup": min(step["begin"] for step in timeline["steps"]),
    }


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--project-directory", type=Path, default=ROOT / "stacks/taskapp")
    parser.add_argument("--fresh", action="store_true", help="remove the volumes before each run")
    parser.add_argument("--json", action="store_true")
    options, more = parser.parse_known_args()
    name = Path(sys.executable).with_name("stackwright")
    command = [str(name), "-p", "warmstart", *more]
    try:
        runs = [
            measure(command, options.project_directory, fresh=options.fresh) for _ in range(options.runs + 1)
        ][1:]  # the first one warms the page cache
    finally:
        subprocess.run([*command, "down", "-v"], cwd=options.project_directory, capture_output=True)
    middle = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
    share = 100 * statistics.median(run["boot"] / run["seconds"] for run in runs)
    without = 100 * statistics.median(run["boot"] / (run["seconds"] - run["startup"]) for run in runs)
    if options.json:
        print(json.dumps({**middle, "boot_percent": share, "boot_percent_after_startup": without}))
        return 0
    what = "fresh volume" if options.fresh else "volume kept"
    print(f"up to all healthy, images present, {what}, median of {options.runs} runs")
    print(f"  whole command          {middle['wall']:.2f} s (the document: {DOCUMENT_SECONDS:.0f} s)")
    print(f"  services' own boot     {middle['boot']:.2f} s on the critical path")
    print(f"  share of the waterfall {share:.0f} % (from the first step on: {without:.0f} %)")
    return 0


if __name__ == "__main__":
    with warm_commands():
        sys.exit(main())
