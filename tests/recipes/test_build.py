"""Stand-ins as their users meet them: built on an engine of the test's own, then run.

One engine serves the whole file; the base systems are built once.
"""

from __future__ import annotations

import asyncio
import io
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.errors import ContainerError
from tests.peers import busybox_archive
from tests.support.cli import Stackwright
from tests.support.waiting import until

from stackwright import recipes
from stackwright.engine.client import EngineClient
from stackwright.recipes import builder

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.network, pytest.mark.timeout(900)]


class Engine:
    """An engine with a Docker client on it, and `recipes.build` as a plain function."""

    def __init__(self, command: Stackwright) -> None:
        self.address = f"unix://{command.socket}"
        self.client = docker.DockerClient(base_url=self.address, version="1.41", timeout=120)

    def build(self, reference: str, **options: Any) -> tuple[bool, list[str]]:
        """Build a stand-in; whether anything was built, and what was said."""
        said: list[str] = []

        async def work() -> bool:
            recipe = recipes.find(reference)
            assert recipe is not None
            async with EngineClient(self.address) as engine:
                return await recipes.build(
                    recipe, engine, lambda message: said.append(str(message.get("stream", ""))), **options
                )

        return asyncio.run(work()), said

    def run(self, image: str, *command: str, **options: Any) -> str:
        return str(self.client.containers.run(image, list(command), remove=True, **options).decode())

    def dockerfile(self, text: str) -> str:
        """Build a Dockerfile without a context; the image's id."""
        context = io.BytesIO()
        with tarfile.open(fileobj=context, mode="w") as tar:
            entry = tarfile.TarInfo("Dockerfile")
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
        context.seek(0)
        image, _ = self.client.images.build(fileobj=context, custom_context=True, rm=True)
        return str(image.id)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    root = Path(tempfile.mkdtemp(prefix="sw-"))
    command = Stackwright(root)
    try:
        command.ok("engine", "start", cwd=root)
        made = Engine(command)
        yield made
        for container in made.client.containers.list(all=True):
            container.remove(force=True, v=True)
        made.client.close()
    finally:
        command.stop_engine()
        shutil.rmtree(root)


def test_a_second_build_does_nothing_and_says_so_at_once(engine: Engine) -> None:
    assert engine.build("debian:bookworm-slim")[0] is True
    before = engine.client.images.get("debian:bookworm-slim").id
    started = time.monotonic()
    built, said = engine.build("debian:bookworm-slim")
    assert time.monotonic() - started < 2
    assert (built, said) == (False, ["debian:bookworm-slim: the stand-in is up to date\n"])
    assert engine.client.images.get("debian:bookworm-slim").id == before


def test_the_engine_stays_while_the_host_is_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builder, "_AWAKE_SECONDS", 0.3)
    root = Path(tempfile.mkdtemp(prefix="sw-"))
    socket = root / "engine.sock"
    command = [sys.executable, "-m", "stackwright.embedded", "serve", "--idle-seconds", "2"]
    with subprocess.Popen(
        [*command, "--state-dir", str(root / "state"), "--socket", str(socket)], stderr=subprocess.DEVNULL
    ) as process:
        try:
            until(socket.exists, "the engine")

            async def work() -> dict[str, Any]:
                async with EngineClient(f"unix://{socket}") as engine:
                    async with builder._awake(engine):
                        await asyncio.sleep(4)
                    return await engine.version()

            assert asyncio.run(work())
        finally:
            process.terminate()
    shutil.rmtree(root)


def test_a_base_system_can_install_packages_and_starts_no_services(engine: Engine) -> None:
    engine.build("debian:bookworm-slim")
    image = engine.dockerfile(
        "FROM debian:bookworm-slim\n"
        "RUN apt-get update && apt-get install -y --no-install-recommends cron && rm -rf /var/lib/apt/lists/*\n"
    )
    assert engine.run(image, "sh", "-c", "command -v cron; sh /usr/sbin/policy-rc.d; echo $?").split() == [
        "/usr/sbin/cron",
        "101",
    ]


def test_builds_of_one_image_side_by_side_share_the_result(engine: Engine) -> None:
    async def both() -> list[bool]:
        recipe = recipes.find("busybox:latest")
        assert recipe is not None
        async with EngineClient(engine.address) as client:
            return await asyncio.gather(*(recipes.build(recipe, client) for _ in range(3)))

    assert sum(asyncio.run(both())) == 1
    assert engine.run("busybox:latest", "echo", "hello") == "hello\n"


