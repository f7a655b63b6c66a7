"""Compose files in git repositories, through the ``git`` program (its credentials, proxies and keys hold)."""

from __future__ import annotations

import os
import re
import subprocess

from stackwright.model.discover import DEFAULT_NAMES
from stackwright.model.remote.fetch import kept
from stackwright.model.sources import UnreadableError

_COMMIT = re.compile(r"[0-9a-f]{40}")
_SECONDS = 120


def fetch_repository(address: str, cache: str) -> str:
    """The Compose file in a repository: the one that ``#ref:path`` names, or the default one of that folder.

    Args:
        address: ``url``, ``url#ref``, ``url#ref:path`` or ``url#:path``; the ref is a branch, a tag or a
            whole commit id, HEAD when it is left out.
        cache: folder for working copies, one per commit.

    Raises:
        UnreadableError: git is not installed, refuses, or there is no such ref or file.
    """
    url, _, rest = address.partition("#")
    ref, _, path = rest.partition(":")
    if url.startswith("github.com/"):
        url = f"https://{url}"
    if ".." in path.split("/"):
        raise UnreadableError(f"{address}: the path leads out of the repository")
    commit = ref if _COMMIT.fullmatch(ref) else _commit_of(url, ref or "HEAD")

    def clone(folder: str) -> None:
        _git(url, "init", "--quiet", folder)
        _git(url, "-C", folder, "remote", "add", "origin", url)
        _git(url, "-C", folder, "fetch", "--quiet", "--depth=1", "origin", commit)
        _git(url, "-C", folder, "checkout", "--quiet", commit)

    copy = kept(cache, commit, clone)
    place = os.path.join(copy, path) if path else copy
    if not os.path.realpath(place).startswith(os.path.realpath(copy)):
        raise UnreadableError(f"{address}: the path leads out of the repository")
    if os.path.isdir(place):
        for name in DEFAULT_NAMES:
            if os.path.isfile(os.path.join(place, name)):
                return os.path.join(place, name)
        raise UnreadableError(f"{address} has no Compose file ({', '.join(DEFAULT_NAMES)})")
    if not os.path.exists(place):
        raise UnreadableError(f"{url} at {ref or 'HEAD'} has no {path}")
    return place


def _commit_of(url: str, ref: str) -> str:
    listed = _git(
        url, "ls-remote", "--exit-code", "--", url, ref, missing=f"{url} has no branch or tag {ref}"
    )
    return listed.split()[0]


def _git(url: str, *words: str, missing: str = "") -> str:
    """What git prints. ``missing``: what exit code 2 means."""
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0"}
    try:
        done = subprocess.run(
            ["git", *words], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=_SECONDS, check=False, errors="replace",
        )  # fmt: skip
    except FileNotFoundError as error:
        raise UnreadableError(f"{url} is a git repository, and git is not installed here") from error
    except subprocess.TimeoutExpired as error:
        raise UnreadableError(f"{url} did not answer git within {_SECONDS} seconds") from error
    if done.returncode == 2 and missing:
        raise UnreadableError(missing)
    if done.returncode != 0:
        said = " ".join(line.strip() for line in done.stderr.splitlines() if line.strip())
        raise UnreadableError(f"git cannot read {url}: {said.removeprefix('fatal: ')}")
    return done.stdout
