"""Secrets and configs keep their owner and mode, whatever they are made from."""

from __future__ import annotations

import pytest
from tests.cli.conftest import Box

TEXT = """
    services:
      web:
        image: $IMAGE
        command: $SLEEP
        user: "1000:1000"
        secrets:
          - from_file
          - {source: from_file, target: /run/secrets/a, uid: "1000", gid: "1001", mode: 0440}
          - {source: from_variable, target: b, uid: "1000", gid: "1001", mode: 0440}
        configs:
          - from_file
          - {source: from_file, target: /etc/c, uid: "1000", gid: "1001", mode: 0440}
          - {source: from_variable, target: /etc/d, uid: "1000", gid: "1001", mode: 0440}
          - {source: from_text, target: /etc/e, uid: "1000", gid: "1001", mode: 0440}
    secrets:
      from_file: {file: ./text}
      from_variable: {environment: SW_TEXT}
    configs:
      from_file: {file: ./text}
      from_variable: {environment: SW_TEXT}
      from_text: {content: hello}
    """
OWNED = ("/run/secrets/a", "/run/secrets/b", "/etc/c", "/etc/d", "/etc/e")


def test_owner_and_mode_are_kept_for_every_source(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SW_TEXT", "hello")
    (box.folder / "text").write_text("hello")
    box.write(TEXT)
    box.ok("up", "-d")
    for _ in range(2):
        assert box.ok("exec", "-T", "web", "stat", "-c", "%u %g %a", *OWNED) == "1000 1001 440\n" * 5
        every = (*OWNED, "/run/secrets/from_file", "/from_file")
        assert box.ok("exec", "-T", "web", "cat", *every) == "hello" * 7
        box.ok("restart", "-t", "1")
