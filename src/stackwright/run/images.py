"""Getting the image of every service: local, pulled, built, or a stand-in where nothing else works."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from datetime import datetime

from msgspec import Struct, field

from stackwright.engine.errors import PullFailed
from stackwright.engine.image_calls import split_reference
from stackwright.model.types import Service
from stackwright.plan.labels import image_name
from stackwright.run.errors import ImageMissing, RunError
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
    memory: int | None = None
    """Bytes that a build step may use, None for any number."""
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

    async def forecast(self, service: Service, known: str) -> tuple[str, str]:
        """What `ensure` would do and why: `build`, `pull`, `missing`, or nothing, empty. `known`: the local id."""
        policy = self.pull or service.pull_policy or "missing"
        if service.build is not None:
            if self.build is False:
                return ("", "") if known else ("missing", "not built, and --no-build was given")
            if self.build or policy == "build":
                return "build", "--build" if self.build else "pull_policy is build"
            return ("", "") if known else ("build", "not on the engine")
        if not known:
            if policy == "never":
                return "missing", "not on the engine, and pull_policy is never"
            return "pull", "not on the engine"
        return ("pull", f"pull policy is {policy}") if await self._is_due(service, policy) else ("", "")

    async def _is_due(self, service: Service, policy: str) -> bool:
        """Whether a local image is pulled again: always, or as old as `daily`, `weekly`, `every_12h` say."""
        period = PERIODS.get(policy)
        if period is None and policy.startswith("every_"):
            period = _every(self.session, service, policy)
        if period is None:
            return policy == "always"
        image = await self.session.engine.inspect_image(image_name(self.session.project.name, service))
        tagged = str((image.get("Metadata") or {}).get("LastTagTime") or "")
        return _age(str(image.get("Created")) if tagged[:4] in ("", "0001") else tagged) > period

    async def ensure(self, service: Service, known: str = "") -> str:
        """The image's id, after pulling or building it if that is needed. `known`: its id, if observed."""
        name = image_name(self.session.project.name, service)
        what, why = await self.forecast(service, known)
        if what == "build":
            return await self._once(f"build:{name}", lambda: self._build(service, name))
        if what == "missing" and service.build is not None:
            raise ImageMissing(
                f"image {name} of service {service.name} is not built",
                hint="leave out --no-build",
                place=place(self.session.project, f"services.{service.name}.build"),
            )
        if not what:
            return known
        where = place(self.session.project, f"services.{service.name}.image")
        if what == "missing":
            raise ImageMissing(f"image {name} of service {service.name} is {why}", place=where)
        return await self.reference(name, service.platform, where=where, refresh=bool(known))

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
        auth = await self.session.credentials.of(name)
        async for message in self.session.engine.pull(name, platform=platform or None, auth=auth):
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
            ensure_service=lambda other: self._for_context(service, other),
            fetch=self._for_cache,
            no_cache=self.no_cache,
            arguments=self.build_args,
            quiet=self.quiet_build,
            memory=self.memory,
        )

    async def _for_context(self, service: Service, other: str) -> str:
        """Build the image that a build context `service:other` means; its id. Raises `RunError` for a circle."""
        services = self.session.project.services
        pending, seen = [other], set[str]()
        while pending:
            name = pending.pop()
            if name == service.name:
                raise RunError(
                    f"service {service.name}: its build context needs the image of {other}, which needs its own",
                    place=place(self.session.project, f"services.{service.name}.build.additional_contexts"),
                )
            recipe = services[name].build
            if name not in seen and recipe is not None:
                seen.add(name)
                pending += [
                    context.removeprefix("service:")
                    for context in recipe.additional_contexts.values()
                    if context.startswith("service:")
                ]
        image = image_name(self.session.project.name, services[other])
        return await self._once(f"build:{image}", lambda: self._build(services[other], image))

    async def _for_cache(self, name: str) -> bool:
        """Have an image that a build may take steps from; whether it is there."""
        if await image_id(self.session.engine, name):
            return True
        try:
            await self._once(f"cache:{name}", lambda: self._fetched(name))
        except PullFailed as error:
            self.session.emit(Progress(name, "Not there", "warning", error.message))
            return False
        return True

    async def _fetched(self, name: str) -> str:
        await self._pull(name, "")
        return await image_id(self.session.engine, name)


PERIODS = {"daily": 86400.0, "weekly": 7 * 86400.0}
"""Pull policies that are a time, in seconds; `every_<duration>` is the third."""


def _every(session: Session, service: Service, policy: str) -> float:
    """Seconds of `every_12h`, also with days and weeks: `every_2d`, `every_1w` (Compose Spec, pull_policy)."""
    units = {"w": 604800.0, "d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
    parts = re.findall(r"(\d+)([wdhms])", policy.removeprefix("every_"))
    if not parts or "".join(number + unit for number, unit in parts) != policy.removeprefix("every_"):
        raise RunError(
            f'service {service.name}: pull_policy "{policy}" is not understood',
            hint="write every_12h, every_2d or every_1w",
            place=place(session.project, f"services.{service.name}.pull_policy"),
        )
    return sum(int(number) * units[unit] for number, unit in parts)


def _age(stamp: str) -> float:
    """Seconds since an RFC 3339 time; without one, for ever."""
    try:
        return time.time() - datetime.fromisoformat(stamp[:19] + "+00:00").timestamp()
    except ValueError:
        return float("inf")


def _instead(name: str) -> str | None:
    """What there is a stand-in for that comes near `name`."""
    from stackwright import recipes

    return recipes.suggest(name)
