"""Stage: variables replaced by their values, then texts cast to the type their place wants.

Keys are never interpolated. A failed substitution is reported and leaves the text as it was.
"""

from __future__ import annotations

from stackwright.model.marks import NOWHERE, Map, Origin, Seq, place_of, with_step
from stackwright.model.rules import compile_rules, joined
from stackwright.model.template import MissingVariableError, TemplateError, substitute

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from stackwright.model.environment import Environment
    from stackwright.model.marks import Mark
    from stackwright.model.rules import Rules
    from stackwright.model.sources import Reporter

_TRUE = frozenset(("true", "y", "yes", "on"))
_FALSE = frozenset(("false", "n", "no", "off"))

CASTS = {
    "services.*.cpu_count": "int",
    "services.*.cpu_percent": "float",
    "services.*.cpu_period": "int",
    "services.*.cpu_quota": "int",
    "services.*.cpu_rt_period": "int",
    "services.*.cpu_rt_runtime": "int",
    "services.*.cpus": "float",
    "services.*.cpu_shares": "int",
    "services.*.init": "bool",
    "services.*.deploy.replicas": "int",
    "services.*.deploy.update_config.parallelism": "int",
    "services.*.deploy.update_config.max_failure_ratio": "float",
    "services.*.deploy.rollback_config.parallelism": "int",
    "services.*.deploy.rollback_config.max_failure_ratio": "float",
    "services.*.deploy.restart_policy.max_attempts": "int",
    "services.*.deploy.placement.max_replicas_per_node": "int",
    "services.*.healthcheck.retries": "int",
    "services.*.healthcheck.disable": "bool",
    "services.*.oom_kill_disable": "bool",
    "services.*.oom_score_adj": "int",
    "services.*.pids_limit": "int",
    "services.*.ports.[].target": "int",
    "services.*.privileged": "bool",
    "services.*.read_only": "bool",
    "services.*.scale": "int",
    "services.*.stdin_open": "bool",
    "services.*.tty": "bool",
    "services.*.ulimits.*": "int",
    "services.*.ulimits.*.hard": "int",
    "services.*.ulimits.*.soft": "int",
    "services.*.volumes.[].read_only": "bool",
    "services.*.volumes.[].volume.nocopy": "bool",
    "networks.*.external": "bool",
    "networks.*.internal": "bool",
    "networks.*.attachable": "bool",
    "networks.*.enable_ipv4": "bool",
    "networks.*.enable_ipv6": "bool",
    "volumes.*.external": "bool",
    "secrets.*.external": "bool",
    "configs.*.external": "bool",
}
"""Places whose texts become numbers and booleans, quoted or not."""

_RULES = compile_rules(CASTS)


class CastError(ValueError):
    """A text is not of the type its place wants."""


def interpolate(model: Map, environment: Environment, report: Reporter) -> Map:
    """Replace and cast in place; returns the model."""
    _Interpolation(environment, report).mapping(model, _RULES, "")
    return model


def interpolate_text(
    text: str, environment: Environment, report: Reporter, mark: Mark, path: str
) -> str | None:
    """One text outside a model (the project's name); None after an error."""
    return _Interpolation(environment, report).text(text, mark, path)


class _Interpolation:
    def __init__(self, environment: Environment, report: Reporter) -> None:
        self.environment = environment
        self.report = report

    def mapping(self, value: Map, rules: Rules | None, path: str) -> None:
        for key, item in value.items():
            kind = type(item)
            below = rules.below.get(key, rules.anything) if rules is not None else None
            if kind is str:
                if "$" in item or (below is not None and below.rule is not None):
                    pair = value.marks.get(key, (NOWHERE, NOWHERE))
                    new, mark = self.scalar(item, below, pair[1], joined(path, key))
                    if mark is not pair[1]:
                        value.marks[key] = (pair[0], mark)
                    value[key] = new
            elif kind is Map:
                self.mapping(item, below, joined(path, key))
            elif kind is Seq:
                self.sequence(item, below, joined(path, key))

    def sequence(self, value: Seq, rules: Rules | None, path: str) -> None:
        below = rules.anything if rules is not None else None
        for index, item in enumerate(value):
            kind = type(item)
            if kind is str:
                if "$" in item:
                    value[index], value.marks[index] = self.scalar(
                        item, below, value.marks[index], joined(path, index)
                    )
            elif kind is Map:
                self.mapping(item, below, joined(path, index))
            elif kind is Seq:
                self.sequence(item, below, joined(path, index))

    def scalar(self, text: str, rules: Rules | None, mark: Mark, path: str) -> tuple[Any, Mark]:
        """The new value and its mark; the old ones after an error."""
        value: Any = text
        if "$" in text:
            new = self.text(text, mark, path)
            if new is None:
                return text, mark
            if new != text:
                mark = self.traced(text, mark)
            value = new
        if rules is not None and rules.rule is not None:
            try:
                value = cast(value, rules.rule, self.report)
            except CastError as error:
                self.report.error("cast", f"{path}: {error}", mark, path)
        return value, mark

    def text(self, text: str, mark: Mark, path: str) -> str | None:
        try:
            return substitute(text, self.environment.get, self.unset)
        except MissingVariableError as error:
            self.report.error(
                "required-variable",
                f"{path}: {error}",
                _moved(mark, error.offset, text, self.report),
                path,
                near=error.name,
                among=self.environment.names(),
            )
        except TemplateError as error:
            hint = 'to mean a plain "$" write "$$"'
            self.report.error(
                "interpolation",
                f"{path}: {error}",
                _moved(mark, error.offset, text, self.report),
                path,
                hint=hint,
            )
        return None

    def unset(self, name: str) -> None:
        self.report.warn(f'The "{name}" variable is not set. Defaulting to a blank string.')

    def traced(self, text: str, mark: Mark) -> Mark:
        """The mark with a step that says which variables were replaced and where they were set."""
        if not self.environment.traced:
            return mark
        from stackwright.model.template import variables

        for variable in variables(text):
            what, place = self.environment.origin(variable.name)
            mark = with_step(mark, what, place)
        return mark


def cast(text: str, kind: str, report: Reporter) -> Any:
    """A text as the type its place wants.

    Raises:
        CastError: it is not one.
    """
    if kind == "bool":
        word = text.lower()
        if word in _TRUE or word in _FALSE:
            if word not in ("true", "false"):
                better = "true" if word in _TRUE else "false"
                report.warn(f'"{text}" for boolean is not supported by YAML 1.2, please use `{better}`')
            return word in _TRUE
        raise CastError(f'"{text}" is not a boolean')
    body = text[1:] if text[:1] in ("+", "-") else text
    if kind == "int":
        if body.isascii() and body.isdecimal() and -(1 << 63) <= int(text) < 1 << 63:
            return int(text)
        raise CastError(f'"{text}" is not a whole number')
    try:
        if text != text.strip() or not text.isascii():
            raise ValueError
        return float(text)
    except ValueError:
        raise CastError(f'"{text}" is not a number') from None


def _moved(mark: Mark, offset: int, text: str, report: Reporter) -> Mark:
    """The mark of a place inside a text: moved along its line, where the text stands as it is written."""
    if isinstance(mark, Origin) or mark == NOWHERE or not offset:
        return mark
    number, line, column = place_of(mark)
    written = report.sources.line(number, line)[column - 1 :]
    first = text.split("\n", 1)[0]
    for quote in ("", '"', "'"):
        if written.startswith(quote + first) and offset < len(first):
            return mark + len(quote) + offset
    return mark
