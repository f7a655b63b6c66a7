"""Image configuration documents: made from a parent and what changed (OCI image spec, config.md)."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from stackwright.embedded.images.types import Image, Platform


def now() -> str:
    """RFC 3339 with nanoseconds, as Docker writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")


def child_document(
    parent: Image | None,
    config: dict[str, Any],
    *,
    diff_id: str | None,
    created_by: str,
    comment: str = "",
    author: str = "",
    platform: Platform | None = None,
) -> str:
    """The configuration of ``parent`` plus one history entry and, with ``diff_id``, one layer."""
    entry: dict[str, Any] = {"created": now(), "created_by": created_by}
    if author:
        entry["author"] = author
    if comment:
        entry["comment"] = comment
    if diff_id is None:
        entry["empty_layer"] = True
    return continued(parent, config, entry, diff_id=diff_id, platform=platform)


def continued(
    parent: Image | None,
    config: dict[str, Any],
    entry: dict[str, Any],
    *,
    diff_id: str | None,
    platform: Platform | None = None,
) -> str:
    """As :func:`child_document`, with the history entry as it is."""
    base = parent.config if parent else {}
    here = platform or Platform.host()
    created, author = entry.get("created", ""), entry.get("author", "")
    document: dict[str, Any] = {
        "architecture": base.get("architecture") or here.architecture,
        "os": base.get("os") or here.os,
        "created": created,
        "config": config,
        "history": [*(base.get("history") or []), entry],
        "rootfs": {
            "type": "layers",
            "diff_ids": [*(parent.layers if parent else ()), *([diff_id] if diff_id else [])],
        },
    }
    variant = base.get("variant") or ("" if parent else here.variant)
    if variant:
        document["variant"] = variant
    if author or base.get("author"):
        document["author"] = author or base["author"]
    return json.dumps(document, sort_keys=True, separators=(",", ":"))
