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
AT_ONCE = 3


def peer() -> Path:
    """The real `docker compose`, fetched once."""
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
    where, *rest = path.split("/containers/")
    name, label = rest[0].split("/labels/")
    index = int(where.partition(" ")[0])
    answer = next(one for one in answers if one["step"] == index)
    answer["containers"][name]["labels"][label] = ANYTHING


def main() -> int:
    """Record; the exit code is 1 when something is unstable or, with --check, differs."""
    import docker

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="part of the scenarios' names")
    parser.add_argument("--check", action="store_true", help="compare with what was recorded, write nothing")
    options = parser.parse_args()
    chosen = [one for one in every() if options.only in one.name]
    program, begun, wrong = peer(), time.monotonic(), 0
    found: dict[str, dict[str, list[Any]]] = {}
    with running_dockerd() as engine, tempfile.TemporaryDirectory(prefix="sw-scen-") as folder:
        client = docker.DockerClient(base_url=engine.address)
        client.images.load(busybox_archive())
        client.close()
        tool = Tool((str(program),), engine.address)

        def one(index: int) -> tuple[Scenario, list[Any], list[str]]:
            try:
                return chosen[index], *record(chosen[index], tool, Path(folder), f"rec{index:03}")
            except (AssertionError, subprocess.SubprocessError) as error:
                return chosen[index], [], [str(error)]

        with ThreadPoolExecutor(AT_ONCE) as pool:
            for scenario, answers, unstable in pool.map(one, range(len(chosen))):
                found.setdefault(scenario.topic, {})[scenario.name] = answers
                wrong += bool(unstable)
                for line in unstable:
                    sys.stderr.write(f"{scenario.name}: not the same every time: {line[:600]}\n")
    for topic, answers in found.items():
        known = recordings.of_topic(topic)
        if options.check:
            wrong += _compare(known, answers)
        else:
            names = {one.name for one in every() if one.topic == topic}
            recordings.write(
                topic, {name: one for name, one in {**known, **answers}.items() if name in names}
            )
    sys.stderr.write(
        f"{len(chosen)} scenarios in {time.monotonic() - begun:.0f} s, {wrong} in need of a look\n"
    )
    return 1 if wrong else 0


def _compare(known: dict[str, list[Any]], answers: dict[str, list[Any]]) -> int:
    wrong = 0
    for name, steps in answers.items():
        found = differences(known.get(name, []), steps) if name in known else {"": ("not recorded", "")}
        wrong += bool(found)
        for path, (left, right) in found.items():
            sys.stderr.write(f"{name}: {path}: recorded {left!r}, now {right!r}\n")
    return wrong


if __name__ == "__main__":
    sys.exit(main())
