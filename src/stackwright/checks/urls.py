"""Addresses inside values of variables: ``postgres://user:word@db:5432/name``, ``REDIS_HOST=redis``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from stackwright.model.marks import Map

if TYPE_CHECKING:
    from stackwright.checks.service import ServiceView
    from stackwright.model.marks import Mark

_URL = re.compile(
    r"\b([A-Za-z][A-Za-z0-9+.-]*)://(?:([^:@/\s,]*)(?::([^@/\s]*))?@)?([^/\s?#\"']+)(/[^\s?\"',]*)?"
)
LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?")
_NO_HOST = frozenset(
    ["s3", "s3a", "gs", "abfs", "file", "unix", "sqlite", "sqlite3", "docker", "data", "memory", "mem", "npipe", "oci", "git", "urn", "chrome", "vscode", "app", "env", "vault", "secret", "ref", "crn", "hdfs", "kubernetes", "k8s", "consul", "docker-image", "http+unix", "redis+socket", "inproc", "ipc", "myapp", "exp", "swarm"]
)  # fmt: skip
LOCAL = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0"})
_OUTSIDE = frozenset({"host.docker.internal", "gateway.docker.internal", "host-gateway"})
_HOST_NAME = re.compile(r"(?:^|_)(?:HOST|HOSTNAME|SERVER|BROKERS?|BOOTSTRAP_SERVERS?|ADDR|ADDRESS|ENDPOINT)$")
_BROWSER = re.compile(
    r"PUBLIC|^VITE_|^REACT_APP_|^NUXT_|^VUE_APP_|^EXPO_|CORS|ORIGIN|CALLBACK|REDIRECT|EXTERNAL|ADVERTISED|FRONTEND_URL|SITE_URL|BASE_URL|ROOT_URL|WEBHOOK|ISSUER|LISTEN|BIND|TRUSTED|ALLOWED|COOKIE|DOMAIN"
)


@dataclass(frozen=True, slots=True)
class Address:
    """One address in a variable. ``scheme`` is empty for a bare host name, ``port`` 0 when not given."""

    service: ServiceView
    variable: str
    scheme: str
    user: str
    password: str
    host: str
    port: int
    path: str
    mark: Mark

    @property
    def for_browsers(self) -> bool:
        """Whether the variable's name says that not the container but a browser or client uses it."""
        return bool(_BROWSER.search(self.variable.upper()))


def addresses(service: ServiceView) -> Iterator[Address]:
    """The addresses in a service's variables."""
    given = service.mapping("environment")
    for variable, value in service.environment.items():
        mark = given.mark_at(variable) if type(given) is Map else service.mark
        if "://" in value:
            yield from _in_url(service, variable, value, mark)
        elif _HOST_NAME.search(variable.upper()):
            yield from _bare(service, variable, value, mark)


def _in_url(service: ServiceView, variable: str, value: str, mark: Mark) -> Iterator[Address]:
    for match in _URL.finditer(value):
        scheme, user, password, hosts, path = match.groups()
        if scheme.lower() in _NO_HOST:
            continue
        for part in hosts.split(","):
            if "://" in part:
                break
            host, _, port = part.rpartition(":") if part.rpartition(":")[2].isdigit() else (part, "", "")
            if host:
                yield Address(
                    service,
                    variable,
                    scheme.lower(),
                    unquote(user or ""),
                    unquote(password or ""),
                    host,
                    int(port) if port.isdigit() else 0,
                    (path or "").strip("/"),
                    mark,
                )


def _bare(service: ServiceView, variable: str, value: str, mark: Mark) -> Iterator[Address]:
    for part in value.split(","):
        host, _, port = part.strip().partition(":")
        if (host in LOCAL or LABEL.fullmatch(host)) and (not port or port.isdigit()) and not host.isdigit():
            yield Address(service, variable, "", "", "", host, int(port or 0), "", mark)


def single_label(host: str) -> bool:
    """Whether a name could only be one of a service: no dots, and nothing else that it means."""
    return (
        "." not in host
        and host not in LOCAL
        and host not in _OUTSIDE
        and bool(LABEL.fullmatch(host))
        and not host.isdigit()
    )


def names_elsewhere(service: ServiceView) -> bool:
    """Whether names that the project does not define may still mean something to a service."""
    subject = service.subject
    if service.data.get("network_mode") or service.data.get("external_links") or service.data.get("dns"):
        return True
    networks = subject.section("networks")
    return any((networks.get(name) or {}).get("external") for name in service.networks)


def own_hosts(service: ServiceView) -> set[str]:
    """Names that a service's own file of hosts or its own identity gives."""
    found = set(service.names)
    for entry in service.data.get("extra_hosts") or ():
        found.add(str(entry).replace("=", ":").partition(":")[0])
    links = service.items("links")
    found.update(str(link).rpartition(":")[2] for link in links)
    return found
