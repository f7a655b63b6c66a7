"""The API against a real PostgreSQL: `TEST_DATABASE_URL`, or a server made for this run from the
machine's own PostgreSQL (as the user postgres when run as root). Skipped, with the reason, without either.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

psycopg2 = pytest.importorskip("psycopg2", reason="the backend's requirements.txt is not installed")
pytest.importorskip("flask_cors", reason="the backend's requirements.txt is not installed")

from taskapp.application import create_app  # noqa: E402
from taskapp.config import Config  # noqa: E402
from taskapp.migrate import migrate  # noqa: E402


def _server_programs() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    initdb = shutil.which("initdb")
    return Path(initdb).parent if initdb else None


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """A PostgreSQL server's address, as a superuser."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        yield given
        return
    programs = _server_programs()
    if programs is None:
        pytest.skip("no TEST_DATABASE_URL and no PostgreSQL server on this machine")
    user: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="taskapp-test-") as folder:
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            account = pwd.getpwnam("postgres")
            os.chown(folder, account.pw_uid, account.pw_gid)
            user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        data = f"{folder}/data"

        def run(*command: str) -> None:
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder, **user)

        run(str(programs / "initdb"), "-D", data, "-A", "trust", "-U", "tester", "--no-sync")
        options = f"-k {folder} -c listen_addresses= -c fsync=off"
        run(str(programs / "pg_ctl"), "-D", data, "-o", options, "-l", f"{folder}/log", "-w", "start")
        try:
            yield f"postgresql://tester@/postgres?host={folder}"
        finally:
            run(str(programs / "pg_ctl"), "-D", data, "-m", "immediate", "-w", "stop")


@pytest.fixture
def empty_database(server_url: str) -> Iterator[str]:
    """The address of a database of this test's own, with nothing in it."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    admin = psycopg2.connect(server_url)
    admin.autocommit = True
    with admin.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
        head, _, query = server_url.partition("?")
        url = f"{head.rpartition('/')[0]}/{name}" + (f"?{query}" if query else "")
        yield url
        cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
    admin.close()


@pytest.fixture
def app(empty_database: str) -> Any:
    migrate(empty_database)
    return create_app(
        Config(
            database_url=empty_database,
            secret_key="s" * 32,
            jwt_secret_key="j" * 32,
            cors_origins=("http://localhost:3000",),
        )
    )


@pytest.fixture
def client(app: Any) -> Any:
    return app.test_client()


@pytest.fixture
def signed_up(client: Any) -> Callable[..., dict[str, str]]:
    """Makes an account and gives the headers that prove it."""

    def sign_up(email: str = "ada@example.org") -> dict[str, str]:
        answer = client.post(
            "/api/auth/signup", json={"name": "Ada", "email": email, "password": "correct horse"}
        )
        assert answer.status_code == 201, answer.json
        return {"Authorization": f"Bearer {answer.json['token']}"}

    return sign_up
