"""Every failure that reaches the edge: one message on stderr, an exit code, never a traceback."""

from __future__ import annotations

import os
import sys
import traceback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stackwright.run.errors import ServiceFailed


def report(error: BaseException) -> int:
    """Print the error for a person and return the exit code.

    With STACKWRIGHT_DEBUG set, the traceback comes too.
    """
    if isinstance(error, BaseExceptionGroup):
        from stackwright.run.executor import first_failure

        return report(first_failure(error))
    if isinstance(error, BrokenPipeError):
        # The reader of our output went away (`| head`): not an error, but nothing may be flushed any more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    if os.environ.get("STACKWRIGHT_DEBUG"):
        traceback.print_exception(error, file=sys.stderr)
    text, hint, code = describe(error)
    sys.stderr.write(text + "\n")
    if hint:
        sys.stderr.write(f"  hint: {hint}\n")
    return code


def describe(error: BaseException) -> tuple[str, str, int]:
    """The error as (text, hint, exit code)."""
    from stackwright.engine.errors import EngineError
    from stackwright.model.errors import ModelErrors
    from stackwright.run.build import BuildError
    from stackwright.run.errors import RunError, ServiceFailed

    if isinstance(error, ModelErrors):
        return str(error), "", error.exit_code
    if isinstance(error, ServiceFailed):
        from stackwright.run.explain import render

        _fit(error)
        return _placed(error.place, render(error)), error.hint, error.exit_code
    if isinstance(error, BuildError):
        shown = [f"  {line}" for line in error.output]
        return _placed(error.place, "\n".join([error.message, *shown])), error.hint, error.exit_code
    if isinstance(error, RunError):
        return _placed(error.place, error.message), error.hint, error.exit_code
    if isinstance(error, EngineError):
        return error.message, error.hint, error.exit_code
    if isinstance(error, OSError):
        return (f"{error.filename}: " if error.filename else "") + (error.strerror or str(error)), "", 1
    kind = type(error).__name__
    return (
        f"stackwright: internal error: {kind}: {error}",
        "please report it, with the output of the same command under STACKWRIGHT_DEBUG=1",
        70,
    )


SCREEN = 40
"""Lines of a failure where there is no terminal to measure."""
FEWEST = 5
"""Log lines that are shown however small the screen is."""


def _fit(error: ServiceFailed) -> None:
    """Shorten what a failed service printed, so that the whole explanation fits a screen."""
    from stackwright.run.explain import render

    try:
        size = os.get_terminal_size(sys.stderr.fileno())
        rows, columns = max(24, min(SCREEN, size.lines - 2)), size.columns
    except (OSError, ValueError):
        rows, columns = SCREEN, 200
    findings = error.findings
    log, findings.log = findings.log, []
    taken = sum(1 + len(line) // columns for line in render(error).splitlines()) + 4
    findings.log = [
        line if len(line) <= columns - 3 else line[: columns - 4] + "…"
        for line in log[-max(FEWEST, rows - taken) :]
    ]


def _placed(place: str, message: str) -> str:
    if not place:
        return message
    near = os.path.relpath(place)
    return f"{place if near.startswith('..') else near}: {message}"