def test_an_image_that_is_not_ours_is_left_alone(engine: Engine) -> None:
    engine.client.images.load(busybox_archive("busybox:1.36"))
    before = engine.client.images.get("busybox:1.36").id
    built, said = engine.build("busybox:1.36")
    assert built is False
    assert "left as it is" in said[-1]
    assert engine.client.images.get("busybox:1.36").id == before


def test_postgres_looks_like_the_official_image(engine: Engine) -> None:
    engine.build("postgres:15-alpine")
    config = engine.client.images.get("postgres:15-alpine").attrs["Config"]
    assert config["Entrypoint"] == ["docker-entrypoint.sh"]
    assert config["Cmd"] == ["postgres"]
    assert config["StopSignal"] == "SIGINT"
    assert list(config["ExposedPorts"]) == ["5432/tcp"]
    assert list(config["Volumes"]) == ["/var/lib/postgresql/data"]
    assert {"PGDATA=/var/lib/postgresql/data", "PG_MAJOR=15", "LANG=en_US.utf8"} <= set(config["Env"])
    assert config["Labels"][recipes.STANDIN_LABEL] == "postgres"
    assert engine.run("postgres:15-alpine", "id", "-u", "postgres").strip() == "70"
    assert not [variable for variable in config["Env"] if "CERT" in variable or "CA_" in variable]


def test_postgres_without_a_password_says_what_to_set(engine: Engine) -> None:
    engine.build("postgres:15-alpine")
    with pytest.raises(ContainerError) as caught:
        engine.run("postgres:15-alpine")
    assert caught.value.exit_status == 1
    assert b"POSTGRES_PASSWORD" in caught.value.stderr


@pytest.fixture
def init_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "initdb"
    folder.mkdir()
    tmp_path.chmod(0o755)
    (folder / "01.sql").write_text("CREATE TABLE t (a int); INSERT INTO t VALUES (1);")
    script = folder / "02.sh"
    script.write_text(
        '#!/bin/bash\nset -e\npsql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" '
        '-c "INSERT INTO t VALUES (2)"\necho "work_mem = 7MB" >> /var/lib/postgresql/data/postgresql.conf\n'
        "sleep 1\n"
    )
    script.chmod(0o755)
    return folder


def _database(engine: Engine, init_folder: Path, volume: str) -> Any:
    return engine.client.containers.run(
        "postgres:15-alpine",
        detach=True,
        environment={"POSTGRES_DB": "app", "POSTGRES_USER": "me", "POSTGRES_PASSWORD": "secret"},
        volumes={
            str(init_folder): {"bind": "/docker-entrypoint-initdb.d", "mode": "ro"},
            volume: {"bind": "/var/lib/postgresql/data", "mode": "rw"},
        },
    )


def _ready(container: Any) -> bool:
    return bool(container.exec_run(["pg_isready", "-q", "-U", "me", "-d", "app"]).exit_code == 0)


def _query(container: Any, sql: str) -> list[str]:
    answer = container.exec_run(["psql", "-U", "me", "-d", "app", "-Atqc", sql])
    assert answer.exit_code == 0, answer.output
    return list(answer.output.decode().split())


def test_postgres_runs_init_files_before_it_says_ready(engine: Engine, init_folder: Path) -> None:
    engine.build("postgres:15-alpine")
    container = _database(engine, init_folder, "init")
    until(lambda: _ready(container), "PostgreSQL")
    # The script sleeps at its end: were the first start's server visible, this would be too early.
    assert _query(container, "SELECT a FROM t ORDER BY a") == ["1", "2"]
    assert b"PostgreSQL is set up" in container.logs()
    assert _query(container, "SHOW work_mem") == ["7MB"]
    container.stop()
    assert container.wait()["StatusCode"] == 0
    container.start()
    until(lambda: _ready(container), "PostgreSQL again")
    assert _query(container, "SELECT a FROM t ORDER BY a") == ["1", "2"]


def test_a_first_start_cut_short_is_begun_again(engine: Engine, init_folder: Path) -> None:
    engine.build("postgres:15-alpine")
    container = _database(engine, init_folder, "cut")
    until(lambda: b"02.sh" in container.logs(), "the script to run")
    container.kill()
    container.wait()
    assert not _half_made(engine), "the mark of an unfinished first start"
    container.start()
    until(lambda: _ready(container), "PostgreSQL")
    assert b"cut short" in container.logs()
    assert _query(container, "SELECT a FROM t ORDER BY a") == ["1", "2"]


def test_a_first_start_can_be_stopped_without_waiting(engine: Engine, init_folder: Path) -> None:
    engine.build("postgres:15-alpine")
    container = _database(engine, init_folder, "stopped")
    until(lambda: b"02.sh" in container.logs(), "the script to run")
    started = time.monotonic()
    container.stop(timeout=20)
    assert time.monotonic() - started < 5
    assert container.wait()["StatusCode"] == 130


