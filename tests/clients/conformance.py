"""Writes docs/engine-conformance.md: what clients that we did not write find at the engine's socket.

    python -m tests.clients.conformance [--work FOLDER] [--reuse | --failed]

Runs every row of the table, on root's engine and on an ordinary user's; needs root, to make the user. `--reuse` takes the reports that an earlier run left in the folder,
`--failed` too, but runs again what failed.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

from tests.clients import docker_py_suite
from tests.clients.docker_py_suite import Outcome

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "engine-conformance.md"
PLUGINS = {
    "docker compose": (ROOT / "scripts" / "get-compose-peer", ["version", "--short"]),
    "docker buildx": (ROOT / "scripts" / "get-buildx-peer", ["version"]),
}
"""How each plugin of the docker client is fetched, and how it says its version."""


@dataclass(frozen=True)
class Row:
    """One line of the table. `files`: names of test files; `only`: part of the tests' names."""

    client: str
    what: str
    files: tuple[str, ...]
    only: str = ""

    def covers(self, name: str, whose: str) -> bool:
        """Whether a test, named as in pytest's report, belongs here; `whose` engine: root or user."""
        return (
            self.only in name
            and any(f"{Path(file).stem}." in name for file in self.files)
            and whose_engine(name) == whose
        )


def whose_engine(name: str) -> str:
    """root, user, or docker for what is tried on Docker Engine only to see that the tests are right."""
    test, _, parameters = name.partition("[")
    words = parameters.rstrip("]").split("-")
    if "docker" in words:
        return "docker"
    return "user" if "user" in words or "ordinary_user" in test else "root"


ROWS = (
    Row("docker", "a tour of its commands", ("tests/embedded/api/test_docker_cli.py",)),
    Row("docker", "options of `docker run`", ("tests/embedded/api/test_run_options.py",)),
    Row("docker", "what confines a container", ("tests/embedded/api/test_security.py",)),
    Row("docker", "networks", ("tests/embedded/networks/test_through_the_api.py",)),
    Row(
        "docker",
        "login, push, pull, manifests at a registry",
        ("tests/embedded/api/test_docker_cli_registry.py",),
    ),
    Row(
        "docker", "`system prune -af --volumes` leaves a new engine", ("tests/clients/test_system_prune.py",)
    ),
    Row("docker buildx", "builds with BuildKit's protocol", ("tests/clients/test_docker_buildx.py",)),
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

What they find at the embedded engine's socket: root's, and that of an ordinary user with control groups of its own.
Written by `python -m tests.clients.conformance`; not
applicable are tests that do not run here for a reason that is no fault of the engine, or that want something
that it leaves out on purpose.

| client | version | what | as root: passed | failed | as a user: passed | failed | not applicable |
|---|---|---|---|---|---|---|---|
"""
NOTES = """
## What clients must know

- **Builds**: nothing has to be set, with or without the buildx plugin: BuildKit's clients are served by the engine's own
  builder. Results go to the engine's images only, and caches are not exported.
- **Testcontainers**: set `TESTCONTAINERS_RYUK_DISABLED=true` where Docker Hub is out of reach; Ryuk, its clean-up
  container, is an image from there.
- **Swarm** (services, nodes, secrets and configs of the engine) and engine plugins are not offered. The secrets and
  configs of Compose files are.
"""


def run(report: Path, tests: list[str]) -> None:
    """Run tests; JUnit's report. Not those on Docker Engine: they are about the tests."""
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-m", "not docker", f"--junit-xml={report}", *tests],
        cwd=ROOT,
        check=False,
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
    if client in PLUGINS:
        script, words = PLUGINS[client]
        plugin = subprocess.run([script], capture_output=True, text=True).stdout.strip()
        shown = subprocess.run([plugin, *words], capture_output=True, text=True).stdout if plugin else ""
        found = re.search(r"\d+\.\d+\.\d+", shown)
        return found[0] if found else ""
    return version({"docker-py": "docker", "Testcontainers for Python": "testcontainers"}.get(client, client))


def page(results: list[tuple[Row, str, Outcome, Outcome | None]]) -> str:
    """The page's text; of each row what root's engine gave and what the user's, None where it was not tried."""
    lines = []
    reasons = Counter[tuple[str, str]]()
    failed = []
    for row, used, root, user in results:
        theirs = f"{user.passed} | {len(user.failed)}" if user is not None and counted(user) else "– | –"
        outcomes = [root] if user is None else [root, user]
        left_out = sum(one.not_applicable.total() for one in outcomes)
        lines.append(
            f"| {row.client} | {used} | {row.what} | {root.passed} | {len(root.failed)} | {theirs} | {left_out} |"
        )
        for outcome in outcomes:
            for reason, count in outcome.not_applicable.items():
                reasons[row.client, reason] += count
            failed += [(row.client, name, why) for name, why in outcome.failed.items()]
    text = HEAD + "\n".join(lines) + "\n"
    if failed:
        text += "\n## Failed\n\n" + "".join(f"- {client}: `{name}`: {why}\n" for client, name, why in failed)
    if reasons:
        text += "\n## Not applicable, and why\n\n| client | tests | reason |\n|---|---|---|\n"
        text += "".join(f"| {who} | {count} | {why} |\n" for (who, why), count in sorted(reasons.items()))
    return text + NOTES


def counted(outcome: Outcome) -> int:
    """How many tests there were."""
    return outcome.passed + len(outcome.failed) + outcome.not_applicable.total()


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
    results: list[tuple[Row, str, Outcome, Outcome | None]] = []
    for row in ROWS:
        root, user = (
            docker_py_suite.read(*reports, wanted=partial(row.covers, whose=whose))
            for whose in ("root", "user")
        )
        results.append((row, client_version(row.client), root, user))
    source, _ = docker_py_suite.fetched(options.work)
    both = []
    for whose in ("ours", "user"):
        report = options.work / f"{whose}.xml"
        if not (kept and report.exists()):
            docker_py_suite.run(options.work, whose, [])
        both.append(docker_py_suite.read(report))
    # Those that were not even begun are the same for both: once is enough.
    results.append((SUITE, docker_py_suite.VERSION, docker_py_suite.whole(both[0], source), both[1]))
    PAGE.write_text(page(results))
    return 1 if any(root.failed or (user and user.failed) for _, _, root, user in results) else 0


if __name__ == "__main__":
    sys.exit(main())
