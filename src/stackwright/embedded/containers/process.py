"""The last steps before exec, for a container's PID 1 and for exec sessions alike: who the process is and may do."""

from __future__ import annotations

import errno
import os
import resource
import signal
from contextlib import suppress

from stackwright.embedded.kernel import capabilities, prctl, seccomp, terminal
from stackwright.embedded.kernel.call import KernelError
from stackwright.embedded.kernel.userns import maps_one_user

from .executable import DEFAULT_PATH, NOT_EXECUTABLE, NOT_FOUND, ExecutableError, find

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .spec import ProcessSpec, Rlimit

_NOFILE_WANTED = 1024 * 1024
_NULL = os.makedev(1, 3)


class Host:
    """Facts read while the host's /proc was still there."""

    def __init__(self) -> None:
        self.last_capability = capabilities.last()


def environment(process: ProcessSpec, hostname: str) -> dict[str, str]:
    """The process's environment with Docker's additions; the last of equal names wins."""
    env = {"PATH": DEFAULT_PATH, "HOSTNAME": hostname}
    if process.tty:
        env["TERM"] = "xterm"
    for entry in process.env:
        name, separator, value = entry.partition("=")
        if separator:
            env[name] = value
    env.setdefault("HOME", process.user.home or "/")
    return env


def apply_limits(process: ProcessSpec) -> None:
    """Resource limits and the out-of-memory score; what the kernel refuses us stays as it is."""
    asked = {limit.name.lower().removeprefix("rlimit_") for limit in process.rlimits}
    if "nofile" not in asked:
        # Docker's daemon hands on its own generous limit; programs rely on more than a login's 1024.
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        soft = _NOFILE_WANTED if hard == resource.RLIM_INFINITY else min(hard, _NOFILE_WANTED)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    for limit in process.rlimits:
        _set_limit(limit)
    if process.oom_score_adj:
        with suppress(OSError):
            fd = os.open("/proc/self/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC)
            os.write(fd, str(process.oom_score_adj).encode())
            os.close(fd)


def _set_limit(limit: Rlimit) -> None:
    number = getattr(resource, "RLIMIT_" + limit.name.lower().removeprefix("rlimit_").upper(), None)
    if number is None:
        raise ValueError(f"invalid ulimit type: {limit.name}")
    wanted = tuple(resource.RLIM_INFINITY if value < 0 else value for value in (limit.soft, limit.hard))
    try:
        resource.setrlimit(number, (wanted[0], wanted[1]))
    except (PermissionError, ValueError):
        # Without CAP_SYS_RESOURCE a hard limit only goes down: give as much as we have.
        hard = resource.getrlimit(number)[1]
        if hard != resource.RLIM_INFINITY:
            wanted = tuple(hard if v == resource.RLIM_INFINITY else min(v, hard) for v in wanted)
        resource.setrlimit(number, (min(wanted), wanted[1]))


def take_stdio(stdin: int, stdout: int, stderr: int, uid: int) -> None:
    """Make them 0, 1 and 2, owned by the user so that it may reopen /dev/stdout."""
    for number, fd in enumerate((stdin, stdout, stderr)):
        os.dup2(fd, number, inheritable=True)
        with suppress(OSError):
            # The host's /dev/null among them: by its number, since the container's own is another file.
            if uid and os.fstat(number).st_rdev != _NULL:
                os.fchown(number, uid, -1)


def take_terminal(slave: int, uid: int) -> None:
    """Make the terminal the controlling one and stdin, stdout and stderr of a new session."""
    os.setsid()
    terminal.make_controlling(slave)
    with suppress(OSError):
        os.fchown(slave, uid, -1)
    for number in (0, 1, 2):
        os.dup2(slave, number, inheritable=True)


def become(process: ProcessSpec, host: Host, calls: bytes, *, privileged: bool) -> None:
    """Give up everything the process may not have: system calls, groups, user, capabilities.

    `calls` is the system call filter, empty for none.
    """
    if calls and not process.no_new_privileges:
        seccomp.install(calls)  # while we still may
    bits = capabilities.permitted() if privileged else capabilities.mask(process.capabilities)
    try:
        capabilities.limit_bounding(bits, host.last_capability)
    except KernelError as error:
        if error.errno != errno.EPERM:  # without CAP_SETPCAP there is nothing we could hand on
            raise
    if process.no_new_privileges:
        prctl.set_no_new_privileges()
    user = process.user
    if not maps_one_user():  # the kernel forbids it there, and there are no other groups
        os.setgroups(user.groups)
    _change_user(user.uid, user.gid)
    capabilities.set_process(bits)
    if calls and process.no_new_privileges:
        seccomp.install(calls)  # as late as can be: it covers all that follows


def _change_user(uid: int, gid: int) -> None:
    try:
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        what = f"become user {uid}:{gid}, which the engine's user namespace does not have"
        raise KernelError(what, errno.EINVAL) from None


def make_directory(process: ProcessSpec) -> None:
    """Make the working directory if it is missing, owned by root, as Docker's daemon does."""
    try:
        os.makedirs(process.cwd or "/", 0o755, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise ExecutableError(
            f"Cannot mkdir: {process.cwd} is not a directory", NOT_EXECUTABLE, errno.ENOTDIR
        ) from None


def enter_directory(process: ProcessSpec) -> None:
    """Go to the working directory, with the rights of the user. Raises ExecutableError in runc's words."""
    try:
        os.chdir(process.cwd or "/")
    except OSError as error:
        code = NOT_FOUND if error.errno == errno.ENOENT else NOT_EXECUTABLE
        reason = os.strerror(error.errno or 0).lower()
        text = f'chdir to cwd ("{process.cwd}") set in config.json failed: {reason}'
        raise ExecutableError(text, code, error.errno or 0) from None


_RESETTABLE = tuple(set(range(1, 32)) - {signal.SIGKILL, signal.SIGSTOP})


def reset_signals() -> None:
    """Undo Python's own dispositions, and those of whoever started the engine: what is ignored stays so across exec."""
    for number in _RESETTABLE:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def locate(process: ProcessSpec, env: dict[str, str]) -> str:
    """Path of the executable. Raises executable.ExecutableError."""
    return find(process.args[0], env.get("PATH", DEFAULT_PATH))


def execute(path: str, process: ProcessSpec, env: dict[str, str]) -> None:
    """Replace this process. A failure goes where the container's errors go, as with runc, and ends it with 255."""
    try:
        os.execve(path, list(process.args), env)
    except OSError as error:
        os.write(2, f"exec {path}: {os.strerror(error.errno or 0).lower()}\n".encode())
        os._exit(255)
