"""Rules by path: the table that each stage is.

A stage writes its rules as ``{"services.*.ports": rule, …}``. ``compile_rules`` turns the table into a trie,
so that a walk looks at each key once and never enters a part of the tree for which there is no rule.
``*`` stands for any key, ``[]`` for any item of a list.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any


class Rules:
    """One level of a compiled table: the rule for this place, and the rules below it by key."""

    __slots__ = ("anything", "below", "rule")

    def __init__(self) -> None:
        self.rule: Any = None
        self.below: dict[str, Rules] = {}
        self.anything: Rules | None = None

    def at(self, key: str) -> Rules | None:
        """The rules below ``key``."""
        return self.below.get(key, self.anything)


def compile_rules(table: Mapping[str, Any]) -> Rules:
    """A trie of the table's rules."""
    root = Rules()
    for path, rule in table.items():
        node = root
        for part in path.split("."):
            if part in ("*", "[]"):
                node.anything = node.anything or Rules()
                node = node.anything
            else:
                node = node.below.setdefault(part, Rules())
        node.rule = rule
    _inherit(root)
    return root


def _inherit(node: Rules) -> None:
    """Where a named key stands beside ``*``, it has the star's rules too, unless it has its own."""
    if node.anything is not None:
        for child in node.below.values():
            _overlay(child, node.anything)
    for child in (*node.below.values(), *((node.anything,) if node.anything else ())):
        _inherit(child)


def _overlay(child: Rules, star: Rules) -> None:
    child.rule = star.rule if child.rule is None else child.rule
    child.anything = child.anything or star.anything
    for key, below in star.below.items():
        child.below.setdefault(key, below)


def entries(value: Any, rules: Rules) -> Iterator[tuple[Any, Any, Rules]]:
    """``(key or index, item, rules)`` for each entry of a mapping or list that has rules.

    The container may be changed at the current key while iterating.
    """
    if isinstance(value, dict):
        if rules.anything is None:
            for key in value.keys() & rules.below.keys():
                yield key, value[key], rules.below[key]
        else:
            for key in list(value):
                yield key, value[key], rules.below.get(key, rules.anything)
    elif isinstance(value, list) and rules.anything is not None:
        for index, item in enumerate(value):
            yield index, item, rules.anything


def joined(path: str, key: object) -> str:
    """The path of an entry, for messages: ``services.web.ports[0]``."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else str(key)
