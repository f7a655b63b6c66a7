"""Images as the Engine API shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stackwright.embedded.images.catalogue import Catalogue, seconds_of
from stackwright.embedded.images.layers import LayerStore
from stackwright.embedded.images.removal import SNAPSHOT
from stackwright.embedded.images.types import Image


def summary(image: Image, *, shared: int = -1, containers: int = -1) -> dict[str, Any]:
    """One element of ``GET /images/json`` (Engine API, ImageSummary)."""
    return {
        "Id": image.id,
        "ParentId": image.parent,
        "RepoTags": list(image.repo_tags),
        "RepoDigests": list(image.repo_digests),
        "Created": int(seconds_of(image.created)),
        "Size": image.size,
        "VirtualSize": image.size,
        "SharedSize": shared,
        "Labels": image.run_config.get("Labels"),
        "Containers": containers,
    }


def inspect(image: Image, catalogue: Catalogue, layers: LayerStore) -> dict[str, Any]:
    """``GET /images/{name}/json`` (Engine API, ImageInspect)."""
    from datetime import UTC, datetime

    document = image.config
    history = document.get("history") or []
    tagged = catalogue.tagged_at(image.id)
    folders = [str(layer.folder) for diff_id in reversed(image.layers) if (layer := layers.get(diff_id))]
    data = {"UpperDir": folders[0]} if folders else {}
    if len(folders) > 1:
        data["LowerDir"] = ":".join(folders[1:])
    shown: dict[str, Any] = {
        "Id": image.id,
        "RepoTags": list(image.repo_tags),
        "RepoDigests": list(image.repo_digests),
        "Parent": image.parent,
        "Comment": (history[-1].get("comment") if history else "") or document.get("comment") or "",
        "Created": image.created,
        "DockerVersion": document.get("docker_version") or "",
        "Author": document.get("author") or "",
        "Config": run_config(image),
        "Architecture": document.get("architecture") or "",
        "Os": document.get("os") or "linux",
        "Size": image.size,
        "VirtualSize": image.size,
        "GraphDriver": {"Data": data or None, "Name": "overlay2"},
        "RootFS": {"Type": "layers", **({"Layers": list(image.layers)} if image.layers else {})},
        "Metadata": {
            "LastTagTime": datetime.fromtimestamp(tagged, UTC).isoformat().replace("+00:00", "Z")
            if tagged
            else "0001-01-01T00:00:00Z"
        },
    }
    if document.get("variant"):
        shown["Variant"] = document["variant"]
    return shown


def run_config(image: Image) -> dict[str, Any]:
    """``Config`` with the keys that clients expect to be there always."""
    return {
        "Hostname": "",
        "Domainname": "",
        "User": "",
        "AttachStdin": False,
        "AttachStdout": False,
        "AttachStderr": False,
        "Tty": False,
        "OpenStdin": False,
        "StdinOnce": False,
        "Env": None,
        "Cmd": None,
        "Image": "",
        "Volumes": None,
        "WorkingDir": "",
        "Entrypoint": None,
        "OnBuild": None,
        "Labels": None,
        **image.run_config,
    }


def history(image: Image, catalogue: Catalogue, layers: LayerStore) -> list[dict[str, Any]]:
    """``GET /images/{name}/history``, newest first; ``<missing>`` where the step was no image of its own
    here.
    """
    sizes = iter([layer.size if (layer := layers.get(diff_id)) else 0 for diff_id in image.layers])
    entries = []
    for entry in image.config.get("history") or []:
        entries.append(
            {
                "Id": "<missing>",
                "Created": int(seconds_of(entry.get("created"))),
                "CreatedBy": entry.get("created_by") or "",
                "Tags": None,
                "Size": 0 if entry.get("empty_layer") else next(sizes, 0),
                "Comment": entry.get("comment") or "",
            }
        )
    entries.reverse()
    at: Image | None = image
    for shown in entries:
        if at is None:
            break
        shown["Id"] = at.id
        shown["Tags"] = list(at.repo_tags) or None
        at = catalogue.by_id(at.parent) if at.parent else None
    return entries


def disk_usage(
    catalogue: Catalogue, layers: LayerStore, in_use: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """The image part of ``GET /system/df``, with what images share; ``in_use``: image id → its containers."""
    images = list(catalogue.all())
    used: dict[str, int] = {}
    for image in images:
        for diff_id in set(image.layers):
            used[diff_id] = used.get(diff_id, 0) + 1
    hidden = catalogue.parents_in_use()
    shown = []
    for image in images:
        if not image.repo_tags and not image.repo_digests and image.id in hidden:
            continue
        shared = sum(
            layer.size for diff_id in image.layers if used[diff_id] > 1 and (layer := layers.get(diff_id))
        )
        containers = sum(not user.startswith(SNAPSHOT) for user in in_use.get(image.id, ()))
        shown.append(summary(image, shared=shared, containers=containers))
    return {"LayersSize": layers.total_size(), "Images": shown}
