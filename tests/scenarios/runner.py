"""Does a scenario with one tool on one engine and keeps what could be seen, normalised."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.scenarios import normal
from tests.scenarios.engine_view import EngineView
from tests.scenarios.scenario import Scenario, Step, filled

SECONDS = 120
_THEIRS = ("COMPOSE_", "DOCKER_", "CONTAINER_")


@dataclass(frozen=True)
class Tool:
    """`words`: the command; `address`: the engine's; `warm`: where a fork server of ours may listen."""

    words: tuple[str, ...]
    address: str
    warm: Path | None = None

    def environ(self) -> dict[str, str]:
        """The surroundings of every command: nothing of the person who runs the tests."""
        # pytest changes the environment between tests, while scenarios are played ahead: ask for what is still there.
        names = [name for name in list(os.environ) if not name.startswith((*_THEIRS, "PYTEST_"))]
        kept = {name: os.environ[name] for name in names}
        # The engine has the classic builder; the client takes BuildKit for granted unless told so.
        return {
            **kept,
            "DOCKER_HOST": self.address,
            "DOCKER_BUILDKIT": "0",
            "COMPOSE_BAKE": "0",
            "COLUMNS": "200",
            **({"STACKWRIGHT_WARM": "1", "STACKWRIGHT_WARM_DIR": str(self.warm)} if self.warm else {}),
        }


def play(scenario: Scenario, tool: Tool, folder: Path, project: str) -> list[Any]:
    """Do all steps in `folder`; what each showed, in order. Everything made is removed."""
    view = EngineView(tool.address, project, str(folder))
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        for name, text in scenario.files.items():
            _write(folder, name, filled(text, project, str(folder)))
        return [
            {"step": number, "do": _title(step), **shown}
            for number, step in enumerate(scenario.steps, 1)
            if (shown := _do(step, scenario, tool, view, folder, project)) is not None
        ]
    finally:
        view.clear()
        shutil.rmtree(folder, ignore_errors=True)


def _write(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    if text.startswith("#!"):
        path.chmod(0o755)


def _title(step: Step) -> str:
    return str(step.what) if step.kind == "run" else f"{step.kind} {','.join(step.what)}"


def _do(
    step: Step, scenario: Scenario, tool: Tool, view: EngineView, folder: Path, project: str
) -> dict[str, Any] | None:
    if step.kind == "run":
        words = [*tool.words, *(("-p", project) if scenario.named else ())]
        words += shlex.split(filled(step.what, project, str(folder)))
        return _command(words, step, tool, folder, project)
    if step.kind == "look":
        return view.look(tuple(step.what))
    if step.kind == "write":
        for name, text in step.what.items():
            _write(folder, name, filled(text, project, str(folder)))
    elif step.kind == "docker":
        words = shlex.split(filled(step.what, project, str(folder)))
        done = subprocess.run(
            ["docker", *words], env=tool.environ(), capture_output=True, text=True, timeout=SECONDS
        )
        assert done.returncode == 0, f"docker {step.what}: {done.stderr}"
    else:
        condition = _is if step.kind == "until" else _said
        for name, what in step.what.items():
            shown = filled(name, project, str(folder))
            if not _reached(lambda shown=shown, what=what: condition(view, shown, what), SECONDS):  # type: ignore[misc]
                return {"reached": False}
    return None


def _command(words: Sequence[str], step: Step, tool: Tool, folder: Path, project: str) -> dict[str, Any]:
    environ = {
        **tool.environ(),
        **{key: filled(value, project, str(folder)) for key, value in step.env.items()},
    }
    try:
        done = subprocess.run(
            words,
            cwd=folder / step.folder,
            env=environ,
            input=step.stdin,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired:
        return {"exit": f"none within {SECONDS} s", "stdout": None, "stderr": ""}
    # Standard error is for people: it is shown where something differs, never compared.
    return {
        "exit": done.returncode,
        "stdout": normal.stdout(done.stdout, step.stdout, project, str(folder)),
        "stderr": done.stderr[-2000:],
    }


def _reached(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.03)
    return True


def _is(view: EngineView, name: str, state: str) -> bool:
    found = view.container(name)
    if state == "gone":
        return found is None
    if found is None:
        return False
    return state in (found["State"]["Status"], (found["State"].get("Health") or {}).get("Status"))


def _said(view: EngineView, name: str, text: str) -> bool:
    found = view.container(name)
    return found is not None and text.encode() in view.output(found["Id"])
