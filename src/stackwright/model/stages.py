"""The order of the stages for one project's files (Compose Specification, and its reference reader)."""

from __future__ import annotations

import os.path

from stackwright.model.canonical import canonical
from stackwright.model.defaults import fill_defaults
from stackwright.model.interpolate import interpolate
from stackwright.model.marks import NOWHERE, Map
from stackwright.model.merge import merge
from stackwright.model.paths import Folder, join, resolve_paths
from stackwright.model.read.document import read_documents
from stackwright.model.reset import apply_resets
from stackwright.model.schema.file import FILE
from stackwright.model.sources import NotFetchedError, UnreadableError, is_remote, read_bytes
from stackwright.model.unique import unique
from stackwright.model.wellformed import check_elements

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stackwright.model.environment import Environment
    from stackwright.model.marks import Mark
    from stackwright.model.read.document import Document
    from stackwright.model.sources import Reporter


RESOURCES = ("services", "volumes", "networks", "secrets", "configs", "models")
"""The sections of a file that define something by name."""


class Settings:
    """What ``config``'s flags switch off."""

    __slots__ = ("consistency", "fetch", "interpolate", "normalise", "resolve_environment", "resolve_paths")

    def __init__(
        self,
        *,
        interpolate: bool = True,
        normalise: bool = True,
        resolve_paths: bool = True,
        consistency: bool = True,
        resolve_environment: bool = True,
        fetch: bool = True,
    ) -> None:
        self.interpolate = interpolate
        self.normalise = normalise
        self.resolve_paths = resolve_paths
        self.consistency = consistency
        self.resolve_environment = resolve_environment
        self.fetch = fetch
        """Whether files in repositories and registries are fetched: an editor does not, at each key."""


class Context:
    """What every stage of one project may need: its folder, its variables, where to report."""

    def __init__(
        self,
        working_dir: str,
        environment: Environment,
        report: Reporter,
        settings: Settings,
        contents: dict[str, tuple[int, bytes]] | None = None,
        unsaved: Mapping[str, bytes] | None = None,
        base: str = "",
    ) -> None:
        self.working_dir = working_dir
        self._base = base
        self.environment = environment
        self.report = report
        self.settings = settings
        self.contents = contents if contents is not None else {}
        self.unsaved = unsaved or {}

    @property
    def base(self) -> str:
        """What relative paths are joined to: the folder, as the including project sees it."""
        return self._base or self.working_dir

    @property
    def traced(self) -> bool:
        """Whether values should remember how they came to their place (``config --origins``)."""
        return self.environment.traced

    @property
    def home(self) -> str | None:
        """The user's home folder, for ``~`` in paths."""
        return os.environ.get("HOME") or None

    def read(self, path: str) -> tuple[int, bytes]:
        """A file's number and content; each file is read once in a load.

        Raises:
            UnreadableError: it cannot be.
        """
        if path not in self.contents:
            given = self.unsaved.get(path)
            data = read_bytes(path) if given is None else given
            self.contents[path] = (self.report.sources.add(path, data), data)
        return self.contents[path]

    def local(self, path: str) -> str:
        """The absolute path of a file to read: of the copy when the path names a repository or an artifact.

        Raises:
            NotFetchedError: it is elsewhere, and nothing is to be fetched now.
            UnreadableError: there is no copy and none can be made.
        """
        if is_remote(path):
            if not self.settings.fetch:
                raise NotFetchedError(f"{path} is not fetched now")
            from stackwright.model.remote.fetch import local_copy

            return local_copy(path, self.environment.values)
        return path if path.startswith("/") else join(self.working_dir, path)

    def inside(self, working_dir: str, environment: Environment) -> Context:
        """The context of an included project. Its paths are resolved even where the main project's are not."""
        settings = Settings(interpolate=self.settings.interpolate, fetch=self.settings.fetch)
        base = os.path.relpath(working_dir, self.working_dir)
        return Context(working_dir, environment, self.report, settings, self.contents, self.unsaved, base)


def read_files(
    files: Sequence[str], context: Context, including: tuple[str, ...] = (), mark: Mark = NOWHERE
) -> Map:
    """One project's files merged in order, canonical, with defaults and absolute paths.

    What is wrong is reported; the result holds what is right.
    """
    model = Map(NOWHERE)
    for file in files:
        model = read_file(model, file, context, including, mark)
    fill_defaults(model)
    check_elements(model, context.report)
    if context.settings.resolve_paths:
        resolve_paths(model, Folder(context.base, context.home), context.report)
    return model


def read_file(model: Map, file: str, context: Context, including: tuple[str, ...], mark: Mark) -> Map:
    """The model with one more file laid over it."""
    try:
        number, text = context.read(file)
    except UnreadableError as error:
        context.report.error("file", str(error), mark)
        model.broken = context.report.incomplete = True
        return model
    report = context.report
    problems = len(report.problems)
    for document in read_documents(text, number, report):
        if type(document.value) is not Map:
            report.error(
                "not-a-mapping", "the top of a Compose file must be a mapping", _top(document, number)
            )
            continue
        model = add_document(model, document, file, context, including)
    model.broken = model.broken or len(report.problems) > problems
    return model


def add_document(
    model: Map, document: Document, file: str, context: Context, including: tuple[str, ...]
) -> Map:
    """The model with one document laid over it: the stages that run per file."""
    report, settings = context.report, context.settings
    layer: Map = document.value
    if settings.interpolate:
        interpolate(layer, context.environment, report)
    if _extends(layer):
        from stackwright.model.extends import extend

        extend(layer, document.resets, file, context.working_dir, context)
    apply_resets(model, document.resets)
    if "include" in layer:
        from stackwright.model.include import include

        include(layer, context, (*including, file))
    model = merge(model, layer, report) if model else layer
    unique(model)
    _validate(model, report)
    if "version" in model:
        report.warn(
            f"{file}: the attribute `version` is obsolete, it will be ignored, "
            "please remove it to avoid potential confusion"
        )
        model.drop("version")
    canonical(model, report, lenient=not settings.interpolate)
    # Long forms can reveal duplicates: a range of ports may hold one that is given elsewhere.
    return unique(model)


def _validate(model: Map, report: Reporter) -> None:
    """Check the shape of everything. A section that had to be dropped stays as an empty one that lost entries."""
    sections = {key: model.mark_at(key) for key in RESOURCES if key in model}
    FILE.check(model, model.mark, "", report)
    for key, mark in sections.items():
        if key not in model:
            section = Map(mark)
            section.broken = section.lost = True
            model.put(key, section, mark)


def _extends(layer: Map) -> bool:
    services = layer.get("services")
    return type(services) is Map and any(
        type(item) is Map and "extends" in item for item in services.values()
    )


def _top(document: Document, number: int) -> Mark:
    from stackwright.model.marks import mark_of

    return getattr(document.value, "mark", mark_of(number, 0, 0))
