"""Routes of /volumes (Engine API 1.50, Volume)."""

from __future__ import annotations

import msgspec
from aiohttp import web

from stackwright.embedded.api.call import Call, answer, nothing
from stackwright.embedded.api.routing import Route
from stackwright.embedded.lifecycle.config import Docker
from stackwright.embedded.lifecycle.engine import Engine


class VolumeCreate(Docker):
    """Body of POST /volumes/create."""

    name: str = ""
    driver: str = "local"
    driver_opts: dict[str, str] = msgspec.field(default_factory=dict)
    labels: dict[str, str] = msgspec.field(default_factory=dict)


class VolumeRoutes:
    """Over VolumeService."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._volumes = engine.services.volumes

    def table(self) -> list[Route]:
        """The routes."""
        return [
            Route("GET", "/volumes", self.list),
            Route("POST", "/volumes/create", self.create),
            Route("POST", "/volumes/prune", self.prune),
            Route("GET", "/volumes/{name}", self.inspect),
            Route("DELETE", "/volumes/{name}", self.remove),
        ]

    async def list(self, call: Call) -> web.StreamResponse:
        """GET /volumes?filters=."""
        filters = {key: sorted(values) for key, values in call.filters().items()}
        found = [self._volumes.inspect(volume) for volume in self._volumes.list(filters)]
        return answer({"Volumes": found, "Warnings": None})

    async def create(self, call: Call) -> web.StreamResponse:
        """POST /volumes/create; with `snapshot=` (our own) a new one that starts from a frozen one."""
        wanted = await call.json(VolumeCreate)
        if reference := call.text("snapshot"):
            made = await self._engine.snapshots.create_volume(reference, wanted.name, wanted.labels)
            self._tell("create", made.name)
            return answer(self._volumes.inspect(made), 201)
        volume = await self._volumes.create(
            wanted.name,
            driver=wanted.driver or "local",
            driver_opts=wanted.driver_opts,
            labels=wanted.labels,
        )
        self._tell("create", volume.name)
        return answer(self._volumes.inspect(volume), 201)

    async def inspect(self, call: Call) -> web.StreamResponse:
        """GET /volumes/{name}."""
        return answer(self._volumes.inspect(self._volumes.get(call.path["name"])))

    async def remove(self, call: Call) -> web.StreamResponse:
        """DELETE /volumes/{name}?force=."""
        await self._volumes.remove(call.path["name"], force=call.flag("force"))
        self._tell("destroy", call.path["name"])
        return nothing()

    async def prune(self, call: Call) -> web.StreamResponse:
        """POST /volumes/prune?filters=."""
        filters = {key: sorted(values) for key, values in call.filters().items()}
        names, reclaimed = await self._volumes.prune(filters)
        for name in names:
            self._tell("destroy", name)
        self._engine.services.events.pruned("volume", reclaimed)
        return answer({"VolumesDeleted": names or None, "SpaceReclaimed": reclaimed})

    def _tell(self, action: str, name: str) -> None:
        self._engine.services.events.publish("volume", action, name, {"driver": "local"})
