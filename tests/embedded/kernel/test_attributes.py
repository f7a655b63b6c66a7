"""What the file system is told about folders."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from stackwright.embedded.kernel.attributes import has_unrelated_folders


def attributes(folder: Path) -> str:
    done = subprocess.run(["lsattr", "-d", folder], capture_output=True, text=True)
    return done.stdout.split()[0] if done.returncode == 0 else ""


def test_folders_are_spread_over_the_disk(tmp_path: Path) -> None:
    file_system = subprocess.run(
        ["stat", "-f", "-c", "%T", tmp_path], capture_output=True, text=True
    ).stdout.strip()
    if file_system != "ext2/ext3":
        pytest.skip(f"{file_system} has no such attribute")
    before = attributes(tmp_path)
    has_unrelated_folders(tmp_path)
    has_unrelated_folders(tmp_path)
    after = attributes(tmp_path)
    assert "T" in after, "said"
    assert after.replace("T", "-") == before.replace("T", "-"), "and nothing else"


def test_a_file_system_without_the_attribute_is_used_as_it_is() -> None:
    has_unrelated_folders(Path("/proc/self"))
