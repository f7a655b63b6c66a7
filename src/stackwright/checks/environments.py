"""The environments of a project: named in ``stackwright.toml``, or found by the names of files.

Conventions: ``compose.<env>.yaml`` and ``docker-compose.<env>.yml`` beside the base file or in
``environments/``, and ``.env.<env>``. Which words name an environment is the table ``KINDS``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from stackwright.checks.settings import NamedEnvironment, Settings, SettingsError
from stackwright.model.discover import DEFAULT_NAMES, OVERRIDE_NAMES
from stackwright.model.marks import Map
from stackwright.model.read.document import read_documents
from stackwright.model.sources import Reporter, Sources, UnreadableError, read_bytes

DEFAULT = "default"
"""The environment of plain ``up``: the base file and its override."""

KINDS = {
    "production": ("production", "prod", "prd", "live"),
    "staging": ("staging", "stage", "preprod", "preproduction", "pre-production", "uat"),
    "development": ("development", "develop", "dev", "local", "debug"),
    "test": (
        "test",
        "testing",
        "tests",
        "ci",
        "e2e",
        "integration",
        "qa",
        "perf",
        "performance",
        "benchmark",
    ),
}
_WORDS = {word: kind for kind, words in KINDS.items() for word in words}
_NOT_ENVIRONMENTS = frozenset(
    {"example", "sample", "template", "dist", "defaults", "schema", "bak", "swp", "vault"}
)
_FILE = re.compile(r"(?:docker-)?compose[.-]([\w.-]+)\.ya?ml")
_BARE = re.compile(r"([\w-]+)\.ya?ml")
_ENV = re.compile(r"\.env\.([\w-]+)")
_FOLDERS = ("environments", "envs", "docker-compose/environments", "compose/environments")


@dataclass(frozen=True, slots=True)
class Environment:
    """One way to run the project. Paths are absolute; ``why`` says how it was found."""

    name: str
    kind: str
    folder: str
    files: tuple[str, ...]
    env_files: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    why: str = ""


def kind_of(name: str) -> str:
    """The kind that a name stands for; empty when it says nothing."""
    return _WORDS.get(name.lower(), "")


def find_environments(
    folder: Path, settings: Settings, base_files: tuple[str, ...] = ()
) -> list[Environment]:
    """All environments of the project in a folder; the default one first.

    Args:
        folder: absolute.
        settings: whose environments count instead of the conventions when it names any.
        base_files: absolute paths that stand for the base file (``-f``).
    """
    base = base_files or _base(folder)
    if settings.environments:
        return [_named(folder, one, base) for one in settings.environments]
    found: dict[str, Environment] = {}
    if base:
        override = () if base_files else _override(folder)
        env = folder / ".env"
        env_files = (str(env),) if env.is_file() else ()
        found[DEFAULT] = Environment(
            DEFAULT, "", str(folder), (*base, *override), env_files, why=Path(base[0]).name
        )
    for name, path in _overlays(folder):
        files = (*base, path) if base and _lies_over(base, path) else (path,)
        found.setdefault(
            name,
            Environment(
                name,
                kind_of(name),
                str(Path(files[0]).parent),
                files,
                _env_files(folder, name, path),
                why=_why(path, folder),
            ),
        )
    for name in _env_names(folder):
        if name not in found and base and kind_of(name):
            files = (*base,)
            found[name] = Environment(
                name, kind_of(name), str(folder), files, _env_files(folder, name), (), f".env.{name}"
            )
    return _without_unfinished_base(list(found.values()))


def choose(environments: list[Environment], name: str, folder: Path) -> Environment:
    """The environment of a name, or of an abbreviation that means only one (``prod``).

    Raises:
        SettingsError: there is none.
    """
    for one in environments:
        if one.name == name:
            return one
    near = [
        one
        for one in environments
        if one.name.startswith(name) or (kind_of(name) and one.kind == kind_of(name))
    ]
    if len(near) == 1:
        return near[0]
    names = ", ".join(one.name for one in environments) or "none"
    raise SettingsError(f'no environment "{name}" in {folder} (there is: {names})')


def _base(folder: Path) -> tuple[str, ...]:
    return tuple(str(folder / name) for name in DEFAULT_NAMES if (folder / name).is_file())[:1]


def _override(folder: Path) -> tuple[str, ...]:
    return tuple(str(folder / name) for name in OVERRIDE_NAMES if (folder / name).is_file())[:1]


def _named(folder: Path, named: NamedEnvironment, base: tuple[str, ...]) -> Environment:
    files = tuple(str(folder / file) for file in named.files) or base
    env_files = tuple(str(folder / file) for file in named.env_files) or _env_files(folder, named.name)
    kind = named.kind or kind_of(named.name)
    home = Path(files[0]).parent if files else folder
    return Environment(named.name, kind, str(home), files, env_files, named.profiles, "stackwright.toml")


def _overlays(folder: Path) -> list[tuple[str, str]]:
    """Names of environments and the files that make them, by convention."""
    found: list[tuple[str, str]] = []
    for entry in sorted(folder.iterdir()) if folder.is_dir() else ():
        match = _FILE.fullmatch(entry.name)
        if match and entry.is_file() and _names_one(match[1], folder):
            found.append((match[1], str(entry)))
    for place in _FOLDERS:
        inside = folder / place
        for entry in sorted(inside.iterdir()) if inside.is_dir() else ():
            match = _FILE.fullmatch(entry.name) or _BARE.fullmatch(entry.name)
            if match and entry.is_file() and match[1] not in ("compose", "docker-compose"):
                found.append((match[1], str(entry)))
    return found


def _names_one(word: str, folder: Path) -> bool:
    """Whether ``compose.<word>.yaml`` is an environment, not a part such as ``monitoring``."""
    return word != "override" and (bool(kind_of(word)) or (folder / f".env.{word}").is_file())


def _env_names(folder: Path) -> list[str]:
    names = (match[1] for entry in sorted(folder.iterdir()) if (match := _ENV.fullmatch(entry.name)))
    return [name for name in names if name not in _NOT_ENVIRONMENTS]


def _env_files(folder: Path, name: str, file: str = "") -> tuple[str, ...]:
    """``.env`` and over it ``.env.<name>``, as far as they are there: of the project, and nearer to the file."""
    folders = [folder]
    home = Path(file).parent if file else folder
    if home != folder:
        folders += [one for one in (home.parent, home) if one != folder]
    candidates = (place / name_of for place in folders for name_of in (".env", f".env.{name}"))
    return tuple(str(path) for path in candidates if path.is_file())


def _why(path: str, folder: Path) -> str:
    return str(Path(path).relative_to(folder))


def _services(path: str) -> dict[str, Map]:
    try:
        text = read_bytes(path)
    except UnreadableError:
        return {}
    sources = Sources()
    number = sources.add(path, text)
    found: dict[str, Map] = {}
    for document in read_documents(text, number, Reporter(sources)):
        services = document.value.get("services") if type(document.value) is Map else None
        if type(services) is Map:
            found.update({name: item if type(item) is Map else Map() for name, item in services.items()})
    return found


_SOURCES = ("image", "build", "extends", "provider")


def _lies_over(base: tuple[str, ...], path: str) -> bool:
    """Whether a file is laid over the base, rather than being a whole project of its own.

    A project of its own defines every service that it speaks of wholly, and says again most of what the base
    says about those that both have.
    """
    own = _services(path)
    below = {name: service for file in base for name, service in _services(file).items()}
    shared = own.keys() & below.keys()
    needs = {str(target) for service in own.values() for target in service.get("depends_on") or ()}
    if not own or not all(_whole(service) for service in own.values()) or needs - own.keys() or not shared:
        return True
    said_again = sum(len(own[name].keys() & below[name].keys()) / max(1, len(below[name])) for name in shared)
    return said_again / len(shared) < _MOSTLY


_MOSTLY = 0.6


def _whole(service: Map) -> bool:
    build = service.get("build")
    if type(build) is Map and not build.keys() & {"context", "dockerfile_inline"}:
        return False
    return any(key in service for key in _SOURCES)


def _without_unfinished_base(environments: list[Environment]) -> list[Environment]:
    """A base file whose services get their image elsewhere is no environment."""
    default = next((one for one in environments if one.name == DEFAULT), None)
    if default is None or len(environments) == 1:
        return environments
    merged: dict[str, set[str]] = {}
    for file in default.files:
        for name, service in _services(file).items():
            merged.setdefault(name, set()).update(service)
    if all(keys & set(_SOURCES) for keys in merged.values()):
        return environments
    return [one for one in environments if one.name != DEFAULT]


def file_kind(file: str) -> str:
    """The kind that a file's name speaks of (``docker-compose.prod.yml``), or else the folder that it lies in."""
    path = Path(file)
    match = _FILE.fullmatch(path.name)
    named = kind_of(match[1]) if match else ""
    return named or ("test" if path.parent.name.lower() in _TEST_FOLDERS else "")


_TEST_FOLDERS = frozenset({"test", "tests", "testing", "testdata", "fixtures", "e2e", "ci"})
