"""The same without `await`: an event loop in a thread of its own does the work."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Self, TypeVar

from stackwright.plan.observed import Container
from stackwright.verify.stack import Address, Ran, Service, Stack

if TYPE_CHECKING:
    from stackwright.verify.bringing import Bringing

T = TypeVar("T")
PATIENCE = 60.0
"""Seconds that a cancelled call may take to tidy up."""


class _Loop:
    """An event loop in a daemon thread."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, name="stackwright", daemon=True)
        self.thread.start()

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end; Ctrl-C here cancels it there, and waits until it has tidied up."""
        over = threading.Event()

        async def observed() -> T:
            try:
                return await work
            finally:
                over.set()

        future = asyncio.run_coroutine_threadsafe(observed(), self.loop)
        try:
            return future.result()
        except BaseException:
            if future.cancel():
                over.wait(PATIENCE)
            raise

    def close(self) -> None:
        """End the thread."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


class SyncService:
    """A `Service` whose methods return when they are done."""

    def __init__(self, service: Service, loop: _Loop) -> None:
        self._service, self._loop, self.name = service, loop, service.name

    @property
    def containers(self) -> list[Container]:
        """Its containers, by number."""
        return self._service.containers

    def port(self, target: int, protocol: str = "tcp", *, index: int = 1) -> int:
        """See `Service.port`."""
        return self._service.port(target, protocol, index=index)

    def address(self, target: int, protocol: str = "tcp", *, index: int = 1) -> Address:
        """See `Service.address`."""
        return self._service.address(target, protocol, index=index)

    def exec(
        self, *command: str, user: str = "", workdir: str = "", env: dict[str, str] | None = None,
        check: bool = True, index: int = 1,
    ) -> Ran:  # fmt: skip
        """See `Service.exec`."""
        return self._loop.call(
            self._service.exec(*command, user=user, workdir=workdir, env=env, check=check, index=index)
        )

    def logs(self, *, tail: int | str = "all", index: int = 1) -> str:
        """See `Service.logs`."""
        return self._loop.call(self._service.logs(tail=tail, index=index))

    def stop(self, *, timeout: int | None = None) -> None:
        """See `Service.stop`."""
        self._loop.call(self._service.stop(timeout=timeout))

    def start(self) -> None:
        """See `Service.start`."""
        self._loop.call(self._service.start())

    def restart(self, *, timeout: int | None = None) -> None:
        """See `Service.restart`."""
        self._loop.call(self._service.restart(timeout=timeout))

    def kill(self, signal: str = "SIGKILL") -> None:
        """See `Service.kill`."""
        self._loop.call(self._service.kill(signal))


class SyncStack:
    """A `Stack` whose methods return when they are done."""

    def __init__(self, bringing: Bringing, loop: _Loop, stack: Stack) -> None:
        self._bringing, self._loop, self._stack = bringing, loop, stack
        self.name = stack.name

    @classmethod
    def enter(cls, bringing: Bringing) -> Self:
        """Bring it up."""
        loop = _Loop()
        try:
            return cls(bringing, loop, loop.call(bringing.__aenter__()))
        except BaseException:
            loop.close()
            raise

    def leave(self) -> None:
        """Take it down."""
        try:
            self._loop.call(self._bringing.__aexit__(None, None, None))
        finally:
            self._loop.close()

    @property
    def services(self) -> dict[str, SyncService]:
        """Its services by name."""
        return {name: SyncService(one, self._loop) for name, one in self._stack.services.items()}

    def service(self, name: str) -> SyncService:
        """One service. Raises `NoSuchService`, with a suggestion."""
        return SyncService(self._stack.service(name), self._loop)

    def refresh(self) -> None:
        """Look again: containers, states, ports."""
        self._loop.call(self._stack.refresh())
