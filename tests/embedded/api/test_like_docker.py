"""What clients of Docker 28 type, compared on Docker Engine: requests that are refused, paths of `cp`, columns of `top`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.embedded.engine_process import EngineClient
from tests.peers import IMAGE

pytestmark = [pytest.mark.root, pytest.mark.as_user, pytest.mark.usefixtures("docker_cli")]


@pytest.fixture(scope="module")
def sleeping(engine: EngineClient) -> Iterator[str]:
    """A container that does nothing for long."""
    engine.docker("run", "-d", "--name", "sleeping", "-v", "held:/held", IMAGE, "sleep", "1000")
    yield "sleeping"
    engine.docker("rm", "-f", "sleeping")
    engine.docker("volume", "rm", "-f", "held")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--ipc", "bad"), "invalid ipc mode: bad"),
        (("--isolation", "hyperv"), "linux only supports 'default'"),
        (("--runtime", "nope"), "runtime"),
        (("--storage-opt", "size=1G"), "supported only for overlay over xfs"),
        (("--oom-score-adj", "3000"), "range for oom score adj is [-1000, 1000]"),
        (("--cpuset-cpus", "999"), "requested cpus are not available - requested 999"),
        (("-w", "relative"), "the working directory 'relative' is invalid"),
        (("--volumes-from", "nope"), "no such container: nope"),
        (("--mount", "type=volume,dst=/x,readonly"), "must not set readonly mode when using anonymous volumes"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)  # fmt: skip
def test_a_wish_that_cannot_be_carried_out_is_refused(
    engine: EngineClient, options: tuple[str, ...], said: str
) -> None:
    refused = engine.docker("run", "--rm", *options, IMAGE, "true", check=False)
    assert refused.returncode != 0
    assert said in refused.stderr.lower() or said in refused.stderr
    assert "Unable to find image" not in refused.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("-m", "4m"), "Minimum memory limit allowed is 6MB"),
        (("--cpus", "999"), "ange of CPUs is from 0.01 to"),
        (("--restart", "bad"), "invalid restart policy"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_an_update_is_judged_like_a_creation(
    engine: EngineClient, sleeping: str, options: tuple[str, ...], said: str
) -> None:
    before = json.loads(engine.docker("inspect", sleeping).stdout)[0]["HostConfig"]
    refused = engine.docker("update", *options, sleeping, check=False)
    assert refused.returncode != 0 and said in refused.stderr
    assert json.loads(engine.docker("inspect", sleeping).stdout)[0]["HostConfig"] == before


def test_an_unknown_signal_is_said_to_be_one_whatever_the_container_does(engine: EngineClient) -> None:
    made = engine.docker("create", IMAGE, "true").stdout.strip()
    assert "invalid signal: bad" in engine.docker("kill", "-s", "BAD", made, check=False).stderr.lower()
    engine.docker("rm", made)


@pytest.mark.parametrize("user", ["", "user", "1000", "user:root"])
def test_the_primary_group_is_among_the_groups(engine: EngineClient, user: str) -> None:
    script = "id -g; grep Groups: /proc/self/status"
    said = engine.docker("run", "--rm", "-u", user, "--group-add", "44", IMAGE, "sh", "-c", script).stdout
    primary, *groups = said.replace("Groups:", "").split()
    assert {primary, "44"} <= set(groups)


def test_a_slash_behind_a_file_names_no_folder(engine: EngineClient, sleeping: str, tmp_path: Path) -> None:
    (tmp_path / "new").write_text("overwritten")
    passwd = engine.docker("exec", sleeping, "cat", "/etc/passwd").stdout
    for words in (
        (str(tmp_path / "new"), f"{sleeping}:/etc/passwd/"),
        (f"{sleeping}:/etc/passwd/", str(tmp_path)),
    ):
        assert engine.docker("cp", *words, check=False).returncode != 0
    assert engine.docker("exec", sleeping, "cat", "/etc/passwd").stdout == passwd
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


@pytest.mark.parametrize("path", ["/etc/.", "etc/.", "/etc/", "/etc"])
def test_a_folder_is_copied_by_any_of_its_names(
    engine: EngineClient, sleeping: str, tmp_path: Path, path: str
) -> None:
    engine.docker("cp", f"{sleeping}:{path}", str(tmp_path / "out"))
    assert "root:x:0:0" in (tmp_path / "out" / "passwd").read_text()


@pytest.mark.parametrize("path", [".", "/.", "/"])
def test_the_whole_root_can_be_copied(engine: EngineClient, tmp_path: Path, path: str) -> None:
    made = engine.docker("create", IMAGE, "true").stdout.strip()
    engine.docker("cp", f"{made}:{path}", str(tmp_path / "out"))
    assert (tmp_path / "out" / "bin" / "busybox").stat().st_size > 100_000
    engine.docker("rm", made)


def test_top_has_the_columns_asked_for(engine: EngineClient, sleeping: str) -> None:
    def titles(*arguments: str) -> list[str]:
        return engine.docker("top", sleeping, *arguments).stdout.splitlines()[0].split()

    assert titles() == ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]
    assert (
        titles("-eo", "pid,comm")
        == titles("-o", "pid,comm")
        == titles("-opid", "-ocomm")
        == ["PID", "COMMAND"]
    )
    assert titles("-eo", "pid,rss,vsz,pcpu,pmem") == ["PID", "RSS", "VSZ", "%CPU", "%MEM"]
    assert titles("aux") == [
        "USER",
        "PID",
        "%CPU",
        "%MEM",
        "VSZ",
        "RSS",
        "TTY",
        "STAT",
        "START",
        "TIME",
        "COMMAND",
    ]
    row = engine.docker("top", sleeping, "-o", "pid,rss,vsz,comm").stdout.splitlines()[1].split()
    assert 0 < int(row[1]) <= int(row[2]) and row[3] == "sleep"


def told(engine: EngineClient, since: float, *kinds: str) -> list[str]:
    """Kind and action of the events since then, in order, but for those of the clients' probes."""
    time.sleep(0.2)
    query = f"since={since:.9f}&until={time.time():.9f}&filters={json.dumps({'type': list(kinds)}).replace(' ', '')}"
    lines = engine.exchange("GET", f"/events?{query}")[2].splitlines()
    return [f"{one['Type']} {one['Action']}" for one in map(json.loads, lines)]


