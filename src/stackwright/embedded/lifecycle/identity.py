"""The files that tell a container who and where it is: /etc/hosts, /etc/hostname, /etc/resolv.conf. Pure."""

from __future__ import annotations

from collections.abc import Sequence

_HOSTS_HEAD = (
    "127.0.0.1\tlocalhost\n"
    "::1\tlocalhost ip6-localhost ip6-loopback\n"
    "fe00::0\tip6-localnet\n"
    "ff00::0\tip6-mcastprefix\n"
    "ff02::1\tip6-allnodes\n"
    "ff02::2\tip6-allrouters\n"
)
RESOLVER = "127.0.0.11"
"""Where every container sees the engine's own name service."""
_FALLBACK_DNS = ("8.8.8.8", "8.8.4.4")


def hosts_file(
    addresses: Sequence[str],
    hostname: str,
    domainname: str = "",
    extra: Sequence[tuple[str, str]] = (),
    links: Sequence[tuple[str, str]] = (),
) -> str:
    """`addresses` are the container's own; `extra` and `links` are (address, names) rows."""
    return _HOSTS_HEAD + hosts_rows([*extra, *links]) + own_rows(addresses, hostname, domainname)


def own_rows(addresses: Sequence[str], hostname: str, domainname: str) -> str:
    """The lines for a container's own addresses."""
    own = f"{hostname}.{domainname} {hostname}" if domainname else hostname
    return hosts_rows([(address, own) for address in addresses])


def hosts_rows(rows: Sequence[tuple[str, str]]) -> str:
    """(address, names) rows as lines."""
    return "".join(f"{address}\t{names}\n" for address, names in rows)


def extra_hosts(entries: Sequence[str], gateway: str) -> list[tuple[str, str]]:
    """`name:address` or `name=address`, address `host-gateway` = the host as seen from the container."""
    result = []
    for entry in entries:
        equals, colon = entry.find("="), entry.find(":")
        cut = equals if equals >= 0 and (colon < 0 or equals < colon) else colon
        name, address = entry[:cut], entry[cut + 1 :].strip("[]")
        if address == "host-gateway":
            address = gateway
        if cut > 0 and address:
            result.append((address, name))
    return result


def resolv_conf(host: str, nameservers: Sequence[str], search: Sequence[str], options: Sequence[str]) -> str:
    """The host's file with what the container asks for instead; loopback resolvers of the host do not
    reach it.

    `nameservers` is `[RESOLVER]` where the engine's resolver serves the container. A search of `["."]`
    is none. The engine's resolver is asked for a name as it was written (`ndots:0`, unless options say
    otherwise): a search domain of the host would send each short name upstream first.
    """
    servers, found_search, found_options = [], [], []
    for line in host.splitlines():
        key, *values = line.split("#")[0].split() or [""]
        if key == "nameserver" and values and not values[0].startswith("127.") and values[0] != "::1":
            servers.append(values[0])
        elif key in ("search", "domain"):
            found_search = values
        elif key == "options":
            found_options += values
    search = [] if list(search) == ["."] else list(search) or found_search
    lines = [f"nameserver {address}" for address in nameservers or servers or _FALLBACK_DNS]
    lines += [f"search {' '.join(search)}"] if search else []
    chosen = list(options) or found_options
    if list(nameservers) == [RESOLVER] and not any(option.startswith("ndots:") for option in chosen):
        chosen = [*chosen, "ndots:0"]
    lines += [f"options {' '.join(chosen)}"] if chosen else []
    return "\n".join(lines) + "\n"
