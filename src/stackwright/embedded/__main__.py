"""`python -m stackwright.embedded serve --state-dir DIR --socket PATH [--idle-seconds N]`: the embedded
engine.

The starter is launched before anything large is imported: it boots beside the engine's own imports.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stackwright.embedded.containers.starter import launch_starter


def default_state_dir() -> Path:
    """STACKWRIGHT_STATE_DIR, or the place for this user."""
    if given := os.environ.get("STACKWRIGHT_STATE_DIR"):
        return Path(given)
    if os.geteuid() == 0:
        return Path("/var/lib/stackwright")
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "stackwright"


def default_socket() -> Path:
    """STACKWRIGHT_SOCKET, or the place for this user."""
    if given := os.environ.get("STACKWRIGHT_SOCKET"):
        return Path(given)
    if os.geteuid() == 0:
        return Path("/run/stackwright/engine.sock")
    runtime = os.environ.get("XDG_RUNTIME_DIR") or f"/tmp/stackwright-{os.geteuid()}"
    return Path(runtime) / "stackwright" / "engine.sock"


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """The command line; exits with 2 and a message when it is wrong."""
    parser = argparse.ArgumentParser(prog="stackwright-engine", description="The embedded container engine.")
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="serve the Docker Engine API on a Unix socket")
    serve.add_argument("--state-dir", type=Path, default=default_state_dir())
    serve.add_argument("--socket", type=Path, default=default_socket())
    serve.add_argument("--idle-seconds", type=float, default=60.0, help="end after so long unused; 0 never")
    serve.add_argument(
        "--body-seconds",
        type=float,
        default=60.0,
        help="give up a request whose small body takes longer, or whose upload pauses for five times as long",
    )
    serve.add_argument("--log-level", default="info", choices=("debug", "info", "warning", "error"))
    return parser.parse_args(arguments)


@contextmanager
def quick_imports() -> Iterator[None]:
    """Import large libraries without what costs time and serves nothing here.

    aiohttp reads the host's whole bundle of certificate authorities when imported, a fifth of the engine's
    start. Every request that the engine makes names a context of its own (images/registry/trust.py); the
    default one stays without authorities and so trusts nobody.
    """
    import gc
    import ssl

    def nothing(*_: object) -> None:
        return None

    names = ("load_default_certs", "set_default_verify_paths")
    inherited = {name: name in vars(ssl.SSLContext) for name in names}
    kept = {name: getattr(ssl.SSLContext, name) for name in names}
    gc.disable()
    for name in names:
        setattr(ssl.SSLContext, name, nothing)
    try:
        yield
    finally:
        for name in names:
            if inherited[name]:
                setattr(ssl.SSLContext, name, kept[name])
            else:
                delattr(ssl.SSLContext, name)
        gc.enable()
        gc.freeze()


def main(arguments: list[str] | None = None) -> int:
    """Exit codes: 0 ended as asked, 1 could not serve, 2 wrong usage, 3 another engine serves this
    directory."""
    options = parse_arguments(sys.argv[1:] if arguments is None else arguments)
    inside = None
    if os.geteuid() != 0:
        from stackwright.embedded.rootless.entering import enter
        from stackwright.embedded.rootless.errors import RootlessError

        options.state_dir, options.socket = options.state_dir.absolute(), options.socket.absolute()
        try:
            inside = enter(options.state_dir)
        except (RootlessError, OSError) as error:
            print(f"stackwright engine: {error}", file=sys.stderr)  # noqa: T201
            return 1
    starter = launch_starter()
    import logging

    with quick_imports():
        from stackwright.embedded import daemon
        from stackwright.embedded.errors import DiskFull
        from stackwright.embedded.lifecycle.instance import AlreadyServed

    logging.basicConfig(
        level=options.log_level.upper(), format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr
    )
    limitations = tuple(inside.limitations()) if inside is not None else ()
    for sentence in limitations:
        logging.getLogger("stackwright.engine").warning("as an ordinary user: %s", sentence)
    settings = daemon.Options(
        state_dir=options.state_dir.absolute(),
        socket=options.socket.absolute(),
        idle_seconds=options.idle_seconds,
        body_seconds=options.body_seconds,
        limitations=limitations,
    )
    try:
        daemon.run(settings, starter)
    except AlreadyServed as error:
        print(f"stackwright engine: {error}", file=sys.stderr)  # noqa: T201
        return 3
    except DiskFull as error:
        print(f"stackwright engine: {error.message}", file=sys.stderr)  # noqa: T201
        return 1
    except OSError as error:
        print(f"stackwright engine: cannot serve on {settings.socket}: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
