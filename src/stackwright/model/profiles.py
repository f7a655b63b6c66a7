"""Stage: services that no active profile enables are set aside (Compose Specification, Profiles)."""

from __future__ import annotations

from stackwright.model.marks import Map

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection


def split_by_profile(services: Map, profiles: Collection[str]) -> tuple[Map, Map]:
    """``(enabled, disabled)``. ``*`` among the profiles enables everything."""
    enabled, disabled = Map(services.mark), Map(services.mark)
    for name, service in services.items():
        own = service.get("profiles") if service else None
        active = not own or "*" in profiles or any(profile in profiles for profile in own)
        (enabled if active else disabled).place(
            name, service, services.marks.get(name, (services.mark, services.mark))
        )
    return enabled, disabled
