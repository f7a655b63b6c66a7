"""Live progress lines: one per service, never wider or more than the terminal has room for."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable

import pytest

from stackwright.cli import live
from stackwright.cli.live import Live
from stackwright.run.events import Event, Held, Output, Progress, Stage, Transfer


class Terminal:
    """What is on a terminal of this size after what was written to it: the erasing sequences are obeyed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, columns: int = 80, lines: int = 24) -> None:
        size = os.terminal_size((columns, lines))
        monkeypatch.setattr(live, "screen", lambda out: size)
        self.columns, self.out = columns, io.StringIO()
        service: Callable[[str], str] = lambda name: name.removeprefix("demo-").rpartition("-")[0]  # noqa: E731
        self.show = Live(self.out, colour=False, service=service)

    def tell(self, *events: Event) -> None:
        for event in events:
            self.show(event)
        self.show.tick()

    def rows(self) -> list[str]:
        shown: list[str] = []
        for part in re.split(r"(\x1b\[\d+A\x1b\[J)", self.out.getvalue()):
            if up := re.match(r"\x1b\[(\d+)A", part):
                assert int(up[1]) <= len(shown)
                del shown[len(shown) - int(up[1]) :]
            else:
                shown += part.split("\n")[:-1]
        assert all(len(row) <= self.columns for row in shown), shown
        return [" ".join(re.sub(r"\d+\.\ds$", "", row).split()) for row in shown]


def container(name: str, text: str, state: str = "working", detail: str = "") -> Progress:
    return Progress(f"Container demo-{name}", text, state, detail)  # type: ignore[arg-type]


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    return Terminal(monkeypatch)


def test_the_containers_of_a_service_share_a_line_with_a_count(wide: Terminal) -> None:
    wide.tell(*(container(f"api-{number}", "Starting") for number in (1, 2, 3)))
    assert wide.rows()[1:] == ["⠙ api Starting"]
    wide.tell(container("api-1", "Started", "done"), container("api-3", "Started", "done"))
    assert wide.rows() == ["[+] Running 0/1", "⠹ api Started 2/3"]
    wide.tell(container("api-2", "Started", "done"))
    assert wide.rows() == ["[+] Running 1/1", "✔ api Started"]


def test_containers_that_ended_differently_are_counted(wide: Terminal) -> None:
    wide.tell(container("api-1", "Running", "done"), container("api-2", "Running", "done"))
    wide.tell(container("api-3", "Started", "done"))
    assert wide.rows()[1:] == ["✔ api Running 2, Started 1"]


def test_a_container_that_fails_is_named_although_the_others_go_on(wide: Terminal) -> None:
    wide.tell(*(container(f"api-{number}", "Waiting") for number in (1, 2, 3)))
    wide.tell(container("api-2", "Error", "error", "it ended"))
    assert wide.rows()[1:] == ["✘ api Error demo-api-2: it ended"]


def test_what_is_waited_for_is_said(wide: Terminal) -> None:
    wide.tell(Held("Container demo-api-1", "after db is healthy"))
    assert wide.rows()[1:] == ["⠙ api Waiting after db is healthy"]


def test_a_pull_has_a_bar_that_never_goes_back(wide: Terminal) -> None:
    wide.tell(
        Progress("big:1", "Pulling"),
        Transfer("big:1", "a", "Downloading", 2_000_000, 4_000_000),
        Transfer("big:1", "b", "Downloading", 1_000_000, 4_000_000),
        Transfer("big:1", "c", "Already exists"),
    )
    assert wide.rows()[1:] == ["⠙ big:1 Pulling [███████░░░░░░░░░░░░░] 3.0MB / 8.0MB"]
    wide.tell(Transfer("big:1", "a", "Extracting", 1_000_000, 4_000_000))
    assert wide.rows()[1:] == ["⠹ big:1 Pulling [████████████░░░░░░░░] 5.0MB / 8.0MB"]
    wide.tell(Transfer("big:1", "b", "Download complete"))
    assert wide.rows()[1:] == ["⠸ big:1 Pulling unpacking [██░░░░░░░░░░░░░░░░░░] 1.0MB / 8.0MB"]
    wide.tell(Progress("big:1", "Pulled", "done"))
    assert wide.rows()[1:] == ["✔ big:1 Pulled"]


def test_a_build_has_a_bar_and_its_last_line(wide: Terminal) -> None:
    wide.tell(Progress("own", "Building"), Stage("own", 3, 5, "RUN x"), Output("own", "compiling"))
    assert wide.rows()[1:] == ["⠙ own Building [████░░░░░░] compiling"]


@pytest.mark.parametrize("columns", [12, 20, 33, 40, 41, 60, 80, 200])
def test_no_line_wraps_however_narrow_the_terminal_is(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    terminal = Terminal(monkeypatch, columns)
    terminal.tell(
        container("a-service-with-a-long-name-1", "Started", "done"),
        container("a-service-with-a-long-name-2", "Waiting", "working", "after another-long-name is healthy"),
        container("db-1", "Error", "error", "its health check failed " * 9),
        Progress("127.0.0.1:47757/some/image:tag", "Pulling"),
        Transfer("127.0.0.1:47757/some/image:tag", "a", "Downloading", 100_000_000, 400_000_000),
        Progress("Network demo_default", "Created", "done"),
    )
    assert len(terminal.rows()) == 5  # which also looks at their widths


@pytest.mark.parametrize("lines", [1, 4, 7])
def test_what_fails_or_works_is_shown_first_where_there_is_little_room(
    monkeypatch: pytest.MonkeyPatch, lines: int
) -> None:
    terminal = Terminal(monkeypatch, lines=lines)
    terminal.tell(*(container(f"s{number}-1", "Started", "done") for number in range(20)))
    terminal.tell(container("slow-1", "Waiting"), container("bad-1", "Error", "error"))
    rows = terminal.rows()
    assert len(rows) == max(2, lines - 2)
    assert rows[1] == "✘ bad Error"
    assert rows[0] == f"[+] Running 21/22 ({22 - len(rows) + 1} more)"
    terminal.show.close()
    assert len(terminal.rows()) == 23
    assert "· slow Waiting" in terminal.rows()
