"""The variables that interpolation sees, and where each was set."""

from __future__ import annotations

from stackwright.model.marks import NOWHERE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from stackwright.model.marks import Mark


class Environment:
    """Variables in layers: what was there first wins (the shell over env files).

    ``traced`` asks interpolation to note on each value which variables it came from.
    """

    __slots__ = ("_places", "traced", "values")

    def __init__(self, values: Mapping[str, str], *, traced: bool = False) -> None:
        self.values = dict(values)
        self.traced = traced
        self._places: dict[str, Mark] = {}

    def get(self, name: str) -> str | None:
        """A variable's value, or None when it is not set."""
        return self.values.get(name)

    def names(self) -> Iterable[str]:
        """The names of all variables."""
        return self.values

    def extended(self, values: Mapping[str, str], places: Mapping[str, Mark]) -> Environment:
        """A copy with more variables below these: names that are set already keep their value."""
        new = Environment(self.values, traced=self.traced)
        new._places = self._places.copy()
        for name, value in values.items():
            if name not in new.values:
                new.values[name] = value
                new._places[name] = places.get(name, NOWHERE)
        return new

    def origin(self, name: str) -> tuple[str, Mark]:
        """What to say about where a variable's value came from, and its place in an env file."""
        place = self._places.get(name)
        if place is not None:
            return f"variable {name} from env file", place
        return (
            f"variable {name} from the shell" if name in self.values else f"variable {name}, not set"
        ), NOWHERE
