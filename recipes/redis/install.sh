#!/bin/sh
# Runs inside the image, as one step, and removes itself.
set -eu
export DEBIAN_FRONTEND=noninteractive
groupadd --system --gid 999 redis
useradd --system --uid 999 --gid redis --home-dir /data --no-create-home --shell /usr/sbin/nologin redis
apt-get update -q
apt-get install -q -y --no-install-recommends redis-server redis-tools
install -d -o redis -g redis /data
install -m 755 /recipe/docker-entrypoint.sh /usr/local/bin/docker-entrypoint.sh
# The official programs are under /usr/local/bin.
for program in redis-server redis-cli redis-benchmark redis-check-aof redis-check-rdb redis-sentinel; do
  ln -sf "/usr/bin/$program" "/usr/local/bin/$program"
done
rm -rf /etc/redis /var/lib/redis /var/log/redis
rm -rf /var/lib/apt/lists/* /var/cache/debconf/*-old /var/log/dpkg.log /var/log/apt /recipe
redis-server --version
