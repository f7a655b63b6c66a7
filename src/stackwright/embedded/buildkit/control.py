"""BuildKit's ``Control`` service: solves, their status, and what there is to know of the builder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from grpclib.const import Cardinality, Handler, Status
from grpclib.exceptions import GRPCError
from grpclib.server import Stream

from stackwright.embedded.buildkit import messages_pb2 as pb
from stackwright.embedded.buildkit.export import Exports
from stackwright.embedded.buildkit.rpc import as_rpc_error, unary
from stackwright.embedded.buildkit.session import Sessions
from stackwright.embedded.buildkit.solves import Solve, Solves
from stackwright.embedded.buildkit.tunnel import tunnelled
from stackwright.embedded.buildkit.work import Work
from stackwright.embedded.errors import BadParameter, EngineError, NotImplementedYet
from stackwright.embedded.images.service import ImageService
from stackwright.embedded.images.types import Platform

_SERVICE = "/moby.buildkit.v1.Control"
_VERSION = pb.BuildkitVersion(package="github.com/moby/buildkit", version="v0.13.0-stackwright")


class Control:
    """Over the work of builds and the image store."""

    def __init__(
        self, solves: Solves, work: Work, exports: Exports, images: ImageService, sessions: Sessions
    ) -> None:
        self._solves, self._work, self._exports = solves, work, exports
        self._images, self._sessions = images, sessions

    def methods(self) -> dict[str, Handler]:
        """Path → method."""
        one, both = Cardinality.UNARY_STREAM, Cardinality.STREAM_STREAM
        return {
            f"{_SERVICE}/Info": unary(pb.Empty, pb.InfoResponse, self._info),
            f"{_SERVICE}/ListWorkers": unary(pb.ListWorkersRequest, pb.ListWorkersResponse, self._workers),
            f"{_SERVICE}/Solve": unary(pb.SolveRequest, pb.SolveResponse, self._solve),
            f"{_SERVICE}/Status": Handler(self._status, one, pb.StatusRequest, pb.StatusResponse),
            f"{_SERVICE}/Session": Handler(self._session, both, pb.BytesMessage, pb.BytesMessage),
            f"{_SERVICE}/DiskUsage": unary(pb.Empty, pb.DiskUsageResponse, self._disk_usage),
            f"{_SERVICE}/Prune": Handler(self._prune, one, pb.Empty, pb.UsageRecord),
            f"{_SERVICE}/ListenBuildHistory": Handler(self._history, one, pb.Empty, pb.BuildHistoryEvent),
        }

    async def _info(self, asked: pb.Empty, metadata: Mapping[str, Any]) -> pb.InfoResponse:
        return pb.InfoResponse(buildkitVersion=_VERSION)

    async def _workers(
        self, asked: pb.ListWorkersRequest, metadata: Mapping[str, Any]
    ) -> pb.ListWorkersResponse:
        return pb.ListWorkersResponse(record=[worker()])

    async def _solve(self, asked: pb.SolveRequest, metadata: Mapping[str, Any]) -> pb.SolveResponse:
        solve = self._solves.get(asked.Ref)
        if solve.asked.done():
            raise BadParameter(f"there is a build of the reference {asked.Ref!r} already")
        solve.asked.set_result(asked)
        try:
            return await self._carry_out(solve, asked)
        finally:
            self._work.forget(solve.ref)
            solve.progress.end()

    async def _carry_out(self, solve: Solve, asked: pb.SolveRequest) -> pb.SolveResponse:
        exporters = self._exports.checked(asked)
        if asked.definition.ops:
            raise NotImplementedYet("this engine builds Dockerfiles, no definitions of other frontends")
        if asked.Frontend:
            image = await self._work.build(
                solve, asked, asked.Frontend, asked.FrontendAttrs, asked.FrontendInputs
            )
        else:
            returned = await solve.returned
            if returned.HasField("error"):
                raise GRPCError(
                    Status(returned.error.code), returned.error.message, list(returned.error.details)
                )
            image = self._work.image_of(returned.result)
        return pb.SolveResponse(ExporterResponse=await self._exports.export(exporters, image, solve, asked))

    async def _status(self, stream: Stream[pb.StatusRequest, pb.StatusResponse]) -> None:
        asked = await stream.recv_message()
        if asked is None:
            return
        async for response in self._solves.get(asked.Ref).progress.follow():
            await stream.send_message(response)

    async def _session(self, stream: Stream[pb.BytesMessage, pb.BytesMessage]) -> None:
        try:
            await tunnelled(stream, self._sessions)
        except EngineError as error:
            raise as_rpc_error(error) from error

    async def _disk_usage(self, asked: pb.Empty, metadata: Mapping[str, Any]) -> pb.DiskUsageResponse:
        return pb.DiskUsageResponse()

    async def _prune(self, stream: Stream[pb.Empty, pb.UsageRecord]) -> None:
        await stream.recv_message()
        try:
            freed = await self._images.prune_build_cache()
        except EngineError as error:
            raise GRPCError(Status.UNKNOWN, error.message) from error
        if size := int(freed.get("SpaceReclaimed") or 0):
            await stream.send_message(pb.UsageRecord(ID="build-cache", Size=size, RecordType="regular"))
        else:
            await stream.send_trailing_metadata()

    async def _history(self, stream: Stream[pb.Empty, pb.BuildHistoryEvent]) -> None:
        """No history is kept: there is nothing to list."""
        await stream.recv_message()
        await stream.send_trailing_metadata()


def worker() -> pb.WorkerRecord:
    """What this builder is to its clients."""
    host = Platform.host()
    platform = pb.Platform(Architecture=host.architecture, OS=host.os, Variant=host.variant)
    return pb.WorkerRecord(
        ID="stackwright",
        Labels={"org.mobyproject.buildkit.worker.executor": "stackwright"},
        platforms=[platform],
        buildkitVersion=_VERSION,
    )
