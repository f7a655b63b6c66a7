"""docker-py's own integration tests, which we did not write, against an engine.

    python -m tests.clients.docker_py_suite [--engine ours|user|docker] [--work FOLDER] [PYTEST ARGUMENT...]

They come from the last source distribution of docker-py that carries them. The images that they name are a
busybox under other tags, in the engine and in a registry that it asks in Docker Hub's place. `--engine user`
is the embedded engine of an ordinary user with control groups; `--engine docker` runs the same on Docker Engine (Debian's
docker.io), to tell our faults from those of the tests or of the host.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.embedded.engine_process import EngineProcess
from tests.embedded.rootless.ordinary_user import (
    Account,
    UserEngine,
    delegated_groups,
    interpreter,
    why_not,
)
from tests.peers import busybox_archive, running_dockerd
from tests.support.registry import free_port

VERSION = "7.0.0"
REQUIREMENTS = (
    f"docker=={VERSION}",
    "requests<2.32",
    "urllib3<2.2",
    "pytest<8",
    "pytest-timeout",
    "websocket-client",
    "paramiko",
)
# What the tests use of the real alpine: a user and a folder.
_ALPINE = "FROM busybox:latest\nRUN echo postgres:x:70:70::/:/bin/sh >> /etc/passwd && mkdir -p /var/opt\n"
DOCKERFILES = {
    "alpine:3.10": _ALPINE,
    "alpine:latest": _ALPINE,
    "hello-world:latest": 'FROM busybox:latest\nRUN echo hello > /hello\nCMD ["cat", "/hello"]\n',
}
IMAGES = ("busybox:latest", *DOCKERFILES)
SECONDS_PER_TEST = 60

NOT_APPLICABLE: dict[str, str] = {
    "api_swarm_test": "Swarm is not what this engine is for",
    "models_swarm_test": "Swarm is not what this engine is for",
    "api_service_test": "services belong to Swarm",
    "models_services_test": "services belong to Swarm",
    "models_nodes_test": "nodes belong to Swarm",
    "api_secret_test": "secrets of the engine belong to Swarm",
    "api_config_test": "configs of the engine belong to Swarm",
    "api_plugin_test": "engine plugins are not offered",
    "credentials": "tests of credential helpers on the client's side; no engine is asked",
    "context_api_test": "tests of the client's contexts; no engine is asked",
}
"""Part of a file's path → why its tests say nothing about this engine."""

DIFFERENT: dict[str, str] = {
    "test_create_inspect_network_with_scope": "Swarm is not what this engine is for",
    "test_create_network_attachable": "Swarm is not what this engine is for",
    "test_create_network_ingress": "Swarm is not what this engine is for",
    "test_remove_link": "`docker rm --link`, obsolete since there are networks, is not offered",
    "test_create_with_runtime": "wants the default runtime to be called runc; here there is none",
    "CommitTest.test_commit": "wants fields that left the API with 1.45 (Container, ContainerConfig)",
    "test_exec_run_failed": "wants 126 for a program that is not there; Docker says 127 since version 25",
    "test_pull_with_sha": "wants an image of Docker Hub by its digest",
    "test_run_container_reading_socket_ws": "docker-py speaks WebSocket over TCP only, not to a Unix socket",
    "test_build_stderr_data": "wants stderr of RUN steps in red; here it is passed on as it is, as with BuildKit",
}
"""Part of a test's name → why it fails here on purpose."""


@dataclass
class Outcome:
    """What a run gave. `failed`: test → the error's last line; `not_applicable`: reason → number of tests."""

    passed: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    not_applicable: Counter[str] = field(default_factory=Counter)


