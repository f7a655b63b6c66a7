"""`up`: order, convergence, scale, waiting."""

from __future__ import annotations

from tests.cli.conftest import Box, everywhere

CHAIN = """
    services:
      db:
        image: $IMAGE
        command: ["sh", "-c", "trap 'exit 0' TERM; sleep 0.3; touch /tmp/ok; sleep 1000 & wait"]
        healthcheck: {test: ["CMD-SHELL", "test -f /tmp/ok"], interval: 30s}
      web:
        image: $IMAGE
        command: $SLEEP
        depends_on: {db: {condition: service_healthy}}
    """


@everywhere
def test_a_dependent_starts_when_its_dependency_is_healthy_not_an_interval_later(box: Box) -> None:
    box.write(CHAIN)
    result = box.run("up", "-d", "--wait", timeout=20)
    assert result.returncode == 0, result.stderr
    lines = [line.strip() for line in result.stderr.splitlines()]
    healthy = lines.index(f"Container {box.project}-db-1  Healthy")
    assert healthy < lines.index(f"Container {box.project}-web-1  Starting")
    assert "Critical path:" in result.stderr
    assert {name: value["State"] for name, value in box.ps().items()} == {
        "db-1": "running",
        "web-1": "running",
    }


def test_a_second_up_changes_nothing(box: Box) -> None:
    box.write(CHAIN)
    box.ok("up", "-d")
    before = {name: value["ID"] for name, value in box.ps().items()}
    box.ok("up", "-d")
    assert {name: value["ID"] for name, value in box.ps().items()} == before


def test_only_what_changed_is_replaced(box: Box) -> None:
    box.write(CHAIN)
    box.ok("up", "-d")
    before = {name: value["ID"] for name, value in box.ps().items()}
    box.write(CHAIN.replace("depends_on", "environment: {A: '1'}\n        depends_on"))
    assert "recreate" in box.ok("up", "--dry-run")
    assert {name: value["ID"] for name, value in box.ps().items()} == before
    box.ok("up", "-d")
    after = {name: value["ID"] for name, value in box.ps().items()}
    assert after["db-1"] == before["db-1"]
    assert after["web-1"] != before["web-1"]
    assert set(after) == {"db-1", "web-1"}


def test_scaling_up_and_down_again(box: Box) -> None:
    box.write("services: {web: {image: $IMAGE, command: $SLEEP}}")
    box.ok("up", "-d", "--scale", "web=3")
    assert set(box.ps()) == {"web-1", "web-2", "web-3"}
    box.ok("up", "-d")
    assert set(box.ps()) == {"web-1"}


def test_anonymous_volumes_survive_a_replacement(box: Box) -> None:
    text = "services: {web: {image: $IMAGE, command: $SLEEP, volumes: [/data], environment: {A: '%s'}}}"
    box.write(text % 1)
    box.ok("up", "-d")
    box.ok("exec", "-T", "web", "sh", "-c", "echo kept > /data/file")
    box.write(text % 2)
    box.ok("up", "-d")
    assert box.ok("exec", "-T", "web", "cat", "/data/file") == "kept\n"


def test_a_one_shot_that_completed_opens_the_way_and_is_not_run_again(box: Box) -> None:
    box.write(
        """
        services:
          job: {image: $IMAGE, command: [echo, done]}
          web:
            image: $IMAGE
            command: $SLEEP
            depends_on: {job: {condition: service_completed_successfully}}
        """
    )
    box.ok("up", "-d", "--wait")
    box.ok("up", "-d", "--wait")
    assert box.ok("logs", "--no-log-prefix", "job") == "done\n"


def test_orphans_are_named_and_removed_when_asked_for(box: Box) -> None:
    box.write("services: {old: {image: $IMAGE, command: $SLEEP}, web: {image: $IMAGE, command: $SLEEP}}")
    box.ok("up", "-d")
    box.write("services: {web: {image: $IMAGE, command: $SLEEP}}")
    result = box.run("up", "-d")
    assert f"orphan containers ({box.project}-old-1)" in result.stderr
    assert "old-1" in box.ps()
    box.ok("up", "-d", "--remove-orphans")
    assert set(box.ps()) == {"web-1"}


def test_secrets_and_configs_arrive_with_owner_and_mode(box: Box) -> None:
    (box.folder / "token.txt").write_text("s3cret")
    box.write(
        """
        services:
          web:
            image: $IMAGE
            command: $SLEEP
            secrets: [plain, {source: inline, target: owned, uid: "1000", gid: "1000", mode: 0400}]
            configs: [{source: conf, target: /etc/app.conf}]
        secrets:
          plain: {file: ./token.txt}
          inline: {environment: SW_TEST_TOKEN}
        configs:
          conf: {content: "a=1"}
        """
    )
    (box.folder / ".env").write_text("SW_TEST_TOKEN=fromenv\n")
    box.ok("up", "-d")
    assert box.ok(
        "exec", "-T", "web", "cat", "/run/secrets/plain", "/run/secrets/owned", "/etc/app.conf"
    ) == ("s3cretfromenva=1")
    assert box.ok("exec", "-T", "web", "stat", "-c", "%u %g %a", "/run/secrets/owned") == "1000 1000 400\n"


def test_services_find_each_other_by_name_and_share_a_network_namespace(box: Box) -> None:
    box.write(
        """
        services:
          web: {image: $IMAGE, command: [httpd, -f, -p, "8000", -h, /etc]}
          side: {image: $IMAGE, command: $SLEEP, network_mode: "service:web"}
          other: {image: $IMAGE, command: $SLEEP}
        """
    )
    box.ok("up", "-d")
    assert "root" in box.ok("exec", "-T", "other", "wget", "-qO-", "http://web:8000/passwd")
    assert "root" in box.ok("exec", "-T", "side", "wget", "-qO-", "http://127.0.0.1:8000/passwd")


def test_hooks_run_after_the_start_and_before_the_stop(box: Box) -> None:
    box.write(
        """
        services:
          web:
            image: $IMAGE
            command: $SLEEP
            volumes: [./out:/out]
            post_start: [{command: [sh, -c, "echo started > /out/hook"]}]
            pre_stop: [{command: [sh, -c, "echo stopping >> /out/hook"]}]
        """
    )
    box.ok("up", "-d")
    box.ok("stop")
    assert (box.folder / "out/hook").read_text() == "started\nstopping\n"
