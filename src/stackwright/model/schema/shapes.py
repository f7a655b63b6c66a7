"""The vocabulary of the schema tables: scalars, mappings, lists and choices.

A shape checks a value in place. It returns ``OK``, ``PRUNED`` (something wrong inside was reported and
removed, the rest is usable) or ``BAD`` (reported; the caller removes the value). So one mistake is
reported once, and the later stages see only data of the right shape.
"""

from __future__ import annotations

from stackwright.model.marks import Map, Seq, Timestamp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from stackwright.model.marks import Mark
    from stackwright.model.sources import Reporter

OK, PRUNED, BAD = 0, 1, 2

_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
    "object": (Map,),
    "array": (Seq,),
}

_NAMES = {
    "object": "a mapping",
    "array": "a list",
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "nothing",
}


def kind_name(value: Any) -> str:
    """What a value is, in words."""
    kind = type(value)
    if kind is Timestamp:
        return "a date"
    for name, types in _PYTHON_TYPES.items():
        if kind in types:
            return _NAMES[name]
    return kind.__name__


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " or " + words[-1]


def _like_a_service(value: Any) -> bool:
    return type(value) is Map and ("image" in value or "build" in value)


class Shape:
    """What a value may be. ``types`` are the Python types it accepts; ``quick`` those with nothing to check."""

    types: frozenset[type] = frozenset()
    quick: frozenset[type] = frozenset()
    wanted: tuple[str, ...] = ()

    def check(self, value: Any, mark: Mark, path: str, report: Reporter) -> int:
        """Check one value of an accepted type."""
        raise NotImplementedError

    def json(self) -> dict[str, Any]:
        """The same as JSON Schema."""
        raise NotImplementedError

    def refuse(self, value: Any, mark: Mark, path: str, report: Reporter) -> int:
        """Report a value of a type that is not accepted."""
        wanted = _listed([_NAMES[name] for name in self.wanted])
        hint = ""
        if value is None and "object" in self.wanted:
            hint = "indent what belongs to it further than its name"
            report.error("type", f"{path} is empty; it must be {wanted}", mark, path, hint=hint)
            return BAD
        if type(value) is Timestamp or ("string" in self.wanted and type(value) in (int, float, bool)):
            hint = f'put it in quotes: "{value}"'
        elif self.wanted == ("array",) and type(value) is str:
            hint = f"write it as a list: - {value}"
        elif self.wanted == ("object",) and type(value) is Seq and value and type(value[0]) is Map:
            hint = 'write names with a colon and without "- "'
        elif "string" in self.wanted and type(value) is Map and len(value) == 1:
            key, item = next(iter(value.items()))
            if item is None or type(item) in (str, int, float, bool):
                hint = f"write {key}={'' if item is None else item}, or leave all the dashes out"
        elif {"object", "array"} <= set(self.wanted) and type(value) is str and "=" in value:
            hint = f"write it as a list: - {value.split()[0]}"
        shown = f" ({value})" if type(value) in (int, float, bool, Timestamp) else ""
        report.error("type", f"{path} must be {wanted}, not {kind_name(value)}{shown}", mark, path, hint=hint)
        return BAD


