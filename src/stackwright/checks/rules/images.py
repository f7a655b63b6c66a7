"""Images: which version runs, and whether it will be the same one tomorrow."""

from __future__ import annotations

from collections.abc import Iterator

from stackwright.checks.finding import Hit
from stackwright.checks.knowledge.ends import GONE, ended
from stackwright.checks.rule import ADVICE, ERROR, WARNING, rule
from stackwright.checks.service import ServiceView
from stackwright.checks.subject import Subject


def _pulled(subject: Subject) -> Iterator[ServiceView]:
    """Services whose image comes from a registry."""
    built = {service.image_text for service in subject.each if "build" in service.data}
    for service in subject.each:
        if service.image is not None and "build" not in service.data and service.image_text not in built:
            yield service


@rule(
    "SW701",
    "no-tag",
    WARNING,
    reason="Without a tag the newest image is taken, whatever it is on the day of the pull.",
    mend="name the version",
)
def no_tag(subject: Subject) -> Iterator[Hit]:
    """An image from a registry without tag and digest."""
    for service in _pulled(subject):
        image = service.image
        if image is not None and not image.tag and not image.digest and not service.image_text.endswith(":"):
            yield service.hit(
                f'takes whatever version of "{service.image_text}" is newest', service.at("image"), "image"
            )


_MOVING = frozenset(
    {
        "latest",
        "stable",
        "edge",
        "nightly",
        "main",
        "master",
        "dev",
        "develop",
        "rolling",
        "next",
        "beta",
        "mainline",
        "lts",
        "current",
    }
)


@rule(
    "SW702",
    "moving-tag",
    WARNING,
    reason="The tag means another image from time to time: two machines, or two days, run different versions.",
    mend="name the version",
)
def moving_tag(subject: Subject) -> Iterator[Hit]:
    """``latest`` and other tags that move to each new version."""
    for service in _pulled(subject):
        image = service.image
        if image is not None and image.tag in _MOVING and not image.digest:
            yield service.hit(
                f'follows the moving tag "{image.tag}" of {image.repository}', service.at("image"), "image"
            )


@rule(
    "SW703",
    "not-pinned",
    None,
    production=ADVICE,
    reason="A tag can be moved to another image at any time; a digest cannot.",
    mend="pin the digest (stackwright config --lock-image-digests)",
)
def not_pinned(subject: Subject) -> Iterator[Hit]:
    """An image in production without a digest."""
    for service in _pulled(subject):
        image = service.image
        if image is not None and image.tag and image.tag not in _MOVING and not image.digest:
            yield service.hit(f'pins "{service.image_text}" by tag only', service.at("image"), "image")


@rule(
    "SW704",
    "end-of-life",
    WARNING,
    reason="This version gets no more fixes, also not for security.",
    mend="move to a version that is maintained",
)
def end_of_life(subject: Subject) -> Iterator[Hit]:
    """A version of a well-known image that is no longer maintained."""
    for service in subject.each:
        image = service.image
        if image is not None and "build" not in service.data and (when := ended(image)):
            yield service.hit(
                f"runs {image.repository} {image.tag}, which has got no fixes since {when}",
                service.at("image"),
                "image",
            )


@rule(
    "SW705",
    "image-gone",
    WARNING,
    reason="Nobody publishes new versions under this name: there will be no fixes.",
    mend="use the image that took its place",
)
def image_gone(subject: Subject) -> Iterator[Hit]:
    """An image that has moved or is no longer built."""
    for service in _pulled(subject):
        image = service.image
        if image is None or image.registry:
            continue
        what = GONE.get(image.repository)
        if what is None and image.repository.startswith("bitnami/"):
            what = (
                "gets no more free versions (its old ones are in bitnamilegacy)",
                f"use the official image of {image.last}",
            )
        if what is not None:
            yield service.hit(
                f"uses {image.repository}, which {what[0]}", service.at("image"), "image", mend=what[1]
            )


@rule(
    "SW706",
    "two-versions",
    ADVICE,
    reason="Two versions of one program are downloaded, patched and learnt twice.",
    mend="use one version",
)
def two_versions(subject: Subject) -> Iterator[Hit]:
    """The same image with different tags in one project."""
    first: dict[str, ServiceView] = {}
    for service in _pulled(subject):
        image = service.image
        if image is None or not image.tag or service.software is None:
            continue
        other = first.setdefault(f"{image.registry}/{image.repository}", service)
        if other.image is not None and other.image.tag != image.tag and service.together_with(other):
            message = f'runs {image.repository} {image.tag}, "{other.name}" runs {other.image.tag}'
            related = ((f'the image of "{other.name}"', other.at("image")),)
            yield service.hit(message, service.at("image"), "image", related=related)


@rule(
    "SW707",
    "image-name",
    ERROR,
    reason="An image's name has lower case letters only: every engine refuses this one.",
    mend="write it in lower case",
)
def image_name(subject: Subject) -> Iterator[Hit]:
    """Capital letters in an image's name."""
    for service in subject.each:
        image = service.image
        if (
            image is not None
            and image.repository != image.repository.lower()
            and "$" not in service.image_text
        ):
            yield service.hit(
                f'has the image "{service.image_text}": names of images have no capital letters',
                service.at("image"),
                "image",
            )
