"""The top-level elements besides services."""

from __future__ import annotations

from stackwright.model.schema.common import LIST_OR_DICT, STRING_OR_LIST
from stackwright.model.schema.scalars import BOOL_TEXT, INT, NUMBER_TEXT, TEXT
from stackwright.model.schema.shapes import ListOf, Mapping, Named, OneOf

INCLUDE = Named(
    "include",
    OneOf(
        TEXT,
        Mapping(
            {"path": STRING_OR_LIST, "env_file": STRING_OR_LIST, "project_directory": TEXT}, extensions=False
        ),
    ),
)

NETWORK = Named(
    "network",
    Mapping(
        {
            "name": TEXT,
            "driver": TEXT,
            "driver_opts": Mapping(keys=("^.+$", NUMBER_TEXT), closed=False, extensions=False),
            "ipam": Mapping(
                {
                    "driver": TEXT,
                    "config": ListOf(
                        Mapping(
                            {
                                "subnet": TEXT,
                                "ip_range": TEXT,
                                "gateway": TEXT,
                                "aux_addresses": Mapping(keys=("^.+$", TEXT), extensions=False),
                            }
                        )
                    ),
                    "options": Mapping(keys=("^.+$", TEXT), extensions=False),
                }
            ),
            "external": OneOf(BOOL_TEXT, Mapping({"name": TEXT})),
            "internal": BOOL_TEXT,
            "enable_ipv4": BOOL_TEXT,
            "enable_ipv6": BOOL_TEXT,
            "attachable": BOOL_TEXT,
            "labels": LIST_OR_DICT,
        },
        optional=True,
    ),
)

VOLUME = Named(
    "volume",
    Mapping(
        {
            "name": TEXT,
            "driver": TEXT,
            "driver_opts": Mapping(keys=("^.+$", NUMBER_TEXT), closed=False, extensions=False),
            "external": OneOf(BOOL_TEXT, Mapping({"name": TEXT})),
            "labels": LIST_OR_DICT,
        },
        optional=True,
    ),
)

SECRET = Named(
    "secret",
    Mapping(
        {
            "name": TEXT,
            "environment": TEXT,
            "file": TEXT,
            "external": OneOf(BOOL_TEXT, Mapping({"name": TEXT}, closed=False, extensions=False)),
            "labels": LIST_OR_DICT,
            "driver": TEXT,
            "driver_opts": Mapping(keys=("^.+$", NUMBER_TEXT), closed=False, extensions=False),
            "template_driver": TEXT,
        }
    ),
)

CONFIG = Named(
    "config",
    Mapping(
        {
            "name": TEXT,
            "content": TEXT,
            "environment": TEXT,
            "file": TEXT,
            "external": OneOf(BOOL_TEXT, Mapping({"name": TEXT}, closed=False, extensions=False)),
            "labels": LIST_OR_DICT,
            "template_driver": TEXT,
        }
    ),
)

MODEL = Named(
    "model",
    Mapping(
        {"name": TEXT, "model": TEXT, "context_size": INT, "runtime_flags": ListOf(TEXT)}, required=("model",)
    ),
)
