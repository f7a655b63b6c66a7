"""`exec` and `run`: a command in a service's container, or in a container of its own."""

from __future__ import annotations

import asyncio
import secrets
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import msgspec

from stackwright.engine.errors import ApiError, ServerFailure
from stackwright.model.types import Mount, Port, Service
from stackwright.plan import labels
from stackwright.plan.graph import UpOptions
from stackwright.plan.observed import Container
from stackwright.run import containers
from stackwright.run.attach import converse
from stackwright.run.errors import RunError
from stackwright.run.events import Note, Progress
from stackwright.run.images import Images
from stackwright.run.session import Session, check_services, observe
from stackwright.run.session import containers as list_containers
from stackwright.run.up import Up

_PAUSES = (0.1, 0.4, 1.6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What to run, and how, on top of the service's own settings."""

    words: tuple[str, ...] = ()
    entrypoint: str | None = None
    user: str = ""
    environment: tuple[str, ...] = ()
    workdir: str = ""
    tty: bool = False
    stdin: bool = False
    detach: bool = False
    privileged: bool = False
    index: int = 0
    name: str = ""
    remove: bool = False
    no_deps: bool = False
    service_ports: bool = False
    publish: tuple[Port, ...] = ()
    volumes: tuple[Mount, ...] = ()
    labels: tuple[str, ...] = ()
    use_aliases: bool = False
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    build: bool = False
    pull: str | None = None
    quiet_pull: bool = False
    remove_orphans: bool = False


async def running_container(session: Session, service: str, index: int) -> Container:
    """The service's running container number `index` (0: the first). Raises `RunError`."""
    found = [
        one
        for one in await list_containers(session.engine, session.project.name, all=False)
        if one.service == service and not one.oneoff and (not index or one.number == index)
    ]
    if not found:
        if service not in session.project.services:
            check_services(session, (service,))
        number = f" #{index}" if index else ""
        raise RunError(f'service "{service}"{number} is not running')
    return found[0]


async def service_containers(
    session: Session, service: str, index: int, *, oneoff: bool = False
) -> list[Container]:
    """The service's containers, running or not, or number `index` of them; those of `run` with `oneoff`.

    Raises `RunError` when there is none.
    """
    found = [
        one
        for one in await list_containers(session.engine, session.project.name)
        if one.service == service and (oneoff or not one.oneoff) and (not index or one.number == index)
    ]
    if not found:
        if session.project.services:
            check_services(session, (service,))
        number = f" #{index}" if index else ""
        raise RunError(f'service "{service}"{number} has no container', hint="create it with up or create")
    return found


async def execute(session: Session, service: str, command: Command) -> int:
    """`exec`: run the command in a running container; returns its exit code."""
    container = await running_container(session, service, command.index)
    engine = session.engine
    if session.dry:
        session.emit(Progress(containers.subject(container.name), "Exec", "done", " ".join(command.words)))
        return 0
    exec_id = await engine.create_exec(
        container.id,
        {
            "Cmd": list(command.words),
            "AttachStdin": command.stdin and not command.detach,
            "AttachStdout": not command.detach,
            "AttachStderr": not command.detach,
            "Tty": command.tty,
            "User": command.user,
            "Env": list(command.environment),
            "WorkingDir": command.workdir,
            "Privileged": command.privileged,
        },
    )
    if command.detach:
        await engine.start_exec_detached(exec_id)
        return 0

    async def resize(rows: int, columns: int) -> None:
        await engine.resize_exec(exec_id, rows, columns)

    async with await engine.start_exec(exec_id, tty=command.tty) as stream:
        await converse(stream, stdin=command.stdin, tty=command.tty, resize=resize)
    return await _exec_code(session, exec_id)


async def _exec_code(session: Session, exec_id: str) -> int:
    pause = 0.002
    while True:
        state = await session.engine.inspect_exec(exec_id)
        if not state.get("Running") and state.get("ExitCode") is not None:
            return int(state["ExitCode"])
        await asyncio.sleep(pause)
        pause = min(pause * 2, 0.2)


async def run(session: Session, name: str, command: Command, started: Callable[[str], None]) -> int:
    """`run`: a container of its own for one command, after what the service depends on.

    Returns its exit code; `started` gets the id of one that goes on in the background.
    """
    check_services(session, (name,))
    project = session.project
    service = one_off(project.services[name], command)
    images = Images(session, pull=command.pull, build=command.build or None, quiet_pull=command.quiet_pull)
    # What an `up` of the service would make and wait for, but for its own containers.
    around = UpOptions(
        services=(name,),
        skip=frozenset({name}),
        no_deps=command.no_deps,
        remove_orphans=command.remove_orphans,
    )
    await Up(session, around, images).run()
    image = labels.image_name(project.name, service)
    observed = await observe(session, {image})
    image_id = await images.ensure(service, observed.images.get(image, ""))
    slug = secrets.token_hex(32)
    shown = command.name or service.container_name or labels.joined(project.name, name, "run", slug[:12])
    container = await containers.create(
        session,
        service,
        name=shown,
        number=0,
        image_id=image_id,
        extra_labels={labels.SLUG: slug, **_pairs(command.labels)},
        oneoff=True,
        auto_remove=command.remove and command.detach,
        tty=command.tty,
        stdin=command.stdin and not command.detach,
        aliases=command.use_aliases,
    )
    if session.dry:
        session.emit(Progress(containers.subject(shown), "Run", "done", " ".join(service.command or [])))
        return 0
    if command.detach:
        await containers.start(session, service, container, shown)
        started(container)
        return 0
    try:
        return await _attached(session, service, container, command)
    finally:
        if command.remove:
            await _remove(session, container, shown)


async def _remove(session: Session, container: str, name: str) -> None:
    """As `--rm` promises; an engine under load may not be done with a container that has just ended."""
    pauses = iter(_PAUSES)
    while True:
        try:
            await containers.remove_quietly(session, container, force=True, volumes=True)
            return
        except ApiError as error:
            pause = next(pauses, None) if isinstance(error, ServerFailure) else None
            if pause is None:
                session.emit(Note(f"{name} is left, it could not be removed: {error.message}", warning=True))
                return
        await asyncio.sleep(pause)


async def _attached(session: Session, service: Service, container: str, command: Command) -> int:
    engine = session.engine

    async def resize(rows: int, columns: int) -> None:
        await engine.resize_container(container, rows, columns)

    async with await engine.attach(container, stdin=command.stdin, tty=command.tty) as stream:
        try:
            await engine.start_container(container)
        except ApiError as error:
            raise RunError(f"service {service.name} cannot start: {error.message}") from error
        # Not for its next end, asked for before the start: an engine under load hears of that after the end, and waits for good.
        ended = asyncio.create_task(engine.wait_container(container))
        try:
            with forwarding(session, container, active=not command.tty):
                await converse(stream, stdin=command.stdin, tty=command.tty, resize=resize)
                return await ended
        finally:
            ended.cancel()


@contextmanager
def forwarding(session: Session, container: str, *, active: bool) -> Iterator[None]:
    """Pass SIGINT and SIGTERM on to the container (a terminal's Ctrl-C travels as a keystroke)."""
    if not active:
        yield
        return
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[None]] = set()

    async def send(name: str) -> None:
        with suppress(ApiError):
            await session.engine.kill_container(container, name)

    def forward(name: str) -> None:
        task = asyncio.ensure_future(send(name))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, forward, number.name)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def one_off(service: Service, command: Command) -> Service:
    """The service as `run` starts it: the given command, no published ports, never restarted.

    >>> one_off(Service(name="a", restart="always", command=["x"]), Command(words=("ls",))).command
    ['ls']
    """
    environment: dict[str, str | None] = dict(service.environment)
    for text in command.environment:
        key, equals, value = text.partition("=")
        environment[key] = value if equals else None
    ports = [*(service.ports if command.service_ports else ()), *command.publish]
    targets = {mount.target for mount in command.volumes}
    return msgspec.structs.replace(
        service,
        command=list(command.words) or ([] if command.entrypoint is not None else service.command),
        entrypoint=service.entrypoint if command.entrypoint is None else _words(command.entrypoint),
        environment=environment,
        user=command.user or service.user,
        working_dir=command.workdir or service.working_dir,
        ports=ports,
        volumes=[mount for mount in service.volumes if mount.target not in targets] + list(command.volumes),
        cap_add=[*service.cap_add, *command.cap_add],
        cap_drop=[*service.cap_drop, *command.cap_drop],
        container_name=command.name,
        restart="",
        deploy=None
        if service.deploy is None
        else msgspec.structs.replace(service.deploy, restart_policy=None),
        healthcheck=service.healthcheck,
        stdin_open=command.stdin or service.stdin_open,
        tty=False,
    )


def _words(text: str) -> list[str]:
    import shlex

    return shlex.split(text)


def _pairs(texts: tuple[str, ...]) -> dict[str, str]:
    return {key: value for key, _, value in (text.partition("=") for text in texts)}
