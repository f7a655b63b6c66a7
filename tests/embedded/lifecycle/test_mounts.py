"""Binds, mounts, tmpfs and volumes as one list."""

from __future__ import annotations

import pytest

from stackwright.embedded.errors import BadParameter
from stackwright.embedded.lifecycle.config import HostConfig, MountConfig
from stackwright.embedded.lifecycle.mounts import parse_bind, parse_volumes_from, plan_mounts
from stackwright.embedded.lifecycle.record import MountPoint


def test_short_forms_are_told_apart() -> None:
    bind = parse_bind("/srv/./data:/data:ro,rslave")
    assert (bind.kind, bind.source, bind.readonly, bind.propagation) == ("bind", "/srv/data", True, "rslave")
    named = parse_bind("cache:/cache:nocopy")
    assert (named.kind, named.name, named.no_copy, named.anonymous) == ("volume", "cache", True, False)
    assert parse_bind("/anonymous").anonymous


@pytest.mark.parametrize(
    "text", ["a:b:c:d", ":/x", "/a:relative", "/a:/", "./here:/x", "/a:/b:what", "/a:/../.."]
)
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(BadParameter):
        parse_bind(text)


def test_the_images_volumes_fill_only_what_is_free() -> None:
    mounts = plan_mounts(
        HostConfig(binds=["/host:/data"], tmpfs={"/tmp": "size=1m"}), ["/data", "/tmp", "/more"]
    )
    assert {m.destination: m.kind for m in mounts} == {"/data": "bind", "/tmp": "tmpfs", "/more": "volume"}


def test_a_destination_named_twice_is_an_error() -> None:
    with pytest.raises(BadParameter, match="Duplicate mount point: /x"):
        plan_mounts(HostConfig(binds=["/a:/x"], mounts=[MountConfig(type="tmpfs", target="/x/")]), [])


def test_parents_come_before_what_lies_in_them() -> None:
    mounts = plan_mounts(HostConfig(binds=["/a:/x/y/z", "/b:/x", "/c:/x/y"]), [])
    assert [m.destination for m in mounts] == ["/x", "/x/y", "/x/y/z"]


def test_volumes_from_keep_their_name_and_may_be_read_only() -> None:
    given = [
        MountPoint(kind="volume", name="v", destination="/v"),
        MountPoint(kind="tmpfs", destination="/t"),
    ]
    mounts = plan_mounts(HostConfig(), [], [(given, "ro")])
    assert [(m.name, m.readonly, m.no_copy) for m in mounts] == [("v", True, True)]
    assert given[0].readonly is False
    assert parse_volumes_from("other:ro") == ("other", "ro")
    with pytest.raises(BadParameter):
        parse_volumes_from("other:sideways")


def test_long_forms() -> None:
    tmpfs = MountConfig(type="tmpfs", target="/t", tmpfs_options={"SizeBytes": 4096, "Mode": 0o1770})
    volume = MountConfig(
        source="v", target="/v", read_only=True, volume_options={"NoCopy": True, "Subpath": "a/b"}
    )
    mounts = {m.destination: m for m in plan_mounts(HostConfig(mounts=[tmpfs, volume]), [])}
    assert mounts["/t"].options == "size=4096,mode=1770"
    assert (mounts["/v"].name, mounts["/v"].subpath, mounts["/v"].readonly) == ("v", "a/b", True)
    with pytest.raises(BadParameter, match="mount type unknown"):
        plan_mounts(HostConfig(mounts=[MountConfig(type="npipe", target="/x")]), [])
