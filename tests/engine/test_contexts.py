"""Which engine variables and docker's contexts name. Contexts are made by the docker command, which we did not write."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.support import certificates

from stackwright.engine import discover
from stackwright.engine.address import Address, Tls
from stackwright.engine.contexts import contexts, named
from stackwright.engine.errors import EngineUnavailable


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """An environment with a home of its own."""
    return {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}


def docker(home: dict[str, str], *words: str) -> None:
    if not shutil.which("docker"):
        pytest.skip("the docker command is not installed")
    subprocess.run(["docker", *words], env=home, check=True, capture_output=True)


def test_nothing_said_is_nothing_named(home: dict[str, str]) -> None:
    assert named(home) is None


def test_a_context_that_docker_made_is_found_by_its_name(home: dict[str, str]) -> None:
    docker(home, "context", "create", "far", "--docker", "host=ssh://me@far.example:2222")
    found = named({**home, "DOCKER_CONTEXT": "far"})
    assert found is not None
    assert (found.address, found.reason) == ("ssh://me@far.example:2222", "DOCKER_CONTEXT is far")
    assert contexts(home) == ["far"]


def test_the_current_context_holds_until_somebody_says_otherwise(home: dict[str, str]) -> None:
    docker(home, "context", "create", "one", "--docker", "host=tcp://one:2375")
    docker(home, "context", "create", "two", "--docker", "host=tcp://two:2375")
    docker(home, "context", "use", "one")

    def address(context: str | None = None, **more: str) -> str | None:
        found = named({**home, **more}, context)
        return found.address if found else None

    assert address() == "tcp://one:2375"
    assert address(DOCKER_CONTEXT="two") == "tcp://two:2375"
    assert address(DOCKER_CONTEXT="two", DOCKER_HOST="unix:///x") == "unix:///x"
    assert address("two", DOCKER_HOST="unix:///x") == "tcp://two:2375"
    assert address(DOCKER_CONTEXT="default") is None


def test_a_contexts_keys_come_with_it(home: dict[str, str], tmp_path: Path) -> None:
    ca = certificates.authority(tmp_path / "ca")
    keys = certificates.signed(tmp_path / "keys", ca, name="me", extensions="extendedKeyUsage=clientAuth\n")
    host = f"host=tcp://far:2376,ca={keys}/ca.pem,cert={keys}/cert.pem,key={keys}/key.pem"
    docker(home, "context", "create", "safe", "--docker", host)
    found = named(home, "safe")
    assert found is not None
    assert found.tls is not None
    assert (found.tls.folder / "key.pem").read_bytes() == (keys / "key.pem").read_bytes()
    assert found.tls.verify


def test_a_context_may_do_without_verification(home: dict[str, str]) -> None:
    docker(home, "context", "create", "lax", "--docker", "host=tcp://far:2376,skip-tls-verify=true")
    found = named(home, "lax")
    assert found is not None
    assert found.tls is not None
    assert not found.tls.verify


def test_an_unknown_context_is_refused_with_those_that_there_are(home: dict[str, str]) -> None:
    docker(home, "context", "create", "far", "--docker", "host=ssh://far")
    with pytest.raises(EngineUnavailable, match='"fra" cannot be used') as caught:
        named({**home, "DOCKER_CONTEXT": "fra"})
    assert "there are: default, far" in caught.value.hint


def test_a_broken_configuration_is_named(home: dict[str, str]) -> None:
    folder = Path(home["HOME"], ".docker")
    folder.mkdir()
    (folder / "config.json").write_text("{")
    with pytest.raises(EngineUnavailable, match=r"config.json is not valid JSON"):
        named(home)
    (folder / "config.json").write_text(json.dumps({"auths": {}}))
    assert named(home) is None


@pytest.mark.parametrize(
    ("more", "tls"),
    [
        ({}, None),
        ({"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/keys"}, Tls(Path("/keys"))),
        ({"DOCKER_TLS": "1", "DOCKER_CERT_PATH": "/keys"}, Tls(Path("/keys"), verify=False)),
        ({"DOCKER_TLS_VERIFY": "1", "DOCKER_CONFIG": "/cfg"}, Tls(Path("/cfg"))),
    ],
)
def test_the_variables_for_tls_are_dockers(more: dict[str, str], tls: Tls | None) -> None:
    found = named({"HOME": "/h", "DOCKER_HOST": "tcp://h:2376", **more})
    assert found is not None
    assert found.tls == tls


def test_tls_has_a_port_of_its_own() -> None:
    assert Address.parse("tcp://h", Tls(Path("/k"))).port == 2376
    assert Address.parse("tcp://h").port == 2375


@pytest.mark.parametrize(
    "text",
    [
        "ssh://",
        "ssh://-oProxyCommand=x",
        "ssh://me:secret@far",
        "ssh://far:port",
        "unix://relative",
        "tcp://:2375",
        "ftp://x",
    ],
)
def test_an_address_that_cannot_be_is_refused_and_shows_no_password(text: str) -> None:
    with pytest.raises(EngineUnavailable) as caught:
        Address.parse(text)
    assert "secret" not in caught.value.message


def test_an_ssh_address_is_shown_as_it_was_written() -> None:
    text = "ssh://me@far.example:2222/run/docker.sock"
    assert str(Address.parse(text)) == text


def test_the_variable_of_podman_is_for_podman(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discover, "DOCKER_SOCKETS", (str(tmp_path / "none.sock"),))
    environ = {"HOME": str(tmp_path), "CONTAINER_HOST": "unix:///p"}
    for wish in ("auto", "podman"):
        choice = discover.choose(wish, environ)
        assert (choice.kind, choice.address, choice.reason) == (
            "podman",
            "unix:///p",
            "CONTAINER_HOST is set",
        )
    assert discover.choose("docker", environ).address.startswith("unix://")
    assert discover.choose("auto", {**environ, "DOCKER_HOST": "unix:///d"}).address == "unix:///d"


def test_a_context_and_the_embedded_engine_contradict_each_other(home: dict[str, str]) -> None:
    with pytest.raises(EngineUnavailable, match="--context names another engine"):
        discover.choose("embedded", home, context="far")