def run(work: Path, engine: str, arguments: list[str]) -> Outcome:
    """Fetch the tests into `work` (kept for the next run), run them against `engine` (ours, user or docker)."""
    source, python = fetched(work)
    report = work / f"{engine}.xml"
    command = [python, "-m", "pytest"]
    with ExitStack() as stack:
        if engine == "docker":
            address = stack.enter_context(running_dockerd()).address
            load_images(address)
        elif engine == "ours":
            address = stack.enter_context(our_engine())
        else:
            users = stack.enter_context(users_engine())
            address, report, command = users.address, users.root / "report.xml", as_user(users, python)
        chosen = arguments or ["tests/integration"]
        skipped = [f"--ignore-glob=*{part}*" for part in NOT_APPLICABLE]
        subprocess.run(
            [*command, "-q", "-p", "no:cacheprovider", "-o", "addopts=--tb=short -rxXsfE",
             f"--timeout={SECONDS_PER_TEST}", f"--junit-xml={report}", *skipped, *chosen],
            cwd=source, env=environment(address, work), check=False, timeout=3000,
        )  # fmt: skip
        if engine == "user":
            report = shutil.copy(report, work / "user.xml")
    outcome = read(report)
    return outcome if arguments else whole(outcome, source)


def whole(outcome: Outcome, source: Path) -> Outcome:
    """With the tests that were not even begun."""
    for part, reason in NOT_APPLICABLE.items():
        outcome.not_applicable[reason] += number_of_tests(source, part)
    return outcome


def read(*reports: Path, wanted: Callable[[str], bool] = lambda name: True) -> Outcome:
    """pytest's JUnit reports (a later one's result counts) → outcome of the tests whose names are wanted.

    What the tests themselves skip or expect to fail is not applicable.
    """
    outcome = Outcome()
    cases = {
        f"{case.get('classname', '').removeprefix('tests.integration.')}.{case.get('name')}": case
        for report in reports
        for case in ET.parse(report).iter("testcase")
    }
    for name, case in cases.items():
        if not wanted(name):
            continue
        problem = next((child for tag in ("failure", "error") for child in case.findall(tag)), None)
        skipped = case.find("skipped")
        reason = next((why for part, why in DIFFERENT.items() if part in name), None)
        if problem is not None and reason is not None:
            outcome.not_applicable[reason] += 1
        elif problem is not None:
            outcome.failed[name] = (problem.get("message") or "").splitlines()[-1][:200]
        elif skipped is not None:
            outcome.not_applicable[skipped.get("message") or "skipped"] += 1
        else:
            outcome.passed += 1
    return outcome


def fetched(work: Path) -> tuple[Path, str]:
    """The unpacked source distribution, and a Python that has what its tests need."""
    source, python = work / f"docker-{VERSION}", work / "venv" / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(work / "venv")], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *REQUIREMENTS], check=True)
    if not source.exists():
        subprocess.run(
            [python, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", "docker",
             f"docker=={VERSION}", "-d", str(work)],
            check=True,
        )  # fmt: skip
        with tarfile.open(work / f"docker-{VERSION}.tar.gz") as archive:
            archive.extractall(work, filter="data")
    return source, str(python)


@contextmanager
def our_engine() -> Iterator[str]:
    """The embedded engine with the images, and a registry in Docker Hub's place where one is installed."""
    mirror = mirror_address()
    os.environ["STACKWRIGHT_REGISTRY_MIRRORS"] = mirror
    with ready(EngineProcess(), mirror) as address:
        yield address


@contextmanager
def users_engine() -> Iterator[UserEngine]:
    """The same of an ordinary user made for it; the registry is where that engine's network is."""
    if (reason := why_not()) is not None:
        raise SystemExit(reason)
    account = Account()
    mirror = mirror_address()
    try:
        with delegated_groups(account) as groups:
            environment = {"STACKWRIGHT_REGISTRY_MIRRORS": mirror}
            engine = UserEngine(account, cgroups=groups, environment=environment)
            with ready(engine, mirror):
                yield engine
    finally:
        account.remove()


