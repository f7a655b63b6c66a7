"""What the host itself must allow: forwarding, and a way past other people's iptables.

A machine on which Docker (or ufw, firewalld) runs has its FORWARD chain on DROP. An `accept` in our own table cannot
undo a drop in another, so a pass for our bridges is put at the top of that chain, and taken away at the end. Only
there, and only if that chain exists with something in it: a host without iptables rules stays without them.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from stackwright.embedded.networks.netlink import NETLINK_NETFILTER, Netlink, Request, attributes, text

log = logging.getLogger(__name__)

_SYSCTL = Path("/proc/sys/net")
_GETCHAIN = 10 << 8 | 4
_FAMILIES = ((2, "iptables", "ip"), (10, "ip6tables", "ip6"))
_TIMEOUT = 10
_LOCK_SECONDS = 0.25


def sysctl(name: str, value: str) -> bool:
    """Set `net/<name>` unless it has the value already; False (logged) where /proc/sys cannot be written."""
    path = _SYSCTL / name
    try:
        if path.read_text().strip() != value:
            path.write_text(value)
    except OSError as error:
        log.warning("net/%s could not be set to %s: %s", name, value, error)
        return False
    return True


def enable_forwarding(*, ipv6: bool) -> None:
    """Let the kernel route between bridges and the outside. Stays on afterwards, as with Docker."""
    sysctl("ipv4/ip_forward", "1")
    if ipv6:
        # A forwarding host stops listening to router advertisements (and loses its own default route)
        # unless accept_ra says 2.
        for path in _SYSCTL.glob("ipv6/conf/*/accept_ra"):
            with suppress(OSError):
                if path.read_text().strip() == "1":
                    path.write_text("2")
        sysctl("ipv6/conf/all/forwarding", "1")


@contextmanager
def allocation_lock() -> Iterator[None]:
    """One engine of this host at a time chooses a subnet and makes the bridge for it.

    The lock is on the folder /run itself: nothing to leave behind. Anybody may lock that, so a lock that is held for
    longer than a choice takes is passed over.
    """
    descriptor = os.open("/run", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        deadline = time.monotonic() + _LOCK_SECONDS
        while time.monotonic() < deadline:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.001)
        yield
    finally:
        os.close(descriptor)


class ForwardPass:
    """Our entries in the host's iptables FORWARD chain, marked with a comment."""

    def __init__(self, instance: str) -> None:
        self._comment = f"stackwright_{instance}"
        self._open: set[tuple[str, str]] = set()

    def ensure(self, bridges: str, *, ipv6: bool = False) -> None:
        """Let devices named `bridges` ("sw+": all that begin so) through. Cheap when there is nothing to do."""
        for family, program, _ in _FAMILIES[: 1 + ipv6]:
            if (program, bridges) in self._open or not _chain_exists(family):
                continue
            rules = _run(program, "-S", "FORWARD")
            if rules is None or rules.strip() == "-P FORWARD ACCEPT":
                continue
            for direction in ("-o", "-i"):
                arguments = self._rule(direction, bridges)
                if _run(program, "-C", *arguments, quiet=True) is None:
                    _run(program, "-I", *arguments)
            self._open.add((program, bridges))

    def remove(self) -> None:
        """Take our entries out, whoever (an earlier engine of this instance) put them in."""
        for family, program, _ in _FAMILIES:
            if not _chain_exists(family):
                continue
            for line in (_run(program, "-S", "FORWARD") or "").splitlines():
                if self._comment in line and line.startswith("-A FORWARD "):
                    _run(program, "-D", *line.replace('"', "").split()[1:])
        self._open.clear()

    def _rule(self, direction: str, bridges: str) -> tuple[str, ...]:
        return ("FORWARD", direction, bridges, "-m", "comment", "--comment", self._comment, "-j", "ACCEPT")


def _chain_exists(family: int) -> bool:
    """Whether this host has the FORWARD chain of iptables, by nf_tables or by the legacy modules."""
    name = "ip_tables_names" if family == 2 else "ip6_tables_names"
    with suppress(OSError):
        if "filter" in Path("/proc/net", name).read_text().split():
            return True
    header = struct.pack(">BBH", family, 0, 0)
    wanted = Request(_GETCHAIN, header + text(1, "filter") + text(3, "FORWARD"), "look for chain FORWARD")
    try:
        with Netlink.open(NETLINK_NETFILTER) as netlink:
            return any(attributes(body[4:]) for body in netlink.call(wanted)[0])
    except OSError:
        return False


def _run(program: str, *arguments: str, quiet: bool = False) -> str | None:
    """Output of an iptables call; None when it failed (logged unless `quiet`) or the program is not there."""
    path = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if path is None:
        return None
    try:
        done = subprocess.run(
            [path, "-w", "5", *arguments], capture_output=True, text=True, timeout=_TIMEOUT, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        log.warning("%s could not be run: %s", program, error)
        return None
    if done.returncode == 0:
        return done.stdout
    if not quiet:
        log.warning("%s %s: %s", program, " ".join(arguments), done.stderr.strip())
    return None
