"""Whether the wishes of a `HostConfig` can be carried out: asked at creation and by `docker update`. Pure, but for the
number of CPUs."""

from __future__ import annotations

import os

from stackwright.embedded.errors import BadParameter, Conflict
from stackwright.embedded.lifecycle.config import HostConfig, as_words
from stackwright.embedded.lifecycle.naming import network_mode
from stackwright.embedded.lifecycle.privileges import (
    capabilities,
    check_sysctls,
    device_allowances,
    security_options,
)
from stackwright.embedded.lifecycle.restart import check_policy
from stackwright.embedded.lifecycle.specs import log_config

_SMALLEST_MEMORY = 6 * 1024 * 1024
_IPC_MODES = ("", "none", "private", "shareable", "host")
_RUNTIMES = ("", "stackwright", "runc", "io.containerd.runc.v2")
"""There is one; its usual names in files made for Docker mean it, too."""


def check_host_config(host: HostConfig) -> list[str]:
    """Raise BadParameter for what cannot be carried out; return warnings for what will be ignored."""
    check_policy(host.restart_policy, auto_remove=host.auto_remove)
    capabilities(as_words(host.cap_add), as_words(host.cap_drop))
    security_options(host.security_opt)
    device_allowances(host.device_cgroup_rules)
    check_sysctls(
        host.sysctls,
        own_network=network_mode(host) != "host",
        own_ipc=host.ipc_mode != "host",
        own_uts=host.uts_mode != "host",
    )
    log_config(host.log_config)
    if host.ipc_mode not in _IPC_MODES and not host.ipc_mode.startswith("container:"):
        raise BadParameter(f"Invalid IPC mode: {host.ipc_mode}")
    if host.isolation not in ("", "default"):
        raise BadParameter(f"invalid isolation ({host.isolation}): linux only supports 'default'")
    if host.runtime not in _RUNTIMES:
        raise BadParameter(f"unknown or invalid runtime name: {host.runtime}")
    if host.storage_opt:
        raise BadParameter("--storage-opt is supported only for overlay over xfs with 'pquota' mount option")
    if not -1000 <= host.oom_score_adj <= 1000:
        raise BadParameter(f"Invalid value {host.oom_score_adj}, range for oom score adj is [-1000, 1000]")
    if 0 < host.memory < _SMALLEST_MEMORY:
        raise BadParameter("Minimum memory limit allowed is 6MB")
    if host.memory and host.memory_swap > 0 and host.memory_swap < host.memory:
        raise BadParameter("Minimum memoryswap limit should be larger than memory limit, see usage")
    if host.memory_swap > 0 and not host.memory:
        raise BadParameter("You should always set the Memory limit when using Memoryswap limit, see usage")
    cpus = os.cpu_count() or 1
    _check_cpuset(host.cpuset_cpus, cpus)
    if not 0 <= host.nano_cpus <= cpus * 10**9:
        raise BadParameter(
            f"range of CPUs is from 0.01 to {cpus}.00, as there are only {cpus} CPUs available"
        )
    if host.nano_cpus and (host.cpu_quota or host.cpu_period):
        raise BadParameter("Conflicting options: Nano CPUs and CPU Quota/Period cannot both be set")
    if host.shm_size < 0:
        raise BadParameter("SHM size can not be less than 0")
    if network_mode(host) in ("host", "none") and host.links:
        raise Conflict("conflicting options: host type networking can't be used with links")
    if host.device_requests:
        raise BadParameter('could not select device driver "" with capabilities: [[gpu]]')
    warnings = []
    if network_mode(host) == "host" and host.port_bindings:
        warnings.append("Published ports are discarded when using host network mode")
    if host.oom_kill_disable and not host.memory:
        warnings.append(
            "OOM killer is disabled for the container, but no memory limit is set, this can result in the "
            "system running out of resources."
        )
    return warnings


def _check_cpuset(wanted: str, cpus: int) -> None:
    """`0-1,3`: each of them must be there."""
    for part in filter(None, wanted.split(",")):
        first, _, last = part.partition("-")
        if not (first.isdigit() and (last or first).isdigit()):
            raise BadParameter(f"Invalid value {wanted} for cpuset cpus")
        if int(last or first) >= cpus:
            raise BadParameter(
                f"Requested CPUs are not available - requested {wanted}, available: 0-{cpus - 1}"
            )
