#!/bin/bash
# Makes the database if there is none, and ends: for preparing a volume before the server runs.
source /usr/local/bin/docker-entrypoint.sh
become_postgres_or_continue "$@"
prepare_directories
forget_unfinished
if [ -s "$PGDATA/PG_VERSION" ]; then
  [ "$(basename "$0")" = docker-enforce-initdb.sh ] && die "there is a database in '$PGDATA' already"
  say "there is a database in '$PGDATA' already; nothing to do"
  exit 0
fi
make_database
