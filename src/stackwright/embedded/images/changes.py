"""What instructions do to a run configuration: used by the builder, by ``import`` and by ``commit --change``.

One function a row, ``(config, instruction, expand) -> None`` on a copy; the table at the end says which
instruction goes where (Dockerfile reference; OCI image spec, config.md, ``config``).
"""

from __future__ import annotations

import copy
import posixpath
import re
import signal
from collections.abc import Callable, Sequence
from typing import Any

from stackwright.dockerfile.errors import DockerfileError
from stackwright.dockerfile.instruction import Instruction, parse_text
from stackwright.dockerfile.words import expand
from stackwright.embedded.errors import BadParameter

DEFAULT_SHELL = ["/bin/sh", "-c"]
_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")
_NANOSECONDS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}

Config = dict[str, Any]
Expand = Callable[[str], str]


def apply(config: Config, instruction: Instruction, expand_word: Expand) -> Config:
    """A copy of ``config`` with one instruction carried out; DockerfileError when it makes no sense."""
    changed = copy.deepcopy(config)
    try:
        CHANGES[instruction.name](changed, instruction, expand_word)
    except DockerfileError as error:
        raise DockerfileError(error.message, error.line or instruction.line) from None
    return changed


def apply_changes(config: Config, changes: Sequence[str]) -> Config:
    """``--change`` texts, one instruction each; BadParameter when one can't be read or is not allowed here."""
    for text in changes:
        try:
            instruction = parse_text(text)
            if instruction.name not in CHANGES:
                raise DockerfileError(f"{instruction.name} is not a valid change command")
            variables = environment(config)

            def filled(word: str, variables: dict[str, str] = variables) -> str:
                return expand(word, variables)

            config = apply(config, instruction, filled)
        except DockerfileError as error:
            raise BadParameter(error.message) from None
    return config


def environment(config: Config) -> dict[str, str]:
    """``Env`` as a mapping."""
    return dict(item.partition("=")[::2] for item in config.get("Env") or ())


def set_environment(config: Config, name: str, value: str) -> None:
    """Set one variable in ``Env``, keeping its place."""
    variables = environment(config)
    variables[name] = value
    config["Env"] = [f"{key}={text}" for key, text in variables.items()]


def duration(text: str) -> int:
    """Go's notation (``1m30s``) → nanoseconds; DockerfileError for anything else."""
    if text in ("0", "+0", "-0"):
        return 0
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise DockerfileError(f'invalid duration "{text}": expected a number with a unit, e.g. 30s')
    return sum(round(float(number) * _NANOSECONDS[unit]) for number, unit in parts)


def shell(config: Config) -> list[str]:
    """The shell of shell forms."""
    return list(config.get("Shell") or DEFAULT_SHELL)


def command_line(config: Config, args: Sequence[str], *, is_json: bool) -> list[str]:
    """Exec form as it is, shell form through the shell."""
    return list(args) if is_json else [*shell(config), *args]


def _cmd(config: Config, instruction: Instruction, fill: Expand) -> None:
    config["Cmd"] = (
        command_line(config, instruction.args, is_json=instruction.json) if instruction.args else []
    )


def _entrypoint(config: Config, instruction: Instruction, fill: Expand) -> None:
    if instruction.args:
        config["Entrypoint"] = command_line(config, instruction.args, is_json=instruction.json)
    else:
        config["Entrypoint"] = []


def _env(config: Config, instruction: Instruction, fill: Expand) -> None:
    pairs = [word.partition("=") for word in instruction.args]
    filled = [(fill(name), fill(value)) for name, _, value in pairs]  # all with the values from before
    for name, value in filled:
        if not name:
            raise DockerfileError("ENV names can not be blank")
        set_environment(config, name, value)


def _label(config: Config, instruction: Instruction, fill: Expand) -> None:
    labels = dict(config.get("Labels") or {})
    for word in instruction.args:
        name, _, value = word.partition("=")
        if not fill(name):
            raise DockerfileError("LABEL names can not be blank")
        labels[fill(name)] = fill(value)
    config["Labels"] = labels


