"""``load``: from files to a typed project. ``read_model``: the same, as plain data, without heavy imports."""

from __future__ import annotations

import gc
import os

from stackwright.model.consistency import check_consistency
from stackwright.model.discover import absolute, compose_files, env_files, normal_name
from stackwright.model.env_files import read_env_files
from stackwright.model.environment import Environment
from stackwright.model.errors import ModelErrors
from stackwright.model.final.tables import PROJECT
from stackwright.model.interpolate import interpolate_text
from stackwright.model.marks import NOWHERE, Map
from stackwright.model.normalise import normalise
from stackwright.model.profiles import split_by_profile
from stackwright.model.read.document import top_level_name
from stackwright.model.selection import UnknownServiceError, with_dependencies, without_unused
from stackwright.model.service_files import resolve_env_files, resolve_label_files
from stackwright.model.sources import Reporter, Sources, UnreadableError, is_remote
from stackwright.model.stages import Context, Settings, read_files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from stackwright.model.marks import Mark
    from stackwright.model.project import Project

__all__ = ["Model", "ModelErrors", "Request", "examine", "load", "read_model"]


_NAME = "COMPOSE_PROJECT_NAME"


class Request:
    """Everything that decides what is loaded; the arguments are those of ``load``."""

    def __init__(
        self,
        files: Sequence[str | Path] | None = None,
        *,
        project_directory: str | Path | None = None,
        project_name: str | None = None,
        env_files: Sequence[str | Path] | None = None,
        profiles: Sequence[str] | None = None,
        environment: Mapping[str, str] | None = None,
        working_directory: str | Path | None = None,
        services: Sequence[str] = (),
        all_resources: bool = False,
        traced: bool = False,
        settings: Settings | None = None,
        unsaved: Mapping[str, bytes] | None = None,
    ) -> None:
        self.files = [os.fspath(file) for file in files] if files else None
        self.project_directory = os.fspath(project_directory) if project_directory else None
        self.project_name = project_name
        self.env_files = [os.fspath(file) for file in env_files] if env_files else None
        self.profiles = list(profiles) if profiles else None
        self.environment = _process_environment() if environment is None else dict(environment)
        self.start = os.path.abspath(os.fspath(working_directory) if working_directory else os.getcwd())
        self.services = list(services)
        self.all_resources = all_resources
        self.traced = traced
        self.settings = settings or Settings()
        self.unsaved = unsaved or {}
        """Texts that stand for the files of these absolute paths: what an editor holds, what a fix would write."""


def _process_environment() -> dict[str, str]:
    """The environment as it was given to the process.

    In the C locale Python itself sets ``LC_CTYPE`` (PEP 538), which is not to reach anybody's containers.
    """
    environment = dict(os.environ)
    if environment.get("LC_CTYPE") == "C.UTF-8" and not (
        environment.get("LANG") or environment.get("LC_ALL")
    ):
        try:
            with open("/proc/self/environ", "rb") as given:
                if not any(entry.startswith(b"LC_CTYPE=") for entry in given.read().split(b"\0")):
                    del environment["LC_CTYPE"]
        except OSError:
            pass
    return environment


