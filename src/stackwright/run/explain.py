"""Why a service failed, in words: exit code, last probe, last log lines, what to try."""

from __future__ import annotations

import signal
from contextlib import suppress
from typing import Any

from stackwright.engine.errors import EngineError
from stackwright.run.advice import advise
from stackwright.run.errors import Findings, ServiceFailed
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
    findings.probes = [_probe_line(entry) for entry in (health.get("Log") or [])[-1:]]
    findings.advice = advise(outcome.container, findings.log, findings.probes, service)
    name = str(outcome.container.get("Name", "")).removeprefix("/") or service
    message = f"service {service} failed: container {name}: {outcome.why}"
    if findings.exit_code is not None:
        message += f" with exit code {findings.exit_code} ({findings.meaning})"
    elif outcome.container.get("RestartCount") and "times" in outcome.why:
        code = int(state.get("ExitCode") or 0)
        message += f", last with exit code {code} ({exit_in_words(code)})"
    elif outcome.why == "its health check failed":
        budget = _budget(outcome.container.get("Config", {}).get("Healthcheck") or {})
        message += f" {health.get('FailingStreak', 0)} times in a row ({budget})"
    key = "healthcheck" if health else ""
    where = place(session.project, f"services.{service}" + (f".{key}" if key else ""))
    return ServiceFailed(
        service, message, findings, place=where or place(session.project, f"services.{service}")
    )


def _probe_line(entry: JSON) -> str:
    output = str(entry.get("Output", "")).strip()
    return f"exit code {entry.get('ExitCode')}" + (f": {output}" if output else ", no output")


def _budget(check: JSON) -> str:
    interval = (check.get("Interval") or 30_000_000_000) / 1e9
    timeout = (check.get("Timeout") or 30_000_000_000) / 1e9
    retries = check.get("Retries") or 3
    return f"{retries} retries every {interval:g} s, {timeout:g} s each"


def render(error: ServiceFailed) -> str:
    """The error and its findings as text of at most one screen."""
    lines = [error.message]
    for probe in error.findings.probes:
        lines += ["", "last health probe:", *(f"  {line}" for line in probe.splitlines()[-10:])]
    if error.findings.log:
        lines += ["", "last log lines:", *(f"  {line}" for line in error.findings.log)]
    if error.findings.advice:
        lines += ["", "what to try:", *(f"  {line}" for line in error.findings.advice)]
    return "\n".join(lines)
