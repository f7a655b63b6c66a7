#!/bin/sh
# A command is run as it is; options, scripts and what is no program go to node, as in the official image.
set -e
if [ -z "${1:-}" ] || [ "${1#-}" != "$1" ] || ! command -v "$1" >/dev/null 2>&1 || { [ -f "$1" ] && ! [ -x "$1" ]; }; then
  set -- node "$@"
fi
exec "$@"
