"""A client that looks but never touches: what `--dry-run` gives to the verbs.

Questions go to the engine as always; everything that would change something is answered here, as the engine would
answer when all goes well.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Self

from stackwright.engine.client import JSON, EngineClient
from stackwright.engine.http import Body

_NOTHING: tuple[JSON, ...] = ()


class DryEngine(EngineClient):
    """An `EngineClient` whose changing calls do nothing."""

    @classmethod
    def beside(cls, client: EngineClient) -> Self:
        """One for the same engine as `client`, connected as that is."""
        made = cls.__new__(cls)
        made.__dict__.update(client.__dict__)
        return made

    async def create_container(self, name: str | None, config: JSON, *, platform: str | None = None) -> str:
        """Nothing is created; the id is a word for people."""
        return f"dry-run-{name}"

    async def start_container(self, container: str) -> None:
        """Nothing starts."""

    async def stop_container(self, container: str, *, timeout: int | None = None) -> None:
        """Nothing stops."""

    async def kill_container(self, container: str, signal: str = "SIGKILL") -> None:
        """No signal is sent."""

    async def restart_container(self, container: str, *, timeout: int | None = None) -> None:
        """Nothing restarts."""

    async def pause_container(self, container: str) -> None:
        """Nothing is paused."""

    async def unpause_container(self, container: str) -> None:
        """Nothing goes on."""

    async def rename_container(self, container: str, name: str) -> None:
        """Nothing is renamed."""

    async def remove_container(self, container: str, *, force: bool = False, volumes: bool = False) -> None:
        """Nothing is removed."""

    async def put_archive(self, container: str, path: str, tar: Body, **settings: bool) -> None:
        """Nothing is copied."""

    async def run_exec(self, container: str, command: Sequence[str], **config: Any) -> tuple[int, bytes]:
        """Nothing runs, successfully."""
        return 0, b""

    async def commit(self, container: str, **query: Any) -> str:
        """No image is made."""
        return f"dry-run-{container}"

    async def tag_image(self, reference: str, repo: str, tag: str) -> None:
        """No name is given."""

    async def remove_image(self, reference: str, *, force: bool = False) -> list[JSON]:
        """No image is removed."""
        return []

    async def prune_images(self, filters: JSON | None = None) -> JSON:
        """No image is removed."""
        return {}

    async def pull(
        self, reference: str, *, platform: str | None = None, auth: Mapping[str, str] | None = None
    ) -> AsyncIterator[JSON]:
        """Nothing is pulled."""
        for message in _NOTHING:
            yield message

    async def push(self, reference: str, *, auth: Mapping[str, str] | None = None) -> AsyncIterator[JSON]:
        """Nothing is pushed."""
        for message in _NOTHING:
            yield message

    async def build(self, context: Body, **settings: Any) -> AsyncIterator[JSON]:
        """Nothing is built; the context isn't even read."""
        for message in _NOTHING:
            yield message

    async def create_network(self, config: JSON) -> str:
        """No network is made."""
        return f"dry-run-{config.get('Name')}"

    async def remove_network(self, network: str) -> None:
        """No network is removed."""

    async def connect_network(self, network: str, container: str, endpoint: JSON) -> None:
        """Nothing is connected."""

    async def disconnect_network(self, network: str, container: str, *, force: bool = False) -> None:
        """Nothing is disconnected."""

    async def create_volume(self, config: JSON) -> JSON:
        """No volume is made."""
        return dict(config)

    async def remove_volume(self, volume: str, *, force: bool = False) -> None:
        """No volume is removed."""


__all__ = ["DryEngine"]
