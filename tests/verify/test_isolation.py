"""A copy of a project disturbs nobody."""

from __future__ import annotations

from pathlib import Path

from stackwright import load
from stackwright.model.project import Project
from stackwright.verify.isolation import Owner, copy_name, isolated, owner_of

TEXT = """
name: shop
services:
  db:
    image: db
    container_name: the-db
    ports: ["5432:5432", "127.0.0.2:53:53/udp"]
    networks: {back: {ipv4_address: 10.9.0.5}, front: , theirs: }
    volumes: [data:/data, shared:/shared]
  web: {image: web, ports: ["8080:80"], networks: [front]}
networks:
  back: {name: the-back, ipam: {config: [{subnet: 10.9.0.0/24}]}}
  front: {ipam: {config: [{subnet: 10.8.0.0/24}]}}
  theirs: {external: true}
volumes:
  data: {name: the-data}
  shared: {external: true}
"""


def copy(tmp_path: Path) -> Project:
    (tmp_path / "compose.yaml").write_text(TEXT)
    return isolated(load(project_directory=tmp_path), "shop-t1-2-3-4", {"web": [9000], "db": [5432]})


def test_a_copy_has_names_and_ports_of_its_own(tmp_path: Path) -> None:
    made = copy(tmp_path)
    db, web = made.services["db"], made.services["web"]
    assert db.container_name == ""
    assert [(port.host_ip, port.published, port.target) for port in db.ports] == [
        ("127.0.0.1", "", 5432),
        ("127.0.0.2", "", 53),
    ]
    assert [(port.host_ip, port.published, port.target) for port in web.ports] == [
        ("127.0.0.1", "", 80),
        ("127.0.0.1", "", 9000),
    ]
    assert made.volumes["data"].name == "shop-t1-2-3-4_data"
    assert made.networks["back"].name == "shop-t1-2-3-4_back"


def test_what_is_external_stays_shared(tmp_path: Path) -> None:
    made = copy(tmp_path)
    assert made.volumes["shared"].name == "shared"
    assert made.networks["theirs"].name == "theirs"


def test_a_fixed_subnet_stays_only_for_who_has_an_address_in_it(tmp_path: Path) -> None:
    made = copy(tmp_path)
    assert made.networks["back"].ipam.config[0].subnet == "10.9.0.0/24"
    assert made.networks["front"].ipam.config == []


def test_a_copys_name_tells_its_owner() -> None:
    owner = Owner(4026531836, 77, 123456)
    assert owner_of(copy_name("my-app", owner, 2)) == owner
    assert owner_of("my-app-1") is None
