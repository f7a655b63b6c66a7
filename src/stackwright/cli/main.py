"""Runs a command in this process: finds the verb, imports only that verb.

Start-up is a feature: this module imports nothing but what the interpreter has built in. `config` may answer without click
altogether: when `stackwright.cli.config` defines

    def fast(options: GlobalOptions, args: list[str]) -> int | None

it is called first with the global options and the words after `config`; it returns the exit
code, or None to let click take over (`--help`, an unusual flag).
"""

import gc
import sys

FAST_VERBS = frozenset({"config"})


def run(args: list[str]) -> int:
    """Run one command in this process; returns the exit code. `args` is without the program's name."""
    # Starting only allocates: the default of 700 looks for garbage a hundred times, a twentieth of the start.
    gc.set_threshold(50_000)
    from stackwright.cli.flags import split

    found = split(args)
    # What `-E` stands for is found by click's way: it may have to read a folder.
    if found is not None and args[found[1]] in FAST_VERBS and found[0].environment is None:
        from stackwright.cli import config  # type: ignore[attr-defined, unused-ignore]

        fast = getattr(config, "fast", None)
        if fast is not None:
            code = fast(found[0], args[found[1] + 1 :])
            if code is not None:
                return int(code)
    from stackwright.cli.group import run as run_by_click

    return run_by_click(args)


def finish(code: int) -> int:
    """Write out what has been printed; the exit code, which is another one when that fails."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:  # the reader went away
        pass
    except OSError as error:
        sys.stderr.write(f"the output could not be written: {error.strerror}\n")
        return code or 1
    return code


if __name__ == "__main__":
    from stackwright.handover import entry

    entry()
