"""Why a service failed, in words: exit code, last probe, last log lines, what to try."""

from __future__ import annotations

import os
import re
import signal
from contextlib import suppress
from datetime import datetime
from typing import Any

from stackwright.engine.errors import EngineError
from stackwright.model.project import Project
from stackwright.run.advice import advise
from stackwright.run.errors import Findings, ServiceFailed
from stackwright.run.probing import TIMED_OUT, check_of
from stackwright.run.readiness import NotReady
from stackwright.run.session import Session, place

JSON = dict[str, Any]
LOG_LINES = 20

_CODES = {
    125: "the engine could not start it",
    126: "its command cannot be executed",
    127: "its command was not found",
    130: "interrupted: SIGINT",
    134: "aborted: SIGABRT",
    137: "killed: SIGKILL, not for lack of memory",
    139: "crashed: SIGSEGV",
    143: "ended by SIGTERM",
}


def exit_in_words(code: int, *, oom_killed: bool = False) -> str:
    """What an exit code says.

    >>> exit_in_words(137, oom_killed=True), exit_in_words(1), exit_in_words(127), exit_in_words(129)
    ('killed: out of memory', 'error', 'its command was not found', 'ended by SIGHUP')
    """
    if oom_killed:
        return "killed: out of memory"
    if code in _CODES:
        return _CODES[code]
    if code > 128:
        with suppress(ValueError):
            return f"ended by {signal.Signals(code - 128).name}"
    return "success" if code == 0 else "error"


async def last_lines(session: Session, container: str, count: int = LOG_LINES) -> list[str]:
    """The container's last log lines; empty when the engine no longer has them."""
    data = b""
    with suppress(EngineError):
        async for chunk in session.engine.logs(container, tail=count):
            data += chunk.data
    return data.decode("utf-8", "replace").splitlines()[-count:]


async def explain(session: Session, service: str, container: str, outcome: NotReady) -> ServiceFailed:
    """The error for a service that did not become ready."""
    state = outcome.container.get("State", {})
    findings = Findings(log=await last_lines(session, container))
    if state and not state.get("Running"):
        code = int(state.get("ExitCode") or 0)
        findings.exit_code = code
        findings.meaning = exit_in_words(code, oom_killed=bool(state.get("OOMKilled")))
    health = state.get("Health") or {}
    probes = health.get("Log") or outcome.probes
    findings.probes = [_probe_line(entry) for entry in probes[-1:]]
    findings.dependents = dependents(session.project, service)
    findings.advice = advise(outcome.container, findings.log, findings.probes, service)
    name = str(outcome.container.get("Name", "")).removeprefix("/") or service
    message = f"service {service} failed: container {name}: {outcome.why}"
    if findings.exit_code is not None:
        message += f" with exit code {findings.exit_code} ({findings.meaning})"
    elif outcome.container.get("RestartCount") and "times" in outcome.why:
        code = int(state.get("ExitCode") or 0)
        message += f", last with exit code {code} ({exit_in_words(code)})"
    elif outcome.why == "its health check failed":
        message += f": {spent(outcome.container, probes)}"
    key = "healthcheck" if health else ""
    where = place(session.project, f"services.{service}" + (f".{key}" if key else ""))
    return ServiceFailed(
        service, message, findings, place=where or place(session.project, f"services.{service}")
    )


def _probe_line(entry: JSON) -> str:
    output = str(entry.get("Output", "")).strip()
    return f"exit code {entry.get('ExitCode')}" + (f": {output}" if output else ", no output")


def dependents(project: Project, service: str) -> list[str]:
    """Who waits for the service, with the relation and its place in the file."""
    found = []
    for name, other in project.services.items():
        if (dependency := other.depends_on.get(service)) is not None:
            where = place(project, f"services.{name}.depends_on.{service}") or place(
                project, f"services.{name}.depends_on"
            )
            optional = "" if dependency.required else ", not required"
            found.append(
                f"{name} waits for {service}: {dependency.condition}{optional}"
                + (f" ({os.path.basename(where)})" if where else "")  # noqa: PTH119 - a text
            )
    return found


def spent(container: JSON, probes: list[JSON]) -> str:
    """How the probe budget was used up: how many probes of how many seconds, how they ended, and when it was over.

    >>> check = {"Interval": 10**9, "Timeout": 10**9, "Retries": 2}
    >>> spent({"Config": {"Healthcheck": {"Test": ["CMD", "x"], **check}}}, [{"ExitCode": -1}, {"ExitCode": -1}])
    '2 probes of 1 s, both timed out; the budget ended after 4 s'
    """
    check = check_of(container)
    if check is None:
        return "no probe"
    state = container.get("State") or {}
    streak = (state.get("Health") or {}).get("FailingStreak") or len(probes) or check.retries
    codes = {entry.get("ExitCode") for entry in probes[-streak:]}
    every = {1: "which", 2: "both"}.get(streak, "all")
    if len(codes) > 1:
        every, codes = "the last one", {probes[-1].get("ExitCode")}
    code = next(iter(codes), None)
    how = "failed" if code is None else "timed out" if code == TIMED_OUT else f"ended with exit code {code}"
    count = "1 probe" if streak == 1 else f"{streak} probes"
    seconds = (
        _seconds_between(state.get("StartedAt", ""), (probes or [{}])[-1].get("End", "")) or check.budget
    )
    return f"{count} of {check.timeout:g} s, {every} {how}; the budget ended after {seconds:.3g} s"


def _seconds_between(begin: str, end: str) -> float:
    """Between two times of the engine (RFC 3339); 0 when one is missing."""
    try:
        first, last = (datetime.fromisoformat(re.sub(r"(\.\d{6})\d*", r"\1", text)) for text in (begin, end))
        return max(0.0, (last - first).total_seconds())
    except (ValueError, TypeError):
        return 0.0


def render(error: ServiceFailed) -> str:
    """The error and its findings as text of at most one screen."""
    lines = [error.message]
    for probe in error.findings.probes:
        lines += ["", "last health probe:", *(f"  {line}" for line in probe.splitlines()[-10:])]
    if error.findings.dependents:
        lines += ["", "what waits for it:", *(f"  {line}" for line in error.findings.dependents)]
    if error.findings.log:
        lines += ["", "last log lines:", *(f"  {line}" for line in error.findings.log)]
    if error.findings.advice:
        lines += ["", "what to try:", *(f"  {line}" for line in error.findings.advice)]
    return "\n".join(lines)
