"""The labels and names that `docker compose` gives to what it makes.

They are the whole memory of a project: each tool finds, by them, what the other brought up.
"""

from __future__ import annotations

from stackwright.model.project import Project
from stackwright.model.types import Service
from stackwright.plan.hashes import network_hash, volume_hash

PROJECT = "com.docker.compose.project"
SERVICE = "com.docker.compose.service"
NUMBER = "com.docker.compose.container-number"
ONEOFF = "com.docker.compose.oneoff"
CONFIG_HASH = "com.docker.compose.config-hash"
VERSION = "com.docker.compose.version"
WORKING_DIR = "com.docker.compose.project.working_dir"
CONFIG_FILES = "com.docker.compose.project.config_files"
ENVIRONMENT_FILE = "com.docker.compose.project.environment_file"
DEPENDS_ON = "com.docker.compose.depends_on"
IMAGE = "com.docker.compose.image"
REPLACE = "com.docker.compose.replace"
BUILDER = "com.docker.compose.image.builder"
SLUG = "com.docker.compose.slug"
NETWORK = "com.docker.compose.network"
VOLUME = "com.docker.compose.volume"

COMPOSE_VERSION = "2.40.3"
"""The `docker compose` whose conventions these are; tools read the label to tell old schemes apart."""


class _Naming:
    """What stands between the parts of a name: `-`, or `_` with `--compatibility`."""

    separator = "-"


def use_separator(text: str) -> None:
    """Name what is made from now on with `text` between the parts; once per command, before anything is named."""
    _Naming.separator = text


def joined(*parts: object) -> str:
    """The parts of a name, with what this command puts between them."""
    return _Naming.separator.join(map(str, parts))


def container_name(project: str, service: Service, number: int) -> str:
    """`container_name`, or `<project>-<service>-<number>`."""
    return service.container_name or joined(project, service.name, number)


def service_named(project: Project, container: str) -> str:
    """The service that a container of this name belongs to, by the rules of `container_name`; else empty.

    >>> demo = Project(name="demo", working_dir="/demo")
    >>> service_named(demo, "demo-my-api-2"), service_named(demo, "another")
    ('my-api', '')
    """
    for service in project.services.values():
        if service.container_name == container:
            return service.name
    own = joined(project.name, "")
    name, _, number = container.removeprefix(own).rpartition(_Naming.separator)
    return name if container.startswith(own) and number.isdigit() else ""


def replaces(project: str, value: str) -> frozenset[str]:
    """Names of the container that a replacement with the label `REPLACE` of this value is made for.

    The label leaves out the project, unless the file names the container.
    """
    return frozenset({value, f"{project}-{value}"})


def image_name(project: str, service: Service) -> str:
    """`image`, or the name under which the service's build is tagged."""
    return service.image or joined(project, service.name)


def depends_on(service: Service) -> str:
    """The value of the depends_on label: `db:service_healthy:false,cache:service_started:true`."""
    return ",".join(
        f"{name}:{dependency.condition}:{'true' if dependency.restart else 'false'}"
        for name, dependency in sorted(service.depends_on.items())
    )


def container_labels(
    project: Project,
    service: Service,
    *,
    number: int,
    image_id: str,
    oneoff: bool = False,
    environment_files: tuple[str, ...] = (),
) -> dict[str, str]:
    """All labels of a container: the service's own, then ours. A one-off container has the number 0, and no label of it."""
    labels = {
        **service.labels,
        PROJECT: project.name,
        SERVICE: service.name,
        VERSION: COMPOSE_VERSION,
        WORKING_DIR: project.working_dir,
        CONFIG_FILES: ",".join(project.compose_files),
        **({NUMBER: str(number)} if number else {}),
        ONEOFF: "True" if oneoff else "False",
        CONFIG_HASH: project.config_hashes.get(service.name, ""),
        DEPENDS_ON: depends_on(service),
        IMAGE: image_id,
    }
    if environment_files:
        labels[ENVIRONMENT_FILE] = ",".join(environment_files)
    return labels


def network_labels(project: Project, key: str) -> dict[str, str]:
    """Labels of a network that we create."""
    network = project.networks[key]
    return {
        **network.labels,
        PROJECT: project.name,
        NETWORK: key,
        VERSION: COMPOSE_VERSION,
        CONFIG_HASH: network_hash(network),
    }


def volume_labels(project: Project, key: str) -> dict[str, str]:
    """Labels of a volume that we create."""
    volume = project.volumes[key]
    return {
        **volume.labels,
        PROJECT: project.name,
        VOLUME: key,
        VERSION: COMPOSE_VERSION,
        CONFIG_HASH: volume_hash(volume),
    }


def project_filter(project: str, *more: str) -> dict[str, list[str]]:
    """The Engine API filter for a project's objects."""
    return {"label": [f"{PROJECT}={project}", *more]}
