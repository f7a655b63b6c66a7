"""Questions to the person at the terminal."""

from __future__ import annotations

import sys

import click


def agreed(question: str, otherwise: str) -> bool:
    """Whether the person says yes; without a terminal a no, and `otherwise` says which flag is a yes."""
    if not sys.stdin.isatty():
        sys.stderr.write(f"{question} [yN] no (use {otherwise})\n")
        return False
    return click.confirm(question, err=True)
