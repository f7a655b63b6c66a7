"""The build context: an archive from a stranger becomes a folder, the Dockerfile is found, ignored files
go.
"""

from __future__ import annotations

from pathlib import Path

from stackwright.dockerfile import Dockerfile, DockerfileError, DockerIgnore, parse
from stackwright.embedded.errors import BadParameter
from stackwright.embedded.images.archive.compression import open_compressed
from stackwright.embedded.images.archive.limits import Limits
from stackwright.embedded.images.archive.reader import TarReader
from stackwright.embedded.images.archive.unpack import UnpackPolicy, remove_tree, unpack
from stackwright.embedded.images.view import LayerView, Node

_OWNED_BY_ROOT = UnpackPolicy(owner=(0, 0))


def unpack_context(archive: Path, folder: Path) -> None:
    """Unpack a context (plain or compressed) into an empty folder. Blocking."""
    with archive.open("rb", buffering=0) as raw:
        unpack(TarReader(open_compressed(raw), Limits.for_folder(folder)), folder, _OWNED_BY_ROOT)


def read_dockerfile(folder: Path, name: str) -> Dockerfile:
    """Find and parse it; BadParameter with Docker's words when it is missing, empty or wrong."""
    view = LayerView([folder])
    node = view.lookup(name)
    if node is None or node.is_dir:
        raise BadParameter(f"Cannot locate specified Dockerfile: {name}")
    content = Path(node.host).read_bytes()
    if not content.strip():
        raise BadParameter(f"the Dockerfile ({name}) cannot be empty")
    try:
        return parse(content.decode())
    except UnicodeDecodeError as error:
        raise BadParameter(f"the Dockerfile ({name}) is not UTF-8 text: {error}") from None
    except DockerfileError as error:
        raise BadParameter(str(error)) from None


def drop_ignored(folder: Path, dockerfile: str) -> None:
    """Remove what ``.dockerignore`` (or ``<Dockerfile>.dockerignore``) excludes, whoever sent it along."""
    view = LayerView([folder])
    text = view.read_text(f"{dockerfile}.dockerignore") or view.read_text(".dockerignore")
    if not text.strip():
        return
    try:
        ignore = DockerIgnore.parse(text)
    except DockerfileError as error:
        raise BadParameter(f".dockerignore: {error.message}") from None
    _drop(view, view.root(), "", ignore)


def _drop(view: LayerView, node: Node, prefix: str, ignore: DockerIgnore) -> None:
    for child in view.children(node):
        path = prefix + child.path.rpartition("/")[2]
        excluded = ignore.excludes(path)
        if excluded and not (child.is_dir and ignore.may_include_below(path)):
            remove_tree(child.host)
            continue
        if child.is_dir:
            _drop(view, child, f"{path}/", ignore)
            if excluded and not any(Path(child.host).iterdir()):
                Path(child.host).rmdir()
