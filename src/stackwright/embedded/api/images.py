"""Routes of /images, /commit and /distribution (Engine API 1.50, Image, Distribution)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from aiohttp import web

from stackwright.embedded.api.call import Call, answer, begin_stream
from stackwright.embedded.api.progress import Emit, stream_progress
from stackwright.embedded.api.routing import Route
from stackwright.embedded.errors import BadParameter, NotImplementedYet
from stackwright.embedded.images.changes import apply_changes
from stackwright.embedded.images.reference import Reference
from stackwright.embedded.images.types import RegistryAuth
from stackwright.embedded.lifecycle.changed import by_the_engine
from stackwright.embedded.lifecycle.config import to_docker
from stackwright.embedded.lifecycle.engine import Engine


class ImageRoutes:
    """Over ImageService; each change is told to the event bus."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._images = engine.services.images

    def table(self) -> list[Route]:
        """The routes. Names hold slashes, so the more particular patterns come first."""
        return [
            Route("GET", "/images/json", self.list),
            Route("POST", "/images/create", self.create, follows=True),
            Route("POST", "/images/load", self.load, follows=True),
            Route("POST", "/images/prune", self.prune),
            Route("GET", "/images/search", self.search),
            Route("GET", "/images/get", self.save, follows=True),
            Route("GET", "/images/{name:path}/get", self.save, follows=True),
            Route("GET", "/images/{name:path}/json", self.inspect),
            Route("GET", "/images/{name:path}/history", self.history),
            Route("POST", "/images/{name:path}/tag", self.tag),
            Route("POST", "/images/{name:path}/push", self.push, follows=True),
            Route("DELETE", "/images/{name:path}", self.remove),
            Route("POST", "/commit", self.commit),
            Route("GET", "/distribution/{name:path}/json", self.distribution),
        ]

    async def list(self, call: Call) -> web.StreamResponse:
        """GET /images/json?all=&filters=."""
        return answer(self._images.list(call.filters(), all_images=call.flag("all")))

    async def inspect(self, call: Call) -> web.StreamResponse:
        """GET /images/{name}/json."""
        return answer(self._images.inspect(call.path["name"]))

    async def history(self, call: Call) -> web.StreamResponse:
        """GET /images/{name}/history."""
        return answer(self._images.history(call.path["name"]))

    async def create(self, call: Call) -> web.StreamResponse:
        """POST /images/create: pull (`fromImage`) or import (`fromSrc`)."""
        if source := call.text("fromSrc"):
            return await self._import(call, source)
        name, tag = call.text("fromImage"), call.text("tag")
        if not name:
            raise BadParameter("fromImage or fromSrc is needed")
        reference = with_tag(name, tag)
        auth = registry_auth(call)

        async def work(emit: Emit) -> None:
            image = await self._images.pull(
                reference, platform=call.text("platform") or None, auth=auth, progress=emit
            )
            self._tell("pull", reference, image.run_config.get("Labels"))

        return await stream_progress(call, work)

    async def load(self, call: Call) -> web.StreamResponse:
        """POST /images/load: an archive of `docker save` or an OCI layout."""

        async def work(emit: Emit) -> None:
            for image in await self._images.load(call.stream(), emit):
                self._tell("load", image.id)

        # Docker answers 200 before it has read anything: clients look for the error in the stream.
        return await stream_progress(call, work, refuse=False)

    async def save(self, call: Call) -> web.StreamResponse:
        """GET /images/{name}/get and /images/get?names=: one archive."""
        names = [call.path["name"]] if "name" in call.path else call.texts("names")
        if not names:
            raise BadParameter("no image was named")
        pieces = self._images.save(names)
        response = await begin_stream(call, "application/x-tar")
        async for piece in pieces:
            await response.write(piece)
        for name in names:
            self._tell("save", self._images.get(name).id)
        return response

    async def tag(self, call: Call) -> web.StreamResponse:
        """POST /images/{name}/tag?repo=&tag=."""
        name = await self._images.tag(call.path["name"], call.text("repo"), call.text("tag"))
        self._tell("tag", Reference.parse(name).familiar, image_id=self._images.get(name).id)
        return web.Response(status=201)

    async def push(self, call: Call) -> web.StreamResponse:
        """POST /images/{name}/push?tag=."""
        name, tag, auth = call.path["name"], call.text("tag") or None, registry_auth(call)

        async def work(emit: Emit) -> None:
            await self._images.push(name, tag=tag, auth=auth, progress=emit)
            self._tell("push", name)

        return await stream_progress(call, work)

    async def remove(self, call: Call) -> web.StreamResponse:
        """DELETE /images/{name}?force=&noprune=."""
        image_id = self._images.get(call.path["name"]).id
        done = await self._images.remove(
            call.path["name"], force=call.flag("force"), prune=not call.flag("noprune")
        )
        self._tell_removed(done, image_id)
        return answer(done)

    def _tell_removed(self, rows: Iterable[Mapping[str, str]], image_id: str = "") -> None:
        """As in Docker, an image that loses a name is called by its id."""
        for row in rows:
            for action, what in row.items():
                if action == "Untagged":
                    self._tell("untag", image_id or what)
                else:
                    self._tell("delete", what)

    async def prune(self, call: Call) -> web.StreamResponse:
        """POST /images/prune?filters=; with all of them go the snapshots that nothing was created from."""
        if "false" in call.filters().get("dangling", ()) or "0" in call.filters().get("dangling", ()):
            await self._engine.snapshots.prune()
        done = await self._images.prune(call.filters())
        self._tell_removed(done["ImagesDeleted"] or ())
        self._engine.services.events.pruned("image", done["SpaceReclaimed"])
        return answer(done)

    async def commit(self, call: Call) -> web.StreamResponse:
        """POST /commit?container=&repo=&tag=&changes=: an image of what a container changed."""
        container = self._engine.services.containers.get(call.text("container"))
        changes = await call.json_object()
        config: dict[str, Any] = {**to_docker(container.config), **changes}
        config = apply_changes(config, call.texts("changes"))
        repository = call.text("repo")
        own = self._engine.files.own_layers(container)
        without = by_the_engine(own, self._images.lower_dirs(container.image_id))
        upper, *frozen = own
        parent = container.image_id
        for folder in reversed(frozen):  # what snapshots froze of it becomes layers of their own
            layer = await self._images.commit(
                folder, parent=parent, config=config, created_by="snapshot", without=without
            )
            parent = layer.id
        image = await self._images.commit(
            upper,
            parent=parent,
            config=config,
            created_by=" ".join(config.get("Cmd") or ()),
            comment=call.text("comment"),
            author=call.text("author"),
            references=[with_tag(repository, call.text("tag"))] if repository else [],
            without=without,
        )
        attributes = {"comment": call.text("comment"), "imageID": image.id}
        if repository:
            attributes["imageRef"] = with_tag(repository, call.text("tag"))
            familiar = Reference.parse(attributes["imageRef"]).tagged().familiar
            self._tell("tag", familiar, image_id=image.id)
        self._engine.supervisor.tell(container, "commit", attributes)
        return answer({"Id": image.id}, 201)

    async def search(self, call: Call) -> web.StreamResponse:
        """GET /images/search: there is no index to ask."""
        raise NotImplementedYet("searching Docker Hub is not supported by this engine")

    async def distribution(self, call: Call) -> web.StreamResponse:
        """GET /distribution/{name}/json: what the registry has under that name."""
        return answer(await self._images.distribution(call.path["name"], auth=registry_auth(call)))

    async def _import(self, call: Call, source: str) -> web.StreamResponse:
        if source != "-":
            raise BadParameter("only an archive in the request's body can be imported (fromSrc=-)")
        repository, tag = call.text("repo"), call.text("tag")

        async def work(emit: Emit) -> None:
            image = await self._images.import_(
                call.stream(),
                with_tag(repository, tag) if repository else "",
                changes=call.texts("changes"),
                message=call.text("message"),
                platform=call.text("platform") or None,
                progress=emit,
            )
            self._tell("import", image.id)

        return await stream_progress(call, work)

    def _tell(
        self, action: str, name: str, labels: dict[str, str] | None = None, *, image_id: str = ""
    ) -> None:
        attributes = {**(labels or {}), "name": name}
        self._engine.services.events.publish("image", action, image_id or name, attributes)


def with_tag(name: str, tag: str) -> str:
    """Name and separate tag (or digest) → one reference; a name that has a tag already keeps it."""
    if not tag:
        return name
    if tag.startswith("sha256:"):
        return f"{name}@{tag}"
    if "@" in name or ":" in name.rpartition("/")[2]:
        return name
    return f"{name}:{tag}"


def registry_auth(call: Call) -> RegistryAuth | None:
    """Credentials of the X-Registry-Auth header."""
    try:
        return RegistryAuth.from_header(call.request.headers.get("X-Registry-Auth"))
    except ValueError as error:
        raise BadParameter(str(error)) from error
