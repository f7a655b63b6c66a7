"""``docker load``: archives of ``docker save`` (old and new) and OCI layouts become images. Blocking; run
in a thread.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stackwright.embedded.images.archive.compression import open_compressed
from stackwright.embedded.images.archive.errors import BadArchive
from stackwright.embedded.images.archive.limits import Limits
from stackwright.embedded.images.archive.reader import TarReader
from stackwright.embedded.images.archive.unpack import UnpackPolicy, unpack
from stackwright.embedded.images.archive.writer import digest_layer
from stackwright.embedded.images.catalogue import Catalogue
from stackwright.embedded.images.layers import LayerStore
from stackwright.embedded.images.reference import Reference
from stackwright.embedded.images.types import Platform, Progress

_JSON_LIMIT = 16 << 20
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class _Found:
    """One image of the archive: its configuration, its layers' files, and the names it is to get."""

    config: bytes
    layers: tuple[Path, ...]
    names: tuple[str, ...]


def load_archive(
    archive: Path, folder: Path, catalogue: Catalogue, layers: LayerStore, progress: Progress
) -> list[tuple[str, tuple[str, ...]]]:
    """Load every image of ``archive``, unpacked into ``folder`` (to be removed by the caller).

    Returns ids with the familiar names each got.
    """
    folder.mkdir()
    held: list[str] = []
    try:
        with archive.open("rb", buffering=0) as raw:
            reader = TarReader(open_compressed(raw), Limits.for_folder(folder))
            unpack(reader, folder, UnpackPolicy(owner=(0, 0)))
        found = list(_images(folder))
        if not found:
            raise BadArchive("the archive holds no image: neither manifest.json nor index.json is in it")
        return [_load(image, catalogue, layers, progress, held) for image in found]
    finally:
        for diff_id in held:
            layers.release(diff_id)


def _load(
    image: _Found, catalogue: Catalogue, layers: LayerStore, progress: Progress, held: list[str]
) -> tuple[str, tuple[str, ...]]:
    diff_ids = check_config(image.config)
    if len(diff_ids) != len(image.layers):
        raise BadArchive(
            f"invalid manifest, layers length mismatch: expected {len(diff_ids)}, got {len(image.layers)}"
        )
    size = 0
    for diff_id, file in zip(diff_ids, image.layers, strict=True):
        layer = layers.get(diff_id)
        if layer is None:
            short, total = diff_id[7:19], file.stat().st_size
            progress(
                {"status": "Loading layer", "progressDetail": {"current": 0, "total": total}, "id": short}
            )
            with file.open("rb", buffering=0) as raw:
                layer = layers.add_archive(raw, expected=diff_id)
            if digest_layer(layer.folder)[0] != diff_id:
                layer = layers.keep_blob(layer, file)
            progress(
                {"status": "Loading layer", "progressDetail": {"current": total, "total": total}, "id": short}
            )
        else:
            layers.hold(diff_id)
        held.append(diff_id)
        size += layer.size
    references = [Reference.parse(name).tagged() for name in image.names]
    with catalogue.transaction():  # a removal sees the image with its names or not at all
        image_id = catalogue.add(image.config.decode(), size=size)
        before = [catalogue.name(reference, image_id) for reference in references]
    for reference, old in zip(references, before, strict=True):
        if old and old != image_id:
            progress(
                {
                    "stream": f"The image {reference.familiar} already exists, renaming the old one with ID "
                    f"{old} to empty string\n"
                }
            )
        progress({"stream": f"Loaded image: {reference.familiar}\n"})
    names = [reference.familiar for reference in references]
    if not names:
        progress({"stream": f"Loaded image ID: {image_id}\n"})
    return image_id, tuple(names)


def check_config(config: bytes) -> list[str]:
    """The diff ids of a configuration document; BadArchive when it is none."""
    try:
        document = json.loads(config)
        diff_ids = document["rootfs"]["diff_ids"] or []
        ok = isinstance(document.get("config") or {}, dict) and all(map(_DIGEST.fullmatch, diff_ids))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        ok, diff_ids = False, []
    if not ok:
        raise BadArchive("an image configuration in the archive can't be read")
    return list(diff_ids)


def _images(folder: Path) -> Iterator[_Found]:
    """Docker's list where there is one, else the OCI layout's index. BadArchive for documents that make no sense."""
    docker = (folder / "manifest.json").is_file()
    name, read = ("manifest.json", _of_docker) if docker else ("index.json", _of_oci)
    try:
        yield from read(folder) if docker or (folder / name).is_file() else ()
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise BadArchive(f"{name} can't be read: {error!r}") from error


