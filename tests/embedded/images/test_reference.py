"""Image names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackwright.embedded.errors import BadParameter
from stackwright.embedded.images.reference import Reference

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "canonical", "familiar"),
    [
        ("debian", "docker.io/library/debian:latest", "debian:latest"),
        ("debian:bookworm-slim", "docker.io/library/debian:bookworm-slim", "debian:bookworm-slim"),
        ("docker.io/library/debian:1", "docker.io/library/debian:1", "debian:1"),
        ("index.docker.io/debian", "docker.io/library/debian:latest", "debian:latest"),
        ("team/app", "docker.io/team/app:latest", "team/app:latest"),
        ("docker.io/library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"),
        ("localhost/app", "localhost/app:latest", "localhost/app:latest"),
        ("localhost:5000/app:2", "localhost:5000/app:2", "localhost:5000/app:2"),
        ("ghcr.io/a/b/c:v1.2_x", "ghcr.io/a/b/c:v1.2_x", "ghcr.io/a/b/c:v1.2_x"),
        ("127.0.0.1:5000/x", "127.0.0.1:5000/x:latest", "127.0.0.1:5000/x:latest"),
        ("[::1]:5000/x", "[::1]:5000/x:latest", "[::1]:5000/x:latest"),
        (f"debian@{DIGEST}", f"docker.io/library/debian@{DIGEST}", f"debian@{DIGEST}"),
        (f"debian:1@{DIGEST}", f"docker.io/library/debian@{DIGEST}", f"debian:1@{DIGEST}"),
        ("a__b/c-d.e", "docker.io/a__b/c-d.e:latest", "a__b/c-d.e:latest"),
    ],
)
def test_names_are_completed_as_docker_does(text, canonical, familiar):
    reference = Reference.parse(text).tagged()
    assert (reference.canonical, reference.familiar) == (canonical, familiar)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "invalid reference format"),
        ("Debian", "must be lowercase"),
        ("a/B", "must be lowercase"),
        ("a:", "invalid reference format"),
        ("a:b:c", "invalid reference format"),
        ("a b", "invalid reference format"),
        ("-a", "invalid reference format"),
        ("a//b", "invalid reference format"),
        ("a/../b", "invalid reference format"),
        ("a:" + "x" * 129, "invalid reference format"),
        ("a@sha256:abc", "invalid reference format"),
        ("a" * 64, "hexadecimal"),
        ("http://x/y", "invalid reference format"),
    ],
)
def test_what_is_no_name(text, message):
    with pytest.raises(BadParameter, match=message):
        Reference.parse(text)


@given(st.text(max_size=60))
def test_any_text_is_a_name_or_refused(text):
    try:
        reference = Reference.parse(text).tagged()
    except BadParameter:
        return
    assert Reference.parse(reference.familiar) == reference
    assert Reference.parse(reference.canonical).canonical == reference.canonical
