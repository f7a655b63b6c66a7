"""Which engine is chosen, and how the embedded one is started."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from stackwright.engine import daemon, discover
from stackwright.engine.errors import EngineStartFailed, EngineUnavailable


def test_docker_host_is_followed_and_named_as_the_reason() -> None:
    choice = discover.choose("auto", {"DOCKER_HOST": "tcp://h:2375"})
    assert (choice.kind, choice.address, choice.reason) == ("docker", "tcp://h:2375", "DOCKER_HOST is set")


def test_the_embedded_engine_ignores_docker_host(tmp_path: Path) -> None:
    choice = discover.choose(
        "embedded", {"DOCKER_HOST": "tcp://h:2375", "STACKWRIGHT_SOCKET": str(tmp_path / "s")}
    )
    assert (choice.kind, choice.spawn) == ("embedded", True)
    assert choice.address == f"unix://{tmp_path}/s"


def test_without_a_docker_engine_auto_takes_our_own_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discover, "DOCKER_SOCKETS", (str(tmp_path / "docker.sock"),))
    choice = discover.choose(None, {})
    assert choice.kind == "embedded"
    assert choice.reason == "no Docker Engine answers on this machine"


async def test_a_docker_socket_that_answers_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nOK")
        await writer.drain()
        writer.close()

    path = tmp_path / "docker.sock"
    server = await asyncio.start_unix_server(serve, path)
    monkeypatch.setattr(discover, "DOCKER_SOCKETS", (str(path),))
    choice = await asyncio.to_thread(discover.choose, "auto", {})
    assert choice.address == f"unix://{path}"
    assert choice.reason == f"it answers at {path}"
    server.close()


def test_an_unknown_engine_is_refused() -> None:
    with pytest.raises(EngineUnavailable, match="unknown engine"):
        discover.choose("lxc", {})


async def test_an_engine_that_dies_at_once_is_reported_with_its_last_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemon, "command", lambda place, idle: ["sh", "-c", "echo it hurts; exit 3"])
    place = daemon.Place(tmp_path / "state", tmp_path / "sock")
    with pytest.raises(EngineStartFailed) as caught:
        await daemon.start(place, os.environ)
    assert "exit code 3" in caught.value.message
    assert "it hurts" in caught.value.message
    assert str(place.log) in caught.value.hint


async def test_a_state_folder_that_cannot_be_made_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EngineStartFailed, match="cannot use"):
        await daemon.start(daemon.Place(tmp_path / "file" / "state", tmp_path / "sock"), os.environ)


async def test_stopping_what_does_not_run_is_no_error(tmp_path: Path) -> None:
    assert await daemon.stop(daemon.Place(tmp_path, tmp_path / "sock")) is False
