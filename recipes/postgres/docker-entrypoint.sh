#!/bin/bash
# Makes the database on the first start, then becomes the server. Understands what the official
# image understands: POSTGRES_DB, POSTGRES_USER, POSTGRES_PASSWORD (each also as ..._FILE),
# POSTGRES_INITDB_ARGS, POSTGRES_INITDB_WALDIR, POSTGRES_HOST_AUTH_METHOD, PGDATA, and
# /docker-entrypoint-initdb.d with *.sh, *.sql, *.sql.gz, *.sql.xz, *.sql.zst.
#
# Two differences. While the first start is under way the server listens on a private socket only, so
# that a health check with pg_isready says "ready" when it is, and not before. And a first start that
# was cut short (power, kill -9) is begun again, where the official image would run half a database.
set -Eeuo pipefail

say() { printf '%s\n' "$*"; }
die() {
  printf 'Error: %s\n' "$*" >&2
  exit 1
}

# from_file NAME [DEFAULT]: the variable NAME, or the contents of the file that NAME_FILE names.
from_file() {
  local name=$1 file_name=${1}_FILE
  if [ -n "${!name:-}" ] && [ -n "${!file_name:-}" ]; then
    die "both $name and $file_name are set; set only one"
  fi
  local value=${2:-}
  if [ -n "${!name:-}" ]; then
    value=${!name}
  elif [ -n "${!file_name:-}" ]; then
    [ -r "${!file_name}" ] || die "$file_name names '${!file_name}', which cannot be read"
    value=$(< "${!file_name}")
  fi
  export "$name=$value"
  unset "$file_name"
}

# become_postgres_or_continue ARGUMENTS...: start this script again as the user postgres when root.
become_postgres_or_continue() {
  if [ "$(id -u)" = 0 ]; then
    prepare_directories
    exec gosu postgres "$0" "$@"
  fi
}

prepare_directories() {
  mkdir -p "$PGDATA"
  chmod 00700 "$PGDATA" 2> /dev/null || true
  mkdir -p /var/run/postgresql 2> /dev/null || true
  chmod 03775 /var/run/postgresql 2> /dev/null || true
  if [ -n "${POSTGRES_INITDB_WALDIR:-}" ]; then
    mkdir -p "$POSTGRES_INITDB_WALDIR"
    chmod 700 "$POSTGRES_INITDB_WALDIR" 2> /dev/null || true
  fi
  if [ "$(id -u)" = 0 ]; then
    find "$PGDATA" ${POSTGRES_INITDB_WALDIR:+"$POSTGRES_INITDB_WALDIR"} /var/run/postgresql \
      \! -user postgres -exec chown postgres '{}' +
  fi
}

check_settings() {
  from_file POSTGRES_USER postgres
  from_file POSTGRES_DB "$POSTGRES_USER"
  from_file POSTGRES_PASSWORD
  from_file POSTGRES_INITDB_ARGS
  : "${POSTGRES_HOST_AUTH_METHOD:=}"
  if [ -z "$POSTGRES_PASSWORD" ] && [ "$POSTGRES_HOST_AUTH_METHOD" != trust ]; then
    die "the database is not made yet and the superuser has no password.
       Set POSTGRES_PASSWORD to a non-empty value (or POSTGRES_PASSWORD_FILE to a file with it).
       POSTGRES_HOST_AUTH_METHOD=trust lets everybody in without one; this is not recommended."
  fi
  if [ "$POSTGRES_HOST_AUTH_METHOD" = trust ]; then
    say "Warning: POSTGRES_HOST_AUTH_METHOD is 'trust': whoever reaches port 5432 can do anything." >&2
  fi
}

# User ids without a name (docker run --user 12345) are given one, or initdb refuses.
name_this_user() {
  if ! getent passwd "$(id -u)" > /dev/null; then
    local library
    library=$(find /usr/lib -name libnss_wrapper.so -print -quit 2> /dev/null)
    [ -n "$library" ] || return 0
    NSS_WRAPPER_PASSWD=$(mktemp) NSS_WRAPPER_GROUP=$(mktemp)
    export NSS_WRAPPER_PASSWD NSS_WRAPPER_GROUP LD_PRELOAD=$library
    printf 'postgres:x:%s:%s:PostgreSQL:%s:/bin/false\n' "$(id -u)" "$(id -g)" "$PGDATA" > "$NSS_WRAPPER_PASSWD"
    printf 'postgres:x:%s:\n' "$(id -g)" > "$NSS_WRAPPER_GROUP"
  fi
}

forget_this_user() {
  if [ -n "${NSS_WRAPPER_PASSWD:-}" ]; then
    rm -f "$NSS_WRAPPER_PASSWD" "$NSS_WRAPPER_GROUP"
    unset LD_PRELOAD NSS_WRAPPER_PASSWD NSS_WRAPPER_GROUP
  fi
}

# The mark of an unfinished first start. initdb wants an empty folder, so it works in one below.
MARK=.first-start

forget_unfinished() {
  if [ -e "$PGDATA/$MARK" ]; then
    say 'The first start was cut short; making the database again.'
    if [ -n "${POSTGRES_INITDB_WALDIR:-}" ]; then
      find "$POSTGRES_INITDB_WALDIR" -mindepth 1 -delete
    fi
    find "$PGDATA" -mindepth 1 ! -name "$MARK" -delete
    rm -f "$PGDATA/$MARK"
  fi
}

