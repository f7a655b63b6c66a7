"""Shapes that several places share."""

from __future__ import annotations

from stackwright.model.schema.scalars import BOOL_TEXT, INT_TEXT, NULL, NUMBER_TEXT, TEXT
from stackwright.model.schema.shapes import ListOf, Mapping, Named, OneOf, Scalar

LIST_OF_STRINGS = Named("list_of_strings", ListOf(TEXT, distinct=True))

STRING_OR_LIST = Named("string_or_list", OneOf(TEXT, LIST_OF_STRINGS))

LIST_OR_DICT = Named(
    "list_or_dict",
    OneOf(
        Mapping(keys=(".+", Scalar("string", "number", "boolean", "null")), extensions=False),
        ListOf(TEXT, distinct=True),
    ),
)

COMMAND = Named("command", OneOf(NULL, TEXT, ListOf(TEXT)))

ENV_FILE = Named(
    "env_file",
    OneOf(
        TEXT,
        ListOf(
            OneOf(
                TEXT,
                Mapping(
                    {"path": TEXT, "format": TEXT, "required": BOOL_TEXT},
                    extensions=False,
                    required=("path",),
                ),
            )
        ),
    ),
)

LABEL_FILE = Named("label_file", OneOf(TEXT, ListOf(TEXT)))

EXTRA_HOSTS = Named(
    "extra_hosts",
    OneOf(Mapping(keys=(".+", OneOf(TEXT, ListOf(TEXT))), extensions=False), ListOf(TEXT, distinct=True)),
)

BLKIO_LIMIT = Named("blkio_limit", Mapping({"path": TEXT, "rate": INT_TEXT}, extensions=False))

BLKIO_WEIGHT = Named("blkio_weight", Mapping({"path": TEXT, "weight": INT_TEXT}, extensions=False))

SERVICE_CONFIG_OR_SECRET = Named(
    "service_config_or_secret",
    ListOf(
        OneOf(TEXT, Mapping({"source": TEXT, "target": TEXT, "uid": TEXT, "gid": TEXT, "mode": NUMBER_TEXT}))
    ),
)

ULIMITS = Named(
    "ulimits",
    Mapping(
        keys=(
            "^[a-z]+$",
            OneOf(INT_TEXT, Mapping({"hard": INT_TEXT, "soft": INT_TEXT}, required=("soft", "hard"))),
        ),
        closed=False,
        extensions=False,
    ),
)

SERVICE_HOOK = Named(
    "service_hook",
    Mapping(
        {
            "command": COMMAND,
            "user": TEXT,
            "privileged": BOOL_TEXT,
            "working_dir": TEXT,
            "environment": LIST_OR_DICT,
        },
        required=("command",),
    ),
)

PRE_START_HOOK = Named(
    "pre_start_hook",
    Mapping(
        {
            "command": COMMAND,
            "image": TEXT,
            "user": TEXT,
            "privileged": BOOL_TEXT,
            "working_dir": TEXT,
            "environment": LIST_OR_DICT,
            "per_replica": BOOL_TEXT,
        }
    ),
)

HEALTHCHECK = Named(
    "healthcheck",
    Mapping(
        {
            "disable": BOOL_TEXT,
            "interval": TEXT,
            "retries": NUMBER_TEXT,
            "test": OneOf(TEXT, ListOf(TEXT)),
            "timeout": TEXT,
            "start_period": TEXT,
            "start_interval": TEXT,
        }
    ),
)
