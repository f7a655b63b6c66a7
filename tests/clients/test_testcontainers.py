"""Testcontainers for Python, which we did not write: the way many test suites start what they need.

Ryuk, its clean-up container, is switched off: its image is on Docker Hub alone.
"""

from __future__ import annotations

import asyncio
import urllib.request

import pytest
from testcontainers.community.postgres import PostgresContainer
from testcontainers.community.redis import RedisContainer
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.image import DockerImage
from testcontainers.core.network import Network
from testcontainers.core.wait_strategies import HealthcheckWaitStrategy, LogMessageWaitStrategy
from tests.embedded.engine_process import EngineProcess
from tests.peers import IMAGE
from tests.stacks.taskapp import Taskapp

from stackwright import recipes
from stackwright.engine.client import EngineClient

pytestmark = pytest.mark.root


@pytest.fixture(autouse=True)
def no_ryuk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(testcontainers_config, "ryuk_disabled", True)


@pytest.fixture
def here(engine: EngineProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """Containers run on the module's engine."""
    monkeypatch.setenv("DOCKER_HOST", engine.address)


@pytest.fixture(params=["embedded", "user"])
def at_the_stack(request: pytest.FixtureRequest, taskapp: Taskapp, monkeypatch: pytest.MonkeyPatch) -> str:
    """Containers run on the engine that has the stand-ins for PostgreSQL and Redis, or on a user's with the same; its
    address."""
    address = f"unix://{taskapp.command.socket}"
    if request.param == "user":
        address = f"unix://{request.getfixturevalue('users_taskapp').command.socket}"
    monkeypatch.setenv("DOCKER_HOST", address)
    return address


@pytest.mark.usefixtures("here")
def test_a_container_is_waited_for_and_reached_by_its_published_port() -> None:
    server = (
        DockerContainer(IMAGE)
        .with_command(["sh", "-c", "echo $WORD > /tmp/index.html; echo ready; exec httpd -fp 80 -h /tmp"])
        .with_env("WORD", "hello")
        .with_exposed_ports(80)
        .waiting_for(LogMessageWaitStrategy("ready"))
    )
    with server:
        address = f"http://{server.get_container_host_ip()}:{server.get_exposed_port(80)}/"
        with urllib.request.urlopen(address, timeout=10) as answer:
            assert answer.read() == b"hello\n"
        assert server.exec(["cat", "/tmp/index.html"]).output == b"hello\n"
        assert server.get_logs()[0] == b"ready\n"


@pytest.mark.usefixtures("here")
def test_containers_in_a_network_find_each_other_by_alias() -> None:
    with Network() as network:
        server = DockerContainer(IMAGE).with_command(["nc", "-ll", "-p", "7000", "-e", "cat"])
        with server.with_network(network).with_network_aliases("echo"):
            asking = DockerContainer(IMAGE).with_command(["sleep", "100"]).with_network(network)
            with asking:
                assert asking.exec(["sh", "-c", "echo hi | nc echo 7000"]).output == b"hi\n"


@pytest.mark.usefixtures("here")
def test_an_image_is_built_and_its_health_waited_for(tmp_path_factory: pytest.TempPathFactory) -> None:
    context = tmp_path_factory.mktemp("context")
    (context / "Dockerfile").write_text(
        f'FROM {IMAGE}\nHEALTHCHECK --interval=1s CMD true\nCMD ["sleep", "100"]\n'
    )
    with DockerImage(path=context, tag="made:1") as image:
        with DockerContainer(str(image)).waiting_for(HealthcheckWaitStrategy()) as container:
            assert container.get_wrapped_container().health == "healthy"


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.timeout(1200)
@pytest.mark.usefixtures("at_the_stack")
def test_postgresql() -> None:
    with PostgresContainer("postgres:15-alpine", driver=None) as database:
        port = database.get_exposed_port(5432)
        assert database.get_connection_url().endswith(f":{port}/test")
        query = ["psql", "-U", "test", "-d", "test", "-Atc", "select 6 * 7"]
        assert database.exec(query).output == b"42\n"


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.timeout(1200)
def test_redis(at_the_stack: str) -> None:
    async def build() -> None:
        recipe = recipes.find("redis:7-alpine")
        assert recipe is not None
        async with EngineClient(at_the_stack) as engine:
            await recipes.build(recipe, engine, lambda _: None)

    asyncio.run(build())
    with RedisContainer("redis:7-alpine") as store:
        client = store.get_client()
        assert client.set("answer", 42)
        assert client.get("answer") == b"42"
        client.close()
