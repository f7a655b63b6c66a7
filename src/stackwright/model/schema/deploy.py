"""``deploy`` and ``develop`` (Compose Deploy and Develop Specifications)."""

from __future__ import annotations

from stackwright.model.schema.common import LIST_OF_STRINGS, LIST_OR_DICT, SERVICE_HOOK, STRING_OR_LIST
from stackwright.model.schema.scalars import BOOL, INT_TEXT, NUMBER_TEXT, TEXT
from stackwright.model.schema.shapes import ListOf, Mapping, Named, OneOf, Scalar

GENERIC_RESOURCES = Named(
    "generic_resources",
    ListOf(Mapping({"discrete_resource_spec": Mapping({"kind": TEXT, "value": NUMBER_TEXT})})),
)

DEVICES = Named(
    "devices",
    ListOf(
        Mapping(
            {
                "capabilities": LIST_OF_STRINGS,
                "count": INT_TEXT,
                "device_ids": LIST_OF_STRINGS,
                "driver": TEXT,
                "options": LIST_OR_DICT,
            },
            required=("capabilities",),
        )
    ),
)

GPUS = Named(
    "gpus",
    OneOf(
        Scalar("string", enum=("all",)),
        ListOf(
            Mapping(
                {
                    "capabilities": LIST_OF_STRINGS,
                    "count": INT_TEXT,
                    "device_ids": LIST_OF_STRINGS,
                    "driver": TEXT,
                    "options": LIST_OR_DICT,
                },
                closed=False,
                extensions=False,
            )
        ),
    ),
)

DEPLOYMENT = Named(
    "deployment",
    Mapping(
        {
            "mode": TEXT,
            "endpoint_mode": TEXT,
            "replicas": INT_TEXT,
            "labels": LIST_OR_DICT,
            "rollback_config": Mapping(
                {
                    "parallelism": INT_TEXT,
                    "delay": TEXT,
                    "failure_action": TEXT,
                    "monitor": TEXT,
                    "max_failure_ratio": NUMBER_TEXT,
                    "order": Scalar("string", enum=("start-first", "stop-first")),
                }
            ),
            "update_config": Mapping(
                {
                    "parallelism": INT_TEXT,
                    "delay": TEXT,
                    "failure_action": TEXT,
                    "monitor": TEXT,
                    "max_failure_ratio": NUMBER_TEXT,
                    "order": Scalar("string", enum=("start-first", "stop-first")),
                }
            ),
            "resources": Mapping(
                {
                    "limits": Mapping({"cpus": NUMBER_TEXT, "memory": TEXT, "pids": INT_TEXT}),
                    "reservations": Mapping(
                        {
                            "cpus": NUMBER_TEXT,
                            "memory": TEXT,
                            "generic_resources": GENERIC_RESOURCES,
                            "devices": DEVICES,
                        }
                    ),
                }
            ),
            "restart_policy": Mapping(
                {"condition": TEXT, "delay": TEXT, "max_attempts": INT_TEXT, "window": TEXT}
            ),
            "placement": Mapping(
                {
                    "constraints": ListOf(TEXT),
                    "preferences": ListOf(Mapping({"spread": TEXT})),
                    "max_replicas_per_node": INT_TEXT,
                }
            ),
        },
        optional=True,
    ),
)

DEVELOPMENT = Named(
    "development",
    Mapping(
        {
            "watch": ListOf(
                Mapping(
                    {
                        "ignore": STRING_OR_LIST,
                        "include": STRING_OR_LIST,
                        "path": TEXT,
                        "action": Scalar(
                            "string", enum=("rebuild", "sync", "restart", "sync+restart", "sync+exec")
                        ),
                        "target": TEXT,
                        "exec": SERVICE_HOOK,
                        "initial_sync": BOOL,
                    },
                    required=("path", "action"),
                )
            )
        },
        optional=True,
    ),
)
