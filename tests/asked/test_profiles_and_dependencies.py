"""A dependency that no active profile enables is said, with the profile that would."""

from __future__ import annotations

from tests.cli.conftest import Box

TEXT = """
    services:
      web: {image: $IMAGE, command: $SLEEP, depends_on: %s}
      db: {image: $IMAGE, command: $SLEEP, profiles: [data, dev]}
    """


def test_the_message_names_the_profiles(box: Box) -> None:
    box.write(TEXT % "[db]")
    for verb in (["up", "-d"], ["create"], ["config", "-q"]):
        text = box.fails(*verb)
        assert 'service "web" depends on service "db", which no active profile enables' in text
        assert "activate one of its profiles (data, dev), or set required: false" in text
        assert "compose.yaml:" in text
    assert box.run("-p", box.project, "ps", "-a", "-q").stdout == ""


def test_with_the_profile_or_not_required_it_works(box: Box) -> None:
    box.write(TEXT % "[db]")
    box.ok("--profile", "data", "up", "-d")
    assert set(box.ps()) == {"web-1", "db-1"}
    box.ok("--profile", "data", "down")
    box.write(TEXT % "{db: {condition: service_started, required: false}}")
    box.ok("up", "-d")
    assert set(box.ps()) == {"web-1"}


def test_a_service_named_on_the_command_line_brings_its_profile(box: Box) -> None:
    box.write(TEXT % "{db: {condition: service_started, required: false}}")
    box.ok("up", "-d", "db")
    assert set(box.ps()) == {"db-1"}
    assert "no such service: wen" in box.fails("up", "-d", "wen")
