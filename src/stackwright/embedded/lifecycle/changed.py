"""What a container has changed of its image: the writable layers beside the layers below. Engine API, `ContainerChanges`."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stackwright.embedded.images.view import is_opaque, is_whiteout
from stackwright.embedded.lifecycle.files import MARK

MODIFIED, ADDED, DELETED = 0, 1, 2
_MOUNTED = ("/dev", "/proc", "/sys", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf", f"/{MARK}")


def changed(own: Sequence[Path], layers: Sequence[Path]) -> list[dict[str, Any]]:
    """What the folders of a container (topmost first) add to, change in and hide of its image's layers, by path."""
    kinds: dict[str, int] = {}

    def below(path: Path) -> bool:
        return any(os.path.lexists(layer / path) for layer in layers)

    for upper in reversed(own):
        for folder, folders, files in os.walk(upper):
            for name in sorted(folders + files):
                path = Path(folder) / name
                inside = path.relative_to(upper)
                status = path.lstat()
                if is_whiteout(status):
                    _hide(kinds, str(inside))
                    if below(inside):
                        kinds[str(inside)] = DELETED
                    continue
                if not stat.S_ISDIR(status.st_mode) or is_opaque(str(path)):
                    _hide(kinds, str(inside))
                kinds[str(inside)] = MODIFIED if below(inside) else ADDED
    return [{"Path": f"/{path}", "Kind": kinds[path]} for path in sorted(kinds)]


def _hide(kinds: dict[str, int], path: str) -> None:
    """Forget what lower folders did at a path and below it."""
    for one in [one for one in kinds if one == path or one.startswith(path + "/")]:
        del kinds[one]


def by_the_engine(own: Sequence[Path], layers: Sequence[Path]) -> list[str]:
    """Paths that the engine makes in every container, where the image has none: a mark, and what it mounts on."""

    def have(folders: Sequence[Path], path: str) -> bool:
        places = [folder / path.lstrip("/") for folder in folders]
        # A link made in the container would lead to this host's files.
        return any(os.path.lexists(place) and not place.parent.is_symlink() for place in places)

    return [path for path in _MOUNTED if have(own, path) and not have(layers, path)]


def by_the_container(own: Sequence[Path], layers: Sequence[Path]) -> list[dict[str, Any]]:
    """`changed` without what the engine makes in every container, and folders that came or changed by nothing else: Docker has it
    in a layer between image and container. Mount points of volumes are listed, there as here."""
    made = set(by_the_engine(own, layers))
    kept: list[dict[str, Any]] = []
    for row in reversed(changed(own, layers)):  # what is in a folder comes before the folder
        path = row["Path"]
        if path in made:
            continue
        below = path + "/"
        held_made = any(one.startswith(below) for one in made)
        held_other = any(one["Path"].startswith(below) for one in kept)
        if row["Kind"] == DELETED or held_other or not held_made:
            kept.append(row)
    return kept[::-1]
