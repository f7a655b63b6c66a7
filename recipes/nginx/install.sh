#!/bin/sh
# Runs inside the image, as one step, and removes itself.
set -eu
export DEBIAN_FRONTEND=noninteractive
groupadd --system --gid 101 nginx || groupadd --system nginx
useradd --system --gid nginx --no-create-home --home-dir /nonexistent --shell /bin/false nginx
apt-get update -q
apt-get install -q -y --no-install-recommends nginx curl gettext-base ca-certificates
# The official layout in place of Debian's sites-available.
rm -rf /etc/nginx/sites-available /etc/nginx/sites-enabled /etc/nginx/snippets /etc/nginx/conf.d
install -d /etc/nginx/conf.d /docker-entrypoint.d /etc/nginx/templates /var/cache/nginx /usr/share/nginx/html
install -m 644 /recipe/nginx.conf /etc/nginx/nginx.conf
install -m 644 /recipe/default.conf /etc/nginx/conf.d/default.conf
rm -f /usr/share/nginx/html/*
install -m 644 /recipe/index.html /usr/share/nginx/html/index.html
install -m 755 /recipe/docker-entrypoint.sh /docker-entrypoint.sh
install -m 755 /recipe/envsubst-on-templates.sh /docker-entrypoint.d/20-envsubst-on-templates.sh
rmdir /etc/nginx/templates
chown nginx:nginx /var/cache/nginx
ln -sfn /usr/share/nginx/modules /etc/nginx/modules
ln -sf /dev/stdout /var/log/nginx/access.log
ln -sf /dev/stderr /var/log/nginx/error.log
rm -rf /var/lib/apt/lists/* /var/cache/debconf/*-old /var/log/dpkg.log /var/log/apt /recipe
nginx -t
