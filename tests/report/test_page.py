"""`docs`: a page made from the model, made again without harm to what a person wrote."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from stackwright.cli.group import group

COMPOSE = """services:
  # Answers the shop's requests.
  api:
    image: example/api:1.4
    ports: ["8080:3000"]
    environment:
      LOG_LEVEL: info  # one of debug, info, warn
      # Where orders are kept.
      DATABASE_URL: postgres://app:hunter2@db:5432/app
      API_TOKEN: hunter2
    depends_on: {db: {condition: service_healthy}}
  db:
    image: postgres:17-alpine
    healthcheck: {test: pg_isready}
    volumes: ["data:/var/lib/postgresql/data"]
volumes:
  data:
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "compose.yaml").write_text(COMPOSE)
    (tmp_path / "compose.prod.yaml").write_text("services:\n  api:\n    deploy: {replicas: 3}\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def docs(*words: str) -> int:
    result = CliRunner().invoke(group, ["docs", *words], standalone_mode=False)
    assert result.exception is None, result.output
    return int(result.return_value)


def test_page_says_what_the_model_knows(project: Path) -> None:
    assert docs() == 0
    text = (project / "docs/architecture.md").read_text()
    assert "Answers the shop's requests." in text
    assert "| `LOG_LEVEL` | `info` | one of debug, info, warn |" in text
    assert "| `DATABASE_URL` | `postgres://app:***@db:5432/app` | Where orders are kept. |" in text
    assert "hunter2" not in text
    assert "| depends on | [db](#db) (healthy) |" in text
    assert "| used by | [api](#api) |" in text
    assert "- **api**: 3 containers instead of 1" in text
    assert "psql -U postgres" in text
    assert (project / "docs/architecture.svg").read_text().startswith("<svg")


def test_hand_written_parts_stay_and_gone_services_go(project: Path) -> None:
    docs()
    page = project / "docs/architecture.md"
    page.write_text(
        page.read_text()
        .replace("## db\n", "## db\n\nAsk Anna before you change it.\n")
        .replace("## Runbook", "Mind the tide.\n\n## Runbook")
    )
    (project / "compose.yaml").write_text(
        COMPOSE.replace("  db:\n", "  mail:\n    image: example/mail:1\n  db:\n")
    )
    docs()
    text = page.read_text()
    assert "Ask Anna before you change it." in text
    assert "Mind the tide." in text
    assert "## mail" in text
    (project / "compose.yaml").write_text(COMPOSE)
    docs()
    text = page.read_text()
    assert "## mail" not in text
    assert "Ask Anna before you change it." in text


def test_a_second_run_changes_nothing_and_check_says_so(project: Path) -> None:
    docs()
    first = (project / "docs/architecture.md").read_text()
    assert docs("--check") == 0
    docs()
    assert (project / "docs/architecture.md").read_text() == first
    (project / "compose.yaml").write_text(COMPOSE.replace("8080", "8081"))
    assert docs("--check") == 1
