#!/usr/bin/env bash
# Starts the stand-in images as Aspire does and tries what they promise: one line for each check, then their number. Exit code 1 when one failed.
# Usage: eng/images/check.sh [postgres] [rabbitmq] [s3]
set -euo pipefail
# shellcheck source=images.sh
. "$(dirname "${BASH_SOURCE[0]}")/images.sh"
here=$repository/eng/images
names=("$@")
[ ${#names[@]} -gt 0 ] || names=(postgres rabbitmq s3)
"$here/build.sh" "${names[@]}"
use_settings

run=flurrty-check-$$
work=$(mktemp -d)
chmod 755 "$work"
containers=()
volumes=()
clean_up() {
  local name
  for name in "${containers[@]}"; do podman rm -f -t 0 "$name" >/dev/null 2>&1 || true; done
  for name in "${volumes[@]}"; do podman volume rm -f "$name" >/dev/null 2>&1 || true; done
  rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

checks=0
failed=0
check() { # what is promised, command…
  local promise=$1
  shift
  checks=$((checks + 1))
  if "$@" >"$work/words" 2>&1; then
    printf 'ok      %s\n' "$promise"
  else
    failed=$((failed + 1))
    printf 'FAILED  %s: %s\n' "$promise" "$(tail -n 3 "$work/words" | paste -sd ' ')"
  fi
}

refused() { ! "$@"; }

eventually() { # A bound that holds on a slow machine, not an expected duration.
  local until=$((SECONDS + 120))
  until "$@" >"$work/last" 2>&1; do
    if ((SECONDS > until)); then
      cat "$work/last"
      return 1
    fi
    sleep 0.3
  done
}

start() { # container, arguments of podman run
  local name=$run-$1
  shift
  containers+=("$name")
  podman run --detach --name "$name" "$@" >/dev/null
}

volume() { # names one that is removed in the end
  volumes+=("$run-$1")
}

port() { podman port "$run-$1" "$2/tcp" | sed 's/.*://'; }

on_loopback_only() { [ "$(podman port "$run-$1" | sed 's/.* -> //; s/:[0-9]*$//' | sort -u)" = 127.0.0.1 ]; }

runs_as() { # container, user: each process but the first, which may be an init that changed it
  podman top "$run-$1" user args | tail -n +2 | grep -v ' tini ' | awk -v user="$2" '$1 != user { print; wrong = 1 } END { exit wrong || NR == 0 }'
}

killed() {
  podman kill --signal KILL "$run-$1" && podman wait "$run-$1"
}

stopped_at_once() { # well before the 10 s after which Podman kills
  local begin=$EPOCHREALTIME took
  podman stop "$run-$1"
  took=$(awk -v a="$begin" -v b="$EPOCHREALTIME" 'BEGIN { printf "%d", (b - a) * 1000 }')
  echo "exit code $(podman inspect --format '{{.State.ExitCode}}' "$run-$1") after $took ms"
  [ "$(podman inspect --format '{{.State.ExitCode}}' "$run-$1")" = 0 ] && ((took < 9000))
}

check_postgres() {
  local initial=$work/initial gate=$work/gate
  mkdir -m 755 "$initial" "$gate"
  echo 'CREATE TABLE made_by_sql (n int);' >"$initial/10-table.sql"
  echo 'CREATE TABLE made_by_gz (n int);' | gzip >"$initial/20-table.sql.gz"
  cat >"$initial/30-role.sh" <<'SH'
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
\getenv password ROLE_PASSWORD
CREATE ROLE reader LOGIN PASSWORD :'password';
GRANT SELECT ON made_by_sql TO reader;
SQL
SH
  echo 'until [ -e /gate/open ]; do sleep 0.1; done' >"$gate/10-wait.sh"
  echo 'CREATE TABLE made_later (n int);' >"$gate/20-table.sql"
  chmod 644 "$initial"/* "$gate"/*

  # As Aspire passes them.
  local aspire=(--publish 127.0.0.1::5432 --env POSTGRES_USER=postgres --env POSTGRES_PASSWORD=right-secret
    --env POSTGRES_HOST_AUTH_METHOD=scram-sha-256 --env "POSTGRES_INITDB_ARGS=--auth-host=scram-sha-256 --auth-local=scram-sha-256")
  start client --network host "$POSTGRES_IMAGE" sleep infinity
  query() { # server, user, password, database, statement
    podman exec --env PGPASSWORD="$3" --env PGCONNECT_TIMEOUT=10 "$run-client" psql -h 127.0.0.1 -p "$(port "$1" 5432)" -U "$2" -d "$4" -tAc "$5"
  }
  answer() { [ "$(query "${@:1:5}")" = "$6" ]; }

  volume postgres
  start postgres "${aspire[@]}" --env POSTGRES_DB=things --env ROLE_PASSWORD=reader-secret \
    --volume "$run-postgres:/var/lib/postgresql/data" --volume "$initial:/docker-entrypoint-initdb.d:ro" "$POSTGRES_IMAGE"
  check "postgres: serves with what Aspire passes" eventually query postgres postgres right-secret postgres 'SELECT 1'
  check "postgres: is reached on 127.0.0.1 only" on_loopback_only postgres
  check "postgres: runs as postgres" runs_as postgres postgres
  check "postgres: refuses a wrong password" refused query postgres postgres wrong-secret postgres 'SELECT 1'
  check "postgres: refuses a wrong password inside too" refused podman exec --env PGPASSWORD=wrong-secret "$run-postgres" psql -U postgres -c 'SELECT 1'
  check "postgres: made POSTGRES_DB and ran the .sql file" answer postgres postgres right-secret things 'SELECT count(*) FROM made_by_sql' 0
  check "postgres: ran the .sql.gz file" answer postgres postgres right-secret things 'SELECT count(*) FROM made_by_gz' 0
  check "postgres: ran the .sh file with its variables" answer postgres reader reader-secret things 'SELECT count(*) FROM made_by_sql' 0
  check "postgres: keeps a role to its rights" refused query postgres reader reader-secret things 'SELECT count(*) FROM made_by_gz'
  query postgres postgres right-secret things 'INSERT INTO made_by_sql SELECT generate_series(1, 1000)' >/dev/null || true
  check "postgres: is killed" killed postgres
  podman start "$run-postgres" >/dev/null
  check "postgres: starts again" eventually query postgres postgres right-secret postgres 'SELECT 1'
  check "postgres: has its rows after SIGKILL" answer postgres postgres right-secret things 'SELECT count(*) FROM made_by_sql' 1000
  check "postgres: stops at once" stopped_at_once postgres
  podman rm "$run-postgres" >/dev/null
  start again "${aspire[@]}" --volume "$run-postgres:/var/lib/postgresql/data" "$POSTGRES_IMAGE" -c max_connections=37
  check "postgres: serves an old volume in a new container" eventually query again postgres right-secret things 'SELECT 1'
  check "postgres: has its rows there" answer again postgres right-secret things 'SELECT count(*) FROM made_by_sql' 1000
  check "postgres: takes arguments" answer again postgres right-secret postgres 'SHOW max_connections' 37

  # The path of version 18 and later, and a first start that is cut off while its scripts run.
  volume later
  start later "${aspire[@]}" --volume "$run-later:/var/lib/postgresql" --volume "$gate:/docker-entrypoint-initdb.d:ro" --volume "$gate:/gate:ro" "$POSTGRES_IMAGE"
  in_the_midst() { podman logs "$run-later" 2>&1 | grep 'running.*10-wait'; }
  check "postgres: is killed in its first start" eventually in_the_midst
  killed later >/dev/null
  touch "$gate/open"
  podman start "$run-later" >/dev/null
  check "postgres: begins the first start anew" eventually query later postgres right-secret postgres 'SELECT 1'
  check "postgres: ran all scripts then" answer later postgres right-secret postgres 'SELECT count(*) FROM made_later' 0
  check "postgres: keeps its data on a volume at /var/lib/postgresql" podman exec "$run-later" test -s /var/lib/postgresql/data/PG_VERSION

  start open --env POSTGRES_USER=postgres "$POSTGRES_IMAGE"
  check "postgres: does not start without a password" test "$(podman wait "$run-open")" != 0
}

check_rabbitmq() {
  local settings=$work/rabbitmq
  mkdir -m 755 "$settings"
  echo 'load_definitions = /etc/rabbitmq/definitions.json' >"$settings/20-definitions.conf"
  echo '[rabbitmq_management].' >"$settings/enabled_plugins"
  FLURRTY_RABBITMQ_USERS="uploads:uploads-secret readiness:readiness-secret" python3 "$repository/eng/native/rabbitmq_definitions.py" "$settings/users.json"
  jq '.queues = [{name: "kept", vhost: "/", durable: true, auto_delete: false, arguments: {}}]' "$settings/users.json" >"$settings/definitions.json"
  chmod 644 "$settings"/*

  # As Aspire passes them.
  local aspire=(--env RABBITMQ_DEFAULT_USER=guest --env RABBITMQ_DEFAULT_PASS=right-secret --env RABBITMQ_NODENAME=rabbitmq@localhost)
  login() { podman exec "$run-$1" rabbitmqctl --quiet authenticate_user "$2" "$3"; }
  listening() { (exec 3<>"/dev/tcp/127.0.0.1/$(port "$1" 5672)" && printf 'AMQP\0\0\11\1' >&3 && head -c 8 <&3 | grep -aq .); }

  start rabbitmq "${aspire[@]}" --publish 127.0.0.1::5672 --env RABBITMQ_ERLANG_COOKIE=common-secret "$RABBITMQ_IMAGE"
  check "rabbitmq: serves with what Aspire passes" eventually listening rabbitmq
  check "rabbitmq: is reached on 127.0.0.1 only" on_loopback_only rabbitmq
  check "rabbitmq: runs as rabbitmq" runs_as rabbitmq rabbitmq
  check "rabbitmq: has the default user" eventually login rabbitmq guest right-secret
  check "rabbitmq: refuses a wrong password" refused login rabbitmq guest wrong-secret
  check "rabbitmq: has the given node name" podman exec "$run-rabbitmq" rabbitmqctl --node rabbitmq@localhost ping
  check "rabbitmq: refuses another cookie" refused podman exec --env RABBITMQ_ERLANG_COOKIE=another-secret "$run-rabbitmq" rabbitmqctl ping
  check "rabbitmq: stops at once" stopped_at_once rabbitmq

  volume broker
  start broker "${aspire[@]}" --publish 127.0.0.1::5672 --publish 127.0.0.1::15672 --volume "$run-broker:/var/lib/rabbitmq" \
    --volume "$settings/20-definitions.conf:/etc/rabbitmq/conf.d/20-definitions.conf:ro" --volume "$settings/definitions.json:/etc/rabbitmq/definitions.json:ro" \
    --volume "$settings/enabled_plugins:/etc/rabbitmq/enabled_plugins:ro" "$RABBITMQ_IMAGE"
  ask() { # user:password, path, curl's arguments…
    curl --silent --noproxy '*' --fail --max-time 30 --user "$1" "http://127.0.0.1:$(port broker 15672)/api/$2" "${@:3}"
  }
  # The definitions of the users say nothing of the plugin, whose tag an administrator gives.
  manage() { podman exec "$run-broker" rabbitmqctl --quiet set_user_tags uploads administrator; }
  check "rabbitmq: serves with mounted definitions" eventually listening broker
  check "rabbitmq: has a user for each service" eventually login broker uploads uploads-secret
  check "rabbitmq: refuses a wrong password of one" refused login broker uploads wrong-secret
  check "rabbitmq: has no default user besides" refused login broker guest right-secret
  check "rabbitmq: keeps a user to its rights" test "$(podman exec "$run-broker" rabbitmqctl --quiet list_user_permissions readiness | tail -n 1 | cut -f 2)" = '^amq\.gen-.*$'
  check "rabbitmq: has the management plugin" eventually manage
  check "rabbitmq: answers by it" eventually ask uploads:uploads-secret overview
  check "rabbitmq: takes a persistent message" eval 'ask uploads:uploads-secret exchanges/%2F/amq.default/publish --json "{\"properties\":{\"delivery_mode\":2},\"routing_key\":\"kept\",\"payload\":\"remember\",\"payload_encoding\":\"string\"}" | grep -F "\"routed\":true"'
  check "rabbitmq: is killed" killed broker
  podman start "$run-broker" >/dev/null
  check "rabbitmq: starts again" eventually listening broker
  check "rabbitmq: takes orders again" eventually manage
  check "rabbitmq: has the message after SIGKILL" eventually eval 'ask uploads:uploads-secret queues/%2F/kept/get --json "{\"count\":1,\"ackmode\":\"ack_requeue_true\",\"encoding\":\"auto\"}" | grep -F remember'
  check "rabbitmq: stops at once with a volume" stopped_at_once broker
}

check_s3() {
  volume s3
  local arguments=(--publish 127.0.0.1::9000 --env MINIO_ROOT_USER=flurrty --env MINIO_ROOT_PASSWORD=right-secret
    --env "FLURRTY_S3_USERS=uploads:service=uploads-secret training:service=training-secret" --volume "$run-s3:/data" "$S3_IMAGE" server /data --console-address :9001)
  url() { echo "http://127.0.0.1:$(port s3 9000)$1"; }
  healthy() { [ "$(curl --silent --noproxy '*' --max-time 30 --output /dev/null --write-out '%{http_code}' "$(url "/minio/health/$1")")" = 200 ]; }
  unhealthy() { [ "$(curl --silent --noproxy '*' --max-time 30 --output /dev/null --write-out '%{http_code}' "$(url /minio/health/ready)")" = 503 ]; }
  request() { # status, method, path, key, secret, [body]
    local answer
    answer=$(python3 "$here/s3_request.py" "$2" "$(url "$3")" "${@:4}")
    echo "$answer"
    [ "${answer%% *}" = "$1" ]
  }
  gives() { request 200 GET "$2" "${@:3}" | grep -F "$1"; }

  start s3 "${arguments[@]}"
  check "s3: becomes ready" eventually healthy ready
  check "s3: is alive" healthy live
  check "s3: is reached on 127.0.0.1 only" on_loopback_only s3
  check "s3: runs as store" runs_as s3 store
  check "s3: the root user makes a bucket" request 200 PUT /rootbucket flurrty right-secret
  check "s3: the root user puts an object" request 200 PUT /rootbucket/thing flurrty right-secret "of the root user"
  check "s3: the root user gets it" gives "of the root user" /rootbucket/thing flurrty right-secret
  check "s3: refuses a wrong secret" request 403 GET /rootbucket/thing flurrty wrong-secret
  check "s3: refuses an unknown user" request 403 GET /rootbucket/thing nobody right-secret
  check "s3: a user makes its bucket" request 200 PUT /photos uploads:service uploads-secret
  check "s3: and puts an object" request 200 PUT /photos/a/b.jpg uploads:service uploads-secret "a photo"
  check "s3: and gets it" gives "a photo" /photos/a/b.jpg uploads:service uploads-secret
  check "s3: refuses a wrong secret of a user" request 403 GET /photos/a/b.jpg uploads:service wrong-secret
  check "s3: another user makes its own" request 200 PUT /models training:service training-secret
  check "s3: another user does not see the first one's" request 404 GET /photos/a/b.jpg training:service training-secret
  check "s3: nor does the root user" request 404 GET /photos/a/b.jpg flurrty right-secret
  podman exec "$run-s3" sh -c 'sleep 0.2 & exit 0' >/dev/null
  sleep 1
  check "s3: serves on when an orphan ends" gives "a photo" /photos/a/b.jpg uploads:service uploads-secret
  podman exec "$run-s3" chmod 000 /data/swift/data >/dev/null
  check "s3: is not ready when it cannot write" eventually unhealthy
  podman exec "$run-s3" chmod 700 /data/swift/data >/dev/null
  check "s3: is ready when it can again" eventually healthy ready
  check "s3: is killed" killed s3
  check "s3: is not ready then" refused healthy ready
  podman start "$run-s3" >/dev/null
  check "s3: becomes ready again" eventually healthy ready
  check "s3: has the object after SIGKILL" gives "a photo" /photos/a/b.jpg uploads:service uploads-secret
  check "s3: stops at once" stopped_at_once s3
  podman rm "$run-s3" >/dev/null
  start s3 "${arguments[@]/uploads-secret/changed-secret}"
  check "s3: serves an old volume in a new container" eventually healthy ready
  check "s3: has the object there, by the new secret" gives "a photo" /photos/a/b.jpg uploads:service changed-secret
  check "s3: refuses the old one" request 403 GET /photos/a/b.jpg uploads:service uploads-secret
  # A part that ends by itself takes the whole store with it; the container then ends rather than half serve.
  podman exec "$run-s3" bash -c 'kill -KILL $(grep -lx swift-object /proc/[0-9]*/comm | sed "s/[^0-9]//g")' >/dev/null
  check "s3: ends as a whole when a part of it dies" test "$(podman wait "$run-s3")" = 1

  start weak --env MINIO_ROOT_USER=flurrty --env MINIO_ROOT_PASSWORD=short "$S3_IMAGE" server /data
  check "s3: does not start with a short password" test "$(podman wait "$run-weak")" = 1
}

for name in "${names[@]}"; do "check_$name"; done
printf '%s checks, %s failed\n' "$checks" "$failed"
((failed == 0))
