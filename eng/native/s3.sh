#!/usr/bin/env bash
# Runs one S3-compatible store in the foreground, with an account for each service: a MinIO on PATH, else OpenStack Swift with its
# s3api. Variables: README.md.
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

home=$(absolute "$FLURRTY_S3_DATA")
stop_child_with TERM
mkdir -p "$home"
hold_directory "$home"
home=$(realpath "$home")

# The data directory decides, once it has one, which store serves it.
if [ -d "$home/minio" ] || { [ ! -d "$home/swift" ] && command -v minio >/dev/null && command -v mc >/dev/null; }; then
  command -v minio >/dev/null && command -v mc >/dev/null ||
    refuse "the data in $home was made by MinIO, of which minio or mc is not on the PATH: install them, or start anew by removing it with rm -rf '$home'."
  mkdir -p "$home/minio" "$home/mc"
  if [ ! -s "$home/root" ]; then
    od -An -N24 -tx1 /dev/urandom | tr -d ' \n' >"$home/root.new"
    mv "$home/root.new" "$home/root"
  fi
  MINIO_ROOT_USER=root MINIO_ROOT_PASSWORD=$(cat "$home/root")
  export MINIO_ROOT_USER MINIO_ROOT_PASSWORD MINIO_BROWSER=off MINIO_UPDATE=off MINIO_REGION=us-east-1 MINIO_API_CORS_ALLOW_ORIGIN='*'
  say "starting MinIO on 127.0.0.1:$FLURRTY_S3_PORT, data in $home"
  start_child KILL minio server --quiet --address "127.0.0.1:$FLURRTY_S3_PORT" "$home/minio"
  mc=(setpriv --pdeathsig KILL mc --quiet --config-dir "$home/mc")
  until "${mc[@]}" alias set local "http://127.0.0.1:$FLURRTY_S3_PORT" root "$MINIO_ROOT_PASSWORD" >/dev/null 2>&1; do
    kill -0 "$child" 2>/dev/null || follow_child
    sleep 0.1
  done
  # MinIO has one name space for all: what keeps accounts apart is a policy for the buckets that FLURRTY_S3_BUCKETS gives each of them.
  for user in "${users[@]}"; do
    key=${user%%=*}
    account=${key%%:*}
    bucket="health-$account"
    for pair in ${FLURRTY_S3_BUCKETS:-}; do
      if [ "${pair%%=*}" = "$account" ]; then bucket=${pair#*=}; fi
    done
    printf '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*"],"Resource":["arn:aws:s3:::%s","arn:aws:s3:::%s/*"]}]}' \
      "$bucket" "$bucket" >"$home/mc/$account.json"
    {
      "${mc[@]}" admin user add local "$key" "${user#*=}" &&
        "${mc[@]}" admin policy create local "$account" "$home/mc/$account.json" &&
        { "${mc[@]}" admin policy attach local "$account" --user "$key" || true; }
    } >/dev/null || { kill -TERM "$child"; die "MinIO refused the user $key."; }
  done
  follow_child
fi

need_program memcached memcached
[ -x /usr/bin/python3 ] || die "/usr/bin/python3 was not found; run eng/install.sh, which installs python3."
swift=${FLURRTY_SWIFT:-$here/../../artifacts/swift}
if [ -d "$swift/swift" ]; then
  PYTHONPATH=$(realpath "$swift")${PYTHONPATH:+:$PYTHONPATH}
  export PYTHONPATH
fi
exec /usr/bin/python3 "$here/s3_swift.py" "$home"
