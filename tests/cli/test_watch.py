"""`watch`: what is saved here runs there, once for each save, on each engine."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.cli.conftest import Box

SYNC = """
    services:
      web:
        image: $IMAGE
        user: "1000:1000"
        command: $SLEEP
        develop:
          watch:
            - {path: ./src, action: sync, target: /srv, initial_sync: true, ignore: ["*.log", "deps/"]}
            - {path: ./conf, action: sync+restart, target: /srv/conf}
            - {path: ./hook, action: sync+exec, target: /tmp/hook, exec: {command: [sh, -c, "echo heard $$(cat /tmp/hook/h)"]}}
      other: {image: $IMAGE, command: $SLEEP}
    """
BUILT = """
    services:
      web: &service
        build: .
        image: sw-watch-shared:1
        command: $SLEEP
        develop: {watch: [{path: ./version, action: rebuild}]}
      worker: *service
      static: {image: $IMAGE, command: $SLEEP, develop: {watch: [{path: ./version, action: rebuild}]}}
    """


class Watching:
    """A `watch` that goes on, and what it has said so far."""

    def __init__(self, process: subprocess.Popen[bytes], said: Path) -> None:
        self.process, self._said = process, said

    @property
    def text(self) -> str:
        return self._said.read_text()

    def until(self, condition: Callable[[], object], what: str, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"waited for {what}:\n{self.text}"
            assert self.process.poll() is None, f"ended while {what} was waited for:\n{self.text}"
            time.sleep(0.02)

    def says(self, text: str) -> None:
        self.until(lambda: text in self.text, repr(text))


@contextlib.contextmanager
def watching(box: Box, *arguments: str, verb: str = "watch") -> Iterator[Watching]:
    said = box.folder / "said.txt"
    with said.open("wb") as out:
        process = subprocess.Popen(
            box.command(verb, *arguments),
            cwd=box.folder,
            env=box.environ,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    try:
        watch = Watching(process, said)
        watch.says("Watch enabled")
        yield watch
        process.send_signal(signal.SIGINT)
        assert process.wait(30) in (0, 130), watch.text
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def test_what_is_saved_is_copied_once_with_what_its_rule_asks_for(box: Box) -> None:
    box.write(SYNC)
    for name in ("src", "conf", "hook", "src/deps"):
        (box.folder / name).mkdir()
    (box.folder / "src/first").write_text("there before")

    def inside(command: str) -> str:
        return box.ok("exec", "-T", "web", "sh", "-c", command)

    with watching(box) as watch:
        assert "service other is not watched" not in watch.text
        assert inside("cat /srv/first; stat -c %u /srv/first") == "there before1000\n"
        # As editors save: a file beside it, then the other's name; and what nobody means.
        (box.folder / "src/.page.swp").write_text("x")
        (box.folder / "src/page.new~").write_text("one")
        (box.folder / "src/page.new~").replace(box.folder / "src/page")
        (box.folder / "src/noise.log").write_text("x")
        (box.folder / "src/deps/big").write_text("x")
        watch.says("web: copied page (")
        assert inside("cat /srv/page; ls /srv") == "onefirst\npage\n"
        (box.folder / "src/a/b").mkdir(parents=True)
        (box.folder / "src/a/b/c").write_text("deep")
        watch.until(lambda: "deep" in inside("cat /srv/a/b/c 2>/dev/null; true"), "a new folder's file")
        (box.folder / "src/page").unlink()
        watch.says("web: removed page (")
        assert "page" not in inside("ls /srv")
        (box.folder / "hook/h").write_text("this")
        watch.says("web-1: heard this")
        before = box.ok("ps", "-q", "web")
        (box.folder / "conf/c").write_text("new")
        watch.says("web: copied c, restarted (")
        assert box.ok("ps", "-q", "web") == before
        assert inside("cat /srv/conf/c") == "new"
        assert watch.text.count("copied page") == 1
        assert watch.text.count("restarted") == 1


def test_a_shared_image_is_built_once_and_a_broken_build_waits_for_the_next_change(box: Box) -> None:
    box.write(BUILT)
    dockerfile = box.folder / "Dockerfile"
    dockerfile.write_text("FROM stackwright-test/busybox:1\nCOPY version /version\n")
    (box.folder / "version").write_text("1")
    with watching(box) as watch:
        assert 'service static is not watched: it has no build section, so "' in watch.text
        built = watch.text.count("sw-watch-shared:1  Built")
        (box.folder / "version").write_text("2")
        watch.says("web, worker: rebuilt and replaced (")
        assert watch.text.count("sw-watch-shared:1  Built") == built + 1
        for service in ("web", "worker"):
            assert box.ok("exec", "-T", service, "cat", "/version") == "2"
        dockerfile.write_text("FROM stackwright-test/busybox:1\nRUN exit 9\n")
        (box.folder / "version").write_text("3")
        watch.says("waiting for the next change")
        dockerfile.write_text("FROM stackwright-test/busybox:1\nCOPY version /version\n")
        (box.folder / "version").write_text("4")
        watch.until(lambda: watch.text.count("rebuilt and replaced") == 2, "the next build")
        assert box.ok("exec", "-T", "worker", "cat", "/version") == "4"


def test_services_that_are_not_watched_are_told_why(box: Box) -> None:
    box.write(SYNC)
    text = box.fails("watch", "other")
    assert "service other is not watched: it has no build and no develop.watch section" in text
    assert "none of the selected services is watched" in text
    assert "develop.watch: [{path: ./src" in text
    text = box.fails("watch", "--no-up", "web")
    assert "src to watch" in text
    assert "compose.yaml:" in text


def test_up_with_watch_copies_too_and_no_up_starts_nothing(box: Box) -> None:
    box.write(SYNC)
    for name in ("src", "conf", "hook"):
        (box.folder / name).mkdir()
    with watching(box, "--no-up") as watch:
        assert box.ps() == {}
        (box.folder / "src/page").write_text("x")
        watch.says("service web does not run: page not copied")
    with watching(box, "--watch", "web", verb="up") as watch:
        (box.folder / "src/page").write_text("two")
        watch.says("web: copied page (")
        assert box.ok("exec", "-T", "web", "cat", "/srv/page") == "two"
    assert box.ps()["web-1"]["State"] == "exited"
