"""Where this host gets Debian packages from: its own apt settings, for the images we make.

No package host is ever written down in this project: what `/etc/apt` says is carried over. Reads
one-line files (`sources.list`, `*.list`) and deb822 files (`*.sources`); see sources.list(5).
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .errors import ToolMissing

MIRROR_VARIABLE = "STACKWRIGHT_DEBIAN_MIRROR"
SUITES = ("bullseye", "bookworm", "trixie", "forky", "sid")
_POCKETS = ("", "-updates", "-security")
_ONE_LINE = re.compile(r"^\s*deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)(?P<rest>.*)$")
# What decides whether packages can be fetched and trusted at all; the rest of apt.conf is the host's affair.
_CARRIED = ("Acquire::http::Proxy", "Acquire::https::Proxy", "Acquire::Check-Valid-Until",
            "Acquire::Check-Date")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Source:
    """One line of a sources.list: packages of one suite from one place."""

    uri: str
    suite: str
    components: tuple[str, ...] = ("main",)
    options: Mapping[str, str] = field(default_factory=dict)

    def line(self) -> str:
        options = " ".join(f"{key}={value}" for key, value in self.options.items())
        return " ".join(
            ["deb", *([f"[{options}]"] if options else []), self.uri, self.suite, *self.components]
        )


def for_suite(
    suite: str, *, etc_apt: Path = Path("/etc/apt"), environ: Mapping[str, str] = os.environ
) -> list[Source]:
    """The lines for a Debian suite (`bookworm`), from this host's settings for any Debian suite.

    `STACKWRIGHT_DEBIAN_MIRROR` goes before them. Raises `ToolMissing` on a host that knows no
    place for Debian packages.
    """
    mirror = environ.get(MIRROR_VARIABLE)
    if mirror:
        return [Source(mirror, suite)]
    found: dict[str, Source] = {}
    for source in read(etc_apt):
        family, pocket = _split(source.suite)
        if family is None or "main" not in source.components:
            continue
        if suite == "sid" and pocket:
            continue
        wanted = Source(source.uri, suite + pocket, ("main",), source.options)
        # The suite that the host itself names wins over one derived from another suite's line.
        if wanted.suite not in found or family == suite:
            found.setdefault(wanted.suite, wanted)
            if family == suite:
                found[wanted.suite] = wanted
    if suite not in found:
        raise ToolMissing(
            "This host's apt settings name no Debian package archive to make images from.",
            hint=f"Set {MIRROR_VARIABLE} to the address of a Debian mirror.",
        )
    return [found[suite + pocket] for pocket in _POCKETS if suite + pocket in found]


def read(etc_apt: Path) -> Iterator[Source]:
    """Every enabled `deb` source of a host, in the order in which apt reads them."""
    files = [etc_apt / "sources.list", *sorted((etc_apt / "sources.list.d").glob("*"))]
    for path in files:
        if not path.is_file():
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        if path.suffix == ".list":
            yield from _one_line(text)
        elif path.suffix == ".sources":
            yield from _deb822(text)


def carried_options(dump: str | None = None) -> list[str]:
    """`-o`-like apt settings (`Acquire::http::Proxy "..."`) of this host that packages cannot be had without."""
    if dump is None:
        try:
            dump = subprocess.run(
                ["apt-config", "dump"], capture_output=True, text=True, check=True, timeout=30
            ).stdout
        except (OSError, subprocess.SubprocessError):
            return []
    kept = []
    for line in dump.splitlines():
        key, _, value = line.rstrip(";").partition(" ")
        if key in _CARRIED and value not in ("", '""'):
            kept.append(f"{key} {value}")
    return kept


def _split(suite: str) -> tuple[str | None, str]:
    for family in (*SUITES, "stable", "oldstable", "testing", "unstable"):
        if suite == family:
            return family, ""
        if suite.startswith(f"{family}-") and suite.removeprefix(family) in _POCKETS:
            return family, suite.removeprefix(family)
    return None, ""


def _one_line(text: str) -> Iterator[Source]:
    for line in text.splitlines():
        matched = _ONE_LINE.match(line.partition("#")[0])
        if matched:
            options = dict(part.split("=", 1) for part in (matched["options"] or "").split() if "=" in part)
            yield Source(
                matched["uri"], matched["suite"], tuple(matched["rest"].split()), _kept(options.items())
            )


def _deb822(text: str) -> Iterator[Source]:
    for paragraph in re.split(r"\n\s*\n", text):
        fields: dict[str, str] = {}
        key = ""
        for line in paragraph.splitlines():
            if line.startswith("#"):
                continue
            if line[:1].isspace() and key:
                fields[key] += f" {line.strip()}"
            elif ":" in line:
                key, _, value = line.partition(":")
                key = key.strip().lower()
                fields[key] = value.strip()
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() == "no":
            continue
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                yield Source(uri, suite, tuple(fields.get("components", "").split()), _kept(fields.items()))


def _kept(options: Iterable[tuple[str, str]]) -> dict[str, str]:
    """`trusted` and `check-valid-until` only: a key's path on this host means nothing in an image."""
    return {key: value for key, value in options if key in ("trusted", "check-valid-until")}
