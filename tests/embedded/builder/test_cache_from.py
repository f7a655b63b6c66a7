"""``cache_from``: steps taken from images that were loaded or pulled."""

from __future__ import annotations

import shutil

import pytest
from tests.embedded.builder.conftest import Kit, base_archive, chunks, link

pytestmark = pytest.mark.root

TEXT = (
    "FROM base\nARG A=1\nENV E=$A\nRUN echo $A > /a\nCOPY --chmod=755 x d /d/\nWORKDIR /w\n"
    "RUN --mount=type=cache,target=/c --mount=source=d,target=/m cat /m/y > /y\n"
    "RUN <<EOF\n#!/bin/sh\necho script > /s\nEOF\nCMD a\n"
)
FILES = {"x": "1", "d/y": "2", "d/l": link("y")}
STEPS = 8


@pytest.fixture
async def elsewhere(kit: Kit, tmp_path_factory: pytest.TempPathFactory):
    """Another machine, with the same base image and nothing in its build cache."""
    other = Kit(tmp_path_factory.mktemp("elsewhere"))
    await other.images.start()
    await other.builder.start()
    archive = b"".join([piece async for piece in kit.images.save(["base"])])
    await other.images.load(chunks(archive), lambda message: None)
    yield other
    await other.images.close()
    other.images.database.close()


async def moved(kit: Kit, elsewhere: Kit, *names: str) -> None:
    archive = b"".join([piece async for piece in kit.images.save(list(names))])
    await elsewhere.images.load(chunks(archive), lambda message: None)


async def test_a_loaded_image_is_the_cache_of_a_build_elsewhere(kit: Kit, elsewhere: Kit) -> None:
    first = await kit.build(TEXT, FILES, tags=("app",))
    await moved(kit, elsewhere, "app")
    again = await elsewhere.build(TEXT, FILES, cache_from=("nothing:here", "app"))
    assert again == first
    assert elsewhere.text.count("Using cache") == STEPS
    assert elsewhere.run.steps == []
    assert elsewhere.images.leases.total() == 0


async def test_layers_are_taken_up_to_the_first_difference(kit: Kit, elsewhere: Kit) -> None:
    await kit.build(TEXT, FILES, tags=("app",))
    await moved(kit, elsewhere, "app")
    image = await elsewhere.build(TEXT, {**FILES, "d/y": "changed"}, cache_from=("app",))
    assert elsewhere.text.count("Using cache") == 3
    assert elsewhere.read(image, "/a") == "1\n" and elsewhere.read(image, "/y") == "changed"
    assert elsewhere.images.get(image).layers[:2] == kit.images.get("app").layers[:2]
    fresh = await elsewhere.build(TEXT.replace("$A > /a", "$A$A > /a"), FILES, cache_from=("app",))
    assert elsewhere.read(fresh, "/a") == "11\n"
    assert elsewhere.text.count("Using cache") == 2


@pytest.mark.parametrize(
    ("line", "other"),
    [
        ("COPY x /x", "COPY --chmod=600 x /x"),
        ("COPY d /d", "COPY --exclude=y d /d"),
        ("COPY d/y /d/", "COPY --parents d/y /d/"),
        ("RUN touch /x", "RUN --mount=type=cache,target=/c touch /x"),
        ("RUN touch /x", "RUN --network=none touch /x"),
        ("RUN --mount=source=d,target=/m ls /m", "RUN --mount=source=.,target=/m ls /m"),
        ("RUN <<E\n#!/bin/sh\ntouch /a\nE", "RUN <<E\n#!/bin/sh\ntouch /b\nE"),
        ("ENV A=1", "LABEL A=1"),
        ("MAINTAINER one\nRUN touch /x", "MAINTAINER two\nRUN touch /x"),
    ],
)
async def test_steps_that_only_look_alike_are_carried_out(
    kit: Kit, elsewhere: Kit, line: str, other: str
) -> None:
    await kit.build(f"FROM base\n{line}\n", FILES, tags=("app",))
    await moved(kit, elsewhere, "app")
    await elsewhere.build(f"FROM base\n{other}\n", FILES, cache_from=("app",))
    assert "Using cache" not in elsewhere.text
    await elsewhere.build(f"FROM base\n{line}\n", FILES, cache_from=("app",))
    assert elsewhere.text.count("Using cache") == line.count("\nRUN") + 1


async def test_another_base_image_shares_nothing(kit: Kit, elsewhere: Kit) -> None:
    await kit.build("FROM base\nRUN touch /x\n", tags=("app",))
    await moved(kit, elsewhere, "app")
    await elsewhere.images.import_(chunks(base_archive()), "base", changes=["ENV NEW=1"])
    await elsewhere.build("FROM base\nRUN touch /x\n", cache_from=("app",))
    assert "Using cache" not in elsewhere.text


async def test_a_build_that_names_images_uses_no_step_that_went_into_none_of_them(kit: Kit) -> None:
    text = "FROM base\nRUN touch /a\nRUN touch /b\n"
    await kit.build(text, tags=("one",))
    await kit.build("FROM base\nRUN touch /a\nRUN touch /c\n", tags=("two",))
    await kit.build(text, cache_from=("one",))
    assert kit.text.count("Using cache") == 2
    await kit.build(text, cache_from=("two",))
    assert kit.text.count("Using cache") == 1
    await kit.build(text, cache_from=("nothing",))
    assert kit.text.count("Using cache") == 0


async def test_what_is_restored_survives_the_removal_of_its_source(kit: Kit, elsewhere: Kit) -> None:
    await kit.build(TEXT, FILES, tags=("app",))
    await moved(kit, elsewhere, "app")
    image = await elsewhere.build(TEXT + "ENV LAST=1\n", FILES, tags=("mine",), cache_from=("app",))
    await elsewhere.images.remove("app")
    await elsewhere.images.prune()
    assert elsewhere.read(image, "/y") == "2"
    await elsewhere.images.remove("mine")
    await elsewhere.images.close()
    shutil.rmtree(elsewhere.root / "images" / "empty", ignore_errors=True)
    assert len(list((elsewhere.root / "images" / "layers").iterdir())) == 1


async def test_a_damaged_history_is_no_cache(kit: Kit, elsewhere: Kit) -> None:
    """More entries with a layer than there are layers: refused or ignored, never an index out of range."""
    await kit.build("FROM base\nRUN touch /x\n", tags=("app",))
    image = kit.images.get("app")
    document = {**image.config, "history": [*image.config["history"], {"created_by": "/bin/sh -c touch /y"}]}
    import json

    name = kit.images.catalogue.add(json.dumps(document), size=1)
    await kit.images.tag(name, "odd")
    await kit.build("FROM base\nRUN touch /x\nRUN touch /y\n", cache_from=("odd",))
    assert kit.text.count("Using cache") == 1
