#!/usr/bin/env bash
# Runs one S3-compatible store in the foreground, with an account for each service: OpenStack Swift with its s3api, or MinIO.
# FLURRTY_S3_SERVER chooses; all variables: README.md.
NAME=s3
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=foreground.sh
. "$here/foreground.sh"

need_program setpriv util-linux
need_program flock util-linux
need_values FLURRTY_S3_DATA FLURRTY_S3_USERS
need_port FLURRTY_S3_PORT
read -r -a users <<<"${FLURRTY_S3_USERS//,/ }"
for user in "${users[@]}"; do
  [[ $user =~ ^[a-z0-9-]+:[a-z0-9-]+=[^=]{8,}$ ]] ||
    die "each entry of FLURRTY_S3_USERS is account:user=secret: names of a-z, 0-9 and -, a secret of at least 8 characters without '='."
done

read -r -a buckets <<<"${FLURRTY_S3_BUCKETS:-}"
for pair in "${buckets[@]}"; do
  [[ $pair =~ ^[a-z0-9-]+=[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$ ]] || die "each entry of FLURRTY_S3_BUCKETS is account=bucket, not '$pair'."
done
wanted=${FLURRTY_S3_SERVER:-auto}
[[ $wanted =~ ^(auto|minio|swift)$ ]] || die "FLURRTY_S3_SERVER must be auto, minio or swift, not '$wanted'."

home=$(absolute "$FLURRTY_S3_DATA")
stop_child_with TERM
mkdir -p "$home"
hold_directory "$home"
home=$(realpath "$home")

# Midnight Commander's program has the same name; some distributions call MinIO's client mcli.
minio_client() {
  local name
  for name in mc mcli; do
    if [[ $("$name" --version 2>/dev/null </dev/null) == "$name version "* ]]; then
      printf '%s' "$name"
      return
    fi
  done
  return 1
}

# One of minio and swift. What the directory already holds decides, and a program that turns up on the PATH does not change it.
choose_server() {
  local kept=
  if [ -d "$home/swift" ]; then
    kept=swift
  elif [ -d "$home/minio" ]; then
    kept=minio
  fi
  if [ "$wanted" != auto ]; then
    [ "${kept:-$wanted}" = "$wanted" ] ||
      refuse "FLURRTY_S3_SERVER is $wanted, but $home holds the data of $kept: name another directory, set FLURRTY_S3_SERVER to $kept, or remove the directory with everything in it."
    server=$wanted
  elif [ -n "$kept" ]; then
    server=$kept
  elif ! command -v minio >/dev/null; then
    server=swift
  elif minio_client >/dev/null; then
    server=minio
  else
    say "minio is on the PATH, but its client mc is not, which makes the users; serving with Swift. Put mc on the PATH to use MinIO."
    server=swift
  fi
}

serve_minio() {
  local client user key account bucket pair failure since=$SECONDS
  if [ -d "$home/minio" ] && ! { command -v minio && minio_client; } >/dev/null; then
    refuse "the data in $home was made by MinIO, of which minio or its client mc is not on the PATH: install them, or start anew by removing it with rm -rf '$home'."
  fi
  command -v minio >/dev/null ||
    die "'minio' was not found: put MinIO's server on the PATH, or set FLURRTY_S3_SERVER to swift with another directory than $home."
  client=$(minio_client) ||
    die "MinIO's client 'mc' was not found, which makes the users (a Midnight Commander of that name does not count): put it on the PATH, as mc or mcli."

  # Whoever has this may do everything, so nobody is told: each service has a user of its own.
  mkdir -p "$home/minio" "$home/mc"
  if [ ! -s "$home/root" ]; then
    od -An -N24 -tx1 /dev/urandom | tr -d ' \n' >"$home/root.new"
    mv "$home/root.new" "$home/root"
  fi
  unset FLURRTY_S3_USERS
  say "starting MinIO on 127.0.0.1:$FLURRTY_S3_PORT, data in $home"
  MINIO_ROOT_USER=flurrty-root MINIO_ROOT_PASSWORD=$(cat "$home/root") MINIO_BROWSER=off MINIO_UPDATE=off MINIO_SITE_REGION=us-east-1 \
    start_child KILL minio server --quiet --address "127.0.0.1:$FLURRTY_S3_PORT" "$home/minio"

  # Secrets go by the environment and by standard input: a command line is everybody's to read.
  MC_HOST_flurrty=http://flurrty-root:$(cat "$home/root")@127.0.0.1:$FLURRTY_S3_PORT
  export MC_HOST_flurrty
  until (exec 3<>"/dev/tcp/127.0.0.1/$FLURRTY_S3_PORT") 2>/dev/null && failure=$(administer user list flurrty 2>&1 </dev/null); do
    kill -0 "$child" 2>/dev/null && [ -z "$stopping" ] || follow_child
    ((SECONDS - since < 180)) || give_up "MinIO does not answer its client after 180 s: ${failure:-its port is closed.}"
    sleep 0.2
  done

  # MinIO has one name space for all: what keeps accounts apart is a policy for the one bucket of each.
  for user in "${users[@]}"; do
    key=${user%%=*}
    account=${key%%:*}
    bucket=$account
    for pair in "${buckets[@]}"; do
      if [ "${pair%%=*}" = "$account" ]; then bucket=${pair#*=}; fi
    done
    printf '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*"],"Resource":["arn:aws:s3:::%s","arn:aws:s3:::%s/*"]}]}' \
      "$bucket" "$bucket" >"$home/mc/$account.json"
    failure=$(printf '%s\n%s\n' "$key" "${user#*=}" | administer user add flurrty 2>&1) || give_up "MinIO refused the user $key: $failure"
    failure=$(administer policy create flurrty "$account" "$home/mc/$account.json" 2>&1 </dev/null) || give_up "MinIO refused the policy of $key: $failure"
    failure=$(attach "$account" "$key") || give_up "MinIO refused to give $key its policy: $failure"
  done
  say "MinIO serves ${#users[@]} users"
  follow_child
}

administer() { setpriv --pdeathsig KILL "$client" --quiet --config-dir "$home/mc" admin "$@"; }

# Not a failure: the user has the policy from an earlier start. Older clients end with 1 then.
attach() {
  local answer
  answer=$(administer policy attach flurrty "$1" --user "$2" 2>&1 </dev/null) || [[ $answer == *"already in effect"* ]] || {
    printf '%s' "$answer"
    return 1
  }
}

# Ends the server first.
give_up() {
  kill -TERM "$child" 2>/dev/null || true
  wait_child || true
  [ -z "$stopping" ] || exit 0
  die "$*"
}

choose_server
if [ "$server" = minio ]; then
  serve_minio
fi

need_program memcached memcached
[ -x /usr/bin/python3 ] || die "/usr/bin/python3 was not found; run eng/install.sh, which installs python3."
swift=${FLURRTY_SWIFT:-$here/../../artifacts/swift}
if [ -d "$swift/swift" ]; then
  PYTHONPATH=$(realpath "$swift")${PYTHONPATH:+:$PYTHONPATH}
  export PYTHONPATH
fi
exec /usr/bin/python3 "$here/s3_swift.py" "$home"
