"""Files of variables: ``--env-file``, an include's ``env_file``, a service's ``env_file`` and ``label_file``."""

from __future__ import annotations

import os.path

from stackwright.model.dotenv import DotenvError, Variables, parse
from stackwright.model.marks import NOWHERE, mark_of
from stackwright.model.sources import UnreadableError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from stackwright.model.environment import Environment
    from stackwright.model.marks import Mark
    from stackwright.model.stages import Context
    from stackwright.model.template import Lookup


def read_env_files(
    files: Sequence[str], environment: Environment, context: Context, mark: Mark = NOWHERE
) -> Environment:
    """An environment with the variables of files below its own; later files win over earlier ones.

    Problems are reported at their line, or at ``mark`` when a file cannot be read.
    """
    if not files:
        return environment
    found = Variables()
    for path in files:
        if not os.path.exists(path):
            context.report.error("env-file", f"env file {path} does not exist", mark)
        elif os.path.isdir(path):
            context.report.error("env-file", f"env file {path} is a directory", mark)
        else:
            read_variables(path, environment.get, found, context, mark)
    return environment.extended(found.values, found.places)


def read_variables(
    path: str, lookup: Lookup, into: Variables, context: Context, mark: Mark = NOWHERE
) -> None:
    """Add a file's variables to ``into``. What cannot be read is reported."""
    try:
        number, data = context.read(path)
    except UnreadableError as error:
        context.report.error("env-file", str(error), mark)
        return
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start)
        column = error.start - (data.rfind(b"\n", 0, error.start) + 1)
        context.report.error("env-file", "this is not text in UTF-8", mark_of(number, line, column))
        return
    try:
        parse(text, lookup, into, number)
    except DotenvError as error:
        context.report.error("env-file", str(error), mark_of(number, error.line, error.column))


def read_raw(path: str, into: Variables, context: Context, mark: Mark = NOWHERE) -> None:
    """``format: raw``: one ``KEY=value`` a line, the value exactly as it is (as ``docker run --env-file``)."""
    try:
        number, data = context.read(path)
    except UnreadableError as error:
        context.report.error("env-file", str(error), mark)
        return
    for index, line in enumerate(data.decode("utf-8", "replace").removeprefix("\ufeff").splitlines()):
        text = line.lstrip()
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if not name or name != name.strip() or any(sign.isspace() for sign in name):
            message = f'"{name}" is no variable name'
            context.report.error("env-file", message, mark_of(number, index, 0))
            return
        if equals:
            into.values[name] = value
        elif (inherited := context.environment.get(name)) is not None:
            into.values[name] = inherited
        else:
            continue
        into.places[name] = mark_of(number, index, 0)
