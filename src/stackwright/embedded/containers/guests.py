"""The monitor's guests: the resolver inside the container's network, the proxy of published ports outside."""

from __future__ import annotations

from stackwright.embedded.networks.proxy import PortInUse, PortProxy
from stackwright.embedded.networks.resolver import Resolver, open_sockets

from . import portholder
from .loop import Loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .spec import DnsConfig, PortBinding


class PortsError(OSError):
    """Docker's words for a port that is taken."""

    stage = "ports"
    code = 128


class Guests:
    """Starts and ends them; all of it optional, nothing of it imported by the engine."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._bindings: list[Any] = []
        self._proxy: PortProxy | None = None
        self._sockets: Any = None
        self._resolver: Resolver | None = None

    def reserve_ports(self, bindings: tuple[PortBinding, ...]) -> None:
        """Bind every published port on the host. Raises PortsError and keeps none."""
        if not bindings:
            return
        self._bindings = list(bindings)
        try:
            self._proxy = PortProxy(self._bindings)
        except PortInUse as error:
            raise PortsError(portholder.explain(error.strerror or str(error), self._bindings)) from None
        except OSError as error:
            raise PortsError(
                portholder.explain(f"Error starting userland proxy: {error.strerror}", [])
            ) from None
        for binding, port in zip(self._bindings, self._proxy.ports, strict=True):
            binding.host_port = port

    def bound_ports(self) -> list[dict[str, Any]]:
        """The bindings as they are now, as JSON."""
        return [vars(binding) for binding in self._bindings]

    def open_dns(self) -> None:
        """Open the resolver's sockets; called inside the container's network namespace."""
        self._sockets = open_sockets()

    def start(self, ports: list[Any], dns: DnsConfig | None) -> None:
        """The network is there: `ports` now know the container's addresses. Begin to serve."""
        for binding, known in zip(self._bindings, ports, strict=False):
            binding.container_ip = known.container_ip
        if self._proxy is not None:
            self._proxy.start(self._loop, self._bindings)
        if self._sockets is not None and dns is not None:
            self._resolver = Resolver(self._loop, self._sockets, dns.tables, dns.upstream)

    def close(self) -> None:
        """Release ports and sockets; safe to call twice."""
        if self._proxy is not None:
            self._proxy.close()
        if self._resolver is not None:
            self._resolver.close()
