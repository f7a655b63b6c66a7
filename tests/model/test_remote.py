"""Compose files in git repositories and in OCI registries: `include`, `extends` and `-f`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.model.support import peer, problems_of, read, read_text, run, write
from tests.support.artifacts import publish, self_signed
from tests.support.registry import free_port, running_registry, wait_for_port

REPOSITORY = {
    "compose.yaml": """name: shared
services:
  web:
    image: nginx:${TAG:-1}
    build: .
    volumes: ["./conf:/etc/conf"]
    env_file: [web.env]
""",
    "web.env": "PORT=80\n",
    ".env": "TAG=7\n",
    "parts/compose.yml": "services:\n  part: {image: part, build: ./here}\n",
    "parts/other.yaml": "services:\n  other: {image: other}\n",
}
ARTIFACT = "application/vnd.docker.compose.project"
FILE = "application/vnd.docker.compose.file+yaml"
ENV = "application/vnd.docker.compose.envfile"
NOTE = "com.docker.compose."
LAYERS = [
    (
        FILE,
        {NOTE + "file": "compose.yaml"},
        "services:\n  web: {image: 'nginx:1', env_file: [0a.env]}\n"
        "  db:\n    extends: {file: 0b.yaml, service: base}\n",
    ),
    (FILE, {NOTE + "file": "over.yaml"}, "services:\n  web: {labels: {team: shop}}\n"),
    (
        FILE,
        {NOTE + "file": "0b.yaml", NOTE + "extends": "true"},
        "services:\n  base: {image: 'postgres:16'}\n",
    ),
    (ENV, {NOTE + "envfile": "0a.env"}, "PORT=80\n"),
]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a repository that a real git daemon serves."""
    folder = tmp_path_factory.mktemp("git")
    write(folder / "work", REPOSITORY)
    identity = {f"GIT_{who}_{what}": "a@b.c" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environment = {**os.environ, **identity, "GIT_CONFIG_GLOBAL": "/dev/null"}
    for command in (
        ("init", "--quiet", "--initial-branch=main"),
        ("add", "--all"),
        ("commit", "--quiet", "--message=one"),
        ("tag", "v1"),
        ("clone", "--quiet", "--bare", ".", "../shop.git"),
    ):
        subprocess.run(["git", *command], cwd=folder / "work", env=environment, check=True)
    port = free_port()
    command = [
        "git",
        "daemon",
        "--export-all",
        f"--base-path={folder}",
        "--listen=127.0.0.1",
        f"--port={port}",
    ]
    with subprocess.Popen(
        [*command, "--reuseaddr"], stderr=subprocess.DEVNULL, start_new_session=True
    ) as daemon:
        wait_for_port(port, daemon)
        yield f"git://127.0.0.1:{port}/shop.git"
        os.killpg(daemon.pid, 15)


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """``oci://…`` of a published application, without a tag."""
    with running_registry(tmp_path_factory.mktemp("registry")) as host:
        publish(host, "shop:1", LAYERS, ARTIFACT)
        publish(host, "image:1", [("application/vnd.oci.image.layer.v1.tar", {}, "x")], "some/thing")
        evil = [(FILE, {}, "services: {a: {image: x}}\n"), (ENV, {NOTE + "envfile": "../../evil"}, "A=1\n")]
        publish(host, "evil:1", evil, ARTIFACT)
        yield f"oci://{host}"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A home folder of the test's own, where the copies go."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    return {"HOME": str(folder), "PATH": os.environ["PATH"]}


def test_a_repository_is_included_with_its_own_env_file_and_paths(
    tmp_path: Path, repository: str, home: dict[str, str]
) -> None:
    data = read_text(tmp_path, f"include: ['{repository}']\n", environment=home).data
    web = data["services"]["web"]
    assert web["image"] == "nginx:7"
    assert web["environment"] == {"PORT": "80"}
    assert web["build"]["context"].startswith(f"{home['HOME']}/.cache/docker-compose/")
    assert (Path(web["build"]["context"]) / "web.env").is_file()


@pytest.mark.parametrize(
    ("fragment", "service"),
    [("#v1", "web"), ("#main:parts", "part"), ("#:parts", "part"), ("#main:parts/other.yaml", "other")],
)
def test_a_ref_and_a_path_choose_the_file(
    tmp_path: Path, repository: str, home: dict[str, str], fragment: str, service: str
) -> None:
    data = read_text(tmp_path, f"include: ['{repository}{fragment}']\n", environment=home).data
    assert list(data["services"]) == [service]


@pytest.mark.parametrize(
    ("fragment", "said"),
    [
        ("#nope", "has no branch or tag nope"),
        ("#main:none", "has no none"),
        ("#main:../x", "leads out of the repository"),
        ("x", "not exported"),
    ],
)
def test_what_a_repository_does_not_have_is_told_at_its_place(
    tmp_path: Path, repository: str, home: dict[str, str], fragment: str, said: str
) -> None:
    [problem] = problems_of(tmp_path, f"include:\n  - {repository}{fragment}\n")
    assert (problem.code, problem.line, problem.column) == ("remote", 2, 5)
    assert said in problem.message


def test_a_web_page_is_no_repository(tmp_path: Path) -> None:
    [problem] = problems_of(tmp_path, "include: ['https://example.com/compose.yaml']\n")
    assert "is a web address" in problem.message


def test_a_published_application_is_included_whole(
    tmp_path: Path, artifact: str, home: dict[str, str]
) -> None:
    services = read_text(tmp_path, f"include: ['{artifact}/shop:1']\n", environment=home).data["services"]
    assert services["web"]["labels"] == {"team": "shop"}
    assert services["web"]["environment"] == {"PORT": "80"}
    assert services["db"]["image"] == "postgres:16"


def test_a_service_extends_one_of_a_published_application(
    tmp_path: Path, artifact: str, home: dict[str, str]
) -> None:
    text = f"services:\n  mine:\n    extends: {{file: '{artifact}/shop:1', service: db}}\n"
    assert read_text(tmp_path, text, environment=home).data["services"]["mine"]["image"] == "postgres:16"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("none:1", "has no none:1"),
        ("shop:2", "has no shop:2"),
        ("image:1", "is not a Compose application but some/thing"),
        ("evil:1", 'names a file "../../evil"'),
        ("Shop:1", "the name in lower case"),
        ("shop@sha256:" + "0" * 64, "has no shop:sha256:000"),
    ],
)
def test_what_a_registry_does_not_have_is_told(
    tmp_path: Path, artifact: str, home: dict[str, str], name: str, said: str
) -> None:
    [problem] = problems_of(tmp_path, f"include:\n  - {artifact}/{name}\n")
    assert problem.code == "remote"
    assert said in problem.message
    assert not list(Path(home["HOME"]).rglob("evil"))


