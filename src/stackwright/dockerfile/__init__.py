"""Dockerfiles as text: instructions with positions, stages, variables, ``.dockerignore``. Pure: no I/O at all."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["base_images"]


def base_images(text: str, build_args: Mapping[str, str | None] | None = None, target: str = "") -> list[str]:
    """The images a build of ``text`` needs from outside, in order of first use and without repetition.

    ``FROM`` and ``COPY --from``/``RUN --mount=from`` of stages that ``target`` (default: the last) needs; stage names
    and ``scratch`` are left out, global ``ARG`` filled in from ``build_args``. Raises DockerfileError.
    """
    raise NotImplementedError
