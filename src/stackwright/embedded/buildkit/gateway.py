"""BuildKit's ``LLBBridge``: how buildx and docker compose steer a solve from their side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from grpclib.const import Handler

from stackwright.embedded.buildkit import messages_pb2 as pb
from stackwright.embedded.buildkit.control import worker
from stackwright.embedded.buildkit.rpc import unary
from stackwright.embedded.buildkit.solves import Solves
from stackwright.embedded.buildkit.work import Work
from stackwright.embedded.errors import BadParameter

_SERVICE = "/moby.buildkit.v1.frontend.LLBBridge"
_BUILD_ID = "buildkit-controlapi-buildid"
_CAPABILITIES = (
    "solve.base",
    "importcaches",
    "return",
    "returnmap",
    "proto.refarray",
    "reference.output",
    "frontend.inputs",
    "gateway.solve.metadata",
    "frontend.caps",
    "gateway.solve.evaluate",
    "gateway.evaluate",
)
"""What clients may ask of this service (BuildKit's frontend/gateway/pb/caps.go)."""
_SOURCES = ("source.image", "source.local", "platform", "constraints", "meta.description", "meta.ignorecache")


class Gateway:
    """Over the work of builds."""

    def __init__(self, solves: Solves, work: Work) -> None:
        self._solves, self._work = solves, work

    def methods(self) -> dict[str, Handler]:
        """Path → method."""
        return {
            f"{_SERVICE}/Ping": unary(pb.Empty, pb.PongResponse, self._ping),
            f"{_SERVICE}/Solve": unary(pb.GatewaySolveRequest, pb.GatewaySolveResponse, self._solve),
            f"{_SERVICE}/Evaluate": unary(pb.Empty, pb.Empty, self._evaluate),
            f"{_SERVICE}/Return": unary(pb.ReturnRequest, pb.Empty, self._return),
        }

    async def _ping(self, asked: pb.Empty, metadata: Mapping[str, Any]) -> pb.PongResponse:
        await self._solves.asked(_build_id(metadata))
        return pb.PongResponse(
            FrontendAPICaps=[pb.APICap(ID=name, Enabled=True) for name in _CAPABILITIES],
            LLBCaps=[pb.APICap(ID=name, Enabled=True) for name in _SOURCES],
            Workers=[worker()],
        )

    async def _solve(
        self, asked: pb.GatewaySolveRequest, metadata: Mapping[str, Any]
    ) -> pb.GatewaySolveResponse:
        solve, request = await self._solves.asked(_build_id(metadata))
        image = await self._work.build(
            solve, request, asked.Frontend, asked.FrontendOpt, asked.FrontendInputs
        )
        return pb.GatewaySolveResponse(result=self._work.result(image))

    async def _evaluate(self, asked: pb.Empty, metadata: Mapping[str, Any]) -> pb.Empty:
        """A result was built before anybody got a reference to it."""
        return pb.Empty()

    async def _return(self, asked: pb.ReturnRequest, metadata: Mapping[str, Any]) -> pb.Empty:
        solve, _ = await self._solves.asked(_build_id(metadata))
        if not solve.returned.done():
            solve.returned.set_result(asked)
        return pb.Empty()


def _build_id(metadata: Mapping[str, Any]) -> str:
    found = metadata.get(_BUILD_ID)
    if not found:
        raise BadParameter(f"{_BUILD_ID} is missing: the call does not say which build it belongs to")
    return str(found)