def as_user(engine: UserEngine, python: str) -> list[str]:
    """Words that start pytest as that user, who makes the folders that the tests have mounted."""
    home, packages = engine.root / "home", Path(python).parents[1].glob("lib/python*/site-packages")
    return [
        str(shutil.which("setpriv")), f"--reuid={engine.account.uid}", f"--regid={engine.account.gid}", "--clear-groups",
        "env", f"HOME={home}", f"TMPDIR={home}", f"PYTHONPATH={next(packages)}", "PYTHONDONTWRITEBYTECODE=1",
        interpreter(), "-m", "pytest",
    ]  # fmt: skip


@contextmanager
def ready(engine: EngineProcess, mirror: str) -> Iterator[str]:
    """The engine, started, with the images in it and in the registry."""
    try:
        engine.start()
        with registry(engine.pid, mirror) as there:
            load_images(engine.address)
            if there:
                fill(engine, mirror)
            yield engine.address
    finally:
        engine.close()


def mirror_address() -> str:
    """Where the registry is going to be."""
    return f"127.0.0.1:{free_port()}"


def load_images(address: str) -> None:
    """Put the images into an engine."""
    import docker

    client = docker.DockerClient(base_url=address)
    client.images.load(busybox_archive("busybox:latest"))
    for image, dockerfile in DOCKERFILES.items():
        client.images.build(fileobj=io.BytesIO(dockerfile.encode()), tag=image, rm=True)
    client.close()


def fill(engine: EngineProcess, mirror: str) -> None:
    """Push the images to the registry under Docker Hub's names."""
    for image in IMAGES:
        name = f"{mirror}/library/{image}"
        engine.docker("tag", image, name)
        engine.docker("push", "-q", name)
        engine.docker("rmi", name)


@contextmanager
def registry(pid: int, address: str) -> Iterator[bool]:
    """Debian's docker-registry at `address` in the network of process `pid`; false where it is not installed."""
    program = shutil.which("docker-registry")
    if program is None:
        yield False
        return
    with tempfile.TemporaryDirectory(prefix="sw-registry-") as folder:
        config = Path(folder) / "registry.yml"
        config.write_text(json.dumps({
            "version": 0.1, "log": {"level": "error"}, "http": {"addr": address},
            "storage": {"filesystem": {"rootdirectory": folder}},
        }))  # fmt: skip
        enter = ["nsenter", "-t", str(pid), "-n"]
        process = subprocess.Popen(
            [*enter, program, "serve", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            host, _, port = address.partition(":")
            asking = [
                *enter,
                sys.executable,
                "-c",
                f"import socket; socket.create_connection(({host!r}, {port}))",
            ]
            for _ in range(100):
                if subprocess.run(asking, stderr=subprocess.DEVNULL, check=False).returncode == 0:
                    break
                time.sleep(0.05)
            yield True
        finally:
            process.terminate()
            process.wait()


def environment(address: str, work: Path) -> Mapping[str, str]:
    """What the tests see: this engine, and nobody's configuration."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("DOCKER_")}
    return {**kept, "DOCKER_HOST": address, "DOCKER_CONFIG": str(work / "config"), "HOME": str(work)}


def number_of_tests(source: Path, part: str) -> int:
    """How many tests there are in the files whose path has `part`."""
    files = [path for path in (source / "tests/integration").rglob("*_test.py") if part in str(path)]
    return sum(
        path.read_text().count("    def test_") + path.read_text().count("\ndef test_") for path in files
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--engine", choices=("ours", "user", "docker"), default="ours")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "stackwright-docker-py")
    options, arguments = parser.parse_known_args()
    options.work.mkdir(parents=True, exist_ok=True)
    outcome = run(options.work, options.engine, arguments)
    print(f"passed {outcome.passed}, failed {len(outcome.failed)}")
    for name, reason in outcome.failed.items():
        print(f"failed: {name}: {reason}")
    for reason, count in outcome.not_applicable.items():
        print(f"not applicable: {count}: {reason}")
    return 1 if outcome.failed else 0


if __name__ == "__main__":
    sys.exit(main())