def _half_made(engine: Engine) -> bool:
    listing = engine.run(
        "debian:bookworm-slim", "ls", "-A", "/data", volumes={"cut": {"bind": "/data", "mode": "ro"}}
    )
    return ".first-start" not in listing.split()


def test_python_installs_where_the_official_image_does(engine: Engine) -> None:
    engine.build("python:3.11-slim")
    image = engine.dockerfile(
        "FROM python:3.11-slim AS build\n"
        "RUN pip install --no-cache-dir six && pip install --user --no-cache-dir idna\n"
        "FROM python:3.11-slim\n"
        "COPY --from=build /usr/local/lib/python3.11/site-packages /usr/local/lib/python3.11/site-packages\n"
        "COPY --from=build /root/.local /root/.local\n"
    )
    said = engine.run(image, "python", "-c", "import six, idna, sys; print(sys.executable, six.__file__)")
    assert said.split() == ["/usr/local/bin/python", "/usr/local/lib/python3.11/site-packages/six.py"]
    assert engine.run(image, "sh", "-c", "python -m venv /tmp/v && /tmp/v/bin/pip --version").startswith(
        "pip"
    )


def test_node_runs_scripts_and_commands_like_the_official_image(engine: Engine) -> None:
    engine.build("node:20-slim")
    assert engine.run("node:20-slim", "-p", "process.version").startswith("v20.")
    assert engine.run("node:20-slim", "id", "-u", "node").strip() == "1000"
    assert engine.run("node:20-slim", "npm", "--version").strip()[0].isdigit()


def test_a_dockerfile_for_alpine_builds_on_the_stand_in(engine: Engine) -> None:
    engine.build("node:20-alpine")
    image = engine.dockerfile(
        "FROM node:20-alpine\n"
        'RUN apk add --no-cache libc6-compat "curl>7"\n'
        "RUN addgroup -g 1001 -S nodejs && adduser -S nextjs -u 1001 -G nodejs\n"
        "USER nextjs\n"
    )
    said = engine.run(
        image, "sh", "-c", "id -un; id -gn; curl --version | head -c 4; wget --help 2>&1 | head -c 7"
    )
    assert said.split() == ["nextjs", "nodejs", "curlBusyBox"]
    with pytest.raises(docker.errors.BuildError, match="returned a non-zero code"):
        engine.dockerfile("FROM node:20-alpine\nRUN apk add no-such-package-anywhere\n")


def test_nothing_that_built_an_image_is_left_in_it(engine: Engine) -> None:
    for reference in ("postgres:15-alpine", "python:3.11-slim", "node:20-slim"):
        engine.build(reference)
        left = engine.run(
            reference,
            "sh",
            "-c",
            "ls -d /recipe /node /wheel /run/stackwright /var/lib/apt/lists/*_* 2>/dev/null; true",
        )
        assert left == "", reference


def test_redis_answers_other_containers(engine: Engine) -> None:
    engine.build("redis:7-alpine")
    network = engine.client.networks.create("redis-test")
    try:
        server = engine.client.containers.run(
            "redis:7-alpine", detach=True, name="cache", network="redis-test"
        )
        until(lambda: server.exec_run(["redis-cli", "ping"]).exit_code == 0, "Redis")
        assert (
            engine.run("redis:7-alpine", "redis-cli", "-h", "cache", "ping", network="redis-test") == "PONG\n"
        )
        assert server.exec_run(["stat", "-c", "%U", "/proc/1"]).output == b"redis\n"
        server.remove(force=True, v=True)
    finally:
        network.remove()


def test_nginx_fills_in_templates(engine: Engine, tmp_path: Path) -> None:
    engine.build("nginx:alpine")
    (tmp_path / "default.conf.template").write_text(
        'server { listen 80; location / { return 200 "hello ${WHO} from $host"; } }'
    )
    tmp_path.chmod(0o755)
    server = engine.client.containers.run(
        "nginx:alpine",
        detach=True,
        environment={"WHO": "Ada"},
        volumes={str(tmp_path): {"bind": "/etc/nginx/templates", "mode": "ro"}},
    )
    try:
        until(lambda: server.exec_run(["curl", "-sf", "http://localhost/"]).exit_code == 0, "nginx")
        assert server.exec_run(["curl", "-s", "http://localhost/"]).output == b"hello Ada from localhost"
        server.stop(timeout=5)
        assert server.wait()["StatusCode"] == 0
    finally:
        server.remove(force=True)
