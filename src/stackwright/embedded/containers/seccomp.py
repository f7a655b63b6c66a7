"""Docker's default system call filter (a later module of the kernel package installs it)."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .spec import ContainerSpec


def apply(spec: ContainerSpec) -> None:
    """Restrict the calling process and what it becomes."""
