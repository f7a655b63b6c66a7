"""The real `docker buildx build` and `docker build` on the engine, root's and an ordinary user's."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.clients.docker_buildx import DockerBuildx
from tests.embedded.engine_process import EngineProcess
from tests.embedded.rootless.ordinary_user import UserEngine
from tests.peers import IMAGE
from tests.support.gitserver import Repository, served
from tests.support.ssh import agent_with_key, program_files, public_key

pytestmark = [pytest.mark.root, pytest.mark.network]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    """With a Dockerfile that takes all of it."""
    first = {"text": "old\n", "sub/inner": "inner\n", "Dockerfile": f"FROM {IMAGE}\nCOPY . /\n"}
    with served(tmp_path_factory.mktemp("git"), first, {"text": "new\n"}) as found:
        yield found


def test_a_build_shows_its_steps_and_leaves_an_image(buildx: DockerBuildx) -> None:
    buildx.write(
        f"FROM {IMAGE}\nARG WHO=nobody\nWORKDIR /srv\nCOPY . .\nRUN echo built && echo $WHO > who\n"
        'CMD ["cat", "who", "text"]\n',
        **{"text": "text\n", "left/out": "x", ".dockerignore": "left\nDockerfile\n"},
    )
    shown = buildx.build("-t", "shown:1", "-t", "shown:2", "--build-arg", "WHO=me", "--label", "a=b")
    steps = re.findall(r"^#\d+ (\[.*|exporting to .*)$", shown, re.MULTILINE)
    assert steps == [
        "[internal] load build definition from Dockerfile",
        "[internal] load .dockerignore",
        "[internal] load build context",
        f"[1/4] FROM docker.io/{IMAGE}",
        "[2/4] WORKDIR /srv",
        "[3/4] COPY . .",
        "[4/4] RUN echo built && echo $WHO > who",
        "exporting to image",
    ]
    assert re.search(r"^#7 [\d.]+ built$", shown, re.MULTILINE)
    assert "naming to docker.io/library/shown:2 done" in shown
    assert buildx.run("shown:2") == "me\ntext\n"
    assert buildx.run("shown:1", "ls", "-A", "/srv").split() == [".dockerignore", "text", "who"]
    again = buildx.build("-t", "shown:1", "--build-arg", "WHO=me", "--label", "a=b")
    assert len(re.findall(r"^#\d+ CACHED$", again, re.MULTILINE)) == 3
    assert "CACHED" not in buildx.build("--no-cache", "--build-arg", "WHO=me")
    (buildx.folder / "text").write_text("changed\n")
    changed = buildx.build("-t", "shown:1", "--build-arg", "WHO=me")
    assert len(re.findall(r"^#\d+ CACHED$", changed, re.MULTILINE)) == 1
    assert buildx.run("shown:1") == "me\nchanged\n"


def test_docker_build_takes_buildkit_by_itself(buildx: DockerBuildx) -> None:
    buildx.write(f"FROM {IMAGE}\nCOPY <<END /hello\nhello\nEND\n")
    done = buildx.docker("build", "-q", "-t", "plain", ".")
    assert (done.returncode, done.stdout[:7]) == (0, "sha256:"), done.stderr
    assert buildx.run("plain", "cat", "/hello") == "hello\n"
    assert buildx.docker("image", "inspect", "-f", "{{.Id}}", "plain").stdout == done.stdout


def test_only_the_stages_of_the_target_are_built(buildx: DockerBuildx) -> None:
    buildx.write(
        f"FROM {IMAGE} AS one\nRUN echo 1 > /n\nFROM {IMAGE} AS two\nRUN exit 1\nFROM one AS three\n"
        "COPY --from=one /n /m\nRUN cat /m\n"
    )
    shown = buildx.build("--target", "three", "-t", "three")
    assert "[one 2/2] RUN echo 1 > /n" in shown
    assert "[three 2/3] COPY --from=one /n /m" in shown
    assert "[two" not in shown


def test_a_failing_step_is_named_with_its_lines(buildx: DockerBuildx) -> None:
    buildx.write(f"FROM {IMAGE}\nRUN echo fine\nRUN echo oops >&2; \\\n    exit 3\n")
    said = buildx.failing("-t", "failed")
    command = '"/bin/sh -c echo oops >&2;     exit 3"'
    assert f"ERROR: process {command} did not complete successfully: exit code: 3" in said
    assert "Dockerfile:3\n" in said
    assert "   3 | >>> RUN echo oops >&2; \\" in said
    assert "   4 | >>>     exit 3" in said
    assert f"failed to solve: process {command} did not complete successfully: exit code: 3" in said
    assert buildx.docker("image", "inspect", "failed").returncode != 0


@pytest.mark.parametrize(
    ("dockerfile", "message"),
    [
        ("FROM {}\nCOPY nothere /\n", "nothere: file does not exist"),
        ("FROM {}\nBOGUS x\n", "dockerfile parse error on line 2: unknown instruction: BOGUS"),
        ("FROM localhost:1/none\n", "cannot reach the registry localhost:1"),
        ("FROM {}\nRUN --mount=type=secret,id=none,required=true true\n", "secret none: not found"),
        (" ", "the Dockerfile cannot be empty"),
    ],
)
def test_what_cannot_be_built_says_why(buildx: DockerBuildx, dockerfile: str, message: str) -> None:
    buildx.write(dockerfile.format(IMAGE))
    assert message in buildx.failing()


def test_a_missing_dockerfile_and_target_are_named(buildx: DockerBuildx) -> None:
    buildx.write(f"FROM {IMAGE}\n")
    assert "failed to read dockerfile: open none: no such file or directory" in buildx.failing("-f", "none")
    assert "failed to reach build target none" in buildx.failing("--target", "none")


def test_what_is_not_served_is_refused(buildx: DockerBuildx) -> None:
    buildx.write(f"FROM {IMAGE}\n")
    assert "Cache export is not supported" in buildx.failing("--cache-to", "type=local,dest=cache")
    assert "only builds are served by this engine" in buildx.failing("--call", "outline")


def test_secrets_come_from_the_client_and_stay_out_of_the_image(buildx: DockerBuildx) -> None:
    buildx.write(
        f"FROM {IMAGE}\n"
        "RUN --mount=type=secret,id=file,required=true cp /run/secrets/file /seen\n"
        "RUN --mount=type=secret,id=var,env=TOKEN echo $TOKEN >> /seen\n"
        "RUN --mount=type=secret,id=none test ! -e /run/secrets/none\n"
    )
    secret = buildx.folder / "secret"
    secret.write_text("from a file\n")
    buildx.build("--secret", "id=file,src=secret", "--secret", "id=var,env=WORD", "-t", "seen", WORD="a word")
    assert buildx.run("seen", "cat", "/seen") == "from a file\na word\n"
    buildx.run("seen", "test", "!", "-e", "/run")


def test_the_client_s_ssh_agent_answers_in_the_step(buildx: DockerBuildx, tmp_path: Path) -> None:
    for name, content in program_files("ssh-add").items():
        place = buildx.folder / "root" / name.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        place.chmod(0o755)
    buildx.write(f"FROM {IMAGE}\nCOPY root /\nRUN --mount=type=ssh,required=true ssh-add -L\n")
    with agent_with_key(tmp_path) as sock:
        shown = buildx.build("--ssh", "default", SSH_AUTH_SOCK=str(sock))
        assert public_key(tmp_path).strip() in shown
    assert "ssh agent default: not found" in buildx.failing("--no-cache")


def test_a_cancelled_build_ends_its_step(buildx: DockerBuildx) -> None:
    buildx.write(f"FROM {IMAGE}\nRUN echo waiting; sleep 4711\n")
    building = subprocess.Popen(
        ["docker", "buildx", "build", "--progress=plain", "."],
        cwd=buildx.folder, env=buildx.environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert building.stderr is not None
    for line in building.stderr:
        if re.search(r" waiting$", line):
            break
    building.send_signal(signal.SIGINT)
    rest = building.communicate(timeout=20)[1]
    assert building.returncode != 0
    assert "context canceled" in rest
    deadline = time.monotonic() + 10
    while _running("sleep 4711"):
        assert time.monotonic() < deadline, "the step goes on"
        time.sleep(0.1)


def _running(command: str) -> bool:
    words = command.replace(" ", "\0").encode() + b"\0"
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if file.read_bytes() == words:
                return True
        except OSError:
            continue
    return False


def test_the_builder_tells_of_itself(buildx: DockerBuildx) -> None:
    listed = buildx.docker("buildx", "ls").stdout
    assert re.search(r"^default\*? +docker", listed, re.MULTILINE)
    assert "running" in buildx.docker("buildx", "inspect").stdout
    assert buildx.docker("buildx", "du").returncode == 0
    assert buildx.docker("buildx", "prune", "-af").returncode == 0
    assert buildx.docker("buildx", "history", "ls").returncode == 0


def test_names_beyond_ascii_reach_the_client(buildx: DockerBuildx) -> None:
    ignored = "weg\nnicht-größe\n"
    buildx.write(
        f"FROM {IMAGE}\nCOPY . /all\n",
        **{"größe": "x", "weg": "y", "nicht-größe": "z", ".dockerignore": ignored},
    )
    buildx.build("-t", "names")
    assert buildx.run("names", "cat", "/all/größe") == "x"
    buildx.run("names", "test", "!", "-e", "/all/weg", "-a", "!", "-e", "/all/nicht-größe")


def test_builds_side_by_side_do_not_mix(buildx: DockerBuildx) -> None:
    buildx.write(f"FROM {IMAGE}\nARG N\nRUN echo number $N > /n\n")
    running = [
        subprocess.Popen(
            ["docker", "buildx", "build", "--build-arg", f"N={n}", "-t", f"n{n}", "."],
            cwd=buildx.folder, env=buildx.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        for n in range(4)
    ]  # fmt: skip
    assert [one.wait(60) for one in running] == [0] * 4
    assert [buildx.run(f"n{n}", "cat", "/n") for n in range(4)] == [f"number {n}\n" for n in range(4)]


def test_named_contexts_stand_for_stages_and_images(buildx: DockerBuildx) -> None:
    other = buildx.folder.parent / f"{buildx.folder.name}-other"
    other.mkdir()
    for name, text in {"kept": "kept\n", "left": "left\n", ".dockerignore": "left\n"}.items():
        (other / name).write_text(text)
    buildx.write(f"FROM {IMAGE}\nRUN echo base > /base\n")
    buildx.build("-t", "base:1")
    buildx.write(
        "FROM alpine AS stage\nRUN exit 1\nFROM alpine\nCOPY --from=files / /files\n"
        "RUN --mount=from=files,target=/m cat /m/kept > /mounted\nCOPY --from=stage /base /again\n"
    )
    named = [f"--build-context=files={other}"]
    named += ["--build-context=alpine=docker-image://base:1", "--build-context=stage=docker-image://base:1"]
    shown = buildx.build(*named, "-t", "named")
    assert "[context files] load from client" in shown
    assert "FROM base:1" in shown
    assert buildx.run("named", "cat", "/base", "/again", "/mounted") == "base\nbase\nkept\n"
    assert buildx.run("named", "ls", "-A", "/files").split() == [".dockerignore", "kept"]
    (other / "kept").write_text("changed\n")
    buildx.build(*named, "-t", "named")
    assert buildx.run("named", "cat", "/mounted") == "changed\n"


def test_a_folder_can_be_the_base(buildx: DockerBuildx) -> None:
    other = buildx.folder.parent / f"{buildx.folder.name}-root"
    other.mkdir()
    (other / "only").write_text("only\n")
    buildx.write(f"FROM root AS files\nFROM {IMAGE}\nCOPY --from=files / /all\n")
    buildx.build(f"--build-context=root={other}", "-t", "rooted")
    assert buildx.run("rooted", "cat", "/all/only") == "only\n"


def test_a_named_context_that_cannot_be_one_is_named(buildx: DockerBuildx) -> None:
    buildx.write(f"FROM {IMAGE}\n")
    said = buildx.failing("--build-context=x=https://localhost:1/archive.tar")
    assert "named context x: https://localhost:1/archive.tar is no folder, image or git repository" in said


def test_git_repositories_are_contexts_and_sources(
    buildx: DockerBuildx, engine: EngineProcess, repository: Repository
) -> None:
    if isinstance(engine, UserEngine):
        pytest.skip("an ordinary user's engine has a loopback of its own, where no repository is served")
    buildx.write(
        f"FROM {IMAGE}\nADD {repository.url}#v1:sub /sub\nADD {repository.url} /all\n"
        f"ADD --keep-git-dir=true {repository.url}#{repository.commits[0]} /old\n"
        "COPY --from=repo /text /text\n"
    )
    buildx.build(f"--build-context=repo={repository.url}#v1", "-t", "sources")
    assert buildx.run("sources", "cat", "/sub/inner", "/all/text", "/text") == "inner\nnew\nold\n"
    buildx.run("sources", "test", "-d", "/old/.git", "-a", "!", "-e", "/all/.git")
    done = buildx.docker("buildx", "build", "-t", "remote", f"{repository.url}#v1")
    assert done.returncode == 0, done.stderr
    assert buildx.run("remote", "cat", "/text") == "old\n"
    buildx.write(f"FROM {IMAGE}\nADD {repository.url}#none /x\n")
    assert f"failed to fetch {repository.url}#none" in buildx.failing()
    buildx.write(f"FROM {IMAGE}\nADD {repository.url}#v1:nothere /x\n")
    assert "the repository has no folder nothere" in buildx.failing()
