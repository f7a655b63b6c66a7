"""Routes, versions and times: pure parts of the edge."""

from __future__ import annotations

import time

import pytest

from stackwright.embedded.api.routing import Route, Router, split_version
from stackwright.embedded.api.times import NEVER, human_duration, parse_time, rfc3339
from stackwright.embedded.api.top import table_of
from stackwright.embedded.containers.runtime import ProcessInfo
from stackwright.embedded.errors import BadParameter, NotFound


def route(method: str, pattern: str) -> Route:
    return Route(method, pattern, lambda call: None)  # type: ignore[arg-type, return-value]


ROUTER = Router(
    [
        route("GET", "/images/json"),
        route("GET", "/images/{name:path}/json"),
        route("DELETE", "/images/{name:path}"),
        route("GET", "/containers/{id}/json"),
    ]
)


def test_names_of_images_may_hold_slashes() -> None:
    assert ROUTER.find("GET", "/images/json")[1] == {}
    assert ROUTER.find("GET", "/images/a/b:1/json")[1] == {"name": "a/b:1"}
    assert ROUTER.find("DELETE", "/images/localhost:5000/x/y:1")[1] == {"name": "localhost:5000/x/y:1"}
    assert ROUTER.find("HEAD", "/containers/x/json")[1] == {"id": "x"}
    for method, path in (
        ("GET", "/containers/a/b/json"),
        ("POST", "/images/json"),
        ("GET", "/"),
        ("GET", ""),
    ):
        with pytest.raises(NotFound, match="page not found"):
            ROUTER.find(method, path)


def test_versions() -> None:
    assert split_version("/v1.41/info") == ((1, 41), "/info")
    assert split_version("/info") == ((1, 50), "/info")
    assert split_version("/v1.50") == ((1, 50), "/")
    assert split_version("/volumes/v1.0") == ((1, 50), "/volumes/v1.0")
    for path in ("/v1.23/x", "/v1.51/x", "/v2.0/x"):
        with pytest.raises(BadParameter):
            split_version(path)


def test_times_are_read_in_all_of_dockers_forms() -> None:
    assert rfc3339(1_700_000_000_123_456_789) == "2023-11-14T22:13:20.123456789Z"
    assert rfc3339(0) == NEVER
    assert parse_time("1700000000.5") == 1_700_000_000_500_000_000
    assert parse_time("2023-11-14T22:13:20.123456789Z") == 1_700_000_000_123_456_000
    assert parse_time("2023-11-14T23:13:20+01:00") == 1_700_000_000_000_000_000
    assert abs(parse_time("1h30m") - (time.time_ns() - 5400 * 10**9)) < 10**9
    assert parse_time("") == parse_time("0") == 0
    with pytest.raises(BadParameter):
        parse_time("yesterday")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "Less than a second"), (1, "1 second"), (59, "59 seconds"), (61, "About a minute"),
        (300, "5 minutes"), (3700, "About an hour"), (7200 * 3, "6 hours"), (86400 * 3, "3 days"),
        (86400 * 21, "3 weeks"), (86400 * 90, "3 months"), (86400 * 800, "2 years"),
    ],
)  # fmt: skip
def test_durations_for_people(seconds: float, text: str) -> None:
    assert human_duration(seconds) == text


def test_top_has_the_columns_that_were_asked_for() -> None:
    process = ProcessInfo(
        pid=7,
        ppid=1,
        uid=0,
        state="S",
        start_time=0.0,
        cpu_time=3725.0,
        virtual=0,
        resident=0,
        tty="?",
        command="sleep 5",
    )
    assert table_of([process], "-ef", 10**6)["Processes"][0][:3] == ["root", "7", "1"]
    assert table_of([process], "aux", 10**6)["Titles"][0] == "USER"
    assert table_of([process], "-o pid,time,comm", 10**6) == {
        "Titles": ["PID", "TIME", "COMMAND"], "Processes": [["7", "01:02:05", "sleep"]],
    }  # fmt: skip
