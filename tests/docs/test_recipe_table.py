"""The table of stand-ins in the documentation is the recipes' own."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_recipe_and_its_versions_are_in_the_table() -> None:
    page = (ROOT / "docs/images.md").read_text()
    for recipe in sorted((ROOT / "recipes").glob("*/recipe.toml")):
        data = tomllib.loads(recipe.read_text())
        row = f"| `{'`, `'.join(data['images'])}` | {data['available']} |"
        assert row in page, f"docs/images.md lacks the row {row}"
