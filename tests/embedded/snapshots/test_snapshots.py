"""`POST /containers/{id}/snapshot` and what is created from it, as root and as an ordinary user."""

from __future__ import annotations

import io
import json
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.embedded.conftest import started, users_engine
from tests.embedded.engine_process import EngineProcess
from tests.peers import IMAGE

pytestmark = [pytest.mark.root, pytest.mark.as_user]


@pytest.fixture(scope="module", params=["embedded", "user"])
def engine(request: pytest.FixtureRequest) -> Iterator[EngineProcess]:
    """Docker has nothing of the kind."""
    if request.param == "user":
        yield from users_engine(request)
        return
    yield from started(EngineProcess())


@pytest.fixture(autouse=True)
def tidy(engine: EngineProcess) -> Iterator[None]:
    yield
    for one in engine.request("GET", "/containers/json?all=1")[1]:
        engine.request("DELETE", f"/containers/{one['Id']}?force=1&v=1")
    for one in engine.request("GET", "/snapshots")[1]:
        engine.request("DELETE", f"/snapshots/{one['Id']}")
    engine.request("POST", '/volumes/prune?filters={"all":["true"]}')
    frozen = [path for path in (engine.state_dir / "frozen").iterdir() if path.name != ".trash"]
    assert frozen == [], "frozen folders that nobody needs are left"
    assert mounts_below(engine.state_dir) == []


def mounts_below(folder: Path) -> list[str]:
    places = (line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines())
    return [place for place in places if place.startswith(str(folder))]


def ask(
    engine: EngineProcess,
    method: str,
    path: str,
    body: Any = None,
    *,
    raw: bytes | None = None,
    status: int | None = None,
) -> Any:
    """The answer; fails when the status is another (2xx unless said)."""
    code, answer = engine.request(method, path, body, raw=raw)
    assert code == status if status else code < 300, (method, path, code, answer)
    return answer


def run(engine: EngineProcess, name: str, script: str, *options: str) -> None:
    """A container that did something and ended."""
    engine.docker("run", "--name", name, *options, IMAGE, "sh", "-c", script)


def freeze(engine: EngineProcess, container: str, name: str = "") -> dict[str, Any]:
    found: dict[str, Any] = ask(engine, "POST", f"/containers/{container}/snapshot?name={name}")
    return found


def copy(engine: EngineProcess, snapshot: str, name: str, body: Any = None) -> str:
    made = ask(engine, "POST", f"/containers/create?snapshot={snapshot}&name={name}", body or {})
    return str(made["Id"])


def output(engine: EngineProcess, container: str) -> str:
    """What a container prints from start to end."""
    return engine.docker("start", "-a", container).stdout


def shows(script: str) -> dict[str, Any]:
    return {"Cmd": ["sh", "-c", script]}


def test_a_copy_has_the_files_of_a_stopped_container(engine: EngineProcess) -> None:
    run(engine, "a1", "echo one > /srv/file; rm /etc/group; mkdir /srv/dir; chown 1000:1000 /srv/dir")
    snapshot = freeze(engine, "a1", "first")
    assert snapshot["CopiedBytes"] == 0
    assert snapshot["Source"]["Name"] == "a1"
    copy(engine, "first", "b1", shows("cat /srv/file; ls /etc/group; stat -c %u:%g /srv/dir"))
    assert output(engine, "b1") == "one\n1000:1000\n"


def test_copies_and_source_do_not_see_each_other(engine: EngineProcess) -> None:
    run(engine, "a1", "echo $(cat /srv/count 2>/dev/null)x > /srv/count; cat /srv/count")
    freeze(engine, "a1", "first")
    copy(engine, "first", "b1")
    copy(engine, "first", "c1")
    assert output(engine, "b1") == "xx\n"
    assert output(engine, "b1") == "xxx\n"
    assert output(engine, "c1") == "xx\n"
    assert output(engine, "a1") == "xx\n"
    freeze(engine, "a1", "second")
    copy(engine, "second", "d1")
    assert output(engine, "d1") == "xxx\n"


