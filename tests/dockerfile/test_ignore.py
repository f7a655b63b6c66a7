"""``.dockerignore``."""

import pytest

from stackwright.dockerfile import DockerfileError, DockerIgnore


@pytest.mark.parametrize(
    ("patterns", "path", "excluded"),
    [
        ("node_modules", "node_modules", True),
        ("node_modules", "node_modules/a/b.js", True),
        ("node_modules", "sub/node_modules", False),
        ("**/node_modules", "sub/deep/node_modules/x", True),
        ("**/node_modules", "node_modules", True),
        ("*.md", "README.md", True),
        ("*.md", "docs/README.md", False),
        ("**/*.md", "docs/a/README.md", True),
        ("*/temp*", "a/temporary.txt", True),
        ("*/temp*", "temporary.txt", False),
        ("temp?", "tempa", True),
        ("temp?", "tempab", False),
        ("*.md\n!README.md", "README.md", False),
        ("*.md\n!README*.md\nREADME-secret.md", "README-secret.md", True),
        ("docs\n!docs/keep.md", "docs/keep.md", False),
        ("docs\n!docs/keep.md", "docs/drop.md", True),
        ("/abs", "abs", True),
        ("./dot/", "dot/x", True),
        ("# comment\n\n  spaced  ", "spaced", True),
        ("a/**", "a/b/c", True),
        ("a/**", "a", False),
        ("**", "anything/at/all", True),
        ("**\n!src", "src/main.py", False),
        ("[ab].txt", "b.txt", True),
        ("[ab].txt", "c.txt", False),
        ("dir/*\n!dir/x", "dir/x", False),
        ("a.b", "axb", False),
    ],
)
def test_the_last_matching_pattern_decides(patterns, path, excluded):
    assert DockerIgnore.parse(patterns).excludes(path) is excluded


def test_a_lone_exclamation_mark_is_an_error():
    with pytest.raises(DockerfileError, match="illegal exclusion pattern"):
        DockerIgnore.parse("a\n!")


def test_excluded_folders_are_searched_only_when_something_may_come_back():
    assert not DockerIgnore.parse("docs").may_include_below("docs")
    assert DockerIgnore.parse("docs\n!docs/a").may_include_below("docs")
    assert not DockerIgnore.parse("docs\n!src/a").may_include_below("docs")
