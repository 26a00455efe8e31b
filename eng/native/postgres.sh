#!/usr/bin/env bash
# Runs one PostgreSQL server in the foreground, with a database and three roles for each service. Variables: README.md.
NAME=postgres
# shellcheck source=foreground.sh
. "$(dirname "${BASH_SOURCE[0]}")/foreground.sh"

need_program setpriv util-linux
need_program flock util-linux
need_values FLURRTY_PG_DATA FLURRTY_PG_SUPERUSER_PASSWORD FLURRTY_PG_DATABASES
need_port FLURRTY_PG_PORT
read -r -a databases <<<"${FLURRTY_PG_DATABASES//,/ }"
for database in "${databases[@]}"; do
  [[ $database =~ ^[a-z][a-z0-9_]{0,40}$ ]] || die "FLURRTY_PG_DATABASES: '$database' is no name for a database; use a-z, 0-9 and _."
  for role in OWNER APP DISPATCHER; do
    need_values "FLURRTY_PG_${database^^}_${role}_PASSWORD"
  done
done

home=$(absolute "$FLURRTY_PG_DATA")
stop_child_with INT

# PostgreSQL refuses to run as root: it runs as the owner of the data, or as the package's user where there is none yet.
as=()
run_user=$(id -un)
mkdir -p "$(dirname "$home")"
if [ "$(id -u)" = 0 ]; then
  run_user=postgres
  if [ -d "$home" ] && [ "$(stat -Lc %u "$home")" != 0 ]; then
    run_user=$(stat -Lc %U "$home")
  fi
  id -u "$run_user" >/dev/null 2>&1 || die "there is no user '$run_user' to run PostgreSQL as; run eng/install.sh."
  as=(--reuid="$run_user" --regid="$(id -g "$run_user")" --init-groups)
  if ! setpriv "${as[@]}" test -x "$(dirname "$(realpath -m "$home")")"; then
    # That user cannot reach the directory, so the data lives where it can and a link leads there.
    far=/var/lib/flurrty
    mkdir -p -m 755 "$far"
    for other in "$far"/*/; do
      # A directory whose link is gone is rubbish: at once where it stood below a temporary directory, else after 30 days.
      [ -f "$other/link" ] || continue
      link=$(cat "$other/link")
      [ "$(realpath -m "$link")" != "${other%/}" ] || continue
      if [[ $link = "${TMPDIR:-/tmp}"/* ]] || [ -n "$(find "$other/link" -mtime +30)" ]; then
        flock -n "$other/lock" rm -rf "$other" || true
      fi
    done
    real=$(mktemp -d "$far/$(printf %s "$home" | sha256sum | head -c 12).XXXX")
    echo "$home" >"$real/link"
    if [ -d "$home" ]; then
      find "$home" -mindepth 1 -maxdepth 1 -exec mv -t "$real" {} +
      rmdir "$home"
    fi
    ln -s "$real" "$home"
    say "$run_user cannot reach $home; it is now a link to $real"
  fi
  mkdir -p "$home"
  if [ -f "$home/link" ]; then
    echo "$home" >"$home/link"
  fi
  if [ "$(stat -Lc %U "$home")" != "$run_user" ]; then
    chown -RH "$run_user:" "$home"
  fi
fi
mkdir -p "$home"
hold_directory "$home"
chmod 700 "$home"
home=$(realpath "$home")
cluster=$home/cluster
cd /

# The data directory decides which version runs; a new one takes the newest.
version=$(cat "$cluster/PG_VERSION" 2>/dev/null || true)
if [ -n "$version" ]; then
  bin=/usr/lib/postgresql/$version/bin
  [ -x "$bin/postgres" ] || refuse "the data in $home was made by PostgreSQL $version, which is not installed: install postgresql-$version, or start anew by removing it with rm -rf '$home'."
else
  bin=$(find /usr/lib/postgresql -mindepth 2 -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -n 1)
  [ -n "$bin" ] && [ -x "$bin/initdb" ] || die "PostgreSQL was not found below /usr/lib/postgresql; run eng/install.sh, which installs postgresql."
fi

# No variable of ours reaches the server: its environment would show every password.
clean=(env -i "PATH=$bin:/usr/sbin:/usr/bin:/sbin:/bin" LANG=C.UTF-8 TZ=UTC HOME=/nonexistent)

if [ -z "$version" ]; then
  say "making a data directory in $cluster"
  rm -rf "$cluster.new"
  # The password is set with those of the roles below; until then nobody gets in by TCP.
  start_child KILL "${as[@]}" "${clean[@]}" "$bin/initdb" --pgdata="$cluster.new" --username=postgres --encoding=UTF8 --locale=C.UTF-8 \
    --auth-local=peer --auth-host=scram-sha-256 --data-checksums >"$home/initdb.log" 2>&1
  wait_child || { [ -n "$stopping" ] && exit 0; cat "$home/initdb.log" >&2; die "initdb failed."; }
  mv "$cluster.new" "$cluster"
fi

cat >"$home/hba.conf" <<EOF
local all postgres                     peer map=self
host  all all      127.0.0.1/32        scram-sha-256
EOF
cat >"$home/ident.conf" <<EOF
self $run_user postgres
EOF
chmod 644 "$home/hba.conf" "$home/ident.conf"
[ ${#as[@]} = 0 ] || chown "$run_user:" "$home/hba.conf" "$home/ident.conf"

# The lock is ours, so no server runs here and what an earlier one left is stale.
rm -f "$cluster/postmaster.pid"

# An abstract socket has neither a file to go stale nor a path that can be too long; peer authentication guards it.
socket=@flurrty
say "starting PostgreSQL ${version:-$(cat "$cluster/PG_VERSION")} on 127.0.0.1:$FLURRTY_PG_PORT as $run_user, data in $home"
start_child QUIT "${as[@]}" "${clean[@]}" "$bin/postgres" -D "$cluster" -p "$FLURRTY_PG_PORT" \
  -c listen_addresses=127.0.0.1 -c unix_socket_directories="$socket" \
  -c hba_file="$home/hba.conf" -c ident_file="$home/ident.conf" \
  -c max_connections=200 -c shared_buffers=128MB -c password_encryption=scram-sha-256 \
  -c timezone=UTC -c log_timezone=UTC -c log_checkpoints=off -c log_line_prefix='%m [%p] %q%u@%d '

psql=(setpriv --pdeathsig KILL "${as[@]}" "$bin/psql" -X -q -v ON_ERROR_STOP=1 -h "$socket" -p "$FLURRTY_PG_PORT" -U postgres)
until "${psql[@]}" -d postgres -c 'SELECT 1' >/dev/null 2>&1; do
  kill -0 "$child" 2>/dev/null || follow_child
  sleep 0.05
done

# Statements that hold a password are kept out of the log. Everything here may run any number of times.
{
  cat <<'EOF'
SET log_min_error_statement = panic;
SET client_min_messages = warning;
\getenv password FLURRTY_PG_SUPERUSER_PASSWORD
ALTER ROLE postgres PASSWORD :'password';
REVOKE ALL ON DATABASE postgres FROM PUBLIC;
REVOKE ALL ON DATABASE template1 FROM PUBLIC;
EOF
  for database in "${databases[@]}"; do
    for role in owner app dispatcher; do
      cat <<EOF
SELECT 'CREATE ROLE ${database}_$role' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '${database}_$role') \\gexec
\\getenv password FLURRTY_PG_${database^^}_${role^^}_PASSWORD
ALTER ROLE ${database}_$role LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION PASSWORD :'password';
EOF
    done
    cat <<EOF
SELECT 'CREATE DATABASE $database OWNER ${database}_owner' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '$database') \\gexec
ALTER DATABASE $database OWNER TO ${database}_owner;
REVOKE ALL ON DATABASE $database FROM PUBLIC;
GRANT CONNECT ON DATABASE $database TO ${database}_app, ${database}_dispatcher;
EOF
  done
  for database in "${databases[@]}"; do
    cat <<EOF
\\connect $database
SET client_min_messages = warning;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO ${database}_app, ${database}_dispatcher;
EOF
  done
} | "${psql[@]}" -d postgres || {
  [ -n "$stopping" ] || say "the databases and roles could not be prepared" >&2
  kill -INT "$child" 2>/dev/null || true
  wait_child || true
  [ -n "$stopping" ] && exit 0
  exit 1
}
say "the databases ${databases[*]} are ready"
follow_child
