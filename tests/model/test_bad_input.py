"""Input that is hostile or just wrong: one clear message, never a traceback, bounded time and memory."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.model.support import HOME

from stackwright.model.load import ModelErrors, Request, read_model
from stackwright.model.sources import MAX_BYTES

SERVICE = b"services:\n  web:\n    image: nginx\n"


@pytest.fixture(autouse=True)
def bounded() -> Iterator[None]:
    """Two seconds of work, and 300 MB more than before."""
    started, memory = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert time.process_time() - started < 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 300 * 1024


def problems(path: Path, **request: Any) -> list[Any]:
    with pytest.raises(ModelErrors) as caught:
        read_model(
            Request([path], environment=HOME, working_directory=path.parent, project_name="p", **request)
        )
    return list(caught.value.problems)


def problem(folder: Path, text: bytes) -> Any:
    file = folder / "compose.yaml"
    file.write_bytes(text)
    (only,) = problems(file)
    return only


def nested(bomb: bytes, item: bytes) -> bytes:
    return bomb + b"".join(
        b"x-%c: &%c %s\n" % (name, name, item % tuple([b"*%c" % (name - 1)] * 9)) for name in range(98, 110)
    )


@pytest.mark.parametrize(
    "text",
    [
        nested(b"x-a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]\n", b"[" + b", ".join([b"%s"] * 9) + b"]"),
        nested(b"x-a: &a {b: 1}\n", b"{" + b", ".join(b"k%d: %%s" % i for i in range(9)) + b"}"),
    ],
    ids=["lists", "mappings"],
)
def test_an_alias_bomb_is_refused(tmp_path: Path, text: bytes) -> None:
    found = problem(tmp_path, text)
    assert found.code == "yaml-alias-bomb"
    assert found.line > 1


def test_an_anchor_that_contains_itself_is_refused(tmp_path: Path) -> None:
    assert problem(tmp_path, b"x-a: &a [*a]\n" + SERVICE).code == "yaml-alias"


@pytest.mark.parametrize(
    "text",
    [b"x-a: " + b"[" * 10_000 + b"]" * 10_000, b"x-a: " + b"{a: " * 10_000 + b"}" * 10_000],
    ids=["lists", "mappings"],
)
def test_ten_thousand_levels_of_nesting_are_refused(tmp_path: Path, text: bytes) -> None:
    found = problem(tmp_path, text)
    assert (found.code, found.line) == ("yaml-depth", 1)


def test_a_file_of_100_megabytes_is_refused_without_reading_it(tmp_path: Path) -> None:
    file = tmp_path / "compose.yaml"
    with file.open("wb") as stream:
        stream.truncate(100 * 1024 * 1024)
    (found,) = problems(file)
    assert found.code == "file"
    assert "100 MiB" in found.message


def test_an_endless_device_is_refused() -> None:
    (found,) = problems(Path("/dev/zero"))
    assert f"{MAX_BYTES // 1024 // 1024} MiB" in found.message


def test_text_that_is_not_utf8_is_placed(tmp_path: Path) -> None:
    found = problem(tmp_path, SERVICE + b"    hostname: caf\xe9\n")
    assert (found.code, found.line, found.column) == ("yaml-encoding", 4, 18)


def test_nul_bytes_are_placed(tmp_path: Path) -> None:
    found = problem(tmp_path, SERVICE + b"    hostname: a\0b\n")
    assert (found.code, found.line) == ("yaml-encoding", 4)


def test_tabs_are_named(tmp_path: Path) -> None:
    found = problem(tmp_path, b"services:\n\tweb: {image: x}\n")
    assert (found.message, found.suggestion) == ("a tab cannot be used for indentation", "indent with spaces")


def test_of_duplicate_keys_both_places_are_told(tmp_path: Path) -> None:
    found = problem(tmp_path, SERVICE + b"    image: httpd\n")
    assert (found.code, found.line) == ("yaml-duplicate-key", 4)
    assert "line 3" in found.message


@pytest.mark.parametrize("text", [b"", b"# nothing\n"], ids=["empty", "comment"])
def test_an_empty_file_is_told(tmp_path: Path, text: bytes) -> None:
    assert problem(tmp_path, text).code == "empty"


def test_ranges_of_millions_of_ports_are_refused(tmp_path: Path) -> None:
    ranges = ", ".join(f'"127.0.0.{i}:1-65535:1-65535"' for i in range(1, 100))
    file = tmp_path / "compose.yaml"
    file.write_bytes(SERVICE + f"    ports: [{ranges}]\n".encode())
    assert {found.code for found in problems(file)} == {"port"}


def test_a_directory_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "compose.yaml"
    folder.mkdir()
    (found,) = problems(folder)
    assert "is a directory" in found.message


def test_a_pipe_that_nobody_writes_to_does_not_hang(tmp_path: Path) -> None:
    pipe = tmp_path / "compose.yaml"
    os.mkfifo(pipe)
    assert problems(pipe)


def test_a_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, SERVICE)
    os.close(writing)
    path = Path(f"/proc/self/fd/{reading}")
    model = read_model(Request([path], environment=HOME, working_directory=tmp_path, project_name="p"))
    os.close(reading)
    assert list(model.data["services"]) == ["web"]


def test_a_file_that_is_missing_is_told(tmp_path: Path) -> None:
    (found,) = problems(tmp_path / "nope.yaml")
    assert "no such file" in found.message


def test_an_env_file_with_a_broken_line_is_placed(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_bytes(SERVICE)
    (tmp_path / "a.env").write_text("A=1\n\nB C=2\n")
    (found,) = problems(tmp_path / "compose.yaml", env_files=[tmp_path / "a.env"])
    assert (Path(found.file).name, found.line) == ("a.env", 3)


def test_an_env_file_that_is_not_utf8_is_placed(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_bytes(SERVICE)
    (tmp_path / "a.env").write_bytes(b"A=1\nB=\xff\n")
    (found,) = problems(tmp_path / "compose.yaml", env_files=[tmp_path / "a.env"])
    assert (found.line, found.column) == (2, 3)


def test_files_that_include_each_other_are_told(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_bytes(b"include: [more.yaml]\n" + SERVICE)
    (tmp_path / "more.yaml").write_bytes(b"include: [compose.yaml]\n")
    (found,) = problems(tmp_path / "compose.yaml")
    assert found.code == "include-cycle"
    assert "compose.yaml → more.yaml → compose.yaml" in found.message


@pytest.mark.parametrize("length", [1, 2, 60])
def test_services_that_extend_in_a_circle_are_told(tmp_path: Path, length: int) -> None:
    lines = [f"  s{i}: {{extends: s{(i + 1) % length}}}\n" for i in range(length)]
    file = tmp_path / "compose.yaml"
    file.write_text("services:\n" + "".join(lines))
    assert {found.code for found in problems(file)} == {"extends-cycle"}


def test_a_long_chain_of_extends_is_followed(tmp_path: Path) -> None:
    lines = [f"  s{i}: {{extends: s{i + 1}}}\n" for i in range(100)]
    (tmp_path / "compose.yaml").write_text("services:\n" + "".join(lines) + "  s100: {image: x}\n")
    request = Request([tmp_path / "compose.yaml"], environment=HOME, project_name="p")
    assert read_model(request).data["services"]["s0"]["image"] == "x"


@pytest.mark.parametrize("ending", [b"\r", b"\xc2\x85", b"\xe2\x80\xa8"], ids=["CR", "NEL", "LS"])
def test_other_line_ends_are_counted(tmp_path: Path, ending: bytes) -> None:
    found = problem(tmp_path, b"services: {" + ending + b"web: [" + ending)
    assert found.code == "yaml-syntax"


def test_utf16_is_read(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_bytes(SERVICE.decode().encode("utf-16"))
    request = Request([tmp_path / "compose.yaml"], environment=HOME, project_name="p")
    assert read_model(request).data["services"]["web"]["image"] == "nginx"
