"""The graph as Mermaid, as DOT, and as text for the terminal."""

from __future__ import annotations

import re

from stackwright.report.graph import Edge, Graph, Node, layers

_SHAPES = {
    "database": ("[(", ")]"),
    "queue": ("[[", "]]"),
    "proxy": ("{{", "}}"),
    "job": ("([", "])"),
    "tool": ("[/", "/]"),
}
_DOT_SHAPES = {"database": "cylinder", "queue": "box3d", "proxy": "hexagon", "job": "oval", "tool": "note"}


def _lines(node: Node) -> list[str]:
    title = node.name + (f" ×{node.replicas}" if node.replicas != 1 else "")
    return [title, *([" ".join(node.ports)] if node.ports else [])]


def _identity(name: str) -> str:
    return "n_" + re.sub(r"\W", lambda match: f"_{ord(match[0]):x}_", name)


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")


def to_mermaid(graph: Graph) -> str:
    """A Mermaid flowchart; services are grouped by network where each is on one network only."""
    rows = ["flowchart TD"]
    for network, nodes in _groups(graph):
        inner = "    " if network else "  "
        if network:
            rows.append(f'  subgraph {_identity("net " + network)}["{_escape(network)}"]')
        for node in nodes:
            left, right = _SHAPES.get(node.kind, ("[", "]"))
            text = "<br>".join(_escape(line) for line in _lines(node))
            rows.append(f'{inner}{_identity(node.name)}{left}"{text}"{right}')
        if network:
            rows.append("  end")
    for edge in graph.edges:
        label = f"|{edge.label}|" if edge.label else ""
        rows.append(f"  {_identity(edge.source)} -->{label} {_identity(edge.target)}")
    for volume, node in _volumes(graph):
        rows.append(f'  {_identity(node.name)} -.- {_identity("vol " + volume)}[("{_escape(volume)}")]')
    return "\n".join(rows) + "\n"


def _volumes(graph: Graph) -> list[tuple[str, Node]]:
    return [(volume, node) for node in graph.nodes for volume in dict.fromkeys(node.volumes)]


def _groups(graph: Graph) -> list[tuple[str, list[Node]]]:
    """Nodes by network; those on several networks, or on none, are in the group without a name."""
    found: dict[str, list[Node]] = {name: [] for name in graph.networks}
    found[""] = []
    for node in graph.nodes:
        found[node.networks[0] if len(node.networks) == 1 and len(graph.networks) > 1 else ""].append(node)
    return [(name, nodes) for name, nodes in found.items() if nodes]


def to_dot(graph: Graph) -> str:
    """Graphviz's language; networks are clusters."""

    def quoted(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    rows = [
        f"digraph {quoted(graph.name)} {{",
        "  rankdir=TB;",
        '  node [shape=box, fontname="Helvetica"];',
        '  edge [fontname="Helvetica", fontsize=10];',
    ]
    for index, (network, nodes) in enumerate(_groups(graph)):
        if network:
            rows.append(f"  subgraph cluster_{index} {{ label={quoted(network)};")
        for node in nodes:
            label = quoted("\n".join(_lines(node))).replace("\n", "\\n")
            rows.append(
                f"    {quoted(node.name)} [shape={_DOT_SHAPES.get(node.kind, 'box')}, label={label}];"
            )
        if network:
            rows.append("  }")
    for edge in graph.edges:
        label = f" [label={quoted(edge.label)}]" if edge.label else ""
        rows.append(f"  {quoted(edge.source)} -> {quoted(edge.target)}{label};")
    for volume, node in _volumes(graph):
        rows.append(f"  {quoted('volume ' + volume)} [shape=cylinder, style=dashed, label={quoted(volume)}];")
        rows.append(f"  {quoted(node.name)} -> {quoted('volume ' + volume)} [style=dotted, dir=none];")
    return "\n".join([*rows, "}"]) + "\n"


def to_text(graph: Graph) -> str:
    """A tree for the terminal: each service below whoever waits for it; details where it is met first."""
    nodes = {node.name: node for node in graph.nodes}
    below: dict[str, list[Edge]] = {name: [] for name in nodes}
    awaited = set()
    for edge in graph.edges:
        below[edge.source].append(edge)
        awaited.add(edge.target)
    rows = [graph.name]
    seen: set[str] = set()

    def draw(name: str, label: str, prefix: str, last: bool) -> None:
        branch, go_on = ("└─ ", "   ") if last else ("├─ ", "│  ")
        again = name in seen and bool(below[name])
        details = "" if name in seen else _details(nodes[name])
        rows.append(f"{prefix}{branch}{name}{f' ({label})' if label else ''}{details}{' …' if again else ''}")
        if again:
            return
        seen.add(name)
        for index, edge in enumerate(below[name]):
            draw(edge.target, edge.label, prefix + go_on, index == len(below[name]) - 1)

    roots = [name for layer in layers(graph) for name in layer if name not in awaited]
    for index, name in enumerate(roots):
        draw(name, "", "", index == len(roots) - 1)
    return "\n".join(rows) + "\n"


def _details(node: Node) -> str:
    parts = [f"×{node.replicas}"] * (node.replicas != 1)
    parts += node.ports
    parts += [f"[{volume}]" for volume in dict.fromkeys(node.volumes)]
    parts += ["(profile not active)"] * node.disabled
    return "  " + " ".join(parts) if parts else ""
