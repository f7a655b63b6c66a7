"""Health checks that cannot work, or say yes whatever happens."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from stackwright.checks.finding import Fix, Hit
from stackwright.checks.fixes import changed, replace_on_line, whole_test
from stackwright.checks.rule import ADVICE, ERROR, WARNING, rule
from stackwright.checks.service import ServiceView
from stackwright.checks.subject import Subject

if TYPE_CHECKING:
    from stackwright.model.marks import Mark

_OPERATORS = frozenset({"||", "&&", "|", ";", ">", ">>", "2>&1", "exit"})


def _rewritten(service: ServiceView) -> Fix | None:
    """The test as one text for the shell, from the words as they are written in the file."""
    mark = _mark(service)
    raw = service.subject.raw_at(mark)
    for name, written, _ in raw.services() if raw else ():
        check = written.get("healthcheck")
        test = check.get("test") if isinstance(check, dict) else None
        if raw is not None and name == service.name and isinstance(test, list):
            if len(test) > 2 and any(re.search(r"[\s\"']", str(word)) for word in test[1:]):
                return None  # Where words are to be quoted is not for us to guess.
            return whole_test(raw, service.subject.place(mark), [str(word) for word in test[1:]], name)
    return None


def _on_line(service: ServiceView, old: str, new: str, title: str) -> Fix | None:
    raw, place = service.subject.raw_at(_mark(service)), service.subject.place(_mark(service))
    return (
        replace_on_line(raw, place.line, old, new, title, changed(service.name, "healthcheck.test"))
        if raw
        else None
    )


def test_is_exec(service: ServiceView) -> bool:
    """Whether the test is a list of words for the engine, without a shell."""
    return service.health_test[:1] == ["CMD"]


def _mark(service: ServiceView) -> Mark:
    return service.at("healthcheck", "test")


@rule(
    "SW211",
    "shell-words-in-exec-test",
    ERROR,
    reason='A test that starts with CMD runs without a shell: "||" and its like become arguments of the program.',
    mend='start with "CMD-SHELL" and write the whole test as one text',
    fixable=True,
)
def shell_words_in_exec_test(subject: Subject) -> Iterator[Hit]:
    """``["CMD", "curl", "-f", "...", "||", "exit", "1"]``."""
    for service in subject.each:
        test = service.health_test
        if test[:1] != ["CMD"] or len(test) < 2 or test[1].rpartition("/")[2] in ("sh", "bash", "ash"):
            continue
        found = next((word for word in test[1:] if word in _OPERATORS and word != "exit"), None)
        if found:
            yield service.hit(
                f'gives "{found}" to {test[1]} as an argument: CMD runs no shell',
                _mark(service),
                "healthcheck.test",
                fix=_rewritten(service),
            )


@rule(
    "SW212",
    "test-as-one-word",
    ERROR,
    reason="After CMD each element is one word: the engine looks for a program whose name is the whole text.",
    mend='write "CMD-SHELL", or each word as an element of its own',
    fixable=True,
)
def test_as_one_word(subject: Subject) -> Iterator[Hit]:
    """``["CMD", "curl -f http://localhost"]``."""
    for service in subject.each:
        test = service.health_test
        if test[:1] == ["CMD"] and len(test) == 2 and re.search(r"\S\s+\S", test[1]):
            yield service.hit(
                f'has a health check that runs a program called "{test[1]}"',
                _mark(service),
                "healthcheck.test",
                fix=_rewritten(service),
            )


@rule(
    "SW213",
    "words-after-shell-test",
    ERROR,
    reason="CMD-SHELL takes one text: further elements are not part of the command.",
    mend="write the whole test as one text after CMD-SHELL, or start with CMD",
    fixable=True,
)
def words_after_shell_test(subject: Subject) -> Iterator[Hit]:
    """``["CMD-SHELL", "curl", "-f", "..."]``."""
    for service in subject.each:
        test = service.health_test
        if test[:1] == ["CMD-SHELL"] and len(test) > 2:
            yield service.hit(
                f'has a health check that runs only "{test[1]}": CMD-SHELL takes one text',
                _mark(service),
                "healthcheck.test",
                fix=_rewritten(service),
            )


_CURL = re.compile(r"(?:^|[\s;&|(])curl\s+(?P<rest>[^|;&]*)")
_FAILS = re.compile(r"(?:^|\s)(?:-[a-zA-Z]*f[a-zA-Z]*|--fail(?:-with-body)?)(?:\s|$)")


@rule(
    "SW214",
    "curl-without-fail",
    WARNING,
    reason="curl ends with 0 for an answer of 500, too: the service counts as healthy while it is broken.",
    mend="add -f",
    fixable=True,
)
def curl_without_fail(subject: Subject) -> Iterator[Hit]:
    """``curl`` without ``-f`` whose answer nobody looks at."""
    for service in subject.each:
        text = " ".join(service.health_test[1:])
        match = _CURL.search(text)
        if (
            match
            and not _FAILS.search(f" {match['rest']} ")
            and "grep" not in text
            and "http_code" not in text
            and "jq" not in text
            and "$(" not in text
            and "[" not in text
            and re.search(r"https?://|localhost", match["rest"])
        ):
            exec_form = test_is_exec(service)
            fix = _on_line(
                service,
                '"curl"' if exec_form else "curl ",
                '"curl", "-f"' if exec_form else "curl -f ",
                "add -f",
            )
            yield service.hit(
                "counts as healthy whatever curl is answered", _mark(service), "healthcheck.test", fix=fix
            )


_URL = re.compile(r"(?:localhost|127\.0\.0\.1|\[::1\]|0\.0\.0\.0):(\d+)")


@rule(
    "SW215",
    "probe-on-host-port",
    ERROR,
    reason="The health check runs inside the container, where only the container's own port exists.",
    mend="probe the port after the colon of the port mapping",
    fixable=True,
)
def probe_on_host_port(subject: Subject) -> Iterator[Hit]:
    """A health check that asks the published port instead of the container's."""
    for service in subject.each:
        text = " ".join(service.health_test[1:])
        inside = {port.target for port in service.published}
        outside = {port.first: port.target for port in service.published if port.first == port.last}
        listens = inside | {int(value) for value in service.environment.values() if value.isdigit()}
        listens |= {
            int(str(entry).partition("/")[0])
            for entry in service.data.get("expose") or ()
            if str(entry).partition("/")[0].isdigit()
        }
        words = " ".join(service.command)
        for match in _URL.finditer(text):
            port = int(match[1])
            if port in outside and port not in listens and str(port) not in words:
                message = f"probes port {port}, which it has on the host only; inside it is {outside[port]}"
                host = match[0].rpartition(":")[0]
                fix = _on_line(service, match[0], f"{host}:{outside[port]}", "probe the container's port")
                yield service.hit(message, _mark(service), "healthcheck.test", fix=fix)
                break


