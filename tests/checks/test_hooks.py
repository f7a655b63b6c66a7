"""What other tools are told of `check`: the pre-commit hooks, and the example for GitHub Actions."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.model.support import ROOT

HOOKS = {hook["id"]: hook for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}


@pytest.mark.parametrize("hook", HOOKS.values(), ids=HOOKS)
def test_a_hook_is_called_for_compose_files_only(hook: dict[str, Any]) -> None:
    wanted = re.compile(hook["files"])
    for name in ("compose.yaml", "docker-compose.yml", "a/compose.prod.yaml", "docker-compose-dev.yml"):
        assert wanted.search(name), name
    for name in ("README.md", "composer.json", "compose.yaml.bak", "my-compose.yml", "src/compose.py"):
        assert not wanted.search(name), name


def call(hook: dict[str, Any], folder: Path, *names: str) -> subprocess.CompletedProcess[str]:
    program, *words = shlex.split(hook["entry"])
    assert program == "stackwright"
    command = [sys.executable, "-m", "stackwright.cli.main", *words, *names]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)


def test_the_check_hook_fails_on_a_mistake_in_any_of_the_files(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("services:\n  web: {image: 'nginx:1.29', networks: [nope]}\n")
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments" / "staging.yml").write_text("services:\n  web: {image: 'nginx:1.29'}\n")
    names = ("environments/staging.yml", "compose.yaml")
    done = call(HOOKS["stackwright-check"], tmp_path, *names)
    assert done.returncode == 1
    assert 'undefined network "nope"' in done.stdout
    (tmp_path / "compose.yaml").write_text("services:\n  web: {image: 'nginx:1.29'}\n")
    assert call(HOOKS["stackwright-check"], tmp_path, *names).returncode == 0


def test_the_fix_hook_changes_the_file_once(tmp_path: Path) -> None:
    file = tmp_path / "compose.yaml"
    file.write_text("version: '3'\nservices:\n  web: {image: 'nginx:1.29'}\n")
    call(HOOKS["stackwright-fix"], tmp_path, "compose.yaml")
    mended = file.read_text()
    assert "version" not in mended
    call(HOOKS["stackwright-fix"], tmp_path, "compose.yaml")
    assert file.read_text() == mended


def test_the_steps_for_github_actions_are_yaml_with_flags_that_exist(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "checking.md").read_text()
    example = page.partition("- GitHub Actions:")[2].partition("```yaml\n")[2].partition("```")[0]
    steps = yaml.safe_load(example)
    runs = [step["run"] for step in steps if "run" in step]
    assert [step["uses"].partition("@")[0] for step in steps if "uses" in step] == [
        "github/codeql-action/upload-sarif"
    ]
    (tmp_path / "compose.yaml").write_text("services:\n  web: {image: 'nginx:1.29'}\n")
    ours = [shlex.split(text.partition(" > ")[0]) for text in runs if text.startswith("stackwright ")]
    assert len(ours) == 2
    for _, *words in ours:
        command = [sys.executable, "-m", "stackwright.cli.main", *words]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
