"""Variables: used and not set, set and not used, not in the example, two names for one thing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from stackwright.checks.finding import Hit, Place
from stackwright.checks.fixes import replace_on_line, replace_scalar
from stackwright.checks.knowledge.credentials import names_credential
from stackwright.checks.raw import Use
from stackwright.checks.rule import ADVICE, ERROR, WARNING, rule
from stackwright.checks.subject import Subject
from stackwright.model.dotenv import DotenvError, parse
from stackwright.model.marks import Seq, place_of

if TYPE_CHECKING:
    from stackwright.model.marks import Mark

_EXAMPLES = (
    ".env.example",
    ".env.sample",
    ".env.template",
    ".env.dist",
    "example.env",
    "env.example",
    ".env.defaults",
)


def _uses(subject: Subject) -> Iterator[tuple[Use, Place]]:
    for raw in subject.raws:
        for use in raw.uses:
            yield use, raw.place(use.mark)


@rule(
    "SW1001",
    "variable-not-set",
    WARNING,
    production=ERROR,
    reason="A variable that is set nowhere is replaced by nothing: the service gets an empty value.",
    mend="set it in .env, give it a default (${NAME:-value}), or demand it (${NAME:?})",
)
def variable_not_set(subject: Subject) -> Iterator[Hit]:
    """A variable without value and default.

    Graver in production, unless no env file is there at all: then a server or a pipeline has one, and nobody
    can know from here what is in it.
    """
    said: set[tuple[str, Place]] = set()
    strict = subject.strict and subject.knows_an_env_file
    for use, place in _uses(subject):
        name = use.variable.name
        if name not in subject.unset or use.operator or (name, place) in said:
            continue
        said.add((name, place))
        if _lone_dollar(subject, use):
            continue
        message = f"{name} is set nowhere" + (", so this password is empty" if names_credential(name) else "")
        yield Hit(message, place=place, path=use.path, severity=None if strict else WARNING)


def _lone_dollar(subject: Subject, use: Use) -> bool:
    """Whether the dollar was meant for the container's shell, which `SW1007` speaks of."""
    return _in_script(use.path) and not use.variable.name.isupper()


def _in_script(path: str) -> bool:
    return path.endswith((".command", ".entrypoint", ".healthcheck.test", ".test"))


@rule(
    "SW1002",
    "variable-not-used",
    ADVICE,
    reason="A setting that nothing reads misleads whoever changes it.",
    mend="use it, or remove it",
)
def variable_not_used(subject: Subject) -> Iterator[Hit]:
    """A variable of ``.env`` that neither the Compose files nor a service's ``env_file`` uses."""
    used = {use.variable.name for use, _ in _uses(subject)}
    used |= {name for service in subject.each for name in service.mapping("environment")}
    used |= {str(name) for service in subject.each for name in service.mapping("build", "args")}
    given = {
        str(entry.get("path")) for service in subject.each for entry in service.data.get("env_file") or ()
    }
    # env_file is resolved into the environment; what is written tells which files go to services whole.
    given |= {
        str(path)
        for raw in subject.raws
        for _, service, _ in raw.services()
        for path in _paths(service.get("env_file"))
    }
    environment = subject.model.context.environment
    unused: list[tuple[str, Mark]] = []
    for name in environment.names():
        _, mark = environment.origin(name)
        number, _, _ = place_of(mark)
        file = subject.sources.names[number]
        whole = any(PurePosixPath(path).name == PurePosixPath(file).name for path in given)
        if (
            number
            and name not in used
            and not whole
            and not name.startswith(("COMPOSE_", "DOCKER_", "BUILDKIT_"))
            and not _inside_another(name, subject, number)
        ):
            unused.append((name, mark))
    if len(unused) > _MANY:
        shown = ", ".join(name for name, _ in unused)
        yield Hit(
            f"{len(unused)} variables are set here and used nowhere: {shown}", unused[0][1], path=unused[0][0]
        )
        return
    for name, mark in unused:
        yield Hit(f"{name} is set here and used nowhere", mark, path=name)


_MANY = 4
"""More than this many alike findings in one file are said at once."""


def _inside_another(name: str, subject: Subject, number: int) -> bool:
    text = subject.sources.texts[number]
    return f"${{{name}".encode() in text or f"${name}".encode() in text


def _paths(value: object) -> list[str]:
    entries = value if isinstance(value, list) else [value]
    return [str(entry.get("path")) if isinstance(entry, dict) else str(entry) for entry in entries if entry]


@rule(
    "SW1003",
    "not-in-example",
    WARNING,
    reason="Whoever sets the project up copies the example file, and finds out what it lacks one failure at a time.",
    mend="add it to the example file",
)
def not_in_example(subject: Subject) -> Iterator[Hit]:
    """A variable without default that ``.env.example`` does not list."""
    example, names = _example(subject)
    if not example:
        return
    said: set[str] = set()
    for use, place in _uses(subject):
        name = use.variable.name
        optional = use.operator and not use.variable.required
        if (
            name in names
            or name in said
            or optional
            or name.startswith("COMPOSE_")
            or name in _SHELL
            or (_in_script(use.path) and not name.isupper())
        ):
            continue
        said.add(name)
        yield Hit(f"{name} is not in {PurePosixPath(example).name}", place=place, path=use.path)


_SHELL = frozenset(
    {"HOME", "USER", "PWD", "UID", "GID", "PATH", "HOSTNAME", "SHELL", "TERM", "LANG", "DISPLAY"}
)
"""Variables that every shell has."""


