"""Hostile and mistaken requests: each gets Docker's status and one message, and the engine goes on."""

from __future__ import annotations

import json
import socket
import time
from typing import Any

import pytest
from tests.embedded.engine_process import EngineClient, ours_only
from tests.peers import IMAGE

pytestmark = pytest.mark.root


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "message"),
    [
        ("GET", "/nothing/here", None, 404, "page not found"),
        ("GET", "/v1.99/info", None, 400, "client version 1.99 is too new. Maximum supported API version is 1."),
        ("GET", "/containers/none/json", None, 404, "No such container: none"),
        ("POST", "/containers/none/start", None, 404, "No such container: none"),
        ("GET", "/images/none/json", None, 404, "No such image: none"),
        ("GET", "/networks/nowhere", None, 404, "network nowhere not found"),
        ("GET", "/volumes/none", None, 404, "no such volume"),
        ("GET", "/exec/none/json", None, 404, "No such exec instance: none"),
        ("POST", "/containers/create", {}, 400, "config cannot be empty in order to create a container"),
        ("POST", "/containers/create", {"Image": "none:1"}, 404, "No such image: none:1"),
        ("POST", "/containers/create", {"Image": 3}, 400, "Image"),
        ("POST", "/containers/create?name=-bad", {"Image": IMAGE}, 400, "Invalid container name (-bad)"),
        ("POST", "/containers/create", {"Image": IMAGE, "HostConfig": {"Memory": 1}}, 400, "Minimum memory limit"),
        (
            "POST", "/containers/create", {"Image": IMAGE, "HostConfig": {"RestartPolicy": {"Name": "perhaps"}}},
            400, "'perhaps'",
        ),
        (
            "POST", "/containers/create", {"Image": IMAGE, "HostConfig": {"CapAdd": ["FLY"]}},
            400, 'unknown capability: "CAP_FLY"',
        ),
        (
            "POST", "/containers/create", {"Image": IMAGE, "HostConfig": {"Binds": ["a:b:c:d"]}},
            400, "invalid volume specification: 'a:b:c:d'",
        ),
        (
            "POST", "/containers/create",
            {"Image": IMAGE, "HostConfig": {"PortBindings": {"http/tcp": [{"HostPort": "80"}]}}},
            400, "invalid port specification",
        ),
        ("POST", "/containers/create", {"Image": IMAGE, "HostConfig": {"NanoCpus": 10**13}}, 400, "range of CPUs is from"),
        ("GET", "/containers/json?filters=nonsense", None, 400, ""),
        ("GET", '/containers/json?filters={"nope":["x"]}', None, 400, "invalid filter 'nope'"),
        ("GET", "/containers/json?limit=many", None, 400, "many"),
        ("POST", "/networks/create", {"Name": ""}, 400, "name"),
    ],
)  # fmt: skip
def test_each_gets_one_message(
    engine: EngineClient, method: str, path: str, body: Any, status: int, message: str
) -> None:
    answered, shown = engine.request(method, path, body)
    assert answered == status or (answered == 500 and is_old(engine)), shown
    assert list(shown) == ["message"]
    assert message.lower() in shown["message"].lower()


def is_old(engine: EngineClient) -> bool:
    """Docker before version 23 says 500 where it means that it could not read the request."""
    return engine.request("GET", "/version")[1]["Version"].startswith("20.")


@ours_only("Docker asks Docker Hub")
def test_search_is_refused_as_what_this_engine_does_not_do(engine: EngineClient) -> None:
    status, shown = engine.request("GET", "/images/search?term=x")
    assert (status, shown["message"]) == (501, "searching Docker Hub is not supported by this engine")


@ours_only("Docker 20.10 serves versions from 1.12 on")
def test_a_version_from_long_ago_is_refused(engine: EngineClient) -> None:
    status, shown = engine.request("GET", "/v1.12/info")
    assert status == 400
    assert "version 1.12 is too old. Minimum supported API version is 1.24" in shown["message"]


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"[]",
        b"\xff\xfe",
        b'{"Image": ' + b"[" * 100_000,
        b"null",
        b'"text"',
        b'{"Image": "x", "Env": {}}',
    ],
)
def test_malformed_json_is_a_bad_request(engine: EngineClient, data: bytes) -> None:
    status, shown = engine.request("POST", "/containers/create", raw=data)
    assert status == 400 or (status == 500 and is_old(engine)), shown
    assert "Traceback" not in json.dumps(shown) and shown["message"]


@ours_only("Docker reads on without a limit")
def test_an_oversized_body_is_refused_within_bounds(engine: EngineClient) -> None:
    status, shown = engine.request(
        "POST", "/containers/create", raw=b'{"Image": "' + b"x" * 9_000_000 + b'"}'
    )
    assert status == 400
    assert "too large" in shown["message"]


