"""`graph`: the same project as a tree, Mermaid, DOT and SVG."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from itertools import pairwise
from pathlib import Path

import pytest

from stackwright.model.load import load
from stackwright.report.formats import to_dot, to_mermaid, to_text
from stackwright.report.graph import Graph, graph_of, layers
from stackwright.report.svg import to_svg

PROJECT = """
name: shop
services:
  proxy:
    image: nginx:1.29
    ports: ["80:80"]
    networks: [front]
    depends_on: {api: {condition: service_healthy}}
  api:
    image: example/api:1
    deploy: {replicas: 3}
    networks: [front, back]
    healthcheck: {test: "true"}
    depends_on:
      db: {condition: service_healthy}
      migrate: {condition: service_completed_successfully}
  migrate:
    image: example/api:1
    networks: [back]
    depends_on: [db]
  db:
    image: postgres:17
    networks: [back]
    volumes: ["data:/var/lib/postgresql/data"]
    healthcheck: {test: pg_isready}
  "odd.name<&>":
    image: example/x:1
    profiles: [debug]
    networks: [back]
networks: {front: {}, back: {}}
volumes: {data: {}}
"""


@pytest.fixture
def graph(tmp_path: Path) -> Graph:
    text = PROJECT.replace('"odd.name<&>"', "odd.name-x")
    (tmp_path / "compose.yaml").write_text(text)
    return graph_of(load(working_directory=tmp_path, environment={}))


def test_whoever_is_waited_for_is_below(graph: Graph) -> None:
    depth = {name: row for row, names in enumerate(layers(graph)) for name in names}
    assert all(depth[edge.source] < depth[edge.target] for edge in graph.edges)


def test_tree_shows_conditions_ports_volumes_and_profiles(graph: Graph) -> None:
    text = to_text(graph)
    assert "proxy  :80" in text
    assert "api (healthy)  ×3" in text
    assert "db (healthy)  [data]" in text
    assert "migrate (done)" in text
    assert "odd.name-x  (profile not active)" in text


def test_mermaid_groups_by_network_and_labels_conditions(graph: Graph) -> None:
    text = to_mermaid(graph)
    assert text.startswith("flowchart TD\n")
    assert 'subgraph n_net_20_back["back"]' in text
    assert "n_api -->|done| n_migrate" in text
    assert re.search(r'n_db\[\("db"\)\]', text)


def test_dot_names_every_service_once_as_a_node(graph: Graph) -> None:
    text = to_dot(graph)
    for node in graph.nodes:
        assert len(re.findall(rf'^ +"{re.escape(node.name)}" \[', text, re.MULTILINE)) == 1
    assert '"api" -> "db" [label="healthy"]' in text


def test_svg_is_well_formed_and_no_box_covers_another(graph: Graph) -> None:
    root = ElementTree.fromstring(to_svg(graph))
    groups = [
        group
        for group in root.iter("{http://www.w3.org/2000/svg}g")
        if group.find("{http://www.w3.org/2000/svg}title") is not None
    ]
    assert len(groups) == len(graph.nodes)
    boxes = []
    for group in groups:
        rect = max(
            group.findall("{http://www.w3.org/2000/svg}rect"), key=lambda one: float(one.get("width", 0))
        )
        boxes.append(tuple(float(rect.get(key, 0)) for key in ("x", "y", "width", "height")))
    for index, (x, y, width, height) in enumerate(boxes):
        for other_x, other_y, other_width, other_height in boxes[index + 1 :]:
            apart = (
                x + width <= other_x
                or other_x + other_width <= x
                or y + height <= other_y
                or other_y + other_height <= y
            )
            assert apart


def test_parts_without_a_common_edge_stand_beside_each_other(tmp_path: Path) -> None:
    tiers = (("proxy", 2), ("web", 4), ("api", 14), ("db", 6))
    lines = ["services:"]
    for (name, count), (below, others) in pairwise((*tiers, ("", 0))):
        for number in range(count):
            needs = sorted({f"{below}-{(number * 3 + step) % others}" for step in (0, 2)}) if others else []
            lines.append(f"  {name}-{number}: {{image: 'a:1', depends_on: [{', '.join(needs)}]}}")
    lines += ["  grafana: {image: 'grafana/grafana:11', depends_on: [prometheus, loki]}"]
    lines += [f"  {name}: {{image: '{name}:1'}}" for name in ("prometheus", "loki", "alone")]
    (tmp_path / "compose.yaml").write_text("name: shop\n" + "\n".join(lines) + "\n")
    drawn = to_svg(graph_of(load(working_directory=tmp_path, environment={})))
    boxes = sorted(
        (float(x), float(x) + float(width))
        for x, width in re.findall(r'<rect x="([\d.]+)" y="[\d.]+" width="([\d.]+)" height="\d{2}', drawn)
    )
    assert len(boxes) >= 30
    reach = boxes[0][1]
    for left, right in boxes:
        assert left - reach < 80, "an empty band between two parts"
        reach = max(reach, right)
