"""`stackwright config` and `stackwright schema`: what the model makes of the files.

`config` is on the path where milliseconds count, so this module imports neither click nor anything that is
not needed for `config -q`; the click command is made from the same table of flags when click asks for it.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from stackwright.cli.flags import GlobalOptions


class ConfigOptions:
    """What the user said after `config`; names as in `docker compose config`."""

    def __init__(self) -> None:
        self.format = ""
        self.output = ""
        self.hash = ""
        self.quiet = False
        self.interpolate = True
        self.normalise = True
        self.resolve_paths = True
        self.resolve_env = True
        self.consistency = True
        self.resolve_image_digests = False
        self.lock_image_digests = False
        self.origins = False
        self.view = ""
        self.services: list[str] = []


VALUE_FLAGS = {
    "--format": ("format", "Format the output: yaml or json (with json, problems are JSON on stderr)"),
    "--output": ("output", "Save to file (default to stdout)"),
    "--hash": ("hash", 'Print the service config hash, one per line ("*" for all services)'),
}
SWITCHES: dict[str, tuple[str, object, str]] = {
    "--quiet": ("quiet", True, "Only validate the configuration, don't print anything"),
    "--no-interpolate": ("interpolate", False, "Don't interpolate environment variables"),
    "--no-normalize": ("normalise", False, "Don't normalize compose model"),
    "--no-path-resolution": ("resolve_paths", False, "Don't resolve file paths"),
    "--no-env-resolution": ("resolve_env", False, "Don't resolve service env files"),
    "--no-consistency": ("consistency", False, "Don't check model consistency"),
    "--resolve-image-digests": ("resolve_image_digests", True, "Pin image tags to digests"),
    "--lock-image-digests": ("lock_image_digests", True, "Print an override file with image digests"),
    "--origins": ("origins", True, "Show beside each value where it came from"),
    "--services": ("view", "services", "Print the service names, one per line"),
    "--volumes": ("view", "volumes", "Print the volume names, one per line"),
    "--networks": ("view", "networks", "Print the network names, one per line"),
    "--models": ("view", "models", "Print the model names, one per line"),
    "--profiles": ("view", "profiles", "Print the profile names, one per line"),
    "--images": ("view", "images", "Print the image names, one per line"),
    "--variables": ("view", "variables", "Print model variables and default values"),
    "--environment": ("view", "environment", "Print environment used for interpolation"),
}
SHORT = {"-q": "--quiet", "-o": "--output"}


def fast(options: GlobalOptions, args: list[str]) -> int | None:
    """Run `config` without click; None when a word needs click's attention (`--help`, an unknown flag)."""
    chosen = parse(args)
    if chosen is None:
        return None
    try:
        code = run(options, chosen)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # The reader of our output went away (`| head`): nothing may be flushed any more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # noqa: BLE001 - the outermost edge: never a traceback
        from stackwright.cli.failures import report

        return report(error)


def parse(args: list[str]) -> ConfigOptions | None:
    """The words after `config`; None when one of them is no flag of ours."""
    chosen = ConfigOptions()
    words = iter(args)
    for word in words:
        if word == "--":
            chosen.services += words
        elif not word.startswith("-") or word == "-":
            chosen.services.append(word)
        else:
            name, equals, value = word.partition("=")
            if name[:2] in SHORT and len(name) > 2 and not name.startswith("--"):
                name, equals, value = name[:2], "=", word[2:].removeprefix("=")
            name = SHORT.get(name, name)
            if name in VALUE_FLAGS:
                given = value if equals else next(words, None)
                if given is None:
                    return None
                setattr(chosen, VALUE_FLAGS[name][0], given)
            elif name in SWITCHES and not equals:
                setattr(chosen, *SWITCHES[name][:2])
            else:
                return None
    return chosen


def run(options: GlobalOptions, chosen: ConfigOptions) -> int:
    """Read the model and show what was asked for; returns the exit code."""
    from stackwright.model.load import ModelErrors, Request, read_model
    from stackwright.model.stages import Settings

    if chosen.format not in ("", "yaml", "json"):
        sys.stderr.write(f'unsupported format "{chosen.format}" (yaml or json)\n')
        return 1
    interpolate = chosen.interpolate and chosen.view != "variables"
    settings = Settings(
        interpolate=interpolate,
        normalise=chosen.normalise,
        resolve_paths=chosen.resolve_paths,
        consistency=chosen.consistency,
        resolve_environment=chosen.resolve_env and not chosen.hash and not chosen.view,
    )
    request = Request(
        options.files,
        project_directory=options.project_directory,
        project_name=options.project_name,
        env_files=options.env_files,
        profiles=options.profiles,
        services=chosen.services,
        all_resources=options.all_resources,
        traced=chosen.origins,
        settings=settings,
    )
    try:
        model = read_model(request)
    except ModelErrors as errors:
        _complain(errors, chosen)
        return errors.exit_code
    for warning in model.warnings:
        sys.stderr.write(f"warning: {warning}\n")
    if chosen.quiet:
        return 0
    from stackwright.cli.config_views import show

    return show(model, options, chosen)


def _complain(errors: Any, chosen: ConfigOptions) -> None:
    if chosen.format == "json":
        from stackwright.model.emit.json_text import indented

        problems = [problem.as_dict() for problem in errors.problems]
        sys.stderr.write(indented({"problems": problems, "warnings": list(errors.warnings)}) + "\n")
        return
    for warning in errors.warnings:
        sys.stderr.write(f"warning: {warning}\n")
    sys.stderr.write(f"{errors}\n")


def __getattr__(name: str) -> Any:
    """The click commands, made when click is there to ask for them."""
    if name not in ("config", "schema"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from stackwright.cli import config_commands

    return getattr(config_commands, name)
