"""What a solve tells its client: vertexes (steps), their logs and statuses (Control.Status)."""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from stackwright.embedded.buildkit import messages_pb2 as pb

_KEPT = 20_000
"""Messages kept for a client that does not read; the oldest go first."""
_BATCH = 200


def now() -> Timestamp:
    """The time."""
    stamp = Timestamp()
    stamp.GetCurrentTime()
    return stamp


class Progress:
    """The messages of one solve, from whoever works on it to whoever follows."""

    def __init__(self, ref: str) -> None:
        self._ref = ref
        self._waiting: deque[pb.Vertex | pb.VertexStatus | pb.VertexLog] = deque(maxlen=_KEPT)
        self._changed = asyncio.Event()
        self.over = False
        self._count = 0

    def vertex(self, name: str, inputs: Sequence[str] = ()) -> VertexProgress:
        """A step that starts now."""
        self._count += 1
        digest = f"sha256:{hashlib.sha256(f'{self._ref} {self._count}'.encode()).hexdigest()}"
        return VertexProgress(self, pb.Vertex(digest=digest, name=name, inputs=inputs, started=now()))

    def tell(self, message: pb.Vertex | pb.VertexStatus | pb.VertexLog) -> None:
        """Pass a message on."""
        self._waiting.append(message)
        self._changed.set()

    def end(self) -> None:
        """There is nothing more to come."""
        self.over = True
        self._changed.set()

    async def follow(self) -> AsyncIterator[pb.StatusResponse]:
        """What there is to tell, until the end."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            while self._waiting:
                yield self._batch()
            if self.over:
                self._changed.set()
                return

    def _batch(self) -> pb.StatusResponse:
        response = pb.StatusResponse()
        for _ in range(min(_BATCH, len(self._waiting))):
            match self._waiting.popleft():
                case pb.Vertex() as vertex:
                    response.vertexes.append(vertex)
                case pb.VertexStatus() as status:
                    response.statuses.append(status)
                case pb.VertexLog() as log:
                    response.logs.append(log)
        return response


class VertexProgress:
    """One vertex under way; also a :class:`~stackwright.embedded.builder.watch.StepWatch` of the builder."""

    def __init__(self, progress: Progress, vertex: pb.Vertex) -> None:
        self._progress, self._vertex = progress, vertex
        self._statuses: dict[str, pb.VertexStatus] = {}
        progress.tell(self._copy())

    @property
    def digest(self) -> str:
        """Names the vertex."""
        return self._vertex.digest

    def output(self, data: bytes, stream: int = 1) -> None:
        """What the step printed; ``stream`` is 1 or 2, as a file descriptor."""
        self._progress.tell(pb.VertexLog(vertex=self.digest, timestamp=now(), stream=stream, msg=data))

    def status(self, name: str, current: int = 0, total: int = 0, *, over: bool = False) -> None:
        """How far a part of the step is, in bytes where there is a ``total``."""
        known = self._statuses.get(name)
        if known is None:
            known = pb.VertexStatus(ID=name, vertex=self.digest, started=now())
            self._statuses[name] = known
        elif known.HasField("completed"):
            return
        known.current, known.total = max(known.current, current), total
        known.timestamp.CopyFrom(now())
        if over:
            known.completed.CopyFrom(now())
        self._progress.tell(_copied(known))

    def cached(self) -> None:
        """The result was there already."""
        self._vertex.cached = True

    def done(self, error: str = "") -> None:
        """It is over."""
        for name, status in self._statuses.items():
            if not status.HasField("completed"):
                self.status(name, status.current, status.total, over=True)
        self._vertex.error = error
        self._vertex.completed.CopyFrom(now())
        self._progress.tell(self._copy())

    def _copy(self) -> pb.Vertex:
        copy = pb.Vertex()
        copy.CopyFrom(self._vertex)
        return copy


def _copied(status: pb.VertexStatus) -> pb.VertexStatus:
    copy = pb.VertexStatus()
    copy.CopyFrom(status)
    return copy


def pull_status(vertex: VertexProgress, message: dict[str, Any]) -> None:
    """A message of an image's pull (``{"id", "status", "progressDetail"}``) as a status of the vertex."""
    name, said = message.get("id"), str(message.get("status") or "")
    if not name or not said:
        return
    detail = message.get("progressDetail") or {}
    over = said in ("Pull complete", "Download complete", "Already exists")
    vertex.status(str(name), int(detail.get("current") or 0), int(detail.get("total") or 0), over=over)
