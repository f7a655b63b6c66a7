"""The click group: every verb is a line in a table and imported only when it is called."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from stackwright import __version__
from stackwright.cli.flags import FLAGS, Flag, GlobalOptions, split

# verb -> (module:attribute, one line for --help). The line is here so that `--help` imports no verb.
VERBS: dict[str, tuple[str, str]] = {
    "attach": (
        "stackwright.cli.watching:attach",
        "Attach local standard input, output, and error streams to a service's running container",
    ),
    "build": ("stackwright.cli.building:build", "Build or rebuild services"),
    "check": (
        "stackwright.cli.check:check",
        "Find every mistake in every environment before anything starts",
    ),
    "commit": ("stackwright.cli.snapshots:commit", "Create a new image from a service container's changes"),
    "config": (
        "stackwright.cli.config:config",
        "Parse, resolve and render the compose file in canonical format",
    ),
    "cp": (
        "stackwright.cli.copying:cp",
        "Copy files/folders between a service container and the local filesystem",
    ),
    "create": ("stackwright.cli.lifecycle:create", "Create containers for a service"),
    "diff": ("stackwright.cli.diff:diff", "Say what differs between two environments or revisions"),
    "docs": ("stackwright.cli.docs:docs", "Write an architecture page of the project"),
    "down": ("stackwright.cli.down:down", "Stop and remove containers, networks"),
    "engine": ("stackwright.cli.engine:engine", "Look at, start or stop the embedded engine"),
    "envs": ("stackwright.cli.envs:envs", "List the environments of the project"),
    "events": ("stackwright.cli.watching:events", "Receive real time events from containers"),
    "exec": ("stackwright.cli.execute:exec_command", "Execute a command in a running container"),
    "export": (
        "stackwright.cli.snapshots:export",
        "Export a service container's filesystem as a tar archive",
    ),
    "graph": ("stackwright.cli.graph:graph", "Draw services, dependencies, networks, ports and volumes"),
    "images": ("stackwright.cli.images:images", "List images used by the created containers"),
    "kill": ("stackwright.cli.lifecycle:kill", "Force stop service containers"),
    "logs": ("stackwright.cli.logs:logs", "View output from containers"),
    "ls": ("stackwright.cli.listing:ls", "List running compose projects"),
    "lsp": ("stackwright.cli.lsp:lsp", "Start the language server, for editors"),
    "pause": ("stackwright.cli.lifecycle:pause", "Pause services"),
    "plan": ("stackwright.cli.planning:plan", "Show what up would do, and why, like a diff"),
    "port": ("stackwright.cli.listing:port", "Print the public port for a port binding"),
    "ps": ("stackwright.cli.listing:ps", "List containers"),
    "publish": ("stackwright.cli.sharing:publish", "Publish compose application"),
    "pull": ("stackwright.cli.images:pull", "Pull service images"),
    "push": ("stackwright.cli.sharing:push", "Push service images"),
    "restart": ("stackwright.cli.lifecycle:restart", "Restart service containers"),
    "rm": ("stackwright.cli.lifecycle:rm", "Remove stopped service containers"),
    "run": ("stackwright.cli.execute:run_command", "Run a one-off command on a service"),
    "scale": ("stackwright.cli.up:scale", "Scale services"),
    "schema": ("stackwright.cli.config:schema", "Print the JSON schema of compose files"),
    "start": ("stackwright.cli.lifecycle:start", "Start services"),
    "stats": ("stackwright.cli.watching:stats", "Display container(s) resource usage statistics"),
    "stop": ("stackwright.cli.lifecycle:stop", "Stop services"),
    "timeline": ("stackwright.cli.history:timeline", "Show the last runs of up, and what got slower"),
    "top": ("stackwright.cli.listing:top", "Display the running processes"),
    "unpause": ("stackwright.cli.lifecycle:unpause", "Unpause services"),
    "up": ("stackwright.cli.up:up", "Create and start containers"),
    "version": ("stackwright.cli.listing:version", "Show the Stackwright version information"),
    "volumes": ("stackwright.cli.listing:volumes", "List volumes"),
    "wait": ("stackwright.cli.watching:wait", "Block until containers of all (or specified) services stop."),
    "watch": (
        "stackwright.cli.watch:watch",
        "Watch build context for service and rebuild/refresh containers when files are updated",
    ),
}


KNOW_ENVIRONMENTS = frozenset({"check", "diff", "docs", "envs", "lsp"})
"""Verbs that are about environments themselves, so `-E` is theirs to understand."""


OWN = frozenset(
    {"check", "diff", "docs", "engine", "envs", "graph", "lsp", "plan", "schema", "timeline"},
)
"""Verbs that docker compose does not have."""
DRY = frozenset(VERBS) - OWN
"""Verbs that take `--dry-run` after their name too, as with docker compose."""


def _dry_run() -> click.Option:
    def note(context: click.Context, _: click.Parameter, value: bool) -> None:
        if value and context.obj is not None:
            context.obj.dry_run = True

    return click.Option(
        ("--dry-run",),
        is_flag=True,
        expose_value=False,
        callback=note,
        help="Show what would be done; change nothing",
    )


TRUE, FALSE = frozenset(("1", "t", "true")), frozenset(("0", "f", "false"))
"""How Go's flags spell a boolean; scripts written for docker compose do so too: `--prune=false`."""


