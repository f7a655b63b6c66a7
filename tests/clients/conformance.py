"""Writes docs/engine-conformance.md: what clients that we did not write find at the engine's socket.

    python -m tests.clients.conformance [--work FOLDER] [--reuse | --failed]

Runs every row of the table, as root. `--reuse` takes the reports that an earlier run left in the folder,
`--failed` too, but runs again what failed.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from tests.clients import docker_py_suite
from tests.clients.docker_py_suite import Outcome

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "engine-conformance.md"
COMPOSE = ROOT / "scripts" / "get-compose-peer"


@dataclass(frozen=True)
class Row:
    """One line of the table. `files`: names of test files; `only`: part of the tests' names."""

    client: str
    what: str
    files: tuple[str, ...]
    only: str = ""

    def covers(self, name: str) -> bool:
        """Whether a test, named as in pytest's report, belongs here."""
        return self.only in name and any(f"{Path(file).stem}." in name for file in self.files)


ROWS = (
    Row("docker", "a tour of its commands", ("tests/embedded/api/test_docker_cli.py",)),
    Row(
        "docker", "`system prune -af --volumes` leaves a new engine", ("tests/clients/test_system_prune.py",)
    ),
    Row("docker compose", "its commands on a small project", ("tests/clients/test_docker_compose.py",)),
    Row(
        "docker compose",
        "`stacks/taskapp`, in turn with `stackwright`",
        ("tests/clients/test_docker_compose_taskapp.py",),
    ),
    Row(
        "docker compose",
        "keeps and takes down what `stackwright` made, and the reverse",
        ("tests/cli/test_interop.py",),
        only="embedded",
    ),
    Row(
        "docker-py",
        "used as its documentation shows",
        ("tests/embedded/api/test_docker_py.py", "tests/embedded/api/test_client_expectations.py"),
    ),
    Row("aiodocker", "used as its documentation shows", ("tests/clients/test_aiodocker.py",)),
    Row(
        "Testcontainers for Python",
        "containers, networks, images, PostgreSQL, Redis",
        ("tests/clients/test_testcontainers.py",),
    ),
)
SUITE = Row("docker-py", f"the integration tests of its release {docker_py_suite.VERSION}", ())

HEAD = """# Clients that we did not write

What they find at the embedded engine's socket, as root. Written by `python -m tests.clients.conformance`; not
applicable are tests that do not run here for a reason that is no fault of the engine, or that want something
that it leaves out on purpose.

| client | version | what | passed | failed | not applicable |
|---|---|---|---|---|---|
"""
NOTES = """
## What clients must know

- **Builds**: the engine has the classic builder. `docker` and `docker compose` take BuildKit for granted on Linux,
  whatever an engine says of itself, and would start it in a container: set `DOCKER_BUILDKIT=0`. Nothing else is
  needed; `Dockerfile` syntax that belongs to BuildKit (heredocs, `RUN --mount`, `COPY --link`) is understood.
- **Testcontainers**: set `TESTCONTAINERS_RYUK_DISABLED=true` where Docker Hub is out of reach; Ryuk, its clean-up
  container, is an image from there.
- **Swarm** (services, nodes, secrets and configs of the engine) and engine plugins are not offered. The secrets and
  configs of Compose files are.
"""


def run(report: Path, tests: list[str]) -> None:
    """Run tests; JUnit's report."""
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", f"--junit-xml={report}", *tests], cwd=ROOT, check=False
    )


def failed_in(report: Path) -> list[str]:
    """The tests of a report that failed, as pytest takes them."""
    tests = []
    for name in docker_py_suite.read(report).failed:
        module = name.partition("[")[0].rpartition(".")[0]
        tests.append(f"{module.replace('.', '/')}.py::{name.removeprefix(module + '.')}")
    return tests


def client_version(client: str) -> str:
    """The version that was used."""
    if client == "docker":
        program = shutil.which("docker")
        shown = (
            subprocess.run([program, "--version"], capture_output=True, text=True).stdout if program else ""
        )
        return shown.removeprefix("Docker version ").partition(",")[0].partition("+")[0]
    if client == "docker compose":
        plugin = subprocess.run([COMPOSE], capture_output=True, text=True).stdout.strip()
        shown = (
            subprocess.run([plugin, "version", "--short"], capture_output=True, text=True) if plugin else None
        )
        return shown.stdout.strip().partition("-")[0] if shown else ""
    return version({"docker-py": "docker", "Testcontainers for Python": "testcontainers"}.get(client, client))


def page(results: list[tuple[Row, str, Outcome]]) -> str:
    """The page's text."""
    lines = [
        f"| {row.client} | {used} | {row.what} | {found.passed} | {len(found.failed)} | "
        f"{found.not_applicable.total()} |"
        for row, used, found in results
    ]
    reasons = Counter[tuple[str, str]]()
    for row, _, found in results:
        for reason, count in found.not_applicable.items():
            reasons[row.client, reason] += count
    text = HEAD + "\n".join(lines) + "\n"
    failed = [(row.client, name, why) for row, _, found in results for name, why in found.failed.items()]
    if failed:
        text += "\n## Failed\n\n" + "".join(f"- {client}: `{name}`: {why}\n" for client, name, why in failed)
    if reasons:
        text += "\n## Not applicable, and why\n\n| client | tests | reason |\n|---|---|---|\n"
        text += "".join(f"| {who} | {count} | {why} |\n" for (who, why), count in sorted(reasons.items()))
    return text + NOTES


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "stackwright-conformance")
    parser.add_argument("--reuse", action="store_true")
    parser.add_argument("--failed", action="store_true")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    report, second = options.work / "clients.xml", options.work / "clients-again.xml"
    kept = (options.reuse or options.failed) and report.exists()
    if not kept:
        second.unlink(missing_ok=True)
        # At once, since what takes long to build serves several.
        run(report, [file for row in ROWS for file in row.files])
    elif options.failed and (tests := failed_in(report)):
        run(second, tests)
    reports = [one for one in (report, second) if one.exists()]
    results = [
        (row, client_version(row.client), docker_py_suite.read(*reports, wanted=row.covers)) for row in ROWS
    ]
    report = options.work / "ours.xml"
    if not (kept and report.exists()):
        docker_py_suite.run(options.work, "ours", [])
    source, _ = docker_py_suite.fetched(options.work)
    outcome = docker_py_suite.whole(docker_py_suite.read(report), source)
    results.append((SUITE, docker_py_suite.VERSION, outcome))
    PAGE.write_text(page(results))
    return 1 if any(found.failed for _, _, found in results) else 0


if __name__ == "__main__":
    sys.exit(main())
