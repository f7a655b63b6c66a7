"""`stackwright build`."""

from __future__ import annotations

import json
import sys
from functools import partial

import click

from stackwright.cli.flags import GlobalOptions
from stackwright.cli.opening import load_project, run, session
from stackwright.model.project import Project
from stackwright.model.types import Service

WITHOUT_EFFECT = {
    "builder": "builds are done by the engine itself, through its API; there is no builder to choose",
    "provenance": "the engine's build API attaches no attestations; the image is built without one",
    "sbom": "the engine's build API attaches no attestations; the image is built without one",
    "ssh": "the engine's build API takes no SSH agent; a RUN --mount=type=ssh finds none",
}
"""Flags that docker compose hands to BuildKit: said, never dropped in silence."""


@click.command()
@click.argument("services", nargs=-1)
@click.option("--build-arg", "build_args", multiple=True, help="Set build-time variables for services")
@click.option("--builder", help="Set builder to use")
@click.option("--check", "check_only", is_flag=True, help="Check build configuration")
@click.option("-m", "--memory", help="Set memory limit for the build container")
@click.option("--no-cache", is_flag=True, help="Do not use cache when building the image")
@click.option("--print", "print_only", is_flag=True, help="Print equivalent bake file")
@click.option("--provenance", help="Add a provenance attestation")
@click.option("--pull", is_flag=True, help="Always attempt to pull a newer version of the image")
@click.option("--push", is_flag=True, help="Push service images")
@click.option("-q", "--quiet", is_flag=True, help="Suppress the build output")
@click.option("--sbom", help="Add a SBOM attestation")
@click.option("--ssh", help="Set SSH authentications used when building service images")
@click.option("--with-dependencies", is_flag=True, help="Also build dependencies (transitively)")
@click.option("--compress", is_flag=True, hidden=True)
@click.option("--force-rm", is_flag=True, hidden=True)
@click.option("--no-rm", is_flag=True, hidden=True)
@click.option("--parallel", is_flag=True, hidden=True)
@click.option("--progress", hidden=True)
@click.pass_obj
def build(
    options: GlobalOptions,
    /,
    services: tuple[str, ...],
    build_args: tuple[str, ...],
    check_only: bool,
    memory: str | None,
    no_cache: bool,
    print_only: bool,
    pull: bool,
    push: bool,
    quiet: bool,
    with_dependencies: bool,
    progress: str | None,
    **others: str | bool | None,
) -> int:
    """Build or rebuild services."""
    from stackwright.run.events import Note
    from stackwright.run.executor import together
    from stackwright.run.images import Images
    from stackwright.run.push import push as push_images
    from stackwright.run.session import check_services

    if check_only:
        return _check(options)
    project = load_project(options, services)
    if print_only:
        return _print(project, _buildable(project, services, with_dependencies))
    given = {
        key: (value if equals else None)
        for key, equals, value in (text.partition("=") for text in build_args)
    }
    options.progress = progress or options.progress
    limit = _size(memory)

    async def main() -> int:
        async with session(options, project, quiet=quiet, announce=True) as opened:
            check_services(opened, services)
            for name in sorted(set(WITHOUT_EFFECT) & {name for name, value in others.items() if value}):
                opened.emit(Note(f"--{name}: {WITHOUT_EFFECT[name]}", warning=True))
            buildable = _buildable(project, services, with_dependencies)
            if not buildable:
                opened.emit(Note("No services to build", warning=True))
            images = Images(
                opened,
                pull="always" if pull else None,
                build=True,
                no_cache=no_cache,
                build_args=given,
                memory=limit,
            )
            await together([partial(images.ensure, one) for one in buildable], limit=opened.parallel)
            if push:
                await push_images(opened, buildable, quiet=quiet)
        return 0

    return run(main)


def _buildable(project: Project, services: tuple[str, ...], with_dependencies: bool) -> list[Service]:
    from stackwright.plan.graph import closure

    names = closure(project, services, no_deps=not with_dependencies)
    return [project.services[name] for name in names if project.services[name].build is not None]


def _size(text: str | None) -> int | None:
    from stackwright.model.final.sizes import parse_size

    try:
        return parse_size(text) if text else None
    except ValueError as error:
        raise click.UsageError(f"invalid --memory: {error}") from None


def _print(project: Project, services: list[Service]) -> int:
    from stackwright.run.bake import bake_file

    sys.stdout.write(json.dumps(bake_file(project.name, services), indent=2) + "\n")
    return 0


def _check(options: GlobalOptions) -> int:
    """The rules of `check` that are about builds."""
    from stackwright.checks.finding import Severity
    from stackwright.checks.rule import rules
    from stackwright.cli.check import findings

    codes = tuple(code for code, rule in rules().items() if rule.family == "images and builds")
    result = findings(options, codes)
    if not result.findings:
        sys.stdout.write("Check complete, no warnings found.\n")
    return int(result.count(Severity.ERROR) > 0)