def test_a_registry_that_is_not_there_is_told(tmp_path: Path, home: dict[str, str]) -> None:
    [problem] = problems_of(tmp_path, "include: ['oci://localhost:1/shop']\n")
    assert problem.message == "registry localhost:1 cannot be reached: Connection refused"


def test_a_digest_that_was_fetched_needs_no_registry(tmp_path: Path, home: dict[str, str]) -> None:
    config = [sys.executable, "-m", "stackwright.cli.main", "config", "--services"]
    with running_registry(tmp_path / "registry") as host:
        digest = publish(host, "shop:1", LAYERS, ARTIFACT)
        write(tmp_path / "use", {"compose.yaml": f"include: ['oci://{host}/shop@{digest}']\n"})
        write(tmp_path / "tag", {"compose.yaml": f"include: ['oci://{host}/shop:1']\n"})
        assert run(config, tmp_path / "use", home).stdout == "db\nweb\n"
    assert run(config, tmp_path / "use", home).stdout == "db\nweb\n"
    assert "cannot be reached" in run(config, tmp_path / "tag", home).stderr


def test_a_project_in_a_repository_has_the_name_of_the_folder_one_is_in(
    tmp_path: Path, repository: str, home: dict[str, str]
) -> None:
    here = tmp_path / "mine"
    here.mkdir()
    model = read(here, "-f", f"{repository}#:parts", environment=home)
    assert model.name == "mine"
    assert model.data["services"]["part"]["build"]["context"].endswith("/parts/here")


@pytest.mark.network
def test_both_tools_read_a_published_application_alike(tmp_path: Path, home: dict[str, str]) -> None:
    if not peer():
        pytest.skip("the real docker compose cannot be fetched here")
    certificate = self_signed(tmp_path)
    environment = {**home, "SSL_CERT_FILE": str(certificate[0])}
    write(
        tmp_path / "app",
        {"web.env": "PORT=80\n", "base.yaml": "services:\n  base:\n    image: postgres:16\n"},
    )
    text = (
        "services:\n  web:\n    image: nginx:1\n    environment:\n      A: ${A:-x}\n    env_file:\n      - web.env\n"
        "  db:\n    extends:\n      file: base.yaml\n      service: base\n"
    )
    write(tmp_path / "app", {"compose.yaml": text})
    with running_registry(tmp_path / "registry", certificate=certificate) as host:
        done = run(
            [peer(), "publish", "--yes", "--with-env", f"{host}/shop:1"], tmp_path / "app", environment
        )
        assert done.returncode == 0, done.stderr
        use = f"include: ['oci://{host}/shop:1']\nservices:\n  mine:\n    extends:\n"
        write(
            tmp_path / "use", {"compose.yaml": use + f"      file: oci://{host}/shop:1\n      service: web\n"}
        )
        ours = [sys.executable, "-m", "stackwright.cli.main"]
        for words in ((), ("-f", f"oci://{host}/shop:1")):
            both = [
                run([*tool, *words, "config"], tmp_path / "use", environment) for tool in ([peer()], ours)
            ]
            assert [done.returncode for done in both] == [0, 0], both[1].stderr
            assert both[0].stdout == both[1].stdout


@pytest.mark.network
@pytest.mark.parametrize("fragment", ["", "#v1", "#main:parts", "#main:parts/other.yaml"])
def test_both_tools_read_a_repository_alike(
    tmp_path: Path, repository: str, home: dict[str, str], fragment: str
) -> None:
    if not peer():
        pytest.skip("the real docker compose cannot be fetched here")
    address = repository + fragment
    write(tmp_path / "use", {"compose.yaml": f"include: ['{address}']\n", "over.yaml": "name: over\n"})
    ours = [sys.executable, "-m", "stackwright.cli.main"]
    for words in ((), ("-f", address), ("-f", "over.yaml", "-f", address)):
        both = [run([*tool, *words, "config"], tmp_path / "use", home) for tool in ([peer()], ours)]
        assert [done.returncode for done in both] == [0, 0], both[1].stderr
        assert both[0].stdout == both[1].stdout
