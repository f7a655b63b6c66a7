"""What to try when a service failed: from its exit code, its last probe and what it printed last. Pure.

Rules as tables: a sign, and what it usually means. Only what the findings speak for is said; most useful first.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

JSON = dict[str, Any]
MOST = 3
"""Pieces of advice at a time."""

BY_CODE: dict[int, str] = {
    125: "the engine could not start it: see the message above",
    126: "its command is there but cannot be executed: is it marked executable (chmod +x), and for this processor?",
    127: "its command is not in the image: check its spelling, the image, and PATH",
    134: "it aborted itself (SIGABRT), usually after a failed check of its own: read its last lines",
    135: "it was ended by a bus error (SIGBUS): often a full /dev/shm; raise shm_size",
    137: "something killed it (SIGKILL) without the memory limit being reached: look for docker kill, a host "
    "short of memory (dmesg), or a stop that took longer than stop_grace_period",
    139: "it crashed (segmentation fault): a fault in the program or a library built for another system",
    143: "it was asked to end (SIGTERM): somebody stopped it while it was starting",
}
"""What an exit code usually means, as advice."""

IN_LOG: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(sign, re.IGNORECASE), advice)
    for sign, advice in (
        (
            r"exec format error",
            "the image is for another processor: set platform, or take an image for this one",
        ),
        (
            r"address already in use|EADDRINUSE",
            "two programs in its network namespace want the same port: change one of the ports",
        ),
        (
            r"password authentication failed|access denied for user|authentication failed",
            "the credentials are not those that the other side was first started with: a database keeps the password "
            "of its first start in its volume",
        ),
        (
            r"ECONNREFUSED|connection refused|could not connect|no route to host",
            "what it connects to did not answer yet: depends_on with condition: service_healthy waits for that",
        ),
        (
            r"EAI_AGAIN|ENOTFOUND|could not translate host name|name or service not known|"
            r"temporary failure in name resolution|no such host",
            "a host name is unknown to it: use the service's name, and put both on one network",
        ),
        (
            r"permission denied|EACCES|operation not permitted",
            "it may not do something: check the owner of mounted folders, user, and cap_add",
        ),
        (
            r"read-only file system|EROFS",
            "it writes where it may not: give it a volume or tmpfs there, or leave out read_only",
        ),
        (r"no space left on device|ENOSPC", "the disk is full: docker system df, docker system prune"),
        (
            r"(environment variable|env var|variable).*(not set|missing|required|undefined)|KeyError: '[A-Z_]+'",
            "a variable is missing: set it in environment or env_file, and look with: stackwright config",
        ),
        (
            r"out of memory|heap out of memory|MemoryError|cannot allocate memory",
            "give it more memory: mem_limit",
        ),
        (
            r"no such file or directory|ENOENT|cannot find module|ModuleNotFoundError",
            "a file is missing in the container: check volumes that hide folders of the image, and rebuild the image",
        ),
    )
)
"""What a program prints when it fails, and what usually helps."""

IN_PROBE: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(sign, re.IGNORECASE), advice)
    for sign, advice in (
        (
            r"not found|no such file|executable file|exit code 12[67]",
            "the probe's program is not in the image: probe with what is there, or install it",
        ),
        (
            r"timed? ?out|exceeded timeout|exit code -1",
            "the probe takes longer than its timeout: raise healthcheck.timeout, or ask for something cheaper",
        ),
        (
            r"connection refused|couldn't connect|failed to connect|ECONNREFUSED",
            "it does not listen (yet) where the probe looks: check port and address, or give it a longer start_period",
        ),
        (
            r"\b(401|403)\b|unauthorized|forbidden",
            "the probe is not let in: probe an address that needs no login",
        ),
        (r"\b404\b", "the probe's address does not exist: check the path"),
        (r"\b50[0-9]\b", "it answers with an error of its own: read its last lines"),
    )
)
"""What a probe prints when it fails, and what usually helps."""


def advise(container: JSON, log: Sequence[str], probes: Sequence[str], service: str) -> list[str]:
    """What to try, for a container (ContainerInspect) that failed; at most `MOST`, and where to read on."""
    state = container.get("State") or {}
    ended = bool(state) and not state.get("Running")
    code = int(state.get("ExitCode") or 0)
    found: list[str] = []
    if ended and state.get("OOMKilled"):
        limit = int((container.get("HostConfig") or {}).get("Memory") or 0)
        given = f"its limit is {limit >> 20} MiB; " if limit else ""
        found.append(f"it needed more memory than it may have: {given}raise mem_limit, or make it use less")
    elif ended and code in BY_CODE:
        found.append(BY_CODE[code])
    elif ended and code == 0:
        found.append("its command came to its end: a service must stay in the foreground")
    text = "\n".join(log)
    if not ended:
        found += _matching(IN_PROBE, "\n".join(probes))
    if not (ended and code in (126, 127)):
        found += _matching(IN_LOG, text)
    if ended and code and not text:
        found.append("it printed nothing: run its command by hand to see more")
        return [*[*dict.fromkeys(found)][:MOST], f"look inside: stackwright run --rm {service} sh"]
    return [*[*dict.fromkeys(found)][:MOST], f"read on: stackwright logs {service}"]


def _matching(table: tuple[tuple[re.Pattern[str], str], ...], text: str) -> list[str]:
    return [advice for sign, advice in table if sign.search(text)]
