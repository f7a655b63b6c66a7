"""The same Dockerfiles and commands on this engine and on Docker Engine: the same files, configuration and
words.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pytest
from tests.embedded.engine_process import EngineProcess
from tests.peers import IMAGE, busybox_archive, running_dockerd, why_no_docker

pytestmark = [pytest.mark.root, pytest.mark.docker, pytest.mark.slow, pytest.mark.usefixtures("docker_cli")]


@dataclass
class Engine:
    """Where a client finds an engine."""

    address: str

    def docker(
        self, *arguments: str, stdin: bytes = b"", folder: Path | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        environment = {**os.environ, "DOCKER_HOST": self.address, "DOCKER_BUILDKIT": "0"}
        return subprocess.run(
            ["docker", *arguments], input=stdin, capture_output=True, env=environment, cwd=folder, timeout=120
        )

    def output(self, *arguments: str, **options: object) -> str:
        done = self.docker(*arguments, **options)  # type: ignore[arg-type]
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()


@pytest.fixture(scope="module")
def engines() -> Iterator[tuple[Engine, Engine]]:
    """(ours, Docker's), each with the busybox image."""
    reason = why_no_docker()
    if reason:
        pytest.skip(reason)
    process = EngineProcess()
    try:
        process.start()
        with running_dockerd() as dockerd:
            pair = Engine(f"unix://{process.socket}"), Engine(dockerd.address)
            for engine in pair:
                engine.output("load", stdin=busybox_archive())
            yield pair
    finally:
        process.close()


CONTEXT = {
    "Dockerfile": f"""ARG TAG=1
FROM {IMAGE.rpartition(":")[0]}:${{TAG}} AS tools
ARG GREETING="hello world"
RUN mkdir -p /out/deep && echo $GREETING > /out/f && cp /out/f /out/g && \\
    chmod 4755 /out/f && ln -s f /out/l && ln /out/f /out/h
FROM {IMAGE}
LABEL a=1 b="two words" c='$X'
ENV X=1 Y="a b" Z=$X-${{UNSET:-d}}
ENV OLD old style value
COPY --from=tools /out /copied
COPY --from=tools --chown=user:user /out/g /owned/
COPY dir /dir
COPY dir/a.txt dir/*.md /several/
COPY --chown=1000 dir/a.txt /chowned
COPY link /followed
ADD inner.tar /unpacked/
ADD inner.tar.gz /zipped
WORKDIR /w
WORKDIR rel/$X
COPY dir/a.txt .
USER user
EXPOSE 80 443/tcp 53/udp
VOLUME ["/v1", "/v2"]
STOPSIGNAL SIGQUIT
SHELL ["/bin/sh", "-ec"]
USER root
RUN echo "$X $Y $OLD" > /env && rm /bin/vi && mkdir -m 700 /closed
HEALTHCHECK --interval=5s --timeout=1m --start-period=10s --retries=2 CMD test -f /env
ENTRYPOINT ["/bin/sh"]
CMD ["-c", "cat /env"]
ONBUILD RUN echo child
""",
    "dir/a.txt": "a",
    "dir/b.md": "b",
    "dir/sub/c": "c",
    "ignored.log": "x",
    ".dockerignore": "*.log",
}


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("context")
    for name, text in CONTEXT.items():
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).write_text(text)
    (folder / "dir/sub").chmod(0o750)
    (folder / "link").symlink_to("dir/a.txt")
    for name, mode in (("inner.tar", "w"), ("inner.tar.gz", "w:gz")):
        with tarfile.open(folder / name, mode) as archive:
            info = tarfile.TarInfo("in/file")
            info.size, info.uid, info.gid, info.mode = 3, 5, 6, 0o604
            archive.addfile(info, BytesIO(b"abc"))
    return folder


def tree(engine: Engine, image: str) -> dict[str, str]:
    """Kind, permissions, owner, size and link target of every file, from a container's own ``find``."""
    script = (
        "find / -xdev -path /proc -prune -o -path /sys -prune -o -path /dev -prune -o -print | "
        'while read f; do stat -c \'%n|%f %u:%g\' "$f"; [ -L "$f" ] && readlink "$f"; '
        '[ -f "$f" ] && [ ! -L "$f" ] && md5sum < "$f"; done; true'
    )
    text = engine.output("run", "--rm", "--net=none", "-u", "0", "--entrypoint", "sh", image, "-c", script)
    found: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        if "|" in line:
            name, _, found[name] = line.partition("|")
        else:
            found[name] += " " + line
    for own in ("/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/", "/.dockerenv", "/etc", "/etc/mtab"):
        found.pop(own, None)
    return found


