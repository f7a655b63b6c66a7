"""An ordinary user, and its engine with the busybox image."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.embedded.conftest import load_busybox
from tests.embedded.rootless.ordinary_user import Account, UserEngine


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
