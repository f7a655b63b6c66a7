"""`stackwright push` and `publish`: giving images and projects to others."""

from __future__ import annotations

import click

from stackwright.cli.flags import GlobalOptions
from stackwright.cli.opening import load_project, run, session


@click.command()
@click.argument("services", nargs=-1)
@click.option(
    "--ignore-push-failures", is_flag=True, help="Push what it can and ignores images with push failures"
)
@click.option("--include-deps", is_flag=True, help="Also push images of services declared as dependencies")
@click.option("-q", "--quiet", is_flag=True, help="Push without printing progress information")
@click.pass_obj
def push(
    options: GlobalOptions,
    services: tuple[str, ...],
    ignore_push_failures: bool,
    include_deps: bool,
    quiet: bool,
) -> int:
    """Push service images."""
    from stackwright.plan.graph import closure
    from stackwright.run.push import push as carry_out
    from stackwright.run.session import check_services

    project = load_project(options, services)

    async def main() -> int:
        async with session(options, project, quiet=quiet, announce=True) as opened:
            check_services(opened, services)
            names = closure(project, services, no_deps=bool(services) and not include_deps)
            chosen = [project.services[name] for name in names]
            await carry_out(opened, chosen, quiet=quiet, ignore_failures=ignore_push_failures)
        return 0

    return run(main)


@click.command()
@click.argument("reference", metavar="REPOSITORY[:TAG]")
@click.option("--app", is_flag=True, help="Published compose application (includes referenced images)")
@click.option("--oci-version", help="OCI image/artifact specification version")
@click.option("--resolve-image-digests", is_flag=True, help="Pin image tags to digests")
@click.option("--with-env", is_flag=True, help="Include environment variables in the published OCI artifact")
@click.option("-y", "--yes", is_flag=True, help="Assume yes; nothing is asked")
@click.pass_obj
def publish(options: GlobalOptions, /, reference: str, **_: object) -> int:
    """Publish compose application.

    Not done: an artifact in a registry can be read by docker compose alone, hides what it contains from review, and
    is easily published together with secrets. The message says what to do instead.
    """
    raise click.ClickException(
        f"publish is not supported: nothing was sent to {reference}.\n"
        "An OCI artifact of Compose files can be read by docker compose only, is not reviewed like other files, "
        "and easily takes secrets along.\n"
        "  instead: write one file that needs no others, with images pinned, and commit it or send it:\n"
        "    stackwright config --resolve-image-digests -o release.yaml\n"
        "  images of your own go to the registry with:\n"
        "    stackwright push"
    )
