"""A project as it was at a git revision: its files, put into a folder of their own."""

from __future__ import annotations

import io
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stackwright.checks.settings import SettingsError

_SUFFIXES = (".yml", ".yaml", ".toml", ".env", ".conf", ".json", "Dockerfile", ".sh")


class NoRevisionError(SettingsError):
    """Git knows no such revision, or there is no git here."""


def _git(folder: Path, *words: str) -> bytes:
    try:
        done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, check=True)
    except FileNotFoundError:
        raise NoRevisionError("git is not installed, so revisions cannot be compared") from None
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode("utf-8", "replace").strip().removeprefix("fatal: ")
        raise NoRevisionError(f"git: {said}") from None
    return done.stdout


def is_revision(folder: Path, text: str) -> bool:
    """Whether git knows a revision of this name."""
    try:
        _git(folder, "rev-parse", "--verify", "--quiet", f"{text}^{{commit}}")
    except NoRevisionError:
        return False
    return True


@contextmanager
def checkout(folder: Path, revision: str) -> Iterator[tuple[Path, Path]]:
    """The project's folder at a revision and the root that stands for the repository's, while the block lasts.

    Only files that a Compose project is made of are taken. Variables in ``.env`` files that git does not know
    are taken from the folder as it is, on both sides alike.
    """
    top = Path(_git(folder, "rev-parse", "--show-toplevel").decode().strip())
    names = _git(folder, "ls-tree", "-r", "-z", "--name-only", "--full-tree", revision).decode().split("\0")
    wanted = [
        name
        for name in names
        if name.endswith(_SUFFIXES) or Path(name).name.startswith((".env", "Dockerfile"))
    ]
    with tempfile.TemporaryDirectory(prefix="stackwright-revision-") as made:
        root = Path(made)
        for start in range(0, len(wanted), 500):
            data = _git(top, "archive", "--format=tar", revision, "--", *wanted[start : start + 500])
            with tarfile.open(fileobj=io.BytesIO(data)) as archive:
                archive.extractall(root, filter="data")
        inside = root / folder.resolve().relative_to(top.resolve())
        inside.mkdir(parents=True, exist_ok=True)
        for file in folder.glob(".env*"):
            if file.is_file() and not (inside / file.name).exists():
                (inside / file.name).write_bytes(file.read_bytes())
        yield inside, root
