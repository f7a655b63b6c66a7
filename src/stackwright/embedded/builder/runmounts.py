"""``RUN --mount=...``: what the text asks for (Dockerfile reference, "RUN --mount")."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass, field

from stackwright.embedded.builder.errors import StepFailed

TRUE = ("true", "1", "")
_KEYS = {
    "bind": {"target", "source", "from", "rw", "readonly"},
    "cache": {"target", "id", "readonly", "rw", "sharing", "from", "source", "mode", "uid", "gid"},
    "tmpfs": {"target", "size"},
    "secret": {"target", "id", "required", "mode", "uid", "gid", "env"},
    "ssh": {"target", "id", "required", "mode", "uid", "gid"},
}
_SAME = {"dst": "target", "destination": "target", "src": "source", "ro": "readonly", "readwrite": "rw"}
_SIZES = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


@dataclass(frozen=True, slots=True)
class RunMount:
    """One ``--mount``, read and checked. ``target`` may still be relative to the working directory."""

    kind: str
    target: str = ""
    source: str = ""
    origin: str = ""
    """``from=``: a stage or image; empty for the context."""
    id: str = ""
    readonly: bool = False
    sharing: str = "shared"
    required: bool = False
    size: int = 0
    mode: int | None = None
    owner: tuple[int, int] = (0, 0)
    env: str = ""
    text: str = field(default="", compare=False)


def parse_mount(text: str, fill: Callable[[str], str]) -> RunMount:
    """Read ``type=cache,target=/x,...``; StepFailed names what is wrong."""
    fields: dict[str, str] = {}
    for part in next(csv.reader([text.strip("\"'")]), []):
        key, _, value = part.strip().partition("=")
        key = key.lower()
        fields[_SAME.get(key, key)] = fill(value)
    kind = fields.pop("type", "bind")
    if kind not in _KEYS:
        raise StepFailed(f'unsupported mount type "{kind}" in --mount={text}')
    unknown = set(fields) - _KEYS[kind]
    if unknown:
        raise StepFailed(f"unexpected key '{sorted(unknown)[0]}' for mount type '{kind}' in --mount={text}")
    if not fields.get("target") and kind in ("bind", "cache", "tmpfs"):
        raise StepFailed(f"--mount={text}: target is required for type {kind}")
    sharing = fields.get("sharing", "shared")
    if sharing not in ("shared", "private", "locked"):
        raise StepFailed(f'unsupported sharing value "{sharing}" in --mount={text}')
    if kind == "bind":
        readonly = fields.get("rw", "false") not in TRUE
    else:
        readonly = fields.get("readonly", "false") in TRUE
    try:
        return RunMount(
            kind=kind,
            target=fields.get("target", ""),
            source=fields.get("source", ""),
            origin=fields.get("from", ""),
            id=fields.get("id", ""),
            readonly=readonly,
            sharing=sharing,
            required=fields.get("required", "false") in TRUE,
            size=_size(fields.get("size", "0")),
            mode=int(fields["mode"], 8) if "mode" in fields else None,
            owner=(int(fields.get("uid", "0")), int(fields.get("gid", "0"))),
            env=fields.get("env", ""),
            text=text,
        )
    except ValueError as error:
        raise StepFailed(f"--mount={text}: {error}") from None


def _size(text: str) -> int:
    lowered = text.lower().rstrip("b")
    factor = _SIZES.get(lowered[-1:], 1)
    return int(lowered.rstrip("kmg")) * factor
