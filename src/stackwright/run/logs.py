"""The output of a project's containers: history merged in time order, then live, across restarts."""

from __future__ import annotations

import asyncio
import heapq
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

from msgspec import Struct

from stackwright.engine.client import EngineClient
from stackwright.engine.errors import EngineError, NotFound
from stackwright.plan import labels
from stackwright.plan.observed import Container
from stackwright.run.absence import patiently
from stackwright.run.session import containers as list_containers


class Line(Struct, frozen=True):
    """One line of output. `time` is the engine's RFC 3339 text with nanoseconds."""

    container: Container
    stream: int
    time: str
    text: str


class Ended(Struct, frozen=True):
    """A container's process ended."""

    container: Container
    code: int


Show = Callable[[Line | Ended], None]
_STAMP = re.compile(rb"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d) ")


async def lines(
    engine: EngineClient,
    container: Container,
    *,
    follow: bool = False,
    since: str | None = None,
    until: str | None = None,
    tail: str = "all",
) -> AsyncIterator[Line]:
    """A container's lines; a partial last line is a line."""
    rest: dict[int, bytes] = {}
    async for chunk in engine.logs(
        container.id, follow=follow, since=since, until=until, timestamps=True, tail=tail
    ):
        begun = rest.get(chunk.stream, b"")
        # An engine keeps a long line in pieces, and what was printed in two goes, and writes the time before each.
        data = _STAMP.sub(b"", chunk.data, 1) if begun else chunk.data
        *whole, rest[chunk.stream] = (begun + data).split(b"\n")
        for piece in whole:
            yield _line(container, chunk.stream, piece)
    for stream, piece in rest.items():
        if piece:
            yield _line(container, stream, piece)


def _line(container: Container, stream: int, data: bytes) -> Line:
    stamp, _, text = data.decode("utf-8", "replace").partition(" ")
    return Line(container, stream, stamp, text.rstrip("\r"))


async def history(
    engine: EngineClient,
    found: list[Container],
    *,
    since: str | None = None,
    until: str | None = None,
    tail: str = "all",
) -> list[Line]:
    """What the containers have printed so far, merged in the order of time."""

    async def one(container: Container) -> list[Line]:
        with suppress(NotFound):
            return [line async for line in lines(engine, container, since=since, until=until, tail=tail)]
        return []

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(container)) for container in found]
    return list(heapq.merge(*(task.result() for task in tasks), key=lambda line: line.time))


