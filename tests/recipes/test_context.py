from __future__ import annotations

import dataclasses
import io
import tarfile
from pathlib import Path

import pytest

from stackwright.recipes import Recipe, context


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    script = tmp_path / "run.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    return Recipe("x", "x:1", "a test", "dockerfile", tmp_path, None, args={"A": "1"})


def test_a_context_is_the_same_bytes_wherever_and_whenever_it_is_packed(recipe: Recipe) -> None:
    first = context.pack(recipe, {"host-ca.crt": b""})
    (recipe.directory / "Dockerfile").touch()
    assert context.pack(recipe, {"host-ca.crt": b""}) == first
    with tarfile.open(fileobj=io.BytesIO(first)) as tar:
        members = {member.name: member for member in tar}
    assert set(members) == {"Dockerfile", "run.sh", "host-ca.crt"}
    assert members["run.sh"].mode == 0o755
    assert members["Dockerfile"].mode == 0o644
    assert {(member.uid, member.gid, member.mtime) for member in members.values()} == {(0, 0, 0)}


def test_the_digest_follows_files_modes_arguments_and_what_is_below(recipe: Recipe) -> None:
    digests = [context.digest(recipe, {})]
    digests.append(context.digest(recipe, {"debian:x": "1"}))
    digests.append(context.digest(dataclasses.replace(recipe, args={"A": "2"}), {}))
    (recipe.directory / "run.sh").chmod(0o644)
    digests.append(context.digest(recipe, {}))
    (recipe.directory / "Dockerfile").write_text("FROM debian\n")
    digests.append(context.digest(recipe, {}))
    assert len(set(digests)) == len(digests)


def test_the_host_s_authorities_come_from_the_variables_that_tools_know(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.crt"
    bundle.write_bytes(b"certificates")
    assert context.host_ca({"PIP_CERT": str(bundle)}) == b"certificates"
    gone = {"SSL_CERT_FILE": str(tmp_path / "gone"), "PIP_CERT": str(bundle)}
    assert context.host_ca(gone) == b"certificates"
    assert context.host_ca({}) == b""
