"""`build --print`: what would be built, as a bake file that `docker buildx bake` understands."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from stackwright.model.types import Service
from stackwright.plan.labels import image_name

JSON = dict[str, Any]


def bake_file(project: str, services: Iterable[Service]) -> JSON:
    """The targets of the services that have a `build` (buildx: "Bake file reference"); `.` in a name becomes `_`."""
    targets = {
        service.name.replace(".", "_"): _target(project, service)
        for service in services
        if service.build is not None
    }
    return {"group": {"default": {"targets": sorted(targets)}}, "target": targets}


def _target(project: str, service: Service) -> JSON:
    build = service.build
    assert build is not None
    made = {
        "context": build.context,
        "contexts": dict(build.additional_contexts),
        "dockerfile": build.dockerfile or ("" if build.dockerfile_inline else "Dockerfile"),
        "dockerfile-inline": build.dockerfile_inline,
        "args": {key: value for key, value in build.args.items() if value is not None},
        "labels": dict(build.labels),
        "tags": [image_name(project, service), *build.tags],
        "cache-from": list(build.cache_from),
        "cache-to": list(build.cache_to),
        "target": build.target,
        "secret": [f"id={one.source}" for one in build.secrets],
        "ssh": [f"{name}={path}" if path else name for name, path in build.ssh.items()],
        "platforms": list(build.platforms) or ([service.platform] if service.platform else []),
        "pull": build.pull,
        "no-cache": build.no_cache,
        "no-cache-filter": list(build.no_cache_filter),
        "network": build.network,
        "shm-size": str(build.shm_size) if build.shm_size else "",
        "extra-hosts": {host: ",".join(ips) for host, ips in build.extra_hosts.items()},
        "entitlements": list(build.entitlements),
        "output": ["type=docker"],
    }
    return {key: value for key, value in made.items() if value}