class Model:
    """A project as plain data: ``data`` is canonical, in the order that ``config`` prints.

    ``raw`` is the model before it took its last form (what ``config --no-interpolate`` prints).
    """

    def __init__(self, data: Map, raw: Map, disabled: Map, context: Context) -> None:
        self.data = data
        self.raw = raw
        self.disabled = disabled
        self.context = context
        self.name: str = data.get("name", "")
        self.files: tuple[str, ...] = ()
        self.profiles: tuple[str, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was said that does not stop the load."""
        return tuple(self.context.report.warnings)


def load(
    files: Sequence[str | Path] | None = None,
    *,
    project_directory: str | Path | None = None,
    project_name: str | None = None,
    env_files: Sequence[str | Path] | None = None,
    profiles: Sequence[str] | None = None,
    environment: Mapping[str, str] | None = None,
    working_directory: str | Path | None = None,
    services: Sequence[str] = (),
    all_resources: bool = False,
) -> Project:
    """Read a Compose application.

    Args:
        files: compose files in the order of ``-f``; ``-`` is standard input. None: ``COMPOSE_FILE``, else
            the default names in the working directory and its parents, with the override file.
        project_directory: folder against which paths are resolved. None: that of the first file.
        project_name: ``-p``. None: ``COMPOSE_PROJECT_NAME``, ``name:``, the folder's name.
        env_files: ``--env-file``. None: ``COMPOSE_ENV_FILES``, else ``.env`` in the project directory.
        profiles: ``--profile``. None: ``COMPOSE_PROFILES``.
        environment: the process environment; None: ``os.environ``.
        working_directory: where relative arguments start; None: the current one.
        services: only these and what they depend on; naming one activates its profiles. Empty: all.
        all_resources: keep networks, volumes, secrets and configs that no service uses.

    Raises:
        ModelErrors: everything that is wrong with the files, each with its place.
    """
    from stackwright.model.typed import to_project

    request = Request(
        files,
        project_directory=project_directory,
        project_name=project_name,
        env_files=env_files,
        profiles=profiles,
        environment=environment,
        working_directory=working_directory,
        services=services,
        all_resources=all_resources,
    )
    return to_project(read_model(request))


def read_model(request: Request) -> Model:
    """All stages up to the last form, as plain data.

    Raises:
        ModelErrors: everything that is wrong.
    """
    model, report = examine(request)
    if report.problems or model is None:
        raise ModelErrors(sorted(report.problems, key=_order), report.warnings)
    return model


def examine(request: Request) -> tuple[Model | None, Reporter]:
    """The model as far as it can be read, and all that is wrong with it: checks look at what is right, too.

    None: there is nothing to look at, such as no file. Elements that were dropped leave their parent `broken`.
    """
    report = Reporter(Sources())
    collecting = gc.isenabled()
    gc.disable()  # a load only allocates; collecting meanwhile costs a third of the time
    try:
        return _read(request, report), report
    finally:
        if collecting:
            gc.enable()


def _unread(raw: Map, name: str, files: Sequence[str], context: Context) -> Model:
    """A model whose variables were not replaced: it cannot take its last form."""
    data = Map(raw.mark)
    data.update({key: raw[key] for key in raw})
    data["services"] = raw.get("services") or Map(NOWHERE)
    model = Model(data, raw, Map(NOWHERE), context)
    model.name, model.files = name, tuple(files)
    return model


def _order(problem: Any) -> tuple[str, int, int]:
    return problem.file, problem.line, problem.column


def _read(request: Request, report: Reporter) -> Model | None:
    settings = request.settings
    context, files, place = _settle(request, report)
    if not files:
        return None
    named = _project_name(request, context, files, place)
    name, named_at = named or (None, NOWHERE)
    if name is not None:
        context.environment.values[_NAME] = name
    raw = read_files(files, context)
    if not raw and not report.problems:
        report.error("empty", f"{files[0]} is empty: it defines nothing", NOWHERE)
    if name is None:
        return None
    if settings.normalise:
        # Without interpolation nothing of the environment shows, as in the reference.
        normalise(raw, name, context.environment if settings.interpolate else Environment({}))
    if not settings.interpolate:
        return _unread(raw, name, files, context)
    data = _first("name", name, named_at, PROJECT.read(raw, raw.mark, "", report))
    profiles = request.profiles if request.profiles is not None else _listed(context, "COMPOSE_PROFILES")
    services: Map = data.get("services") or Map(NOWHERE)
    enabled, disabled = split_by_profile(services, _with_own(request.services, services, profiles))
    if settings.consistency and not report.incomplete:
        check_consistency(data, enabled, disabled, report)
    if settings.resolve_environment and not report.problems:
        resolve_env_files(enabled, context)
    if not report.problems:
        resolve_label_files(enabled, context)
    if request.services and not report.problems:
        try:
            enabled = with_dependencies(enabled, request.services)
        except UnknownServiceError as error:
            report.error("no-such-service", str(error), NOWHERE, near=error.name, among=services)
    data["services"] = enabled
    if not request.all_resources and not report.problems:
        without_unused(data, enabled)
    model = Model(data, raw, disabled, context)
    model.name, model.files, model.profiles = name, tuple(files), tuple(profiles)
    return model


def _settle(request: Request, report: Reporter) -> tuple[Context, list[str], str]:
    """The context, the files, and the folder that the project has its name from.

    Paths are relative to the first file, or to the copy of one that comes from a repository or a registry; the
    name and ``.env`` are then those of the folder one is in.

    ``.env`` may set ``COMPOSE_FILE`` and its like, so it is read from the folder where the search begins
    before the files are known, and again from the project's folder.
    """
    shell = Environment(request.environment, traced=request.traced)
    start = absolute(request.project_directory, request.start) if request.project_directory else request.start
    context = Context(start, shell, report, request.settings, unsaved=request.unsaved)
    folder = start
    if not request.project_directory and request.files:
        folder = _folder(request.files, request.start)
    chosen = env_files(request.env_files, request.environment, folder, request.start, report)
    context.environment = read_env_files(chosen, shell, context)
    files = compose_files(request.files, context.environment.values, request.start, start, report)
    if not request.project_directory and files:
        context.working_dir = _folder(files, request.start)
        if context.working_dir != folder:
            again = env_files(
                request.env_files, request.environment, context.working_dir, request.start, report
            )
            if again != chosen:
                context.environment = read_env_files(again, context.environment, context)
    place = context.working_dir
    copies = _copies(files, context)
    for file, copy in zip(files, copies, strict=False):
        if is_remote(file):
            context.working_dir = os.path.dirname(copy)
            break
    return context, copies, place


def _copies(files: Sequence[str], context: Context) -> list[str]:
    """The files, those of repositories and registries by their copies; none of them after an error."""
    try:
        return [context.local(file) if is_remote(file) else file for file in files]
    except UnreadableError as error:
        context.report.error("remote", str(error), NOWHERE)
        return []


def _folder(files: Sequence[str], start: str) -> str:
    """The folder of the first file that is one, unless it lives elsewhere."""
    for file in files:
        if is_remote(file):
            return start
        if file != "-":
            return os.path.dirname(absolute(file, start))
    return start


def _listed(context: Context, variable: str) -> list[str]:
    return [item.strip() for item in (context.environment.get(variable) or "").split(",")]


def _with_own(names: Sequence[str], services: Map, profiles: Sequence[str]) -> list[str]:
    """The profiles, and those of services that were asked for by name."""
    own = [profile for name in names for profile in (services.get(name) or {}).get("profiles", ())]
    return [*profiles, *own]


def _project_name(
    request: Request, context: Context, files: Sequence[str], place: str
) -> tuple[str, Mark] | None:
    """The project's name and the place in a file that gives it; None after an error."""
    report = context.report
    given = request.project_name or context.environment.get(_NAME)
    if given:
        if normal_name(given) != given:
            _bad_name(given, report)
            return None
        return given, NOWHERE if request.project_name else context.environment.origin(_NAME)[1]
    named = _name_in_files(files, context)
    if named is not None:
        text, mark = named
        if context.settings.interpolate:
            text = interpolate_text(text, context.environment, report, mark, "name") or ""
        name = normal_name(text) if context.settings.normalise else text
        if name:
            return name, mark
        said = f'"{named[0]}" leaves nothing that a project can be called' if text else f"{named[0]} is empty"
        hint = "lower case letters, digits, - and _, starting with a letter or digit"
        if not text:
            hint = "set the variable, give it a default, or leave name out to take the folder's"
        report.error("project-name", f"the project has no name: {said}", mark, "name", hint=hint)
        return None
    name = normal_name(os.path.basename(place))
    if name:
        return name, NOWHERE
    if not report.problems and all(os.path.isfile(file) or file == "-" for file in files):
        report.error("project-name", "the project has no name", hint="give one with -p")
        return None
    return "unnamed", NOWHERE  # something worse is wrong and will be said


def _bad_name(name: str, report: Reporter) -> None:
    hint = f'such as "{normal_name(name)}"' if normal_name(name) else ""
    message = f'"{name}" is no project name: lower case letters, digits, "-" and "_", starting with a letter or digit'
    report.error("project-name", message, hint=hint)


def _name_in_files(files: Sequence[str], context: Context) -> tuple[str, Any] | None:
    """The last ``name:`` at the top of a file: read before the stages, since they may refer to it."""
    found = None
    for file in files:
        try:
            number, text = context.read(file)
        except UnreadableError:
            continue
        found = top_level_name(text, number) or found
    return found


def _first(key: str, value: Any, mark: Mark, data: Map) -> Map:
    made = Map(data.mark)
    made.put(key, value, mark)
    made.update((name, item) for name, item in data.items() if name != key)
    made.marks.update((name, marks) for name, marks in data.marks.items() if name != key)
    made.broken = data.broken
    return made
