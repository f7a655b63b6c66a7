"""Git repositories as sources: of a build's context, of a named context, of ``ADD`` (``URL#ref:folder``)."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from stackwright.embedded.builder.errors import StepFailed
from stackwright.embedded.builder.types import Lender
from stackwright.embedded.images.archive.unpack import remove_tree
from stackwright.embedded.images.view import LayerView

_SCP = re.compile(r"[\w.-]+@[\w.-]+:[^/].*")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_PROTOCOLS = "http:https:ssh:git"
"""Never ``file`` or ``ext``: a Dockerfile must not reach into the engine's own files, or run a program here."""
_SAFE = (
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "protocol.file.allow=never",
    "-c",
    "advice.detachedHead=false",
)


def is_git(url: str) -> bool:
    """Whether a URL means a repository: ``git@...``, ``git://``, ``ssh://``, and ``http(s)://`` that ends with .git."""
    if url.startswith(("git://", "ssh://")) or _SCP.fullmatch(url.partition("#")[0]):
        return True
    return url.lower().startswith(("http://", "https://")) and urlsplit(url).path.endswith(".git")


@asynccontextmanager
async def lent_agent(lender: Lender, url: str, folder: Path) -> AsyncIterator[Path | None]:
    """The client's SSH agent for a URL that is reached by SSH, None for others."""
    if url.startswith(("http://", "https://", "git://")):
        yield None
        return
    place = folder / "git-agent"
    place.mkdir(exist_ok=True)
    async with lender.agent("default", place) as agent:
        yield agent


@dataclass(frozen=True, slots=True)
class Checkout:
    """A working copy. ``folder``: the part that was asked for, inside ``root``; ``commit``: its id."""

    root: Path
    folder: str
    commit: str

    def view(self) -> LayerView:
        """The files; links lead nowhere else. StepFailed when the folder is not there."""
        node = LayerView([self.root]).lookup(self.folder)
        if node is None or not node.is_dir:
            raise StepFailed(f"the repository has no folder {self.folder}")
        return LayerView([Path(node.host)])


async def checkout(
    url: str, place: Path, *, agent: Path | None = None, keep_git_dir: bool = False
) -> Checkout:
    """Fetch ``url`` (``#ref:folder``; the default branch without a ref) into the empty folder ``place``.

    ``agent``: the socket of an SSH agent for ``git@`` and ``ssh://``. StepFailed says why it was not possible.
    """
    address, _, fragment = url.partition("#")
    ref, _, folder = fragment.partition(":")
    if ref.startswith("-") or address.startswith("-"):
        raise StepFailed(f"{url}: a name in a repository does not begin with a dash")
    if shutil.which("git") is None:
        raise StepFailed(
            f"{url} is a git repository, and the program git is not installed on the engine's host"
        )
    environment = _environment(agent)

    async def git(*arguments: str) -> str:
        return await _git(place, environment, url, *arguments)

    await git("init", "-q")
    await git("remote", "add", "origin", address)
    wanted = ref or "HEAD"
    try:
        await git("fetch", "-q", "--depth=1", "--no-tags", "origin", wanted)
    except StepFailed:
        if not _COMMIT.fullmatch(wanted):
            raise
        await git("fetch", "-q", "origin")  # a server that gives out no single commits
        await git("checkout", "-q", "--detach", wanted)
    else:
        await git("checkout", "-q", "--detach", "FETCH_HEAD")
    await git("submodule", "update", "-q", "--init", "--recursive", "--depth=1")
    commit = (await git("rev-parse", "HEAD")).strip()
    if not keep_git_dir:
        await asyncio.to_thread(_drop_git, place)
    return Checkout(place, folder, commit)


def _environment(agent: Path | None) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "SSH_"))}
    kept |= {name: os.environ[name] for name in ("GIT_SSL_CAINFO", "SSL_CERT_FILE") if name in os.environ}
    if agent is not None:
        kept["SSH_AUTH_SOCK"] = str(agent)
    return {
        **kept,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": _PROTOCOLS,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_SSH_COMMAND": "ssh -o BatchMode=yes -o StrictHostKeyChecking=accept-new",
    }


async def _git(place: Path, environment: dict[str, str], url: str, *arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        "git", *_SAFE, *arguments,
        cwd=place, env=environment, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        out, said = await process.communicate()
    except asyncio.CancelledError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        raise
    if process.returncode:
        reason = said.decode(errors="replace").strip().splitlines()
        raise StepFailed(f"failed to fetch {url}: {reason[-1] if reason else f'git {arguments[0]} failed'}")
    return out.decode(errors="replace")


def _drop_git(place: Path) -> None:
    for found in (place / ".git", *place.rglob(".git")):
        if found.is_dir() and not found.is_symlink():
            remove_tree(found)
        else:
            found.unlink(missing_ok=True)
