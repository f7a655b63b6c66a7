#!/bin/sh
# As in the official image: options and *.conf files go to redis-server, which runs as the user redis.
set -eu

if [ "${1#-}" != "$1" ] || [ "${1%.conf}" != "$1" ]; then
  set -- redis-server "$@"
fi
if [ "$1" = redis-server ] && [ "$(id -u)" = 0 ]; then
  find . \! -user redis -exec chown redis '{}' + 2> /dev/null || true
  exec setpriv --reuid=redis --regid=redis --init-groups -- "$0" "$@"
fi
if [ "$1" = redis-server ]; then
  umask 0077
  # The official build answers other hosts unless it is told not to; Debian's answers none.
  decided=''
  for word; do
    case $word in
      --protected-mode | --requirepass | --help | -h | --version | -v | --test-memory | --check-system) decided=1 ;;
      *.conf) if grep -Eqi '^[[:space:]]*protected-mode' "$word" 2> /dev/null; then decided=1; fi ;;
    esac
  done
  [ -n "$decided" ] || set -- "$@" --protected-mode no
fi
exec "$@"
