"""TLS to an engine, with a half that can be closed.

`attach` and `exec` say "no more input" by closing their half of the connection while output goes on. asyncio's
TLS cannot; TLS itself can (`close_notify` ends one direction, RFC 8446 section 6.1), and so can dockerd. So
here the records are made by `ssl.SSLObject` and carried by two small tasks between the network and one end of
a socket pair, whose other end is an ordinary connection.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import suppress

from stackwright.engine.address import Address, Tls
from stackwright.engine.connection import Connection, wrap
from stackwright.engine.errors import EngineUnavailable

PIECE = 1 << 16


def context(keys: Tls) -> ssl.SSLContext:
    """What to trust and how to prove who we are. Raises `EngineUnavailable` for files that are no keys."""
    made = ssl.create_default_context(ssl.Purpose.SERVER_AUTH)
    files = {name: keys.folder / f"{name}.pem" for name in ("ca", "cert", "key")}
    name = "ca"
    try:
        if files["ca"].exists():
            made = ssl.create_default_context(cafile=str(files["ca"]))
        # Certificates for engines are made at home, often without what RFC 5280 asks of an authority.
        made.verify_flags &= ~ssl.VERIFY_X509_STRICT
        name = "cert"
        if files["cert"].exists():
            made.load_cert_chain(files["cert"], files["key"])
    except OSError as error:  # ssl.SSLError is one
        what = error.strerror or str(error)
        raise EngineUnavailable(
            f"the TLS keys in {keys.folder} cannot be used: {files[name].name}: {what}",
            hint="ca.pem, cert.pem and key.pem are looked for there; DOCKER_CERT_PATH names another folder",
        ) from error
    if not keys.verify:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    return made


async def dial(address: Address, keys: Tls) -> Connection:
    """Connect and shake hands. Raises `EngineUnavailable` where one does not trust the other, or `OSError`."""
    made = context(keys)
    network = await wrap(host=address.host, port=address.port)
    reader, writer = network.reader, network.writer
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = made.wrap_bio(incoming, outgoing, server_hostname=keys.server_name or address.host)
    try:
        await _shake_hands(session, incoming, outgoing, reader, writer)
    except ssl.SSLError as error:
        writer.close()
        raise _distrust(address, keys, error) from error
    except BaseException:
        writer.close()
        raise
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    inner_reader, inner_writer = await asyncio.open_connection(sock=theirs)
    connection = await wrap(sock=ours)
    broken: list[ssl.SSLError] = []
    tasks = [
        asyncio.create_task(_outward(session, outgoing, inner_reader, writer), name="TLS out"),
        asyncio.create_task(_inward(session, incoming, outgoing, reader, writer, inner_writer, broken)),
    ]

    def release() -> None:
        for task in tasks:
            task.cancel()
        with suppress(RuntimeError):
            writer.close()
            inner_writer.close()

    async def why() -> EngineUnavailable | None:
        return _distrust(address, keys, broken[0]) if broken else None

    connection.release, connection.why = release, why
    return connection


async def _shake_hands(
    session: ssl.SSLObject,
    incoming: ssl.MemoryBIO,
    outgoing: ssl.MemoryBIO,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    while True:
        try:
            session.do_handshake()
            done = True
        except ssl.SSLWantReadError:
            done = False
        finally:  # an alert about what went wrong is for the other side to know
            if data := outgoing.read():
                writer.write(data)
        if done:
            return
        data = await reader.read(PIECE)
        if not data:
            raise ConnectionResetError("the other side closed the connection during the TLS handshake")
        incoming.write(data)


async def _outward(
    session: ssl.SSLObject, outgoing: ssl.MemoryBIO, source: asyncio.StreamReader, sink: asyncio.StreamWriter
) -> None:
    with suppress(ConnectionError):
        while data := await source.read(PIECE):
            session.write(data)
            sink.write(outgoing.read())
            await sink.drain()
        # Sends close_notify; what the other side still has to say is read in the other direction.
        with suppress(ssl.SSLError):
            session.unwrap()
        sink.write(outgoing.read())
        await sink.drain()


async def _inward(
    session: ssl.SSLObject,
    incoming: ssl.MemoryBIO,
    outgoing: ssl.MemoryBIO,
    source: asyncio.StreamReader,
    back: asyncio.StreamWriter,
    sink: asyncio.StreamWriter,
    broken: list[ssl.SSLError],
) -> None:
    with suppress(ConnectionError):
        try:
            while data := await source.read(PIECE):
                incoming.write(data)
                while plain := _read(session):
                    sink.write(plain)
                if answer := outgoing.read():  # a key update
                    back.write(answer)
                await sink.drain()
        except ssl.SSLZeroReturnError:
            pass
        except ssl.SSLError as error:  # in TLS 1.3 a server says after the handshake that it knows us not
            broken.append(error)
    with suppress(OSError, RuntimeError):
        sink.close()


def _read(session: ssl.SSLObject) -> bytes:
    try:
        return session.read(PIECE)
    except ssl.SSLWantReadError:
        return b""


def _distrust(address: Address, keys: Tls, error: ssl.SSLError) -> EngineUnavailable:
    if isinstance(error, ssl.SSLCertVerificationError):
        return EngineUnavailable(
            f"the engine at {address} is not trusted: {error.verify_message}",
            hint=f"its certificate must be signed by {keys.folder / 'ca.pem'} and name {keys.server_name or address.host}",
        )
    reason = (error.reason or str(error)).replace("_", " ").lower()
    if "alert" in reason:
        return EngineUnavailable(
            f"the engine at {address} refuses us: {reason}",
            hint=f"it wants a certificate that it trusts; cert.pem and key.pem are looked for in {keys.folder}",
        )
    if "wrong version" in reason or "http request" in reason:
        return EngineUnavailable(
            f"the engine at {address} does not speak TLS", hint="unset DOCKER_TLS_VERIFY for it"
        )
    return EngineUnavailable(f"no TLS with the engine at {address}: {reason}")
