"""Credentials where everybody can read them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from stackwright.checks.finding import Hit
from stackwright.checks.knowledge.credentials import describe, guessable, harmless, names_credential, token_in
from stackwright.checks.rule import ADVICE, ERROR, WARNING, rule
from stackwright.checks.service import ServiceView
from stackwright.checks.subject import Subject
from stackwright.checks.urls import addresses
from stackwright.model.marks import Map
from stackwright.model.template import variables

if TYPE_CHECKING:
    from stackwright.model.marks import Mark


def _variables(service: ServiceView) -> Iterator[tuple[str, str, Mark]]:
    """Variables of the Compose file itself: those of files of variables are out of the file already."""
    given = service.mapping("environment")
    for name, value in service.environment.items():
        mark = given.mark_at(name)
        if not service.subject.in_env_file(mark):
            yield name, value, mark


@rule(
    "SW601",
    "plain-credential",
    WARNING,
    production=ERROR,
    reason="Whoever can read the file, or its history, has the password.",
    mend="take it from a variable (${NAME:?}) or a secret",
)
def plain_credential(subject: Subject) -> Iterator[Hit]:
    """A password or key written out in ``environment``."""
    for service in subject.each:
        for name, value, mark in _variables(service):
            if (
                names_credential(name)
                and not harmless(value)
                and subject.literal(mark)
                and not token_in(value)
            ):
                mend = f"write {name}: ${{{name}:?}} and set it outside the file, or use a secret"
                grave = ADVICE if subject.kind == "test" else None
                message = f"writes out {name} ({describe(value)})"
                yield service.hit(message, mark, "environment", mend=mend, severity=grave)


@rule(
    "SW602",
    "known-default",
    ADVICE,
    production=ERROR,
    reason="When nobody sets the variable, the service runs with a password that is in the file.",
    mend="demand the variable: ${NAME:?set it}",
)
def known_default(subject: Subject) -> Iterator[Hit]:
    """``${PASSWORD:-changeme}``."""
    for service in subject.each:
        for name, value, mark in _variables(service):
            if not names_credential(name) or harmless(value):
                continue
            for variable in variables(subject.written(mark)):
                if variable.default and variable.default == value:
                    message = f"falls back to a value for {name} that is in the file ({describe(value)}) when {variable.name} is not set"
                    yield service.hit(message, mark, "environment", mend=f"write ${{{variable.name}:?}}")


@rule(
    "SW603",
    "credential-in-address",
    WARNING,
    production=ERROR,
    reason="Whoever can read the file, or its history, has the password.",
    mend="take the password in the address from a variable",
)
def credential_in_address(subject: Subject) -> Iterator[Hit]:
    """A password written out in an address."""
    for service in subject.each:
        for address in addresses(service):
            if (
                not address.password
                or subject.in_env_file(address.mark)
                or names_credential(address.variable)
            ):
                continue
            written = subject.written(address.mark)
            if f":{address.password}@" in written and not address.password.startswith("$"):
                message = f"writes out the password for {address.host} in {address.variable} ({describe(address.password)})"
                yield service.hit(message, address.mark, "environment")


@rule(
    "SW604",
    "real-token",
    ERROR,
    reason="This has the shape of a real key: once it is in a repository, it must be taken as known to everybody.",
    mend="revoke it now, make a new one, and keep that outside the file",
)
def real_token(subject: Subject) -> Iterator[Hit]:
    """A token of a well-known service anywhere in a service."""
    for service in subject.each:
        for key in ("environment", "labels", "build", "command", "entrypoint"):
            for value, mark in _texts(service.data.get(key), service.at(key)):
                what = token_in(value)
                if what and not (key == "environment" and subject.in_env_file(mark)):
                    yield service.hit(f"holds {what}", mark, key)


def _texts(value: object, mark: Mark) -> Iterator[tuple[str, Mark]]:
    if isinstance(value, str):
        yield value, mark
    elif type(value) is Map:
        for key, item in value.items():
            yield from _texts(item, value.mark_at(key) or mark)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, mark)


@rule(
    "SW605",
    "credential-in-build",
    WARNING,
    production=ERROR,
    reason="Build arguments stay readable in the image's history for everybody who can pull it.",
    mend="use build.secrets and RUN --mount=type=secret",
)
def credential_in_build(subject: Subject) -> Iterator[Hit]:
    """A password or token as a build argument."""
    for service in subject.each:
        given = service.mapping("build", "args")
        for name, value in given.items():
            if names_credential(str(name)) and value is not None and not harmless(str(value)):
                yield service.hit(
                    f"hands {name} to its build as an argument", given.mark_at(name), "build.args"
                )


_WORD = re.compile(r"^--?(?:requirepass|password|masterauth|root-password|secret|token|api-key)(?:=(.+))?$")


@rule(
    "SW606",
    "credential-in-command",
    WARNING,
    production=ERROR,
    reason="A command line is shown by ps, by docker inspect and in the file.",
    mend="let the program read it from a variable or a secret",
)
def credential_in_command(subject: Subject) -> Iterator[Hit]:
    """``redis-server --requirepass mypassword``."""
    for service in subject.each:
        words = " ".join(str(word) for word in service.data.get("command") or ()).split()
        written = subject.written(service.at("command"))
        for index, word in enumerate(words):
            match = _WORD.match(word)
            value = match[1] or (words[index + 1] if index + 1 < len(words) else "") if match else ""
            value = value.strip("\"'")
            if (
                value
                and not value.startswith(("-", "$", "/", "@"))
                and value in written
                and not harmless(value)
            ):
                yield service.hit(
                    f"writes out a password ({describe(value)}) on its command line ({word.partition('=')[0]})",
                    service.at("command"),
                    "command",
                )
                break


_OPEN = {
    "POSTGRES_HOST_AUTH_METHOD": ("trust",),
    "MYSQL_ALLOW_EMPTY_PASSWORD": ("yes", "true", "1"),
    "MARIADB_ALLOW_EMPTY_ROOT_PASSWORD": ("yes", "true", "1"),
    "ALLOW_EMPTY_PASSWORD": ("yes", "true", "1"),
    "ALLOW_ANONYMOUS_LOGIN": ("yes", "true", "1"),
    "ALLOW_PLAINTEXT_LISTENER": (),
    "xpack.security.enabled": ("false",),
    "plugins.security.disabled": ("true",),
    "DISABLE_SECURITY_PLUGIN": ("true",),
    "AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED": ("true",),
    "NEO4J_AUTH": ("none",),
    "ME_CONFIG_BASICAUTH": ("false",),
    "GF_AUTH_ANONYMOUS_ENABLED": ("true",),
    "DASHBOARD_AUTH": ("false",),
}


@rule(
    "SW607",
    "authentication-off",
    ADVICE,
    production=ERROR,
    reason="Whoever reaches the port can read and change everything.",
    mend="set a password",
)
def authentication_off(subject: Subject) -> Iterator[Hit]:
    """A database, queue or page that asks nobody who they are."""
    for service in subject.each:
        given = service.mapping("environment")
        for name, values in _OPEN.items():
            if service.environment.get(name, "").lower() in values and name in service.environment:
                yield service.hit(
                    f"asks for no password ({name}={service.environment[name]})",
                    given.mark_at(name),
                    "environment",
                )


@rule(
    "SW608",
    "placeholder-in-use",
    None,
    production=ERROR,
    reason="A placeholder that nobody replaced is a password that everybody knows.",
    mend="set a long random value",
)
def placeholder_in_use(subject: Subject) -> Iterator[Hit]:
    """A credential in production whose value, from a file of variables, is well known."""
    from stackwright.model.marks import NOWHERE

    environment = subject.model.context.environment
    said: set[str] = set()
    for raw in subject.raws:
        for use in raw.uses:
            name = use.variable.name
            value = environment.get(name)
            _, mark = environment.origin(name)
            if (
                name in said
                or mark == NOWHERE
                or not value
                or not names_credential(name)
                or not guessable(value)
            ):
                continue
            said.add(name)
            yield Hit(f"{name} is {describe(value)}", mark, path=name)
    for service in subject.each:
        given = service.mapping("environment")
        for name, value in service.environment.items():
            if (
                name not in said
                and subject.in_env_file(given.mark_at(name))
                and names_credential(name)
                and guessable(value)
            ):
                said.add(name)
                yield service.hit(f"has {describe(value)} as {name}", given.mark_at(name), "environment")


_DEBUG = {
    "NODE_ENV": ("development", "dev", "test"),
    "FLASK_ENV": ("development",),
    "FLASK_DEBUG": ("1", "true"),
    "DJANGO_DEBUG": ("1", "true"),
    "DEBUG": ("1", "true", "yes", "on"),
    "APP_DEBUG": ("1", "true"),
    "RAILS_ENV": ("development", "test"),
    "RACK_ENV": ("development",),
    "APP_ENV": ("development", "dev", "local"),
    "ASPNETCORE_ENVIRONMENT": ("development",),
    "SPRING_PROFILES_ACTIVE": ("dev", "development", "local"),
    "GIN_MODE": ("debug",),
}


@rule(
    "SW609",
    "debug-in-production",
    None,
    production=WARNING,
    reason="Debug modes show code and variables to visitors, and are slow.",
    mend="set it for production",
)
def debug_in_production(subject: Subject) -> Iterator[Hit]:
    """``NODE_ENV: development`` and its like in production."""
    for service in subject.each:
        given = service.mapping("environment")
        for name, values in _DEBUG.items():
            if subject.kind == "production" and service.environment.get(name, "").lower() in values:
                yield service.hit(
                    f"runs with {name}={service.environment[name]} in production",
                    given.mark_at(name),
                    "environment",
                )
