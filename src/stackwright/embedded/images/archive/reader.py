"""Reads tar streams: ustar, GNU long names, PAX.

Why not :mod:`tarfile`: layers come from strangers, and it reads an extended header of any announced size
into memory;
it also spends most of the time of unpacking a layer of many small files. Sparse files are refused, as
nothing that writes images or build contexts makes them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, Protocol

from stackwright.embedded.images.archive.errors import BadArchive, TooLarge
from stackwright.embedded.images.archive.limits import Limits

BLOCK = 512
CHUNK = 1 << 18
_ZERO_BLOCK = bytes(BLOCK)
_SECOND = 1_000_000_000

Kind = Literal["file", "dir", "symlink", "hardlink", "char", "block", "fifo"]
_KINDS: dict[bytes, Kind] = {
    b"0": "file",
    b"\0": "file",
    b"7": "file",
    b"1": "hardlink",
    b"2": "symlink",
    b"3": "char",
    b"4": "block",
    b"5": "dir",
    b"6": "fifo",
}
_XATTR = "SCHILY.xattr."


class Readable(Protocol):
    """Anything with a blocking ``read``."""

    def read(self, size: int, /) -> bytes: ...


@dataclass(slots=True)
class Entry:
    """One archive member. Names are undecoded bytes in disguise (``surrogateescape``), exactly as archived."""

    name: str
    kind: Kind
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    size: int = 0
    mtime_ns: int = 0
    linkname: str = ""
    major: int = 0
    minor: int = 0
    xattrs: dict[str, bytes] = field(default_factory=dict)


class TarReader:
    """Iterate to get the entries; read one's content with :meth:`chunks` before asking for the next."""

    def __init__(self, stream: Readable, limits: Limits | None = None) -> None:
        self._stream = stream
        self._limits = limits or Limits()
        self._left = 0
        self._padding = 0
        self._unpacked = 0
        self._entries = 0

    def __iter__(self) -> Iterator[Entry]:
        global_pax: dict[str, bytes] = {}
        while True:
            pax: dict[str, bytes] = {}
            long_name = long_link = None
            while True:
                header = self._header()
                if header is None:
                    return
                flag = header[156:157]
                if flag == b"x":
                    pax = _parse_pax(self._extended(header))
                elif flag == b"g":
                    global_pax |= _parse_pax(self._extended(header))
                elif flag == b"L":
                    long_name = self._extended(header).split(b"\0", 1)[0]
                elif flag == b"K":
                    long_link = self._extended(header).split(b"\0", 1)[0]
                else:
                    break
            entry = self._entry(header, {**global_pax, **pax} if global_pax else pax, long_name, long_link)
            self._entries += 1
            if self._entries > self._limits.entries:
                raise TooLarge(f"the archive has more than {self._limits.entries} entries")
            yield entry

    def chunks(self) -> Iterator[bytes]:
        """The content of the current entry, piece by piece."""
        while self._left:
            data = self._stream.read(min(self._left, CHUNK))
            if not data:
                raise BadArchive("unexpected end of the archive")
            self._left -= len(data)
            self._unpacked += len(data)
            if self._unpacked > self._limits.unpacked:
                raise TooLarge(
                    f"the archive unpacks to more than {self._limits.unpacked} bytes, "
                    "which is all that may be used here"
                )
            yield data

    def content(self, most: int = 8 << 20) -> bytes:
        """The whole content of the current entry, which has to be small."""
        if self._left > most:
            raise TooLarge(f"an entry of {self._left} bytes where at most {most} make sense")
        return b"".join(self.chunks())

    def drain(self) -> None:
        """Read to the end of the stream, so that whoever hashes it has seen everything."""
        while self._stream.read(CHUNK):
            pass

    def _header(self) -> bytes | None:
        for _ in self.chunks():  # what the consumer left unread
            pass
        if self._padding:
            padding, self._padding = self._padding, 0
            try:
                self._exactly(padding)
            except BadArchive:
                return None  # the docker client ends contexts with `-f` so: nothing of an entry is missing
        header = self._stream.read(BLOCK)
        while header and len(header) < BLOCK and (more := self._stream.read(BLOCK - len(header))):
            header += more
        if not header or header == _ZERO_BLOCK:
            return None
        if len(header) < BLOCK:
            raise BadArchive("unexpected end of the archive")
        recorded = _number(header[148:156])
        actual = sum(header) - sum(header[148:156]) + 256
        if recorded != actual and recorded != actual - 256 * sum(b > 127 for b in header):
            raise BadArchive("this is not a tar archive, or it is damaged (wrong header checksum)")
        return header

    def _extended(self, header: bytes) -> bytes:
        size = _number(header[124:136])
        if not 0 <= size <= self._limits.header:
            raise BadArchive(f"an extended header of {size} bytes; at most {self._limits.header} are read")
        return self._exactly(size + -size % BLOCK)[:size]

    def _exactly(self, size: int) -> bytes:
        data = self._stream.read(size)
        while len(data) < size:
            more = self._stream.read(size - len(data))
            if not more:
                raise BadArchive("unexpected end of the archive")
            data += more
        return data

    def _entry(
        self, header: bytes, pax: dict[str, bytes], long_name: bytes | None, long_link: bytes | None
    ) -> Entry:
        name = header[:100].split(b"\0", 1)[0]
        if header[257:263] == b"ustar\0" and header[345] and long_name is None:
            name = header[345:500].split(b"\0", 1)[0] + b"/" + name
        link = header[157:257].split(b"\0", 1)[0]
        name = pax.get("path", long_name if long_name is not None else name)
        link = pax.get("linkpath", long_link if long_link is not None else link)
        shown = name[:200].decode(errors="replace")
        if b"\0" in name or b"\0" in link or len(name) > self._limits.name or len(link) > self._limits.name:
            raise BadArchive(f'"{shown}": name too long, or with a zero byte')
        flag = header[156:157]
        kind = _KINDS.get(flag)
        if kind is None or any(key.startswith("GNU.sparse") for key in pax):
            what = "sparse file" if flag in (b"S", b"0", b"\0") else f"entry of type {flag!r}"
            raise BadArchive(f'"{shown}": {what}, which is not supported')
        if kind == "file" and name.endswith(b"/"):
            kind = "dir"  # how archives older than ustar mark folders
        size = _pax_number(pax, "size", _number(header[124:136]))
        if size < 0:
            raise BadArchive(f'"{shown}": negative size')
        if kind != "file":
            size = 0 if kind in ("dir", "symlink", "hardlink") or not size else size
        self._left, self._padding = size, -size % BLOCK
        return Entry(
            name=os.fsdecode(name),
            kind=kind,
            mode=_number(header[100:108]) & 0o7777,
            uid=_pax_number(pax, "uid", _number(header[108:116])),
            gid=_pax_number(pax, "gid", _number(header[116:124])),
            size=size,
            mtime_ns=_within(_pax_time(pax) if "mtime" in pax else _number(header[136:148]) * _SECOND),
            linkname=os.fsdecode(link),
            major=_number(header[329:337]) if kind in ("char", "block") else 0,
            minor=_number(header[337:345]) if kind in ("char", "block") else 0,
            xattrs={k[len(_XATTR) :]: v for k, v in pax.items() if k.startswith(_XATTR)} if pax else {},
        )


