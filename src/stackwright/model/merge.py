"""Stage: a file laid over what earlier files gave (Compose Specification, Merge).

Mappings merge by key, lists append, scalars replace; the rest is the table ``SPECIAL``.
"""

from __future__ import annotations

from stackwright.model.marks import NOWHERE, Map, Origin, Seq, place_of, with_step
from stackwright.model.rules import compile_rules, joined

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    from stackwright.model.marks import Mark
    from stackwright.model.rules import Rules
    from stackwright.model.sources import Reporter

    Pair: TypeAlias = tuple[Any, Mark]
    Special: TypeAlias = Callable[["_Merge", Pair, Pair, Rules, str], Pair]


class _ConflictError(Exception):
    """The two values cannot be merged; the problem has been reported."""


def merge(base: Map, over: Map, report: Reporter) -> Map:
    """Lay ``over`` over ``base``; both may be changed, and the result is ``base``."""
    return _Merge(report).mappings(base, over, _RULES, "")


def merge_service(base: Map, over: Map, report: Reporter, name: str) -> Map:
    """The same for one service that extends another."""
    rules = _RULES.below["services"].anything
    assert rules is not None
    return _Merge(report).mappings(base, over, rules, f"services.{name}")


class _Merge:
    def __init__(self, report: Reporter) -> None:
        self.report = report

    def mappings(self, base: Map, over: Map, rules: Rules, path: str) -> Map:
        for key, item in over.items():
            pair = over.marks.get(key, (over.mark, over.mark))
            if key not in base:
                base[key] = item
                base.marks[key] = pair
                continue
            old = base.marks.get(key, (base.mark, base.mark))
            below = rules.below.get(key, rules.anything) or _NO_RULES
            try:
                value, mark = self.values((base[key], old[1]), (item, pair[1]), below, joined(path, key))
            except _ConflictError:
                continue
            base[key] = value
            base.marks[key] = (pair[0] if mark is not old[1] else old[0], mark)
        return base

    def values(self, base: Pair, over: Pair, rules: Rules, path: str) -> Pair:
        if rules.rule is not None:
            special: Special = rules.rule
            return special(self, base, over, rules, path)
        old, new = base[0], over[0]
        if new is None:
            return base
        if type(old) is Map:
            if type(new) is not Map:
                raise self.conflict("a mapping", base, over, path)
            return self.mappings(old, new, rules, path), base[1]
        if type(old) is Seq:
            if type(new) is not Seq:
                raise self.conflict("a list", base, over, path)
            return _appended(old, new), base[1]
        return new, _overriding(over[1], base[1])

    def conflict(self, kind: str, base: Pair, over: Pair, path: str) -> _ConflictError:
        place = self.report.sources.describe(base[1])
        self.report.error(
            "merge-conflict",
            f"cannot override {path}: it is {kind} at {place}, and something else here",
            over[1],
            path,
            hint="use the same form in both files, or the tag !override to replace it",
        )
        return _ConflictError()


def _overriding(new: Mark, old: Mark) -> Mark:
    """The mark of a value that replaces another: it says which."""
    file, _, _ = place_of(old)
    if not file or (type(new) is Origin and new.via and new.via[-1][0] == "overrides the value"):
        return new
    return with_step(new, "overrides the value", old)


def _appended(base: Seq, over: Seq) -> Seq:
    base.extend(over)
    base.marks.extend(over.marks)
    return base


def _replace(merging: _Merge, base: Pair, over: Pair, rules: Rules, path: str) -> Pair:
    """``command`` and its like: the later one alone counts, even an empty one."""
    return over[0], _overriding(over[1], base[1])


def _sequence_of(value: Any, mark: Mark) -> Seq:
    """``KEY=value`` items of a mapping (sorted, as the reference does), a list, or one text."""
    if type(value) is Seq:
        return value
    items = Seq(mark)
    if type(value) is Map:
        for key, item in value.items():
            at = value.mark_at(key)
            if item is None:
                items.add(key, at)
            elif type(item) is Seq:
                for one in item:
                    items.add(f"{key}={scalar_text(one)}", at)
            else:
                items.add(f"{key}={scalar_text(item)}", at)
        order = sorted(range(len(items)), key=items.__getitem__)
        ordered = Seq(mark)
        for index in order:
            ordered.add(items[index], items.marks[index])
        return ordered
    if type(value) is str:
        items.add(value, mark)
    return items


def _as_sequence(merging: _Merge, base: Pair, over: Pair, rules: Rules, path: str) -> Pair:
    left, right = _sequence_of(*base), _sequence_of(*over)
    return _appended(left, right), base[1]


def _extra_hosts(merging: _Merge, base: Pair, over: Pair, rules: Rules, path: str) -> Pair:
    left, right = _sequence_of(*base), _sequence_of(*over)
    for index, item in enumerate(right):
        if item not in left:
            left.add(item, right.marks[index])
    return left, base[1]


