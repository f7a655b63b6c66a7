"""Clients that mean harm or are broken: slow heads, other users, requests made up by chance, archives that try to get out."""

from __future__ import annotations

import asyncio
import bz2
import gzip
import http.client
import json
import lzma
import os
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.embedded.api.test_full_disk import MB, SmallEngine, refused
from tests.embedded.conftest import load_busybox
from tests.embedded.engine_process import EngineClient, EngineProcess, UnixConnection
from tests.embedded.images.conftest import docker_archive, entry, tar_of
from tests.peers import IMAGE

from stackwright.embedded.api.server import http_server

pytestmark = pytest.mark.root


async def test_a_head_that_never_ends_is_given_up(tmp_path: Path) -> None:
    """Slow clients hold a connection, but not for ever; those that ask in time go on being served."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text="OK")

    server = http_server(answer, headers_within=0.5)  # type: ignore[arg-type]
    runner = web.ServerRunner(server)
    await runner.setup()
    place = str(tmp_path / "s")
    await web.UnixSite(runner, place).start()
    slow = [await asyncio.open_unix_connection(place) for _ in range(50)]
    begun = time.monotonic()

    async def drip(writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                writer.write(b"X-Slow: 1\r\n")
                await writer.drain()
                await asyncio.sleep(0.1)
        except ConnectionError:
            return

    for _, writer in slow:
        writer.write(b"GET / HTTP/1.1\r\n")
    drips = [asyncio.create_task(drip(writer)) for _, writer in slow]
    reader, writer = await asyncio.open_unix_connection(place)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert (await asyncio.wait_for(reader.read(), 5)).startswith(b"HTTP/1.1 200")

    async def ended(reader: asyncio.StreamReader) -> bytes:
        try:
            return await asyncio.wait_for(reader.read(), 10)
        except ConnectionError:  # it was just writing
            return b""

    ends = await asyncio.gather(*(ended(reader) for reader, _ in slow))
    assert ends == [b""] * 50 and 0.3 < time.monotonic() - begun < 8
    assert server.connections == [] or len(server.connections) <= 1
    for task in drips:
        task.cancel()
    for _, writer in slow:
        writer.close()
    await runner.cleanup()


@pytest.mark.parametrize("umask", ["0", "077"])
def test_no_other_user_gets_in_whatever_the_umask(umask: str) -> None:
    engine = EngineProcess()
    try:
        before = os.umask(int(umask, 8))
        try:
            engine.start()
            load_busybox(engine)
            made = engine.request("POST", "/containers/create", {"Image": IMAGE, "Volumes": {"/v": {}}})[1][
                "Id"
            ]
            assert engine.request("POST", f"/containers/{made}/start")[0] == 204
        finally:
            os.umask(before)
        engine.root.chmod(0o755)  # the folder of the test keeps others out as well: not what is tried here
        script = f"""
import os, socket
os.setgroups([]); os.setgid(65534); os.setuid(65534)
def tried(what):
    try:
        what()
        return "in"
    except PermissionError:
        return "out"
    except FileNotFoundError:
        return "nothing"
print(tried(lambda: socket.socket(socket.AF_UNIX).connect({str(engine.socket)!r})))
for name in ("engine.db", "images/layers", "containers", "volumes", "networks"):
    print(tried(lambda: os.listdir(os.path.join({str(engine.state_dir)!r}, name)) if "." not in name
                else open(os.path.join({str(engine.state_dir)!r}, name)).close()))
