"""The fields of every element, in the order in which ``config`` prints them.

One row for each key of the Compose Specification. ``keep=True`` marks those that are printed even when
zero or empty, because not giving them means something else.
"""

from __future__ import annotations

from stackwright.model.final import kinds
from stackwright.model.final.fields import ByName, Items, Struct, Value

TEXT = Value(kinds.text)
BOOL = Value(kinds.boolean)
BOOL_GIVEN = Value(kinds.boolean, keep=True)
INT = Value(kinds.integer)
INT_GIVEN = Value(kinds.integer, keep=True)
NATURAL = Value(kinds.natural)
NATURAL_GIVEN = Value(kinds.natural, keep=True)
REAL = Value(kinds.real32)
DURATION = Value(kinds.duration)
SIZE = Value(kinds.size)
TEXTS = Value(kinds.texts)
LABELS = Value(kinds.labels)
OPTIONS = Value(kinds.options)
TEXT_OPTIONS = Value(kinds.text_options)
VARIABLES = Value(kinds.variables)
HOSTS = Value(kinds.hosts)
COMMAND = Value(kinds.command, keep=True)
ULIMITS = ByName(Value(kinds.ulimit, keep=True))

FILE_REFERENCE = Struct(
    {"source": TEXT, "target": TEXT, "uid": TEXT, "gid": TEXT, "mode": Value(kinds.file_mode, keep=True)}
)

HOOK = Struct(
    {
        "command": COMMAND,
        "user": TEXT,
        "privileged": BOOL,
        "working_dir": TEXT,
        "environment": VARIABLES,
    }
)

PRE_START_HOOK = Struct({**HOOK.fields, "image": TEXT, "per_replica": BOOL})

BUILD = Struct(
    {
        "context": TEXT,
        "dockerfile": TEXT,
        "dockerfile_inline": TEXT,
        "entitlements": TEXTS,
        "args": VARIABLES,
        "provenance": TEXT,
        "sbom": TEXT,
        "ssh": Value(kinds.ssh),
        "labels": LABELS,
        "cache_from": TEXTS,
        "cache_to": TEXTS,
        "no_cache": BOOL,
        "no_cache_filter": TEXTS,
        "additional_contexts": LABELS,
        "pull": BOOL,
        "extra_hosts": HOSTS,
        "isolation": TEXT,
        "network": TEXT,
        "target": TEXT,
        "secrets": Items(FILE_REFERENCE),
        "shm_size": SIZE,
        "tags": TEXTS,
        "ulimits": ULIMITS,
        "platforms": TEXTS,
        "privileged": BOOL,
    }
)

_WATCH_RULE = Struct(
    {
        "path": TEXT,
        "action": TEXT,
        "target": TEXT,
        "exec": HOOK,
        "include": TEXTS,
        "ignore": TEXTS,
        "initial_sync": BOOL,
    }
)

_PATH = Value(kinds.text, keep=True)
_RATES = Items(Struct({"path": _PATH, "rate": Value(kinds.rate, keep=True)}, fill={"path": "", "rate": "0"}))
_WEIGHTS = Items(Struct({"path": _PATH, "weight": NATURAL_GIVEN}, fill={"path": "", "weight": 0}))

_BLKIO = Struct(
    {
        "weight": NATURAL,
        "weight_device": _WEIGHTS,
        "device_read_bps": _RATES,
        "device_read_iops": _RATES,
        "device_write_bps": _RATES,
        "device_write_iops": _RATES,
    }
)

DEVICE_REQUESTS = Items(
    Struct(
        {
            "capabilities": TEXTS,
            "driver": TEXT,
            "count": Value(kinds.device_count),
            "device_ids": TEXTS,
            "options": LABELS,
        }
    )
)

_UPDATE = Struct(
    {
        "parallelism": NATURAL_GIVEN,
        "delay": DURATION,
        "failure_action": TEXT,
        "monitor": DURATION,
        "max_failure_ratio": REAL,
        "order": TEXT,
    }
)

