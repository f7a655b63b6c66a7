"""Images whose versions get no more fixes, and images that have moved or ended."""

from __future__ import annotations

from stackwright.checks.knowledge.references import ImageName

END_OF_LIFE: dict[str, tuple[tuple[tuple[int, ...], str], ...]] = {
    "alpine": (((3, 17), "November 2024"), ((3, 18), "May 2025"), ((3, 19), "November 2025")),
    "debian": (((10,), "June 2024"),),
    "ubuntu": (((18, 4), "May 2023"), ((20, 4), "May 2025")),
    "centos": (((8,), "December 2021"),),
    "python": (((2,), "January 2020"), ((3, 8), "October 2024"), ((3, 9), "October 2025")),
    "node": (
        ((18,), "April 2025"),
        ((19,), "June 2023"),
        ((20,), "April 2026"),
        ((21,), "June 2024"),
        ((23,), "June 2025"),
    ),
    "ruby": (((2,), "March 2023"), ((3, 0), "April 2024"), ((3, 1), "March 2025")),
    "php": (((7,), "November 2022"), ((8, 0), "November 2023"), ((8, 1), "December 2025")),
    "golang": (((1, 23), "August 2025"),),
    "postgres": (
        ((9,), "November 2021"),
        ((10,), "November 2022"),
        ((11,), "November 2023"),
        ((12,), "November 2024"),
        ((13,), "November 2025"),
    ),
    "mysql": (((5,), "October 2023"), ((8, 0), "April 2026")),
    "mariadb": (((10, 5), "June 2025"),),
    "mongo": (((4,), "February 2024"), ((5,), "October 2024"), ((6,), "July 2025")),
    "redis": (((5,), "April 2022"),),
    "elasticsearch": (((6,), "February 2022"), ((7,), "January 2026")),
    "rabbitmq": (((3, 12), "June 2024"),),
    "nginx": (((1, 25), "2024"),),
    "traefik": (((1,), "December 2021"),),
    "cassandra": (((3,), "2024"),),
}
"""The newest versions of each line that get no more fixes, with the month in which that ended.

A version (3, 12) stands for itself and all before it in its major line; a major (9,) for all its minors and
all before. Only what had ended when this was written is here, so the table is right on every day after.
"""

GONE: dict[str, tuple[str, str]] = {
    "openjdk": ("is no longer built", "use eclipse-temurin"),
    "centos": ("is no longer built", "use another distribution, such as almalinux or debian"),
    "java": ("is no longer built", "use eclipse-temurin"),
    "wurstmeister/kafka": ("is no longer built", "use apache/kafka"),
    "wurstmeister/zookeeper": ("is no longer built", "use zookeeper, or Kafka without it"),
    "yandex/clickhouse-server": ("has moved", "use clickhouse/clickhouse-server"),
    "jboss/keycloak": ("has moved", "use quay.io/keycloak/keycloak"),
    "mysql/mysql-server": ("is no longer built", "use mysql"),
    "provectuslabs/kafka-ui": ("is no longer built", "use ghcr.io/kafbat/kafka-ui"),
    "portainer/portainer": ("is no longer built", "use portainer/portainer-ce"),
    "phpmyadmin/phpmyadmin": ("has moved", "use phpmyadmin"),
    "semitechnologies/weaviate": ("has moved", "use cr.weaviate.io/semitechnologies/weaviate"),
    "mailhog/mailhog": ("has not changed since 2020", "use axllent/mailpit"),
    "containrrr/watchtower": ("is no longer maintained", "update images on purpose, with a new tag"),
    "jwilder/nginx-proxy": ("has moved", "use nginxproxy/nginx-proxy"),
    "jrcs/letsencrypt-nginx-proxy-companion": ("has moved", "use nginxproxy/acme-companion"),
    "grafana/promtail": ("gets no more features and ends in March 2026", "use grafana/alloy"),
    "k6io/k6": ("has moved", "use grafana/k6"),
    "loadimpact/k6": ("has moved", "use grafana/k6"),
    "elastic/elasticsearch": ("has moved", "use docker.elastic.co/elasticsearch/elasticsearch"),
}
"""Images that get no new versions under their name: what happened, and what to use instead."""

CODE_NAMES: dict[str, dict[str, tuple[int, ...]]] = {
    "debian": {"stretch": (9,), "buster": (10,), "bullseye": (11,), "bookworm": (12,), "trixie": (13,)},
    "ubuntu": {"xenial": (16, 4), "bionic": (18, 4), "focal": (20, 4), "jammy": (22, 4), "noble": (24, 4)},
}


def ended(image: ImageName) -> str:
    """When the fixes for an image's version ended; empty while they have not, or when nothing is known."""
    if image.registry and image.registry not in ("docker.elastic.co", "mcr.microsoft.com"):
        return ""
    name = image.repository if image.repository in END_OF_LIFE else ""
    if image.registry == "docker.elastic.co" or image.repository in ("bitnami/elasticsearch",):
        name = image.last if image.last in END_OF_LIFE else ""
    if not name:
        return ""
    version = image.version or CODE_NAMES.get(name, {}).get(image.tag.partition("-")[0], ())
    for last, when in END_OF_LIFE[name]:
        if version and _covered(version, last):
            return when
    return ""


def _covered(version: tuple[int, ...], last: tuple[int, ...]) -> bool:
    if len(last) == 1:
        return version[0] <= last[0] if not _own_line(last) else version[0] == last[0]
    if version[0] != last[0]:
        return version[0] < last[0]
    return len(version) > 1 and version[1] <= last[1]


def _own_line(last: tuple[int, ...]) -> bool:
    """Odd releases of Node end long before the even ones that came earlier."""
    return last[0] in (19, 21, 23)
