"""Removing images and what only they needed, never what is in use (Engine API, ImageDelete and ImagePrune)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from stackwright.embedded.errors import BadParameter, Conflict
from stackwright.embedded.ids import is_id_prefix
from stackwright.embedded.images.catalogue import Catalogue
from stackwright.embedded.images.reference import Reference
from stackwright.embedded.images.types import Image

InUse = Callable[[], Mapping[str, Sequence[str]]]
"""Image id → the containers that use it, those running marked by :data:`RUNNING`; snapshots begin with
:data:`SNAPSHOT`."""
RUNNING = " running"
SNAPSHOT = "snapshot "
Report = list[dict[str, str]]


class Removal:
    """Decides what a removal takes away and takes it out of the catalogue; layers are collected afterwards."""

    def __init__(self, catalogue: Catalogue, in_use: InUse) -> None:
        self._catalogue, self._in_use = catalogue, in_use

    def remove(self, name: str, *, force: bool, prune: bool) -> Report:
        """Docker's rules: by tag only the tag goes while others remain; by id all names, with ``force`` if
        several.
        """
        image = self._catalogue.find(name)
        names = [*image.repo_tags, *image.repo_digests]
        if not self._is_id(name, image):
            reference = Reference.parse(name).tagged()
            others = [Reference.parse(other) for other in names if other != reference.familiar]
            running = any(one.endswith(RUNNING) for one in self._containers(image.id))
            if any(not other.digest or other.name != reference.name for other in others) or (
                running and force
            ):
                self._catalogue.unname(reference)
                return [{"Untagged": reference.familiar}]
            self._check(image, force=force, shown=name)
            return self._delete(image, prune=prune)
        if len({Reference.parse(tag).name for tag in names}) > 1 and not force:
            raise Conflict(
                f"conflict: unable to delete {image.short_id} (must be forced) - "
                "image is referenced in multiple repositories"
            )
        self._check(image, force=force, shown=image.short_id)
        return self._delete(image, prune=prune)

    def prune(self, wanted: Callable[[Image], bool], *, dangling_only: bool) -> Report:
        """Remove all images that pass, no container uses and (``dangling_only``) no name keeps. Those that
        others are built on lose their names alone.
        """
        report: Report = []
        again = True
        while again:  # removing an image may leave its parent dangling
            again = False
            parents = self._catalogue.parents_in_use()
            for image in list(self._catalogue.all()):
                named = image.repo_tags or image.repo_digests
                if dangling_only and named:
                    continue
                if image.id in parents and not named:
                    continue
                if self._containers(image.id) or not wanted(image):
                    continue
                report += self._delete(image, prune=True, wanted=wanted)
                again = True
        return report

    def purge(self) -> None:
        """Forget hidden images that no container uses any more."""
        for image in list(self._catalogue.all(deleted=True)):
            if not self._containers(image.id):
                self._catalogue.delete(image.id)

    def _containers(self, image_id: str) -> Sequence[str]:
        return self._in_use().get(image_id, ())

    def _is_id(self, name: str, image: Image) -> bool:
        bare = name.removeprefix("sha256:")
        if not is_id_prefix(bare) or not image.id.startswith(f"sha256:{bare}"):
            return False
        try:  # "abc" may be the repository "abc:latest" as well as the beginning of an id
            return Reference.parse(name).tagged().familiar not in image.repo_tags
        except BadParameter:
            return True

    def _check(self, image: Image, *, force: bool, shown: str) -> None:
        containers = self._containers(image.id)
        running = [one.removesuffix(RUNNING) for one in containers if one.endswith(RUNNING)]
        if is_id_prefix(shown):
            if running:
                raise Conflict(
                    f"conflict: unable to delete {shown} (cannot be forced) - "
                    f"image is being used by running container {running[0][:12]}"
                )
            if containers and not force:
                raise Conflict(
                    f"conflict: unable to delete {shown} (must be forced) - "
                    f"image is being used by {_described(containers[0], 'stopped container')}"
                )
            if self._catalogue.children(image.id):
                raise Conflict(
                    f"conflict: unable to delete {shown} (cannot be forced) - "
                    "image has dependent child images"
                )
        elif containers and not force:
            user = _described((running or containers)[0], "container")
            raise Conflict(
                f'conflict: unable to remove repository reference "{shown}" (must force) - '
                f"{user} is using its referenced image {image.short_id}"
            )

    def _delete(
        self, image: Image, *, prune: bool, wanted: Callable[[Image], bool] = lambda image: True
    ) -> Report:
        report: Report = [{"Untagged": name} for name in (*image.repo_tags, *image.repo_digests)]
        if self._catalogue.children(image.id):  # other images are built on it: it only loses its names
            for name in (*image.repo_tags, *image.repo_digests):
                self._catalogue.unname(Reference.parse(name))
            return report
        at: Image | None = image
        while at is not None:
            used = bool(self._containers(at.id))
            self._catalogue.delete(at.id, keep_layers=used)
            report.append({"Deleted": at.id})
            parent = self._catalogue.by_id(at.parent) if at.parent and prune else None
            if parent is None or parent.repo_tags or parent.repo_digests or not wanted(parent):
                break
            at = None if self._catalogue.children(parent.id) or self._containers(parent.id) else parent
        return report


def _described(user: str, kind: str) -> str:
    if user.startswith(SNAPSHOT):
        return SNAPSHOT + user.removeprefix(SNAPSHOT)[:12]
    return f"{kind} {user[:12]}"
