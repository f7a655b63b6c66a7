#!/usr/bin/env python3
"""`up -d --wait` and `down`: ours against the real `docker compose` 2.40.3, in one run, on one Docker Engine.

    .venv/bin/python bench/orchestrator.py [--rounds 3] [--only NAME ...] [--docker ADDRESS] [--json]

Three columns: `docker compose` on Docker Engine, ours on the same engine, ours on the embedded engine. The tools take
turns round by round; printed are medians in seconds, the ratios (theirs / ours: 2.0 is twice as fast), and whether
each holds what is promised: never slower on the same engine, five times faster for chains with health checks, ten
times faster on the embedded engine, and at most 0.3 s for a second `up` of 40 services. Needs root and Debian's
docker.io; without --docker a Docker Engine is started in namespaces of its own. Exits 1 when a promise does not hold.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from tests.peers import IMAGE, busybox_archive, running_dockerd, running_embedded, why_no_docker  # noqa: E402
from tests.support.forkserver import warm_commands  # noqa: E402

RUN = """["sh", "-c", "trap 'exit 0' TERM; touch /tmp/ok; sleep 1000 & wait"]"""
CHECK = "healthcheck: {test: [CMD-SHELL, test -f /tmp/ok], interval: 5s, retries: 3}"
AGAIN_SECONDS = 0.3
SETTLE_SECONDS = 1.0
"""Before each turn: an engine goes on tidying up after its answer, which must not be the next tool's time."""


def services(count: int, needs: Callable[[int], int | None], *, check: bool = False) -> str:
    """`count` services; `needs` gives the number of the one that a service depends on."""
    condition = "service_healthy" if check else "service_started"
    text = "services:\n"
    for number in range(count):
        text += f"  s{number}:\n    image: '{IMAGE}'\n    command: {RUN}\n"
        text += f"    {CHECK}\n" if check else ""
        if (other := needs(number)) is not None:
            text += f"    depends_on: {{s{other}: {{condition: {condition}}}}}\n"
    return text


def alone(number: int) -> None:
    """Nobody knows of anybody."""


def chain(number: int) -> int | None:
    """Each after the one before."""
    return number - 1 if number else None


def fan(number: int) -> int | None:
    """All after the first."""
    return 0 if number else None


@dataclass(frozen=True)
class Case:
    """One compose file, and by which factor its `up` on the same engine must be faster.

    `turns` for each round: of a third of a second a tenth is chance, so short cases need more for a median that stays.
    """

    text: str
    faster: float = 1.0
    turns: int = 1


CASES = {
    "1 service": Case(services(1, alone), turns=3),
    "10 services": Case(services(10, alone), turns=2),
    "40 services": Case(services(40, alone)),
    "chain of 10": Case(services(10, chain), turns=2),
    "chain of 40": Case(services(40, chain)),
    "fan-out of 10": Case(services(10, fan), turns=2),
    "fan-out of 40": Case(services(40, fan)),
    "1 with a check": Case(services(1, alone, check=True), turns=3),
    "fan-out of 10 with checks": Case(services(10, fan, check=True), turns=2),
    "fan-out of 40 with checks": Case(services(40, fan, check=True)),
    "chain of 5 with checks": Case(services(5, chain, check=True), faster=5.0),
}
AGAIN = "40 services"


