"""Turns a solve into a build of the engine's own builder, and results into references that clients hand back."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

from stackwright.embedded.builder.arguments import platform_arguments
from stackwright.embedded.builder.errors import BuildFailed, StepFailed
from stackwright.embedded.builder.service import Builder
from stackwright.embedded.buildkit import messages_pb2 as pb
from stackwright.embedded.buildkit.failure import SolveFailed
from stackwright.embedded.buildkit.named import named_contexts
from stackwright.embedded.buildkit.options import FRONTENDS, cache_references, options_from_attributes
from stackwright.embedded.buildkit.session import Sessions
from stackwright.embedded.buildkit.solves import Solve
from stackwright.embedded.buildkit.source import SessionFiles
from stackwright.embedded.buildkit.watch import VertexWatch
from stackwright.embedded.errors import BadParameter, NotImplementedYet
from stackwright.embedded.images.service import ImageService
from stackwright.embedded.images.types import Platform

_RESULT = "docker-image://stackwright.invalid/result@"
"""How a result is written into a definition: by the id of its image."""


class Work:
    """``announce`` is told the id of every image that was built."""

    def __init__(
        self,
        builder: Builder,
        images: ImageService,
        sessions: Sessions,
        announce: Callable[[str], None],
        host_ca: Path | None,
    ) -> None:
        self._builder, self._images, self._sessions = builder, images, sessions
        self._announce, self._host_ca = announce, host_ca
        self._leased: dict[str, list[str]] = defaultdict(list)

    async def build(
        self,
        solve: Solve,
        request: pb.SolveRequest,
        frontend: str,
        attributes: Mapping[str, str],
        inputs: Mapping[str, pb.Definition],
    ) -> str:
        """Build; returns the image's id, which is kept until :meth:`forget`. Raises EngineError."""
        if frontend not in FRONTENDS:
            raise NotImplementedYet(f"frontend {frontend!r}: this engine reads Dockerfiles")
        session = await self._sessions.get(request.Session)
        cache = cache_references([(entry.Type, entry.Attrs) for entry in request.Cache.Imports])
        options = options_from_attributes(
            attributes,
            session,
            cache=cache,
            host_ca=self._host_ca,
            contexts=named_contexts(attributes, inputs, session, solve.progress, image_of_definition),
        )
        files = SessionFiles(
            session,
            solve.progress,
            options.dockerfile,
            attributes.get("contextkey") or "context",
            attributes.get("dockerfilekey") or "dockerfile",
        )
        platform = Platform.parse(options.platform) if options.platform else Platform.host()
        variables = {**platform_arguments(platform), **{k: v or "" for k, v in options.build_args.items()}}
        watch = VertexWatch(solve.progress, variables, options.contexts)
        try:
            context = _no_body() if options.remote else files
            image = await self._builder.build(context, options, _unheard, watch)
        except BuildFailed as error:
            if isinstance(error.__cause__, StepFailed):
                raise SolveFailed(error.__cause__, options.dockerfile, files.text) from error
            raise
        self._images.leases[image] += 1
        self._leased[solve.ref].append(image)
        self._announce(image)
        return image

    def forget(self, ref: str) -> None:
        """A solve is over: its results are no longer held."""
        self._images.leases.subtract(self._leased.pop(ref, []))

    @staticmethod
    def result(image: str) -> pb.Result:
        """A result that a client can return, or hand to another solve as an input."""
        return pb.Result(ref=pb.Ref(id=image, definition=_definition(image)))

    @staticmethod
    def image_of(result: pb.Result) -> str:
        """The image of a result that a client returned; empty for none."""
        match result.WhichOneof("result"):
            case "ref":
                return result.ref.id
            case "refDeprecated":
                return result.refDeprecated
            case "refs" if len(result.refs.refs) == 1:
                return next(iter(result.refs.refs.values())).id
            case "refs":
                raise NotImplementedYet("a result for several platforms")
        return ""


def _definition(image: str) -> pb.Definition:
    source = pb.Op(source=pb.SourceOp(identifier=f"{_RESULT}{image}")).SerializeToString()
    digest = _digest(source)
    last = pb.Op(inputs=[pb.Input(digest=digest, index=0)]).SerializeToString()
    caps = pb.OpMetadata(caps={"source.image": True})
    return pb.Definition(ops=[source, last], metadata={digest: caps, _digest(last): pb.OpMetadata()})


def image_of_definition(definition: pb.Definition) -> str:
    """The image that :meth:`Work.result` wrote down; BadParameter for a definition of anything else."""
    for packed in definition.ops:
        identifier = pb.Op.FromString(packed).source.identifier
        if identifier.startswith(_RESULT):
            return identifier.removeprefix(_RESULT)
    raise BadParameter("an input of the build is no result of a build of this engine")


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


async def _no_body() -> AsyncIterator[bytes]:
    """For a context that the engine fetches itself."""
    return
    yield b""


def _unheard(message: dict[str, Any]) -> None:
    """The classic stream, for which nobody listens here."""
