"""`cp`, `export` and `commit`: files and file systems in and out of containers, as `docker cp` does it."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile

from tests.cli.conftest import Box

FILES = "mkdir -p /d/sub; echo f >/d/f; echo x >/d/sub/x; ln -s f /d/l; chmod 640 /d/f; chown 1000 /d/f"
COMPOSE = f"""
    services:
      web:
        image: $IMAGE
        scale: 2
        command: [sh, -c, "{FILES}; touch /ready; trap 'exit 0' TERM; sleep 1000 & wait"]
        healthcheck: {{test: [CMD, test, -e, /ready], interval: 1s}}
    """


def _up(box: Box) -> None:
    box.write(COMPOSE)
    box.ok("up", "-d", "--wait")


def _inside(box: Box, command: str, index: int = 1) -> str:
    return box.ok("exec", "-T", "--index", str(index), "web", "sh", "-c", command)


def test_folders_and_files_come_out_under_the_names_that_docker_cp_gives(box: Box) -> None:
    _up(box)
    here = box.folder / "here"
    here.mkdir()
    box.ok("cp", "web:/d", "here")  # into a folder that is there: under its name
    box.ok("cp", "web:/d", "here/new")  # to a name that is not there: under that
    box.ok("cp", "web:/d/.", "here/content")  # what is in it
    box.ok("cp", "--index", "2", "web:/d/f", "here/g")
    box.ok("cp", "web:/d/l", "here/link")
    box.ok("cp", "-L", "web:/d/l", "here/followed")
    for name in ("d", "new", "content"):
        assert (here / name / "sub/x").read_text() == "x\n"
        assert str((here / name / "l").readlink()) == "f"
        assert (here / name / "f").stat().st_mode & 0o777 == 0o640
    assert (here / "g").read_text() == "f\n"
    assert (here / "link").is_symlink() or box.engine == "podman"  # which follows it
    assert (here / "followed").read_text() == "f\n"
    assert (here / "g").stat().st_uid == os.getuid()
    box.ok("cp", "-a", "web:/d/f", "here/owned")
    assert (here / "owned").stat().st_uid == 1000
    assert "cannot be copied over the file" in box.fails("cp", "web:/d", "here/g")
    assert "has no file /nothing" in box.fails("cp", "web:/nothing", "here")
    assert "here/not is no folder" in box.fails("cp", "web:/d/f", "here/not/there")


def test_files_go_into_every_replica_or_into_one(box: Box) -> None:
    _up(box)
    (box.folder / "src/deep").mkdir(parents=True)
    (box.folder / "src/deep/a").write_text("a")
    (box.folder / "page").write_text("p")
    box.ok("cp", "src", "web:/tmp")
    box.ok("cp", "src/.", "web:/tmp/content")
    box.ok("cp", "--index", "2", "page", "web:/tmp/renamed")
    assert _inside(box, "cd /tmp; find . -type f | sort") == "./content/deep/a\n./src/deep/a\n"
    assert _inside(box, "cat /tmp/renamed", 2) == "p"
    assert "has no folder /tmp/not/" in box.fails("cp", "page", "web:/tmp/not/")
    assert "there is no nothing" in box.fails("cp", "nothing", "web:/tmp")
    assert "copying between services" in box.fails("cp", "web:/d", "web:/e")
    assert "unknown copy direction" in box.fails("cp", "here", "there")


def test_archives_go_through_standard_input_and_output(box: Box) -> None:
    _up(box)
    raw = subprocess.run(
        box.command("cp", "web:/d", "-"), cwd=box.folder, env=box.environ, capture_output=True, check=True
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        assert sorted(tar.getnames()) == ["d", "d/f", "d/l", "d/sub", "d/sub/x"]
    for target, code in (("web:/tmp", 0), ("web:/d/f", 1)):
        done = subprocess.run(
            box.command("cp", "-", target), cwd=box.folder, env=box.environ, input=raw, capture_output=True
        )
        assert done.returncode == code, done.stderr
    for index in (1, 2):
        assert _inside(box, "cat /tmp/d/sub/x", index) == "x\n"


def test_export_and_commit_take_the_whole_file_system(box: Box) -> None:
    _up(box)
    box.ok("export", "-o", "all.tar", "web")
    with tarfile.open(box.folder / "all.tar") as tar:
        names = {name.removeprefix("./") for name in tar.getnames()}
    assert {"d/f", "d/sub/x", "bin/busybox"} <= names
    assert not (box.folder / "all.tar.part").exists()
    box.ok("commit", "--index", "2", "-m", "why", "-a", "Ada", "-c", "CMD cat /d/sub/x", "web", "sw-commit:1")
    box.write("services: {made: {image: 'sw-commit:1'}}", "made.yaml")
    assert box.ok("-f", "made.yaml", "run", "--rm", "-T", "made") == "x\n"
    assert "no such service: nobody" in box.fails("commit", "nobody", "x")


def test_a_dry_run_copies_and_commits_nothing(box: Box) -> None:
    _up(box)
    (box.folder / "page").write_text("p")
    box.ok("--dry-run", "cp", "web:/d", "out")
    box.ok("cp", "--dry-run", "page", "web:/tmp/page")
    box.ok("export", "--dry-run", "-o", "all.tar", "web")
    assert not (box.folder / "out").exists()
    assert not (box.folder / "all.tar").exists()
    assert _inside(box, "ls /tmp") == ""
