#!/usr/bin/env bash
# Makes the database at the first start, as the official image does: POSTGRES_USER, _PASSWORD, _DB, _INITDB_ARGS, _INITDB_WALDIR, _HOST_AUTH_METHOD
# (the first four also as …_FILE), PGDATA and the scripts in /docker-entrypoint-initdb.d. Then becomes the server.
# Unlike there, a first start that was cut off begins anew at the next one: what it makes is put in place when all of it is done.
set -Eeuo pipefail
shopt -s nullglob

die() {
  printf 'postgres: %s\n' "$*" >&2
  exit 1
}

value_of() { # NAME: from NAME, or from the file that NAME_FILE names
  local file=$1_FILE
  [ -z "${!1:-}" ] || [ -z "${!file:-}" ] || die "both $1 and $file are set."
  if [ -n "${!file:-}" ]; then export "$1=$(<"${!file}")"; fi
  unset "$file"
}

# 18 and later keep the versions apart below one volume.
if [ -z "${PGDATA:-}" ]; then
  PGDATA=/var/lib/postgresql/data
  if ((PG_MAJOR >= 18)); then PGDATA=/var/lib/postgresql/$PG_MAJOR/docker; fi
fi
export PGDATA
new=$PGDATA/.new

run_initial_script() {
  local psql=(psql --set ON_ERROR_STOP=1 --no-psqlrc --no-password --username "$POSTGRES_USER" --dbname "$POSTGRES_DB")
  case $1 in
    *.sh)
      if [ -x "$1" ]; then "$1"; else
        # shellcheck disable=SC1090
        . "$1"
      fi
      ;;
    *.sql) "${psql[@]}" -f "$1" ;;
    *.sql.gz) gunzip -c "$1" | "${psql[@]}" ;;
    *.sql.xz) xzcat "$1" | "${psql[@]}" ;;
    *.sql.zst) zstd -dc "$1" | "${psql[@]}" ;;
    *) return 0 ;;
  esac
}

# Everything here may be cut off at any point. initdb's own directory is inside of PGDATA, which may be a volume of its own.
initialize() {
  local method=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256} arguments script entry
  if [ ! -e "$new/complete" ]; then
    if [ -z "${POSTGRES_PASSWORD:-}" ] && [ "$method" != trust ]; then die "POSTGRES_PASSWORD is not set, and without one nobody could connect."; fi
    rm -rf "$new"
    [ -z "$(find "$PGDATA" -mindepth 1 -maxdepth 1 -not -name lost+found)" ] || die "$PGDATA holds something that is no database; give an empty volume."
    if [ -n "${POSTGRES_INITDB_WALDIR:-}" ]; then find "$POSTGRES_INITDB_WALDIR" -mindepth 1 -delete; fi
    # The arguments are words as a shell reads them.
    eval "arguments=(${POSTGRES_INITDB_ARGS:-})"
    if [ -n "${POSTGRES_INITDB_WALDIR:-}" ]; then arguments+=("--waldir=$POSTGRES_INITDB_WALDIR"); fi
    if [ -n "${POSTGRES_PASSWORD:-}" ]; then
      initdb --username="$POSTGRES_USER" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") "${arguments[@]}" -D "$new"
    else
      initdb --username="$POSTGRES_USER" "${arguments[@]}" -D "$new"
    fi
    printf '\nhost all all all %s\n' "$method" >>"$new/pg_hba.conf"

    PGDATA=$new pg_ctl -w -t 300 -o "-c listen_addresses='' -p 5432" start
    # Local connections ask for the password too, where the arguments of initdb say so.
    if [ -n "${POSTGRES_PASSWORD:-}" ]; then export PGPASSWORD=${PGPASSWORD:-$POSTGRES_PASSWORD}; fi
    if [ "$POSTGRES_DB" != postgres ]; then
      psql --set ON_ERROR_STOP=1 --no-psqlrc --no-password --username "$POSTGRES_USER" --dbname postgres --set database="$POSTGRES_DB" <<<'CREATE DATABASE :"database";'
    fi
    for script in /docker-entrypoint-initdb.d/*; do
      printf 'postgres: running %s\n' "$script"
      PGDATA=$new run_initial_script "$script"
    done
    PGDATA=$new pg_ctl -m fast -w -t 300 stop
    : >"$new/complete"
    sync -f "$new"
  fi
  # PG_VERSION last: with it there, the database is.
  for entry in "$new"/* "$new"/.[!.]*; do
    case ${entry##*/} in
      PG_VERSION | complete) ;;
      *) mv -T "$entry" "$PGDATA/${entry##*/}" ;;
    esac
  done
  mv "$new/PG_VERSION" "$PGDATA/PG_VERSION"
  rm -rf "$new"
}

[ "${1:-}" = "${1#-}" ] || set -- postgres "$@"

if [ "${1:-}" = postgres ] && [ "$(id -u)" = 0 ]; then
  mkdir -p "$PGDATA" /run/postgresql ${POSTGRES_INITDB_WALDIR:+"$POSTGRES_INITDB_WALDIR"}
  chmod 700 "$PGDATA"
  find "$PGDATA" /run/postgresql ${POSTGRES_INITDB_WALDIR:+"$POSTGRES_INITDB_WALDIR"} \! -user postgres -exec chown postgres: {} +
  exec setpriv --reuid=postgres --regid=postgres --init-groups "$BASH_SOURCE" "$@"
fi

if [ "${1:-}" = postgres ]; then
  for name in POSTGRES_PASSWORD POSTGRES_USER POSTGRES_DB POSTGRES_INITDB_ARGS; do value_of "$name"; done
  export POSTGRES_USER=${POSTGRES_USER:-postgres}
  export POSTGRES_DB=${POSTGRES_DB:-$POSTGRES_USER}
  if [ ! -s "$PGDATA/PG_VERSION" ]; then
    # As the first process nothing ends us that we do not ask for; all others end with us.
    trap 'exit 130' INT
    trap 'exit 143' TERM
    initialize &
    wait $! || die "the first start failed; the next one begins anew."
    trap - INT TERM
  fi
  made_by=$(<"$PGDATA/PG_VERSION")
  [ "$made_by" = "$PG_MAJOR" ] || die "the data in $PGDATA was made by PostgreSQL $made_by; this image has $PG_MAJOR."
fi
exec "$@"
