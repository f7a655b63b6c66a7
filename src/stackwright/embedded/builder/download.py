"""Fetches URLs for ``ADD`` and for builds from a remote Dockerfile or context."""

from __future__ import annotations

import posixpath
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from stackwright.embedded.builder.errors import StepFailed
from stackwright.embedded.builder.sources import Download

_TIMEOUT = 600.0


async def download(url: str, folder: Path) -> Download:
    """Fetch into ``folder``; StepFailed says why it was not possible. Proxy variables are honoured."""
    import aiohttp

    from stackwright.embedded.images.registry.trust import ssl_context

    name = posixpath.basename(unquote(urlsplit(url).path))
    target = folder / "download"
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT, connect=30)
    try:
        async with aiohttp.ClientSession(timeout=timeout, trust_env=True) as session:
            async with session.get(url, ssl=ssl_context(url)) as response:
                if response.status >= 400:
                    raise StepFailed(f"failed to GET {url} with status {response.status} {response.reason}")
                with target.open("wb") as out:
                    async for data in response.content.iter_chunked(1 << 18):
                        out.write(data)
                stamp = response.headers.get("Last-Modified", "")
    except (TimeoutError, aiohttp.ClientError, OSError) as error:
        raise StepFailed(f"failed to GET {url}: {error or type(error).__name__}") from error
    try:
        modified = parsedate_to_datetime(stamp).timestamp() if stamp else 0.0
    except ValueError:
        modified = 0.0
    return Download(name, target, modified)
