"""`develop.watch` as decisions: which changed paths mean what."""

from __future__ import annotations

from typing import Any

import msgspec
from tests.projects import project, sleeper

from stackwright.dockerfile import DockerIgnore
from stackwright.model.types import Hook, WatchRule
from stackwright.plan.watching import Rule, Silent, Work, decide, rules


def develop(*found: WatchRule) -> Any:
    return {"watch": [msgspec.to_builtins(one) for one in found]}


def watched(*found: WatchRule, build: str = "/work/app", ignores: str = "", **more: Any) -> list[Rule]:
    """The rules of one service, built from `build`, with a `.dockerignore` there."""
    service = sleeper(develop=develop(*found), build={"context": build}, **more)
    return rules(project(web=service), ["web"], {build: DockerIgnore.parse(ignores)})[0]


def rule(action: str = "sync", path: str = "/work/app/src", target: str = "/srv", **more: Any) -> WatchRule:
    return WatchRule(path=path, action=action, target=target, **more)  # type: ignore[arg-type]


def copies(found: list[Rule], *paths: str) -> dict[str, str]:
    return {path: inner for work in decide(found, paths).values() for path, inner in work.copies.items()}


def test_a_file_goes_to_its_place_below_the_target() -> None:
    assert copies(watched(rule()), "/work/app/src/a/b.py") == {"/work/app/src/a/b.py": "/srv/a/b.py"}


def test_a_rule_for_one_file_goes_to_the_target_itself() -> None:
    found = watched(rule(path="/work/app/conf.py", target="/etc/conf.py"))
    assert copies(found, "/work/app/conf.py", "/work/app/conf.pyc") == {"/work/app/conf.py": "/etc/conf.py"}


def test_what_is_elsewhere_or_only_begins_alike_is_not_meant() -> None:
    assert decide(watched(rule()), ["/work/app/srcs/a", "/work/app", "/work/other/src/a"]) == {}


def test_ignore_include_and_dockerignore_leave_out() -> None:
    found = watched(rule(ignore=["*.log", "tmp/"]), ignores="src/secret\n")
    assert copies(found, "/work/app/src/x.log", "/work/app/src/tmp/a", "/work/app/src/secret/k") == {}
    found = watched(rule(include=["*.py", "**/*.py"]))
    assert list(copies(found, "/work/app/src/a.py", "/work/app/src/d/b.py", "/work/app/src/c.txt")) == [
        "/work/app/src/a.py",
        "/work/app/src/d/b.py",
    ]


def test_a_dockerignore_that_lets_little_in_lets_that_in() -> None:
    found = watched(rule(), ignores="*\n!src\n**/__pycache__\n")
    assert list(copies(found, "/work/app/src/a.py", "/work/app/src/__pycache__/a.pyc")) == [
        "/work/app/src/a.py"
    ]


def test_what_editors_and_git_leave_behind_is_nobody_s_change() -> None:
    names = [".git/index", "a.py~", ".a.py.swp", "4913", ".#a.py", "#a.py#", ".idea/x", "d/.goutputstream-1"]
    assert decide(watched(rule()), [f"/work/app/src/{name}" for name in names]) == {}


def test_folders_in_which_nothing_can_be_meant_are_not_looked_into() -> None:
    (one,) = watched(rule(ignore=["node_modules/"]), ignores="dist\n")
    assert one.hopeless("/work/app/src/node_modules")
    assert one.hopeless("/work/app/src/.git")
    assert not one.hopeless("/work/app/src/lib")
    (one,) = watched(rule(ignore=["out/*", "!out/keep"]))
    assert not one.hopeless("/work/app/src/out")


def test_each_service_does_one_thing_about_one_batch() -> None:
    hook = Hook(command=["reload"])
    found = watched(
        rule(),
        rule("sync+exec", exec=hook),
        rule("sync+restart", path="/work/app/conf", target="/conf"),
        rule("rebuild", path="/work/app/req.txt", target=""),
    )
    work = decide(found, ["/work/app/src/a", "/work/app/src/b", "/work/app/conf/c"])["web"]
    assert (work.rebuild, work.restart, work.hooks) == (False, True, [hook])
    assert sorted(work.copies) == ["/work/app/conf/c", "/work/app/src/a", "/work/app/src/b"]
    assert decide(found, ["/work/app/src/a", "/work/app/req.txt"])["web"].rebuild


def test_work_that_waits_takes_in_what_comes() -> None:
    waiting = Work("web", copies={"a": "/a"}, changed={"a"})
    waiting.join(Work("web", restart=True, copies={"b": "/b"}, changed={"b"}))
    assert (waiting.restart, waiting.copies, waiting.changed) == (True, {"a": "/a", "b": "/b"}, {"a", "b"})
    assert Work("web").copies == {}


def test_who_is_not_watched_is_told_why() -> None:
    demo = project(
        plain=sleeper(),
        built=sleeper(build={"context": "/work/app"}),
        mistaken=sleeper(develop=develop(rule("rebuild", target=""))),
        mounted=sleeper(
            develop=develop(rule()),
            volumes=[{"type": "bind", "source": "/work/app/src", "target": "/srv"}],
        ),
    )
    found, silent = rules(demo, list(demo.services), {})
    assert found == []
    assert [(one.service, one.why) for one in silent if isinstance(one, Silent)] == [
        ("plain", "it has no build and no develop.watch section"),
        ("built", "it has no develop.watch section"),
        ("mistaken", 'it has no build section, so "/work/app/src" cannot rebuild it'),
        ("mounted", '"/work/app/src" is mounted into it: changes are there without watching'),
    ]
