#!/bin/sh
# install.sh PG_MAJOR ID FLAVOUR: runs inside the image, as one step, and removes itself.
set -eu
major=$1 id=$2 flavour=$3
export DEBIAN_FRONTEND=noninteractive

# Files made by the official image of this flavour belong to the same user id, so that a volume can
# move between the two.
groupadd --system --gid "$id" postgres
useradd --system --uid "$id" --gid postgres --home-dir /var/lib/postgresql --shell /bin/bash postgres
install -d -o postgres -g postgres -m 1777 /var/lib/postgresql

# No cluster is to be made by the package.
mkdir -p /etc/postgresql-common
echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.conf
apt-get update -q
apt-get install -q -y --no-install-recommends "postgresql-$major" locales xz-utils zstd libnss-wrapper
localedef -i en_US -c -f UTF-8 -A /usr/share/locale/locale.alias en_US.UTF-8
rm -rf /usr/share/i18n # what locales are compiled from

# Just-in-time compilation needs 120 MB of LLVM; without its library PostgreSQL goes without it.
rm -f /usr/lib/*/libLLVM*.so* /usr/lib/llvm-*/lib/libLLVM* "/usr/lib/postgresql/$major/lib/llvmjit.so"
rm -rf "/usr/lib/postgresql/$major/lib/bitcode" /usr/lib/*/libz3.so*

# /usr/bin/psql and its like are a Perl program that looks for the right version; there is one only.
for program in /usr/bin/*; do
  if [ "$(readlink "$program")" = ../share/postgresql-common/pg_wrapper ]; then
    ln -sf "../lib/postgresql/$major/bin/${program##*/}" "$program"
  fi
done
# Perl's library: only Debian's tools for several clusters side by side need it. Package scripts use perl-base.
if [ "$flavour" = alpine ]; then
  rm -rf /usr/share/perl /usr/lib/*/perl /usr/lib/*/libperl.so.* /usr/share/postgresql-common
fi

sample=/usr/share/postgresql/postgresql.conf.sample
[ -f "$sample" ] || cp "/usr/share/postgresql/$major/postgresql.conf.sample" "$sample"
sed -ri "s!^#?(listen_addresses)\s*=\s*\S+.*!\1 = '*'!" "$sample"
ln -sf ../postgresql.conf.sample "/usr/share/postgresql/$major/postgresql.conf.sample"

install -d -o postgres -g postgres -m 3777 /var/run/postgresql
install -d -o postgres -g postgres -m 700 /var/lib/postgresql/data
install -d /docker-entrypoint-initdb.d
for script in docker-entrypoint.sh docker-ensure-initdb.sh gosu; do
  install -m 755 "/recipe/$script" "/usr/local/bin/$script"
done
ln -sf docker-ensure-initdb.sh /usr/local/bin/docker-enforce-initdb.sh
rm -rf /var/lib/apt/lists/* /var/cache/debconf/*-old /var/log/dpkg.log /var/log/apt /var/log/postgresql /recipe
"/usr/lib/postgresql/$major/bin/postgres" --version
