"""Every page of the documentation is followed, command by command, on an engine of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.cli import Stackwright
from tests.support.examples import Command, File, examples

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(path for path in DOCS.glob("*.md") if "```console" in path.read_text())


@pytest.mark.root
@pytest.mark.network
@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_example_of_the_page_does_what_it_says(
    page: Path, shared_stackwright: Stackwright, tmp_path: Path
) -> None:
    project = tmp_path / "shop"
    project.mkdir()
    environment = {
        **shared_stackwright.environ,
        "STACKWRIGHT_ENGINE": "embedded",
        "PATH": f"{Path(sys.executable).parent}:{shared_stackwright.environ['PATH']}",
    }
    for step in examples(page.read_text()):
        match step:
            case File(name, text):
                target = project / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(text)
            case Command():
                result = subprocess.run(
                    ["bash", "-c", step.text],
                    cwd=project,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    timeout=300,
                    check=False,
                )
                where = f"{page.name}:{step.line}: {step.text}\n{result.stdout}"
                assert result.returncode == step.exit_code, where
                assert step.mismatch(result.stdout) is None, (
                    f"missing {step.mismatch(result.stdout)!r}\n{where}"
                )


def test_every_page_named_in_the_readme_exists() -> None:
    import re

    readme = (DOCS.parent / "README.md").read_text()
    missing = [link for link in re.findall(r"\]\(([^)#:]+)\)", readme) if not (DOCS.parent / link).exists()]
    assert missing == []