class Follower:
    """Shows the live output of a project's containers, also of those that restart or join later.

    `wanted` chooses containers. `run` ends when none of them runs any more, if `until_ended`, and nobody is at work on
    the project (`busy`): who is replaced does not run for a while, and comes again.
    """

    def __init__(
        self,
        engine: EngineClient,
        project: str,
        wanted: Callable[[Container], bool],
        show: Show,
        *,
        until_ended: bool = True,
        joined_since: float | None = None,
        linger: float = 0.3,
        tell: Callable[[str], None] = lambda text: None,
        busy: Callable[[], bool] = lambda: False,
    ) -> None:
        self.engine, self.project, self.wanted, self.show = engine, project, wanted, show
        self.until_ended = until_ended
        self.busy = busy
        self.tell = tell
        """Hears of an engine that goes away and comes back."""
        self.linger = linger  # seconds: who is being restarted or replaced is not running for a moment
        self.last: dict[str, str] = {}
        """Container id to the time of its last line shown."""
        self._same: dict[str, int] = {}
        """How many lines of that time were shown."""
        self.codes: dict[str, int] = {}
        """Container name to its last exit code."""
        self._joined_since = joined_since if joined_since is not None else time.time()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()
        self._started: set[str] = set()
        """Ids of containers started since we joined and not followed yet."""
        self._finished: dict[str, str] = {}

    async def run(self) -> None:
        """Follow until nothing is left to follow (or for ever)."""
        try:
            async with asyncio.TaskGroup() as group:
                listener = group.create_task(self._listen())
                quiet_since = 0.0
                while True:
                    self._changed.clear()
                    running = await self._attach(group)
                    idle = self.until_ended and not running and not self._tasks and not self.busy()
                    if not idle:
                        quiet_since = 0.0
                    elif not quiet_since:
                        quiet_since = time.monotonic()
                    elif time.monotonic() - quiet_since >= self.linger:
                        listener.cancel()
                        return
                    with suppress(TimeoutError):
                        async with asyncio.timeout(self.linger / 3 if idle else 2.0):
                            await self._changed.wait()
        except BaseExceptionGroup as failures:
            from stackwright.run.executor import first_failure

            raise first_failure(failures) from None

    def shown(self, line: Line) -> None:
        """A line that somebody has shown already, in their order: the output goes on after it."""
        container = line.container.id
        same = self.last.get(container) == line.time
        self._same[container] = self._same.get(container, 0) + 1 if same else 1
        self.last[container] = line.time

    def expect(self, started: set[str]) -> None:
        """These containers were started: show them even if they have ended before anybody looked."""
        self._started |= started - set(self.last)
        self._changed.set()

    async def _attach(self, group: asyncio.TaskGroup) -> bool:
        listed = await patiently(self.engine, self.tell, lambda: list_containers(self.engine, self.project))
        found = [one for one in listed if self.wanted(one)]
        for one in found:
            # Who was started since we joined is read to its end also if that came between two looks.
            if one.id not in self._tasks and (one.state in ("running", "paused") or one.id in self._started):
                self._started.discard(one.id)
                self._tasks[one.id] = group.create_task(self._follow(one))
        return any(one.running for one in found)

    async def _follow(self, one: Container) -> None:
        last = self.last.setdefault(one.id, "")
        since = _next(last) if last else f"{self._joined_since:.9f}"
        # Podman tells whole seconds only: those lines of the last second that were shown come again.
        again = self._same.get(one.id, 0) if last and "." not in last else 0
        try:
            async for line in lines(self.engine, one, follow=True, since=since):
                if again and line.time == last:
                    again -= 1
                    continue
                # Lines of one moment share their time: nothing is dropped by it, `since` did that.
                self.shown(line)
                self.show(line)
            await self._ended(one)
        except EngineError:
            pass  # the container was removed, or the engine is restarting: the next look tells
        finally:
            del self._tasks[one.id]
            self._changed.set()

    async def _ended(self, one: Container) -> None:
        pause = 0.005
        while True:
            state = (await self.engine.inspect_container(one.id))["State"]
            if not state.get("Running") or state.get("Restarting"):
                break
            if pause > 0.3:
                return
            await asyncio.sleep(pause)
            pause *= 2
        code = int(state.get("ExitCode") or 0)
        end = str(state.get("FinishedAt"))
        if self._finished.get(one.id) == end:
            return  # told already
        self._finished[one.id] = end
        self.codes[one.name] = code
        self.show(Ended(one, code))

    async def _listen(self) -> None:
        filters = {
            "type": ["container"],
            "event": ["start", "die", "destroy"],
            **labels.project_filter(self.project),
        }
        since = self._joined_since
        while True:
            with suppress(EngineError):
                # From the beginning of our watch on: a start before the engine heard us is told again.
                async for message in self.engine.events(filters=filters, since=since):
                    since = message.get("timeNano", 0) / 1e9 or since
                    if message.get("status") == "start" or message.get("Action") == "start":
                        self._started.add(str(message.get("id", "")))
                    self._changed.set()
            await asyncio.sleep(0.2)


def _next(stamp: str) -> str:
    """The engine's `since` for everything after an RFC 3339 time with nanoseconds, or from a whole second on."""
    if not stamp:
        return "0"
    from datetime import UTC, datetime

    seconds, _, fraction = stamp.removesuffix("Z").partition(".")
    moment = datetime.fromisoformat(seconds[:19]).replace(tzinfo=UTC)
    digits = "".join(char for char in fraction if char.isdigit())[:9].ljust(9, "0")
    nanoseconds = int(moment.timestamp()) * 1_000_000_000 + int(digits) + (1 if fraction else -1)
    return f"{nanoseconds // 1_000_000_000}.{nanoseconds % 1_000_000_000:09d}"
