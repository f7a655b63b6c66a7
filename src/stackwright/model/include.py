"""Stage: projects brought in by ``include`` (Compose Specification, Include).

Each is read on its own, in its own folder and with its own env files, and then copied in. What the including file
defines under the same name is laid over the included definition (as newer versions of the reference do); two
different definitions in two included projects are a mistake.
"""

from __future__ import annotations

import os.path

from stackwright.model.env_files import read_env_files
from stackwright.model.marks import NOWHERE, Map, Seq, detoured
from stackwright.model.paths import join
from stackwright.model.sources import NotFetchedError, UnreadableError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from stackwright.model.marks import Mark
    from stackwright.model.stages import Context


def include(model: Map, context: Context, including: tuple[str, ...]) -> Map:
    """Copy in what each entry of ``include`` defines, in place.

    Args:
        model: one document; its ``include`` is removed.
        context: settings of the project that includes.
        including: the files that led here, outermost first.
    """
    from stackwright.model.stages import RESOURCES

    entries = model.get("include")
    own = {kind: frozenset(model[kind]) for kind in RESOURCES if type(model.get(kind)) is Map}
    below = Map(NOWHERE)
    if type(entries) is Seq:
        for index, entry in enumerate(entries):
            imported = _include(model, entry, entries.mark_at(index), context, including)
            if imported is not None:
                _import(imported, model, below, own, context)
    elif entries is not None:
        context.report.error("type", "include must be a list", model.mark_at("include"), "include")
    model.drop("include")
    _lay_over(below, model, context)
    return model


def _include(model: Map, entry: Any, mark: Mark, context: Context, including: tuple[str, ...]) -> Map | None:
    from stackwright.model.stages import read_files

    if entry is not None and type(entry) is not Map and type(entry) is not str:
        message = "an entry of include must be a path or a mapping"
        context.report.error("type", message, mark, "include")
        return None
    paths = _texts(entry.get("path") if type(entry) is Map else entry)
    if not paths:
        context.report.warn('an entry of "include" has no path, so it does nothing')
        return None
    try:
        files = [context.local(path) for path in paths]
    except UnreadableError as error:
        context.report.incomplete = True
        if type(error) is not NotFetchedError:
            context.report.error("remote", str(error), mark)
        return None
    if files[0] in including:
        steps = " → ".join(os.path.basename(file) for file in (*including, files[0]))
        context.report.incomplete = True
        context.report.error("include-cycle", f"files include each other in a circle: {steps}", mark)
        return None
    directory = os.path.dirname(files[0])
    if type(entry) is Map and entry.get("project_directory"):
        directory = join_absolute(context.working_dir, str(entry["project_directory"]))
    env_files = _env_files(entry, directory, context, mark)
    if env_files is None:
        context.report.incomplete = True
        return None
    environment = read_env_files(env_files, context.environment, context, mark)
    inner = context.inside(directory, environment)
    problems = len(context.report.problems)
    imported = read_files(files, inner, including, mark)
    if len(context.report.problems) > problems:
        model.broken = True
    if context.traced:
        imported = detoured(imported, "included", mark)
    return imported


def _texts(value: Any) -> list[str]:
    if type(value) is str:
        return [value]
    return [item for item in value if type(item) is str] if type(value) is Seq else []


def _env_files(entry: Any, directory: str, context: Context, mark: Mark) -> list[str] | None:
    """The env files of an entry: those it names, else the ``.env`` of its folder; None after an error."""
    named = _texts(entry.get("env_file")) if type(entry) is Map else []
    if not named:
        default = join(directory, ".env")
        return [default] if os.path.isfile(default) else []
    files = []
    for name in named:
        path = join_absolute(context.working_dir, name)
        if path == "/dev/null":
            continue
        if not os.path.exists(path):
            context.report.error("env-file", f"env file {path} does not exist", entry.mark_at("env_file"))
            return None
        if os.path.isdir(path):
            context.report.error("env-file", f"env file {path} is a directory", entry.mark_at("env_file"))
            return None
        files.append(path)
    return files


def join_absolute(base: str, path: str) -> str:
    """A path that may be absolute already."""
    return path if path.startswith("/") else join(base, path)


def _import(
    source: Map, target: Map, below: Map, own: Mapping[str, frozenset[str]], context: Context
) -> None:
    """Copy in what is new, and keep in `below` what the including file defines as well (its `own` names)."""
    from stackwright.model.stages import RESOURCES

    for kind in RESOURCES:
        given = source.get(kind)
        if type(given) is not Map:
            continue
        for name, item in given.items():
            into = below if name in own.get(kind, ()) else target
            if type(into.get(kind)) is not Map:
                into.place(kind, Map(given.mark), source.marks.get(kind, (NOWHERE, NOWHERE)))
            existing = into[kind]
            if name not in existing:
                existing.place(name, item, given.marks.get(name, (NOWHERE, NOWHERE)))
            elif existing[name] != item:
                other = context.report.sources.describe(given.key_mark(name))
                message = f"{kind}.{name} is defined differently by another included file ({other})"
                hint = "let only one of them define it, or name an override file in one include's path list"
                context.report.error("include-conflict", message, existing.key_mark(name), hint=hint)


def _lay_over(below: Map, model: Map, context: Context) -> None:
    """Lay the including file's own definitions over the included ones of the same name."""
    from stackwright.model.merge import merge

    for kind, included in below.items():
        mine: Map = model[kind]
        over = Map(mine.mark)
        for name in [name for name in included if mine[name] != included[name]]:
            over.place(name, mine[name], mine.marks.get(name, (NOWHERE, NOWHERE)))
        base, layer = Map(NOWHERE), Map(NOWHERE)
        base.place(kind, included, below.marks[kind])
        layer.place(kind, over, model.marks.get(kind, (NOWHERE, NOWHERE)))
        for name, item in merge(base, layer, context.report)[kind].items():
            mine[name] = item
