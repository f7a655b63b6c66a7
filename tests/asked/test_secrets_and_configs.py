"""Secrets and configs keep their owner and mode, whatever they are made from."""

from __future__ import annotations

import pytest
from tests.cli.conftest import Box

SOURCES = {
    "file": "file: ./text",
    "environment": "environment: SW_TEXT",
    "content": "content: hello",
}
TEXT = """
    services:
      web:
        image: $IMAGE
        command: $SLEEP
        user: "1000:1000"
        {kind}s:
          - {{source: plain}}
          - {{source: owned, target: {target}, uid: "1000", gid: "1001", mode: 0440}}
    {kind}s:
      plain: {{ {source} }}
      owned: {{ {source} }}
    """


@pytest.mark.parametrize(
    ("kind", "source"),
    [
        ("secret", "file"),
        ("secret", "environment"),
        ("config", "file"),
        ("config", "environment"),
        ("config", "content"),
    ],
)
def test_owner_and_mode_are_kept(box: Box, monkeypatch: pytest.MonkeyPatch, kind: str, source: str) -> None:
    monkeypatch.setenv("SW_TEXT", "hello")
    (box.folder / "text").write_text("hello")
    target = "/run/secrets/mine" if kind == "secret" else "/etc/mine"
    plain = "/run/secrets/plain" if kind == "secret" else "/plain"
    box.write(TEXT.format(kind=kind, source=SOURCES[source], target=target))
    box.ok("up", "-d")
    for _ in range(2):
        shown = box.ok("exec", "-T", "web", "stat", "-c", "%u %g %a", target)
        assert shown == "1000 1001 440\n"
        assert box.ok("exec", "-T", "web", "cat", target, plain) == "hellohello"
        box.ok("restart", "-t", "1")
