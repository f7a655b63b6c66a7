#!/bin/sh
# install.sh MANAGEMENT: runs inside the image, as one step, and removes itself.
set -eu
export DEBIAN_FRONTEND=noninteractive
groupadd --system --gid 999 rabbitmq
useradd --system --uid 999 --gid rabbitmq --home-dir /var/lib/rabbitmq --shell /bin/bash rabbitmq
apt-get update -q
apt-get install -q -y --no-install-recommends rabbitmq-server
rm -rf /var/lib/rabbitmq/* /var/lib/rabbitmq/.erlang.cookie /var/log/rabbitmq/*
install -d -o rabbitmq -g rabbitmq -m 1777 /var/lib/rabbitmq /etc/rabbitmq /etc/rabbitmq/conf.d /var/log/rabbitmq
install -o rabbitmq -g rabbitmq -m 644 /recipe/10-defaults.conf /etc/rabbitmq/conf.d/10-defaults.conf
rm -f /etc/rabbitmq/rabbitmq-env.conf
plugins=rabbitmq_prometheus
[ -z "$1" ] || plugins="$plugins,rabbitmq_management"
echo "[$plugins]." > /etc/rabbitmq/enabled_plugins
chown rabbitmq:rabbitmq /etc/rabbitmq/enabled_plugins
install -m 755 /recipe/docker-entrypoint.sh /usr/local/bin/docker-entrypoint.sh
rm -rf /var/lib/apt/lists/* /var/cache/debconf/*-old /var/log/dpkg.log /var/log/apt /recipe