def test_the_events_of_volumes_in_a_containers_life(engine: EngineClient) -> None:
    since = time.time()
    engine.docker("create", "--name", "life", "-v", "lived:/d", "-v", "/anonymous", IMAGE, "true")
    engine.docker("start", "-a", "life")
    engine.docker("rm", "-v", "life")
    engine.docker("volume", "rm", "lived")
    events = told(engine, since, "volume")
    # Docker tells a volume's creation again where it is found to be there.
    assert events.count("volume create") in (2, 3)
    assert [one for one in events if one != "volume create"] == [
        "volume mount", "volume mount", "volume unmount", "volume unmount", "volume destroy", "volume destroy"
    ]  # fmt: skip


def test_the_events_of_a_restart_and_of_top(engine: EngineClient) -> None:
    engine.docker(
        "run", "-d", "--name", "again", IMAGE, "sh", "-c", "trap 'exit 4' TERM; while :; do sleep 0.05; done"
    )
    since = time.time()
    engine.docker("top", "again")
    engine.docker("restart", "again")
    actions = told(engine, since, "container")
    engine.docker("rm", "-f", "again")
    assert [one.split()[1] for one in actions] == ["top", "kill", "die", "stop", "start", "restart"]


def test_the_events_of_an_images_life(engine: EngineClient) -> None:
    made = engine.docker("create", IMAGE, "true").stdout.strip()
    since = time.time()
    engine.docker("commit", made, "lived:1")
    engine.docker("tag", "lived:1", "lived:2")
    image = engine.docker("inspect", "-f", "{{.Id}}", "lived:1").stdout.strip()
    engine.docker("rmi", "lived:2", "lived:1")
    time.sleep(0.2)
    query = f"since={since:.9f}&until={time.time():.9f}&filters=" + json.dumps({"type": ["image"]}).replace(
        " ", ""
    )
    events = [json.loads(line) for line in engine.exchange("GET", f"/events?{query}")[2].splitlines()]
    shown = [(one["Action"], one["Actor"]["Attributes"]["name"]) for one in events]
    assert shown == [
        ("tag", "lived:1"),
        ("tag", "lived:2"),
        ("untag", image),
        ("untag", image),
        ("delete", image),
    ]
    assert {one["Actor"]["ID"] for one in events} == {image}
    engine.docker("rm", made)


@pytest.mark.parametrize("kind", ["container", "network", "volume", "image"])
def test_a_prune_is_told_with_what_it_gave_back(engine: EngineClient, kind: str) -> None:
    since = time.time()
    engine.docker(kind, "prune", "-f")
    assert f"{kind} prune" in told(engine, since, kind)


def test_programs_can_tell_that_they_are_in_a_container(engine: EngineClient) -> None:
    """By the file that Docker puts there, which is no change of the container's."""
    engine.docker("run", "--name", "marked", IMAGE, "sh", "-c", "test -f /.dockerenv && touch /own")
    assert engine.docker("inspect", "-f", "{{.State.ExitCode}}", "marked").stdout == "0\n"
    assert engine.docker("diff", "marked").stdout == "A /own\n"
    engine.docker("rm", "marked")
