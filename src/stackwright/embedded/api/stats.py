"""Cgroup figures in the shape of `GET /containers/{id}/stats`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from stackwright.embedded.api.times import NEVER, rfc3339
from stackwright.embedded.containers.runtime import Stats

_TICKS = os.sysconf("SC_CLK_TCK")
_NET_FIELDS = (
    ("rx_bytes", 0), ("rx_packets", 1), ("rx_errors", 2), ("rx_dropped", 3),
    ("tx_bytes", 8), ("tx_packets", 9), ("tx_errors", 10), ("tx_dropped", 11),
)  # fmt: skip

EMPTY: dict[str, Any] = {
    "read": NEVER,
    "pids_stats": {},
    "blkio_stats": {
        "io_service_bytes_recursive": None,
        "io_serviced_recursive": None,
        "io_queue_recursive": None,
        "io_service_time_recursive": None,
        "io_wait_time_recursive": None,
        "io_merged_recursive": None,
        "io_time_recursive": None,
        "sectors_recursive": None,
    },
    "num_procs": 0,
    "storage_stats": {},
    "cpu_stats": {
        "cpu_usage": {"total_usage": 0, "usage_in_kernelmode": 0, "usage_in_usermode": 0},
        "throttling_data": {"periods": 0, "throttled_periods": 0, "throttled_time": 0},
    },
    "memory_stats": {},
}
"""Of a container that does not run."""


def shape_stats(stats: Stats, pid: int) -> dict[str, Any]:
    """One sample; `pid` is the container's init, for its network counters."""
    usage: dict[str, Any] = {
        "total_usage": stats.cpu_total,
        "usage_in_kernelmode": stats.cpu_system,
        "usage_in_usermode": stats.cpu_user,
    }
    if stats.percpu:
        usage["percpu_usage"] = list(stats.percpu)
    memory: dict[str, Any] = {
        "usage": stats.memory_usage,
        "stats": stats.memory_stat,
        "limit": _limit(stats.memory_limit),
    }
    if stats.memory_max_usage is not None:
        memory["max_usage"] = stats.memory_max_usage
    pids: dict[str, Any] = {"current": stats.pids}
    if stats.pids_limit is not None:
        pids["limit"] = stats.pids_limit
    return {
        **EMPTY,
        "read": rfc3339(stats.read_at),
        "pids_stats": pids,
        "blkio_stats": {**EMPTY["blkio_stats"], "io_service_bytes_recursive": _blkio(stats)},
        "cpu_stats": {
            "cpu_usage": usage,
            "system_cpu_usage": system_cpu(),
            "online_cpus": os.cpu_count() or 1,
            "throttling_data": {
                "periods": stats.periods,
                "throttled_periods": stats.throttled_periods,
                "throttled_time": stats.throttled_time,
            },
        },
        "memory_stats": memory,
        "networks": network_counters(pid),
    }


def system_cpu() -> int:
    """Processor time of the whole host in ns, idle included."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:8]
    return sum(int(field) for field in fields) * (1_000_000_000 // _TICKS)


def total_memory() -> int:
    """Bytes of memory of the host."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def network_counters(pid: int) -> dict[str, dict[str, int]]:
    """Counters per interface of the network namespace of `pid`, without lo; empty once it is gone."""
    try:
        lines = Path(f"/proc/{pid}/net/dev").read_text().splitlines()[2:]
    except OSError:
        return {}
    result = {}
    for line in lines:
        name, _, rest = line.partition(":")
        values = rest.split()
        if name.strip() != "lo":
            result[name.strip()] = {field: int(values[index]) for field, index in _NET_FIELDS}
    return result


def _limit(limit: int) -> int:
    return min(limit, total_memory()) if limit > 0 else total_memory()


def _blkio(stats: Stats) -> list[dict[str, Any]]:
    return [
        {"major": major, "minor": minor, "op": op, "value": value} for major, minor, op, value in stats.blkio
    ]
