"""The solves under way: what two services and three connections have to say about one build meets here."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from contextlib import suppress

from stackwright.embedded.buildkit import messages_pb2 as pb
from stackwright.embedded.buildkit.progress import Progress
from stackwright.embedded.errors import NotFound

_REMEMBERED = 64
"""Solves that are over, for clients that ask for their status late."""
_ARRIVES_WITHIN = 10.0


class Solve:
    """One ``Control.Solve``. A client that steers by itself (``LLBBridge``) builds and then returns the result."""

    def __init__(self, ref: str) -> None:
        loop = asyncio.get_running_loop()
        self.ref = ref
        self.progress = Progress(ref)
        self.asked: asyncio.Future[pb.SolveRequest] = loop.create_future()
        """What ``Control.Solve`` was asked."""
        self.returned: asyncio.Future[pb.ReturnRequest] = loop.create_future()
        self.dockerfile = ""
        """The text of the one built last, to show where it failed."""

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.progress.over


class Solves:
    """All of them, by their clients' references."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Solve] = OrderedDict()

    def get(self, ref: str) -> Solve:
        """The solve of this reference, new when nobody mentioned it before."""
        if ref not in self._known:
            self._known[ref] = Solve(ref)
            over = [known for known in self._known.values() if known.over]
            for known in over[: max(0, len(over) - _REMEMBERED)]:
                del self._known[known.ref]
        return self._known[ref]

    async def asked(self, ref: str) -> tuple[Solve, pb.SolveRequest]:
        """A solve and its request, waiting for it for a while; NotFound after that."""
        solve = self.get(ref)
        with suppress(TimeoutError):
            async with asyncio.timeout(_ARRIVES_WITHIN):
                return solve, await asyncio.shield(solve.asked)
        raise NotFound(f"no such build: {ref}")
