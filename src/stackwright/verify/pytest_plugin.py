"""The pytest plugin: fresh compose projects per session, module or test.

Loaded by every pytest run of an environment that has Stackwright, so nothing is imported before a fixture is used.
See docs/testing.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from stackwright.verify.sync import SyncStack

_INI = {
    "stack_files": (
        "paths",
        "Compose files of the stack fixtures, relative to the ini file (default: compose.yaml)",
    ),
    "stack_services": (
        "args",
        "Services of the stack fixtures; their dependencies come along (default: all)",
    ),
    "stack_publish": ("args", "Ports to publish besides those of the files: SERVICE:PORT"),
    "stack_profiles": ("args", "Profiles to enable"),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """The settings in pytest.ini or pyproject.toml, and one option."""
    for name, (kind, text) in _INI.items():
        parser.addini(name, text, type=kind)  # type: ignore[arg-type]
    group = parser.getgroup("stackwright")
    group.addoption("--stack-engine", help="Engine of the stack fixtures: auto, docker, podman or embedded")


def pytest_configure(config: pytest.Config) -> None:
    """The marker."""
    config.addinivalue_line(
        "markers",
        "stack(files=..., services=..., publish=...): the compose project of module_stack and fresh_stack",
    )


def _defaults(config: pytest.Config) -> dict[str, Any]:
    publish: dict[str, list[int]] = {}
    for text in config.getini("stack_publish"):
        service, colon, port = text.partition(":")
        if not colon or not port.isdigit():
            raise pytest.UsageError(f'stack_publish: "{text}" is not SERVICE:PORT')
        publish.setdefault(service, []).append(int(port))
    folder = config.inipath.parent if config.inipath is not None else config.rootpath
    return {
        "files": config.getini("stack_files") or None,
        "services": config.getini("stack_services"),
        "profiles": config.getini("stack_profiles") or None,
        "publish": publish,
        "engine": config.getoption("--stack-engine"),
        "project_directory": None if config.getini("stack_files") else folder,
    }


@pytest.fixture(scope="session")
def stack_factory(pytestconfig: pytest.Config) -> Iterator[Callable[..., SyncStack]]:
    """Makes fresh stacks: `stack_factory("compose.yaml", publish={"db": [5432]})`; all go at the session's end."""
    from stackwright.verify.bringing import up

    with ExitStack() as exits:

        def make(files: Any = None, **settings: Any) -> SyncStack:
            wanted = _defaults(pytestconfig)
            if files is not None:
                wanted |= {"files": files, "project_directory": None}
            return exits.enter_context(up(**{**wanted, **settings, "fresh": True}))

        yield make


def _one(request: pytest.FixtureRequest) -> Iterator[SyncStack]:
    from stackwright.verify.bringing import up

    wanted = _defaults(request.config)
    marker = request.node.get_closest_marker("stack")
    if marker is not None:
        if "files" in marker.kwargs:
            wanted["project_directory"] = None
        wanted |= marker.kwargs
    with up(**wanted, fresh=True) as stack:
        yield stack


@pytest.fixture(scope="session")
def session_stack(request: pytest.FixtureRequest) -> Iterator[SyncStack]:
    """A fresh stack for the whole session (of each worker, with pytest-xdist)."""
    yield from _one(request)


@pytest.fixture(scope="module")
def module_stack(request: pytest.FixtureRequest) -> Iterator[SyncStack]:
    """A fresh stack for the tests of a module."""
    yield from _one(request)


@pytest.fixture
def fresh_stack(request: pytest.FixtureRequest) -> Iterator[SyncStack]:
    """A fresh stack for one test."""
    yield from _one(request)
