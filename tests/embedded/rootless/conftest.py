"""An ordinary user, and its engine with the busybox image."""

from __future__ import annotations

import stat
from collections.abc import Iterator

import pytest
from tests.embedded.conftest import load_busybox
from tests.embedded.rootless.ordinary_user import TUN, Account, UserEngine, why_not


@pytest.fixture(scope="session")
def account() -> Iterator[Account]:
    if (reason := why_not()) is not None:
        pytest.skip(reason)
    made = Account()
    try:
        yield made
    finally:
        made.remove()


@pytest.fixture(scope="session")
def tun() -> Iterator[None]:
    """/dev/net/tun as distributions have it: open to every user."""
    if not TUN.exists():
        pytest.skip("no /dev/net/tun")
    before = stat.S_IMODE(TUN.stat().st_mode)
    TUN.chmod(before | 0o666)
    try:
        yield
    finally:
        TUN.chmod(before)


@pytest.fixture(scope="module")
def engine(account: Account, tun: None) -> Iterator[UserEngine]:
    yield from started(UserEngine(account))


@pytest.fixture
def own_engine(account: Account, tun: None) -> Iterator[UserEngine]:
    yield from started(UserEngine(account))


def started(engine: UserEngine) -> Iterator[UserEngine]:
    """The engine while a test uses it; fails when it leaves a process behind."""
    try:
        engine.start()
        load_busybox(engine)
        yield engine
    finally:
        engine.close()
