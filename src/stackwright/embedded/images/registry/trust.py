"""Which certificate authorities are trusted when the engine itself goes out."""

from __future__ import annotations

import os
import ssl
from functools import cache
from pathlib import Path

_BUNDLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_SYSTEM = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")


def ssl_context(url: str, *, insecure: bool = False) -> ssl.SSLContext | bool:
    """For aiohttp's ``ssl=``: the host's authorities and those its environment names; anything for plain
    HTTP.
    """
    return _context(insecure) if url.lower().startswith("https:") else True


@cache
def _context(insecure: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    for bundle in (*(os.environ.get(name, "") for name in _BUNDLES), *_SYSTEM):
        if bundle and Path(bundle).is_file():
            context.load_verify_locations(bundle)
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