class Scalar(Shape):
    """A value of one of some JSON types, perhaps one of an enumeration, with a pattern or with bounds."""

    def __init__(
        self,
        *types: str,
        enum: tuple[str, ...] = (),
        pattern: str = "",
        minimum: int | None = None,
        maximum: int | None = None,
    ) -> None:
        self.wanted = types
        self.enum, self.pattern, self.minimum, self.maximum = enum, pattern, minimum, maximum
        self.types = frozenset(python for name in types for python in _PYTHON_TYPES[name])
        bounded = minimum is not None or maximum is not None
        if "integer" in types and "number" not in types:
            self.types |= {float}
        checked: set[type] = {str} if enum or pattern else set()
        checked |= {float, int} if bounded else set()
        checked |= {float} if "integer" in types and "number" not in types else set()
        self.quick = self.types - checked

    def check(self, value: Any, mark: Mark, path: str, report: Reporter) -> int:
        kind = type(value)
        if kind is float and "number" not in self.wanted and not value.is_integer():
            return self.refuse(value, mark, path, report)
        if kind is str:
            if self.enum and value not in self.enum:
                words = ", ".join(self.enum)
                message = f'{path}: "{value}" is not one of {words}'
                report.error("value", message, mark, path, near=value, among=self.enum)
                return BAD
            if self.pattern and not _matches(self.pattern, value):
                report.error("pattern", f'{path}: "{value}" does not match {self.pattern}', mark, path)
                return BAD
        elif kind in (int, float):
            if self.minimum is not None and value < self.minimum:
                report.error("range", f"{path} must be at least {self.minimum}, not {value}", mark, path)
                return BAD
            if self.maximum is not None and value > self.maximum:
                report.error("range", f"{path} must be at most {self.maximum}, not {value}", mark, path)
                return BAD
        return OK

    def json(self) -> dict[str, Any]:
        bounded = self.minimum is not None or self.maximum is not None
        if bounded and len(self.wanted) > 1:
            plain = [name for name in self.wanted if name != "integer"]
            return {"oneOf": [Scalar(*plain).json(), self._json(("integer",))]}
        return self._json(self.wanted)

    def _json(self, types: tuple[str, ...]) -> dict[str, Any]:
        made: dict[str, Any] = {"type": types[0] if len(types) == 1 else list(types)}
        extra = {"enum": list(self.enum) or None, "pattern": self.pattern or None}
        extra.update(minimum=self.minimum, maximum=self.maximum)  # type: ignore[arg-type]
        made.update({key: value for key, value in extra.items() if value is not None})
        return made


class Mapping(Shape):
    """A mapping with known keys (``properties``), keys of a form (``patterns``), or any keys (``others``).

    ``closed`` refuses all other keys; extensions (``x-…``) are allowed unless ``extensions`` is False.
    """

    wanted: tuple[str, ...] = ("object",)
    types = frozenset((Map,))

    def __init__(
        self,
        properties: dict[str, Shape] | None = None,
        *,
        keys: tuple[str, Shape] | None = None,
        others: Shape | None = None,
        required: tuple[str, ...] = (),
        closed: bool = True,
        extensions: bool = True,
        optional: bool = False,
    ) -> None:
        self.properties = properties or {}
        self.keys, self.others, self.required = keys, others, required
        self.closed, self.extensions = closed, extensions
        if optional:
            self.wanted = ("object", "null")
            self.types = frozenset((Map, type(None)))
            self.quick = frozenset((type(None),))

    def check(self, value: Any, mark: Mark, path: str, report: Reporter) -> int:
        result = OK
        properties = self.properties
        wrong: list[str] | None = None
        for key, item in value.items():
            shape = properties.get(key)
            if shape is None:
                if self.extensions and key.startswith("x-"):
                    continue
                shape = self.shape_of(key)
                if shape is None:
                    if self.closed:
                        self.unknown(key, value, path, report)
                        wrong = [*(wrong or ()), key]
                    continue
            kind = type(item)
            if kind in shape.quick:
                continue
            at = value.mark_at(key)
            below = f"{path}.{key}" if path else key
            check = shape.check if kind in shape.types else shape.refuse
            outcome = check(item, at, below, report)
            if outcome:
                result = PRUNED
                if outcome == BAD:
                    wrong = [*(wrong or ()), key]
        for key in wrong or ():
            value.drop(key)
        for key in self.required:
            if key not in value and key not in (wrong or ()):
                report.error("missing", f'{path} needs "{key}"', value.mark, path)
                return BAD
        value.lost = value.lost or bool(wrong)
        if wrong or result:
            value.broken = True
            return PRUNED
        return OK

    def shape_of(self, key: str) -> Shape | None:
        """The shape for a key that has no name of its own."""
        if self.keys is not None and _matches(self.keys[0], key):
            return self.keys[1]
        return self.others

    def unknown(self, key: str, value: Map, path: str, report: Reporter) -> None:
        where = path or "the file"
        mark = value.key_mark(key)
        if self.keys is not None and not self.properties:
            what = f'{where}: "{key}" is no valid name'
            report.error("name", what, mark, path, hint="use letters, digits, dots, underscores and dashes")
            return
        message = f'{where} has no key "{key}"'
        hint = ""
        if not path and "services" in self.properties and _like_a_service(value[key]):
            hint = 'services stand below "services:", indented'
        report.error("unknown-key", message, mark, path, near=key, among=self.properties.keys(), hint=hint)

    def json(self) -> dict[str, Any]:
        made: dict[str, Any] = {"type": list(self.wanted) if len(self.wanted) > 1 else self.wanted[0]}
        if self.properties:
            made["properties"] = {key: shape.json() for key, shape in self.properties.items()}
        patterns = {self.keys[0]: self.keys[1].json()} if self.keys else {}
        if self.extensions and self.closed:
            patterns["^x-"] = {}
        if patterns:
            made["patternProperties"] = patterns
        if self.others is not None:
            made["additionalProperties"] = self.others.json()
        elif self.closed:
            made["additionalProperties"] = False
        if self.required:
            made["required"] = list(self.required)
        return made


