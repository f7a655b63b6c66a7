"""Layers on disk: unpacked once, shared by every image and container that has them, ready as overlay lower
folders.

``layers/<name>/`` holds one unpacked layer each; the table ``image_layer`` says which diff id it is. A
folder gets its
row only when complete, and loses the row before it is removed: a folder without a row is what an
interrupted engine
left, and goes at the next start. ``blobs/sha256/`` keeps the archives of layers that came from elsewhere,
since their exact bytes can't be made from the folder again.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import secrets
import shutil
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, cast

from stackwright.embedded.images.archive.compression import open_compressed
from stackwright.embedded.images.archive.limits import Limits
from stackwright.embedded.images.archive.reader import TarReader
from stackwright.embedded.images.archive.unpack import UnpackPolicy, remove_tree, unpack
from stackwright.embedded.images.archive.writer import digest_layer
from stackwright.embedded.kernel.attributes import has_unrelated_folders
from stackwright.embedded.kernel.copyfile import copy_content
from stackwright.embedded.kernel.userns import give
from stackwright.embedded.state import Database
from stackwright.embedded.trash import Trash

ZSTD_LAYER = "application/vnd.oci.image.layer.v1.tar+zstd"
LAYER = UnpackPolicy(layer=True)


@dataclass(frozen=True, slots=True)
class Layer:
    """``blob``: digest of its archive in the blob folder, empty when the folder is all there is."""

    diff_id: str
    folder: Path
    size: int
    blob: str = ""
    media_type: str = ""


class LayerStore:
    """All methods block; call those that unpack, hash or copy in a thread."""

    def __init__(self, database: Database, root: Path) -> None:
        self._database, self._root = database, root
        self._layers, self._blobs, self._work = root / "layers", root / "blobs" / "sha256", root / "work"
        self._held: Counter[str] = Counter()
        self.trash = Trash(root / "trash")

    def open(self) -> None:
        """Make the folders and remove what an interrupted engine left: half unpacked layers, half loaded
        blobs.
        """
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._root.chmod(0o700)  # set-uid programs of images must not be reachable by other users of the host
        remove_tree(self._work)
        for folder in (self._layers, self._blobs, self._work):
            folder.mkdir(parents=True, exist_ok=True)
        has_unrelated_folders(self._layers)
        self.trash.empty()
        known = {row["folder"] for row in self._database.execute("SELECT folder FROM image_layer")}
        found = {folder.name for folder in self._layers.iterdir()}
        for name in found - known:
            remove_tree(self._layers / name)
        for name in known - found:
            self._database.execute("DELETE FROM image_layer WHERE folder = ?", (name,))
        kept = {row["blob"] for row in self._database.execute("SELECT blob FROM image_layer")}
        for blob in self._blobs.iterdir():
            if f"sha256:{blob.name}" not in kept and blob.suffix != ".part":
                remove_tree(blob)

    @property
    def empty(self) -> Path:
        """An empty folder: the only lower folder of an image without layers."""
        folder = self._layers.parent / "empty"
        folder.mkdir(exist_ok=True)
        return folder

    def work_folder(self, purpose: str) -> Path:
        """A new private folder; whoever asks removes it, and the next start does where they could not."""
        folder = self._work / f"{purpose}-{secrets.token_hex(5)}"
        folder.mkdir(mode=0o700)
        return folder

    def blob_path(self, digest: str) -> Path:
        """Where the blob is or would be."""
        return self._blobs / digest.removeprefix("sha256:")

    def get(self, diff_id: str) -> Layer | None:
        """The layer, when it is here."""
        row = self._database.execute("SELECT * FROM image_layer WHERE diff_id = ?", (diff_id,)).fetchone()
        return self._layer(row) if row else None

    def total_size(self) -> int:
        """Bytes of all layers, unpacked."""
        return int(self._database.execute("SELECT coalesce(sum(size), 0) FROM image_layer").fetchone()[0])

    @contextlib.contextmanager
    def holding(self, diff_ids: Iterable[str]) -> Iterator[None]:
        """Keep layers that no image names yet (a pull or build under way) from being collected."""
        held = list(diff_ids)
        self._held.update(held)
        try:
            yield
        finally:
            self._held.subtract(held)

    def hold(self, diff_id: str) -> None:
        """As :meth:`holding`, until :meth:`release`."""
        self._held[diff_id] += 1

    def release(self, diff_id: str) -> None:
        """Undo one :meth:`hold`."""
        self._held[diff_id] -= 1

    def add_archive(
        self, stream: BinaryIO, *, expected: str = "", blob: str = "", media_type: str = ""
    ) -> Layer:
        """Unpack a layer archive (plain or compressed). ``expected``: refuse it when its diff id is another.

        ``blob``/``media_type``: the archive is kept in the blob folder under this digest.
        """
        folder = self._layers / secrets.token_hex(6)
        folder.mkdir(mode=0o755)
        try:
            hashed = Hashing(open_compressed(stream))
            reader = TarReader(io.BufferedReader(hashed, 1 << 17), Limits.for_folder(folder))
            done = unpack(reader, folder, LAYER)
            reader.drain()
            diff_id = hashed.digest
            if expected and diff_id != expected:
                from stackwright.embedded.images.archive.errors import BadArchive

                raise BadArchive(f"layer verification failed: expected {expected}, unpacked {diff_id}")
            return self._record(diff_id, folder, done.size, blob, media_type)
        except BaseException:
            remove_tree(folder)
            raise

    def add_folder(self, source: Path, *, take: bool, without: Sequence[str] = ()) -> Layer:
        """Make an overlay upper folder a layer: moved when ``take`` and on this file system, else copied.

        ``without``: absolute paths of files and empty folders in it that are not copied.
        """
        folder = self._layers / secrets.token_hex(6)
        try:
            if take:
                shutil.move(source, folder)
            else:
                copy_tree(source, folder, without)
            diff_id, size = digest_layer(folder)
            return self._record(diff_id, folder, size, "", "")
        except BaseException:
            remove_tree(folder)
            raise

    def import_archive(self, archive: Path) -> Layer:
        """Unpack a root filesystem; its own bytes are not kept, the folder is what counts from here on."""
        folder = self._layers / secrets.token_hex(6)
        folder.mkdir(mode=0o755)
        try:
            with archive.open("rb", buffering=0) as raw:
                reader = TarReader(open_compressed(raw), Limits.for_folder(folder))
                unpack(reader, folder, LAYER)
            diff_id, size = digest_layer(folder)
            return self._record(diff_id, folder, size, "", "")
        except BaseException:
            remove_tree(folder)
            raise

    def keep_blob(self, layer: Layer, archive: Path) -> Layer:
        """Keep the exact archive of a layer, compressed, because writing the folder out again gives other
        bytes.
        """
        import zstandard

        part = self._work / f"blob-{secrets.token_hex(5)}"
        with archive.open("rb", buffering=0) as raw, part.open("wb") as out:
            plain = open_compressed(raw)
            hashed = HashingWriter(out)
            zstandard.ZstdCompressor(level=1).copy_stream(plain, cast(BinaryIO, hashed))
        part.rename(self.blob_path(hashed.digest))
        self._database.execute(
            "UPDATE image_layer SET blob = ?, media_type = ? WHERE diff_id = ?",
            (hashed.digest, ZSTD_LAYER, layer.diff_id),
        )
        return replace(layer, blob=hashed.digest, media_type=ZSTD_LAYER)

    def collect(self, in_use: Callable[[], set[str]]) -> tuple[int, list[Path]]:
        """Take out layers that are neither in ``in_use()`` nor held.

        Returns the bytes given back and the folders that now wait in the trash.
        """

        def forget() -> list[Layer]:
            kept = in_use()  # asked inside: an image may have been added meanwhile
            rows = self._database.execute("SELECT * FROM image_layer").fetchall()
            layers = [self._layer(row) for row in rows]
            doomed = [one for one in layers if one.diff_id not in kept and self._held[one.diff_id] <= 0]
            for layer in doomed:
                self._database.execute("DELETE FROM image_layer WHERE diff_id = ?", (layer.diff_id,))
                self._database.execute("DELETE FROM image_blob WHERE diff_id = ?", (layer.diff_id,))
            return doomed

        freed, thrown = 0, []
        for layer in self._database.removal(forget):
            freed += layer.size
            thrown.append(self.trash.take(layer.folder))
            if layer.blob and not self._blob_wanted(layer.blob):
                remove_tree(self.blob_path(layer.blob))
        return freed, thrown

    def _blob_wanted(self, digest: str) -> bool:
        row = self._database.execute("SELECT 1 FROM image_layer WHERE blob = ?", (digest,)).fetchone()
        return row is not None

    def _record(self, diff_id: str, folder: Path, size: int, blob: str, media_type: str) -> Layer:
        self.hold(diff_id)
        self._database.execute(
            "INSERT OR IGNORE INTO image_layer VALUES (?, ?, ?, ?, ?)",
            (diff_id, folder.name, size, blob, media_type),
        )
        row = self._database.execute("SELECT * FROM image_layer WHERE diff_id = ?", (diff_id,)).fetchone()
        if row["folder"] != folder.name:  # somebody else was quicker with the same layer
            remove_tree(folder)
        return self._layer(row)

    def _layer(self, row: Any) -> Layer:
        return Layer(
            row["diff_id"], self._layers / row["folder"], row["size"], row["blob"], row["media_type"]
        )


class Hashing(io.RawIOBase):
    """A reader that remembers the digest of what was read through it."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._hash = hashlib.sha256()
        self.size = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        count = int(self._stream.readinto(buffer))
        self._hash.update(memoryview(buffer)[:count])
        self.size += count
        return count

    @property
    def digest(self) -> str:
        """``sha256:...`` of everything read so far."""
        return f"sha256:{self._hash.hexdigest()}"


