"""What the real `docker compose` did: one file of answers per topic, kept in the repository."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "recorded"


@cache
def of_topic(topic: str) -> dict[str, list[Any]]:
    """Scenario name to the answers of its steps; empty where nothing was recorded yet."""
    path = FOLDER / f"{topic}.json"
    return dict(json.loads(path.read_text())) if path.exists() else {}


def write(topic: str, answers: dict[str, list[Any]]) -> None:
    """Keep the answers of all scenarios of a topic."""
    FOLDER.mkdir(exist_ok=True)
    kept = {name: [_without_words(shown) for shown in steps] for name, steps in sorted(answers.items())}
    (FOLDER / f"{topic}.json").write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")


def _without_words(shown: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in shown.items() if key != "stderr"}