class ListOf(Shape):
    """A list of one shape, perhaps without repetitions."""

    wanted = ("array",)
    types = frozenset((Seq,))

    def __init__(self, item: Shape, *, distinct: bool = False) -> None:
        self.item, self.distinct = item, distinct

    def check(self, value: Any, mark: Mark, path: str, report: Reporter) -> int:
        result = OK
        shape = self.item
        wrong: list[int] = []
        for index, item in enumerate(value):
            kind = type(item)
            if kind in shape.quick:
                continue
            check = shape.check if kind in shape.types else shape.refuse
            outcome = check(item, value.mark_at(index), f"{path}[{index}]", report)
            if outcome:
                result = PRUNED
                if outcome == BAD:
                    wrong.append(index)
        if self.distinct and len(value) > 1:
            repeated = _repetition(value)
            if repeated:
                first, again = repeated
                message = f"{path}[{again}] repeats {path}[{first}]"
                report.error("duplicate", message, value.mark_at(again), path)
                wrong, result = [*wrong, again], PRUNED
        for index in sorted(set(wrong), reverse=True):
            del value[index]
            if index < len(value.marks):
                del value.marks[index]
        return result

    def json(self) -> dict[str, Any]:
        made: dict[str, Any] = {"type": "array", "items": self.item.json()}
        if self.distinct:
            made["uniqueItems"] = True
        return made


class OneOf(Shape):
    """A choice, told apart by the type of the value."""

    def __init__(self, *choices: Shape) -> None:
        self.choices = choices
        self.by_type = {python: choice for choice in reversed(choices) for python in choice.types}
        self.types = frozenset(self.by_type)
        self.quick = frozenset(kind for kind, choice in self.by_type.items() if kind in choice.quick)
        self.wanted = tuple(dict.fromkeys(name for choice in choices for name in choice.wanted))

    def check(self, value: Any, mark: Mark, path: str, report: Reporter) -> int:
        return self.by_type[type(value)].check(value, mark, path, report)

    def json(self) -> dict[str, Any]:
        return {"oneOf": [choice.json() for choice in self.choices]}


class Named(Shape):
    """A shape that the JSON Schema refers to by name."""

    def __init__(self, name: str, shape: Shape) -> None:
        self.name, self.shape = name, shape
        self.types, self.quick, self.wanted = shape.types, shape.quick, shape.wanted
        self.check = shape.check  # type: ignore[method-assign]

    def json(self) -> dict[str, Any]:
        return {"$ref": f"#/$defs/{self.name}"}


def _repetition(items: Seq) -> tuple[int, int] | None:
    seen: dict[Any, int] = {}
    for index, item in enumerate(items):
        key = (type(item) is bool, item) if not isinstance(item, (dict, list)) else repr(item)
        if key in seen:
            return seen[key], index
        seen[key] = index
    return None


_NAME_SIGNS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
_SIMPLE: dict[str, Callable[[str], bool]] = {
    "^[a-zA-Z0-9._-]+$": lambda text: bool(text) and not text.strip(_NAME_SIGNS),
    "^[a-z]+$": lambda text: bool(text) and not text.strip("abcdefghijklmnopqrstuvwxyz"),
    ".+": bool,
    "^.+$": bool,
}
"""Patterns that need no regular expression, so that ``re`` is not imported for them."""


def _matches(pattern: str, text: str) -> bool:
    simple = _SIMPLE.get(pattern)
    if simple is not None:
        return simple(text)
    import re

    return re.search(pattern, text) is not None