_NO_CURL = (
    re.compile(
        r"^(?:python|node|ruby|php|golang|rust|openjdk|eclipse-temurin|amazoncorretto|maven|gradle|perl|elixir|erlang):.*(?:slim|alpine)"
    ),
    re.compile(r"^(?:alpine|debian|ubuntu|busybox)(?::|$)"),
    re.compile(
        r"^(?:postgres|redis|mysql|mariadb|mongo|memcached|caddy|traefik|haproxy|vault|registry)(?::|$)"
    ),
    re.compile(r"^(?:qdrant/qdrant|prom/|minio/mc|grafana/loki|gcr\.io/distroless|nats|otel/)"),
)
_NO_WGET = (
    re.compile(r"^(?:python|node|ruby|php|openjdk|eclipse-temurin|perl):.*slim"),
    re.compile(r"^(?:debian|ubuntu)(?::|$)"),
    re.compile(r"^(?:qdrant/qdrant|gcr\.io/distroless|otel/)"),
)


@rule(
    "SW216",
    "probe-tool-missing",
    WARNING,
    reason="The program that the health check runs is not in the image, so the container never becomes healthy.",
    mend="install it in the image, or probe with what the image has (its own client, wget on Alpine, the language itself)",
)
def probe_tool_missing(subject: Subject) -> Iterator[Hit]:
    """``curl`` or ``wget`` in an image that has none."""
    for service in subject.each:
        tool = _tool(service)
        if not tool:
            continue
        base, installs = _base(service)
        patterns = _NO_CURL if tool == "curl" else _NO_WGET
        if base and any(pattern.search(base) for pattern in patterns) and tool not in installs:
            where = f"its image is built on {base}" if "build" in service.data else base
            yield service.hit(
                f"is probed with {tool}, which is not in the image ({where})",
                _mark(service),
                "healthcheck.test",
            )


def _tool(service: ServiceView) -> str:
    test = service.health_test
    words = re.split(r"[\s;&|()]+", " ".join(test[1:]))
    used = [tool for tool in ("curl", "wget") if tool in words]
    return used[0] if len(used) == 1 else ""


def _base(service: ServiceView) -> tuple[str, str]:
    """The image that the container's files come from, and the text of all that is installed on it."""
    if "build" not in service.data:
        return service.image_text, ""
    build = service.build
    if build is None or build.file is None:
        return "", ""
    target = str(service.mapping("build").get("target") or "")
    installs = " ".join(
        one.text + " ".join(doc.content for doc in one.heredocs)
        for one in build.instructions(target, "RUN", "COPY", "ADD")
    )
    return build.base_image(target), installs


@rule(
    "SW217",
    "timeout-over-interval",
    ADVICE,
    reason="A probe that may take longer than the time between probes delays every answer about the service's health.",
    mend="make the timeout shorter than the interval",
)
def timeout_over_interval(subject: Subject) -> Iterator[Hit]:
    """A timeout longer than the interval."""
    for service in subject.each:
        interval, timeout = (
            service.duration("healthcheck", "interval"),
            service.duration("healthcheck", "timeout"),
        )
        if interval and timeout and timeout > interval:
            message = f"has a health check whose timeout ({timeout:g} s) is longer than its interval ({interval:g} s)"
            yield service.hit(message, service.key("healthcheck", "timeout"), "healthcheck.timeout")