def _take_go_booleans(command: click.Command) -> None:
    """Let switches of the command be written with a value."""
    switches = {
        name: option
        for option in command.params
        if isinstance(option, click.Option) and option.is_flag
        for name in option.opts
    }
    values = {
        name
        for option in command.params
        if isinstance(option, click.Option) and not option.is_flag
        for name in option.opts
    }
    plain: Any = command.parse_args

    def parse_args(context: click.Context, args: list[str]) -> list[str]:
        end = len(args) if context.allow_interspersed_args else _end_of_flags(args, values)
        words = [word for one in args[:end] for word in _as_switch(one, switches)]
        return list(plain(context, [*words, *args[end:]]))

    setattr(command, "parse_args", parse_args)  # noqa: B010 - a method of this one command


def _end_of_flags(args: list[str], values: set[str]) -> int:
    """Where the first word is that is no flag of ours, nor the value of one: a command of somebody else begins there."""
    index = 0
    while index < len(args) and args[index].startswith("-") and args[index] != "--":
        index += 2 if args[index] in values else 1
    return min(index, len(args))


def _as_switch(word: str, switches: dict[str, click.Option]) -> list[str]:
    name, equals, value = word.partition("=")
    option = switches.get(name) if equals else None
    if option is None or value.lower() not in TRUE | FALSE:
        return [word]
    if value.lower() in TRUE:
        return [name]
    return option.secondary_opts[:1]


class LazyGroup(click.Group):
    """A group whose commands are imported when they are looked up."""

    _adapted: set[str] = set()  # noqa: RUF012 - one group, one set

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the global flags; twenty of them take click longer than a quick verb its work, so `split` reads what it can."""
        found = split(args)
        if found is None or found[0].environment is not None:
            return super().parse_args(ctx, args)
        ctx.obj, index = found
        return super().parse_args(ctx, args[index:])

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return super().get_params(ctx) if ctx.obj is None else []

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module, _, attribute = VERBS[cmd_name][0].partition(":")
        command = getattr(import_module(module), attribute)
        assert isinstance(command, click.Command)
        if cmd_name not in self._adapted:
            self._adapted.add(cmd_name)
            if cmd_name in DRY:
                command.params.append(_dry_run())
            _take_go_booleans(command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(verb, help_line) for verb, (_, help_line) in VERBS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0] if args else ""
        if name and name not in VERBS:
            from difflib import get_close_matches

            near = get_close_matches(name, VERBS, n=1)
            hint = f' Did you mean "{near[0]}"?' if near else ""
            ctx.fail(f'unknown command "{name}".{hint}')
        return super().resolve_command(ctx, args)


def _option(flag: Flag) -> click.Option:
    name = flag.names[-1].lstrip("-").replace("-", "_")
    if flag.const is not None:
        return click.Option(
            (*flag.names, name), is_flag=True, default=False, help=flag.help, hidden=flag.hidden
        )
    return click.Option(
        (*flag.names, name),
        multiple=flag.many,
        type=click.Choice(flag.choices) if flag.choices else str,
        help=flag.help,
        hidden=flag.hidden,
    )


def _callback(**values: object) -> None:
    if not values:  # read already
        return
    options = GlobalOptions()
    for flag in FLAGS:
        value = values[flag.names[-1].lstrip("-").replace("-", "_")]
        if flag.const is not None:
            value = flag.const if value else None
        if flag.many:
            setattr(options, flag.dest, list(value))  # type: ignore[call-overload]
        elif value is not None:
            setattr(options, flag.dest, value)
    context = click.get_current_context()
    if options.environment and context.invoked_subcommand not in KNOW_ENVIRONMENTS:
        from stackwright.cli.environments import apply_environment

        apply_environment(options)
    context.obj = options


group = LazyGroup(
    name="stackwright",
    callback=_callback,
    params=[_option(flag) for flag in FLAGS],
    help="Define and run multi-container applications, with Docker or without.",
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
)
group.params.append(
    click.version_option(__version__, "-v", "--version", message="Stackwright version v%(version)s")(
        lambda: None
    ).__click_params__[0]  # type: ignore[attr-defined]
)


def run(args: list[str]) -> int:
    """Run `args` through click; every failure becomes one message on stderr and an exit code."""
    from stackwright.cli.failures import report
    from stackwright.handover import interrupted

    try:
        code = group.main(args, prog_name="stackwright", standalone_mode=False)
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.Abort:
        return 130
    except click.ClickException as error:
        error.show()
        return 1  # as docker compose, also where click would say 2
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # noqa: BLE001 - the outermost edge: never a traceback
        return 130 if interrupted(error) else report(error)
    return code if isinstance(code, int) else 0
