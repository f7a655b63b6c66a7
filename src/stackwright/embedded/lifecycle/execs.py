"""Exec sessions: created, started once, inspected; forgotten some time after they ended."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from stackwright.embedded.containers.runtime import ExecSession, Running, StartError
from stackwright.embedded.containers.users import UserNotFound, resolve_user
from stackwright.embedded.errors import BadParameter, Conflict, NotFound
from stackwright.embedded.ids import new_id
from stackwright.embedded.lifecycle.config import ExecConfig
from stackwright.embedded.lifecycle.launcher import StartFailed
from stackwright.embedded.lifecycle.manager import Manager
from stackwright.embedded.lifecycle.record import Container
from stackwright.embedded.lifecycle.specs import exec_spec
from stackwright.embedded.lifecycle.supervisor import Supervisor
from stackwright.embedded.lifecycle.tasks import Tasks

KEPT_AFTER_END = 300.0


@dataclass(eq=False, slots=True)
class Exec:
    """One exec; `exit_code` is None until it ended."""

    id: str
    container: Container
    config: ExecConfig
    session: ExecSession | None = None
    started: bool = False
    running: bool = False
    exit_code: int | None = None
    over: asyncio.Event = field(default_factory=asyncio.Event)


class Execs:
    """All exec sessions of this engine; they are not remembered by the next one."""

    def __init__(self, manager: Manager, supervisor: Supervisor, tasks: Tasks) -> None:
        self._manager = manager
        self._supervisor = supervisor
        self._tasks = tasks
        self._all: dict[str, Exec] = {}

    def create(self, container: Container, config: ExecConfig) -> Exec:
        """POST /containers/{id}/exec. Conflict when the container does not run."""
        self._manager.running(container, "exec")
        if not config.cmd:
            raise BadParameter("No exec command specified")
        exec_ = Exec(new_id(), container, config)
        self._all[exec_.id] = exec_
        self._tell(exec_, f"exec_create: {' '.join(config.cmd)}")
        return exec_

    def get(self, exec_id: str) -> Exec:
        """NotFound "No such exec instance: x"."""
        if exec_id not in self._all:
            raise NotFound(f"No such exec instance: {exec_id}")
        return self._all[exec_id]

    def of(self, container: Container) -> list[str]:
        """Ids of the running execs of a container (`ExecIDs`)."""
        return [e.id for e in self._all.values() if e.container is container and e.running]

    def check(self, exec_: Exec) -> Running:
        """The container it is to run in. Raises Conflict when it has been started before."""
        if exec_.started:
            raise Conflict(f"Error: Exec command {exec_.id} has already run")
        return self._manager.running(exec_.container, "exec")

    async def start(self, exec_: Exec, *, attach: bool, console_size: tuple[int, int]) -> ExecSession:
        """POST /exec/{id}/start. Raises Conflict (a second time), StartFailed (126, 127)."""
        running = self.check(exec_)
        exec_.started = True
        config, container = exec_.config, exec_.container
        try:
            user = resolve_user(
                running.root,
                config.user or container.config.user,
                additional_groups=tuple(container.host_config.group_add),
            )
            spec = exec_spec(
                exec_.id,
                container,
                tuple(config.cmd),
                user,
                env=config.env,
                cwd=config.working_dir,
                tty=config.tty,
                stdin=config.attach_stdin,
                privileged=config.privileged,
                console_size=console_size,
            )
            self._tell(exec_, f"exec_start: {' '.join(config.cmd)}")
            exec_.session = await running.exec(spec, attach=attach)
        except StartError as error:
            self._end(exec_, error.code)
            raise StartFailed(str(error), code=error.code, status=400) from error
        except UserNotFound as error:
            self._end(exec_, 126)
            raise StartFailed(str(error.args[0]), code=126, status=400) from error
        exec_.running = True
        self._tasks.spawn(self._watch(exec_, exec_.session), f"exec {exec_.id[:12]}")
        return exec_.session

    async def resize(self, exec_: Exec, rows: int, columns: int) -> None:
        """POST /exec/{id}/resize."""
        if exec_.session is None or not exec_.running:
            raise Conflict(f"exec {exec_.id} is not running")
        await exec_.session.resize(rows, columns)

    async def _watch(self, exec_: Exec, session: ExecSession) -> None:
        code = await session.wait()
        self._end(exec_, code)
        self._tell(exec_, "exec_die", exit_code=code)
        await asyncio.sleep(KEPT_AFTER_END)
        self._all.pop(exec_.id, None)

    def _end(self, exec_: Exec, code: int) -> None:
        exec_.running, exec_.exit_code = False, code
        exec_.over.set()

    def _tell(self, exec_: Exec, action: str, exit_code: int | None = None) -> None:
        attributes = {"execID": exec_.id}
        if exit_code is not None:
            attributes["exitCode"] = str(exit_code)
        self._supervisor.tell(exec_.container, action, attributes)
