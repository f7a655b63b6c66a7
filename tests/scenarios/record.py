"""Records what the real `docker compose` does in every scenario, on a Docker Engine of its own.

    scripts/record-scenarios [--only WORD] [--check]

As root, where `docker.io` is installed. Each scenario is played twice, in two folders: what differs then is the
hash of a configuration with absolute paths in it, which is marked, or an answer that is not the same every
time, which is an error of the scenario. `--check` compares with what was recorded and writes nothing.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.peers import busybox_archive, running_dockerd
from tests.scenarios import recordings
from tests.scenarios.compare import ANYTHING, differences
from tests.scenarios.engine_view import HASH
from tests.scenarios.runner import Tool, play
from tests.scenarios.scenario import Scenario, every

PEER = Path(__file__).parents[2] / "scripts" / "get-compose-peer"
AT_ONCE = 8


def peer() -> Path:
    """The real `docker compose`, fetched once. Raises `OSError` or `CalledProcessError` where it cannot be."""
    found = subprocess.run([PEER], capture_output=True, text=True, check=True)
    return Path(found.stdout.strip())


def record(scenario: Scenario, tool: Tool, folder: Path, project: str) -> tuple[list[Any], list[str]]:
    """The answers, and what is not the same every time."""
    first = play(scenario, tool, folder / f"{project}a", f"{project}a")
    second = play(scenario, tool, folder / f"{project}b", f"{project}b")
    unstable = []
    for path, values in differences(first, second).items():
        if path.endswith(HASH):
            _mark(first, path)
        else:
            unstable.append(f"{path}: {values[0]!r} | {values[1]!r}")
    return first, unstable


def _mark(answers: list[Any], path: str) -> None:
    where, _, rest = path.partition("/containers/")
    name, _, label = rest.partition("/labels/")
    answer = next(one for one in answers if one["step"] == int(where.partition(" ")[0]))
    answer["containers"][name]["labels"][label] = ANYTHING


def main() -> int:
    """Record; the exit code is 1 when something is unstable or, with --check, differs."""
    import docker

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="parts of the scenarios' names, separated by commas")
    parser.add_argument("--check", action="store_true", help="compare with what was recorded, write nothing")
    options = parser.parse_args()
    chosen = [one for one in every() if any(part in one.name for part in options.only.split(","))]
    program, begun, wrong = peer(), time.monotonic(), 0
    with running_dockerd() as engine, tempfile.TemporaryDirectory(prefix="sw-scen-") as folder:
        client = docker.DockerClient(base_url=engine.address)
        client.images.load(busybox_archive())
        client.close()
        tool = Tool((str(program),), engine.address)

        def one(index: int) -> tuple[Scenario, list[Any], list[str]]:
            try:
                return chosen[index], *record(chosen[index], tool, Path(folder), f"rec{index:03}")
            except Exception as error:  # noqa: BLE001 - one scenario must not stop the others
                return chosen[index], [], [f"{type(error).__name__}: {error}"]

        with ThreadPoolExecutor(AT_ONCE) as pool:
            for scenario, answers, unstable in pool.map(one, range(len(chosen))):
                said = [f"not the same every time: {line}" for line in unstable]
                if options.check:
                    said += _compare(scenario, answers)
                elif answers:
                    _keep(scenario, answers)
                wrong += bool(said)
                for line in said:
                    sys.stderr.write(f"{scenario.name}: {line[:600]}\n")
    sys.stderr.write(
        f"{len(chosen)} scenarios in {time.monotonic() - begun:.0f} s, {wrong} in need of a look\n"
    )
    return 1 if wrong else 0


def _keep(scenario: Scenario, answers: list[Any]) -> None:
    """Write the scenario's answers at once, so that an interrupted run has not been for nothing."""
    recordings.of_topic.cache_clear()
    known = {**recordings.of_topic(scenario.topic), scenario.name: answers}
    names = {one.name for one in every() if one.topic == scenario.topic}
    recordings.write(scenario.topic, {name: one for name, one in known.items() if name in names})


def _compare(scenario: Scenario, answers: list[Any]) -> list[str]:
    known = recordings.of_topic(scenario.topic).get(scenario.name, [])
    return [
        f"{path}: recorded {left!r}, now {right!r}"
        for path, (left, right) in differences(known, answers).items()
    ]


if __name__ == "__main__":
    sys.exit(main())
