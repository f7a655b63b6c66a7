"""Where an engine listens: `unix:///run/docker.sock`, `tcp://host:2375`."""

from __future__ import annotations

from urllib.parse import urlsplit

from msgspec import Struct

from stackwright.engine.errors import EngineUnavailable


class Address(Struct, frozen=True):
    """A parsed `DOCKER_HOST`. Either `path` (unix) or `host` and `port` (tcp) is set."""

    scheme: str
    path: str = ""
    host: str = ""
    port: int = 0
    tls: bool = False

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read an address. Raises `EngineUnavailable` naming what is wrong with it."""
        if text.startswith("/"):
            return cls("unix", path=text)
        parts = urlsplit(text)
        if parts.scheme == "unix":
            path = text.removeprefix("unix://")
            if not path.startswith("/"):
                raise EngineUnavailable(f'engine address "{text}" needs an absolute socket path')
            return cls("unix", path=path)
        if parts.scheme in ("tcp", "http", "https"):
            try:
                port = parts.port
            except ValueError:
                port = 0
            if not parts.hostname or port == 0:
                raise EngineUnavailable(f'engine address "{text}" has no valid host and port')
            tls = parts.scheme == "https"
            return cls("tcp", host=parts.hostname, port=port or (2376 if tls else 2375), tls=tls)
        raise EngineUnavailable(
            f'engine address "{text}" is not understood',
            hint="write it as unix:///path/to/engine.sock or tcp://host:port",
        )

    def __str__(self) -> str:
        return f"unix://{self.path}" if self.scheme == "unix" else f"tcp://{self.host}:{self.port}"
