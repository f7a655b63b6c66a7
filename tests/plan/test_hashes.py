"""Hashes of networks and volumes, against labels that `docker compose` 2.40.3 gave to the same."""

from __future__ import annotations

import pytest

from stackwright.model.types.resources import Ipam, IpamPool, Network, Volume
from stackwright.plan.hashes import network_hash, volume_hash

POOL = IpamPool(subnet="10.77.0.0/24", gateway="10.77.0.1", ip_range="10.77.0.128/25")


@pytest.mark.parametrize(
    ("network", "digest"),
    [
        (Network(name="hp_default"), "e3d71e968f6b690106971cfc57773db478525c8ed5ac10c6d86d14c7f742b4dd"),
        (
            Network(name="hp_one", internal=True, attachable=True, labels={"b": "1", "a": "<2>"}),
            "a0d8ce4a4abe984c6c69ccf5175a6efabfa13c9aee5afda24e189d83b2e672d2",
        ),
        (
            Network(
                name="hp_two",
                driver="bridge",
                driver_opts={"com.docker.network.bridge.enable_icc": "false"},
                enable_ipv6=False,
            ),
            "7e32052a11df49fcf32e18f20599122277cc1fbc7f442490a6d11d993ea9c6da",
        ),
        (
            Network(name="other", ipam=Ipam(driver="default", config=[POOL])),
            "acc9c74a96121adb26aadf6ebadc4a5891911e6ecb2d757a894c0df17b7cfa75",
        ),
    ],
)
def test_a_networks_hash_is_that_of_docker_compose(network: Network, digest: str) -> None:
    assert network_hash(network) == digest


@pytest.mark.parametrize(
    ("volume", "digest"),
    [
        (Volume(name="hp_vol"), "4e5facd9fc46f7dd916330e48fd6fd4efd65bd5272324ff81839072b60e78432"),
        (
            Volume(name="wn", labels={"k": "v"}),
            "6aa67b770cf0d2a80e9da417e555d8722f924935c252798d77f007fbdd9b6127",
        ),
        (
            Volume(
                name="hp_xol",
                driver="local",
                driver_opts={"type": "tmpfs", "device": "tmpfs", "o": "size=1m"},
            ),
            "1b043b8cea1b1f13e8189f3f00624031b33b51a35b1620354b8cc8eb344ddd4c",
        ),
    ],
)
def test_a_volumes_hash_is_that_of_docker_compose(volume: Volume, digest: str) -> None:
    assert volume_hash(volume) == digest