def _expose(config: Config, instruction: Instruction, fill: Expand) -> None:
    ports = dict(config.get("ExposedPorts") or {})
    for word in instruction.args:
        for port in fill(word).split():
            for key in _ports(port):
                ports[key] = {}
    config["ExposedPorts"] = dict(sorted(ports.items()))


def _ports(text: str) -> list[str]:
    numbers, slash, protocol = text.rpartition(":")[2].partition("/")
    first, _, last = numbers.partition("-")
    protocol = protocol.lower() if slash else "tcp"
    try:
        low, high = int(first), int(last or first)
        if not 0 < low <= high <= 65535:
            raise ValueError
    except ValueError:
        raise DockerfileError(f"Invalid containerPort: {text}") from None
    if protocol not in ("tcp", "udp", "sctp"):
        raise DockerfileError(f"Invalid proto: {protocol}")
    return [f"{port}/{protocol}" for port in range(low, high + 1)]


def _volume(config: Config, instruction: Instruction, fill: Expand) -> None:
    volumes = dict(config.get("Volumes") or {})
    for word in instruction.args:
        path = fill(word).strip()
        if not path:
            raise DockerfileError("VOLUME specified can not be an empty string")
        volumes[path] = {}
    config["Volumes"] = volumes


def _user(config: Config, instruction: Instruction, fill: Expand) -> None:
    config["User"] = fill(instruction.args[0]).strip()


def _workdir(config: Config, instruction: Instruction, fill: Expand) -> None:
    path = fill(instruction.args[0]).strip()
    if not path:
        raise DockerfileError("WORKDIR specified can not be empty")
    config["WorkingDir"] = absolute(config, path)


def absolute(config: Config, path: str) -> str:
    """``path`` seen from the working directory, without a slash at the end."""
    joined = posixpath.normpath(posixpath.join("/", config.get("WorkingDir") or "/", path))
    return "/" + joined.lstrip("/")


def _stopsignal(config: Config, instruction: Instruction, fill: Expand) -> None:
    name = fill(instruction.args[0])
    valid = (
        0 < int(name) < signal.NSIG
        if name.isdigit()
        else ("SIG" + name.upper().removeprefix("SIG")) in signal.Signals.__members__
        or name.upper().removeprefix("SIG").startswith(("RTMIN", "RTMAX"))
    )
    if not valid:
        raise DockerfileError(f"Invalid signal: {name}")
    config["StopSignal"] = name


def _shell(config: Config, instruction: Instruction, fill: Expand) -> None:
    config["Shell"] = list(instruction.args)


def _healthcheck(config: Config, instruction: Instruction, fill: Expand) -> None:
    kind, *command = instruction.args
    if kind == "NONE":
        config["Healthcheck"] = {"Test": ["NONE"]}
        return
    check: Config = {"Test": ["CMD" if instruction.json else "CMD-SHELL", *command]}
    for flag, key in (
        ("interval", "Interval"),
        ("timeout", "Timeout"),
        ("start-period", "StartPeriod"),
        ("start-interval", "StartInterval"),
    ):
        if text := fill(instruction.flag(flag)):
            check[key] = duration(text)
            if 0 < check[key] < 10**6:
                raise DockerfileError(f'Interval "{flag}" cannot be less than 1ms')
    if text := fill(instruction.flag("retries")):
        if not text.isdigit():
            raise DockerfileError(f"--retries must be a number of at least 0, not {text}")
        check["Retries"] = int(text)
    config["Healthcheck"] = check


def _onbuild(config: Config, instruction: Instruction, fill: Expand) -> None:
    config["OnBuild"] = [*(config.get("OnBuild") or ()), instruction.args[0]]


CHANGES: dict[str, Callable[[Config, Instruction, Expand], None]] = {
    "CMD": _cmd,
    "ENTRYPOINT": _entrypoint,
    "ENV": _env,
    "EXPOSE": _expose,
    "HEALTHCHECK": _healthcheck,
    "LABEL": _label,
    "ONBUILD": _onbuild,
    "SHELL": _shell,
    "STOPSIGNAL": _stopsignal,
    "USER": _user,
    "VOLUME": _volume,
    "WORKDIR": _workdir,
}
