"""Variables and quotation marks, as the Dockerfile reference describes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackwright.dockerfile import ExpansionError, expand
from stackwright.dockerfile.words import split_words

VALUES = {"A": "a.b.c", "EMPTY": "", "X": "x y"}


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("plain", "plain"),
        ("$A", "a.b.c"),
        ("${A}", "a.b.c"),
        ("<$A>", "<a.b.c>"),
        ("$UNSET", ""),
        ("${UNSET:-d}", "d"),
        ("${EMPTY:-d}", "d"),
        ("${EMPTY-d}", ""),
        ("${A:+set}", "set"),
        ("${UNSET:+set}", ""),
        ("${UNSET:-${A}}", "a.b.c"),
        ("${UNSET:-$X}", "x y"),
        ('"$A b"', "a.b.c b"),
        ("'$A b'", "$A b"),
        (r"\$A", "$A"),
        (r'"\$A"', "$A"),
        (r'"a\b"', r"a\b"),
        (r"a\ b", "a b"),
        ("${A#*.}", "b.c"),
        ("${A##*.}", "c"),
        ("${A%.*}", "a.b"),
        ("${A%%.*}", "a"),
        ("${A/./-}", "a-b.c"),
        ("${A//./-}", "a-b-c"),
        ("$", "$"),
        ("a$", "a$"),
        ("$.", "$."),
        ("$1", ""),
        ("a\"b\"'c'", "abc"),
    ],
)
def test_expands_as_the_reference_says(word, expected):
    assert expand(word, VALUES) == expected


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("${A", "missing"),
        ("${}", "bad substitution"),
        ("${A:x}", "unsupported modifier"),
        ("'open", "single-quote"),
        ('"open', "double-quote"),
        ("${UNSET:?please}", "UNSET: please"),
        ("${UNSET?}", "UNSET"),
    ],
)
def test_says_what_cannot_be_expanded(word, message):
    with pytest.raises(ExpansionError, match=message):
        expand(word, VALUES)


def test_another_escape_character_leaves_backslashes_alone():
    assert expand("C:\\x\\$A", VALUES, "`") == "C:\\x\\a.b.c"
    assert expand("`$A", VALUES, "`") == "$A"


def test_words_end_at_unquoted_white_space_only():
    assert split_words("a 'b c'  \"d e\"\tf\\ g") == ["a", "'b c'", '"d e"', "f\\ g"]


@given(st.text(alphabet="aA$\\{}'\" :-?+#%/.*", max_size=40))
def test_expansion_ends_in_a_value_or_a_clear_error(word):
    try:
        assert isinstance(expand(word, VALUES), str)
    except ExpansionError as error:
        assert error.message.startswith("failed to process")


@given(st.text(max_size=60))
def test_quoted_text_comes_back_unchanged(text):
    quoted = "'" + text.replace("'", "'\"'\"'") + "'"
    assert expand(quoted, {}) == text
