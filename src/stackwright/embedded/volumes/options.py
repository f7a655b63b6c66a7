"""What may be asked of the `local` driver: names and driver_opts, refused with Docker's words."""

from __future__ import annotations

import re
from collections.abc import Mapping

from stackwright.embedded.errors import BadParameter, NotFound

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")
_KNOWN = ("type", "o", "device", "size")
_LOCAL_TYPES = ("", "none", "tmpfs")


def check_name(name: str) -> None:
    """A volume's name is a folder's name. BadParameter otherwise."""
    if len(name) == 1:
        raise BadParameter("volume name is too short, names should be at least two alphanumeric characters")
    if not _NAME.fullmatch(name) or len(name) > 255:
        raise BadParameter(
            f'create {name}: "{name}" includes invalid characters for a local volume name, only '
            '"[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path'
        )


def check_driver(name: str, driver: str) -> None:
    """Only `local` is there."""
    if driver not in ("", "local"):
        raise NotFound(f'create {name}: error looking up volume plugin {driver}: plugin "{driver}" not found')


def check_options(name: str, options: Mapping[str, str]) -> None:
    """Bind folders and tmpfs are carried out; other filesystem types (nfs, cifs, block devices) are refused."""
    for key in options:
        if key not in _KNOWN:
            raise BadParameter(f'create {name}: invalid option: "{key}"')
    if "size" in options:
        raise BadParameter(f"create {name}: quota size requested but no quota support")
    if not options:
        return
    kind = options.get("type", "")
    if not options.get("device"):
        raise BadParameter(f'create {name}: missing required option: "device"')
    if kind not in _LOCAL_TYPES:
        raise BadParameter(
            f"create {name}: volumes of type {kind} are not mounted by this engine; mount it on the host and "
            "use type=none,o=bind,device=<path>"
        )
    if kind != "tmpfs" and "bind" not in mount_options(options) and "rbind" not in mount_options(options):
        raise BadParameter(
            f'create {name}: missing required option: "type" (or o=bind for a folder of the host)'
        )


def mount_options(options: Mapping[str, str]) -> list[str]:
    """The `o` option in pieces."""
    return [part for part in options.get("o", "").split(",") if part]


def bound_folder(options: Mapping[str, str]) -> str:
    """The host's folder that the volume stands for; empty for a volume with storage of its own, and for tmpfs."""
    return options["device"] if options.get("device") and options.get("type", "") != "tmpfs" else ""
