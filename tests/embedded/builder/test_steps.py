"""What each instruction does."""

from __future__ import annotations

import stat

import pytest

pytestmark = pytest.mark.root


async def test_a_simple_build_reads_like_dockers(kit):
    image = await kit.build(
        'FROM base\nENV A=1\nRUN echo hello > /greeting && echo said\nCOPY file /data/\nCMD ["cat", "/greeting"]\n',
        {"file": "content"},
        tags=("app", "app:2"),
    )
    short = image.removeprefix("sha256:")[:12]
    assert "Step 1/5 : FROM base\n" in kit.text
    assert "Step 3/5 : RUN echo hello > /greeting && echo said\n ---> Running in " in kit.text
    assert "said\n" in kit.text
    assert kit.text.endswith(
        f" ---> {short}\nSuccessfully built {short}\nSuccessfully tagged app:latest\nSuccessfully tagged app:2\n"
    )
    assert {"aux": {"ID": image}} in kit.messages
    assert kit.read("app", "/greeting") == "hello\n"
    assert kit.read("app:2", "/data/file") == "content"
    assert kit.config("app")["Cmd"] == ["cat", "/greeting"]
    assert kit.config("app")["Env"] == ["A=1"]
    assert kit.leftovers() == []


async def test_a_second_build_runs_nothing(kit):
    text, files = "FROM base\nRUN touch /a\nCOPY x /x\nWORKDIR /w\nRUN touch b\n", {"x": "1"}
    first = await kit.build(text, files)
    count = len(kit.run.steps)
    assert await kit.build(text, files) == first
    assert len(kit.run.steps) == count
    assert kit.text.count("Using cache") == 4


async def test_changed_content_breaks_the_cache_from_there_on(kit):
    text = "FROM base\nRUN touch /a\nCOPY x /x\nRUN cat /x > /y\n"
    await kit.build(text, {"x": "1"})
    image = await kit.build(text, {"x": "2"})
    assert kit.text.count("Using cache") == 1
    assert kit.read(image, "/y") == "2"


async def test_no_cache_runs_everything_again(kit):
    await kit.build("FROM base\nRUN touch /a\n")
    await kit.build("FROM base\nRUN touch /a\n", no_cache=True)
    assert len(kit.run.steps) == 2


async def test_a_failing_step_says_what_docker_says_and_where(kit):
    detail = await kit.fails("FROM base\n\nRUN true\nRUN echo oh no; exit 3\n")
    assert detail["message"] == "The command '/bin/sh -c echo oh no; exit 3' returned a non-zero code: 3"
    assert (detail["code"], detail["line"], detail["step"]) == (3, 4, "RUN echo oh no; exit 3")
    assert "oh no\n" in kit.text
    assert kit.leftovers() == []


async def test_env_arg_and_expansion(kit):
    image = await kit.build(
        "ARG TAG=latest\nARG OUTER=o\nFROM base:${TAG}\nARG A=1\nARG B\nARG OUTER\nENV E=$A-$B C='x y' A2=${A:-z}\n"
        "RUN echo $A $B $OUTER $E > /out\nLABEL l=$E\nEXPOSE 80 90-91/udp\nUSER app\nWORKDIR /x\nWORKDIR y/$A\n"
        "STOPSIGNAL SIGINT\nVOLUME /v /w\n",
        build_args={"B": "b"},
    )
    config = kit.config(image)
    assert config["Env"] == ["E=1-b", "C=x y", "A2=1"]
    assert kit.read(image, "/out") == "1 b o 1-b\n"
    assert config["Labels"] == {"l": "1-b"}
    assert list(config["ExposedPorts"]) == ["80/tcp", "90/udp", "91/udp"]
    assert (config["User"], config["WorkingDir"], config["StopSignal"]) == ("app", "/x/y/1", "SIGINT")
    assert config["Volumes"] == {"/v": {}, "/w": {}}
    assert kit.view(image).lookup("/x/y/1").is_dir


async def test_proxy_arguments_reach_run_but_not_the_image_or_the_key(kit):
    text = "FROM base\nRUN echo $HTTP_PROXY > /p\n"
    image = await kit.build(text, build_args={"HTTP_PROXY": "http://one"})
    assert kit.read(image, "/p") == "http://one\n"
    assert "Env" not in kit.config(image)
    assert await kit.build(text, build_args={"HTTP_PROXY": "http://two"}) == image


async def test_unused_build_arguments_are_named(kit):
    await kit.build("FROM base\nARG A\n", build_args={"A": "1", "NOPE": "2"})
    assert "[Warning] One or more build-args [NOPE] were not consumed" in kit.text


