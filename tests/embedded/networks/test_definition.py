"""Creating, finding, listing and removing networks: what is chosen, what is refused and with which words."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from tests.support.netlab import Guest, devices, isolated, networks, outside_world

from stackwright.embedded.errors import BadParameter, Conflict, EngineError, Forbidden, NotFound
from stackwright.embedded.networks import ipam
from stackwright.embedded.networks.types import Ipam, Pool

pytestmark = pytest.mark.root


@isolated
async def test_predefined_networks_are_there_without_devices(tmp_path: Path) -> None:
    with networks(tmp_path) as service:
        await service.start()
        found = {network.name: network.driver for network in service.list()}
        assert found == {"bridge": "bridge", "host": "host", "none": "null"}
        assert devices() == {"lo"}
        shown = service.inspect(service.get("bridge"), {})
        assert shown["IPAM"]["Config"] == [{"Subnet": "172.17.0.0/16", "Gateway": "172.17.0.1"}]
        for name in found:
            with pytest.raises(Forbidden, match="pre-defined network and cannot be removed"):
                await service.remove(name)
        await service.close(keep_devices=False)


@isolated
async def test_chosen_subnets_avoid_routes_of_the_host_and_other_networks(tmp_path: Path) -> None:
    with outside_world("172.18.5"), networks(tmp_path) as service:
        await service.start()
        first = await service.create("one")
        second = await service.create("two")
        assert [n.ipam.config[0].subnet for n in (first, second)] == ["172.19.0.0/16", "172.20.0.0/16"]
        await service.close(keep_devices=False)


@isolated
async def test_two_engines_on_one_host_choose_different_subnets(tmp_path: Path) -> None:
    with (
        networks(tmp_path / "a", "00000a") as one,
        networks(tmp_path / "b", "00000b") as other,
        Guest() as guest,
    ):
        await one.start()
        await other.start()
        default = one.get("bridge")
        await one.attach(await one.allocate(default, "c" * 64), guest, "eth0", True)
        mine = await one.create("net")
        theirs = await other.create("net")
        assert mine.ipam != theirs.ipam
        # both chose 172.17 for their default bridge while nobody used it; the second to use it gives way
        moved = await other.allocate(other.get("bridge"), "d" * 64)
        assert not moved.ipv4.startswith("172.17.")
        await one.close(keep_devices=False)
        await other.close(keep_devices=False)


@isolated
async def test_requests_that_cannot_become_a_network_are_refused(tmp_path: Path) -> None:
    def plan(**pool: str) -> Ipam:
        return Ipam(config=(Pool(**{"subnet": "", **pool}),))  # type: ignore[arg-type]

    with networks(tmp_path) as service:
        await service.start()
        await service.create("app", ipam=plan(subnet="10.7.0.0/24"))
        cases: list[tuple[type[EngineError], str, dict[str, object]]] = [
            (Conflict, "network with name app already exists", {"name": "app"}),
            (Forbidden, "not permitted on predefined host network", {"name": "host"}),
            (NotFound, 'plugin "overlay" not found', {"name": "x", "driver": "overlay"}),
            (Forbidden, "Pool overlaps", {"name": "x", "ipam": plan(subnet="10.7.0.128/25")}),
            (BadParameter, "invalid subnet 10.8.0.0/40", {"name": "x", "ipam": plan(subnet="10.8.0.0/40")}),
            (BadParameter, "invalid gateway 10.9.0.1", {"name": "x", "ipam": plan(subnet="10.8.0.0/24", gateway="10.9.0.1")}),
            (BadParameter, "needs a subnet", {"name": "x", "ipam": plan(gateway="10.9.0.1")}),
            (BadParameter, "invalid bridge name", {"name": "x", "options": {"com.docker.network.bridge.name": "a" * 16}}),
            (BadParameter, 'invalid MTU "big"', {"name": "x", "options": {"com.docker.network.driver.mtu": "big"}}),
        ]  # fmt: skip
        for kind, words, request in cases:
            with pytest.raises(kind) as caught:
                await service.create(**request)  # type: ignore[arg-type]
            assert words in caught.value.message
        assert len(service.list()) == 4
        await service.close(keep_devices=False)


@isolated
async def test_networks_are_found_by_name_id_and_prefix(tmp_path: Path) -> None:
    with networks(tmp_path) as service:
        await service.start()
        network = await service.create("app")
        for reference in ("app", network.id, network.id[:12]):
            assert service.get(reference) == network
        with pytest.raises(NotFound, match="network nothing not found"):
            service.get("nothing")
        await service.close(keep_devices=False)


@isolated
async def test_lists_follow_dockers_filters(tmp_path: Path) -> None:
    with networks(tmp_path) as service:
        await service.start()
        app = await service.create("app_default", labels={"com.docker.compose.project": "app"})
        await service.create("other")
        await service.allocate(app, "c" * 64)

        def names(**filters: list[str]) -> list[str]:
            return [network.name for network in service.list(filters)]

        assert names(name=["app"]) == ["app_default"]
        assert names(name=["^other$"]) == ["other"]
        assert names(label=["com.docker.compose.project=app"]) == ["app_default"]
        assert names(type=["custom"]) == ["app_default", "other"]
        assert names(driver=["null"]) == ["none"]
        assert names(id=[app.id]) == ["app_default"]
        assert names(dangling=["true"]) == ["other"]
        with pytest.raises(BadParameter, match="invalid filter 'colour'"):
            names(colour=["red"])
        assert [network.name for network in await service.prune()] == ["other"]
        await service.close(keep_devices=False)


@isolated
async def test_a_network_in_use_is_not_removed_and_a_removed_one_leaves_no_device(tmp_path: Path) -> None:
    with networks(tmp_path) as service:
        await service.start()
        network = await service.create("app")
        endpoint = await service.allocate(network, "c" * 64)
        with pytest.raises(Forbidden, match=f"network app id {network.id} has active endpoints"):
            await service.remove("app")
        await service.release(endpoint)
        await service.release(endpoint)
        await service.remove("app")
        with pytest.raises(NotFound):
            service.get("app")
        assert "app" not in {one.name for one in service.list()}
        async with asyncio.timeout(10):
            while devices() != {"lo"}:
                await asyncio.sleep(0.01)
        await service.close(keep_devices=False)


@isolated
async def test_the_addresses_of_a_network_are_free_as_soon_as_it_is_removed(tmp_path: Path) -> None:
    wanted = Ipam(config=(Pool(subnet="10.77.0.0/24"),))
    with networks(tmp_path) as service:
        await service.start()
        for _ in range(3):
            await service.create("app", ipam=wanted)
            await service.remove("app")
        await service.close(keep_devices=False)
        assert devices() == {"lo"}


@isolated
async def test_static_addresses_ranges_and_macs_are_honoured(tmp_path: Path) -> None:
    pool = Pool(
        subnet="10.7.0.0/24",
        gateway="10.7.0.254",
        ip_range="10.7.0.64/30",
        aux_addresses={"printer": "10.7.0.65"},
    )
    with networks(tmp_path) as service, Guest() as guest:
        await service.start()
        network = await service.create("fixed", ipam=Ipam(config=(pool,)), enable_ipv6=True)
        fixed = await service.allocate(network, "c" * 64, ipv4="10.7.0.9", mac="02:00:00:00:00:42")
        await service.attach(fixed, guest, "eth0", True)
        shown = guest.run("ip", "addr", "show", "eth0")
        assert "10.7.0.9/24" in shown
        assert "02:00:00:00:00:42" in shown
        assert ip_address(fixed.ipv6) in ip_network("fd00::/8")
        assert fixed.ipv4_gateway == "10.7.0.254"
        given = [(await service.allocate(network, f"{n:064x}")).ipv4 for n in range(3)]
        assert given == ["10.7.0.64", "10.7.0.66", "10.7.0.67"]
        with pytest.raises(Forbidden, match="no available IPv4 addresses"):
            await service.allocate(network, "d" * 64)
        with pytest.raises(Forbidden, match="Address already in use"):
            await service.allocate(network, "d" * 64, ipv4="10.7.0.9")
        with pytest.raises(BadParameter, match=r"no configured subnet contains IP address 10.8.0.9"):
            await service.allocate(network, "d" * 64, ipv4="10.8.0.9")
        chosen = await service.create("chosen")
        with pytest.raises(BadParameter, match="user configured subnets"):
            await service.allocate(chosen, "d" * 64, ipv4="172.18.0.9")
        await service.close(keep_devices=False)


@isolated
async def test_a_restarted_container_gets_its_address_again(tmp_path: Path) -> None:
    with networks(tmp_path) as service:
        await service.start()
        network = await service.create("app")
        first = await service.allocate(network, "c" * 64)
        await service.release(first)
        assert (await service.allocate(network, "d" * 64)).ipv4 != first.ipv4
        assert (await service.allocate(network, "c" * 64)).ipv4 == first.ipv4
        await service.close(keep_devices=False)


@isolated
async def test_inspect_and_endpoint_settings_have_dockers_shape(tmp_path: Path) -> None:
    with networks(tmp_path) as service:
        await service.start()
        network = await service.create("app", labels={"a": "b"}, options={"x": "y"})
        endpoint = await service.allocate(network, "c" * 64, names=["web", "cccccccccccc"], aliases=["www"])
        shown = service.inspect(network, {"c" * 64: "/web"})
        assert shown["Containers"] == {
            "c" * 64: {
                "Name": "web",
                "EndpointID": endpoint.id,
                "MacAddress": "02:42:ac:12:00:02",
                "IPv4Address": "172.18.0.2/16",
                "IPv6Address": "",
            }
        }
        assert (shown["Labels"], shown["Options"], shown["Scope"]) == ({"a": "b"}, {"x": "y"}, "local")
        settings = service.endpoint_settings(endpoint)
        assert settings["Gateway"] == "172.18.0.1"
        assert settings["DNSNames"] == ["web", "cccccccccccc", "www"]
        assert settings["NetworkID"] == network.id
        await service.close(keep_devices=False)


def test_addresses_go_round_the_pool_before_one_is_given_again() -> None:
    pool = Pool(subnet="10.0.0.0/29", gateway="10.0.0.1")
    given = ""
    seen = []
    for _ in range(6):
        given = ipam.next_address(pool, used=set(), after=given)
        seen.append(given)
    assert seen == ["10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.2"]
