"""`check --fix` and `check --diff`: show the changes, and write them when asked."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from stackwright.checks.environments import Environment
from stackwright.checks.mending import mend as mend_texts
from stackwright.checks.output.text import near
from stackwright.checks.run import Options
from stackwright.refactor.edits import unified


def mend(environments: Sequence[Environment], options: Options, *, write: bool) -> int:
    """Show what the proved fixes change; with `write`, change the files. Returns the exit code."""
    mended = mend_texts(environments, options)
    here = str(Path.cwd())
    before = {near(name, here): text for name, text in mended.before.items()}
    after = {near(name, here): text for name, text in mended.after.items()}
    sys.stdout.write(unified(before, after))
    for finding, why in mended.unproved:
        place = f"{near(finding.place.file, here)}:{finding.place.line}"
        sys.stderr.write(
            f"{place}: {finding.code} was left alone: the fix would do more than it says ({why})\n"
        )
    if write:
        for name, text in mended.after.items():
            if text != mended.before[name]:
                replace_file(Path(name), text)
    if mended.done:
        word = "mended" if write else "can be mended"
        sys.stderr.write(
            f"{len(mended.done)} finding{'s' * (len(mended.done) != 1)} {word}, proved by loading before and after\n"
        )
    return 0


def replace_file(path: Path, text: bytes) -> None:
    """Write a file whole or not at all, with the same mode; a link's target is replaced, not the link."""
    target = Path(os.path.realpath(path))
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(target.stat().st_mode & 0o7777)
        Path(name).replace(target)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
