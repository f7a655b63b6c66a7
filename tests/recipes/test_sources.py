from __future__ import annotations

from pathlib import Path

import pytest

from stackwright.recipes.errors import ToolMissing
from stackwright.recipes.sources import carried_options, for_suite, read


@pytest.fixture
def etc_apt(tmp_path: Path) -> Path:
    (tmp_path / "sources.list.d").mkdir()
    return tmp_path


def _lines(etc_apt: Path, suite: str) -> list[str]:
    return [source.line() for source in for_suite(suite, etc_apt=etc_apt, environ={})]


def test_one_line_sources_are_carried_over(etc_apt: Path) -> None:
    (etc_apt / "sources.list").write_text(
        "# a comment\n"
        "deb [arch=amd64 trusted=yes] http://mirror.test/debian bookworm main contrib # why\n"
        "deb-src http://mirror.test/debian bookworm main\n"
        "deb http://mirror.test/security bookworm-security main\n"
        "deb http://elsewhere.test/tools stable-tools main\n"
    )
    assert _lines(etc_apt, "bookworm") == [
        "deb [trusted=yes] http://mirror.test/debian bookworm main",
        "deb http://mirror.test/security bookworm-security main",
    ]


def test_deb822_sources_are_carried_over(etc_apt: Path) -> None:
    (etc_apt / "sources.list.d" / "debian.sources").write_text(
        "# where from\nTypes: deb deb-src\nURIs: http://mirror.test/debian\n"
        "Suites: bookworm bookworm-updates\nComponents: main\nSigned-By: /usr/share/keyrings/x.gpg\n"
        "\n"
        "Types: deb\nURIs: http://mirror.test/security\nSuites: bookworm-security\nComponents: main\n"
        "\n"
        "Enabled: no\nTypes: deb\nURIs: http://other.test/debian\nSuites: trixie\nComponents: main\n"
    )
    assert _lines(etc_apt, "bookworm") == [
        "deb http://mirror.test/debian bookworm main",
        "deb http://mirror.test/debian bookworm-updates main",
        "deb http://mirror.test/security bookworm-security main",
    ]


def test_another_suite_comes_from_the_same_places(etc_apt: Path) -> None:
    (etc_apt / "sources.list").write_text(
        "deb http://mirror.test/debian bookworm main\n"
        "deb http://mirror.test/debian bookworm-updates main\n"
        "deb http://mirror.test/security bookworm-security main\n"
    )
    assert _lines(etc_apt, "trixie") == [
        "deb http://mirror.test/debian trixie main",
        "deb http://mirror.test/debian trixie-updates main",
        "deb http://mirror.test/security trixie-security main",
    ]
    assert _lines(etc_apt, "sid") == ["deb http://mirror.test/debian sid main"]


def test_the_suite_s_own_line_wins_over_a_derived_one(etc_apt: Path) -> None:
    (etc_apt / "sources.list").write_text(
        "deb http://old.test/debian bookworm main\ndeb http://new.test/debian trixie main\n"
    )
    assert _lines(etc_apt, "trixie") == ["deb http://new.test/debian trixie main"]


@pytest.mark.parametrize(
    "text",
    ["", "deb http://archive.test/ubuntu noble main\n", "deb [\n", "deb http://x.test bookworm contrib\n"],
)
def test_a_host_without_debian_sources_is_told_what_to_set(etc_apt: Path, text: str) -> None:
    (etc_apt / "sources.list").write_text(text)
    with pytest.raises(ToolMissing) as caught:
        _lines(etc_apt, "bookworm")
    assert "STACKWRIGHT_DEBIAN_MIRROR" in caught.value.hint
    given = {"STACKWRIGHT_DEBIAN_MIRROR": "http://mine.test/debian"}
    assert [source.line() for source in for_suite("bookworm", etc_apt=etc_apt, environ=given)] == [
        "deb http://mine.test/debian bookworm main"
    ]


def test_a_host_without_apt_has_no_sources(tmp_path: Path) -> None:
    assert list(read(tmp_path / "nowhere")) == []


def test_proxies_are_carried_over_and_the_rest_of_apt_conf_is_not() -> None:
    dump = (
        'APT "";\nAcquire::http::Proxy "http://proxy.test:3128";\nAcquire::https::Proxy "";\n'
        'Acquire::Check-Valid-Until "false";\nDPkg::Post-Invoke:: "rm -rf /";\n'
    )
    assert carried_options(dump) == [
        'Acquire::http::Proxy "http://proxy.test:3128"',
        'Acquire::Check-Valid-Until "false"',
    ]
