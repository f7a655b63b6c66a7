"""The client of `--dry-run`: whatever changes something does nothing."""

from __future__ import annotations

import inspect

from stackwright.engine.client import EngineClient
from stackwright.engine.dry import DryEngine

LOOKING = {
    "ping", "version", "info", "events", "list_containers", "inspect_container", "wait_container", "top", "stats",
    "logs", "get_archive", "stat_archive", "export", "inspect_exec", "list_images", "inspect_image", "has_image",
    "image_digest", "list_networks", "inspect_network", "list_volumes", "inspect_volume", "connect", "close",
}  # fmt: skip
"""Calls that change nothing."""
AT_THE_EDGE = {
    "attach", "create_exec", "start_exec", "start_exec_detached", "resize_exec", "resize_container", "load",
    "import_image", "run_healthcheck",
}  # fmt: skip
"""Calls of which the verbs keep away themselves in a dry run: they need a stream, or belong to `engine`."""


def test_every_changing_call_is_answered_without_the_engine() -> None:
    calls = {
        name
        for name, member in inspect.getmembers(EngineClient, callable)
        if not name.startswith("_")
        and (inspect.iscoroutinefunction(member) or inspect.isasyncgenfunction(member))
    }
    assert calls - LOOKING - AT_THE_EDGE - set(vars(DryEngine)) == set()
