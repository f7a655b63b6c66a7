#!/bin/sh
# Before nginx starts, everything in /docker-entrypoint.d is run in order: *.envsh is read, executable *.sh is run.
set -eu
say() {
  [ -n "${NGINX_ENTRYPOINT_QUIET_LOGS:-}" ] || echo "$0: $*"
}
if [ "${1:-}" = nginx ] || [ "${1:-}" = nginx-debug ]; then
  for file in $(find /docker-entrypoint.d/ -follow -type f 2> /dev/null | sort -V); do
    case $file in
      *.envsh)
        if [ -x "$file" ]; then
          say "reading $file"
          # shellcheck disable=SC1090
          . "$file"
        else
          say "ignoring $file, not executable"
        fi
        ;;
      *.sh)
        if [ -x "$file" ]; then
          say "running $file"
          "$file"
        else
          say "ignoring $file, not executable"
        fi
        ;;
      *) say "ignoring $file" ;;
    esac
  done
fi
exec "$@"
