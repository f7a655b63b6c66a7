"""The fixtures, in pytest runs of their own."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.conftest import Box
from tests.support.waiting import until

pytestmark = pytest.mark.root

COMPOSE = """
    services:
      web: {image: $IMAGE, command: $SLEEP, ports: ["18498:80"], profiles: [all]}
      db: {image: $IMAGE, command: $SLEEP}
    """
INI = "[pytest]\nstack_services = web db\nstack_publish = db:5432\n"
NAMES = """
def note(stack):
    with open('names', 'a') as file:
        file.write(stack.name + chr(10))
"""


def command(*arguments: str) -> list[str]:
    plugins = ["-p", "no:cacheprovider", "-p", "stackwright.verify.pytest_plugin", "-p", "xdist.plugin"]
    return [sys.executable, "-m", "pytest", "-q", *plugins, *arguments]


def environ(box: Box) -> dict[str, str]:
    return {**box.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # the suite's own take seconds to import


def run(box: Box, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), cwd=box.folder, env=environ(box), capture_output=True, text=True, timeout=120
    )


@pytest.fixture
def tests(tmp_path: Path, embedded: str) -> Box:
    box = Box(tmp_path, embedded, "embedded")
    box.write(COMPOSE)
    (box.folder / "pytest.ini").write_text(INI)
    return box


def test_scopes_settings_and_the_marker(tests: Box) -> None:
    (tests.folder / "other.yaml").write_text(
        "services: {lone: {image: stackwright-test/busybox:1, command: [sleep, '99']}}"
    )
    for name in ("a", "b"):
        (tests.folder / f"test_{name}.py").write_text(
            NAMES + "import pytest\n"
            "def test_one(session_stack, module_stack, fresh_stack):\n"
            "    for stack in (session_stack, module_stack, fresh_stack): note(stack)\n"
            "    assert session_stack.service('db').port(5432) and session_stack.service('web').port(80) != 18498\n"
            "def test_two(session_stack, module_stack):\n"
            "    note(session_stack); note(module_stack)\n"
        )
    (tests.folder / "test_b.py").open("a").write(
        "@pytest.mark.stack(files='other.yaml', services=())\n"
        "def test_three(fresh_stack): assert list(fresh_stack.services) == ['lone']\n"
    )
    done = run(tests)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 passed" in done.stdout
    assert len(set((tests.folder / "names").read_text().split())) == 1 + 2 + 2
    assert tests.ok("ls", "-a", "-q") == ""


def test_workers_have_copies_of_their_own(tests: Box) -> None:
    (tests.folder / "test_a.py").write_text(
        NAMES
        + "import pytest\n@pytest.mark.parametrize('n', range(4))\ndef test_it(session_stack, n): note(session_stack)\n"
    )
    done = run(tests, "-n", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    names = (tests.folder / "names").read_text().split()
    assert len(names) == 4
    assert len(set(names)) == 2
    assert tests.ok("ls", "-a", "-q") == ""


def test_a_failing_fixture_is_one_message_and_leaves_nothing(tests: Box) -> None:
    tests.write(
        "services: {web: {image: $IMAGE, command: [sh, -c, 'echo broken; exit 3']}, db: {image: $IMAGE}}"
    )
    (tests.folder / "test_a.py").write_text("def test_it(session_stack): pass\n")
    done = run(tests)
    assert done.returncode == 1
    assert "exit code 3" in done.stdout
    assert "broken" in done.stdout.partition("exit code 3")[2]
    assert tests.ok("ls", "-a", "-q") == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_test_run_that_is_ended_leaves_nothing(tests: Box, number: signal.Signals) -> None:
    (tests.folder / "test_a.py").write_text(
        NAMES + "import time\ndef test_it(session_stack): note(session_stack); time.sleep(99)\n"
    )
    process = subprocess.Popen(
        command(), cwd=tests.folder, env=environ(tests), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    until(lambda: (tests.folder / "names").exists())
    process.send_signal(number)
    process.wait(30)
    until(lambda: tests.ok("ls", "-a", "-q") == "")
