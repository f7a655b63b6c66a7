"""What a build may see for the length of a step: secrets and SSH agents (Compose: build.secrets, build.ssh).

The Engine API has no place for them but BuildKit's sessions; our own engine takes them as headers.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import stat
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

from stackwright.model.types import Build, Service
from stackwright.run.errors import RunError
from stackwright.run.session import Session, place

SECRETS_HEADER = "X-Stackwright-Build-Secrets"
SSH_HEADER = "X-Stackwright-Build-SSH"
LARGEST = 500 * 1024
"""Bytes of all secrets of one build; BuildKit's limit for one."""


@asynccontextmanager
async def headers(session: Session, service: Service, recipe: Build) -> AsyncIterator[dict[str, str]]:
    """The headers that hand over what `recipe` lends; agents started for key files live as long as the context.

    Raises `RunError` naming the entry that cannot be had.
    """
    where = place(session.project, f"services.{service.name}.build")
    found: dict[str, str] = {}
    async with AsyncExitStack() as held:
        if recipe.secrets:
            secrets = {
                name: base64.b64encode(data).decode() for name, data in _secrets(session, recipe, where)
            }
            found[SECRETS_HEADER] = _packed(secrets)
        if recipe.ssh:
            if session.engine.address.scheme != "unix":
                raise RunError(
                    f"build.ssh lends agents of this machine, and the engine at {session.engine.address} is elsewhere",
                    place=where,
                )
            agents = {
                name: str(await _agent(session.environ, name, path, where, held))
                for name, path in recipe.ssh.items()
            }
            found[SSH_HEADER] = _packed(agents)
        yield found


def _packed(values: Mapping[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode()


def _secrets(session: Session, recipe: Build, where: str) -> list[tuple[str, bytes]]:
    """`(id, content)` of each; the id is the entry's target where it has one."""
    found: list[tuple[str, bytes]] = []
    for reference in recipe.secrets:
        secret = session.project.secrets[reference.source]
        if secret.environment:
            data = secret.content.encode(errors="surrogateescape")
        elif secret.file:
            try:
                data = Path(secret.file).read_bytes()
            except OSError as error:
                raise RunError(
                    f"build secret {reference.source}: {secret.file} cannot be read: {error.strerror}",
                    place=where,
                ) from error
        else:
            raise RunError(
                f"build secret {reference.source} has neither a file nor a variable", place=where,
                hint="give it `file:` or `environment:`",
            )  # fmt: skip
        name = reference.target or reference.source
        found.append((name.removeprefix("/run/secrets/"), data))
    total = sum(len(data) for _, data in found)
    if total > LARGEST:
        raise RunError(
            f"the build's secrets have {total} bytes, more than {LARGEST}", place=where,
            hint="bind-mount what is large and not secret",
        )  # fmt: skip
    return found


async def _agent(environ: Mapping[str, str], name: str, path: str, where: str, held: AsyncExitStack) -> Path:
    """The socket of the agent that `name=path` names; for a key file that of an agent of our own."""
    if not path:
        own = environ.get("SSH_AUTH_SOCK", "")
        if not own:
            raise RunError(
                f"build.ssh {name}: no SSH agent runs here: SSH_AUTH_SOCK is not set",
                place=where,
                hint=f"start one (ssh-agent, ssh-add), or name a socket or a private key: {name}=~/.ssh/id_ed25519",
            )
        path = own
    chosen = Path(path).expanduser()
    try:
        kind = chosen.stat().st_mode
    except OSError as error:
        raise RunError(f"build.ssh {name}: {path} cannot be used: {error.strerror}", place=where) from error
    if stat.S_ISSOCK(kind):
        return chosen.absolute()
    return await held.enter_async_context(_agent_for(chosen, name, where))


@asynccontextmanager
async def _agent_for(key: Path, name: str, where: str) -> AsyncIterator[Path]:
    """An ssh-agent that holds one private key. It ends with the context; and, should this process be killed,
    a few seconds after the `cat` whose input then ends.
    """
    script = 'echo "$SSH_AGENT_PID" && ssh-add -q "$0" </dev/null 2>&1 && echo ready && exec cat'
    with tempfile.TemporaryDirectory(prefix="sw-ssh-") as folder:
        sock = Path(folder) / "agent"
        try:
            agent = await asyncio.create_subprocess_exec(
                "ssh-agent", "-a", str(sock), "sh", "-c", script, str(key),
                env={**os.environ, "SSH_ASKPASS_REQUIRE": "never"},
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise RunError(
                f"build.ssh {name}: {key} is a key, and ssh-agent cannot be run: {error.strerror}",
                place=where,
                hint="install openssh-client, or name the socket of a running agent",
            ) from error
        assert agent.stdout is not None and agent.stdin is not None
        pid = (await agent.stdout.readline()).strip()
        try:
            said = ""
            while (line := (await agent.stdout.readline()).decode(errors="replace").strip()) not in (
                "ready",
                "",
            ):
                said = line
            if not line:
                raise RunError(
                    f"build.ssh {name}: {key} cannot be used as a key: {said or 'ssh-add failed'}",
                    place=where,
                    hint="a key with a passphrase has to be added to an agent of yours first (ssh-add)",
                )
            yield sock
        finally:
            agent.stdin.close()
            await agent.wait()
            with suppress(ValueError, ProcessLookupError):
                os.kill(int(pid), signal.SIGTERM)
