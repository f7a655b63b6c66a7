"""What an ordinary user gets where newuidmap, subordinate ids or pasta are missing: less, and a plain statement."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.embedded.conftest import started
from tests.embedded.rootless.ordinary_user import Account, UserEngine, why_not
from tests.peers import IMAGE

pytestmark = pytest.mark.root


@pytest.fixture
def poor() -> Iterator[Account]:
    """A user without subordinate ids."""
    if (reason := why_not()) is not None:
        pytest.skip(reason)
    made = Account(subordinate_ids=False)
    try:
        yield made
    finally:
        made.remove()


def test_without_pasta_ports_and_names_work_and_the_log_says_that_there_is_no_way_out(
    account: Account,
) -> None:
    for engine in started(UserEngine(account, hidden=("pasta",))):
        assert engine.words().count("no way out of the containers") == 1
        assert "Debian package passt" in engine.words()
        engine.docker("run", "-d", "-p", "80", "--name", "cc", IMAGE, "sleep", "60")
        assert engine.docker("port", "cc").stdout
        assert engine.docker("exec", "cc", "ip", "route").stdout.startswith("default via")


@pytest.mark.parametrize("hidden", [("newuidmap", "pasta"), ("pasta",)])
def test_with_one_id_containers_run_as_root_and_the_log_says_what_will_not_work(
    poor: Account, hidden: tuple[str, ...]
) -> None:
    for engine in started(UserEngine(poor, hidden=hidden)):
        assert engine.words().count("only one user id is mapped") == 1
        assert engine.docker("run", "--rm", IMAGE, "id", "-u").stdout == "0\n"
        assert engine.docker("run", "--rm", "-t", IMAGE, "echo", "terminal").stdout.strip() == "terminal"
        failed = engine.docker("run", "--rm", "--user", "33", IMAGE, "true", check=False)
        assert failed.returncode == 126 or failed.returncode == 125
        assert "user 33" in failed.stderr