class HashingWriter:
    """A writer that remembers the digest of what went through it."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._hash = hashlib.sha256()

    def write(self, data: bytes) -> int:
        """Pass ``data`` on."""
        self._hash.update(data)
        return self._out.write(data)

    def flush(self) -> None:
        """Nothing is held back here."""

    @property
    def digest(self) -> str:
        """``sha256:...`` of everything written so far."""
        return f"sha256:{self._hash.hexdigest()}"


def copy_tree(source: Path, target: Path, without: Sequence[str] = ()) -> None:
    """Copy an overlay upper folder exactly: whiteout devices, owners, times, attributes, hard links.

    ``without``: absolute paths of files and empty folders in it that are left out.
    """
    left_out = frozenset(f"{source}{path}" for path in without)
    _copy_folder(os.fspath(source), os.fspath(target), {}, left_out)


def _copy_folder(
    source: str, target: str, links: dict[tuple[int, int], str], left_out: frozenset[str]
) -> None:
    os.mkdir(target)  # noqa: PTH102 (plain strings throughout this loop)
    with os.scandir(source) as entries:
        for entry in entries:
            status = entry.stat(follow_symlinks=False)
            there = f"{target}/{entry.name}"
            key = (status.st_dev, status.st_ino)
            is_folder = stat.S_ISDIR(status.st_mode)
            if entry.path in left_out and not (is_folder and os.listdir(entry.path)):  # noqa: PTH208
                continue
            if is_folder:
                _copy_folder(entry.path, there, links, left_out)
                continue
            if status.st_nlink > 1 and key in links:
                os.link(links[key], there, follow_symlinks=False)
                continue
            links[key] = there
            if stat.S_ISREG(status.st_mode):
                copy_content(entry.path, there)
            elif stat.S_ISLNK(status.st_mode):
                os.symlink(os.readlink(entry.path), there)  # noqa: PTH211, PTH115
            elif stat.S_ISSOCK(status.st_mode):
                continue
            else:
                os.mknod(there, status.st_mode, status.st_rdev)
            _copy_metadata(entry.path, there, status)
    _copy_metadata(source, target, os.lstat(source))


def _copy_metadata(source: str, target: str, status: os.stat_result) -> None:
    if os.geteuid() == 0:
        give(target, status.st_uid, status.st_gid)
    if not stat.S_ISLNK(status.st_mode):
        os.chmod(target, stat.S_IMODE(status.st_mode))  # noqa: PTH101
    for key in os.listxattr(source, follow_symlinks=False):
        with contextlib.suppress(OSError):  # attributes this file system or kernel won't take
            value = os.getxattr(source, key, follow_symlinks=False)
            os.setxattr(target, key, value, follow_symlinks=False)
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns), follow_symlinks=False)
