"""The log file's format, and reading it back."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from stackwright.embedded.containers.jsonlog import PARTIAL, JsonLog, log_path
from stackwright.embedded.containers.logs import LogLine, parse_time, read_log


def records(directory: Path, name: str = "json.log") -> list[dict[str, str]]:
    return [json.loads(line) for line in (directory / name).read_bytes().splitlines()]


def written(
    directory: Path, *chunks: bytes, max_size: int = 0, max_file: int = 1, close: bool = True
) -> JsonLog:
    log = JsonLog(str(directory), max_size, max_file)
    for chunk in chunks:
        log.write("stdout", chunk)
    if close:
        log.close()
    return log


async def collect(lines: AsyncIterator[LogLine]) -> list[bytes]:
    async with asyncio.timeout(10):
        return [line.data async for line in lines]


def test_record_is_dockers(tmp_path: Path) -> None:
    before = time.time_ns()
    written(tmp_path, 'grüße \x01 "quoted" \\ \t\n'.encode())
    (record,) = records(tmp_path)
    assert list(record) == ["log", "stream", "time"]
    assert record["log"] == 'grüße \x01 "quoted" \\ \t\n'
    assert record["stream"] == "stdout"
    assert before <= parse_time(record["time"]) <= time.time_ns()


def test_line_in_pieces_is_one_record(tmp_path: Path) -> None:
    written(tmp_path, b"one ", b"line\ntwo\nth", b"ree\n")
    assert [r["log"] for r in records(tmp_path)] == ["one line\n", "two\n", "three\n"]


def test_last_line_without_newline_is_written_as_it_is(tmp_path: Path) -> None:
    written(tmp_path, b"no newline")
    assert [r["log"] for r in records(tmp_path)] == ["no newline"]


def test_long_line_is_written_in_pieces_only_the_last_of_which_ends(tmp_path: Path) -> None:
    written(tmp_path, b"x" * (PARTIAL * 2 + 5), b"\n")
    logged = [r["log"] for r in records(tmp_path)]
    assert [len(text) for text in logged] == [PARTIAL, PARTIAL, 6]
    assert [text.endswith("\n") for text in logged] == [False, False, True]


def test_bytes_that_are_not_utf_8_become_replacement_characters(tmp_path: Path) -> None:
    written(tmp_path, b"\xff\xfeok\n")
    assert records(tmp_path)[0]["log"] == "\ufffd\ufffdok\n"


def test_rotation_keeps_the_wanted_number_of_files(tmp_path: Path) -> None:
    written(tmp_path, *(b"line %04d\n" % n for n in range(100)), max_size=1000, max_file=3)
    names = sorted(entry.name for entry in tmp_path.iterdir())
    assert names == ["json.log", "json.log.1", "json.log.2"]
    assert all((tmp_path / name).stat().st_size <= 1000 for name in names)
    logged = [r["log"] for name in reversed(names) for r in records(tmp_path, name)]
    assert logged[-1] == "line 0099\n"
    assert logged == [f"line {n:04d}\n" for n in range(100 - len(logged), 100)]


def test_rotation_with_a_single_file_starts_it_again(tmp_path: Path) -> None:
    written(tmp_path, *(b"line %04d\n" % n for n in range(100)), max_size=1000)
    assert [entry.name for entry in tmp_path.iterdir()] == ["json.log"]


@pytest.mark.root
def test_full_disk_loses_lines_but_no_half_records(tmp_path: Path) -> None:
    from stackwright.embedded.kernel import mount

    disk = tmp_path / "disk"
    disk.mkdir()
    mount.mount("tmpfs", str(disk), "tmpfs", 0, "size=64k")
    try:
        log = written(disk, *(b"y" * 1000 + b"\n" for _ in range(200)), close=False)
        assert all(len(r["log"]) == 1001 for r in records(disk))
        os.truncate(log_path(str(disk)), 0)
        log.close()
        written(disk, b"room again\n")
        assert records(disk)[-1]["log"] == "room again\n"
    finally:
        mount.umount(str(disk), mount.MNT_DETACH)


async def test_tail_since_and_until(tmp_path: Path) -> None:
    log = JsonLog(str(tmp_path), 0, 1)
    marks = []
    for number in range(5):
        log.write("stdout", b"%d\n" % number)
        time.sleep(0.002)
        marks.append(time.time_ns())
    log.close()
    assert await collect(read_log(tmp_path, tail=2)) == [b"3\n", b"4\n"]
    assert await collect(read_log(tmp_path, tail=0)) == []
    assert await collect(read_log(tmp_path, tail=99)) == [b"%d\n" % n for n in range(5)]
    assert await collect(read_log(tmp_path, since=marks[1])) == [b"2\n", b"3\n", b"4\n"]
    assert await collect(read_log(tmp_path, until=marks[1])) == [b"0\n", b"1\n"]
    assert await collect(read_log(tmp_path, since=marks[0], until=marks[3], tail=1)) == [b"3\n"]


async def test_tail_reaches_back_into_rotated_files(tmp_path: Path) -> None:
    written(tmp_path, *(b"line %04d\n" % n for n in range(30)), max_size=1000, max_file=5)
    assert await collect(read_log(tmp_path, tail=25)) == [b"line %04d\n" % n for n in range(5, 30)]


async def test_follow_sees_every_line_over_many_rotations_and_ends_with_the_container(tmp_path: Path) -> None:
    log = JsonLog(str(tmp_path), 2000, 50)

    async def write() -> None:
        for number in range(600):
            log.write("stdout", b"line %04d\n" % number)
            if number % 20 == 0:
                await asyncio.sleep(0.002)
        log.close()
        (tmp_path / "exit.json").write_text("{}")

    async with asyncio.TaskGroup() as group:
        reading = group.create_task(collect(read_log(tmp_path, follow=True)))
        await asyncio.sleep(0.05)
        group.create_task(write())
    assert reading.result() == [b"line %04d\n" % n for n in range(600)]


async def test_follow_waits_for_the_first_line_and_stops_at_until(tmp_path: Path) -> None:
    until = time.time_ns() + 300_000_000

    async def write() -> None:
        await asyncio.sleep(0.1)
        written(tmp_path, b"late\n")

    async with asyncio.TaskGroup() as group:
        reading = group.create_task(collect(read_log(tmp_path, follow=True, until=until)))
        group.create_task(write())
    assert reading.result() == [b"late\n"]


async def test_half_a_record_is_skipped(tmp_path: Path) -> None:
    written(tmp_path, b"whole\n")
    with (tmp_path / "json.log").open("ab") as file:
        file.write(b'{"log":"half\n')
    written(tmp_path, b"next\n")
    assert await collect(read_log(tmp_path)) == [b"whole\n", b"next\n"]


async def test_followers_leave_no_descriptor_open(tmp_path: Path) -> None:
    written(tmp_path, b"x\n")
    before = len(list(Path("/proc/self/fd").iterdir()))
    (tmp_path / "exit.json").write_text("{}")
    for _ in range(5):
        await collect(read_log(tmp_path, follow=True))
    assert len(list(Path("/proc/self/fd").iterdir())) == before
