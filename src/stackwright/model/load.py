"""``load``: from files to a typed project."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from stackwright.model.errors import ModelErrors
from stackwright.model.project import Project

__all__ = ["ModelErrors", "load"]


def load(
    files: Sequence[str | Path] | None = None,
    *,
    project_directory: str | Path | None = None,
    project_name: str | None = None,
    env_files: Sequence[str | Path] | None = None,
    profiles: Sequence[str] | None = None,
    environment: Mapping[str, str] | None = None,
    working_directory: str | Path | None = None,
) -> Project:
    """Read a Compose application.

    Args:
        files: compose files in the order of ``-f``; ``-`` is standard input. None: ``COMPOSE_FILE``, else
            the default names in the working directory and its parents, with the override file.
        project_directory: folder against which paths are resolved. None: that of the first file.
        project_name: ``-p``. None: ``COMPOSE_PROJECT_NAME``, ``name:``, the folder's name.
        env_files: ``--env-file``. None: ``COMPOSE_ENV_FILES``, else ``.env`` in the project directory.
        profiles: ``--profile``. None: ``COMPOSE_PROFILES``.
        environment: the process environment; None: ``os.environ``.
        working_directory: where relative arguments start; None: the current one.

    Raises:
        ModelErrors: everything that is wrong with the files, each with its place.
    """
    raise NotImplementedError