async def test_entrypoint_resets_an_inherited_command(kit):
    assert "Cmd" not in kit.config(await kit.build('FROM base\nENTRYPOINT ["a"]\n'))
    image = await kit.build('FROM base\nCMD ["x"]\nENTRYPOINT ["a"]\n')
    assert kit.config(image)["Cmd"] == ["x"]


async def test_shell_and_healthcheck(kit):
    image = await kit.build(
        'FROM base\nSHELL ["/bin/sh", "-ec"]\nRUN echo shell > /s\nCMD hello $X\n'
        "HEALTHCHECK --interval=1m30s --timeout=500ms --retries=4 CMD cat /s\n"
    )
    config = kit.config(image)
    assert config["Cmd"] == ["/bin/sh", "-ec", "hello $X"]
    assert config["Healthcheck"] == {
        "Test": ["CMD-SHELL", "cat /s"],
        "Interval": 90_000_000_000,
        "Timeout": 500_000_000,
        "Retries": 4,
    }
    assert kit.run.steps[0].args == ("/bin/sh", "-ec", "echo shell > /s")


async def test_onbuild_triggers_run_in_the_child(kit):
    await kit.build("FROM base\nONBUILD COPY x /x\nONBUILD RUN cat /x > /y\n", {"x": "0"}, tags=("parent",))
    image = await kit.build("FROM parent\nCMD a\n", {"x": "child"})
    assert "# Executing 2 build triggers" in kit.text
    assert kit.read(image, "/y") == "child"
    assert "OnBuild" not in kit.config(image)


async def test_from_scratch(kit):
    image = await kit.build('FROM scratch\nCOPY x /deep/x\nCMD ["/deep/x"]\n', {"x": "1"})
    assert kit.read(image, "/deep/x") == "1"
    assert len(kit.images.get(image).layers) == 1


async def test_here_documents(kit):
    image = await kit.build(
        "FROM base\nENV N=name\nRUN <<EOF\necho one > /a\necho $N >> /a\nEOF\n"
        "COPY <<one <<'two' /d/\n1 $N \"q\"\none\n2 $N\ntwo\n"
        "RUN cat <<X > /b\nline $N\nX\n"
        "RUN <<EOF\n#!/bin/sh\necho $0 > /c\nEOF\n"
    )
    assert kit.read(image, "/a") == "one\nname\n"
    assert kit.read(image, "/d/one") == '1 name "q"\n'
    assert kit.read(image, "/d/two") == "2 $N\n"
    assert kit.read(image, "/b") == "line name\n"
    assert kit.read(image, "/c") == "/run/stackwright/script\n"
    assert kit.view(image).lookup("/run") is None


async def test_removed_files_stay_removed_and_mount_points_leave_no_trace(kit, tmp_path):
    bundle = tmp_path / "ca.crt"
    bundle.write_text("CERTIFICATE")
    image = await kit.build(
        "FROM base\nRUN touch /old /keep\nRUN rm /old && mv /keep /kept && cat $SSL_CERT_FILE > /seen\n",
        host_ca=bundle,
    )
    view = kit.view(image)
    assert view.lookup("/old") is None
    assert view.lookup("/kept") is not None
    assert kit.read(image, "/seen") == "CERTIFICATE"
    assert kit.text.count("Using the host's certificate authorities for RUN steps") == 1
    assert "Env" not in kit.config(image)
    top = kit.images.lower_dirs(image)[0]
    assert sorted(path.name for path in top.iterdir()) == ["keep", "kept", "old", "seen"]


async def test_the_cache_does_not_depend_on_the_hosts_authorities(kit, tmp_path):
    bundle = tmp_path / "ca.crt"
    bundle.write_text("CERTIFICATE")
    first = await kit.build("FROM base\nRUN touch /a\n", host_ca=bundle)
    assert await kit.build("FROM base\nRUN touch /a\n") == first


async def test_labels_of_the_command_line_are_one_more_step(kit):
    image = await kit.build("FROM base\nRUN true\n", labels={"a": "it's", "b": "$x"})
    assert "Step 3/3 : LABEL" in kit.text
    assert kit.config(image)["Labels"] == {"a": "it's", "b": "$x"}


async def test_quiet_prints_the_id_only(kit):
    image = await kit.build("FROM base\nRUN echo noise\n", quiet=True)
    assert kit.text == f"{image}\n"


async def test_history_names_the_steps(kit):
    image = await kit.build("FROM base\nARG A=1\nRUN true\nENV X=1\n")
    created = [entry["CreatedBy"] for entry in kit.images.history(image)]
    assert created[:3] == [
        "/bin/sh -c #(nop)  ENV X=1",
        "|1 A=1 /bin/sh -c true",
        "/bin/sh -c #(nop)  ARG A=1",
    ]