def _of_docker(folder: Path) -> Iterator[_Found]:
    for entry in _json(folder, "manifest.json", list):
        config = _file(folder, entry["Config"])
        files = tuple(_file(folder, name) for name in entry.get("Layers") or ())
        yield _Found(_bytes(config), files, tuple(map(_text, entry.get("RepoTags") or ())))


def _of_oci(folder: Path) -> Iterator[_Found]:
    seen: dict[str, list[str]] = {}
    for descriptor in _json(folder, "index.json", dict).get("manifests") or ():
        for digest in _manifests(folder, descriptor):
            seen.setdefault(digest, []).extend(map(_text, _annotated(descriptor)))
    for digest, names in seen.items():
        manifest = json.loads(_verified(folder, digest))
        files = tuple(_blob(folder, layer["digest"]) for layer in manifest["layers"])
        yield _Found(_verified(folder, manifest["config"]["digest"]), files, tuple(dict.fromkeys(names)))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _manifests(folder: Path, descriptor: dict[str, Any], depth: int = 0) -> Iterator[str]:
    """Image manifests of this machine's platform below a descriptor of an index."""
    if "index" in descriptor.get("mediaType", "") or "manifest.list" in descriptor.get("mediaType", ""):
        if depth > 3:
            raise BadArchive("indexes nested too deeply")
        here = Platform.host()
        for inner in json.loads(_verified(folder, descriptor["digest"])).get("manifests") or ():
            platform = inner.get("platform") or {}
            wanted = platform.get("architecture", here.architecture) == here.architecture
            if wanted and _is_there(folder, inner["digest"]):
                yield from _manifests(folder, inner, depth + 1)
    elif _is_there(folder, descriptor["digest"]):
        yield descriptor["digest"]


def _annotated(descriptor: dict[str, Any]) -> list[str]:
    annotations = descriptor.get("annotations") or {}
    name = annotations.get("io.containerd.image.name") or annotations.get("org.opencontainers.image.ref.name")
    return (
        [name] if name and ("/" in name or ":" in name or "io.containerd.image.name" in annotations) else []
    )


def _is_there(folder: Path, digest: str) -> bool:
    return bool(_DIGEST.fullmatch(digest)) and (folder / "blobs" / "sha256" / digest[7:]).is_file()


def _blob(folder: Path, digest: str) -> Path:
    if not _DIGEST.fullmatch(digest):
        raise BadArchive(f'"{digest[:80]}" is no digest')
    return _file(folder, f"blobs/sha256/{digest[7:]}")


def _verified(folder: Path, digest: str) -> bytes:
    data = _bytes(_blob(folder, digest))
    if "sha256:" + hashlib.sha256(data).hexdigest() != digest:
        raise BadArchive(f"content of the archive does not match its digest {digest}")
    return data


def _bytes(file: Path) -> bytes:
    if file.stat().st_size > _JSON_LIMIT:
        raise BadArchive(f"{file.name}: a document of more than {_JSON_LIMIT} bytes")
    return file.read_bytes()


def _json(folder: Path, name: str, kind: type) -> Any:
    try:
        value = json.loads(_bytes(_file(folder, name)))
    except ValueError as error:
        raise BadArchive(f"{name} can't be read: {error}") from error
    if not isinstance(value, kind):
        raise BadArchive(f"{name} can't be read: unexpected contents")
    return value


def _file(folder: Path, name: str) -> Path:
    """A regular file of the archive; links inside it (old archives share layers so) are followed inside
    only.
    """
    path = _inside(folder, name)
    for _ in range(8):
        if not path.is_symlink():
            break
        path = _inside(folder, posixpath.join(str(path.parent.relative_to(folder)), str(path.readlink())))
    if path.is_symlink() or not path.is_file():
        raise BadArchive(f'"{name}" is named in the archive but not in it')
    return path


def _inside(folder: Path, name: str) -> Path:
    clean = posixpath.normpath(name)
    if clean.startswith(("/", "../")) or clean == "..":
        raise BadArchive(f'"{name}" leads out of the archive')
    path = folder / clean
    if path.parent.resolve() != path.parent.absolute():
        raise BadArchive(f'"{name}" leads through a link')
    return path
