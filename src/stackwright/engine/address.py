"""Where an engine listens, as DOCKER_HOST writes it: a Unix socket, TCP with or without TLS, or through ssh."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from msgspec import Struct, structs

from stackwright.engine.errors import EngineUnavailable


class Tls(Struct, frozen=True):
    """Keys for TLS: a folder with `ca.pem`, `cert.pem` and `key.pem`, each of which may be missing.

    `verify`: whether the engine must prove with a certificate who it is; `server_name`: of whom, if not
    of the host in the address.
    """

    folder: Path
    verify: bool = True
    server_name: str = ""


class Address(Struct, frozen=True):
    """A parsed address.

    `unix`: `path`. `tcp`: `host`, `port`, perhaps `tls`. `ssh`: `host`, perhaps `user`, `port` (0: ssh's own)
    and the `path` of a socket over there.
    """

    scheme: str
    path: str = ""
    host: str = ""
    port: int = 0
    user: str = ""
    tls: Tls | None = None
    program: str = "docker"
    """Whose `system dial-stdio` speaks for the engine at the other end of ssh: docker or podman."""

    @classmethod
    def parse(cls, text: str, tls: Tls | None = None) -> Address:
        """Read an address. `tls`: keys, for an address over TCP.

        Raises `EngineUnavailable` naming what is wrong with it.
        """
        if text.startswith("/"):
            return cls("unix", path=text)
        parts = urlsplit(text)
        if parts.scheme == "unix":
            path = text.removeprefix("unix://")
            if not path.startswith("/"):
                raise EngineUnavailable(f'engine address "{text}" needs an absolute socket path')
            return cls("unix", path=path)
        if parts.scheme in ("tcp", "http", "https"):
            port = _port(parts, text)
            if not parts.hostname or port == 0:
                raise EngineUnavailable(f'engine address "{text}" has no valid host and port')
            if parts.scheme == "https" and tls is None:
                tls = Tls(Path("~/.docker").expanduser())
            return cls("tcp", host=parts.hostname, port=port or (2376 if tls else 2375), tls=tls)
        if parts.scheme == "ssh":
            return _ssh(parts, text)
        raise EngineUnavailable(
            f'engine address "{text}" is not understood',
            hint="write it as unix:///path/to/engine.sock, tcp://host:port or ssh://user@host",
        )

    def through(self, program: str) -> Address:
        """The same place, asked for with another program at the other end of ssh."""
        return structs.replace(self, program=program)

    def __str__(self) -> str:
        if self.scheme == "unix":
            return f"unix://{self.path}"
        user = f"{self.user}@" if self.user else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{user}{host}{f':{self.port}' if self.port else ''}{self.path}"


def _port(parts: SplitResult, text: str) -> int | None:
    try:
        return parts.port
    except ValueError:
        raise EngineUnavailable(f'engine address "{text}" has no valid host and port') from None


def _ssh(parts: SplitResult, text: str) -> Address:
    if not parts.hostname:
        raise EngineUnavailable(f'engine address "{text}" names no host')
    # ssh would take either for one of its options.
    if parts.hostname.startswith("-") or (parts.username or "").startswith("-"):
        raise EngineUnavailable(f'engine address "{text}" is not understood: a name begins with "-"')
    if parts.password:
        raise EngineUnavailable(
            f"the engine address for {parts.hostname} has a password in it",
            hint="ssh takes none there: use a key, and an agent that knows its passphrase",
        )
    if parts.query or parts.fragment:
        raise EngineUnavailable(f'engine address "{text}" has more than user, host, port and path')
    user, path = unquote(parts.username or ""), "" if parts.path == "/" else parts.path
    return Address("ssh", path=path, host=parts.hostname, port=_port(parts, text) or 0, user=user)