make_cluster() {
  if [ -n "$(ls -A "$PGDATA")" ]; then
    die "'$PGDATA' is not empty, but holds no database"
  fi
  touch "$PGDATA/$MARK"
  name_this_user
  local options=(--pgdata="$PGDATA/$MARK.new" --username="$POSTGRES_USER")
  if [ -n "${POSTGRES_INITDB_WALDIR:-}" ]; then
    options+=(--waldir "$POSTGRES_INITDB_WALDIR")
  fi
  # Written to disk once, at the end of the first start, instead of after every step.
  # "eval", because POSTGRES_INITDB_ARGS holds several arguments, quoted as in a shell.
  eval 'initdb --no-sync --pwfile=<(printf "%s\n" "$POSTGRES_PASSWORD") "${options[@]}" '"$POSTGRES_INITDB_ARGS" > /dev/null
  forget_this_user
  (
    shopt -s dotglob
    mv "$PGDATA/$MARK.new"/* "$PGDATA/"
  )
  rmdir "$PGDATA/$MARK.new"
}

allow_hosts() {
  local method=$POSTGRES_HOST_AUTH_METHOD
  if [ -z "$method" ]; then
    method=$(postgres -C password_encryption "$@" 2> /dev/null || echo scram-sha-256)
  fi
  {
    printf '\n'
    if [ "$method" = trust ]; then
      printf '# POSTGRES_HOST_AUTH_METHOD was "trust" when this database was made.\n'
    fi
    printf 'host all all all %s\n' "$method"
  } >> "$PGDATA/pg_hba.conf"
}

# The server of the first start: no port, and a socket in a folder of its own.
start_private_server() {
  PRIVATE=$(mktemp -d)
  export PGHOST=$PRIVATE PGPORT=${PGPORT:-5432} PGUSER=$POSTGRES_USER
  if [ "${1:-}" = postgres ]; then shift; fi
  set -- "$@" -c listen_addresses= -c "unix_socket_directories=$PRIVATE" -c fsync=off -p "$PGPORT"
  NOTIFY_SOCKET='' pg_ctl -D "$PGDATA" -o "$(printf '%q ' "$@")" -w start > /dev/null || {
    die "the server did not start; its output is above"
  }
}

stop_private_server() {
  pg_ctl -D "$PGDATA" -m fast -w stop > /dev/null
  rm -rf "$PRIVATE"
  unset PGHOST PGPORT PGUSER
}

# Also called by scripts in /docker-entrypoint-initdb.d.
docker_process_sql() {
  local options=(-v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --no-password --no-psqlrc)
  if [ -n "${POSTGRES_DB:-}" ]; then
    options+=(--dbname "$POSTGRES_DB")
  fi
  psql "${options[@]}" "$@"
}

make_named_database() {
  local there
  there=$(POSTGRES_DB='' docker_process_sql --dbname postgres --set db="$POSTGRES_DB" --tuples-only \
    <<< "SELECT 1 FROM pg_database WHERE datname = :'db';")
  if [ -z "${there// /}" ]; then
    POSTGRES_DB='' docker_process_sql --dbname postgres --set db="$POSTGRES_DB" \
      <<< 'CREATE DATABASE :"db";' > /dev/null
  fi
}

run_init_files() {
  local file
  for file in /docker-entrypoint-initdb.d/*; do
    case $file in
      *.sh)
        if [ -x "$file" ]; then
          say "$0: running $file"
          "$file"
        else
          say "$0: sourcing $file"
          # shellcheck disable=SC1090
          . "$file"
        fi
        ;;
      *.sql) say "$0: running $file" && docker_process_sql -f "$file" ;;
      *.sql.gz) say "$0: running $file" && gunzip -c "$file" | docker_process_sql ;;
      *.sql.xz) say "$0: running $file" && xzcat "$file" | docker_process_sql ;;
      *.sql.zst) say "$0: running $file" && zstd -dc "$file" | docker_process_sql ;;
      */\*) ;;
      *) say "$0: ignoring $file" ;;
    esac
  done
}

# make_database [postgres OPTIONS...]
make_database() {
  # Process 1 hears no signal without asking for it: a stop would wait for the kill.
  trap 'exit 130' INT
  trap 'exit 143' TERM
  check_settings
  ls /docker-entrypoint-initdb.d/ > /dev/null # fails here, before anything is made, if it can't be read
  say "Making a new database in $PGDATA"
  make_cluster
  allow_hosts "${@:2}"
  export PGPASSWORD=${PGPASSWORD:-$POSTGRES_PASSWORD}
  start_private_server "$@"
  make_named_database
  run_init_files
  stop_private_server
  initdb --sync-only -D "$PGDATA" > /dev/null
  rm "$PGDATA/$MARK"
  unset PGPASSWORD
  say 'PostgreSQL is set up; ready to start.'
}

wants_help() {
  local argument
  for argument; do
    case $argument in
      -'?' | --help | --describe-config | -V | --version) return 0 ;;
    esac
  done
  return 1
}

main() {
  if [ "${1:0:1}" = '-' ]; then
    set -- postgres "$@"
  fi
  if [ "${1:-}" = postgres ] && ! wants_help "$@"; then
    become_postgres_or_continue "$@"
    prepare_directories
    forget_unfinished
    if [ -s "$PGDATA/PG_VERSION" ]; then
      say 'PostgreSQL has a database in its data directory; not making a new one.'
    else
      make_database "$@"
    fi
  fi
  exec "$@"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
  main "$@"
fi
