#!/bin/sh
# Runs inside the image, as one step, and removes itself.
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -q -y --no-install-recommends prometheus ca-certificates
install -d /etc/prometheus
install -m 644 /recipe/prometheus.yml /etc/prometheus/prometheus.yml
install -d -o nobody -g nogroup /prometheus
ln -sfn /etc/prometheus /usr/share/prometheus/etc 2> /dev/null || true
rm -rf /var/lib/prometheus/metrics2
rm -rf /var/lib/apt/lists/* /var/cache/debconf/*-old /var/log/dpkg.log /var/log/apt /recipe
prometheus --version