def words(text: str) -> list[str]:
    """Output with ids and warnings of the client taken out."""
    text = re.sub(r"\b[0-9a-f]{12}\b|(sha256:)?\b[0-9a-f]{64}\b", "ID", text)
    # Where newer Docker versions say more than the one at hand, ours says what they say.
    text = re.sub(r"dockerfile parse error (on )?line \d+: |failed to parse Dockerfile: ", "", text)
    text = re.sub(r"repository name \(\S+\) must", "repository name must", text)
    drop = (
        "DEPRECATED",
        "Install the buildx",
        "https://",
        "environment-variable",
        "BuildKit is",
        "Sending build",
    )
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return [line for line in lines if not line.startswith(drop) and not line.startswith("Using the host's")]


def test_the_same_dockerfile_gives_the_same_image(engines: tuple[Engine, Engine], context: Path) -> None:
    trees, configs, texts = [], [], []
    for engine in engines:
        text = engine.output("build", "-t", "same:1", "--build-arg", "GREETING=hi", ".", folder=context)
        texts.append([line for line in words(text) if line.startswith(("Step", "Success", "#"))])
        configs.append(json.loads(engine.output("inspect", "same:1"))[0])
        trees.append(tree(engine, "same:1"))
    ours, theirs = trees
    different = {name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name)}
    assert {name: (ours.get(name), theirs.get(name)) for name in different} == {}
    assert texts[0] == texts[1]
    keys = (
        "Env",
        "Cmd",
        "Entrypoint",
        "Labels",
        "ExposedPorts",
        "Volumes",
        "WorkingDir",
        "User",
        "StopSignal",
    )
    for key in (*keys, "Shell", "Healthcheck", "OnBuild"):
        assert configs[0]["Config"].get(key) == configs[1]["Config"].get(key), key
    assert configs[0]["Architecture"] == configs[1]["Architecture"]


def test_a_second_build_says_the_same(engines: tuple[Engine, Engine], context: Path) -> None:
    texts = []
    for engine in engines:
        for _ in range(2):
            text = engine.output("build", "-t", "same:2", ".", folder=context)
        texts.append(words(text))
    assert texts[0] == texts[1]


OUTSIDE = f"FROM {IMAGE}\nARG A=1\nCOPY . /c\nRUN ls -aR /c && echo $A && cat /etc/hostname | wc -c\nRUN env | sort\n"


@pytest.mark.parametrize(
    "options",
    [
        ["-f", "Outside.Dockerfile", "context"],
        ["-f", "-", "context"],
        ["-f", "Outside.Dockerfile", "--build-arg", "A=2", "--label", "l=v", "-q", "context"],
        ["-f", "Outside.Dockerfile", "--build-arg", "HTTP_PROXY=http://p:1", "--label", "l=v", "context"],
        ["-f", "Outside.Dockerfile", "--network=none", "--add-host", "h:1.2.3.4", "context"],
        ["-f", "Outside.Dockerfile", "--compress", "--no-cache", "--rm=false", "context"],
        ["--target", "nope", "-f", "Outside.Dockerfile", "context"],
        ["-t", "UPPER", "-f", "Outside.Dockerfile", "context"],
        ["-f", "missing/Dockerfile", "context"],
    ],
)
def test_options_mean_the_same(engines: tuple[Engine, Engine], tmp_path: Path, options: list[str]) -> None:
    (tmp_path / "context/sub").mkdir(parents=True)
    (tmp_path / "context/sub/file").write_text("x")
    (tmp_path / "context/left.out").write_text("x")
    (tmp_path / "context/.dockerignore").write_text("left.*\n")
    (tmp_path / "Outside.Dockerfile").write_text(OUTSIDE)
    said = []
    for engine in engines:
        done = engine.docker(
            "build", *options, folder=tmp_path, stdin=OUTSIDE.encode() if "-" in options else b""
        )
        lines = words((done.stdout + done.stderr).decode())
        # Docker starts a container for steps that run nothing, too; ours trusts what the host trusts.
        extra = re.compile(
            r"\w+=/run/stackwright/host-ca.crt|---> Running in ID|Removing intermediate container ID"
        )
        said.append((done.returncode, [line for line in lines if not extra.fullmatch(line)]))
    assert said[0] == said[1]


