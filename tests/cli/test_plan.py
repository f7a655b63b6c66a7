"""`plan`, `up --dry-run` and `--dry-run` of the other verbs: what would happen, why, and that it does not."""

from __future__ import annotations

import json

import pytest
from tests.cli.conftest import Box

COMPOSE = """
    services:
      api:
        image: $IMAGE
        command: $SLEEP
        environment: {LOG_LEVEL: <level>, DB_PASSWORD: <word>, DB_URL: "postgres://me:<word>@db/x"}
        mem_limit: <limit>
        volumes: ["data:/data", "/anonymous"]
      db: {image: $IMAGE, command: $SLEEP}
      <more>
    volumes: {data: {}}
    """
OLD = {
    "<level>": "info",
    "<word>": "hunter2",
    "<limit>": "64m",
    "<more>": "gone: {image: $IMAGE, command: $SLEEP}",
}
NEW = {"<level>": "debug", "<word>": "hunter3", "<limit>": "96m", "<more>": ""}


def _write(box: Box, words: dict[str, str]) -> None:
    text = COMPOSE
    for word, value in words.items():
        text = text.replace(word, value)
    box.write(text)


def test_a_plan_says_what_changes_key_by_key_and_hides_credentials(box: Box) -> None:
    _write(box, OLD)
    assert "+ create container" in box.ok("plan")
    assert box.ps() == {}
    box.ok("up", "-d")
    before = box.ok("ps", "-a", "-q")
    assert "Nothing to do: 3 containers are up to date" in box.ok("plan")
    assert box.run("plan", "--exit-code").returncode == 0
    _write(box, NEW)
    text = box.ok("plan")
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert (
        f"~ recreate container {box.project}-api-1 environment DB_PASSWORD, DB_URL, LOG_LEVEL and mem_limit changed"
        in lines
    )
    assert "environment.LOG_LEVEL info → debug" in lines
    assert "environment.DB_PASSWORD *** → *** (another one)" in lines
    assert "mem_limit 64m → 96m" in lines
    assert any(line.startswith(f"? orphan {box.project}-gone-1") for line in lines)
    assert "hunter" not in text
    assert box.run("plan", "--exit-code").returncode == 2
    value = json.loads(box.ok("plan", "--format", "json", "--remove-orphans"))
    assert value["summary"] == {"keep": 1, "recreate": 1, "remove": 1}
    assert "hunter" not in json.dumps(value)
    (api,) = [step for step in value["steps"] if step["service"] == "api"]
    assert {"path": "environment.LOG_LEVEL", "old": "info", "new": "debug"} in api["changes"]
    assert box.ok("ps", "-a", "-q") == before
    assert "mem_limit changed" in box.run("up", "-d").stderr
    assert box.ps()["db-1"]["ID"] in before


def test_a_dry_run_of_any_verb_changes_nothing(box: Box) -> None:
    _write(box, OLD)
    box.ok("up", "-d")
    before = box.ps()
    _write(box, NEW)
    for words in (
        ("up", "--dry-run"),
        ("up", "-d", "--dry-run", "--force-recreate", "--remove-orphans"),
        ("create", "--dry-run", "--force-recreate"),
        ("scale", "--dry-run", "db=3"),
        ("stop", "--dry-run"),
        ("--dry-run", "down", "-v", "--rmi", "all"),
        ("kill", "--dry-run"),
        ("restart", "--dry-run"),
        ("rm", "--dry-run", "-s", "-f"),
        ("pause", "--dry-run"),
        ("pull", "--dry-run"),
        ("exec", "--dry-run", "-T", "db", "touch", "/touched"),
        ("run", "--dry-run", "--rm", "-T", "db", "touch", "/touched"),
    ):
        box.ok(*words)
    after = box.ps()
    fields = ("ID", "State")
    assert {name: [one[key] for key in fields] for name, one in after.items()} == {
        name: [one[key] for key in fields] for name, one in before.items()
    }
    assert box.run("exec", "-T", "db", "test", "-e", "/touched").returncode == 1
    shown = box.run("--dry-run", "down").stderr
    assert f"DRY-RUN MODE -  Container {box.project}-db-1  Stopping" in shown


def test_what_up_would_refuse_the_plan_refuses(box: Box) -> None:
    box.write("services: {web: {image: $IMAGE, command: $SLEEP, ports: ['127.0.0.1:18941:80']}}")
    assert "cannot run 2 times" in box.fails("plan", "--scale", "web=2")
    assert "no such service: wbe" in box.fails("plan", "wbe")


@pytest.mark.parametrize(("policy", "due"), [("every_1s", True), ("every_9999w", False), ("weekly", None)])
def test_a_pull_policy_may_be_an_age(box: Box, policy: str, due: bool | None) -> None:
    box.write(f"services: {{web: {{image: $IMAGE, command: $SLEEP, pull_policy: {policy}}}}}")
    text = box.ok("plan")
    if due is not None:
        assert (f"pull policy is {policy}" in text) is due
