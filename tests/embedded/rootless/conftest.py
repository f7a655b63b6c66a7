"""An ordinary user, and its engine with the busybox image."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.embedded.conftest import started
from tests.embedded.rootless.ordinary_user import Account, UserEngine


@pytest.fixture(scope="module")
def engine(account: Account, tun: None) -> Iterator[UserEngine]:
    yield from started(UserEngine(account))


@pytest.fixture
def own_engine(account: Account, tun: None) -> Iterator[UserEngine]:
    yield from started(UserEngine(account))
