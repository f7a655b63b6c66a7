"""The global flags, as one table, read without click.

`stackwright config -q` must start as fast as a compiled program, so nothing here (nor in
`main`) may import click, dataclasses, asyncio or rich. The click group is generated from the
same table, so both readers agree.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stackwright.cli.opening import Reached


class GlobalOptions:
    """What the user said before the command's name; the same names as `docker compose`."""

    __slots__ = (
        "all_resources",
        "ansi",
        "compatibility",
        "context",
        "dry_run",
        "engine",
        "engine_health",
        "env_files",
        "environment",
        "files",
        "host_ca",
        "images",
        "lock_timeout",
        "parallel",
        "profiles",
        "progress",
        "project_directory",
        "project_name",
        "reached",
        "verbose",
    )

    def __init__(self) -> None:
        self.files: list[str] = []
        self.project_name: str | None = None
        self.project_directory: str | None = None
        self.profiles: list[str] = []
        self.env_files: list[str] = []
        self.environment: str | None = None
        self.progress: str = "auto"
        self.ansi: str = "auto"
        self.engine: str | None = None
        self.context: str | None = None
        self.images: str = "auto"
        self.all_resources: bool = False
        self.host_ca: bool = True
        self.compatibility: bool = False
        self.dry_run: bool = False
        self.parallel: str | None = None
        self.lock_timeout: str | None = None
        self.verbose: bool = False
        self.engine_health: bool = False
        self.reached: Reached | None = None
        """No flag: the engine that they name, asked ahead."""


class Flag:
    """One global flag: its spellings, the option it sets and how its value is taken."""

    __slots__ = ("choices", "const", "dest", "help", "hidden", "many", "names")

    def __init__(
        self,
        names: tuple[str, ...],
        dest: str,
        help: str,
        *,
        many: bool = False,
        choices: tuple[str, ...] = (),
        const: bool | str | None = None,
        hidden: bool = False,
    ) -> None:
        self.names, self.dest, self.help = names, dest, help
        self.many, self.choices, self.const, self.hidden = many, choices, const, hidden


FLAGS: tuple[Flag, ...] = (
    Flag(("-f", "--file"), "files", "Compose configuration files", many=True),
    Flag(("-p", "--project-name"), "project_name", "Project name"),
    Flag(("--project-directory",), "project_directory", "Alternate working directory"),
    Flag(("--profile",), "profiles", "Profile to enable", many=True),
    Flag(("--env-file",), "env_files", "Alternate environment file", many=True),
    Flag(("-E", "--environment"), "environment", "Environment, such as production (see envs)"),
    Flag(
        ("--progress",),
        "progress",
        "Type of progress output",
        choices=("auto", "tty", "plain", "json", "quiet"),
    ),
    Flag(("--ansi",), "ansi", "When to print ANSI control characters", choices=("never", "always", "auto")),
    Flag(
        ("--engine",),
        "engine",
        "Container engine to use",
        choices=("auto", "docker", "podman", "embedded"),
    ),
    Flag(("--context",), "context", "Docker context to use: the engine that it names"),
    Flag(
        ("--images",),
        "images",
        "Where images come from: the registry, stand-ins built from packages, or whichever works",
        choices=("auto", "registry", "recipe"),
    ),
    Flag(("--all-resources",), "all_resources", "Include resources not used by services", const=True),
    Flag(("--compatibility",), "compatibility", "Name containers as docker-compose 1 did: a_b_1", const=True),
    Flag(("--dry-run",), "dry_run", "Show what would be done; change nothing", const=True),
    Flag(("--parallel",), "parallel", "How much is done side by side, -1 for unlimited (default -1)"),
    Flag(
        ("--lock-timeout",),
        "lock_timeout",
        "How long to wait for another command on the same project, such as 30s (default 5m)",
    ),
    Flag(("--no-ansi",), "ansi", "The same as --ansi never", const="never", hidden=True),
    Flag(("--verbose",), "verbose", "Accepted as docker compose accepts it", const=True, hidden=True),
    Flag(("--workdir",), "project_directory", "The same as --project-directory", hidden=True),
    Flag(
        ("--engine-health",),
        "engine_health",
        "Wait for the engine's own health verdict: no early probes",
        const=True,
    ),
    Flag(
        ("--no-host-ca",),
        "host_ca",
        "Do not lend the host's certificate authorities to build steps",
        const=False,
    ),
)
BY_NAME: dict[str, Flag] = {name: flag for flag in FLAGS for name in flag.names}


def split(args: list[str]) -> tuple[GlobalOptions, int] | None:
    """Read the global flags at the front of `args`.

    Returns the options and the index of the command's name. None means that something here
    wants click's attention (an unknown flag, `--help`, a bad choice, no command at all).
    """
    options = GlobalOptions()
    index = 0
    while index < len(args):
        word = args[index]
        if not word.startswith("-"):
            return options, index
        name, equals, value = word.partition("=")
        if not word.startswith("--") and len(word) > 2:  # -fFILE
            name, equals, value = word[:2], "=", word[2:].removeprefix("=")
        flag = BY_NAME.get(name)
        if flag is None:
            return None
        if flag.const is not None:
            if equals:
                return None
            setattr(options, flag.dest, flag.const)
            index += 1
            continue
        if not equals:
            index += 1
            if index >= len(args):
                return None
            value = args[index]
        if flag.choices and value not in flag.choices:
            return None
        if flag.many:
            getattr(options, flag.dest).append(value)
        else:
            setattr(options, flag.dest, value)
        index += 1
    return None
