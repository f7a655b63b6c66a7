"""Names of hosts in configuration files that services mount: nginx and Prometheus."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stackwright.checks.finding import Hit, Place
from stackwright.checks.rule import ERROR, WARNING, rule
from stackwright.checks.rules.hosts import guess
from stackwright.checks.service import ServiceView
from stackwright.checks.subject import Subject
from stackwright.checks.urls import names_elsewhere, own_hosts, single_label
from stackwright.model.marks import Map, Seq, place_of
from stackwright.model.read.document import read_documents
from stackwright.model.sources import Reporter, Sources


@rule(
    "SW114",
    "unknown-host-in-file",
    ERROR,
    reason="The program reads this file when it starts and cannot resolve the name: nginx then refuses to start, Prometheus sees the target as down.",
    mend="name a service of the project, or add the service",
)
def unknown_host_in_file(subject: Subject) -> Iterator[Hit]:
    """A mounted nginx or Prometheus configuration that names a host that is no service."""
    for service in subject.each:
        if names_elsewhere(service):
            continue
        for path in _configurations(service):
            text = subject.files.read(path)
            if text is None:
                continue
            for host, line in _hosts_in(service, path, text):
                if single_label(host) and host not in subject.by_name and host not in own_hosts(service):
                    severity = ERROR if service.kind == "proxy" else WARNING
                    message = f'reads a configuration that names "{host}", which no service is called'
                    meant = guess(host, subject)
                    yield service.hit(
                        message, 0, "volumes", place=Place(path, line, 1), mend=meant, severity=severity
                    )


def _configurations(service: ServiceView) -> Iterator[str]:
    software = service.software.name if service.software else ""
    files = service.subject.files
    for mount in service.items("volumes") if software in ("nginx", "Prometheus") and files.look else ():
        source, target = str(mount.get("source") or ""), str(mount.get("target") or "")
        if mount.get("type") != "bind" or not target.startswith(
            ("/etc/nginx", "/etc/prometheus", "/opt/bitnami")
        ):
            continue
        if files.is_file(source):
            yield source
        for name in sorted(files.names(source) or ()):
            if name.endswith((".conf", ".template", ".yml", ".yaml")):
                yield f"{source}/{name}"


def _hosts_in(service: ServiceView, path: str, text: bytes) -> Iterator[tuple[str, int]]:
    if service.kind == "proxy":
        yield from _nginx_hosts(text.decode("utf-8", "replace"))
    elif path.endswith((".yml", ".yaml")):
        yield from _prometheus_hosts(text)


_UPSTREAM = re.compile(r"\bupstream\s+([\w.-]+)")
_PASS = re.compile(r"^\s*(?:proxy_pass|grpc_pass|fastcgi_pass|uwsgi_pass|scgi_pass)\s+(?:\w+://)?([\w.-]+)")
_SERVER = re.compile(r"^\s*server\s+([\w.-]+)(?::\d+)?[\s;]")


def _nginx_hosts(text: str) -> Iterator[tuple[str, int]]:
    upstreams = set(_UPSTREAM.findall(text))
    inside = False
    for number, row in enumerate(text.splitlines(), 1):
        line = row.partition("#")[0]
        inside = (inside or bool(_UPSTREAM.search(line))) and "}" not in line.replace("{}", "")
        match = _PASS.match(line) or (_SERVER.match(line) if inside else None)
        if match and match[1] not in upstreams:
            yield match[1], number


def _prometheus_hosts(text: bytes) -> Iterator[tuple[str, int]]:
    sources = Sources()
    number = sources.add("", text)
    for document in read_documents(text, number, Reporter(sources)):
        yield from _targets(document.value)


def _targets(value: object) -> Iterator[tuple[str, int]]:
    if type(value) is Map:
        listed = value.get("targets")
        if type(listed) is Seq:
            for index, target in enumerate(listed):
                yield str(target).partition(":")[0], place_of(listed.mark_at(index))[1]
        for key, item in value.items():
            if key != "targets":
                yield from _targets(item)
    elif type(value) is Seq:
        for item in value:
            yield from _targets(item)
