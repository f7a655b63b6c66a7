"""Fetches one blob into a file: resumed where it was cut off, checked when complete."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stackwright.embedded.images.registry.client import ATTEMPTS, RegistryClient
from stackwright.embedded.images.registry.errors import RegistryError, RegistryUnreachable
from stackwright.embedded.images.registry.manifest import Descriptor

FIRST_PAUSE = 0.3
"""Seconds before the first new attempt; doubled each time."""


async def fetch(
    client: RegistryClient, wanted: Descriptor, target: Path, downloaded: Callable[[int], None]
) -> None:
    """Make ``target`` the blob's content. What is there of ``target.part`` from before is kept and continued.

    ``downloaded`` gets the bytes had so far. RegistryError when the content is not what its digest says.
    """
    import aiohttp

    part = target.with_name(target.name + ".part")
    for attempt in range(1, ATTEMPTS + 1):
        digest, size = await asyncio.to_thread(_hash_of, part, wanted.size)
        before = size
        try:
            if size < wanted.size or not part.exists():
                size = await _continue(client, wanted, part, digest, size, downloaded)
        except (TimeoutError, aiohttp.ClientError, OSError, RegistryUnreachable) as error:
            if isinstance(error, OSError) and error.errno == 28:  # ENOSPC: no use to try again
                raise
            if attempt == ATTEMPTS:
                raise RegistryUnreachable(client.domain, error) from error
            await asyncio.sleep(FIRST_PAUSE * 2**attempt)
            continue
        if f"sha256:{digest.hexdigest()}" == wanted.digest:
            part.rename(target)
            return
        part.unlink()
        if before == 0:  # all of it came from the registry just now: it will not get better
            actual = f"sha256:{digest.hexdigest()}"
            raise RegistryError(
                f"filesystem layer verification failed for digest {wanted.digest}: the registry sent {actual}"
            )
    raise RegistryError(f"filesystem layer verification failed for digest {wanted.digest}")


async def _continue(
    client: RegistryClient,
    wanted: Descriptor,
    part: Path,
    digest: Any,
    size: int,
    downloaded: Callable[[int], None],
) -> int:
    headers = {"Range": f"bytes={size}-"} if size else {}
    async with client.request("GET", f"blobs/{wanted.digest}", headers=headers) as response:
        skip = size if response.status != 206 else 0  # a registry that can't resume sends all of it again
        with part.open("ab") as out:
            async for data in response.content.iter_chunked(1 << 18):
                if skip:
                    dropped = min(skip, len(data))
                    skip -= dropped
                    data = data[dropped:]
                    if not data:
                        continue
                size += len(data)
                if size > wanted.size:
                    raise RegistryError(
                        f"the registry sent more than the {wanted.size} bytes announced for {wanted.digest}"
                    )
                digest.update(data)
                out.write(data)
                downloaded(size)
    if size < wanted.size:
        raise RegistryUnreachable(client.domain, f"{wanted.digest} ended after {size} of {wanted.size} bytes")
    return size


def _hash_of(part: Path, most: int) -> tuple[Any, int]:
    digest = hashlib.sha256()
    try:
        if part.stat().st_size > most:
            part.unlink()
            return digest, 0
        with part.open("rb") as file:
            while data := file.read(1 << 20):
                digest.update(data)
            return digest, file.tell()
    except FileNotFoundError:
        return digest, 0