def _mapping_of(value: Any, mark: Mark, default: Map | None) -> Map | None:
    """A mapping as it is, or a list of keys with a default value each."""
    if type(value) is Map:
        return value
    if type(value) is not Seq:
        return None
    made = Map(mark)
    for index, key in enumerate(value):
        if type(key) is str:
            at = value.mark_at(index)
            item: Any = None
            if default is not None:
                item = Map(at)
                for name, given in default.items():
                    item.put(name, given, at)
            made.put(key, item, at)
    return made


def _keyed(default: Map | None) -> Special:
    """Lists of names and mappings by name merge as mappings."""

    def rule(merging: _Merge, base: Pair, over: Pair, rules: Rules, path: str) -> Pair:
        left = _mapping_of(*base, default)
        right = _mapping_of(*over, default)
        if left is None or right is None:
            return (base if right is None else over) if left is None or right is None else base
        return merging.mappings(left, right, rules, path), base[1]

    return rule


def _build(merging: _Merge, base: Pair, over: Pair, rules: Rules, path: str) -> Pair:
    """A build given as a text is its context."""

    def long(value: Any, mark: Mark) -> Any:
        if type(value) is not str:
            return value
        made = Map(mark)
        made.put("context", value, mark)
        return made

    left, right = long(*base), long(*over)
    if type(left) is not Map or type(right) is not Map:
        return (left, base[1]) if type(right) is not Map else (right, over[1])
    return merging.mappings(left, right, rules, path), base[1]


def _logging(merging: _Merge, base: Pair, over: Pair, rules: Rules, path: str) -> Pair:
    """Options of different drivers do not mix."""
    left, right = base[0], over[0]
    if type(left) is not Map or type(right) is not Map:
        return over if right is not None else base
    if left.get("driver") == right.get("driver") or "driver" not in left or "driver" not in right:
        return merging.mappings(left, right, rules, path), base[1]
    return right, _overriding(over[1], base[1])


def _ipam_config(merging: _Merge, base: Pair, over: Pair, rules: Rules, path: str) -> Pair:
    """Pools merge by subnet."""
    if type(base[0]) is not Seq or type(over[0]) is not Seq:
        raise merging.conflict("a list", base, over, path)
    merged = Seq(base[0].mark)

    def index_of(subnet: object) -> int:
        return next((i for i, pool in enumerate(merged) if pool.get("subnet") == subnet), -1)

    for i, left in enumerate(base[0]):
        for j, right in enumerate(over[0]):
            if type(left) is not Map or type(right) is not Map:
                continue
            if left.get("subnet") != right.get("subnet") and index_of(right.get("subnet")) < 0:
                merged.add(right, over[0].mark_at(j))
                continue
            pool = merging.mappings(left, right, _NO_RULES, path)
            at = index_of(pool.get("subnet"))
            if at >= 0:
                merged[at] = pool
            else:
                merged.add(pool, base[0].mark_at(i))
    return merged, base[1]


_STARTED = Map(NOWHERE)
_STARTED.update(condition="service_started", required=True)

SPECIAL: dict[str, Special] = {
    "networks.*.ipam.config": _ipam_config,
    "networks.*.labels": _as_sequence,
    "volumes.*.labels": _as_sequence,
    "services.*.annotations": _as_sequence,
    "services.*.build": _build,
    "services.*.build.args": _as_sequence,
    "services.*.build.additional_contexts": _as_sequence,
    "services.*.build.extra_hosts": _extra_hosts,
    "services.*.build.labels": _as_sequence,
    "services.*.command": _replace,
    "services.*.depends_on": _keyed(_STARTED),
    "services.*.deploy.labels": _as_sequence,
    "services.*.dns": _as_sequence,
    "services.*.dns_opt": _as_sequence,
    "services.*.dns_search": _as_sequence,
    "services.*.entrypoint": _replace,
    "services.*.env_file": _as_sequence,
    "services.*.label_file": _as_sequence,
    "services.*.environment": _as_sequence,
    "services.*.extra_hosts": _extra_hosts,
    "services.*.healthcheck.test": _replace,
    "services.*.labels": _as_sequence,
    "services.*.logging": _logging,
    "services.*.models": _keyed(None),
    "services.*.networks": _keyed(None),
    "services.*.sysctls": _as_sequence,
    "services.*.tmpfs": _as_sequence,
    "services.*.ulimits.*": _replace,
}
"""How to merge at these paths; everywhere else the general rule holds."""

_RULES = compile_rules(SPECIAL)
_NO_RULES = compile_rules({})


def scalar_text(value: Any) -> str:
    """A scalar as the reference prints it into a text (``true``, ``8``, ``1000``)."""
    kind = type(value)
    if kind is str:
        return str(value)
    if kind is bool:
        return "true" if value else "false"
    if kind is float:
        from stackwright.model.gonumbers import float_text

        return float_text(value)
    return str(value)