def test_garbage_instead_of_http_does_not_hurt(engine: EngineClient) -> None:
    for garbage in (
        b"\x00" * 100,
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"A" * 100_000,
        b"POST / HTTP/1.1\r\n" * 50,
    ):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            client.connect(str(engine.socket))
            client.sendall(garbage)
            client.shutdown(socket.SHUT_WR)
            while client.recv(4096):
                pass
    assert engine.request("GET", "/_ping")[0] == 200


def test_a_client_that_says_nothing_holds_nobody_up(engine: EngineClient) -> None:
    silent = [socket.socket(socket.AF_UNIX) for _ in range(100)]
    for client in silent:
        client.connect(str(engine.socket))
        client.send(b"POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    begun = time.monotonic()
    assert engine.request("GET", "/_ping")[0] == 200
    assert time.monotonic() - begun < 2
    for client in silent:
        client.close()


@ours_only("Docker lets a group in")
def test_the_socket_lets_no_other_user_in(engine: EngineClient) -> None:
    assert engine.socket.stat().st_mode & 0o777 == 0o600


@ours_only("its own name and version")
def test_headers_name_engine_and_version(engine: EngineClient) -> None:
    for path in ("/_ping", "/v1.40/info", "/containers/none/json"):
        headers = engine.exchange("GET", path)[1]
        assert headers["Api-Version"] == "1.50"
        assert headers["Ostype"] == "linux"
        assert headers["Docker-Experimental"] == "false"
        assert headers["Server"].startswith("Stackwright/")
    status, headers, data = engine.exchange("HEAD", "/_ping")
    assert (status, data, headers["Builder-Version"]) == (200, b"", "2")


def test_verbs_in_the_wrong_state_are_refused_in_dockers_words(engine: EngineClient) -> None:
    made = engine.request("POST", "/containers/create?name=still", {"Image": IMAGE, "Cmd": ["sleep", "100"]})[
        1
    ]["Id"]
    assert engine.request("POST", "/containers/still/stop")[0] == 304
    status, shown = engine.request("POST", "/containers/still/kill")
    assert status == 409
    assert shown["message"].lower() == f"cannot kill container: still: container {made} is not running"
    assert engine.request("POST", "/containers/still/exec", {"Cmd": ["true"]})[0] == 409
    assert engine.request("GET", "/containers/still/top")[0] == 409
    assert engine.request("POST", "/containers/still/start")[0] == 204
    assert engine.request("POST", "/containers/still/start")[0] == 304
    status, shown = engine.request("DELETE", "/containers/still")
    assert status == 409
    words = shown["message"].lower()
    assert "stop the container before" in words and "force remove" in words
    assert engine.request("DELETE", "/containers/still?force=1")[0] == 204


def test_a_network_that_does_not_exist_fails_the_start_and_names_it(engine: EngineClient) -> None:
    body = {"Image": IMAGE, "Cmd": ["true"], "HostConfig": {"NetworkMode": "nowhere"}}
    made = engine.request("POST", "/containers/create", body)[1]["Id"]
    assert engine.request("POST", f"/containers/{made}/start") == (
        404,
        {"message": "network nowhere not found"},
    )
    assert engine.request("GET", f"/containers/{made}/json")[1]["State"]["Status"] == "created"
    assert engine.request("DELETE", f"/containers/{made}")[0] == 204


def test_a_port_in_use_fails_the_start_and_names_it(engine: EngineClient) -> None:
    def create(name: str, port: str) -> None:
        host = {"PortBindings": {"80/tcp": [{"HostPort": port}]}}
        exposed = {"80/tcp": {}}
        body = {"Image": IMAGE, "Cmd": ["sleep", "100"], "ExposedPorts": exposed, "HostConfig": host}
        assert engine.request("POST", f"/containers/create?name={name}", body)[0] == 201

    create("first", "")
    assert engine.request("POST", "/containers/first/start")[0] == 204
    bindings = engine.request("GET", "/containers/first/json")[1]["NetworkSettings"]["Ports"]["80/tcp"]
    port = bindings[0]["HostPort"]
    create("blocked", port)
    status, shown = engine.request("POST", "/containers/blocked/start")
    assert status == 500
    assert f"{port} failed: port is already allocated" in shown["message"]
    state = engine.request("GET", "/containers/blocked/json")[1]["State"]
    assert state["Status"] == "created" and state["Pid"] == 0
    engine.request("DELETE", "/containers/first?force=1")
    assert engine.request("POST", "/containers/blocked/start")[0] == 204
    engine.request("DELETE", "/containers/blocked?force=1")


def test_two_hundred_clients_at_once_are_all_served(engine: EngineClient) -> None:
    clients = []
    for _ in range(200):
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(30)
        client.connect(str(engine.socket))
        client.sendall(b"GET /containers/json?all=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        clients.append(client)
    for client in clients:
        assert client.recv(15).startswith(b"HTTP/1.1 200")
        client.close()
