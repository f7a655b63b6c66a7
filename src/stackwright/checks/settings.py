"""``stackwright.toml``: environments by name, budgets, severities and suppressions of a project."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stackwright.checks.finding import Place, Severity
from stackwright.checks.subject import Budget
from stackwright.checks.suppress import Suppression
from stackwright.model.errors import ModelErrors, Problem
from stackwright.model.final.sizes import parse_size

FILE = "stackwright.toml"


class SettingsError(ModelErrors):
    """The settings cannot be used; ``str()`` names the file, the key and the mend."""

    def __init__(self, message: str) -> None:
        super().__init__([Problem("settings", message)])


@dataclass(frozen=True, slots=True)
class NamedEnvironment:
    """One ``[environments.<name>]`` table; paths as written, relative to the settings' folder."""

    name: str
    files: tuple[str, ...] = ()
    env_files: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the file says; without a file, nothing."""

    path: str = ""
    environments: tuple[NamedEnvironment, ...] = ()
    budget: Budget = field(default_factory=Budget)
    fail_on: str = "error"
    severities: Mapping[str, Severity | None] = field(default_factory=dict)
    ignore: tuple[Suppression, ...] = ()
    boots: Mapping[str, float] = field(default_factory=dict)


def read_settings(folder: str | Path, text: bytes | None = None) -> Settings:
    """The settings of a project's folder; ``text`` stands for the file's content.

    Raises:
        SettingsError: it is no TOML, or says something that has no meaning.
    """
    path = Path(folder) / FILE
    if text is None:
        try:
            text = path.read_bytes()
        except FileNotFoundError:
            return Settings()
        except OSError as error:
            raise SettingsError(f"{path}: {error.strerror}") from error
    try:
        data = tomllib.loads(text.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: {error}") from error
    return _Reader(str(path)).settings(data)


class _Reader:
    def __init__(self, path: str) -> None:
        self.path = path

    def settings(self, data: dict[str, Any]) -> Settings:
        check = self.table(
            data.get("check", {}), "check", ("fail-on", "memory", "cpus", "severity", "ignore")
        )
        environments = self.table(data.get("environments", {}), "environments", None)
        return Settings(
            self.path,
            tuple(self.environment(name, table) for name, table in environments.items()),
            self.budget(check),
            self.fail_on(check.get("fail-on", "error")),
            {
                code: self.severity(word, code)
                for code, word in self.table(check.get("severity", {}), "check.severity", None).items()
            },
            tuple(
                self.ignore(entry, index)
                for index, entry in enumerate(self.listed(check.get("ignore", []), "check.ignore"))
            ),
            {
                name: float(seconds)
                for name, seconds in self.table(data.get("boot-seconds", {}), "boot-seconds", None).items()
            },
        )

    def fail(self, key: str, message: str) -> SettingsError:
        return SettingsError(f"{self.path}: {key} {message}")

    def table(self, value: Any, key: str, keys: tuple[str, ...] | None) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.fail(key, "must be a table")
        for name in value if keys is not None else ():
            if name not in (keys or ()):
                from stackwright.model.nearest import nearest

                guess = nearest(name, keys or ())
                raise self.fail(key, f'has no key "{name}"' + (f'; did you mean "{guess}"?' if guess else ""))
        return value

    def listed(self, value: Any, key: str) -> list[Any]:
        if not isinstance(value, list):
            raise self.fail(key, "must be a list")
        return value

    def texts(self, value: Any, key: str) -> tuple[str, ...]:
        items = [value] if isinstance(value, str) else self.listed(value, key)
        if not all(isinstance(item, str) for item in items):
            raise self.fail(key, "must be a list of texts")
        return tuple(items)

    def environment(self, name: str, value: Any) -> NamedEnvironment:
        key = f"environments.{name}"
        table = self.table(value, key, ("files", "env-files", "profiles", "kind"))
        kind = str(table.get("kind", ""))
        if kind not in ("", "production", "staging", "development", "test"):
            raise self.fail(f"{key}.kind", "must be production, staging, development or test")
        return NamedEnvironment(
            name,
            self.texts(table.get("files", []), f"{key}.files"),
            self.texts(table.get("env-files", []), f"{key}.env-files"),
            self.texts(table.get("profiles", []), f"{key}.profiles"),
            kind,
        )

    def budget(self, check: dict[str, Any]) -> Budget:
        memory, cpus = check.get("memory", 0), check.get("cpus", 0)
        try:
            size = memory if isinstance(memory, int) else parse_size(str(memory))
        except ValueError:
            raise self.fail("check.memory", f'"{memory}" is no size, such as "16GB"') from None
        if not isinstance(cpus, int | float):
            raise self.fail("check.cpus", "must be a number")
        return Budget(int(size), float(cpus))

    def fail_on(self, word: Any) -> str:
        if word not in ("error", "warning", "advice", "never"):
            raise self.fail("check.fail-on", "must be error, warning, advice or never")
        return str(word)

    def severity(self, word: Any, code: str) -> Severity | None:
        try:
            return Severity.parse(str(word))
        except ValueError as error:
            raise self.fail(f"check.severity.{code}", str(error)) from None

    def ignore(self, entry: Any, index: int) -> Suppression:
        key = f"check.ignore[{index}]"
        table = self.table(entry, key, ("rule", "rules", "service", "file", "because"))
        codes = self.texts(table.get("rules", table.get("rule", [])), f"{key}.rule")
        if not codes:
            raise self.fail(key, "needs a rule")
        reason = str(table.get("because", ""))
        place = Place(self.path, 0, 0)
        return Suppression(
            codes, reason, place, file=str(table.get("file", "")), service=str(table.get("service", ""))
        )
