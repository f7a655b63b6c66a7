"""`logs -f` goes on when containers restart, are replaced, or more of them come."""

from __future__ import annotations

from tests.cli.conftest import Box, read_until

TEXT = """
    services:
      web:
        image: $IMAGE
        command: ["sh", "-c", "trap 'exit 0' TERM; echo hello $$HOSTNAME from $$A; sleep 1000 & wait"]
        environment: {A: "%s"}
        scale: %d
    """


def test_output_goes_on_across_restarts_replacements_and_scaling(box: Box) -> None:
    box.write(TEXT % ("first", 1))
    box.ok("up", "-d")
    follower = box.start("logs", "-f", "--no-color")
    try:
        read_until(follower, "from first")
        box.ok("restart", "-t", "1", "web")
        read_until(follower, "from first")
        box.write(TEXT % ("second", 1))
        box.ok("up", "-d", "-t", "1")
        read_until(follower, "from second")
        box.ok("up", "-d", "--scale", "web=2")
        assert "web-2" in read_until(follower, "from second")
        box.ok("stop", "-t", "1")
        box.ok("start")
        read_until(follower, "from second")
    finally:
        follower.kill()
        follower.communicate()
