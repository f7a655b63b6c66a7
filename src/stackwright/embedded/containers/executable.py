"""Finds the program to run, with Docker's words and exit codes when it cannot be run."""

from __future__ import annotations

import errno
import os
import stat

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

NOT_EXECUTABLE = 126
NOT_FOUND = 127


class ExecutableError(Exception):
    """The program cannot be run; `code` is 126 or 127, `errno` the reason."""

    def __init__(self, message: str, code: int, number: int) -> None:
        super().__init__(message)
        self.code = code
        self.errno = number


def find(name: str, path: str) -> str:
    """The file to execute for `name`, looked up in `path` when it has no slash (as Go's exec.LookPath does)."""
    if "/" in name:
        problem = _problem(name)
        if problem == 0:
            return name
        if problem == errno.ENOENT:
            raise ExecutableError(
                f'exec: "{name}": stat {name}: no such file or directory', NOT_FOUND, problem
            )
        text = os.strerror(problem).lower()
        raise ExecutableError(f'exec: "{name}": {text}', NOT_EXECUTABLE, problem)
    for directory in path.split(":"):
        candidate = f"{directory or '.'}/{name}"
        if name and _problem(candidate) == 0:
            return candidate
    raise ExecutableError(f'exec: "{name}": executable file not found in $PATH', NOT_FOUND, errno.ENOENT)


def _problem(path: str) -> int:
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        return error.errno or errno.ENOENT
    if stat.S_ISDIR(mode):
        return errno.EISDIR
    return 0 if os.access(path, os.X_OK, effective_ids=True) else errno.EACCES
