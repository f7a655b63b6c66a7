"""`config --origins`: where each value came from, and the way it took."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.model.support import HOME, run, write

FILES = {
    "compose.yaml": """include: [db/compose.yaml]
services:
  web:
    extends:
      file: base.yaml
      service: app
    image: app:${TAG}
    environment:
      LEVEL: info
      REGION:
    env_file: web.env
""",
    "compose.override.yaml": 'services:\n  web:\n    hostname: here\n    restart: "no"\n',
    "base.yaml": "services:\n  app:\n    image: none\n    restart: always\n    user: ${RUN_AS:-nobody}\n",
    "db/compose.yaml": "services:\n  db:\n    image: postgres\n",
    ".env": "# versions\nTAG=1.2\n",
    "web.env": "\nMODE=prod\nLEVEL=debug\n",
}


def config(folder: Path, *flags: str) -> str:
    write(folder, FILES)
    command = [sys.executable, "-m", "stackwright.cli.main", "config", *flags]
    done = run(command, folder, {**HOME, "REGION": "eu"})
    assert done.returncode == 0, done.stderr
    return done.stdout


def line(text: str, start: str) -> str:
    (found,) = (line.strip() for line in text.splitlines() if line.strip().startswith(start))
    return found


def test_a_value_says_which_file_and_variable_it_came_from(tmp_path: Path) -> None:
    text = config(tmp_path, "--origins")
    assert "# compose.yaml:7:12 ← " in line(text, "image: app:1.2")
    assert "variable TAG from env file at .env:2:1" in line(text, "image: app:1.2")
    assert "variable REGION from the shell" in line(text, "REGION: eu")


def test_a_value_of_a_base_names_the_service_that_extends_it(tmp_path: Path) -> None:
    text = config(tmp_path, "--origins")
    user = line(text, "user: nobody")
    assert user.startswith("user: nobody # base.yaml:5:11")
    assert "extended by service web at compose.yaml:5:7" in user
    assert "variable RUN_AS, not set" in user


def test_an_override_names_what_it_replaced(tmp_path: Path) -> None:
    restart = line(config(tmp_path, "--origins"), "restart:")
    assert "compose.override.yaml:4:14" in restart
    assert "overrides the value at base.yaml:4:14" in restart


def test_an_env_file_loses_against_environment(tmp_path: Path) -> None:
    text = config(tmp_path, "--origins")
    assert "compose.yaml:9:14" in line(text, "LEVEL: info")
    assert "web.env:2:1 ← env_file" in line(text, "MODE: prod")


def test_an_included_service_names_the_include(tmp_path: Path) -> None:
    image = line(config(tmp_path, "--origins"), "image: postgres")
    assert "db/compose.yaml:3:12" in image
    assert "included at compose.yaml:1:11" in image


def test_what_compose_adds_is_told(tmp_path: Path) -> None:
    assert "by Compose itself" in line(
        config(tmp_path, "--origins"), "name: " + tmp_path.name.lower() + "_default"
    )


def test_origins_as_json(tmp_path: Path) -> None:
    rows = {row["path"]: row for row in json.loads(config(tmp_path, "--origins", "--format", "json"))}
    row = rows["services.web.restart"]
    assert (row["value"], row["line"], row["column"]) == ("no", 4, 14)
    assert Path(row["file"]).name == "compose.override.yaml"
    assert row["chain"]


def test_the_name_of_the_project_tells_who_gave_it(tmp_path: Path) -> None:
    assert config(tmp_path, "--origins").startswith(
        f"name: {tmp_path.name.lower()} # by a flag, the shell or"
    )
    named = {"compose.yaml": "services: {a: {image: x}}\nname: shop\n", ".env": "TAG=1\n"}
    write(tmp_path / "named", named)
    command = [sys.executable, "-m", "stackwright.cli.main", "config", "--origins"]
    assert run(command, tmp_path / "named", HOME).stdout.startswith("name: shop # compose.yaml:2:7\n")
    write(tmp_path / "named", {".env": "COMPOSE_PROJECT_NAME=other\n"})
    assert run(command, tmp_path / "named", HOME).stdout.startswith("name: other # .env:1:1\n")