def _number(field_bytes: bytes) -> int:
    """Octal text, or GNU's base-256 for what does not fit."""
    if field_bytes[0] & 0x80:
        value = int.from_bytes(field_bytes, "big", signed=False) & ~(0x80 << 8 * (len(field_bytes) - 1))
        if field_bytes[0] & 0x40:
            value -= 0x80 << 8 * (len(field_bytes) - 1)
        return value
    text = field_bytes.split(b"\0", 1)[0].strip()
    if not text:
        return 0
    try:
        return int(text, 8)
    except ValueError:
        raise BadArchive(
            "this is not a tar archive, or it is damaged (a header field is no number)"
        ) from None


def _within(nanoseconds: int) -> int:
    """A time that every file system can store."""
    return max(-(1 << 31) * _SECOND, min(nanoseconds, (1 << 33) * _SECOND))


def _pax_number(pax: dict[str, bytes], key: str, default: int) -> int:
    if key not in pax:
        return default
    try:
        return int(pax[key])
    except ValueError:
        raise BadArchive(f"the extended header says {key}={pax[key][:40]!r}") from None


def _pax_time(pax: dict[str, bytes]) -> int:
    whole, _, fraction = pax["mtime"].partition(b".")
    try:
        nanoseconds = int((fraction + b"000000000")[:9])
        return int(whole) * _SECOND + (-nanoseconds if whole.startswith(b"-") else nanoseconds)
    except ValueError:
        raise BadArchive(f"the extended header says mtime={pax['mtime'][:40]!r}") from None


def _parse_pax(data: bytes) -> dict[str, bytes]:
    """Records ``<length> <key>=<value>\\n``, the length counting the whole record (POSIX pax)."""
    found: dict[str, bytes] = {}
    position = 0
    while position < len(data) and data[position]:
        space = data.find(b" ", position, position + 12)
        try:
            length = int(data[position:space]) if space > 0 else 0
        except ValueError:
            length = 0
        record = data[space + 1 : position + length]
        key, equals, value = record.partition(b"=")
        if length <= 0 or position + length > len(data) or not record.endswith(b"\n") or not equals:
            raise BadArchive("damaged extended header")
        found[key.decode(errors="replace")] = value[:-1]
        position += length
    return found