def test_volumes_are_frozen_with_it(engine: EngineProcess) -> None:
    run(engine, "a1", "echo named > /n/f; echo anonymous > /y/f", "-v", "data:/n", "-v", "/y")
    freeze(engine, "a1", "first")
    copy(engine, "first", "b1", shows("cat /n/f /y/f; echo changed > /n/f"))
    assert output(engine, "b1") == "named\nanonymous\n"
    assert engine.docker("run", "--rm", "-v", "data:/n", IMAGE, "cat", "/n/f").stdout == "named\n"
    mounts = json.loads(engine.docker("inspect", "-f", "{{json .Mounts}}", "b1").stdout)
    assert "data" not in {mount["Name"] for mount in mounts}
    before = set(engine.docker("volume", "ls", "-q").stdout.split())
    engine.docker("rm", "-v", "b1")
    after = set(engine.docker("volume", "ls", "-q").stdout.split())
    assert before - after == {mount["Name"] for mount in mounts}


def test_a_volume_may_be_named_by_who_asks_for_the_copy(engine: EngineProcess) -> None:
    run(engine, "a1", "echo kept > /n/f", "-v", "data:/n")
    freeze(engine, "a1", "first")
    body = {**shows("cat /n/f"), "HostConfig": {"Binds": ["other:/n"]}}
    copy(engine, "first", "b1", body)
    assert output(engine, "b1") == "kept\n"
    assert "other" in engine.docker("volume", "ls", "-q").stdout.split()
    assert ask(engine, "GET", "/containers/b1/json")["HostConfig"]["Binds"] == ["other:/n"]


def test_a_paused_container_is_copied_as_it_stands_and_goes_on(engine: EngineProcess) -> None:
    engine.docker("run", "-d", "--name", "a1", "-v", "data:/n", IMAGE, "sh", "-c",
                  "echo live > /n/f; echo root > /srv/f; while :; do sleep 0.1; date > /srv/now; done")  # fmt: skip
    while engine.docker("exec", "a1", "cat", "/srv/f", check=False).stdout != "root\n":
        time.sleep(0.02)
    ask(engine, "POST", "/containers/a1/snapshot", status=409)
    engine.docker("pause", "a1")
    snapshot = freeze(engine, "a1")
    assert snapshot["CopiedBytes"] > 0
    engine.docker("unpause", "a1")
    copy(engine, snapshot["Id"][:12], "b1", shows("cat /n/f /srv/f"))
    assert output(engine, "b1") == "live\nroot\n"
    assert engine.docker("exec", "a1", "cat", "/n/f").stdout == "live\n"


def test_a_volume_in_use_elsewhere_is_not_frozen(engine: EngineProcess) -> None:
    engine.docker("run", "-d", "--name", "up", "-v", "data:/n", IMAGE, "sleep", "100")
    run(engine, "a1", "true", "-v", "data:/n")
    message = ask(engine, "POST", "/containers/a1/snapshot", status=409)["message"]
    assert message == "volume data is in use by container up: stop or pause that one too"
    ask(engine, "POST", "/volumes/data/snapshot", status=409)


def test_a_volume_alone(engine: EngineProcess) -> None:
    run(engine, "a1", "echo 1 > /n/f", "-v", "data:/n")
    ask(engine, "POST", "/volumes/data/snapshot?name=v1")
    run(engine, "b1", "echo 2 > /n/f", "-v", "data:/n")
    ask(engine, "POST", "/volumes/create?snapshot=v1", {"Name": "copy"})
    show = ("run", "--rm", "-v", "copy:/n", IMAGE, "cat", "/n/f")
    assert engine.docker(*show).stdout == "1\n"
    ask(engine, "DELETE", "/snapshots/v1")
    assert engine.docker(*show).stdout == "1\n"
    ask(engine, "POST", "/volumes/create?snapshot=v1", {"Name": "later"}, status=404)


def test_diff_and_commit_speak_of_the_image_still(engine: EngineProcess) -> None:
    run(engine, "a1", "echo one > /srv/one; rm /etc/group; mkdir /srv/d; touch /srv/d/gone /srv/d/kept")
    freeze(engine, "a1")
    run_more = shows("rm -r /srv/d; echo two > /srv/two")
    copy(engine, ask(engine, "GET", "/snapshots")[0]["Id"], "b1", run_more)
    output(engine, "b1")
    assert engine.docker("diff", "b1").stdout.splitlines() == [
        "C /etc", "D /etc/group", "C /srv", "A /srv/one", "A /srv/two",
    ]  # fmt: skip
    engine.docker("commit", "b1", "made:1")
    script = "cat /srv/one /srv/two; ls /srv /etc/group"
    assert (
        engine.docker("run", "--rm", "made:1", "sh", "-c", script, check=False).stdout
        == "one\ntwo\n/srv:\none\ntwo\n"
    )
    engine.docker("rmi", "made:1")


