"""Our own routes: containers and volumes frozen, to start others from (docs/engine.md, "Snapshots")."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from stackwright.embedded.api.call import Call, answer, nothing
from stackwright.embedded.api.routing import Route
from stackwright.embedded.api.times import rfc3339
from stackwright.embedded.lifecycle.engine import Engine
from stackwright.embedded.snapshots.record import Snapshot


class SnapshotRoutes:
    """Over SnapshotService. What is created from them: `snapshot=` of /containers/create and /volumes/create."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._snapshots = engine.snapshots

    def table(self) -> list[Route]:
        """The routes."""
        return [
            Route("POST", "/containers/{id}/snapshot", self.of_container),
            Route("POST", "/volumes/{name}/snapshot", self.of_volume),
            Route("GET", "/snapshots", self.list),
            Route("POST", "/snapshots/prune", self.prune),
            Route("GET", "/snapshots/{id}", self.inspect),
            Route("DELETE", "/snapshots/{id}", self.remove),
        ]

    async def of_container(self, call: Call) -> web.StreamResponse:
        """POST /containers/{id}/snapshot?name=: 201; 409 for one that runs."""
        container = self._engine.services.containers.get(call.path["id"])
        snapshot = await self._snapshots.of_container(container, call.text("name"))
        self._engine.supervisor.tell(container, "snapshot", {"snapshot": snapshot.id})
        return answer(shape(snapshot), 201)

    async def of_volume(self, call: Call) -> web.StreamResponse:
        """POST /volumes/{name}/snapshot?name=: 201; 409 while a container that uses it runs."""
        volume = self._engine.services.volumes.get(call.path["name"])
        snapshot = await self._snapshots.of_volume(volume, call.text("name"))
        self._engine.services.events.publish("volume", "snapshot", volume.name, {"snapshot": snapshot.id})
        return answer(shape(snapshot), 201)

    async def list(self, call: Call) -> web.StreamResponse:
        """GET /snapshots: newest first."""
        return answer([shape(one) for one in self._snapshots.all])

    async def inspect(self, call: Call) -> web.StreamResponse:
        """GET /snapshots/{id or name}."""
        return answer(shape(self._snapshots.all.get(call.path["id"])))

    async def remove(self, call: Call) -> web.StreamResponse:
        """DELETE /snapshots/{id or name}: 204; what was created from it stays as it is."""
        await self._snapshots.remove(call.path["id"])
        return nothing()

    async def prune(self, call: Call) -> web.StreamResponse:
        """POST /snapshots/prune: those that nothing was created from."""
        return answer({"SnapshotsDeleted": await self._snapshots.prune() or None})


def shape(snapshot: Snapshot) -> dict[str, Any]:
    """A snapshot as JSON."""
    return {
        "Id": snapshot.id,
        "Name": snapshot.name,
        "Created": rfc3339(snapshot.created_ns),
        "Kind": snapshot.kind,
        "Source": {"Id": snapshot.source_id, "Name": snapshot.source_name},
        "Image": snapshot.image_id,
        "Volumes": [{"Name": one.name, "Destination": one.destination} for one in snapshot.volumes],
        "CopiedBytes": snapshot.copied,
    }
