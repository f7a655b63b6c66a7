"""``docker save``: one archive that ``docker load`` (manifest.json) and OCI tools (index.json) both read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from stackwright.embedded.images.archive.compression import open_compressed
from stackwright.embedded.images.archive.writer import BLOCK, header, measure_layer, write_layer
from stackwright.embedded.images.catalogue import Catalogue
from stackwright.embedded.images.layers import Layer, LayerStore
from stackwright.embedded.images.reference import Reference
from stackwright.embedded.images.types import Image

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER_TAR = "application/vnd.oci.image.layer.v1.tar"
Write = Callable[[bytes], object]


def write_archive(
    images: list[tuple[Image, list[Reference]]], catalogue: Catalogue, layers: LayerStore, write: Write
) -> None:
    """Write the archive of ``images``, each with the tags it is to carry. Blocking."""
    out = _Archive(write)
    docker_manifest: list[dict[str, Any]] = []
    index: list[dict[str, Any]] = []
    written: dict[str, int] = {}
    for image, references in images:
        config = catalogue.config_text(image.id).encode()
        _blob(out, written, config)
        descriptors = []
        for diff_id in image.layers:
            layer = layers.get(diff_id)
            if layer is None:
                raise FileNotFoundError(f"layer {diff_id} of image {image.id} is gone")
            if diff_id not in written:
                written[diff_id] = _layer(out, layer, layers)
            descriptors.append({"mediaType": LAYER_TAR, "digest": diff_id, "size": written[diff_id]})
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": {"mediaType": CONFIG, "digest": image.id, "size": len(config)},
                "layers": descriptors,
            }
        ).encode()
        digest = _blob(out, written, manifest)
        docker_manifest.append(
            {
                "Config": _path(image.id),
                "RepoTags": [reference.familiar for reference in references if reference.tag] or None,
                "Layers": [_path(diff_id) for diff_id in image.layers],
            }
        )
        descriptor = {"mediaType": MANIFEST, "digest": digest, "size": len(manifest)}
        for reference in references:
            names = {
                "io.containerd.image.name": reference.canonical,
                "org.opencontainers.image.ref.name": reference.tag,
            }
            index.append({**descriptor, "annotations": names})
        if not references:
            index.append(descriptor)
    out.file("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
    out.file("index.json", json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": index}).encode())
    out.file("manifest.json", json.dumps(docker_manifest).encode())
    out.file("repositories", json.dumps(_repositories(images)).encode())
    out.end()


def _repositories(images: list[tuple[Image, list[Reference]]]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for image, references in images:
        for reference in references:
            if reference.tag:
                found.setdefault(reference.familiar_name, {})[reference.tag] = image.id.removeprefix(
                    "sha256:"
                )
    return found


def _path(digest: str) -> str:
    return "blobs/sha256/" + digest.removeprefix("sha256:")


def _blob(out: _Archive, written: dict[str, int], data: bytes) -> str:
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    if digest not in written:
        written[digest] = len(data)
        out.file(_path(digest), data)
    return digest


def layer_chunks(layer: Layer, layers: LayerStore) -> Iterator[bytes]:
    """The plain archive of a layer that came from elsewhere, byte for byte."""
    with layers.blob_path(layer.blob).open("rb", buffering=0) as raw:
        plain = open_compressed(raw)
        while data := plain.read(1 << 18):
            yield data


def layer_writer(layer: Layer, layers: LayerStore) -> Callable[[Write], object]:
    """A function that writes the plain archive of ``layer``, wherever its bytes come from."""

    def from_blob(write: Write) -> None:
        for data in layer_chunks(layer, layers):
            write(data)

    return from_blob if layer.blob else lambda write: write_layer(layer.folder, write)


def _layer(out: _Archive, layer: Layer, layers: LayerStore) -> int:
    produce = layer_writer(layer, layers)
    # The header needs the size first; a second pass is cheaper than a copy on disk.
    size = sum(map(len, layer_chunks(layer, layers))) if layer.blob else measure_layer(layer.folder)
    out.begin(_path(layer.diff_id), size)
    produce(out.write)
    out.finish(size)
    return size


class _Archive:
    def __init__(self, write: Write) -> None:
        self.write = write
        self._folders: set[str] = set()

    def file(self, name: str, data: bytes) -> None:
        self.begin(name, len(data))
        self.write(data)
        self.finish(len(data))

    def begin(self, name: str, size: int) -> None:
        for parent in reversed(Path(name).parents[:-1]):
            if str(parent) not in self._folders:
                self._folders.add(str(parent))
                self.write(header(f"{parent}/".encode(), b"5", mode=0o755))
        self.write(header(name.encode(), b"0", size=size))

    def finish(self, size: int) -> None:
        if size % BLOCK:
            self.write(bytes(-size % BLOCK))

    def end(self) -> None:
        self.write(bytes(2 * BLOCK))
