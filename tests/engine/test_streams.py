"""Multiplexed output and JSON lines, however the pieces fall."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackwright.engine.errors import ProtocolError
from stackwright.engine.streams import STDERR, STDOUT, demultiplex, json_lines


async def pieces(data: bytes, size: int) -> AsyncIterator[bytes]:
    for begin in range(0, len(data), size):
        yield data[begin : begin + size]


def frame(stream: int, data: bytes) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(data).to_bytes(4, "big") + data


@given(
    st.lists(st.tuples(st.sampled_from([STDOUT, STDERR]), st.binary(max_size=40)), max_size=8),
    st.integers(min_value=1, max_value=60),
)
async def test_frames_come_out_as_they_went_in(frames: list[tuple[int, bytes]], size: int) -> None:
    data = b"".join(frame(stream, content) for stream, content in frames)
    found = [(chunk.stream, chunk.data) async for chunk in demultiplex(pieces(data, size))]
    assert found == frames


async def test_a_frame_cut_off_is_dropped() -> None:
    data = frame(STDOUT, b"whole") + frame(STDERR, b"cut")[:-1]
    assert [chunk.data async for chunk in demultiplex(pieces(data, 3))] == [b"whole"]


async def test_json_lines_may_end_without_a_newline() -> None:
    data = b'{"a":1}\r\n\n{"b":2}'
    assert [message async for message in json_lines(pieces(data, 4))] == [{"a": 1}, {"b": 2}]


async def test_a_line_that_is_not_json_is_an_error() -> None:
    with pytest.raises(ProtocolError, match="not valid JSON"):
        _ = [message async for message in json_lines(pieces(b"<html>\n", 3))]