@dataclass
class Tool:
    """A command on an engine, and its seconds by case and verb."""

    command: list[str]
    address: str
    seconds: dict[tuple[str, str], list[float]] = field(default_factory=dict)

    def run(self, case: str, verb: str, words: list[str], folder: Path) -> bool:
        """One timed command, which must succeed. False: Docker Engine keeps the project's network for good."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("COMPOSE_")}
        environ = {**inherited, "DOCKER_HOST": self.address}
        begun = time.monotonic()
        result = subprocess.run(
            [*self.command, *words], cwd=folder, env=environ,
            capture_output=True, text=True,
        )  # fmt: skip
        taken = time.monotonic() - begun
        if result.returncode != 0 and "has active endpoints" in result.stderr:
            # `docker compose down` gives up where Docker Engine has not yet let go of a network: not its time, then.
            print(
                f"{' '.join([*self.command, *words])} is repeated:\n{result.stderr[-200:]}", file=sys.stderr
            )
            return self._again(words, folder, environ)
        if result.returncode != 0:
            sys.exit(f"{' '.join([*self.command, *words])}:\n{result.stderr[-2000:]}")
        self.seconds.setdefault((case, verb), []).append(taken)
        return True

    def _again(self, words: list[str], folder: Path, environ: dict[str, str]) -> bool:
        for _ in range(10):
            time.sleep(1)
            done = subprocess.run([*self.command, *words], cwd=folder, env=environ, capture_output=True)
            if done.returncode == 0:
                return True
        return False

    def median(self, case: str, verb: str) -> float:
        """The middle of what was measured."""
        return statistics.median(self.seconds[case, verb])


@contextmanager
def engines(docker: str | None) -> Iterator[tuple[str, str]]:
    """Addresses of a Docker Engine and of an embedded engine, both with the test image."""
    with running_embedded() as embedded:
        if docker:
            yield docker, embedded
            return
        if reason := why_no_docker():
            sys.exit(f"no Docker Engine can be started here: {reason}")
        import docker as docker_py

        with running_dockerd() as engine:
            client = docker_py.DockerClient(base_url=engine.address)
            client.images.load(busybox_archive())
            client.close()
            yield engine.address, embedded


def project(folder: Path, case: str) -> Path:
    """A new folder with the case's compose file."""
    folder.mkdir()
    (folder / "compose.yaml").write_text(CASES[case].text)
    return folder


def measure(tools: dict[str, Tool], chosen: list[str], rounds: int) -> None:
    """All cases, round by round, the tools in turns."""
    with tempfile.TemporaryDirectory() as name:
        folders = (Path(name) / f"orchestrator-bench-{number}" for number in itertools.count(1))
        for case in chosen:
            folder = project(next(folders), case)
            turns = rounds * CASES[case].turns
            for number in range(turns):
                for tool in tools.values():
                    time.sleep(SETTLE_SECONDS)
                    tool.run(case, "up", ["up", "-d", "--wait"], folder)
                    if case == AGAIN:
                        tool.run(case, "up again", ["up", "-d"], folder)
                    if not tool.run(case, "down", ["down"], folder):
                        folder = project(next(folders), case)
                print(f"{case}: round {number + 1} of {turns}", file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Row:
    """One line of the result."""

    case: str
    verb: str
    theirs: float
    ours: float
    embedded: float
    broken: tuple[str, ...]


def judge(tools: dict[str, Tool], chosen: list[str]) -> list[Row]:
    """Medians, and which promises do not hold."""
    theirs, ours, embedded = tools.values()
    rows = []
    for case in chosen:
        for verb in ("up", "up again", "down"):
            if (case, verb) not in ours.seconds:
                continue
            times = [tool.median(case, verb) for tool in (theirs, ours, embedded)]
            wanted = CASES[case].faster if verb == "up" else 1.0
            broken = []
            if times[0] / times[1] < wanted:
                broken.append("slower" if wanted == 1 else f"not {wanted:g} times as fast")
            if verb == "up again":
                broken += [f"above {AGAIN_SECONDS} s"] if max(times[1:]) > AGAIN_SECONDS else []
            elif times[0] / times[2] < 10:
                broken.append("embedded not 10 times as fast")
            rows.append(Row(case, verb, *times, tuple(broken)))
    return rows


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--docker", help="address of a Docker Engine that has the test image")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=list(CASES), help="not all cases")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    peer = subprocess.run([ROOT / "scripts/get-compose-peer"], capture_output=True, text=True, check=True)
    ours = str(Path(sys.executable).with_name("stackwright"))
    chosen = options.only or list(CASES)
    with engines(options.docker) as (docker, embedded):
        tools = {
            "docker compose": Tool([peer.stdout.strip()], docker),
            "ours, Docker": Tool([ours], docker),
            "ours, embedded": Tool([ours], embedded),
        }
        measure(tools, chosen, options.rounds)
    rows = judge(tools, chosen)
    if options.json:
        print(json.dumps([{name: getattr(row, name) for name in Row.__dataclass_fields__} for row in rows]))
    else:
        print(f"{'':26} {'':8} {'docker compose':>15} {'ours, Docker':>20} {'ours, embedded':>20}")
        for row in rows:
            same, own = (f"{value:.3f} s ({row.theirs / value:5.1f}x)" for value in (row.ours, row.embedded))
            print(
                f"{row.case:26} {row.verb:8} {row.theirs:13.3f} s {same:>20} {own:>20}  {'; '.join(row.broken)}"
            )
    return 1 if any(row.broken for row in rows) else 0


if __name__ == "__main__":
    with warm_commands():
        sys.exit(main())
