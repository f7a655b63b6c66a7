"""`logs`: order, tails, following across restarts."""

from __future__ import annotations

import json
import signal
import time
from dataclasses import replace

from tests.cli.conftest import Box, everywhere, read_until
from tests.support.cuttable import cuttable

TALKER = """
    services:
      a: {image: $IMAGE, command: [sh, -c, "echo a1; sleep 0.4; echo a2; echo oops >&2"]}
      b: {image: $IMAGE, command: [sh, -c, "sleep 0.2; echo b1"]}
    """


def test_lines_of_several_services_are_merged_in_time_order(box: Box) -> None:
    box.write(
        """
        services:
          a: {image: $IMAGE, command: [sh, -c, "while [ ! -e /s/a1 ]; do sleep 0.05; done; echo a1; while [ ! -e /s/a2 ]; do sleep 0.05; done; echo a2"], volumes: [./s:/s]}
          b: {image: $IMAGE, command: [sh, -c, "while [ ! -e /s/b1 ]; do sleep 0.05; done; echo b1"], volumes: [./s:/s]}
        """
    )
    box.ok("up", "-d")
    # An engine takes the time of a line when it reads it: the next one is written when that has happened.
    for name in ("a1", "b1", "a2"):
        (box.folder / "s" / name).touch()
        deadline = time.monotonic() + 60
        while f"| {name}" not in box.ok("logs"):
            assert time.monotonic() < deadline
    assert box.ok("logs") == "a-1  | a1\nb-1  | b1\na-1  | a2\n"


@everywhere
def test_tail_prefix_and_timestamps(box: Box) -> None:
    box.write(TALKER)
    box.ok("up")
    assert box.ok("logs", "--no-log-prefix", "--tail", "1", "b") == "b1\n"
    stamped = box.ok("logs", "-t", "b")
    assert stamped.startswith("b-1  | 20")
    assert stamped.endswith(" b1\n")
    assert box.ok("logs", "--since", "1h", "--no-log-prefix", "b") == "b1\n"
    assert box.ok("logs", "--until", "1h", "b") == ""


@everywhere
def test_following_goes_on_across_a_restart_and_misses_nothing(box: Box) -> None:
    box.write(
        """
        services:
          a: {image: $IMAGE, command: [sh, -c, "trap 'exit 0' TERM; echo run $$(cat /proc/sys/kernel/random/uuid); sleep 1000 & wait"]}
        """
    )
    box.ok("up", "-d")
    process = box.start("logs", "-f")
    read_until(process, "| run")
    box.ok("restart", "a")
    read_until(process, "| run")
    box.ok("up", "-d", "--force-recreate")
    read_until(process, "| run")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)


def test_following_goes_on_while_a_command_is_at_work_on_what_does_not_run(box: Box) -> None:
    box.write(
        """
        services:
          a:
            image: $IMAGE
            pre_start: [{command: [sleep, "4"]}]
            command: [sh, -c, "trap 'exit 0' TERM; echo run; sleep 1000 & wait"]
        """
    )
    box.ok("up", "-d")
    process = box.start("logs", "-f")
    read_until(process, "| run")
    box.ok("up", "-d", "--force-recreate")
    read_until(process, "| run")
    box.ok("stop")
    assert process.wait(20) == 0


@everywhere
def test_following_ends_when_nothing_runs_any_more(box: Box) -> None:
    box.write(TALKER)
    box.ok("up", "-d")
    result = box.run("logs", "-f", timeout=30)
    assert result.returncode == 0
    assert sorted(line for line in result.stdout.splitlines() if "|" in line) == [
        "a-1  | a1",
        "a-1  | a2",
        "a-1  | oops",
        "b-1  | b1",
    ]


@everywhere
def test_who_ends_while_its_history_is_read_is_followed_to_its_end(box: Box) -> None:
    box.write("services: {a: {image: $IMAGE, command: [sh, -c, 'echo first; sleep 1.2; echo last']}}")
    with cuttable(box.address) as way:
        box.ok("up", "-d")
        way.late[b"/containers/json"] = 0.8  # before the history, and again before the following
        result = replace(box, address=way.address).run("logs", "-f", "--no-log-prefix", timeout=30)
    assert result.returncode == 0
    assert result.stdout.splitlines()[:2] == ["first", "last"]


def test_lines_are_chosen_by_pattern_and_level(box: Box) -> None:
    box.write(
        """
        services:
          a:
            image: $IMAGE
            scale: 2
            command:
              - sh
              - -c
              - |
                echo '{"level":30,"msg":"fine"}'
                echo '{"level":50,"msg":"broken"}'
                echo '  at main.js:3'
                echo 'level=debug detail'
                echo 'WARNING: low disk'
        """
    )
    box.ok("up")
    plain = ("logs", "--no-log-prefix")
    assert sorted(box.ok(*plain, "--level", "warn").splitlines()) == sorted(
        ['{"level":50,"msg":"broken"}', "  at main.js:3", "WARNING: low disk"] * 2
    )
    assert box.ok(*plain, "--grep", "b.o", "--index", "2") == '{"level":50,"msg":"broken"}\n'
    # With a filter --tail counts the lines that are shown.
    assert box.ok(*plain, "--level", "error", "--tail", "1") == "  at main.js:3\n  at main.js:3\n"
    rows = [json.loads(line) for line in box.ok("logs", "--json", "--grep", "broken|low").splitlines()]
    assert {(row["number"], row["level"], row["text"]) for row in rows} == {
        (number, level, text)
        for number in (1, 2)
        for level, text in (("error", '{"level":50,"msg":"broken"}'), ("warn", "WARNING: low disk"))
    }
    assert [row["time"] for row in rows] == sorted(row["time"] for row in rows)
    assert 'invalid --grep "("' in box.fails("logs", "--grep", "(")


@everywhere
def test_a_line_that_the_engine_keeps_in_pieces_is_one_line(box: Box) -> None:
    # Longer than the 16 KB at which engines cut, and one whose end is printed later.
    box.write(
        """
        services:
          long: {image: $IMAGE, command: [sh, -c, "head -c 40000 /dev/zero | tr '\\\\0' x; echo"]}
          late: {image: $IMAGE, command: [sh, -c, "printf one; sleep 0.3; printf ,two; sleep 0.3; echo ,three"]}
        """
    )
    box.ok("up", "-d")
    box.ok("wait", "long", "late")
    assert box.ok("logs", "--no-log-prefix", "late") == "one,two,three\n"
    long = box.ok("logs", "--no-log-prefix", "long")
    assert long.rstrip("\n").strip("x") == "", "something was put into the line"
    assert len(long) == 40_001
    assert box.ok("logs", "-t", "--no-log-prefix", "late").count("T") == 1
