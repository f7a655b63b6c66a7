"""`up` and `create`: carries the graph of `plan.graph.up` out."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial

from msgspec import Struct, field, structs

from stackwright.engine.errors import EngineError, EngineGone, EngineUnavailable
from stackwright.model.project import Project
from stackwright.model.types import Service
from stackwright.plan import graph as graphs
from stackwright.plan.decide import Decision, Wish, decide, namespaces
from stackwright.plan.graph import Step, UpOptions
from stackwright.plan.labels import image_name
from stackwright.plan.observed import Observed
from stackwright.plan.refuse import refusals
from stackwright.plan.resources import changed_volumes, question
from stackwright.run import containers, prestart, readiness, renewal, resources, stopping
from stackwright.run.absence import GOES_ON
from stackwright.run.errors import RunError, ServiceFailed, Unsupported
from stackwright.run.events import Held, Note, Progress
from stackwright.run.executor import execute, together
from stackwright.run.explain import explain
from stackwright.run.images import Images
from stackwright.run.session import Session, check_services, check_strangers, observe, place
from stackwright.run.session import containers as list_containers
from stackwright.run.timeline import Timeline
from stackwright.run.watch import Watch, watching


def _never(question: str) -> bool:
    return False


class Up(Struct):
    """One `up`. After `run`, `made` has each service's container ids by container name.

    `started` holds the ids of those that this run started.
    """

    session: Session
    options: UpOptions
    images: Images
    timeout: int | None = None
    agree: Callable[[str], bool] = _never
    """Asks whether something that loses data may be done."""
    timeline: Timeline = field(default_factory=Timeline)
    made: dict[str, dict[str, str]] = field(default_factory=dict)
    started: set[str] = field(default_factory=set)
    _decisions: dict[str, list[Decision]] = field(default_factory=dict)
    _ids: dict[str, str] = field(default_factory=dict)
    _gates: dict[str, str] = field(default_factory=dict)
    _wishes: dict[str, Wish] = field(default_factory=dict)
    _observed: Observed = field(default_factory=Observed)
    _watch: Watch = field(default_factory=Watch)
    _healthy: dict[str, str] = field(default_factory=dict)

    async def run(self) -> Timeline:
        """Bring the services up. Raises what went wrong; what was made by then stays."""
        session, project = self.session, self.session.project
        check_services(session, (*self.options.services, *self.options.scale))
        if not project.services:
            raise RunError("no service selected", hint=_hidden(project))
        names = graphs.closure(project, self.options.services, no_deps=self.options.no_deps)
        if self.options.no_deps:
            project = self.session.project = without_dependencies(project, names)
        for refusal in refusals(project, dict(self.options.scale), names):
            where = place(project, refusal.path)
            raise Unsupported(refusal.message, hint=refusal.hint, place=where)
        wanted = {image_name(project.name, project.services[name]) for name in names}
        self._observed = await observe(session, wanted)
        check_strangers(session, self._observed, names)
        self._ask(names)
        self._wishes = graphs.wishes(project, self._observed, self.options, names)
        graph = graphs.up(project, self._observed, self.options)
        self._gates = {step.subject: step.reason for step in graph.values() if step.kind == "start"}
        self._orphans()
        async with watching(session.engine, project.name) as self._watch:
            try:
                await execute(graph, self._perform, self.timeline, limit=session.parallel)
            except (EngineGone, EngineUnavailable) as error:
                error.hint = GOES_ON
                raise
            except (RunError, EngineError):
                await self._say_what_stays()
                raise
            await self._second_thoughts()
        self.timeline.close()
        return self.timeline

    async def _say_what_stays(self) -> None:
        """After a failure nothing is taken back, as with docker compose; so say what is there now."""
        with suppress(EngineError):
            found = await list_containers(self.session.engine, self.session.project.name)
            states = [
                f"{one.name} {one.state}" for one in found if not one.oneoff and one.service in self.made
            ]
            if states:
                shown = ", ".join(states[:8]) + (f" and {len(states) - 8} more" if len(states) > 8 else "")
                self.session.emit(Note(f"Left as they are: {shown} (down removes them)"))

    async def _second_thoughts(self) -> None:
        """The engine's later verdict counts: who passed our probe and is unhealthy by now has failed."""
        for container, name in self._healthy.items():
            if self._watch.verdict(container) == "unhealthy":
                state = await self.session.engine.inspect_container(container)
                why = "its health check failed" if state["State"].get("Running") else "it ended"
                outcome = readiness.NotReady(why, state)
                raise await explain(self.session, name, container, outcome)

    def _orphans(self) -> None:
        found = graphs.orphans(self.session.project, self._observed)
        if found and not self.options.remove_orphans and "COMPOSE_IGNORE_ORPHANS" not in self.session.environ:
            names = ", ".join(one.name for one in found)
            self.session.emit(
                Note(
                    f"Found orphan containers ({names}) for this project. If you removed or renamed this service "
                    "in your compose file, you can run this command with the --remove-orphans flag to clean it up.",
                    warning=True,
                )
            )

    async def _perform(self, step: Step) -> None:
        await getattr(self, f"_{step.kind}")(step)

    def _ask(self, names: list[str]) -> None:
        """Find out which of the changed volumes may be made anew; the others are used as they are."""
        project = self.session.project
        changed = changed_volumes(project, self._observed, names)
        agreed = {key for key in changed if self.agree(question(project, key))}
        for key in changed.keys() - agreed:
            name, why = project.volumes[key].name, changed[key]
            self.session.emit(Note(f"volume {name} is used as it is, although {why}", warning=True))
        self.options = structs.replace(self.options, renewed_volumes=frozenset(agreed))

    async def _network(self, step: Step) -> None:
        name = self.session.project.networks[step.subject].name
        if name not in self._observed.networks:
            await resources.create_network(self.session, step.subject)
            return
        await renewal.network(self.session, step.subject, step.containers, self.timeout)
        # Who is left alone otherwise goes on as before.
        left = [one for one in step.containers if one.service in self.options.skip and one.running]
        await together([partial(self.session.engine.start_container, one.id) for one in left])

    async def _volume(self, step: Step) -> None:
        if self.session.project.volumes[step.subject].name not in self._observed.volumes:
            await resources.create_volume(self.session, step.subject)
            return
        await renewal.volume(self.session, step.subject, step.containers, self.timeout)

    async def _image(self, step: Step) -> None:
        service = self.session.project.services[step.subject]
        known = self._observed.images.get(image_name(self.session.project.name, service), "")
        self._ids[step.subject] = await self.images.ensure(service, known)
        if service.pre_start and not self.options.no_start:
            await prestart.images(self.session, service, self.images)

    async def _converge(self, step: Step) -> None:
        name = step.subject
        service = self.session.project.services[name]
        decisions = list(step.decisions)
        known = self._observed.images.get(image_name(self.session.project.name, service), "")
        if self._ids[name] != known:  # the image came or changed since the plan was made
            decisions = decide(
                self.session.project, service, self._observed, self._ids[name], self._wishes[name]
            )
        if any(one.action == "recreate" for one in decisions):
            from stackwright.run.planning import in_detail

            decisions = await in_detail(self.session, service, decisions, self._ids[name])
        self._decisions[name] = decisions
        made: dict[str, str] = {}

        async def one(decision: Decision) -> None:
            container = await containers.carry_out(
                self.session,
                service,
                decision,
                self._ids[name],
                renew_volumes=self.options.renew_anonymous_volumes,
            )
            if container is not None:
                made[decision.name] = container

        await together([partial(one, decision) for decision in decisions])
        for decision in decisions:
            if decision.name in made:
                await containers.restore_name(self.session, decision, made[decision.name])
        self.made[name] = dict(sorted(made.items()))
        self._say_held(name, decisions)
        if self.options.no_start:
            await self._swap(name)

    def _say_held(self, name: str, decisions: list[Decision]) -> None:
        gates = self._gates.get(name, "")
        if gates and not self.options.no_start:
            for decision in decisions:
                if decision.action in ("create", "recreate", "start"):
                    self.session.emit(Held(containers.subject(decision.name), gates))

    async def _swap(self, name: str) -> None:
        replaced = [one for one in self._decisions[name] if one.action == "recreate"]
        if replaced:  # who is inside their namespaces goes first: not every engine removes them otherwise
            inside = [one for other in self._sharers(name) for one in self._observed.of(other)]
            await together([partial(containers.set_aside, self.session, one, self.timeout) for one in inside])
        await together(
            [
                partial(containers.swap, self.session, one, self.made[name][one.name], self.timeout)
                for one in replaced
            ]
        )

    def _sharers(self, name: str) -> list[str]:
        """Services of this run whose containers share namespaces with those of `name`, and follow them."""
        return [
            other
            for other, decisions in self._decisions.items()
            if name in namespaces(self.session.project.services[other])
            and any(one.action == "recreate" for one in decisions)
        ]

    async def _start(self, step: Step) -> None:
        name = step.subject
        service = self.session.project.services[name]
        await self._swap(name)
        if service.pre_start:
            await self._before(service)

        async def one(decision: Decision) -> None:
            container = self.made[name].get(decision.name)
            if container is None or decision.action == "keep":
                return
            if decision.action == "restart":
                self.session.emit(
                    Progress(containers.subject(decision.name), "Restarting", detail=decision.reason)
                )
                await stopping.restart(self.session, container, decision.name, self.timeout)
                self.session.emit(Progress(containers.subject(decision.name), "Started", "done"))
                return
            if decision.container is not None and decision.container.state == "paused":
                await self.session.engine.unpause_container(container)
                return
            await containers.start(self.session, service, container, decision.name)
            self.started.add(container)
            await hooks(self.session, name, container)

        await together([partial(one, decision) for decision in self._decisions[name]])

    async def _before(self, service: Service) -> None:
        decisions = [one for one in self._decisions[service.name] if one.name in self.made[service.name]]
        starting, running = [], False
        for one in decisions:
            alive = one.action != "recreate" and one.container is not None and one.container.running
            running = running or alive
            if not alive and one.action != "keep":  # a one-shot that completed is kept as it is
                starting.append(self.made[service.name][one.name])
        await prestart.run(self.session, service, starting, scaling=running)

    async def _ready(self, step: Step) -> None:
        name, session = step.subject, self.session

        async def one(shown: str, container: str) -> None:
            subject = containers.subject(shown)
            if step.condition != "service_started":
                session.emit(Progress(subject, "Waiting"))
            try:
                text = await readiness.await_condition(session, self._watch, container, step.condition)
            except readiness.NotReady as outcome:
                session.emit(Progress(subject, "Error", "error", outcome.why))
                raise await explain(session, name, container, outcome) from None
            if text == "Healthy":
                self._healthy[container] = name
            session.emit(Progress(subject, text, "done"))

        try:
            await together([partial(one, shown, identity) for shown, identity in self.made[name].items()])
        except ServiceFailed as error:
            if not step.optional:
                raise
            session.emit(Note(f"optional dependency {name} failed: {error.message}", warning=True))

    async def _remove(self, step: Step) -> None:
        for one in step.containers:
            await containers.stop(self.session, one, self.timeout)
            await containers.remove(self.session, one)


def _hidden(project: Project) -> str:
    """What would bring services up, where there are none."""
    profiles = sorted({name for one in project.disabled_services.values() for name in one.profiles})
    if profiles:
        return f"every service belongs to a profile that is not active: --profile {profiles[0]}"
    return "the file has no services"


def without_dependencies(project: Project, names: list[str]) -> Project:
    """The project of `--no-deps`: these services wait for nobody, and the label about it is empty."""
    alone = {name: structs.replace(project.services[name], depends_on={}) for name in names}
    return structs.replace(project, services={**project.services, **alone})


async def hooks(session: Session, name: str, container: str) -> None:
    """Run `post_start` hooks in a started container (Compose Specification, post_start)."""
    for hook in session.project.services[name].post_start:
        code, output = await session.engine.run_exec(
            container,
            hook.command or [],
            User=hook.user,
            Privileged=hook.privileged,
            WorkingDir=hook.working_dir,
            Env=[f"{key}={value}" for key, value in hook.environment.items() if value is not None],
        )
        if code != 0:
            text = output.decode("utf-8", "replace").strip()
            raise ServiceFailed(name, f"service {name}: post_start hook ended with exit code {code}: {text}")
