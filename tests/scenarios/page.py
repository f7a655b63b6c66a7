"""Writes docs/conformance-running.md from the scenarios and the table of differences.

python -m tests.scenarios.page
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.scenarios.differing import ENGINES, Row, rows
from tests.scenarios.scenario import every

PAGE = Path(__file__).parents[2] / "docs" / "conformance-running.md"
NAMES = {"docker": "Docker Engine", "podman": "Podman", "embedded": "embedded"}
HEAD = """# Running, compared with docker compose

Small projects, and commands on them, done by `stackwright` on Docker Engine, on Podman 4.3 and on the embedded engine, and compared with what
`docker compose` 2.40.3 does on Docker Engine 20.10: exit codes, standard output, and what the engine shows afterwards (containers with their states,
labels, names, networks, aliases, mounts and ports; networks; volumes; images). The scenarios are in `tests/scenarios/data`; every build plays
them all. Written by `python -m tests.scenarios.page`.

"""


def text() -> str:
    """The page."""
    scenarios = every()
    topics = Counter(one.topic for one in scenarios)
    lines = [HEAD, "| engine | scenarios | the same | with a difference of their own |\n|---|---|---|---|\n"]
    for engine in ENGINES:
        own = sum(any(row.scenario == one.name and engine in row.on for row in rows()) for one in scenarios)
        lines.append(f"| {NAMES[engine]} | {len(scenarios)} | {len(scenarios) - own} | {own} |\n")
    lines.append(f"\nBy topic: {', '.join(f'{topic} {count}' for topic, count in sorted(topics.items()))}.\n")
    general = [row for row in rows() if "*" in row.scenario]
    special = [row for row in rows() if "*" not in row.scenario]
    lines.append("\n## Differences wherever they show\n\n| engine | where | why |\n|---|---|---|\n")
    lines += [f"| {_on(row)} | {_places(row)} | {row.why} |\n" for row in general]
    lines.append("\n## Differences of single scenarios\n\n| scenario | engine | why |\n|---|---|---|\n")
    lines += [
        f"| {row.scenario} | {_on(row)} | {row.why} |\n"
        for row in sorted(special, key=lambda row: row.scenario)
    ]
    return "".join(lines)


def _on(row: Row) -> str:
    return "all" if set(row.on) == set(ENGINES) else ", ".join(NAMES[engine] for engine in row.on)


def _places(row: Row) -> str:
    return ", ".join(f"`{pattern}`" for pattern in row.at).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(text())
