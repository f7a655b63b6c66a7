#!/bin/sh
# install.sh FLAVOUR: runs inside the image, as one step, and removes itself.
set -eu
groupadd --gid 1000 node
useradd --uid 1000 --gid node --shell /bin/bash --create-home node
ln -s /usr/local/bin/node /usr/local/bin/nodejs
install -m 755 /recipe/docker-entrypoint.sh /usr/local/bin/docker-entrypoint.sh
packages=""
[ "$1" = full ] && packages="build-essential ca-certificates curl git gnupg openssh-client pkg-config python3 unzip wget xz-utils"
# Node.js links to libatomic on some processors only.
node --version >/dev/null 2>&1 || packages="$packages libatomic1"
if [ -n "$packages" ]; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -q
  # shellcheck disable=SC2086
  apt-get install -q -y --no-install-recommends $packages
  rm -rf /var/lib/apt/lists/* /var/cache/debconf/*-old /var/log/dpkg.log /var/log/apt
fi
rm -rf /recipe
node --version
npm --version
