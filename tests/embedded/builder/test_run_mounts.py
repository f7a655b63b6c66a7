"""``RUN --mount``."""

from __future__ import annotations

import pytest
from tests.support.ssh import agent_with_key, program_files, public_key

pytestmark = pytest.mark.root


async def test_a_cache_is_kept_between_builds_and_not_in_the_image(kit):
    line = "RUN --mount=type=cache,target=/var/cache/x echo {} >> /var/cache/x/log && cat /var/cache/x/log > /seen\n"
    await kit.build("FROM base\n" + line.format(1))
    image = await kit.build("FROM base\n" + line.format(2))
    assert kit.read(image, "/seen") == "1\n2\n"
    assert kit.view(image).lookup("/var") is None
    await kit.images.prune_build_cache()
    assert list((kit.root / "builder" / "cache").iterdir()) == []


async def test_caches_have_ids_and_owners(kit):
    image = await kit.build(
        "FROM base\nRUN --mount=type=cache,id=shared,target=/a,uid=100,mode=0700 touch /a/f && stat -c %u:%a /a > /s\n"
        "RUN --mount=type=cache,id=shared,target=/b,sharing=locked ls /b > /seen\n"
        "RUN --mount=type=cache,id=shared,target=/b,sharing=private ls /b > /private\n"
    )
    assert kit.read(image, "/seen") == "f\n"
    assert kit.read(image, "/private") == ""
    assert kit.read(image, "/s") == "100:700\n"


async def test_binds_of_the_context_a_stage_and_an_image(kit):
    image = await kit.build(
        "FROM base AS one\nRUN mkdir /out && echo made > /out/f\nFROM base\n"
        "RUN --mount=target=/src,source=dir cat /src/x > /x\n"
        "RUN --mount=type=bind,from=one,source=/out,target=/o cat /o/f > /y\n"
        "RUN --mount=type=bind,from=base,target=/b cat /b/etc/group > /z\n"
        "RUN --mount=type=bind,source=dir/x,target=/one/file cat /one/file > /w\n"
        "WORKDIR /wd\nRUN --mount=target=rel,source=dir ls /wd/rel > /v\n",
        {"dir/x": "context"},
    )
    assert kit.read(image, "/x") == "context"
    assert kit.read(image, "/y") == "made\n"
    assert kit.read(image, "/z").startswith("root")
    assert kit.read(image, "/w") == "context"
    assert kit.read(image, "/v") == "x\n"
    for gone in ("/src", "/o", "/b", "/one", "/wd/rel"):
        assert kit.view(image).lookup(gone) is None


async def test_binds_are_read_only_and_writes_of_rw_ones_go_nowhere(kit):
    await kit.fails("FROM base\nRUN --mount=target=/src touch /src/new\n", {"f": ""})
    image = await kit.build(
        "FROM base\nRUN --mount=target=/src,rw echo changed > /src/f && cat /src/f > /seen\nCOPY f /f\n",
        {"f": "1"},
    )
    assert kit.read(image, "/seen") == "changed\n"
    assert kit.read(image, "/f") == "1"


async def test_changed_bind_sources_run_the_step_again(kit):
    text = "FROM base\nRUN --mount=target=/src cat /src/f > /seen\n"
    first = await kit.build(text, {"f": "1"})
    assert await kit.build(text, {"f": "1"}) == first
    assert kit.read(await kit.build(text, {"f": "2"}), "/seen") == "2"


async def test_secrets_are_seen_by_the_step_only(kit):
    image = await kit.build(
        "FROM base\nRUN --mount=type=secret,id=token cat /run/secrets/token && stat -c %a /run/secrets/token\n"
        'RUN --mount=type=secret,id=token,env=TOKEN test -n "$TOKEN" || exit 1\n'
        "RUN --mount=type=secret,id=token,target=/t,uid=100,mode=0440 stat -c %u:%a /t\n"
        "RUN --mount=type=secret,id=other ls /run/secrets/other || true\n",
        secrets={"token": b"s3cret"},
    )
    assert "s3cret400\n" in kit.text
    assert "100:440\n" in kit.text
    assert kit.view(image).lookup("/run") is None
    assert kit.view(image).lookup("/t") is None
    assert all("s3cret" not in str(step.args) for step in kit.run.steps)
    detail = await kit.fails("FROM base\nRUN --mount=type=secret,id=x,required=true true\n")
    assert detail["message"] == "secret x: not found"


async def test_tmpfs(kit):
    image = await kit.build("FROM base\nRUN --mount=type=tmpfs,target=/scratch,size=1m echo x > /scratch/f\n")
    assert kit.view(image).lookup("/scratch") is None


@pytest.mark.parametrize(
    ("mount", "message"),
    [
        ("type=magic,target=/x", 'unsupported mount type "magic"'),
        ("type=cache", "target is required"),
        ("type=cache,target=/x,colour=red", "unexpected key 'colour'"),
        ("type=cache,target=/x,sharing=maybe", 'unsupported sharing value "maybe"'),
        ("type=cache,target=/x,mode=999", "invalid literal"),
        ("target=/x,source=nope", "not found"),
        ("type=ssh,required=true", "ssh agent default: not found"),
        ("type=ssh,id=other,required=true", "ssh agent other: not found"),
    ],
)
async def test_mistakes(kit, mount, message):
    detail = await kit.fails(f"FROM base\nRUN --mount={mount} true\n")
    assert message in detail["message"]
    assert detail["line"] == 2


async def test_an_ssh_agent_is_lent_to_the_step_whoever_its_user_is(kit, tmp_path):
    with agent_with_key(tmp_path) as sock:
        image = await kit.build(
            "FROM base\nCOPY --chmod=755 ssh /\nRUN touch /dev/null && chmod 666 /dev/null\n"
            "RUN --mount=type=ssh stat -c %u:%a $SSH_AUTH_SOCK && ssh-add -L > /keys\n"
            "USER app\n"
            "RUN --mount=type=ssh,id=named,uid=100,gid=101,mode=0600,target=/a ssh-add -L && stat -c %u:%g:%a /a\n"
            "RUN --mount=type=ssh,id=absent sh -c 'echo none: $SSH_AUTH_SOCK.'\n",
            {f"ssh{name}": content for name, content in program_files("ssh-add").items()},
            ssh={"default": sock, "named": sock},
        )
    assert kit.read(image, "/keys") == public_key(tmp_path)
    assert "0:600\n" in kit.text
    assert f"{public_key(tmp_path)}100:101:600\n" in kit.text
    assert "none: .\n" in kit.text
    for gone in ("/run", "/a"):
        assert kit.view(image).lookup(gone) is None
    assert "Env" not in kit.config(image)
    assert kit.leftovers() == []


async def test_an_agent_that_has_ended_is_named(kit, tmp_path):
    detail = await kit.fails("FROM base\nRUN --mount=type=ssh true\n", ssh={"default": tmp_path / "gone"})
    assert detail["message"] == f"no SSH agent answers at {tmp_path}/gone: No such file or directory"


async def test_a_lent_agent_is_not_part_of_the_cache_key(kit, tmp_path):
    text = "FROM base\nRUN --mount=type=ssh touch /x\n"
    with agent_with_key(tmp_path) as sock:
        first = await kit.build(text, ssh={"default": sock})
    assert await kit.build(text) == first
