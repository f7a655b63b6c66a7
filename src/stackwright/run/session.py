"""What every part of a run shares: the engine, the model, the sink for events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from msgspec import Struct, field

from stackwright.engine.client import EngineClient
from stackwright.model.project import Project
from stackwright.plan import labels
from stackwright.plan.observed import Container, Observed
from stackwright.run.errors import NoSuchService, Unsupported
from stackwright.run.events import Event, Note, Sink, ignore
from stackwright.run.pace import Pace

if TYPE_CHECKING:
    from stackwright.engine.credentials import Credentials

ImageSource = Literal["auto", "registry", "recipe"]


class Session(Struct):
    """One command on one project. `environ` is the environment of the command."""

    engine: EngineClient
    project: Project
    sink: Sink = ignore
    images: ImageSource = "auto"
    host_ca: bool = True
    engine_health: bool = False
    """Only the engine's own verdict makes a service healthy: no probes of ours."""
    environ: Mapping[str, str] = field(default_factory=dict)
    environment_files: tuple[str, ...] = ()
    parallel: int = 0
    """How much is done side by side; 0 for no limit."""
    dry: bool = False
    """Nothing is changed: the engine is a `DryEngine`, and nobody waits for what will not come."""
    stops: Pace = field(default_factory=Pace)
    """The stops that this command has asked for."""
    _credentials: Credentials | None = None

    @property
    def credentials(self) -> Credentials:
        """What `docker login` has left for registries."""
        if self._credentials is None:
            from stackwright.engine.credentials import Credentials

            self._credentials = Credentials(self.environ, lambda text: self.emit(Note(text, warning=True)))
        return self._credentials

    def emit(self, event: Event) -> None:
        """Tell the user's side what happens."""
        self.sink(event)


async def containers(engine: EngineClient, project: str, *, all: bool = True) -> tuple[Container, ...]:
    """The project's containers, one-off ones included, by service and number."""
    found = await engine.list_containers(all=all, filters=labels.project_filter(project))
    listed = [Container.from_api(one) for one in found]
    return tuple(sorted(listed, key=lambda one: (one.service, one.number, one.name)))


async def observe(session: Session, image_names: set[str]) -> Observed:
    """What the engine has: the project's containers, all network and volume names, local image ids."""
    import asyncio

    engine, project = session.engine, session.project
    async with asyncio.TaskGroup() as group:
        found = group.create_task(containers(engine, project.name))
        networks = group.create_task(engine.list_networks())
        volumes = group.create_task(engine.list_volumes())
        ids = {name: group.create_task(image_id(engine, name)) for name in sorted(image_names)}
    return Observed(
        containers=found.result(),
        networks={one["Name"]: str(one.get("Id") or "") for one in networks.result()},
        volumes=frozenset(one["Name"] for one in volumes.result()),
        network_details={one["Name"]: one for one in networks.result()},
        volume_details={one["Name"]: one for one in volumes.result()},
        images={name: task.result() for name, task in ids.items() if task.result()},
    )


async def image_id(engine: EngineClient, reference: str) -> str:
    """The local image's id, empty when the engine does not have it."""
    from stackwright.engine.errors import NotFound

    try:
        return str((await engine.inspect_image(reference))["Id"])
    except NotFound:
        return ""


def place(project: Project, path: str) -> str:
    """`file:line` of a place in the model such as `services.db.healthcheck`, or empty."""
    return project.locate(path)


def check_strangers(session: Session, observed: Observed, names: list[str]) -> None:
    """Raise `Unsupported` for a network of a name of ours that others made; such a volume is a warning."""
    from stackwright.plan.resources import strangers

    refused, warnings = strangers(session.project, observed, names)
    for one in refused:
        raise Unsupported(one.message, hint=one.hint, place=place(session.project, one.path))
    for text in warnings:
        session.emit(Note(text, warning=True))


def check_services(session: Session, names: tuple[str, ...] | list[str]) -> None:
    """Raise `NoSuchService` for a name that the model does not have."""
    known = session.project.services
    for name in names:
        if name not in known:
            from difflib import get_close_matches

            near = get_close_matches(name, known, n=1)
            hint = f'did you mean "{near[0]}"?' if near else ""
            if name in session.project.disabled_services:
                profiles = ", ".join(session.project.disabled_services[name].profiles)
                hint = f"it belongs to a profile that is not active: --profile {profiles}"
            raise NoSuchService(f"no such service: {name}", hint=hint)
