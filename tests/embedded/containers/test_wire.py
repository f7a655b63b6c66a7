"""Frames and records."""

from __future__ import annotations

import _socket
import os

import pytest

from stackwright.embedded.containers import wire


def test_frames_are_found_however_they_are_cut() -> None:
    data = wire.frame(wire.STDOUT, b"a" * 10) + wire.message("x", n=1) + wire.frame(wire.STDERR, b"")
    for step in (1, 3, 7, len(data)):
        splitter = wire.Splitter()
        frames = [f for start in range(0, len(data), step) for f in splitter.feed(data[start : start + step])]
        assert [kind for kind, _ in frames] == [wire.STDOUT, wire.MESSAGE, wire.STDERR]
        assert wire.parse(frames[1][1]).n == 1


def test_message_becomes_a_record() -> None:
    ((_, payload),) = wire.Splitter().feed(wire.message("start", spec={"a": {"b": [1, {"c": "d"}]}}))
    record = wire.parse(payload)
    assert record.op == "start"
    assert record.spec.a.b[1].c == "d"


def test_overlong_frames_and_garbage_are_refused() -> None:
    with pytest.raises(wire.ProtocolError):
        wire.Splitter().feed(wire.HEADER.pack(wire.STDIN, wire.MAX_PAYLOAD + 1))
    with pytest.raises(wire.ProtocolError):
        wire.parse(b"\xff{")


def test_descriptors_travel_beside_a_message() -> None:
    left, right = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        reading, writing = os.pipe()
        wire.send(left, wire.message("take"), (writing,))
        os.close(writing)
        record, descriptors = wire.receive_message_with(right)
        assert record.op == "take"
        os.write(descriptors[0], b"through")
        assert os.read(reading, 10) == b"through"
        for fd in (reading, *descriptors):
            os.close(fd)
    finally:
        left.close()
        right.close()


def test_end_of_the_peer_is_none() -> None:
    left, right = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM)
    left.close()
    assert wire.receive_message(right) is None
    right.close()
