"""A service → HostConfig: resources, namespaces, security, ports, restart policy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stackwright.model.project import Project
from stackwright.model.types import Blkio, DeviceRequest, Service
from stackwright.plan import attach
from stackwright.plan.mounts import Volumes

if TYPE_CHECKING:
    from stackwright.plan.container import Request

JSON = dict[str, Any]


def config(project: Project, service: Service, request: Request, volumes: Volumes) -> JSON:
    """The HostConfig for one container; what was not given is left to the engine."""
    logging = service.logging
    added = _capabilities(service.cap_add)
    result: JSON = {
        "AutoRemove": request.auto_remove,
        "Annotations": service.annotations,
        "Binds": list(volumes.binds),
        "Mounts": list(volumes.mounts),
        "CapAdd": added,
        "CapDrop": [name for name in _capabilities(service.cap_drop) if name not in added],
        "NetworkMode": attach.network_mode(project, service, request.namespaces),
        "Init": service.init,
        "IpcMode": _namespace(service.ipc, request),
        "PidMode": _namespace(service.pid, request),
        "UTSMode": service.uts,
        "CgroupnsMode": service.cgroup,
        "UsernsMode": service.userns_mode,
        "ReadonlyRootfs": service.read_only,
        "RestartPolicy": {} if request.oneoff and request.auto_remove else restart_policy(service),
        "ShmSize": service.shm_size,
        "Sysctls": service.sysctls,
        "PortBindings": {} if service.network_mode == "host" else port_bindings(service),
        "VolumesFrom": [
            *(_volumes_from(text, request) for text in service.volumes_from),
            *([request.volumes_from] if request.volumes_from else ()),
        ],
        "Dns": service.dns,
        "DnsSearch": service.dns_search,
        "DnsOptions": service.dns_opt,
        "ExtraHosts": [f"{host}:{ip}" for host, ips in service.extra_hosts.items() for ip in ips],
        "SecurityOpt": service.security_opt,
        "StorageOpt": service.storage_opt,
        "Privileged": service.privileged,
        "Tmpfs": dict(_tmpfs(text) for text in service.tmpfs),
        "Isolation": service.isolation,
        "Runtime": service.runtime,
        "GroupAdd": service.group_add,
        "OomScoreAdj": service.oom_score_adj,
        "LogConfig": {"Type": logging.driver, "Config": logging.options} if logging is not None else None,
        **resources(service),
    }
    return {key: value for key, value in result.items() if value not in (None, "", [], {}, 0, False)}


def _capabilities(names: list[str]) -> list[str]:
    """Sorted, and written as engines keep them, as the docker command does: `net_admin` is `CAP_NET_ADMIN`.

    `ALL` makes the others needless; what is both added and dropped is added.
    """
    upper = {name.strip().upper() for name in names}
    if "ALL" in upper:
        return ["ALL"]
    return sorted(name if name.startswith("CAP_") else f"CAP_{name}" for name in upper)


def restart_policy(service: Service) -> JSON:
    """`restart`, else `deploy.restart_policy`.

    >>> from stackwright.model.types import Service
    >>> restart_policy(Service(name="a", restart="on-failure:3"))
    {'Name': 'on-failure', 'MaximumRetryCount': 3}
    """
    if service.restart:
        name, _, count = service.restart.partition(":")
        return {"Name": name, "MaximumRetryCount": int(count) if count.isdigit() else 0}
    policy = service.deploy.restart_policy if service.deploy is not None else None
    if policy is not None:
        attempts = policy.max_attempts or 0
        if policy.condition == "on-failure":
            return {"Name": "on-failure", "MaximumRetryCount": attempts}
        if policy.condition in ("any", ""):
            # `any` with a bound has no counterpart in the Engine API; docker compose drops the bound too.
            return {"Name": "always", "MaximumRetryCount": 0}
    return {}


def port_bindings(service: Service) -> dict[str, list[JSON]]:
    """PortBindings by `port/protocol`."""
    result: dict[str, list[JSON]] = {}
    for port in service.ports:
        binding = {"HostIp": port.host_ip, "HostPort": port.published}
        result.setdefault(f"{port.target}/{port.protocol}", []).append(binding)
    return result


def resources(service: Service) -> JSON:
    """Limits: the service's own keys, over `deploy.resources`."""
    limits = service.deploy.resources.limits if service.deploy is not None else None
    kept = service.deploy.resources.reservations if service.deploy is not None else None
    cpus = service.cpus or (limits.cpus if limits else 0.0)
    devices = [_device_request(entry, ["gpu"]) for entry in service.gpus]
    devices += [_device_request(entry, []) for entry in (kept.devices if kept else ())]
    memory = service.mem_limit or (limits.memory if limits else 0)
    return {
        "Memory": memory,
        "MemoryReservation": service.mem_reservation or (kept.memory if kept else 0),
        "MemorySwap": service.memswap_limit,
        "MemorySwappiness": service.mem_swappiness,
        "NanoCpus": round(cpus * 1e9),
        "CpuCount": service.cpu_count,
        "CpuPercent": round(service.cpu_percent),
        "CpuPeriod": service.cpu_period,
        "CpuQuota": service.cpu_quota,
        "CpuRealtimePeriod": service.cpu_rt_period,
        "CpuRealtimeRuntime": service.cpu_rt_runtime,
        "CpuShares": service.cpu_shares,
        "CpusetCpus": service.cpuset,
        "PidsLimit": service.pids_limit or (limits.pids if limits else 0),
        "CgroupParent": service.cgroup_parent,
        "OomKillDisable": service.oom_kill_disable,
        "DeviceCgroupRules": service.device_cgroup_rules,
        "Devices": [
            {
                "PathOnHost": device.source,
                "PathInContainer": device.target or device.source,
                "CgroupPermissions": device.permissions or "rwm",
            }
            for device in service.devices
        ],
        "DeviceRequests": devices,
        "Ulimits": [
            {"Name": name, "Soft": limit.soft, "Hard": limit.hard}
            for name, limit in sorted(service.ulimits.items())
        ],
        **_blkio(service.blkio_config),
    }


def _blkio(blkio: Blkio | None) -> JSON:
    if blkio is None:
        return {}
    result: JSON = {
        "BlkioWeight": blkio.weight,
        "BlkioWeightDevice": [{"Path": one.path, "Weight": one.weight} for one in blkio.weight_device],
    }
    for key, rates in (
        ("BlkioDeviceReadBps", blkio.device_read_bps),
        ("BlkioDeviceReadIOps", blkio.device_read_iops),
        ("BlkioDeviceWriteBps", blkio.device_write_bps),
        ("BlkioDeviceWriteIOps", blkio.device_write_iops),
    ):
        result[key] = [{"Path": one.path, "Rate": one.rate} for one in rates]
    return result


def _device_request(entry: DeviceRequest, default: list[str]) -> JSON:
    return {
        "Driver": entry.driver,
        "Count": entry.count,
        "DeviceIDs": entry.device_ids,
        "Capabilities": [entry.capabilities or default],
        "Options": entry.options,
    }


def _namespace(mode: str, request: Request) -> str:
    if mode.startswith("service:"):
        return "container:" + request.namespaces[mode.removeprefix("service:")]
    return mode


def _volumes_from(text: str, request: Request) -> str:
    if text.startswith("container:"):
        return text.removeprefix("container:")
    name, colon, mode = text.partition(":")
    return request.namespaces.get(name, name) + colon + mode


def _tmpfs(text: str) -> tuple[str, str]:
    target, _, options = text.partition(":")
    return target, options
