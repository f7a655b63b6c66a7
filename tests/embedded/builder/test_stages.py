"""Stages, targets, side by side."""

from __future__ import annotations

import asyncio
import time

import pytest
from tests.embedded.builder.conftest import chunks, tar_of

from stackwright.embedded.builder.errors import BuildFailed
from stackwright.embedded.builder.service import BuildOptions
from stackwright.embedded.errors import BadParameter

pytestmark = pytest.mark.root

FILE = (
    "FROM base AS one\nRUN echo 1 > /one\n"
    "FROM base AS unused\nRUN false\n"
    "FROM base AS two\nRUN echo 2 > /two\n"
    "FROM one AS final\nCOPY --from=two /two /two\nCOPY --from=0 /one /copy\n"
)


async def test_unused_stages_are_skipped(kit):
    image = await kit.build(FILE)
    assert "RUN false" not in kit.text
    assert "Step 1/7 : FROM base AS one" in kit.text
    assert "Step 7/7 : COPY --from=0 /one /copy" in kit.text
    assert [kit.read(image, path) for path in ("/one", "/two", "/copy")] == ["1\n", "2\n", "1\n"]


async def test_target_builds_what_it_needs_only(kit):
    image = await kit.build(FILE, target="two")
    assert kit.text.count("Step") == 2
    assert kit.view(image).lookup("/one") is None
    with pytest.raises(BadParameter, match="failed to reach build target nope in Dockerfile"):
        await kit.build(FILE, target="nope")


async def test_independent_stages_run_side_by_side_and_read_in_order(kit):
    text = (
        "FROM base AS a\nRUN sleep 0.4; echo from a\nFROM base AS b\nRUN sleep 0.4; echo from b\n"
        "FROM base\nCOPY --from=a /etc/group /a\nCOPY --from=b /etc/group /b\n"
    )
    await kit.build(text)
    assert kit.run.most_running == 2
    steps = [line for line in kit.text.splitlines() if line.startswith(("Step", "from"))]
    assert steps[1:5] == [
        "Step 2/7 : RUN sleep 0.4; echo from a",
        "from a",
        "Step 3/7 : FROM base AS b",
        "Step 4/7 : RUN sleep 0.4; echo from b",
    ]


async def test_a_failure_in_one_stage_stops_the_others_and_is_shown(kit):
    start = time.monotonic()
    detail = await kit.fails(
        "FROM base AS a\nRUN sleep 20\nFROM base AS b\nRUN echo broken; exit 4\n"
        "FROM base\nCOPY --from=a / /a\nCOPY --from=b / /b\n"
    )
    assert time.monotonic() - start < 10
    assert (detail["code"], detail["line"]) == (4, 4)
    assert "broken\n" in kit.text
    assert kit.leftovers() == []


async def test_cancelling_stops_the_step_and_cleans_up(kit):
    context = tar_of({"Dockerfile": "FROM base\nRUN sleep 30\n"})
    task = asyncio.create_task(kit.builder.build(chunks(context), BuildOptions(), kit.messages.append))
    while not kit.run.running:
        await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert kit.leftovers() == []
    assert kit.images.leases.total() == 0


async def test_images_of_a_build_under_way_are_not_pruned(kit):
    context = tar_of({"Dockerfile": "FROM base\nRUN touch /a\nRUN sleep 0.5\n"})
    task = asyncio.create_task(kit.builder.build(chunks(context), BuildOptions(), kit.messages.append))
    while len(kit.run.steps) < 2:
        await asyncio.sleep(0.02)
    await kit.images.prune({"dangling": ["false"]})
    assert kit.view(await task).lookup("/a")


@pytest.mark.parametrize(
    ("dockerfile", "message"),
    [
        ("", "cannot be empty"),
        ("FROM base\nFOO", "dockerfile parse error on line 2: unknown instruction: FOO"),
        (b"FROM base\n# \xff\xfe", "not UTF-8"),
    ],
)
async def test_what_cannot_be_read_is_refused_before_anything_is_built(kit, dockerfile, message):
    with pytest.raises(BadParameter, match=message):
        await kit.build(dockerfile)
    assert kit.messages == []
    assert kit.leftovers() == []


async def test_a_missing_dockerfile_and_a_broken_context_are_refused(kit):
    with pytest.raises(BadParameter, match="Cannot locate specified Dockerfile: other/Dockerfile"):
        await kit.build("FROM base", dockerfile="other/Dockerfile")
    with pytest.raises(BadParameter, match="not a tar archive"):
        await kit.builder.build(chunks(b"rubbish" * 1000), BuildOptions(), kit.messages.append)
    with pytest.raises(BadParameter, match="invalid reference format"):
        await kit.build("FROM base", tags=("BAD NAME",))
    assert kit.leftovers() == []


async def test_a_base_image_that_cannot_be_had_says_why(kit):
    detail = await kit.fails("FROM 127.0.0.1:1/none:1\n")
    assert "cannot reach the registry 127.0.0.1:1" in detail["message"]
    detail = await kit.fails("FROM Not_Valid!\n")
    assert "invalid reference format" in detail["message"]


async def test_the_builder_survives_a_name_taken_by_another_image(kit):
    first = await kit.build("FROM base\nRUN echo 1 > /x\n", tags=("app",))
    second = await kit.build("FROM base\nRUN echo 2 > /x\n", tags=("app",))
    assert kit.images.get("app").id == second != first
    with pytest.raises(BuildFailed):
        await kit.build("FROM base\nRUN false\n", tags=("app",))
    assert kit.images.get("app").id == second


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--security=insecure", "is not allowed by this builder"),
        ("--network=host", "is not allowed unless the build itself has --network=host"),
        ("--network=mine", "unsupported network mode"),
    ],
)
async def test_a_dockerfile_cannot_take_what_the_client_did_not_give(kit, flag, message):
    detail = await kit.fails(f"FROM base\nRUN {flag} true\n")
    assert message in detail["message"]
    assert kit.run.steps == []


async def test_a_dockerfile_can_give_up_the_network(kit):
    await kit.build("FROM base\nRUN --network=none true\nRUN true\n", network="host")
    assert [step.network for step in kit.run.steps] == ["none", "host"]
