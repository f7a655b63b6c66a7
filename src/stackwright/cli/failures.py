"""Every failure that reaches the edge: one message on stderr, an exit code, never a traceback."""

from __future__ import annotations

import os
import sys
import traceback


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


def _placed(place: str, message: str) -> str:
    if not place:
        return message
    near = os.path.relpath(place)
    return f"{place if near.startswith('..') else near}: {message}"
