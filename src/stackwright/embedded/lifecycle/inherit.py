"""What a container takes over from its image where the client said nothing. Pure."""

from __future__ import annotations

from typing import Any

from stackwright.embedded.errors import BadParameter
from stackwright.embedded.lifecycle.config import Config, HealthConfig, as_words, convert

DEFAULT_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def inherit(config: Config, image: dict[str, Any]) -> Config:
    """Fill `config` from the image's run configuration as `docker run` does; raises when no command
    results."""
    base = convert(image, Config)
    entrypoint, command = as_words(config.entrypoint), as_words(config.cmd)
    if not entrypoint:
        command = command or as_words(base.cmd)
        entrypoint = as_words(base.entrypoint)
    if entrypoint == [""]:
        entrypoint = []
    if not entrypoint and not command:
        raise BadParameter("no command specified")
    config.entrypoint = entrypoint or None
    config.cmd = command or None
    config.user = config.user or base.user
    config.working_dir = config.working_dir or base.working_dir
    config.stop_signal = config.stop_signal or base.stop_signal
    config.stop_timeout = config.stop_timeout if config.stop_timeout is not None else base.stop_timeout
    config.shell = config.shell or base.shell
    config.env = merge_env(config.env, base.env)
    config.labels = {**base.labels, **config.labels}
    config.exposed_ports = {**base.exposed_ports, **config.exposed_ports}
    config.volumes = {**base.volumes, **config.volumes}
    config.healthcheck = merge_healthcheck(config.healthcheck, base.healthcheck)
    return config


def merge_env(own: list[str], base: list[str]) -> list[str]:
    """The container's variables, then those of the image that it does not name."""
    named = {entry.partition("=")[0] for entry in own}
    return [*own, *(entry for entry in base if entry.partition("=")[0] not in named)]


def merge_healthcheck(own: HealthConfig | None, base: HealthConfig | None) -> HealthConfig | None:
    """Each part of the image's HEALTHCHECK that the container leaves open is taken over; NONE stays NONE."""
    if own is None or base is None:
        return own or base
    return HealthConfig(
        test=own.test or base.test,
        interval=own.interval or base.interval,
        timeout=own.timeout or base.timeout,
        start_period=own.start_period or base.start_period,
        start_interval=own.start_interval or base.start_interval,
        retries=own.retries or base.retries,
    )


def process_env(config: Config, hostname: str) -> dict[str, str]:
    """The environment of the container's process; a variable without `=` removes an earlier one."""
    result: dict[str, str] = {}
    for entry in (
        DEFAULT_PATH,
        f"HOSTNAME={hostname}",
        *(("TERM=xterm",) if config.tty else ()),
        *config.env,
    ):
        name, equals, value = entry.partition("=")
        if equals:
            result[name] = value
        else:
            result.pop(name, None)
    return result