def test_history_and_list_look_the_same(engines: tuple[Engine, Engine], context: Path) -> None:
    shown = []
    for engine in engines:
        engine.output("build", "-t", "same:3", ".", folder=context)
        history = engine.output("history", "--no-trunc", "--format", "{{.CreatedBy}}|{{.Size}}", "same:3")
        history = re.sub(r"(--chown=[a-z0-9:]+?) ?(file|dir|multi):[0-9a-f]{64}", r"\1 \2:HASH", history)
        history = re.sub(r"(file|dir|multi):[0-9a-f]{64}", r"\1:HASH", history)
        history = re.sub(r"HEALTHCHECK .*\|", "HEALTHCHECK|", history)
        shown.append([re.sub(r"(COPY dir:.*)\|.*", r"\1", line) for line in history.splitlines()])
    assert shown[0] == shown[1]


@pytest.mark.parametrize("direction", ["ours to theirs", "theirs to ours"])
def test_saved_images_load_in_the_other_engine(
    engines: tuple[Engine, Engine], context: Path, direction: str
) -> None:
    source, target = engines if direction == "ours to theirs" else engines[::-1]
    name = f"moved:{direction.partition(' ')[0]}"
    source.output("build", "-t", name, ".", folder=context)
    archive = source.docker("save", name).stdout
    assert target.output("load", stdin=archive).strip().endswith(f"Loaded image: {name}")
    ids = [engine.output("images", "-q", "--no-trunc", name) for engine in (source, target)]
    assert ids[0] == ids[1]
    assert tree(source, name) == tree(target, name)


@pytest.mark.parametrize(
    "text",
    [
        "FROM nothing-here:1@sha256:abc",
        "",
        "FROM {image}\nFOO",
        "RUN x",
        "FROM {image}\nRUN exit 3",
        'FROM {image}\nRUN ["false", "a"]',
        "FROM {image}\nRUN /no/such/program",
        "FROM {image}\nCOPY nope /x",
        "FROM {image}\nCOPY dir/nope* /x",
        "FROM {image}\nCOPY ../x /x",
        "FROM {image}\nCOPY dir dir/a.txt /x",
        "FROM {image}\nCOPY --from=0 /nope /x",
        "FROM {image}\nCOPY --chown=nobody dir /x",
        "FROM {image}\nCOPY a",
        "FROM {image}\nENV A",
        "FROM {image}\nEXPOSE nope",
        "FROM {image}\nSTOPSIGNAL NOPE",
        "FROM {image}\nVOLUME",
        "FROM {image}\nHEALTHCHECK X",
        "FROM {image}\nONBUILD FROM x",
        "FROM {image}\nSHELL bash",
        "FROM scratch",
        "FROM {image} AS 1x",
        "FROM {image}\nENV A=${{B:?no b}}",
    ],
)
def test_failing_builds_fail_alike(engines: tuple[Engine, Engine], context: Path, text: str) -> None:
    said = []
    for engine in engines:
        dockerfile = text.format(image=IMAGE).encode()
        with BytesIO() as buffer:
            with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
                archive.add(context / "dir", "dir")
                info = tarfile.TarInfo("Dockerfile")
                info.size = len(dockerfile)
                archive.addfile(info, BytesIO(dockerfile))
            done = engine.docker("build", "-", stdin=buffer.getvalue())
        said.append((done.returncode != 0, words(done.stderr.decode())))
    assert said[0] == said[1]


@pytest.mark.parametrize(
    "command",
    [
        "rmi nope",
        "rmi NOPE",
        "rmi sha256:0000",
        "history nope",
        "tag nope x",
        "tag {image} UPPER",
        "tag {image} x:-",
        "run --rm --pull never nope",
    ],
)
def test_refusals_read_alike(engines: tuple[Engine, Engine], command: str) -> None:
    said = []
    for engine in engines:
        done = engine.docker(*command.format(image=IMAGE).split())
        said.append((done.returncode, words(done.stderr.decode())))
    assert said[0] == said[1]