def _example(subject: Subject) -> tuple[str, dict[str, Place]]:
    """The project's example file, and the names in it with their places."""
    for name in _EXAMPLES if subject.files.look else ():
        path = f"{subject.folder}/{name}"
        text = subject.files.read(path)
        if text is None:
            continue
        try:
            found = parse(text.decode("utf-8", "replace"), lambda _: None, file=1)
        except DotenvError:
            return "", {}
        return path, {key: Place(path, *place_of(mark)[1:]) for key, mark in found.places.items()}
    return "", {}


@rule(
    "SW1004",
    "example-out-of-date",
    ADVICE,
    reason="The example asks for a setting that nothing reads.",
    mend="remove it from the example",
)
def example_out_of_date(subject: Subject) -> Iterator[Hit]:
    """A variable of ``.env.example`` that neither the Compose files nor a service's ``env_file`` uses."""
    example, names = _example(subject)
    if any(_paths(service.get("env_file")) for raw in subject.raws for _, service, _ in raw.services()):
        return  # The services may read the whole file.
    used = {use.variable.name for use, _ in _uses(subject)}
    used |= {name for service in subject.each for name in service.mapping("environment")}
    for name, place in names.items():
        if name not in used and not name.startswith(("COMPOSE_", "DOCKER_", "BUILDKIT_")):
            yield Hit(f"{name} is in {PurePosixPath(example).name} and used nowhere", place=place, path=name)


@rule(
    "SW1005",
    "quotes-in-value",
    WARNING,
    reason='In a list "- NAME=..." quotes around the value alone are part of it: the program gets them, too.',
    mend="put the quotes around the whole entry, or leave them out",
    fixable=True,
)
def quotes_in_value(subject: Subject) -> Iterator[Hit]:
    """``- NAME="value"`` in a list of variables."""
    for raw in subject.raws:
        for name, service, _ in raw.services():
            given: Any = service.get("environment")
            for index, entry in enumerate(given if type(given) is Seq else ()):
                variable, _, value = str(entry).partition("=")
                quoted = (
                    len(value) >= 2
                    and value[0] in "\"'"
                    and value[-1] == value[0]
                    and value[0] not in value[1:-1]
                )
                place = raw.place(given.mark_at(index))
                if not quoted or raw.line(place.line)[place.column - 1 : place.column] in ("'", '"'):
                    continue
                bare = value[1:-1]
                plain = re.fullmatch(r"[\w./:@${}+%=-]*", bare) is not None and not bare.endswith(":")
                text = (
                    f"{variable}={bare}"
                    if plain
                    else f'"{variable}={bare}"'
                    if "\\" not in bare and '"' not in bare
                    else ""
                )
                changes = (
                    f"services.{name}.environment.{variable}",
                    f"disabled.{name}.environment.{variable}",
                )
                fix = (
                    replace_scalar(raw, place, text, f"take the quotes out of {variable}", changes)
                    if text
                    else None
                )
                yield Hit(
                    f'service "{name}": the quotes are part of the value of {variable}',
                    place=place,
                    service=name,
                    path=f"services.{name}.environment",
                    fix=fix,
                )


@rule(
    "SW1006",
    "one-thing-two-names",
    ADVICE,
    reason="Two names for one setting are changed one at a time.",
    mend="use one name",
)
def one_thing_two_names(subject: Subject) -> Iterator[Hit]:
    """One address, with its user and password, under different variable names in different services."""
    first: dict[str, tuple[str, str]] = {}
    for service in subject.each:
        given = service.mapping("environment")
        for name, value in service.environment.items():
            if "://" not in value or "@" not in value or subject.in_env_file(given.mark_at(name)):
                continue
            other, variable = first.setdefault(value, (service.name, name))
            if variable != name and other != service.name:
                yield service.hit(
                    f'calls {name} what "{other}" calls {variable}', given.key_mark(name), "environment"
                )


@rule(
    "SW1007",
    "dollar-for-the-shell",
    WARNING,
    reason="Compose replaces $name before the container's shell sees it: with nothing, when it is not set.",
    mend="write $$ for a dollar that is meant for the container",
    fixable=True,
)
def dollar_for_the_shell(subject: Subject) -> Iterator[Hit]:
    """A shell variable in a command or health check, taken by Compose."""
    said: set[tuple[str, Place]] = set()
    for use, place in _uses(subject):
        name = use.variable.name
        if not _in_script(use.path) or use.operator or name not in subject.unset or (name, place) in said:
            continue
        assigned = _assigned(name, subject, place)
        if not name.isupper() or assigned:
            said.add((name, place))
            raw = next((raw for raw in subject.raws if raw.path == place.file), None)
            changes = (use.path, use.path.replace("services.", "disabled.", 1))
            fix = (
                replace_on_line(raw, place.line, f"${name}", f"$${name}", f"keep ${name}", changes)
                if raw
                else None
            )
            message = f"${name} is replaced by Compose, not by the container's shell"
            yield Hit(message, place=place, path=use.path, fix=fix)


def _assigned(name: str, subject: Subject, place: Place) -> bool:
    raw = next((raw for raw in subject.raws if raw.path == place.file), None)
    return (
        raw is not None
        and re.search(rf"(?:\b{name}=|\bfor {name} in\b|\bread {name}\b)", raw.line(place.line)) is not None
    )