"""
        said = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        ).stdout
        assert said.split() == ["out"] * 6, said
    finally:
        engine.close()


STRANGE = [
    "", " ", "0", "-1", "1e9", "true", "null", "[]", "{}", "{", '{"a":', "é", "\0", "\r\n", "../..", "a" * 5000, "%zz",
    "18446744073709551616", "NaN", '{"label":{"a":3}}', '{"label":["x"]}', '{"label":7}', "sha256:" + "0" * 64, "a:b:c@d",
]  # fmt: skip
NAMES = ["none", "real", IMAGE, "bridge", "host", *STRANGE[11:]]
KEYS = [
    "all", "limit", "filters", "name", "t", "signal", "h", "w", "ps_args", "stdout", "since", "until", "tail", "timestamps", "force", "v",
    "path", "repo", "tag", "fromImage", "fromSrc", "platform", "q", "dockerfile", "buildargs", "labels", "cachefrom", "extrahosts", "memory",
    "names", "changes", "container", "size", "type", "condition", "term", "noOverwriteDirNonDir", "target", "networkmode", "remote",
]  # fmt: skip
FIELDS = [
    "Image", "Cmd", "Env", "Entrypoint", "Labels", "Volumes", "ExposedPorts", "HostConfig", "NetworkingConfig", "Healthcheck", "Binds", "Mounts",
    "PortBindings", "RestartPolicy", "Memory", "NetworkMode", "CapAdd", "Devices", "Ulimits", "LogConfig", "Name", "Driver", "IPAM", "Options",
    "DriverOpts", "Container", "EndpointConfig", "Force", "Detach", "Tty", "AttachStdout", "User", "WorkingDir", "username", "serveraddress", "Tmpfs",
    "SecurityOpt", "Sysctls", "ExtraHosts", "Dns", "StopTimeout", "ShmSize", "NanoCpus", "Config", "Subnet", "Gateway", "EnableIPv6",
]  # fmt: skip


def json_values() -> st.SearchStrategy[object]:
    leaves = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(1 << 70), 1 << 70),
        st.floats(),
        st.sampled_from([*STRANGE, *NAMES]),
    )
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(st.sampled_from([*FIELDS, "", "a/tcp", "x"]), inner, max_size=4),
        ),
        max_leaves=12,
    )


@pytest.fixture(scope="module")
def victim() -> Iterator[EngineProcess]:
    """An engine that lives through all of it, with a container called `real`."""
    engine = EngineProcess()
    try:
        engine.start()
        load_busybox(engine)
        body = {"Image": IMAGE, "Cmd": ["sleep", "1000"], "HostConfig": {"NetworkMode": "none"}}
        assert engine.request("POST", "/containers/create?name=real", body)[0] == 201
        yield engine
    finally:
        engine.close()


# Left out: what answers for as long as one likes, ends the engine, or goes out into the network.
PATTERNS = [
    ("GET", "/containers/json"), ("POST", "/containers/create"), ("GET", "/containers/{}/json"), ("GET", "/containers/{}/top"),
    ("POST", "/containers/{}/start"), ("POST", "/containers/{}/stop"), ("POST", "/containers/{}/kill"), ("POST", "/containers/{}/rename"),
    ("POST", "/containers/{}/update"), ("POST", "/containers/{}/exec"), ("POST", "/containers/{}/resize"), ("POST", "/containers/{}/pause"),
    ("GET", "/containers/{}/archive"), ("HEAD", "/containers/{}/archive"), ("PUT", "/containers/{}/archive"), ("GET", "/containers/{}/changes"),
    ("DELETE", "/containers/{}x"), ("POST", "/containers/prune"), ("GET", "/exec/{}/json"), ("POST", "/exec/{}/resize"),
    ("GET", "/images/json"), ("GET", "/images/{}/json"), ("GET", "/images/{}/history"), ("POST", "/images/{}/tag"), ("GET", "/images/search"),
    ("DELETE", "/images/{}x"), ("POST", "/images/load"), ("POST", "/commit"), ("POST", "/build"), ("POST", "/images/create"),
    ("GET", "/networks"), ("GET", "/networks/{}"), ("POST", "/networks/create"), ("POST", "/networks/{}/connect"),
    ("POST", "/networks/{}/disconnect"), ("DELETE", "/networks/{}"), ("GET", "/volumes"), ("POST", "/volumes/create"), ("GET", "/volumes/{}"),
    ("DELETE", "/volumes/{}"), ("GET", "/system/df"), ("GET", "/info"), ("GET", "/version"), ("GET", "/_ping"), ("GET", "/nonsense/{}"),
]  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    route=st.sampled_from(PATTERNS),
    name=st.sampled_from(NAMES),
    query=st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from([*STRANGE, "1", "none", "real"])), max_size=4),
    body=st.one_of(st.none(), st.binary(max_size=60), json_values()),
    version=st.sampled_from(["", "/v1.24", "/v1.50", "/v1.41", "/v0.1", "/v1.x", "/v9999999999999999999.1"]),
    headers=st.dictionaries(
        st.sampled_from(["X-Registry-Auth", "X-Registry-Config", "X-Stackwright-Build-Secrets", "X-Stackwright-Build-SSH", "Content-Type"]),
        st.sampled_from(["", "e30=", "e30", "bnVsbA==", "W10=", "!!", "eyJhIjoxfQ==", "eyJhIjoiL3gifQ==", "x" * 9000]),
        max_size=2,
    ),
)  # fmt: skip
def test_requests_made_up_by_chance_get_an_answer_and_do_no_harm(
    victim: EngineProcess, route: tuple[str, str], name: str, query: list[tuple[str, str]], body: object, version: str, headers: dict[str, str]
) -> None:  # fmt: skip
    method, pattern = route
    path = version + pattern.replace("{}", quote(name, safe=":@"))
    path += "?" + "&".join(
        f"{key}={quote(value)}"
        for key, value in query
        if (pattern, key) not in (("/build", "remote"), ("/images/create", "fromImage"))
    )
    data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
    connection = UnixConnection(victim.socket, 20)
    try:
        connection.request(method, path, data, {"Content-Type": "application/json", **headers})
        response = connection.getresponse()
        said = response.read()
    except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
        said = b""
    finally:
        connection.close()
    assert b"internal error" not in said and b"Traceback" not in said, (method, path, data, said)
    assert victim.process is not None and victim.process.poll() is None


HOSTILE_LAYERS: dict[str, list[tuple[str, str | bytes | tarfile.TarInfo]]] = {
    "climbs": [("../../../../../../../../{outside}/secret", "evil")],
    "absolute": [("{outside}/secret", "evil")],
    "absolute link": [("l", entry(tarfile.SYMTYPE, "{outside}")), ("l/secret", "evil"), ("l/new", "evil")],
    "relative link": [("l", entry(tarfile.SYMTYPE, "../" * 12 + "{outside}")), ("l/secret", "evil")],
    "hard link out": [("h", entry(tarfile.LNKTYPE, "{outside}/secret")), ("h", "evil")],
    "hard link by a link": [
        ("l", entry(tarfile.SYMTYPE, "{outside}")),
        ("h", entry(tarfile.LNKTYPE, "l/secret")),
    ],
    "devices": [
        ("mem", entry(tarfile.CHRTYPE, devmajor=1, devminor=1, mode=0o666)),
        ("sda", entry(tarfile.BLKTYPE, devmajor=8)),
    ],
    "whiteout of the parent": [("a/.wh...", "")],
    "whiteout of the root": [(".wh..", "")],
    "whiteout through a link": [("l", entry(tarfile.SYMTYPE, "{outside}")), ("l/.wh.secret", "")],
    "opaque through a link": [("l", entry(tarfile.SYMTYPE, "{outside}")), ("l/.wh..wh..opq", "")],
}


@pytest.mark.parametrize("kind", HOSTILE_LAYERS)
def test_hostile_layers_get_nowhere(victim: EngineProcess, tmp_path: Path, kind: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("untouched")
    members: list[tuple[str, str | bytes | tarfile.TarInfo]] = []
    for name, content in HOSTILE_LAYERS[kind]:
        if isinstance(content, tarfile.TarInfo):
            content = entry(
                content.type, content.linkname.format(outside=str(outside).lstrip("/") if "../" in content.linkname else outside),
                devmajor=content.devmajor, devminor=content.devminor, mode=content.mode,
            )  # fmt: skip
        members.append((name.format(outside=str(outside).lstrip("/") if ".." in name else outside), content))
    layer = tar_of([("bin/", entry(tarfile.DIRTYPE, mode=0o755)), *members])
    said = victim.exchange("POST", "/images/load?quiet=1", raw=docker_archive([layer], ["hostile:1"]))[2]
    assert (outside / "secret").read_text() == "untouched" and (outside / "secret").stat().st_nlink == 1
    assert [path.name for path in outside.iterdir()] == ["secret"]
    if b"error" not in said:
        folders = victim.request("GET", "/images/hostile:1/json")[1]["GraphDriver"]["Data"]["UpperDir"]
        for root, _, names in os.walk(folders):
            for one in names:
                status = os.lstat(f"{root}/{one}")
                assert not (status.st_rdev and (status.st_mode & 0o170000) in (0o020000, 0o060000)), one
        assert victim.request("DELETE", "/images/hostile:1?force=1")[0] == 200
    for path in ("/build?t=x", "/containers/real/archive?path=/tmp"):
        method = "POST" if path.startswith("/build") else "PUT"
        victim.exchange(method, path, raw=layer)
        assert (outside / "secret").read_text() == "untouched"
        assert [one.name for one in outside.iterdir()] == ["secret"]
    assert victim.request("GET", "/_ping")[0] == 200


@pytest.mark.parametrize("packing", ["gzip", "bzip2", "xz", "zstd", "gzip in gzip"])
def test_bombs_neither_fill_the_disk_nor_the_memory(packing: str) -> None:
    import zstandard

    bomb = tar_of([("zeros", bytes(60 * MB))])
    pack = {
        "gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress, "zstd": zstandard.ZstdCompressor().compress,
        "gzip in gzip": lambda data: gzip.compress(gzip.compress(data)),
    }[packing]  # fmt: skip
    packed = pack(bomb)
    assert len(packed) < MB
    engine = SmallEngine()
    try:
        engine.start()
        load_busybox(engine)
        for path, raw in (
            ("/images/load", packed),
            ("/images/create?fromSrc=-&repo=bomb", packed),
            ("/build?t=bomb", packed),
        ):
            refused(
                engine.request("POST", path, raw=raw),
                "unpacks to more than",
                "not a tar archive",
                "holds no image",
                "cannot locate",
            )
            assert engine.names() == [IMAGE]
        peak = next(
            line
            for line in Path(f"/proc/{engine.pid}/status").read_text().splitlines()
            if line.startswith("VmHWM")
        )
        assert int(peak.split()[1]) < 250_000, peak
        engine.works()
    finally:
        engine.close()


def test_an_answer_that_cannot_be_completed_is_cut_off(own_engine: EngineProcess) -> None:
    """A layer that is lost while it is being sent: the client sees that it has not all, and the engine goes on."""
    blobs = own_engine.state_dir / "images" / "blobs"
    blobs.rename(blobs.with_name("away"))
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        own_engine.exchange("GET", f"/images/{IMAGE}/get")
    assert own_engine.request("GET", "/_ping")[0] == 200
    blobs.with_name("away").rename(blobs)
    assert own_engine.exchange("GET", f"/images/{IMAGE}/get")[0] == 200


def test_more_connections_than_descriptors_do_not_end_the_engine(own_engine: EngineProcess) -> None:
    """Whoever holds thousands of connections open is let go of, and the engine serves again."""
    import resource

    soft = 256
    resource.prlimit(own_engine.pid, resource.RLIMIT_NOFILE, (soft, soft))
    held: list[socket.socket] = []
    for _ in range(soft + 50):
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(0.5)
        try:
            client.connect(str(own_engine.socket))
        except OSError:
            client.close()
            break
        held.append(client)
    time.sleep(0.3)
    assert own_engine.process is not None and own_engine.process.poll() is None
    for client in held:
        client.close()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            if EngineClient(own_engine.root, own_engine.socket).request("GET", "/_ping", timeout=2)[0] == 200:
                break
        except OSError:
            time.sleep(0.1)
    else:
        raise AssertionError("it does not answer any more")
    made = own_engine.request("POST", "/containers/create", {"Image": IMAGE, "Cmd": ["true"]})[1]["Id"]
    assert own_engine.request("POST", f"/containers/{made}/start")[0] == 204
