"""HTTP as engines really speak it, against servers that answer from a script."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from tests.support.scripted import scripted

from stackwright.engine.address import Address
from stackwright.engine.errors import EngineGone, EngineUnavailable, NotFound, ProtocolError, ServerFailure
from stackwright.engine.http import Transport, encode_query

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]


async def test_a_chunked_body_is_put_together(tmp_path: Path) -> None:
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=1\r\nhello\r\n6\r\n world\r\n0\r\nA: b\r\n\r\n"
    async with scripted(tmp_path / "s", answer) as (transport, _):
        assert await (await transport.request("GET", "/x")).read() == b"hello world"


async def test_a_connection_is_used_again(tmp_path: Path) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    async with scripted(tmp_path / "s", answer, answer) as (transport, heads):
        for _ in range(2):
            assert await (await transport.request("GET", "/x")).json() == {}
        assert len(heads) == 2
        assert len(transport._idle) == 1


async def test_a_kept_connection_that_was_closed_meanwhile_is_replaced(tmp_path: Path) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    async with scripted(tmp_path / "s", answer) as (transport, _):
        await (await transport.request("GET", "/x")).read()
    async with scripted(tmp_path / "t", answer) as (again, _):
        transport.address = again.address
        transport._closed = False
        assert await (await transport.request("GET", "/x")).json() == {}


async def test_a_body_cut_short_is_an_error(tmp_path: Path) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}"
    async with scripted(tmp_path / "s", answer) as (transport, _):
        response = await transport.request("GET", "/x")
        with pytest.raises(EngineGone):
            await response.read()


async def test_no_answer_at_all_is_an_error(tmp_path: Path) -> None:
    async with scripted(tmp_path / "s", b"") as (transport, _):
        with pytest.raises(EngineGone):
            await transport.request("POST", "/x")


async def test_statuses_become_errors_with_the_engines_message(tmp_path: Path) -> None:
    gone = b'HTTP/1.1 404 Not Found\r\nContent-Length: 31\r\n\r\n{"message":"no such container"}'
    broken = b"HTTP/1.1 500 Oops\r\nContent-Length: 5\r\n\r\nplain"
    async with scripted(tmp_path / "s", gone, broken) as (transport, _):
        with pytest.raises(NotFound, match="no such container"):
            await transport.request("GET", "/x")
        with pytest.raises(ServerFailure, match="plain"):
            await transport.request("GET", "/x")


async def test_what_is_not_http_is_said_so(tmp_path: Path) -> None:
    async with scripted(tmp_path / "s", b"SSH-2.0-OpenSSH_9.2\r\n\r\n") as (transport, _):
        with pytest.raises(ProtocolError, match="does not speak HTTP"):
            await transport.request("GET", "/x")


async def test_nobody_listening_names_the_address(tmp_path: Path) -> None:
    transport = Transport(Address.parse(f"unix://{tmp_path}/none"))
    with pytest.raises(EngineUnavailable, match=f"{tmp_path}/none: No such file"):
        await transport.request("GET", "/x")


async def test_a_streamed_body_is_sent_in_chunks(tmp_path: Path) -> None:
    received = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.set_result(await reader.readuntil(b"0\r\n\r\n"))
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    async def body() -> AsyncIterator[bytes]:
        yield b"one"
        yield b""
        yield b"two"

    server = await asyncio.start_unix_server(serve, tmp_path / "s")
    transport = Transport(Address.parse(f"unix://{tmp_path}/s"))
    await transport.request("POST", "/x", body=body())
    assert (await received).endswith(b"\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")
    transport.close()
    server.close()


async def test_an_early_refusal_of_a_long_body_is_the_error(tmp_path: Path) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b'HTTP/1.1 400 Bad\r\nContent-Length: 20\r\n\r\n{"message":"no, no"}')
        await writer.drain()
        writer.close()

    async def body() -> AsyncIterator[bytes]:
        for _ in range(200):
            yield b"x" * 65536
            await asyncio.sleep(0)

    server = await asyncio.start_unix_server(serve, tmp_path / "s")
    transport = Transport(Address.parse(f"unix://{tmp_path}/s"))
    with pytest.raises(Exception, match="no, no"):
        await transport.request("POST", "/x", body=body())
    server.close()


def test_queries_are_written_as_the_engine_reads_them() -> None:
    assert encode_query({"all": True, "v": False, "t": ["a", "b"], "x": None}) == "?all=1&v=0&t=a&t=b"
    assert encode_query({}) == ""


@pytest.mark.parametrize(
    ("text", "problem"),
    [("unix://relative", "absolute"), ("tcp://:1", "host"), ("tcp://h:x", "port"), ("ftp://h", "understood")],
)
def test_a_bad_address_says_what_is_wrong(text: str, problem: str) -> None:
    with pytest.raises(EngineUnavailable) as caught:
        Address.parse(text)
    assert problem in f"{caught.value.message} {caught.value.hint}"


def asked_ahead(path: Path) -> tuple[Transport, socket.socket]:
    """A transport that has asked for /x before there was a loop, and who listens to it."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    transport = Transport(Address.parse(f"unix://{path}"))
    transport.ask_ahead("/x")
    return transport, listener


ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


def test_what_was_asked_ahead_is_answered_once(tmp_path: Path) -> None:
    transport, listener = asked_ahead(tmp_path / "s")
    with listener, listener.accept()[0] as first, listener.accept()[0] as second:
        assert first.recv(1000).startswith(b"GET /x HTTP/1.1\r\n")
        first.sendall(ANSWER)

        async def main() -> None:
            assert await (await transport.request("GET", "/x")).json() == {}
            first.setblocking(False)
            with pytest.raises(BlockingIOError):  # it was not asked again
                first.recv(1000)
            first.sendall(ANSWER)
            second.sendall(ANSWER)
            both = await asyncio.gather(*(transport.request("GET", f"/{name}") for name in "yz"))
            assert [await one.json() for one in both] == [{}, {}]
            transport.close()

        asyncio.run(main())
        assert {first.recv(1000)[:6], second.recv(1000)[:6]} == {b"GET /y", b"GET /z"}


def test_what_was_asked_ahead_of_an_engine_that_went_is_asked_again(tmp_path: Path) -> None:
    transport, listener = asked_ahead(tmp_path / "s")
    for _ in range(2):
        listener.accept()[0].close()

    def serve() -> None:
        with listener, listener.accept()[0] as again:
            assert again.recv(1000).startswith(b"GET /x")
            again.sendall(ANSWER)

    async def main() -> None:
        serving = asyncio.create_task(asyncio.to_thread(serve))
        assert await (await transport.request("GET", "/x")).json() == {}
        transport.close()
        await serving

    asyncio.run(main())


def test_asking_ahead_where_nobody_listens_changes_nothing(tmp_path: Path) -> None:
    transport = Transport(Address.parse(f"unix://{tmp_path}/none"))
    transport.ask_ahead("/x")
    with pytest.raises(EngineUnavailable):
        asyncio.run(transport.request("GET", "/x"))


def test_what_was_asked_for_nothing_is_let_go(tmp_path: Path) -> None:
    transport, listener = asked_ahead(tmp_path / "s")
    with listener, listener.accept()[0] as first, listener.accept()[0] as second:
        transport.close()
        assert first.recv(1000).startswith(b"GET /x")
        assert (first.recv(1000), second.recv(1000)) == (b"", b"")
