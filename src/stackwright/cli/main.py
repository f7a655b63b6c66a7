"""The `stackwright` command: finds the verb, imports only that verb.

Start-up is a feature: this module imports nothing but what the interpreter has built in; `__future__` is a file like any
other, so what every command passes through does without. `config` may answer without click
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


def main(args: list[str]) -> int:
    """Run one command, by a warm worker if there is one (see `stackwright.cli.warm`), else in this process."""
    from stackwright.cli.warm.handover import VERBS, hand_over

    try:
        if _verb(args) not in VERBS:
            return finish(run(args))
        code = hand_over(args)
        if code is not None:
            return code
        code = finish(run(args))
    except (KeyboardInterrupt, RuntimeError) as error:  # while modules were still being imported
        if interrupted(error):
            return 130
        raise
    from stackwright.cli.warm.leaving import leave_fork_server

    leave_fork_server()
    return code


def _verb(args: list[str]) -> str | None:
    """The command's name; None where click has to find it."""
    if args and not args[0].startswith("-"):
        return args[0]
    from stackwright.cli.flags import split

    found = split(args)
    return None if found is None else args[found[1]]


def interrupted(error: BaseException | None) -> bool:
    """Whether Ctrl-C is behind an error: while a class is made, Python before 3.12 says RuntimeError instead (`__set_name__`)."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__
    return error is not None


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


def entry() -> None:
    """The command itself: one run, then the end of the process.

    The interpreter's tidying up at its exit takes longer than the whole work of a quick verb, and frees nothing that
    the kernel does not free. Nothing of ours waits for it: no `atexit`, no thread outlives its verb.
    """
    from os import _exit

    _exit(main(sys.argv[1:]))


if __name__ == "__main__":
    entry()
