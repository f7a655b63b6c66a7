# ruff: noqa: RUF012 - msgspec copies empty defaults
"""What a service mounts: volumes, and files from configs and secrets."""

from typing import Literal

from stackwright.model.types.base import Bytes, Extensions, Value


class Bind(Value, frozen=True, kw_only=True):
    """Options of a bind mount."""

    selinux: str = ""
    propagation: str = ""
    create_host_path: bool = False
    recursive: str = ""


class VolumeMount(Value, frozen=True, kw_only=True):
    """Options of a named or anonymous volume's mount."""

    labels: dict[str, str] = {}
    nocopy: bool = False
    subpath: str = ""


class TmpfsMount(Value, frozen=True, kw_only=True):
    """Options of a tmpfs mount. ``mode`` is the permission bits, 0 for the default."""

    size: Bytes = 0
    mode: int = 0


class ImageMount(Value, frozen=True, kw_only=True):
    """Options of an image mounted as a volume."""

    subpath: str = ""


class Mount(Value, frozen=True, kw_only=True):
    """One entry of ``services.*.volumes``, in its long form.

    ``source`` is an absolute path (bind), the key of a top-level volume (volume), an image
    reference (image), or empty (anonymous volume, tmpfs).
    """

    type: Literal["bind", "volume", "tmpfs", "npipe", "cluster", "image"]
    source: str = ""
    target: str = ""
    read_only: bool = False
    consistency: str = ""
    bind: Bind | None = None
    volume: VolumeMount | None = None
    tmpfs: TmpfsMount | None = None
    image: ImageMount | None = None
    extensions: Extensions = {}


class FileReference(Value, frozen=True, kw_only=True):
    """One entry of a service's ``configs`` or ``secrets``: ``source`` is the top-level key.

    ``target`` is as written or defaulted (secrets: ``/run/secrets/<source>``; configs:
    ``/<source>``). ``mode`` is the permission bits, None for the default (0444).
    """

    source: str
    target: str = ""
    uid: str = ""
    gid: str = ""
    mode: int | None = None
    extensions: Extensions = {}
