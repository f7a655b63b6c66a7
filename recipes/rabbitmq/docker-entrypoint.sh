#!/bin/sh
# RABBITMQ_DEFAULT_USER, _PASS, _VHOST and RABBITMQ_ERLANG_COOKIE are understood; the server runs as rabbitmq.
set -eu
case "${1:-}" in
  rabbitmq*)
    if [ "$(id -u)" = 0 ]; then
      if [ "$1" = rabbitmq-server ]; then
        find /var/lib/rabbitmq \! -user rabbitmq -exec chown rabbitmq '{}' +
      fi
      exec setpriv --reuid=rabbitmq --regid=rabbitmq --init-groups -- "$0" "$@"
    fi
    ;;
esac
cookie=/var/lib/rabbitmq/.erlang.cookie
if [ -n "${RABBITMQ_ERLANG_COOKIE:-}" ] && [ ! -e "$cookie" ]; then
  (umask 077 && printf '%s' "$RABBITMQ_ERLANG_COOKIE" > "$cookie")
fi
# The official image's names for settings that the server reads from its configuration.
if [ "${1:-}" = rabbitmq-server ]; then
  {
    [ -z "${RABBITMQ_DEFAULT_USER:-}" ] || echo "default_user = $RABBITMQ_DEFAULT_USER"
    [ -z "${RABBITMQ_DEFAULT_PASS:-}" ] || echo "default_pass = $RABBITMQ_DEFAULT_PASS"
    [ -z "${RABBITMQ_DEFAULT_VHOST:-}" ] || echo "default_vhost = $RABBITMQ_DEFAULT_VHOST"
  } > /etc/rabbitmq/conf.d/20-environment.conf
  # Past Debian's wrapper, which sends the output to a file.
  shift
  set -- /usr/lib/rabbitmq/bin/rabbitmq-server "$@"
fi
exec "$@"
