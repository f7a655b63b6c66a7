"""Names come at once and go soon after: what the tables hold, without a network."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from stackwright.embedded.networks.directory import LAG, Directory
from stackwright.embedded.networks.names import NameTables
from stackwright.embedded.networks.store import Store
from stackwright.embedded.networks.types import Endpoint, Network
from stackwright.embedded.state import Database

NETWORK = Network(id="n" * 64, name="app", created="")


class House:
    """A store with one network, and the tables of it."""

    def __init__(self, root: Path) -> None:
        self.store = Store(Database(":memory:"))
        self.store.load()
        self.store.put_network(NETWORK)
        self.tables = NameTables(root)
        self.tables.prepare()
        self.directory = Directory(self.store, self.tables)

    def begin(self, letter: str) -> Endpoint:
        """A container that is called by its letter."""
        endpoint = Endpoint(
            id=letter * 64,
            network_id=NETWORK.id,
            container_id=letter * 64,
            mac="",
            ipv4="10.0.0.1",
            names=(letter,),
        )
        self.store.put_endpoint(endpoint)
        self.directory.publish(NETWORK)
        self.directory.place(endpoint.container_id)
        return endpoint

    def end(self, endpoint: Endpoint) -> None:
        """It has ended."""
        self.store.drop_endpoint(endpoint.id)
        self.directory.withdraw(endpoint)

    def names(self) -> set[str]:
        """What is found in the network."""
        return set(json.loads(self.tables.of_network(NETWORK.id).read_text())["names"])


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


async def test_names_of_ended_containers_go_together_and_soon(house: House) -> None:
    ended = [house.begin(letter) for letter in "abc"]
    house.begin("d")
    inode = house.tables.of_network(NETWORK.id).stat().st_ino
    for endpoint in ended:
        house.end(endpoint)
    assert house.tables.of_network(NETWORK.id).stat().st_ino == inode
    await asyncio.sleep(3 * LAG)
    assert house.names() == {"d"}
    there = [house.tables.of_container(letter * 64).exists() for letter in "abcd"]
    assert there == [False, False, False, True]


async def test_who_comes_back_meanwhile_keeps_its_name(house: House) -> None:
    house.end(house.begin("a"))
    house.begin("a")
    await asyncio.sleep(3 * LAG)
    assert house.names() == {"a"}
    assert house.tables.of_container("a" * 64).exists()


async def test_nothing_is_written_of_a_network_that_is_leaving(house: House) -> None:
    house.end(house.begin("a"))
    before = house.names()
    house.directory.leave(NETWORK.id)
    await asyncio.sleep(3 * LAG)
    assert house.names() == before
    house.directory.drop(NETWORK.id)
    assert not house.tables.of_network(NETWORK.id).exists()


async def test_settled_is_written_now(house: House) -> None:
    house.end(house.begin("a"))
    house.directory.settle()
    assert house.names() == set()
    await asyncio.sleep(2 * LAG)


async def test_a_folder_that_is_gone_ends_nothing(
    house: House, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    house.end(house.begin("a"))
    house.tables.of_network(NETWORK.id).unlink()
    house.tables.of_container("a" * 64).unlink()
    (tmp_path / "by-container").rmdir()
    tmp_path.rmdir()
    await asyncio.sleep(3 * LAG)
    assert "stay for now" in caplog.text
