"""Files from a stranger: what a client sends stays inside the folder it is for."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from stackwright.embedded.buildkit import messages_pb2 as pb
from stackwright.embedded.buildkit.receive import Receiver
from stackwright.embedded.errors import BadParameter
from stackwright.embedded.images.archive.limits import Limits

FOLDER, LINK, PIPE, DEVICE = 1 << 31, 1 << 27, 1 << 25, 1 << 26


class Sender:
    """The other end of the protocol, with files that do not exist anywhere."""

    def __init__(self, *entries: tuple[pb.Stat, bytes]) -> None:
        self._entries = entries
        self._waiting: asyncio.Queue[pb.Packet] = asyncio.Queue()
        for sent, _ in entries:
            self._waiting.put_nowait(pb.Packet(type=pb.Packet.PACKET_STAT, stat=sent))
        self._waiting.put_nowait(pb.Packet(type=pb.Packet.PACKET_STAT))
        self.asked: list[int] = []

    async def packets(self) -> AsyncIterator[pb.Packet]:
        while True:
            yield await self._waiting.get()

    async def hear(self, message: pb.Packet, *, end: bool = False) -> None:
        if message.type == pb.Packet.PACKET_REQ:
            self.asked.append(message.ID)
            content = self._entries[message.ID][1]
            for piece in (content, b"") if content else (b"",):
                self._waiting.put_nowait(pb.Packet(type=pb.Packet.PACKET_DATA, ID=message.ID, data=piece))
        elif message.type == pb.Packet.PACKET_FIN:
            assert end
            self._waiting.put_nowait(pb.Packet(type=pb.Packet.PACKET_FIN))


def entry(path: str, content: bytes = b"", *, mode: int = 0o644, link: str = "") -> tuple[pb.Stat, bytes]:
    sent = pb.Stat(path=path, mode=mode, size=len(content), linkname=link, modTime=1_000_000_000_000_000_000)
    return sent, content


async def receive(folder: Path, *entries: tuple[pb.Stat, bytes], limits: Limits | None = None) -> Receiver:
    sender = Sender(*entries)
    receiver = Receiver(folder, limits or Limits())
    async with asyncio.timeout(10):
        await receiver.run(sender.packets(), sender.hear)
    return receiver


async def test_files_folders_links_and_their_attributes_arrive(tmp_path: Path) -> None:
    big = os.urandom(100_000)
    done = await receive(
        tmp_path,
        entry("a", mode=FOLDER | 0o750),
        entry("a/big", big, mode=0o755),
        entry("a/empty"),
        entry("a/same", mode=0o755, link="a/big"),
        entry("link", mode=LINK | 0o777, link="/etc/passwd"),
        entry("pipe", mode=PIPE | 0o600),
        entry("tool", b"x", mode=1 << 23 | 0o755),
    )
    assert done.received == len(big) + 1
    assert (tmp_path / "a" / "big").read_bytes() == big
    assert (tmp_path / "a" / "same").samefile(tmp_path / "a" / "big")
    assert (tmp_path / "a" / "empty").read_bytes() == b""
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o750
    assert (tmp_path / "a").stat().st_mtime == 1_000_000_000
    assert (tmp_path / "a" / "empty").stat().st_mtime == 1_000_000_000
    assert (tmp_path / "link").readlink() == Path("/etc/passwd")
    assert (tmp_path / "pipe").is_fifo()
    assert stat.S_IMODE((tmp_path / "tool").stat().st_mode) == 0o4755


async def test_many_files_are_asked_for_in_turn(tmp_path: Path) -> None:
    entries = [entry(f"{number:04}", str(number).encode()) for number in range(500)]
    await receive(tmp_path, *entries)
    assert all((tmp_path / f"{n:04}").read_text() == str(n) for n in range(500))


@pytest.mark.parametrize(
    "path", ["../out", "/out", "..", ".", "", "a/../../out", "a//b", "a/./b", "a\0b", "missing/b", "a/"]
)
async def test_a_path_that_leads_elsewhere_is_refused(tmp_path: Path, path: str) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    with pytest.raises(BadParameter):
        await receive(inside, entry("a", mode=FOLDER | 0o755), entry(path, b"x"))
    assert [one.name for one in tmp_path.iterdir()] == ["inside"]


async def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (outside / "kept").write_text("kept")
    with pytest.raises(BadParameter, match="its folder was not sent"):
        await receive(inside, entry("d", mode=LINK | 0o777, link=str(outside)), entry("d/new", b"x"))
    (inside / "d").unlink()
    with pytest.raises(BadParameter, match="sent twice"):
        await receive(
            inside, entry("d", mode=LINK | 0o777, link=str(outside / "kept")), entry("d", b"overwritten")
        )
    assert [one.name for one in outside.iterdir()] == ["kept"]
    assert (outside / "kept").read_text() == "kept"


@pytest.mark.parametrize("target", ["../secret", "/secret", "none", "l"])
async def test_a_hard_link_reaches_only_what_was_sent(tmp_path: Path, target: str) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "secret").write_text("secret")
    with pytest.raises(BadParameter, match="hard link"):
        await receive(inside, entry("l", mode=LINK | 0o777, link="../secret"), entry("x", link=target))


async def test_devices_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadParameter, match="device"):
        await receive(tmp_path, entry("null", mode=DEVICE | 0o666))


async def test_more_than_there_is_room_for_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadParameter, match="larger than"):
        await receive(tmp_path, entry("a", b"x" * 2000), limits=Limits(unpacked=1000))
    with pytest.raises(BadParameter, match="more than 2 files"):
        await receive(tmp_path, entry("b"), entry("c"), entry("d"), limits=Limits(entries=2))


async def test_content_nobody_asked_for_is_refused(tmp_path: Path) -> None:
    async def packets() -> AsyncIterator[pb.Packet]:
        yield pb.Packet(type=pb.Packet.PACKET_DATA, ID=7, data=b"x")

    with pytest.raises(BadParameter, match="file 7"):
        await Receiver(tmp_path, Limits()).run(packets(), Sender().hear)


async def test_the_sender_s_own_error_is_passed_on(tmp_path: Path) -> None:
    async def packets() -> AsyncIterator[pb.Packet]:
        yield pb.Packet(type=pb.Packet.PACKET_ERR, data=b"permission denied")

    with pytest.raises(BadParameter, match="permission denied"):
        await Receiver(tmp_path, Limits()).run(packets(), Sender().hear)
