"""docs/python-api.md, run; and what the typed project holds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.model.support import HOME, ROOT, write

import stackwright
from stackwright.model.types import Dependency, Healthcheck, Mount, Port, Ulimit

TEXT = """services:
  web:
    image: nginx:${TAG}
    ports: ["8080:80/udp"]
    depends_on: {db: {condition: service_healthy, required: false}}
    volumes: ["./site:/usr/share/nginx/html:ro"]
    extra_hosts: ["a=1.1.1.1", "a=2.2.2.2"]
    ulimits: {nofile: 1024}
    mem_limit: 64m
    secrets: [{source: token, mode: 0400}]
    environment: {FROM_FILE: mine}
    env_file: web.env
    x-owner: team-a
  db:
    image: postgres
    healthcheck: {test: pg_isready, interval: 1m30s}
    stop_grace_period: 10s
secrets:
  token: {environment: TOKEN}
"""


@pytest.fixture
def project(tmp_path: Path) -> stackwright.Project:
    write(tmp_path, {"compose.yaml": TEXT, "web.env": "FROM_FILE=theirs\nOTHER=1\n"})
    environment = {**HOME, "TAG": "1.2", "TOKEN": "hidden"}
    return stackwright.load(working_directory=tmp_path, environment=environment, project_name="shop")


def test_the_page_runs(tmp_path: Path) -> None:
    write(tmp_path, {"compose.yaml": TEXT, "web.env": ""})
    code = (ROOT / "docs" / "python-api.md").read_text().split("```python\n")[1].split("```")[0]
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.splitlines()[1] == "{'db': 'service_healthy'}", done.stderr


def test_short_forms_are_values(project: stackwright.Project, tmp_path: Path) -> None:
    web = project.services["web"]
    assert web.image == "nginx:1.2"
    assert web.ports == [Port(target=80, published="8080", protocol="udp")]
    assert web.depends_on == {"db": Dependency(condition="service_healthy", required=False)}
    (mount,) = web.volumes
    assert isinstance(mount, Mount)
    assert (mount.type, mount.source, mount.read_only) == ("bind", str(tmp_path / "site"), True)
    assert web.extra_hosts == {"a": ["1.1.1.1", "2.2.2.2"]}
    assert web.extensions == {"x-owner": "team-a"}


def test_units_are_numbers(project: stackwright.Project) -> None:
    assert project.services["web"].mem_limit == 64 * 1024 * 1024
    assert project.services["web"].ulimits == {"nofile": Ulimit(soft=1024, hard=1024)}
    assert project.services["web"].secrets[0].mode == 0o400
    assert project.services["db"].stop_grace_period == 10_000_000_000
    assert project.services["db"].healthcheck == Healthcheck(
        test=["CMD-SHELL", "pg_isready"], interval=90_000_000_000
    )


def test_environment_is_resolved(project: stackwright.Project) -> None:
    assert project.services["web"].environment == {"FROM_FILE": "mine", "OTHER": "1"}
    assert project.services["web"].env_file == []


def test_a_secret_from_the_environment_has_its_content(project: stackwright.Project) -> None:
    assert project.secrets["token"].content == "hidden"
    assert "hidden" not in str(project.model)


def test_names_carry_the_project(project: stackwright.Project) -> None:
    assert project.networks["default"].name == "shop_default"
    assert set(project.config_hashes) == {"web", "db"}


def test_importing_the_package_imports_nothing_else() -> None:
    code = (
        "import sys; before = set(sys.modules); import stackwright; print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True)
    assert set(done.stdout.split()) <= {"stackwright", "__future__"}
