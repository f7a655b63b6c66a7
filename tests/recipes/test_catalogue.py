from __future__ import annotations

from pathlib import Path

import pytest

from stackwright.recipes import catalogue, find, names, suggest
from stackwright.recipes.builder import below
from stackwright.recipes.errors import RecipeInvalid

KNOWN = [
    ("postgres:15-alpine", "postgres", "alpine:3"),
    ("docker.io/library/postgres:15.4", "postgres", "debian:bookworm-slim"),
    ("postgres", "postgres", "debian:trixie-slim"),
    ("python:3.11-slim", "python", "debian:bookworm-slim"),
    ("python:3.11.9-slim-bookworm", "python", "debian:bookworm-slim"),
    ("python:3.13-alpine3.20", "python", "alpine:edge"),
    ("library/python", "python", "debian:trixie-slim"),
    ("node:20-slim", "node", "debian:bookworm-slim"),
    ("node:22.14-alpine", "node", "alpine:3"),
    ("node:lts-alpine", "node", "alpine:3"),
    ("alpine", "alpine", "debian:bookworm-slim"),
    ("busybox:1.36-musl", "busybox", "debian:bookworm-slim"),
    ("redis:7-alpine", "redis", "alpine:3"),
    ("nginx:alpine", "nginx", "alpine:edge"),
    ("rabbitmq:3.12-management-alpine", "rabbitmq", "debian:bookworm-slim"),
    ("prom/prometheus:latest", "prometheus", "debian:trixie-slim"),
    ("debian:bookworm-slim", "debian", None),
    ("debian:12", "debian", None),
    ("debian", "debian", None),
]


@pytest.mark.parametrize(("reference", "name", "base"), KNOWN)
def test_well_known_references_have_a_recipe(reference: str, name: str, base: str | None) -> None:
    recipe = find(reference)
    assert recipe is not None
    assert (recipe.name, recipe.base) == (name, base)


@pytest.mark.parametrize(
    "reference",
    ["python:3.9-slim", "postgres:9.6", "node:16", "ghcr.io/owner/python:3.11", "nothing-like-it",
     f"postgres@sha256:{'0' * 64}", "python:3.11-slim-evil\n"],
)  # fmt: skip
def test_a_reference_that_we_cannot_stand_in_for_has_none(reference: str) -> None:
    assert find(reference) is None


def test_the_tag_that_was_asked_for_is_the_tag_that_is_made() -> None:
    recipe = find("docker.io/library/node:20.18-slim")
    assert recipe is not None
    assert recipe.reference == "node:20.18-slim"
    assert recipe.args["NODE"] == "20.18"


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("python:2.7", "3.11-slim"),
        ("postgress:15", "Did you mean postgres"),
        ("someone/postgres:15", "Did you mean postgres"),
        (f"postgres@sha256:{'0' * 64}", "digest"),
    ],
)
def test_a_near_miss_is_told_what_there_is(reference: str, words: str) -> None:
    answer = suggest(reference)
    assert answer is not None
    assert words in answer


def test_nothing_is_suggested_when_nothing_is_near() -> None:
    assert suggest("acme/quantum-billing:7") is None


def test_every_recipe_stands_on_recipes_only() -> None:
    checked = 0
    for path in catalogue.data_directory().glob("*/recipe.toml"):
        entry = catalogue._read(path)
        for image in entry.images:
            assert image in names()
        for rule in entry.tags:
            for reference in ([rule.base] if rule.base else []) + list(rule.needs):
                assert find(reference) is not None, f"{path}: {reference}"
                checked += 1
    assert checked > 10


@pytest.mark.parametrize("reference", [reference for reference, _, _ in KNOWN])
def test_a_recipe_names_no_package_host(reference: str) -> None:
    recipe = find(reference)
    assert recipe is not None
    for path in recipe.directory.rglob("*"):
        if path.is_file():
            assert "://" not in path.read_text(), path
    assert all(find(reference) for reference in below(recipe))


def test_the_length_of_a_tag_does_not_slow_the_search() -> None:
    assert find("python:" + "3.11-slim" * 2000) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("not toml", "TOMLDecodeError"),
        ('description = "x"\nimages = ["x"]\nkind = "wish"\navailable = ""\ntags = []', "must be"),
        ('description = "x"\nimages = ["x"]\nkind = "rootfs"\navailable = ""', "tags"),
        (
            'description = "x"\nimages = ["x"]\nkind = "rootfs"\navailable = ""\n[[tags]]\nmatch = "("',
            "error",
        ),
    ],
)
def test_a_broken_recipe_names_its_file(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "recipe.toml").write_text(text)
    with pytest.raises(RecipeInvalid, match=words) as caught:
        find("x:1", root=tmp_path)
    assert "recipe.toml" in str(caught.value)