def test_removing_what_it_came_from_takes_nothing_from_a_copy(engine: EngineProcess) -> None:
    run(engine, "a1", "echo kept > /srv/f; echo kept > /n/f", "-v", "data:/n")
    freeze(engine, "a1", "first")
    copy(engine, "first", "b1", shows("cat /srv/f /n/f"))
    engine.docker("rm", "a1")
    engine.docker("volume", "rm", "data")
    ask(engine, "DELETE", "/snapshots/first")
    assert output(engine, "b1") == "kept\nkept\n"


def test_a_snapshot_keeps_its_image_and_prune_all_takes_both(engine: EngineProcess) -> None:
    run(engine, "a1", "touch /srv/f")
    snapshot = freeze(engine, "a1", "first")
    engine.docker("rm", "a1")
    refused = ask(engine, "DELETE", f"/images/{IMAGE}", status=409)["message"]
    assert f"snapshot {snapshot['Id'][:12]} is using its referenced image" in refused
    ask(engine, "POST", '/images/prune?filters={"dangling":["true"]}')
    assert ask(engine, "GET", "/snapshots/first")["Name"] == "first"
    ask(engine, "POST", "/snapshots/prune")
    ask(engine, "GET", "/snapshots/first", status=404)


def test_requests_that_make_no_sense(engine: EngineProcess) -> None:
    run(engine, "a1", "true")
    freeze(engine, "a1", "first")
    ask(engine, "POST", "/containers/a1/snapshot?name=first", status=409)
    ask(engine, "POST", "/containers/a1/snapshot?name=../x", status=400)
    ask(engine, "POST", "/containers/nobody/snapshot", status=404)
    ask(engine, "POST", "/volumes/nothing/snapshot", status=404)
    ask(engine, "POST", "/containers/create?snapshot=none", {}, status=404)
    ask(engine, "POST", "/volumes/create?snapshot=first", {"Name": "v1"}, status=400)
    ask(engine, "POST", "/containers/create?snapshot=first", {"HostConfig": {"Binds": 3}}, status=400)


def test_a_big_volume_is_frozen_and_copied_in_milliseconds(engine: EngineProcess) -> None:
    script = "dd if=/dev/zero of=/n/big bs=1M count=64 2>/dev/null; i=0; while [ $i -lt 500 ]; do echo $i > /n/$i; i=$((i+1)); done"
    run(engine, "a1", script, "-v", "data:/n")
    began = time.perf_counter()
    freeze(engine, "a1", "big")
    frozen = time.perf_counter()
    for number in range(10):
        copy(engine, "big", f"b{number}", shows("ls /n | wc -l"))
    made = (time.perf_counter() - frozen) / 10
    # Copying would take longer than this on any disk; a loaded machine is no reason to fail.
    assert frozen - began < 0.25
    assert made < 0.1
    print(f"frozen in {(frozen - began) * 1e3:.1f} ms, a copy in {made * 1e3:.1f} ms")
    assert output(engine, "b9") == "501\n"


def test_snapshots_of_one_volume_lie_over_each_other(engine: EngineProcess) -> None:
    """More of them than fit into the options of one mount by name; each shows its own moment."""
    ask(engine, "POST", "/volumes/create", {"Name": "data"})
    run(engine, "w1", "true", "-v", "data:/n")
    for number in range(60):
        if number % 20 == 0:
            script = f"echo {number} > /n/now; echo {number} > /n/f{number}"
            engine.docker("run", "--rm", "-v", "data:/n", IMAGE, "sh", "-c", script)
        ask(engine, "PUT", "/containers/w1/archive?path=/n", raw=packed("count", str(number)))
        ask(engine, "POST", f"/volumes/data/snapshot?name=n{number}")
    for number in (0, 31, 59):
        ask(engine, "POST", f"/volumes/create?snapshot=n{number}", {"Name": f"copy{number}"})
        show = ("run", "--rm", "-v", f"copy{number}:/n", IMAGE, "sh", "-c", "cat /n/count; echo; cat /n/now")
        assert engine.docker(*show).stdout.split() == [str(number), str(number // 20 * 20)]
    assert engine.docker("run", "--rm", "-v", "data:/n", IMAGE, "ls", "/n").stdout.split() == [
        "count", "f0", "f20", "f40", "now",
    ]  # fmt: skip


def packed(name: str, text: str) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = len(text)
        tar.addfile(entry, io.BytesIO(text.encode()))
    return data.getvalue()
