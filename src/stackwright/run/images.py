"""Getting the image of every service: local, pulled, built, or a stand-in where nothing else works."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from msgspec import Struct, field

from stackwright.engine.client import split_reference
from stackwright.engine.errors import PullFailed
from stackwright.model.types import Service
from stackwright.plan.labels import image_name
from stackwright.run.errors import ImageMissing
from stackwright.run.events import Note, Output, Progress, Transfer, printed
from stackwright.run.session import Session, image_id, place


class Images(Struct):
    """Ensures images once each per command, however many services share them.

    `pull`: always, missing, never, or None for each service's own `pull_policy`.
    `build`: True builds whatever can be built; False (`--no-build`) nothing.
    """

    session: Session
    pull: str | None = None
    build: bool | None = None
    no_cache: bool = False
    quiet_pull: bool = False
    quiet_build: bool = False
    build_args: dict[str, str | None] = field(default_factory=dict)
    _running: dict[str, asyncio.Task[str]] = field(default_factory=dict)

    async def _once(self, key: str, work: Callable[[], Awaitable[str]]) -> str:
        if key not in self._running:
            # Owned by whoever asks first; the others wait for the same result.
            self._running[key] = asyncio.ensure_future(work())
        task = self._running[key]
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.cancel()
            raise

    async def ensure(self, service: Service, known: str = "") -> str:
        """The image's id, after pulling or building it if that is needed. `known`: its id, if observed."""
        name = image_name(self.session.project.name, service)
        policy = self.pull or service.pull_policy or "missing"
        if service.build is not None:
            if self._must_build(policy, known):
                return await self._once(f"build:{name}", lambda: self._build(service, name))
            if not known:
                raise ImageMissing(
                    f"image {name} of service {service.name} is not built",
                    hint="leave out --no-build",
                    place=place(self.session.project, f"services.{service.name}.build"),
                )
            return known
        if known and policy not in ("always",):
            return known
        where = place(self.session.project, f"services.{service.name}.image")
        if policy == "never":
            raise ImageMissing(
                f"image {name} of service {service.name} is not on the engine, and pull_policy is never",
                place=where,
            )
        return await self.reference(name, service.platform, where=where, refresh=policy == "always")

    def _must_build(self, policy: str, known: str) -> bool:
        if self.build is False:
            return False
        return bool(self.build) or policy == "build" or not known

    async def reference(
        self, name: str, platform: str = "", *, where: str = "", refresh: bool = False
    ) -> str:
        """Have the image `name` on the engine and return its id. Raises `ImageMissing`."""
        return await self._once(
            "image:" + ":".join(split_reference(name)), lambda: self._obtain(name, platform, where, refresh)
        )

    async def _obtain(self, name: str, platform: str, where: str, refresh: bool) -> str:
        session = self.session
        known = await image_id(session.engine, name)
        if known and not refresh:
            return known
        if session.images == "recipe":
            return await self._stand_in(name, where, None)
        try:
            await self._pull(name, platform)
        except PullFailed as error:
            session.emit(Progress(name, "Error" if not known else "Not refreshed", "warning", error.message))
            if known and error.unreachable:
                session.emit(
                    Note(f"{name}: the registry cannot be reached, the local image is used", warning=True)
                )
                return known
            if session.images == "auto" and error.unreachable:
                return await self._stand_in(name, where, error)
            raise self._missing(name, where, error) from error
        return await image_id(session.engine, name)

    async def _pull(self, name: str, platform: str) -> None:
        emit = self.session.emit
        emit(Progress(name, "Pulling"))
        async for message in self.session.engine.pull(name, platform=platform or None):
            if "id" in message and not self.quiet_pull:
                detail = message.get("progressDetail") or {}
                emit(
                    Transfer(
                        name,
                        str(message["id"]),
                        str(message.get("status", "")),
                        int(detail.get("current") or 0),
                        int(detail.get("total") or 0),
                    )
                )
        emit(Progress(name, "Pulled", "done"))

    async def _stand_in(self, name: str, where: str, cause: PullFailed | None) -> str:
        """Build the recipe's stand-in for `name`; says that it is one."""
        from stackwright import recipes

        session = self.session
        recipe = recipes.find(name)
        if recipe is None:
            raise self._missing(name, where, cause)
        why = "the registry cannot be reached" if cause is not None else "--images recipe"
        session.emit(Progress(name, "Building stand-in", detail=why))
        session.emit(Note(f"{name}: {why}; a stand-in is used, built from distribution packages"))
        if recipe.note:
            session.emit(Note(f"{name}: {recipe.note}"))

        def progress(message: dict[str, object]) -> None:
            if not self.quiet_build:
                for line in printed(str(message.get("stream") or message.get("status") or "")):
                    session.emit(Output(name, line))

        try:
            await recipes.build(recipe, session.engine, progress)
        except recipes.RecipeError as error:
            raise ImageMissing(
                f"the stand-in for {name} could not be built: {error}", hint=error.hint, place=where
            ) from error
        session.emit(Progress(name, "Stand-in ready", "done"))
        return await image_id(session.engine, name)

    def _missing(self, name: str, where: str, cause: PullFailed | None) -> ImageMissing:
        if cause is not None and not cause.unreachable:
            return ImageMissing(
                f"image {name} cannot be pulled: {cause.message.removeprefix(f'cannot pull {name}: ')}",
                hint="check its name and tag, or log in to its registry",
                place=where,
            )
        if cause is not None:
            return ImageMissing(
                f"image {name} is not here, its registry cannot be reached, and there is no stand-in for it",
                hint=_instead(name) or "load it from an archive (docker load), or build it",
                place=where,
            )
        return ImageMissing(
            f"there is no stand-in for image {name}", hint=_instead(name) or "try --images auto", place=where
        )

    async def _build(self, service: Service, name: str) -> str:
        from stackwright.run import build as builds  # packs archives: too heavy for who builds nothing

        async def base(reference: str) -> None:
            await self.reference(
                reference,
                where=place(self.session.project, f"services.{service.name}.build"),
                refresh=bool(service.build and service.build.pull) or self.pull == "always",
            )

        return await builds.build(
            self.session,
            service,
            name,
            ensure_base=base,
            no_cache=self.no_cache,
            arguments=self.build_args,
            quiet=self.quiet_build,
        )


def _instead(name: str) -> str | None:
    """What there is a stand-in for that comes near `name`."""
    from stackwright import recipes

    return recipes.suggest(name)
