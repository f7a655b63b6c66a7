"""From text to instructions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackwright.dockerfile import DockerfileError, base_images, parse


def only(text: str):
    """The instructions of the single stage of ``FROM x`` plus ``text``."""
    return parse("FROM x\n" + text).stages[0].instructions


def test_continued_lines_become_one_and_keep_their_place():
    (run,) = only("# comment\n\nRUN apt-get update && \\\n   # inside\n\n  apt-get install \\  \n  curl\n")
    assert run.args == ("apt-get update &&   apt-get install   curl",)
    assert (run.line, run.end_line) == (4, 8)


def test_escape_directive_changes_the_continuation_character():
    (run,) = parse("# escape=`\nFROM x\nRUN dir `\n c:\\\n").stages[0].instructions
    assert run.args == ("dir  c:\\",)


def test_directives_after_a_comment_are_comments():
    assert parse("# hello\n# escape=`\nFROM x\n").directives.escape == "\\"


@pytest.mark.parametrize(
    ("text", "args", "json"),
    [
        ('CMD ["a", "b c"]', ("a", "b c"), True),
        ("CMD a 'b c'", ("a 'b c'",), False),
        ("CMD ['a']", ("['a']",), False),
        ('ENTRYPOINT [ "x" ]', ("x",), True),
        ('COPY ["a b", "/c d/"]', ("a b", "/c d/"), True),
        ("COPY a b /c/", ("a", "b", "/c/"), False),
        ("ENV A=1 B='2 3' C=x\\ y", ("A=1", "B='2 3'", "C=x\\ y"), False),
        ("ENV A one two  three", ("A=one two  three",), True),
        ("EXPOSE 80 443/udp", ("80", "443/udp"), False),
        ('VOLUME ["/a", "/b"]', ("/a", "/b"), True),
        ("VOLUME /a /b", ("/a", "/b"), False),
        ("HEALTHCHECK NONE", ("NONE",), False),
        ("HEALTHCHECK --retries=3 CMD curl -f x", ("CMD", "curl -f x"), False),
        ('healthcheck cmd ["true"]', ("CMD", "true"), True),
        ('SHELL ["/bin/bash", "-c"]', ("/bin/bash", "-c"), True),
        ("ARG A=1 B", ("A=1", "B"), False),
        ("CMD", (), False),
    ],
)
def test_arguments(text, args, json):
    (instruction,) = only(text)
    assert (instruction.args, instruction.json) == (args, json)


def test_flags_stand_before_the_arguments():
    (copy,) = only("COPY --from=build --chown=1:2 --link a --b /c")
    assert copy.flags == (("from", "build"), ("chown", "1:2"), ("link", "true"))
    assert copy.args == ("a", "--b", "/c")


def test_here_documents():
    run, copy, tabs = only(
        "RUN <<EOF\necho $A\n# kept\nEOF\n"
        "COPY <<one <<'two' /d/\n1 $A\none\n2 $A\ntwo\n"
        "RUN cat <<-EOF > /x\n\t\tindented\n\tEOF\n"
    )
    assert run.heredocs[0].content == "echo $A\n# kept\n"
    assert [(doc.name, doc.content, doc.expand) for doc in copy.heredocs] == [
        ("one", "1 $A\n", True),
        ("two", "2 $A\n", False),
    ]
    assert tabs.heredocs[0].content == "indented\n"
    assert tabs.heredocs[0].chomp


def test_shift_operators_and_here_strings_are_no_here_documents():
    first, second = only("RUN echo $((1<<2))\nRUN cat <<<word")
    assert not first.heredocs
    assert not second.heredocs


def test_onbuild_holds_an_instruction():
    (onbuild,) = only("ONBUILD RUN make")
    assert onbuild.args == ("RUN make",)
    assert onbuild.nested is not None
    assert onbuild.nested.args == ("make",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "file with no instructions"),
        ("ARG A", "no FROM"),
        ("RUN x", "line 1: no build stage in current context"),
        ("FROM", "FROM requires"),
        ("FROM a b", "FROM requires either one or three arguments"),
        ("FROM a as 1x", "invalid name for build stage"),
        ("FROM x\n\nFOO bar", "line 3: unknown instruction: FOO"),
        ("FROM x\nRUNN bar", "did you mean RUN?"),
        ("FROM x\nCOPY a", "COPY requires at least two arguments, but only one was provided"),
        ("FROM x\nCOPY --form=a b c", "unknown flag: COPY --form"),
        ("FROM x\nENV A", "ENV must have two arguments"),
        ("FROM x\nENV A=1 B", "can't find = in"),
        ("FROM x\nLABEL", "LABEL requires at least one argument"),
        ("FROM x\nSHELL bash", "SHELL requires the arguments to be in JSON form"),
        ("FROM x\nHEALTHCHECK MAYBE", "Unknown type"),
        ("FROM x\nONBUILD ONBUILD RUN x", "Chaining ONBUILD"),
        ("FROM x\nONBUILD FROM y", "FROM isn't allowed as an ONBUILD trigger"),
        ("FROM x\nRUN <<EOF\nnever ends", "line 2: unterminated heredoc"),
        ("FROM x\nRUN \0", "zero byte"),
        ("# escape=x\nFROM x", "invalid ESCAPE"),
    ],
)
def test_mistakes_are_named_with_their_line(text, message):
    with pytest.raises(DockerfileError) as caught:
        parse(text)
    assert message in str(caught.value)


def test_stages_know_what_they_need():
    file = parse(
        "FROM a AS one\nFROM b AS unused\nFROM one AS two\n"
        "FROM c\nCOPY --from=two /x /y\nRUN --mount=type=bind,from=d,target=/d true\n"
    )
    assert [stage.index for stage in file.needed(file.stage(""), {})] == [0, 2, 3]
    assert [stage.index for stage in file.needed(file.stage("two"), {})] == [0, 2]
    assert file.stage("ONE").index == 0
    with pytest.raises(DockerfileError, match="failed to reach build target none"):
        file.stage("none")


def test_base_images_of_the_needed_stages_only():
    text = (
        "ARG V=3.11\nARG R\nFROM ${R}python:${V}-slim AS base\nFROM node:20 AS unused\n"
        "FROM base\nCOPY --from=nginx:1 /a /b\nCOPY --from=0 /c /d\nFROM scratch\nCOPY --from=1 / /\n"
    )
    assert base_images(text) == ["node:20"]
    assert base_images(text, {"V": "3.12", "R": "mirror.example/"}, "2") == [
        "mirror.example/python:3.12-slim",
        "nginx:1",
    ]


@given(
    st.lists(
        st.sampled_from(
            [
                "FROM x",
                "RUN a \\",
                "RUN <<E",
                "E",
                "ENV A=",
                "ENV 'A",
                'COPY ["a"',
                "# c",
                "",
                "ONBUILD RUN x",
                "\\",
                "ARG =",
                "LABEL a=b c",
                "HEALTHCHECK --interval CMD x",
                "EXPOSE",
                "--",
                "CMD --",
                "SHELL []",
                "\t",
                'VOLUME [""]',
            ]
        ),
        max_size=12,
    ).map("\n".join)
    | st.text(max_size=80)
)
def test_any_text_gives_a_file_or_a_clear_error(text):
    try:
        file = parse(text)
    except DockerfileError as error:
        assert error.message
    else:
        assert file.stages
