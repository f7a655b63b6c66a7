"""BuildKit for the routes: protocols for connections that they have taken over."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from stackwright.embedded.builder.service import Builder
from stackwright.embedded.buildkit.control import Control
from stackwright.embedded.buildkit.export import Exports
from stackwright.embedded.buildkit.gateway import Gateway
from stackwright.embedded.buildkit.rpc import serving
from stackwright.embedded.buildkit.session import ClientSession, Sessions
from stackwright.embedded.buildkit.solves import Solves
from stackwright.embedded.buildkit.work import Work
from stackwright.embedded.images.service import ImageService


class BuildKit:
    """``announce`` is told the id of every image that was built."""

    def __init__(
        self, builder: Builder, images: ImageService, announce: Callable[[str], None], host_ca: Path | None
    ) -> None:
        logging.getLogger("grpclib").setLevel(logging.WARNING)  # a client that goes away is no news
        self.sessions = Sessions()
        solves = Solves()
        work = Work(builder, images, self.sessions, announce, host_ca)
        control = Control(solves, work, Exports(images), images, self.sessions)
        self._methods = {**control.methods(), **Gateway(solves, work).methods()}

    def control(self) -> asyncio.Protocol:
        """For a connection of ``POST /grpc``: the engine serves."""
        return serving(self._methods)

    @staticmethod
    def session(headers: Mapping[str, str]) -> ClientSession:
        """For a connection of ``POST /session``: the engine calls, by its ``channel.protocol``."""
        return ClientSession(headers)