def test_removal_reads_alike(engines: tuple[Engine, Engine]) -> None:
    said = []
    for engine in engines:
        lines = []
        engine.output(
            "build",
            "-t",
            "rm:1",
            "-t",
            "rm:2",
            "-t",
            "other:1",
            "-",
            stdin=f"FROM {IMAGE}\nENV A=1\nRUN true".encode(),
        )
        identity = engine.output("images", "-q", "rm:1").strip()
        container = engine.output("create", "rm:1").strip()
        for command in (
            ["rmi", "rm:1"],
            ["rmi", identity],
            ["rmi", "rm:2"],
            ["rmi", "other:1"],
            ["rmi", "-f", identity],
            ["rm", container],
            ["rmi", "rm:2"],
            ["images", "-q", "rm"],
        ):
            done = engine.docker(*command)
            lines.append((command[0], done.returncode, words((done.stdout + done.stderr).decode())))
        said.append(lines)
    assert said[0] == said[1]


def test_cache_from_takes_the_same_steps(engines: tuple[Engine, Engine], context: Path) -> None:
    """From an image that was loaded: its history is all there is. From one that is not there: nothing."""
    said = []
    for engine in engines:
        lines = []
        engine.output("build", "-t", "from:1", ".", folder=context)
        archive = engine.docker("save", "from:1").stdout
        for image in engine.output("images", "-qa").split():  # whatever was built on this machine
            if image not in engine.output("images", "-q", IMAGE).split():
                engine.docker("rmi", "-f", image)
        engine.output("load", stdin=archive)
        for names in (["from:1"], ["nothing:1", "from:1"], ["nothing:1"]):
            options = [word for name in names for word in ("--cache-from", name)]
            text = engine.output("build", "-t", "from:2", *options, ".", folder=context)
            lines.append([line for line in words(text) if line.startswith(("Step", "---> Using", "Success"))])
        said.append(lines)
    assert said[0] == said[1]
    assert "---> Using cache" in said[0][0] and "---> Using cache" not in said[0][2]


SCOPES = [
    "ARG A=1\nARG B=$A\nFROM {image}\nARG B\nARG C=${{A:-unset}}\nRUN echo $A-$B-$C\n",
    'FROM {image} AS one\nARG A=1\nRUN echo $A\nFROM one\nRUN echo "<$A>"\nARG A\nRUN echo "<$A>"\n',
    "FROM {image}\nENV A=env\nARG A=arg\nRUN echo $A\nARG D=$A\nENV E=$D\nRUN echo $D $E\n",
    "FROM {image}\nARG P=/p\nWORKDIR $P/x\nCOPY dir/a.txt $P/\nENV Q=${{P}}/q\nUSER ${{UNSET:-user}}\nRUN pwd; id -u; ls $P\n",
    'FROM {image}\nRUN echo "$HTTP_PROXY"\nARG HTTP_PROXY\nRUN echo "$HTTP_PROXY"\n',
    "# escape=`\nFROM {image}\nRUN echo a `\n  b\nENV X=c`$d\nRUN echo $X\n",
    'FROM {image}\nSHELL ["/bin/sh", "-ec"]\nRUN echo $0\nCMD a b\nENTRYPOINT c d\n',
    "FROM {image}\nHEALTHCHECK CMD a b\nHEALTHCHECK NONE\nSTOPSIGNAL 9\nEXPOSE 1-3/udp\nRUN true\n",
]


@pytest.mark.parametrize("text", SCOPES)
def test_arguments_variables_and_shells_are_read_alike(
    engines: tuple[Engine, Engine], context: Path, text: str
) -> None:
    said = []
    for engine in engines:
        (context / "Scopes").write_text(text.format(image=IMAGE))
        options = ["--build-arg", "C=given", "--build-arg", "HTTP_PROXY=http://p:1", "--no-cache"]
        output = engine.output("build", "-f", "Scopes", "-t", "scope:1", *options, ".", folder=context)
        own = re.compile(
            r"---> Running in ID|Removing intermediate container ID|---> ID|Successfully built ID"
        )
        config = json.loads(engine.output("inspect", "scope:1"))[0]["Config"]
        kept = {
            key: value
            for key, value in config.items()
            if value and key not in ("Image", "Hostname", "Domainname")
        }
        said.append(([line for line in words(output) if not own.fullmatch(line)], kept))
    (context / "Scopes").unlink()
    assert said[0][0] == said[1][0]
    assert said[0][1] == said[1][1]
