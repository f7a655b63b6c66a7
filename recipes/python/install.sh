#!/bin/sh
# install.sh PYTHON FLAVOUR: runs inside the image, as one step, and removes itself.
set -eu
python=$1 flavour=$2
export DEBIAN_FRONTEND=noninteractive

packages="ca-certificates netbase tzdata python$python python$python-venv"
if [ "$flavour" = full ]; then
  packages="$packages python$python-dev build-essential pkg-config git curl wget gnupg openssh-client
    unzip xz-utils file libbz2-dev libffi-dev liblzma-dev libpq-dev libsqlite3-dev libssl-dev
    libxml2-dev libxslt1-dev libyaml-dev zlib1g-dev"
fi
apt-get update -q
# shellcheck disable=SC2086
apt-get install -q -y --no-install-recommends $packages

# --system-site-packages: `pip install --user` is refused in an environment without it.
"/usr/bin/python$python" -m venv --system-site-packages /usr/local
cd /usr/local/bin
rm -f activate activate.* Activate.ps1
ln -sf "python$python" python3
ln -sf python3 python
# The official image has these beside it.
for tool in idle pydoc; do
  printf '#!/bin/sh\nexec python3 -m %s "$@"\n' "$([ $tool = idle ] && echo idlelib || echo pydoc)" > "${tool}3"
  chmod 755 "${tool}3"
done
# Links that the `include` folder of an environment lacks, for `python3-config`'s friends.
[ "$flavour" = full ] && ln -sfn "/usr/include/python$python" "/usr/local/include/python$python"

# Python's own tests, Tcl bindings and the like are not needed to run anything.
rm -rf "/usr/lib/python$python/test" "/usr/lib/python$python/idlelib/idle_test" /usr/share/pixmaps
rm -rf /var/lib/apt/lists/* /var/cache/debconf/*-old /var/log/dpkg.log /var/log/apt /recipe
python3 -m compileall -q "/usr/lib/python$python" "/usr/local/lib/python$python/site-packages" >/dev/null || true
python3 --version
pip --version
