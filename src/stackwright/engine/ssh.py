"""Engines on other machines, through ssh: the connection is a process, `ssh HOST docker system dial-stdio`.

The same as the docker command does, so what works for it works here: the same keys, the same
`~/.ssh/config`, nothing to install over there but the engine's own command.
"""

from __future__ import annotations

import asyncio
import shlex
import shutil
import socket
import subprocess
import tempfile
from typing import IO

from stackwright.engine.address import Address
from stackwright.engine.connection import Connection, wrap
from stackwright.engine.errors import EngineUnavailable

AT_ONCE = 4
"""How many logins go on at once. sshd drops some of those beyond ten (`MaxStartups`)."""
CONNECT_SECONDS = 30
PING = b"GET /_ping HTTP/1.1\r\nHost: engine\r\n\r\n"

_gates: dict[asyncio.AbstractEventLoop, asyncio.Semaphore] = {}


def command(address: Address) -> list[str]:
    """The words that make a connection.

    >>> command(Address.parse("ssh://me@far:2222"))[-3:]
    ['--', 'far', 'docker system dial-stdio']
    """
    words = ["ssh", "-o", f"ConnectTimeout={CONNECT_SECONDS}", "-T"]
    if address.user:
        words += ["-l", address.user]
    if address.port:
        words += ["-p", str(address.port)]
    remote = [address.program]
    if address.path:
        remote += ["--url" if address.program == "podman" else "--host", f"unix://{address.path}"]
    # One word: the shell over there splits it.
    return [*words, "--", address.host, shlex.join([*remote, "system", "dial-stdio"])]


async def dial(address: Address) -> Connection:
    """Log in and find the engine there. Raises `EngineUnavailable` with what ssh said."""
    if not shutil.which("ssh"):
        raise EngineUnavailable(
            f"{address} needs the ssh command, which is not installed", hint="install openssh-client"
        )
    gate = _gates.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(AT_ONCE))
    async with gate:
        connection = await _spawn(address)
        try:
            await _greet(connection)
        except BaseException as error:
            reason = await connection.why() if isinstance(error, (EOFError, ConnectionError)) else None
            connection.close()
            if reason is not None:
                raise reason from None
            raise
    return connection


async def _greet(connection: Connection) -> None:
    """One request to its end: only then is it known that the login and the command worked."""
    connection.writer.write(PING)
    head = (await connection.reader.readuntil(b"\r\n\r\n")).lower()
    length = head.partition(b"content-length:")[2].partition(b"\r\n")[0].strip()
    await connection.reader.readexactly(int(length or 0))


async def _spawn(address: Address) -> Connection:
    ours, theirs = socket.socketpair()
    words: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the connection
    try:
        # A session of its own: Ctrl-C is for us, and we need the connection to end things properly.
        process = subprocess.Popen(  # noqa: ASYNC220 - returns at once
            command(address),
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
            stderr=words,
            start_new_session=True,
        )
    except OSError:
        ours.close()
        words.close()
        raise
    finally:
        theirs.close()
    ours.setblocking(False)
    connection = await wrap(sock=ours)

    def release() -> None:
        words.close()
        if process.poll() is None:
            process.terminate()

    async def why() -> EngineUnavailable:
        for _ in range(100):  # its output is complete when it has ended
            if process.poll() is not None:
                break
            await asyncio.sleep(0.02)
        return _explain(address, process.poll(), words)

    connection.release, connection.why = release, why
    return connection


def _explain(address: Address, code: int | None, words: IO[bytes]) -> EngineUnavailable:
    words.seek(0)
    lines = [line.strip() for line in words.read().decode("utf-8", "replace").splitlines() if line.strip()]
    said = "; ".join(lines[-3:]) or f"ssh ended with exit code {code}"
    who = f"{address.user}@{address.host}" if address.user else address.host
    port = f"-p {address.port} " if address.port else ""
    if code == 255:  # ssh(1): an error of ssh itself
        return EngineUnavailable(
            f"no ssh connection to {address}: {said}", hint=f"try it by hand: ssh {port}{who} true"
        )
    if code == 127:
        return EngineUnavailable(
            f"there is no {address.program} command on {address.host}: {said}",
            hint=f"install it there; ssh {port}{who} {address.program} version must work",
        )
    return EngineUnavailable(
        f"no engine answers at {address}: {said}",
        hint=f"ssh works; see what the engine says: ssh {port}{who} {address.program} version",
    )
