"""``services.*`` (Compose Specification, Services)."""

from __future__ import annotations

from stackwright.model.schema.common import (
    BLKIO_LIMIT,
    BLKIO_WEIGHT,
    COMMAND,
    ENV_FILE,
    EXTRA_HOSTS,
    HEALTHCHECK,
    LABEL_FILE,
    LIST_OF_STRINGS,
    LIST_OR_DICT,
    PRE_START_HOOK,
    SERVICE_CONFIG_OR_SECRET,
    SERVICE_HOOK,
    STRING_OR_LIST,
    ULIMITS,
)
from stackwright.model.schema.deploy import DEPLOYMENT, DEVELOPMENT, GPUS
from stackwright.model.schema.scalars import BOOL, BOOL_TEXT, INT_TEXT, NULL, NUMBER, NUMBER_TEXT, TEXT
from stackwright.model.schema.shapes import ListOf, Mapping, Named, OneOf, Scalar

SERVICE = Named(
    "service",
    Mapping(
        {
            "develop": DEVELOPMENT,
            "deploy": DEPLOYMENT,
            "annotations": LIST_OR_DICT,
            "attach": BOOL_TEXT,
            "build": OneOf(
                TEXT,
                Mapping(
                    {
                        "context": TEXT,
                        "dockerfile": TEXT,
                        "dockerfile_inline": TEXT,
                        "entitlements": ListOf(TEXT),
                        "args": LIST_OR_DICT,
                        "ssh": LIST_OR_DICT,
                        "labels": LIST_OR_DICT,
                        "cache_from": ListOf(TEXT),
                        "cache_to": ListOf(TEXT),
                        "no_cache": BOOL_TEXT,
                        "no_cache_filter": STRING_OR_LIST,
                        "additional_contexts": LIST_OR_DICT,
                        "network": TEXT,
                        "provenance": BOOL_TEXT,
                        "sbom": BOOL_TEXT,
                        "pull": BOOL_TEXT,
                        "target": TEXT,
                        "shm_size": INT_TEXT,
                        "extra_hosts": EXTRA_HOSTS,
                        "isolation": TEXT,
                        "privileged": BOOL_TEXT,
                        "secrets": SERVICE_CONFIG_OR_SECRET,
                        "tags": ListOf(TEXT),
                        "ulimits": ULIMITS,
                        "platforms": ListOf(TEXT),
                    }
                ),
            ),
            "blkio_config": Mapping(
                {
                    "device_read_bps": ListOf(BLKIO_LIMIT),
                    "device_read_iops": ListOf(BLKIO_LIMIT),
                    "device_write_bps": ListOf(BLKIO_LIMIT),
                    "device_write_iops": ListOf(BLKIO_LIMIT),
                    "weight": INT_TEXT,
                    "weight_device": ListOf(BLKIO_WEIGHT),
                },
                extensions=False,
            ),
            "cap_add": ListOf(TEXT, distinct=True),
            "cap_drop": ListOf(TEXT, distinct=True),
            "cgroup": Scalar("string", enum=("host", "private")),
            "cgroup_parent": TEXT,
            "command": COMMAND,
            "configs": SERVICE_CONFIG_OR_SECRET,
            "container_name": Scalar("string", pattern="[a-zA-Z0-9][a-zA-Z0-9_.-]+"),
            "cpu_count": Scalar("string", "integer", minimum=0),
            "cpu_percent": Scalar("string", "integer", minimum=0, maximum=100),
            "cpu_shares": NUMBER_TEXT,
            "cpu_quota": NUMBER_TEXT,
            "cpu_period": NUMBER_TEXT,
            "cpu_rt_period": NUMBER_TEXT,
            "cpu_rt_runtime": NUMBER_TEXT,
            "cpus": NUMBER_TEXT,
            "cpuset": TEXT,
            "credential_spec": Mapping({"config": TEXT, "file": TEXT, "registry": TEXT}),
            "depends_on": OneOf(
                LIST_OF_STRINGS,
                Mapping(
                    keys=(
                        "^[a-zA-Z0-9._-]+$",
                        Mapping(
                            {
                                "restart": BOOL_TEXT,
                                "required": BOOL,
                                "condition": Scalar(
                                    "string",
                                    enum=(
                                        "service_started",
                                        "service_healthy",
                                        "service_completed_successfully",
                                    ),
                                ),
                            },
                            required=("condition",),
                        ),
                    ),
                    extensions=False,
                ),
            ),
            "device_cgroup_rules": LIST_OF_STRINGS,
            "devices": ListOf(
                OneOf(
                    TEXT, Mapping({"source": TEXT, "target": TEXT, "permissions": TEXT}, required=("source",))
                )
            ),
            "dns": STRING_OR_LIST,
            "dns_opt": ListOf(TEXT, distinct=True),
            "dns_search": STRING_OR_LIST,
            "domainname": TEXT,
            "entrypoint": COMMAND,
            "env_file": ENV_FILE,
            "label_file": LABEL_FILE,
            "environment": LIST_OR_DICT,
            "expose": ListOf(NUMBER_TEXT, distinct=True),
            "extends": OneOf(
                TEXT, Mapping({"service": TEXT, "file": TEXT}, extensions=False, required=("service",))
            ),
            "provider": Mapping(
                {
                    "type": TEXT,
                    "options": Mapping(
                        keys=(
                            "^.+$",
                            OneOf(
                                Scalar("string", "number", "boolean"),
                                ListOf(Scalar("string", "number", "boolean")),
                            ),
                        ),
                        closed=False,
                        extensions=False,
                    ),
                },
                required=("type",),
            ),
            "external_links": ListOf(TEXT, distinct=True),
            "extra_hosts": EXTRA_HOSTS,
            "gpus": GPUS,
            "group_add": ListOf(NUMBER_TEXT, distinct=True),
            "healthcheck": HEALTHCHECK,
            "hostname": TEXT,
            "image": TEXT,
            "init": BOOL_TEXT,
            "ipc": TEXT,
            "isolation": TEXT,
            "labels": LIST_OR_DICT,
            "links": ListOf(TEXT, distinct=True),
            "logging": Mapping(
                {
                    "driver": TEXT,
                    "options": Mapping(
                        keys=("^.+$", Scalar("string", "number", "null")), closed=False, extensions=False
                    ),
                }
            ),
            "mac_address": TEXT,
            "mem_limit": NUMBER_TEXT,
            "mem_reservation": INT_TEXT,
            "mem_swappiness": INT_TEXT,
            "memswap_limit": NUMBER_TEXT,
            "network_mode": TEXT,
            "models": OneOf(
                LIST_OF_STRINGS,
                Mapping(
                    keys=(
                        "^[a-zA-Z0-9._-]+$",
                        OneOf(Mapping({"endpoint_var": TEXT, "model_var": TEXT}), NULL),
                    ),
                    closed=False,
                    extensions=False,
                ),
            ),
            "networks": OneOf(
                LIST_OF_STRINGS,
                Mapping(
                    keys=(
                        "^[a-zA-Z0-9._-]+$",
                        OneOf(
                            Mapping(
                                {
                                    "aliases": LIST_OF_STRINGS,
                                    "interface_name": TEXT,
                                    "ipv4_address": TEXT,
                                    "ipv6_address": TEXT,
                                    "link_local_ips": LIST_OF_STRINGS,
                                    "mac_address": TEXT,
                                    "driver_opts": Mapping(
                                        keys=("^.+$", NUMBER_TEXT), closed=False, extensions=False
                                    ),
                                    "priority": NUMBER,
                                    "gw_priority": NUMBER,
                                }
                            ),
                            NULL,
                        ),
                    ),
                    extensions=False,
                ),
            ),
            "oom_kill_disable": BOOL_TEXT,
            "oom_score_adj": Scalar("string", "integer", minimum=-1000, maximum=1000),
            "pid": Scalar("string", "null"),
            "pids_limit": NUMBER_TEXT,
            "platform": TEXT,
            "ports": ListOf(
                OneOf(
                    NUMBER,
                    TEXT,
                    Mapping(
                        {
                            "name": TEXT,
                            "mode": TEXT,
                            "host_ip": TEXT,
                            "target": INT_TEXT,
                            "published": INT_TEXT,
                            "protocol": TEXT,
                            "app_protocol": TEXT,
                        }
                    ),
                ),
                distinct=True,
            ),
            "pre_start": ListOf(PRE_START_HOOK),
            "post_start": ListOf(SERVICE_HOOK),
            "pre_stop": ListOf(SERVICE_HOOK),
            "privileged": BOOL_TEXT,
            "profiles": LIST_OF_STRINGS,
            "pull_policy": Scalar(
                "string",
                pattern="always|never|build|if_not_present|missing|refresh|daily|weekly|every_([0-9]+[wdhms])+",
            ),
            "pull_refresh_after": TEXT,
            "read_only": BOOL_TEXT,
            "restart": TEXT,
            "runtime": TEXT,
            "scale": INT_TEXT,
            "security_opt": ListOf(TEXT, distinct=True),
            "shm_size": NUMBER_TEXT,
            "secrets": SERVICE_CONFIG_OR_SECRET,
            "sysctls": LIST_OR_DICT,
            "stdin_open": BOOL_TEXT,
            "stop_grace_period": TEXT,
            "stop_signal": TEXT,
            "storage_opt": Mapping(closed=False, extensions=False),
            "tmpfs": STRING_OR_LIST,
            "tty": BOOL_TEXT,
            "ulimits": ULIMITS,
            "use_api_socket": BOOL,
            "user": TEXT,
            "uts": TEXT,
            "userns_mode": TEXT,
            "volumes": ListOf(
                OneOf(
                    TEXT,
                    Mapping(
                        {
                            "type": Scalar(
                                "string", enum=("bind", "volume", "tmpfs", "cluster", "npipe", "image")
                            ),
                            "source": TEXT,
                            "target": TEXT,
                            "read_only": BOOL_TEXT,
                            "consistency": TEXT,
                            "bind": Mapping(
                                {
                                    "propagation": TEXT,
                                    "create_host_path": BOOL_TEXT,
                                    "recursive": Scalar(
                                        "string", enum=("enabled", "disabled", "writable", "readonly")
                                    ),
                                    "selinux": Scalar("string", enum=("z", "Z")),
                                }
                            ),
                            "volume": Mapping({"labels": LIST_OR_DICT, "nocopy": BOOL_TEXT, "subpath": TEXT}),
                            "tmpfs": Mapping(
                                {"size": Scalar("integer", "string", minimum=0), "mode": NUMBER_TEXT}
                            ),
                            "image": Mapping({"subpath": TEXT}),
                        },
                        required=("type",),
                    ),
                ),
                distinct=True,
            ),
            "volumes_from": ListOf(TEXT, distinct=True),
            "working_dir": TEXT,
        }
    ),
)
