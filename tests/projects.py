"""Projects for tests of plan and run, written as Python values in the model's long form."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import msgspec
from tests.peers import IMAGE

from stackwright.model.project import Project


def project(name: str = "demo", **services: dict[str, Any]) -> Project:
    """A project whose services run the busybox test image on a default network, unless they say otherwise."""
    complete = {
        key: {
            "name": key,
            "image": IMAGE,
            **({} if "network_mode" in value else {"networks": {"default": None}}),
            **value,
        }
        for key, value in services.items()
    }
    hashes = {
        key: hashlib.sha256(
            json.dumps({k: v for k, v in value.items() if k not in ("depends_on", "scale")}).encode()
        ).hexdigest()
        for key, value in complete.items()
    }
    volumes = {
        mount["source"]: {"name": f"{name}_{mount['source']}"}
        for value in complete.values()
        for mount in value.get("volumes", ())
        if mount["type"] == "volume" and mount.get("source")
    }
    return msgspec.convert(
        {
            "name": name,
            "working_dir": "/nowhere",
            "compose_files": ("/nowhere/compose.yaml",),
            "services": complete,
            "networks": {"default": {"name": f"{name}_default"}},
            "volumes": volumes,
            "config_hashes": hashes,
        },
        Project,
    )


def sleeper(**more: Any) -> dict[str, Any]:
    """A service that runs until it is told to end, and ends at once then."""
    return {"command": ["sh", "-c", "trap 'exit 0' TERM INT; sleep 1000 & wait"], **more}
