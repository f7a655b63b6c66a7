"""Skips what this machine cannot run, saying why; the command under test with a state of its own."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest
from hypothesis import settings
from tests.peers import (
    Peer,
    busybox_archive,
    running_dockerd,
    running_podman,
    why_no_docker,
    why_no_podman,
)
from tests.support.cli import Stackwright

if TYPE_CHECKING:
    from tests.embedded.rootless.ordinary_user import Account
    from tests.stacks.taskapp import Taskapp

TUN = Path("/dev/net/tun")
TUN_MODE = pytest.StashKey[int]()


def pytest_sessionstart(session: pytest.Session) -> None:
    """The device is one for all workers of a run: whoever ends first must not take it from the others."""
    if not hasattr(session.config, "workerinput") and TUN.exists():
        session.config.stash[TUN_MODE] = stat.S_IMODE(TUN.stat().st_mode)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    before = session.config.stash.get(TUN_MODE, None)
    if before is not None and stat.S_IMODE(TUN.stat().st_mode) != before:
        TUN.chmod(before)


def pytest_configure(config: pytest.Config) -> None:
    if os.environ.get(
        "CI"
    ):  # the same examples each time: new ones are looked for where a person can read of them
        settings.register_profile("ci", derandomize=True)
        settings.load_profile("ci")
    # What commands remember between runs (how long services took to boot) stays out of the user's home.
    memory = tempfile.mkdtemp(prefix="sw-memory-")
    os.environ["XDG_STATE_HOME"] = memory
    # Programs buffer what they print as they do for a person, whatever this surrounding likes.
    os.environ.pop("PYTHONUNBUFFERED", None)
    # Commands leave no fork server behind, but where a test says so.
    os.environ["STACKWRIGHT_WARM"] = "0"
    config.add_cleanup(lambda: shutil.rmtree(memory, ignore_errors=True))


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in the same hook, and is registered later
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    random_rounds = os.environ.get("STACKWRIGHT_RANDOM_ROUNDS")
    for item in items:  # for `--dist loadgroup`: by file, and what takes minutes to build once for all
        file = item.nodeid.partition("::")[0]
        builds = _uses(item, "taskapp") or _uses(item, "users_taskapp")
        item.add_marker(pytest.mark.xdist_group("taskapp" if builds else file))
        if random_rounds and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(300 + 30 * int(random_rounds)))
    if os.geteuid() == 0:
        return
    needs_root = pytest.mark.skip(reason="needs root: namespaces, mounts and network devices")
    for item in items:
        if item.get_closest_marker("root") or item.get_closest_marker("docker"):
            item.add_marker(needs_root)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Groups that are ignored cost half of the time again: every worker builds and starts what one should."""
    if getattr(session.config.option, "loadgroup", False):
        assert all("@" in item.nodeid for item in session.items), (
            "--dist loadgroup ignores the groups of tests"
        )


def _uses(item: pytest.Item, fixture: str) -> bool:
    return fixture in getattr(item, "fixturenames", ())


@pytest.fixture
def stackwright() -> Iterator[Stackwright]:
    """The command with an engine of the test's own."""
    with own_engine(plain()) as command:
        yield command


@pytest.fixture(scope="module")
def shared_stackwright() -> Iterator[Stackwright]:
    """One engine for the tests of a module: its images stay from test to test."""
    with own_engine(plain()) as command:
        yield command


@pytest.fixture(scope="session")
def taskapp(request: pytest.FixtureRequest) -> Iterator[Taskapp]:
    """The task management stack, built once for all files that use it; those leave it as they like.

    It stands on the images that an ordinary user has made from nothing, where there can be one.
    """
    from tests.embedded.rootless.ordinary_user import why_not
    from tests.stacks.taskapp import Taskapp, hand_over

    with own_engine(plain(LASTING)) as command:
        app = Taskapp.prepare(command.root / "taskapp", command)
        if why_not() is None:
            source: Taskapp = request.getfixturevalue("users_taskapp")
            app.ok("engine", "start")
            hand_over(source.command.socket, command.socket)
        app.up("--build")
        yield app
        app.ok("down", "-v")


@pytest.fixture(scope="session")
def users_taskapp(account: Account, tun: None) -> Iterator[Taskapp]:
    """The task management stack of an ordinary user with control groups, from nothing."""
    from tests.embedded.rootless.ordinary_user import UserStackwright, delegated_groups
    from tests.stacks.taskapp import Taskapp

    with delegated_groups(account) as groups:
        root = Path(tempfile.mkdtemp(prefix="sw-"))
        with own_engine(UserStackwright(root, LASTING, account=account, cgroups=groups)) as command:
            app = Taskapp.prepare(root / "taskapp", command)
            command.give()
            app.up("--build")
            yield app
            app.ok("down", "-v")


Command = TypeVar("Command", bound=Stackwright)


LASTING = {"STACKWRIGHT_IDLE_SECONDS": "7200"}
"""A session of tests has long pauses, in which an engine without containers would end."""


def plain(environment: dict[str, str] | None = None) -> Stackwright:
    """The command with a new folder; a short path, since the names of Unix sockets are limited to 107 bytes."""
    return Stackwright(Path(tempfile.mkdtemp(prefix="sw-")), environment or {})


@contextmanager
def own_engine(command: Command) -> Iterator[Command]:
    """An engine with a state of its own; afterwards neither it nor anything it ran is left."""
    try:
        yield command
    finally:
        command.stop_engine()
        shutil.rmtree(command.root)


@pytest.fixture(scope="session")
def dockerd() -> Iterator[Peer]:
    """A Docker Engine of this test process, with the busybox image `tests.peers.IMAGE` loaded."""
    import docker

    if reason := why_no_docker():
        pytest.skip(reason)
    with running_dockerd() as engine:
        client = docker.DockerClient(base_url=engine.address)
        client.images.load(busybox_archive())
        client.close()
        yield engine


@pytest.fixture
def dockerd_socket(dockerd: Peer) -> str:
    """The address of the Docker Engine, for DOCKER_HOST."""
    return dockerd.address


@pytest.fixture(scope="session")
def podman() -> Iterator[Peer]:
    """A Podman service of this test process, with the busybox image `tests.peers.IMAGE` loaded."""
    import docker

    if reason := why_no_podman():
        pytest.skip(reason)
    with running_podman() as engine:
        client = docker.DockerClient(base_url=engine.address)
        client.images.load(busybox_archive(compress=False))
        client.close()
        yield engine


@pytest.fixture(scope="session")
def account() -> Iterator[Account]:
    """An ordinary user of this machine, for as long as the tests run."""
    from tests.embedded.rootless.ordinary_user import Account, why_not

    if (reason := why_not()) is not None:
        pytest.skip(reason)
    made = Account()
    try:
        yield made
    finally:
        made.remove()


@pytest.fixture(scope="session")
def tun() -> None:
    """/dev/net/tun as distributions have it: open to every user. What it was comes back when all tests have ended."""
    if not TUN.exists():
        pytest.skip("no /dev/net/tun")
    TUN.chmod(stat.S_IMODE(TUN.stat().st_mode) | 0o666)