_RESOURCE = Struct(
    {
        "cpus": REAL,
        "memory": SIZE,
        "pids": INT,
        "devices": DEVICE_REQUESTS,
        "generic_resources": Items(
            Struct(
                {"discrete_resource_spec": Struct({"kind": Value(kinds.text, keep=True), "value": INT_GIVEN})}
            )
        ),
    }
)

DEPLOY = Struct(
    {
        "mode": TEXT,
        "replicas": INT_GIVEN,
        "labels": LABELS,
        "update_config": _UPDATE,
        "rollback_config": _UPDATE,
        "resources": Struct({"limits": _RESOURCE, "reservations": _RESOURCE}, keep=False),
        "restart_policy": Struct(
            {"condition": TEXT, "delay": DURATION, "max_attempts": NATURAL_GIVEN, "window": DURATION}
        ),
        "placement": Struct(
            {
                "constraints": TEXTS,
                "preferences": Items(Struct({"spread": TEXT})),
                "max_replicas_per_node": NATURAL,
            },
            keep=False,
        ),
        "endpoint_mode": TEXT,
    }
)

MOUNT = Struct(
    {
        "type": TEXT,
        "source": TEXT,
        "target": TEXT,
        "read_only": BOOL,
        "consistency": TEXT,
        "bind": Struct({"selinux": TEXT, "propagation": TEXT, "create_host_path": BOOL, "recursive": TEXT}),
        "volume": Struct({"labels": LABELS, "nocopy": BOOL, "subpath": TEXT}),
        "tmpfs": Struct({"size": SIZE, "mode": NATURAL}),
        "image": Struct({"subpath": TEXT}),
    }
)