async def test_set_uid_bits_and_owners_survive_a_step(kit):
    image = await kit.build("FROM base\nRUN touch /s && chmod 4755 /s\n")
    assert stat.S_IMODE(kit.view(image).lookup("/s").status.st_mode) == 0o4755


async def test_steps_are_hidden_from_the_list_and_go_with_the_image(kit):
    await kit.build("FROM base\nRUN touch /a\nRUN touch /b\n", tags=("app",))
    assert [one["RepoTags"] for one in kit.images.list()] == [["app:latest"], ["base:latest"]]
    assert len(kit.images.list(all_images=True)) == 3
    report = await kit.images.remove("app")
    assert [list(line) for line in report] == [["Untagged"], ["Deleted"], ["Deleted"]]
    assert len(list((kit.root / "images" / "layers").iterdir())) == 1


async def test_a_step_that_nests_folders_without_end_fails_clearly(kit):
    detail = await kit.fails(
        "FROM base\nRUN i=0; while [ $i -lt 1200 ]; do mkdir d && cd d; i=$((i+1)); done\n"
    )
    assert "nested too deeply" in detail["message"]
    await kit.images.close()
    assert kit.leftovers() == []


async def test_arguments_are_known_where_docker_knows_them(kit):
    """Before FROM: for FROM lines, and in a stage only once it declares them; in a stage: from there on."""
    image = await kit.build(
        "ARG NAME=base\nARG GLOBAL=g\nARG DERIVED=${GLOBAL}2\n"
        'FROM ${NAME} AS one\nRUN echo "<$GLOBAL><$NAME>" > /a\nARG GLOBAL\nARG LATER=l$GLOBAL\n'
        'RUN echo "<$GLOBAL><$LATER><$DERIVED>" > /b\n'
        'FROM one\nRUN echo "<$GLOBAL><$LATER>" > /c\nARG GLOBAL=own\nARG DERIVED\nENV GLOBAL=env\n'
        'RUN echo "<$GLOBAL><$DERIVED>" > /d\n',
        build_args={"LATER": "given"},
    )
    assert [kit.read(image, f"/{name}").strip() for name in "abcd"] == [
        "<><>",
        "<g><given><>",
        "<><>",
        "<env><g2>",
    ]


async def test_the_platform_is_known_by_its_predefined_arguments(kit):
    image = await kit.build(
        "FROM --platform=$BUILDPLATFORM base AS tools\nARG TARGETOS TARGETARCH TARGETPLATFORM BUILDARCH\n"
        'RUN echo "$TARGETOS $TARGETARCH $TARGETPLATFORM $BUILDARCH" > /p\n'
        'FROM base\nRUN echo "<$TARGETARCH>" > /undeclared\nCOPY --from=tools /p /p\n',
        platform="linux/arm64/v8",
    )
    here = str(kit.images.get("base").config["architecture"])
    assert kit.read(image, "/p") == f"linux arm64 linux/arm64/v8 {here}\n"
    assert kit.read(image, "/undeclared") == "<>\n"


async def test_a_here_document_may_be_indented_and_there_may_be_several(kit):
    image = await kit.build(
        "FROM base\nRUN <<-A cat > /a && <<B cat > /b\n\tone\n\t\ttwo\n\tA\nthree\nB\n"
        "COPY --chmod=700 <<-'E' <<F /d/\n\t$x\n\tE\n${UNSET:-default}\nF\n"
        "ADD <<G /g\nadded\nG\n"
    )
    assert kit.read(image, "/a") == "one\ntwo\n" and kit.read(image, "/b") == "three\n"
    assert kit.read(image, "/d/E") == "$x\n" and kit.read(image, "/d/F") == "default\n"
    assert kit.read(image, "/g") == "added\n"
    assert stat.S_IMODE(kit.view(image).lookup("/d/E").status.st_mode) == 0o700


async def test_healthchecks_and_shells_are_inherited_and_can_be_taken_back(kit):
    await kit.build(
        'FROM base\nSHELL ["/bin/sh", "-ec"]\nHEALTHCHECK --timeout=2s CMD ["true"]\n', tags=("one",)
    )
    image = await kit.build("FROM one\nRUN true\n")
    assert kit.run.steps[-1].args == ("/bin/sh", "-ec", "true")
    assert kit.config(image)["Healthcheck"]["Test"] == ["CMD", "true"]
    gone = await kit.build("FROM one\nHEALTHCHECK NONE\n")
    assert kit.config(gone)["Healthcheck"] == {"Test": ["NONE"]}


async def test_onbuild_is_for_children_not_for_grandchildren(kit):
    await kit.build("FROM base\nONBUILD RUN echo trigger >> /t\n", tags=("parent",))
    await kit.build("FROM parent\nRUN true\n", tags=("child",))
    image = await kit.build("FROM child\nRUN true\n")
    assert kit.read(image, "/t") == "trigger\n"
