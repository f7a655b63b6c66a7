"""A remote resource's local copy (Compose, `include`, `extends` and `-f` with a git URL or ``oci://``).

Copies lie where `docker compose` keeps its own, under the same names: a project then has the same absolute
paths, and so the same hashes, with either tool.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile

from stackwright.model.sources import UnreadableError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_GIT_PAGE = re.compile(r"\.git(#.*)?$")

_FETCHED: dict[tuple[str, str], str] = {}
"""What this process has fetched: a load reads a moving branch once, and an editor does not ask at each key."""


def local_copy(address: str, environment: Mapping[str, str]) -> str:
    """The absolute path of the Compose file behind an address, fetched when it is not there yet.

    Args:
        address: a git URL (``git://…``, ``ssh://…``, ``https://….git``, ``git@host:path``, each with
            ``#ref:path`` behind it) or ``oci://registry/name:tag``.
        environment: for ``XDG_CACHE_HOME``, ``HOME`` and ``DOCKER_CONFIG``.

    Raises:
        UnreadableError: there is no such thing, or it cannot be reached.
    """
    cache = _cache_folder(environment)
    if (cache, address) not in _FETCHED:
        try:
            _FETCHED[cache, address] = _fetch(address, cache, environment)
        except OSError as error:
            raise UnreadableError(f"cannot keep a copy of {address} in {cache}: {error.strerror}") from error
    return _FETCHED[cache, address]


def _fetch(address: str, cache: str, environment: Mapping[str, str]) -> str:
    if address.startswith("oci://"):
        from stackwright.model.remote.oci import fetch_artifact

        return fetch_artifact(address, cache, environment)
    if address.startswith(("https://", "http://")) and not _GIT_PAGE.search(address):
        raise UnreadableError(f"{address} is a web address: git repositories (….git) and oci:// can be read")
    from stackwright.model.remote.git import fetch_repository

    return fetch_repository(address, cache)


def _cache_folder(environment: Mapping[str, str]) -> str:
    """``docker-compose`` in the user's cache folder."""
    cache = environment.get("XDG_CACHE_HOME")
    return os.path.join(cache or os.path.join(environment.get("HOME") or "/tmp", ".cache"), "docker-compose")


def kept(cache: str, name: str, fill: Callable[[str], None]) -> str:
    """The folder ``cache/name``; made by ``fill`` in a temporary folder, so that it is whole or not there."""
    folder = os.path.join(cache, name)
    if os.path.isdir(folder):
        return folder
    os.makedirs(cache, exist_ok=True)
    unfinished = tempfile.mkdtemp(prefix=f".{name[:12]}-", dir=cache)
    try:
        os.chmod(unfinished, 0o755)
        fill(unfinished)
        try:
            os.rename(unfinished, folder)
        except OSError:
            if not os.path.isdir(folder):  # else another process was quicker
                raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder
