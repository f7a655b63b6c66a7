"""Several containers, one service, published ports."""

from __future__ import annotations

from tests.cli.conftest import Box, everywhere


def ports(box: Box) -> list[int]:
    rows = [row["Publishers"] or [] for row in box.ps().values()]
    return sorted(entry["PublishedPort"] for row in rows for entry in row)  # type: ignore[attr-defined]


@everywhere
def test_a_range_is_shared_out(box: Box) -> None:
    box.write("services: {web: {image: $IMAGE, command: $SLEEP, ports: ['127.0.0.1:18951-18953:80']}}")
    box.ok("up", "-d", "--scale", "web=3")
    assert ports(box) == [18951, 18952, 18953]
    box.ok("up", "-d", "--scale", "web=2")
    box.ok("scale", "web=3")
    assert ports(box) == [18951, 18952, 18953]


def test_more_than_the_range_holds_is_refused_before_anything_starts(box: Box) -> None:
    box.write("services: {web: {image: $IMAGE, command: $SLEEP, ports: ['127.0.0.1:18951-18952:80']}}")
    text = box.fails("up", "-d", "--scale", "web=3")
    assert "web cannot run 3 times" in text
    assert '"18951-18953:80"' in text
    assert box.ps() == {}


def test_a_single_port_is_refused_by_scale_while_one_runs(box: Box) -> None:
    box.write("services: {web: {image: $IMAGE, command: $SLEEP, ports: ['127.0.0.1:18951:80']}}")
    box.ok("up", "-d")
    text = box.fails("scale", "web=2")
    assert "each container would need the host's port 18951" in text
    assert 'or only "80" for free ports' in text
    assert ports(box) == [18951]


def test_free_ports_scale(box: Box) -> None:
    box.write("services: {web: {image: $IMAGE, command: $SLEEP, ports: ['127.0.0.1::80']}}")
    box.ok("up", "-d", "--scale", "web=3")
    assert len(set(ports(box))) == 3
