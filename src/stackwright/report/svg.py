"""The graph as an SVG of our own layout, made to be clear with thirty services.

Services stand in rows by depth: whoever is waited for stands below. Long edges are led through the rows between
by invisible points; the order in the rows is chosen to cross few edges (the barycentre method of Sugiyama, Tagawa
and Toda); then points move towards their neighbours. Networks are coloured marks on the boxes with a legend: frames
around groups would cross each other as soon as a service is on two networks.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from xml.sax.saxutils import escape, quoteattr

from stackwright.report.graph import Graph, Node, layers

_WIDTH, _LINE, _PAD, _GAP_X, _GAP_Y = 150, 15, 9, 26, 62
_POINT = 18
_CHARACTER = 6.6
_ROUNDS = 24
_COLOURS = ("#3b82f6", "#f59e0b", "#10b981", "#ef4444", "#8b5cf6", "#14b8a6", "#ec4899", "#84cc16", "#64748b")
_FILLS = {
    "service": "#ffffff",
    "database": "#e8f1fd",
    "queue": "#fdf3e1",
    "proxy": "#e7f8f0",
    "job": "#f6effe",
    "tool": "#f3f4f6",
}
_WORDS = {
    "service": "service",
    "database": "database or cache",
    "queue": "queue",
    "proxy": "proxy",
    "job": "job",
    "tool": "tool",
}


@dataclass(slots=True)
class _Spot:
    """A box, or a point that an edge passes."""

    name: str
    node: Node | None
    row: int
    width: float
    height: float
    x: float = 0.0
    y: float = 0.0


def to_svg(graph: Graph) -> str:
    """A whole SVG document with a light background."""
    return _Picture(graph).draw()


def _texts(node: Node) -> list[str]:
    found = []
    if node.ports:
        found.append(_cut(" ".join(node.ports), 30))
    if node.volumes:
        found.append(_cut("▤ " + ", ".join(dict.fromkeys(node.volumes)), 30))
    return found


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


class _Picture:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.spots: dict[str, _Spot] = {}
        self.rows: list[list[str]] = []
        self.paths: list[tuple[list[str], str]] = []
        self._place_in_rows()
        self._lead_edges()
        self._order()
        self._coordinates()

    def _place_in_rows(self) -> None:
        nodes = {node.name: node for node in self.graph.nodes}
        linked = {name for edge in self.graph.edges for name in (edge.source, edge.target)}
        depth = {name: number for number, layer in enumerate(layers(self.graph)) for name in layer}
        for name in [name for name, node in nodes.items() if node.kind in ("service", "tool", "proxy")]:
            # What keeps no data and needs nobody is drawn near those that need it, not beside the databases.
            waiting = [depth[edge.source] for edge in self.graph.edges if edge.target == name]
            if waiting and not any(edge.source == name for edge in self.graph.edges):
                depth[name] = max(waiting) + 1
        found = [
            [name for name in nodes if depth[name] == row and name in linked]
            for row in sorted(set(depth.values()))
        ]
        self.rows = [row for row in found if row]
        for number, row in enumerate(self.rows):
            for name in row:
                self.spots[name] = self._box(nodes[name], number)
        alone = [name for name in nodes if name not in linked]
        for start in range(0, len(alone), 6):
            part = alone[start : start + 6]
            for name in part:
                self.spots[name] = self._box(nodes[name], len(self.rows))
            self.rows.append(part)

    def _box(self, node: Node, row: int) -> _Spot:
        texts = _texts(node)
        longest = max([len(node.name) + 4, *(len(text) for text in texts)])
        width = max(_WIDTH * 0.66, longest * _CHARACTER + 2 * _PAD)
        return _Spot(node.name, node, row, width, _PAD * 2 + _LINE * (1 + len(texts)) + 5)

    def _lead_edges(self) -> None:
        for number, edge in enumerate(self.graph.edges):
            start, end = self.spots[edge.source].row, self.spots[edge.target].row
            path = [edge.source]
            for row in range(start + 1, end):
                name = f"\0{number}.{row}"
                self.spots[name] = _Spot(name, None, row, _POINT, 0)
                self.rows[row].append(name)
                path.append(name)
            self.paths.append(([*path, edge.target], edge.label))

    def _neighbours(self) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
        above: dict[str, list[str]] = {name: [] for name in self.spots}
        below: dict[str, list[str]] = {name: [] for name in self.spots}
        for path, _ in self.paths:
            for one, other in pairwise(path):
                below[one].append(other)
                above[other].append(one)
        return above, below

    def _order(self) -> None:
        above, below = self._neighbours()
        best, fewest = [list(row) for row in self.rows], self._crossings(below)
        for number in range(_ROUNDS):
            downwards = number % 2 == 0
            side = above if downwards else below
            for row in self.rows if downwards else reversed(self.rows):
                place = {name: index for line in self.rows for index, name in enumerate(line)}
                middle = {
                    name: sum(place[one] for one in side[name]) / len(side[name])
                    if side[name]
                    else place[name]
                    for name in row
                }
                row.sort(key=lambda name: middle[name])
            crossings = self._crossings(below)
            if crossings < fewest:
                best, fewest = [list(row) for row in self.rows], crossings
        self.rows = best

    def _crossings(self, below: dict[str, list[str]]) -> int:
        count = 0
        for upper, lower in pairwise(self.rows):
            place = {name: index for index, name in enumerate(lower)}
            ends = [
                place[other]
                for name in upper
                for other in sorted(below[name], key=lambda one: place.get(one, 0))
                if other in place
            ]
            count += sum(1 for i, end in enumerate(ends) for other in ends[i + 1 :] if other < end)
        return count

    def _coordinates(self) -> None:
        y = 54.0
        for row in self.rows:
            height = max((self.spots[name].height for name in row), default=0)
            x = 0.0
            for name in row:
                spot = self.spots[name]
                spot.y = y + (height - spot.height) / 2
                spot.x = x + spot.width / 2
                x += spot.width + _GAP_X
            y += height + _GAP_Y
        above, below = self._neighbours()
        for number in range(_ROUNDS):
            for row in self.rows if number % 2 == 0 else list(reversed(self.rows)):
                self._relax(row, above if number % 2 == 0 else below, above, below)
        self._close_gaps()
        left = min(spot.x - spot.width / 2 for spot in self.spots.values()) - 24 if self.spots else 0
        for spot in self.spots.values():
            spot.x -= left

    def _close_gaps(self) -> None:
        """Move what has nothing beside it to the left: parts of the graph without an edge between them drift."""
        reach, shift = float("-inf"), 0.0
        for spot in sorted(self.spots.values(), key=lambda one: one.x - one.width / 2):
            left = spot.x - spot.width / 2
            if reach > float("-inf"):
                shift += max(0.0, left - reach - 2 * _GAP_X)
            reach = max(reach, left + spot.width)
            spot.x -= shift

    def _relax(
        self,
        row: list[str],
        side: dict[str, list[str]],
        above: dict[str, list[str]],
        below: dict[str, list[str]],
    ) -> None:
        """Each spot to the middle of its neighbours, as far as those beside it leave room."""
        wanted = []
        for name in row:
            near = side[name] or above[name] or below[name]
            spot = self.spots[name]
            wanted.append(sum(self.spots[one].x for one in near) / len(near) if near else spot.x)
        groups: list[tuple[list[int], float]] = []
        offsets = [0.0] * len(row)
        at = 0.0
        for index, name in enumerate(row):
            if index:
                at += (self.spots[row[index - 1]].width + self.spots[name].width) / 2 + _GAP_X
            offsets[index] = at
            members, mean = [index], wanted[index] - at
            while groups and groups[-1][1] > mean:
                before, their_mean = groups.pop()
                mean = (their_mean * len(before) + mean * len(members)) / (len(before) + len(members))
                members = before + members
            groups.append((members, mean))
        for members, mean in groups:
            for index in members:
                self.spots[row[index]].x = offsets[index] + mean

    def draw(self) -> str:
        width = max((spot.x + spot.width / 2 for spot in self.spots.values()), default=200) + 24
        bottom = max((spot.y + spot.height for spot in self.spots.values()), default=60) + 24
        colours = {name: _COLOURS[index % len(_COLOURS)] for index, name in enumerate(self.graph.networks)}
        legend, height = self._legend(colours, bottom, width)
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}" '
            f'font-family="Helvetica, Arial, sans-serif" font-size="12" role="img" aria-label={quoteattr(self.graph.name)}>\n'
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto-start-reverse">'
            '<path d="M0,0.5 L8,4 L0,7.5 z" fill="#6b7280"/></marker></defs>\n'
            f'<rect width="100%" height="100%" fill="#fafafa"/>\n<text x="24" y="30" font-size="17" font-weight="bold" fill="#111827">{escape(self.graph.name)}</text>\n'
        )
        edges = [self._edge(path, label) for path, label in self.paths]
        boxes = [self._draw_box(spot, colours) for spot in self.spots.values() if spot.node is not None]
        return head + "".join([*edges, *boxes, legend]) + "</svg>\n"

    def _edge(self, path: list[str], label: str) -> str:
        spots = [self.spots[name] for name in path]
        first, last = spots[0], spots[-1]
        points = [(self._port(first, spots[1].x, down=True), first.y + first.height)]
        points += [(spot.x, spot.y) for spot in spots[1:-1]]
        points.append(
            (
                self._port(last, spots[-2].x, down=False),
                last.y - 1 - 4 * (min(last.node.replicas, 3) - 1 if last.node else 0),
            )
        )
        commands = [f"M{points[0][0]:.1f},{points[0][1]:.1f}"]
        for (x0, y0), (x1, y1) in pairwise(points):
            middle = (y0 + y1) / 2
            commands.append(f"C{x0:.1f},{middle:.1f} {x1:.1f},{middle:.1f} {x1:.1f},{y1:.1f}")
        colour, style = ("#374151", "") if label == "healthy" else ("#9ca3af", ' stroke-dasharray="5 4"')
        style = ' stroke-dasharray="2 3"' if label == "done" else style
        title = f"{first.name} waits for {last.name}: {label or 'started'}"
        return f'<path d="{" ".join(commands)}" fill="none" stroke="{colour}" stroke-width="1.3"{style} marker-end="url(#tip)"><title>{escape(title)}</title></path>\n'

    def _port(self, spot: _Spot, towards: float, *, down: bool) -> float:
        """Where an edge meets a box: towards the other end, so that edges spread along the side."""
        room = spot.width / 2 - 14
        return spot.x + max(-room, min(room, (towards - spot.x) * 0.25))

    def _draw_box(self, spot: _Spot, colours: dict[str, str]) -> str:
        node = spot.node
        assert node is not None
        x, y = spot.x - spot.width / 2, spot.y
        dash = ' stroke-dasharray="4 3"' if node.disabled else ""
        radius = {"database": 12, "job": 16, "proxy": 2}.get(node.kind, 6)
        parts = [f"<g><title>{escape(f'{node.name}: {node.image}')}</title>"]
        for extra in range(min(node.replicas, 3) - 1, 0, -1):
            parts.append(
                f'<rect x="{x + 4 * extra:.1f}" y="{y - 4 * extra:.1f}" width="{spot.width:.1f}" height="{spot.height:.1f}" rx="{radius}" fill="#ffffff" stroke="#9ca3af"/>'
            )
        parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{spot.width:.1f}" height="{spot.height:.1f}" rx="{radius}" fill="{_FILLS[node.kind]}" stroke="#4b5563"{dash}/>'
        )
        title = node.name + (f"  ×{node.replicas}" if node.replicas != 1 else "")
        parts.append(
            f'<text x="{spot.x:.1f}" y="{y + _PAD + 11:.1f}" text-anchor="middle" font-weight="bold" fill="#111827">{escape(title)}</text>'
        )
        for index, text in enumerate(_texts(node), 1):
            parts.append(
                f'<text x="{spot.x:.1f}" y="{y + _PAD + 11 + _LINE * index:.1f}" text-anchor="middle" font-size="11" fill="#4b5563">{escape(text)}</text>'
            )
        step = min(16.0, (spot.width - 16) / max(1, len(node.networks)))
        start = spot.x - step * (len(node.networks) - 1) / 2
        for index, network in enumerate(node.networks):
            parts.append(
                f'<rect x="{start + step * index - 6:.1f}" y="{y + spot.height - 8:.1f}" width="12" height="4" rx="2" fill="{colours.get(network, "#64748b")}"><title>{escape(network)}</title></rect>'
            )
        return "".join([*parts, "</g>\n"])

    def _legend(self, colours: dict[str, str], y: float, width: float) -> tuple[str, float]:
        entries = [
            (f'<rect x="0" y="-8" width="12" height="5" rx="2" fill="{colour}"/>', f"network {name}")
            for name, colour in colours.items()
        ]
        kinds = {node.kind for node in self.graph.nodes} - {"service"}
        entries += [
            (
                f'<rect x="0" y="-11" width="12" height="11" rx="3" fill="{_FILLS[kind]}" stroke="#4b5563"/>',
                _WORDS[kind],
            )
            for kind in _FILLS
            if kind in kinds
        ]
        for label, style, colour in (
            ("healthy", "", "#374151"),
            ("", ' stroke-dasharray="5 4"', "#9ca3af"),
            ("done", ' stroke-dasharray="2 3"', "#9ca3af"),
        ):
            if any(edge.label == label for edge in self.graph.edges):
                entries.append(
                    (
                        f'<path d="M0,-4 H14" stroke="{colour}" stroke-width="1.5"{style}/>',
                        f"waits until {label or 'started'}",
                    )
                )
        parts, x = [], 24.0
        for mark, text in entries:
            room = 20 + len(text) * 6.2 + 18
            if x + room > width and x > 24:
                x, y = 24.0, y + 20
            parts.append(
                f'<g transform="translate({x:.0f},{y + 12:.0f})">{mark}<text x="19" y="-1" font-size="11" fill="#374151">{escape(text)}</text></g>\n'
            )
            x += room
        return "".join(parts), y + 28
