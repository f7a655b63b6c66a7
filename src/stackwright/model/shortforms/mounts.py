"""``source:target:options``: the short syntax of ``volumes`` (Compose Specification, Volumes)."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_PROPAGATION = frozenset(("rprivate", "private", "rshared", "shared", "rslave", "slave"))
_SELINUX = frozenset(("z", "Z"))


class MountError(ValueError):
    """The text is no mount; ``str()`` says why."""


def parse_mount(text: str) -> dict[str, Any]:
    """The long form: type, source, target, read_only, bind, volume. Unknown options are ignored.

    Raises:
        MountError: an empty part, or too many parts.
    """
    if not text:
        raise MountError("a volume cannot be empty")
    if len(text) <= 2:
        return {"type": "volume", "target": text}
    parts = _split(text)
    if not all(parts):
        raise MountError(f'"{text}": nothing between two colons')
    if len(parts) > 3:
        raise MountError(f'"{text}": too many colons (source:target:options)')
    source, target = ("", parts[0]) if len(parts) == 1 else (parts[0], parts[1])
    mount: dict[str, Any] = {"type": "", "source": source, "target": target}
    if not source:
        del mount["source"]
    for option in parts[2].split(",") if len(parts) == 3 else ():
        if option in ("ro", "rw"):
            mount["read_only"] = option == "ro"
        elif option == "nocopy":
            mount["volume"] = {"nocopy": True}
        elif option in _PROPAGATION:
            mount.setdefault("bind", {})["propagation"] = option
        elif option in _SELINUX:
            mount.setdefault("bind", {})["selinux"] = option
    if not mount.get("read_only", True):
        del mount["read_only"]
    if is_path(source):
        mount["type"] = "bind"
        mount.setdefault("bind", {})["create_host_path"] = True
    else:
        mount["type"] = "volume"
        mount.setdefault("volume", {})
    return mount


def is_path(source: str) -> bool:
    """Whether a source is a path on the host rather than a volume's name."""
    return source.startswith((".", "/", "~", "\\\\")) or (source[1:2] == ":" and source[0].isalpha())


def _split(text: str) -> list[str]:
    """The parts between colons, except those of a Windows drive and inside ``${…}``."""
    parts: list[str] = []
    part: list[str] = []
    depth = 0
    for index, sign in enumerate(text):
        if sign == "$" and text[index + 1 : index + 2] == "{":
            depth += 1
        elif sign == "}" and depth:
            depth -= 1
        elif sign == ":" and not depth and not (len(part) == 1 and part[0].isalpha()):
            parts.append("".join(part))
            part = []
            continue
        part.append(sign)
    parts.append("".join(part))
    return parts
