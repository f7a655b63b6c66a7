"""`pre_start`: steps in containers of their own that must succeed before a service's containers start.

Compose Specification, services, `pre_start`: the steps run in their order, each to its end, in a container made for it, with
the service's environment, networks and mounts. Without `per_replica` they run once for the service, and only when none of its
containers runs already: not for a scale-up.
"""

from __future__ import annotations

import secrets
from contextlib import suppress

from msgspec.structs import replace

from stackwright.engine.errors import EngineError
from stackwright.model.types import Service
from stackwright.model.types.service import PreStartHook
from stackwright.plan import labels
from stackwright.run import containers
from stackwright.run.errors import Findings, ServiceFailed
from stackwright.run.events import Progress
from stackwright.run.explain import exit_in_words, last_lines
from stackwright.run.images import Images
from stackwright.run.session import Session, place


async def images(session: Session, service: Service, known: Images) -> None:
    """Get the images that the steps name themselves."""
    for hook in service.pre_start:
        if hook.image and hook.image != service.image:
            await known.ensure(_image_of(service, hook))


async def run(session: Session, service: Service, starting: list[str], *, scaling: bool) -> None:
    """Run the steps for the containers that are about to start (ids); `scaling`: others run already.

    Raises `ServiceFailed` for the first step that does not end with 0.
    """
    for number, hook in enumerate(service.pre_start, 1):
        members = starting if hook.per_replica else starting[: 0 if scaling else 1]
        for container in members:
            await _step(session, service, hook, number, container)


async def _step(session: Session, service: Service, hook: PreStartHook, number: int, container: str) -> None:
    engine, slug = session.engine, secrets.token_hex(32)
    subject = f"Container {session.project.name}-{service.name}-pre_start-{number}"
    session.emit(Progress(subject, "Running"))
    made = await containers.create(
        session,
        _image_of(service, hook),
        name=f"{session.project.name}-{service.name}-pre_start-{number}-{slug[:12]}",
        number=0,
        image_id="",
        extra_labels={labels.SLUG: slug},
        oneoff=True,
        aliases=False,
        volumes_from=container,
    )
    try:
        await engine.start_container(made)
        code = await engine.wait_container(made)
        if code != 0:
            session.emit(Progress(subject, "Error", "error"))
            raise await _failed(session, service, number, made, code)
        session.emit(Progress(subject, "Exited", "done"))
    finally:
        with suppress(EngineError):
            await engine.remove_container(made, force=True, volumes=True)


def _image_of(service: Service, hook: PreStartHook) -> Service:
    """The service as one of its steps: the step's command, nothing published, never restarted, no health check."""
    return replace(
        service,
        image=hook.image or service.image,
        build=None if hook.image else service.build,
        entrypoint=[] if hook.command else None,  # the command itself runs, as in post_start
        command=hook.command,
        user=hook.user or service.user,
        privileged=hook.privileged or service.privileged,
        working_dir=hook.working_dir or service.working_dir,
        environment={**service.environment, **hook.environment},
        container_name="",
        ports=[],
        volumes=[],
        restart="",
        deploy=None,
        healthcheck=None,
    )


async def _failed(
    session: Session, service: Service, number: int, container: str, code: int
) -> ServiceFailed:
    state = (await session.engine.inspect_container(container))["State"]
    meaning = exit_in_words(code, oom_killed=bool(state.get("OOMKilled")))
    findings = Findings(exit_code=code, meaning=meaning, log=await last_lines(session, container))
    return ServiceFailed(
        service.name,
        f"service {service.name} is not started: its pre_start step {number} ended with exit code {code} ({meaning})",
        findings,
        place=place(session.project, f"services.{service.name}.pre_start"),
    )
