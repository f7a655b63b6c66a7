"""What becomes of a solve's result: named in the engine's image store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stackwright.embedded.buildkit import messages_pb2 as pb
from stackwright.embedded.buildkit.progress import VertexProgress
from stackwright.embedded.buildkit.solves import Solve
from stackwright.embedded.errors import BadParameter, EngineError, NotImplementedYet
from stackwright.embedded.images.reference import Reference
from stackwright.embedded.images.service import ImageService

_STORE = ("moby", "image")


@dataclass(frozen=True, slots=True)
class Exporter:
    """One ``--output``."""

    kind: str
    attributes: Mapping[str, str]

    @property
    def names(self) -> list[Reference]:
        """The tags that an image gets."""
        names = [name for name in self.attributes.get("name", "").split(",") if name]
        return [Reference.parse(name).tagged() for name in names]


class Exports:
    """Over the image store."""

    def __init__(self, images: ImageService) -> None:
        self._images = images

    def checked(self, asked: pb.SolveRequest) -> list[Exporter]:
        """What is asked for, refused before anything is built where this engine cannot do it."""
        if asked.Cache.Exports:
            kinds = ", ".join(entry.Type for entry in asked.Cache.Exports)
            if any(entry.Type != "inline" for entry in asked.Cache.Exports):
                raise NotImplementedYet(
                    f"cache export ({kinds}) is not supported: push the image and give it to cache_from"
                )
        found = [Exporter(one.Type, dict(one.Attrs)) for one in asked.Exporters]
        if not found and asked.ExporterDeprecated:
            found = [Exporter(asked.ExporterDeprecated, dict(asked.ExporterAttrsDeprecated))]
        for exporter in found:
            if exporter.kind not in _STORE:
                raise NotImplementedYet(f"exporter {exporter.kind!r} is not supported by this engine")
            if exporter.attributes.get("push") == "true":
                raise NotImplementedYet("pushing from the build is not supported: push the image afterwards")
            for name in exporter.names:
                if name.digest:
                    raise BadParameter("build tag cannot contain a digest")
        return found

    async def export(
        self, exporters: Sequence[Exporter], image: str, solve: Solve, asked: pb.SolveRequest
    ) -> dict[str, str]:
        """Export ``image`` (an id, or empty for no result); what the client is told of it."""
        if not image:
            return {}
        response = {"containerimage.digest": image, "containerimage.config.digest": image}
        for exporter in exporters:
            vertex = solve.progress.vertex("exporting to image")
            try:
                response |= self._name(exporter, image, vertex)
            except EngineError as error:
                vertex.done(error.message)
                raise
            vertex.done()
        return response

    def _name(self, exporter: Exporter, image: str, vertex: VertexProgress) -> dict[str, str]:
        vertex.status("exporting layers", over=True)
        vertex.status(f"writing image {image}", over=True)
        for name in exporter.names:
            self._images.catalogue.name(name, image)
            vertex.status(f"naming to {name.canonical}", over=True)
        return {"image.name": ",".join(name.canonical for name in exporter.names)} if exporter.names else {}
