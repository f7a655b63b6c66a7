"""IP addresses in text, as Go's ``net.ParseIP`` reads them."""

from __future__ import annotations


def is_ip(text: str) -> bool:
    """Whether a text is an IPv4 or IPv6 address (no zone, no leading zeros in IPv4)."""
    if ":" in text:
        return _is_ipv6(text)
    parts = text.split(".")
    return len(parts) == 4 and all(_is_octet(part) for part in parts)


def _is_octet(text: str) -> bool:
    return (
        0 < len(text) <= 3
        and text.isascii()
        and text.isdecimal()
        and int(text) < 256
        and (text[0] != "0" or text == "0")
    )


def _is_ipv6(text: str) -> bool:
    from socket import AF_INET6, inet_pton

    try:
        inet_pton(AF_INET6, text)
    except (OSError, ValueError):
        return False
    return True