SERVICE = Struct(
    {
        "profiles": TEXTS,
        "annotations": LABELS,
        "attach": BOOL_GIVEN,
        "build": BUILD,
        "develop": Struct({"watch": Items(_WATCH_RULE)}),
        "blkio_config": _BLKIO,
        "cap_add": TEXTS,
        "cap_drop": TEXTS,
        "cgroup_parent": TEXT,
        "cgroup": TEXT,
        "cpu_count": INT,
        "cpu_percent": REAL,
        "cpu_period": INT,
        "cpu_quota": INT,
        "cpu_rt_period": INT,
        "cpu_rt_runtime": INT,
        "cpus": REAL,
        "cpuset": TEXT,
        "cpu_shares": INT,
        "command": COMMAND,
        "configs": Items(FILE_REFERENCE),
        "container_name": TEXT,
        "credential_spec": Struct({"config": TEXT, "file": TEXT, "registry": TEXT}),
        "depends_on": ByName(Struct({"condition": TEXT, "restart": BOOL, "required": BOOL_GIVEN})),
        "deploy": DEPLOY,
        "device_cgroup_rules": TEXTS,
        "devices": Items(Struct({"source": TEXT, "target": TEXT, "permissions": TEXT})),
        "dns": TEXTS,
        "dns_opt": TEXTS,
        "dns_search": TEXTS,
        "domainname": TEXT,
        "entrypoint": COMMAND,
        "provider": Struct({"type": TEXT, "options": Value(kinds.many_options)}),
        "environment": VARIABLES,
        "env_file": Items(Value(kinds.env_file)),
        "expose": TEXTS,
        "external_links": TEXTS,
        "extra_hosts": HOSTS,
        "group_add": TEXTS,
        "gpus": DEVICE_REQUESTS,
        "hostname": TEXT,
        "healthcheck": Struct(
            {
                "test": Value(kinds.health_test),
                "timeout": Value(kinds.duration, keep=True),
                "interval": Value(kinds.duration, keep=True),
                "retries": NATURAL_GIVEN,
                "start_period": Value(kinds.duration, keep=True),
                "start_interval": Value(kinds.duration, keep=True),
                "disable": BOOL,
            }
        ),
        "image": TEXT,
        "init": BOOL_GIVEN,
        "ipc": TEXT,
        "isolation": TEXT,
        "labels": LABELS,
        "label_file": TEXTS,
        "links": TEXTS,
        "logging": Struct({"driver": TEXT, "options": OPTIONS}),
        "mem_limit": SIZE,
        "mem_reservation": SIZE,
        "memswap_limit": SIZE,
        "mem_swappiness": SIZE,
        "mac_address": TEXT,
        "models": ByName(Struct({"endpoint_var": TEXT, "model_var": TEXT})),
        "network_mode": TEXT,
        "networks": ByName(
            Struct(
                {
                    "aliases": TEXTS,
                    "driver_opts": OPTIONS,
                    "gw_priority": INT,
                    "interface_name": TEXT,
                    "ipv4_address": TEXT,
                    "ipv6_address": TEXT,
                    "link_local_ips": TEXTS,
                    "mac_address": TEXT,
                    "priority": INT,
                }
            )
        ),
        "oom_kill_disable": BOOL,
        "oom_score_adj": INT,
        "pid": TEXT,
        "pids_limit": INT,
        "platform": TEXT,
        "ports": Items(
            Struct(
                {
                    "name": TEXT,
                    "mode": TEXT,
                    "host_ip": TEXT,
                    "target": NATURAL,
                    "published": TEXT,
                    "protocol": TEXT,
                    "app_protocol": TEXT,
                }
            )
        ),
        "privileged": BOOL,
        "pull_policy": TEXT,
        "read_only": BOOL,
        "restart": TEXT,
        "runtime": TEXT,
        "scale": INT_GIVEN,
        "secrets": Items(FILE_REFERENCE),
        "security_opt": TEXTS,
        "shm_size": SIZE,
        "stdin_open": BOOL,
        "stop_grace_period": Value(kinds.duration, keep=True),
        "stop_signal": TEXT,
        "storage_opt": TEXT_OPTIONS,
        "sysctls": LABELS,
        "tmpfs": TEXTS,
        "tty": BOOL,
        "ulimits": ULIMITS,
        "use_api_socket": BOOL,
        "user": TEXT,
        "userns_mode": TEXT,
        "uts": TEXT,
        "volumes": Items(MOUNT),
        "volumes_from": TEXTS,
        "working_dir": TEXT,
        "pre_start": Items(PRE_START_HOOK),
        "post_start": Items(HOOK),
        "pre_stop": Items(HOOK),
    }
)

NETWORK = Struct(
    {
        "name": TEXT,
        "driver": TEXT,
        "driver_opts": OPTIONS,
        "ipam": Struct(
            {
                "driver": TEXT,
                "config": Items(
                    Struct({"subnet": TEXT, "gateway": TEXT, "ip_range": TEXT, "aux_addresses": LABELS})
                ),
            },
            keep=False,
        ),
        "external": BOOL,
        "internal": BOOL,
        "attachable": BOOL,
        "labels": LABELS,
        "enable_ipv4": BOOL_GIVEN,
        "enable_ipv6": BOOL_GIVEN,
    }
)

VOLUME = Struct({"name": TEXT, "driver": TEXT, "driver_opts": OPTIONS, "external": BOOL, "labels": LABELS})

FILE_OBJECT = Struct(
    {
        "name": TEXT,
        "file": TEXT,
        "environment": TEXT,
        "content": TEXT,
        "external": BOOL,
        "labels": LABELS,
        "driver": TEXT,
        "driver_opts": TEXT_OPTIONS,
        "template_driver": TEXT,
    }
)

MODEL = Struct({"name": TEXT, "model": TEXT, "context_size": INT, "runtime_flags": TEXTS})

PROJECT = Struct(
    {
        "name": TEXT,
        "services": ByName(SERVICE),
        "networks": ByName(NETWORK, fill=True),
        "volumes": ByName(VOLUME, fill=True),
        "secrets": ByName(FILE_OBJECT, fill=True),
        "configs": ByName(FILE_OBJECT, fill=True),
        "models": ByName(MODEL),
    }
)
