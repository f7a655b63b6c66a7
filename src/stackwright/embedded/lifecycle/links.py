"""Variables of a linked container, as `docker run --link` has set them since before there were networks. Pure.

Docker sets them on the default bridge alone; elsewhere names are enough.
"""

from __future__ import annotations

from collections.abc import Iterable

# What the engine itself gave the linked container says nothing about it.
_GIVEN = ("HOME", "PATH", "HOSTNAME", "TERM")


def link_variables(
    own: str, linked: str, alias: str, address: str, exposed: Iterable[str], env: Iterable[str]
) -> dict[str, str]:
    """`own`, `linked`: names; `address`: the linked container's; `exposed`: "80/tcp"; `env`: "NAME=value"."""
    prefix = alias.upper().replace("-", "_")
    result = {f"{prefix}_NAME": f"/{own}/{alias}"}
    ports = sorted((int(number), protocol) for number, _, protocol in (one.partition("/") for one in exposed))
    for index, (number, protocol) in enumerate(ports):
        url = f"{protocol}://{address}:{number}"
        if index == 0:
            result[f"{prefix}_PORT"] = url
        name = f"{prefix}_PORT_{number}_{protocol.upper()}"
        result |= {
            name: url,
            f"{name}_ADDR": address,
            f"{name}_PORT": str(number),
            f"{name}_PROTO": protocol,
        }
    for entry in env:
        name, _, value = entry.partition("=")
        if name not in _GIVEN:
            result[f"{prefix}_ENV_{name}"] = value
    return result
