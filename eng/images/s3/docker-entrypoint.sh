#!/usr/bin/env bash
# Takes what MinIO's image takes: MINIO_ROOT_USER, MINIO_ROOT_PASSWORD (also as …_FILE), `[minio] server [--address HOST:PORT] [options] DIRECTORY`.
# Further users, whom MinIO makes by `mc admin`, come by FLURRTY_S3_USERS ("account:user=secret …", an account of its own for each account name).
NAME=s3
# shellcheck source=../../native/foreground.sh
. /usr/local/lib/flurrty/foreground.sh

[ "${1:-}" != minio ] || shift
if [ "${1:-}" != server ]; then exec "$@"; fi
if [ "$(id -u)" = 0 ]; then run_as=(setpriv --reuid=store --regid=store --init-groups); else run_as=(); fi
original=("$@")
shift

directory=
FLURRTY_S3_PORT=9000
while [ $# -gt 0 ]; do
  case $1 in
    --address) FLURRTY_S3_PORT=${2##*:}; shift ;;
    --address=*) FLURRTY_S3_PORT=${1##*:} ;;
    --console-address) say "there is no console"; shift ;;
    --console-address=*) say "there is no console" ;;
    --certs-dir | -S | --config-dir | -C) shift ;;
    -*) ;;
    *)
      [ -z "$directory" ] || die "one directory only can be served."
      directory=$1
      ;;
  esac
  shift
done
[ -n "$directory" ] || die "the command names no directory: server /data"
need_port FLURRTY_S3_PORT

for name in MINIO_ROOT_USER MINIO_ROOT_PASSWORD; do
  file=${name}_FILE
  if [ -n "${!file:-}" ]; then export "$name=$(<"${!file}")"; fi
done
export MINIO_ROOT_USER=${MINIO_ROOT_USER:-minioadmin} MINIO_ROOT_PASSWORD=${MINIO_ROOT_PASSWORD:-minioadmin}
[[ $MINIO_ROOT_USER =~ ^[^[:space:]:/,=]{3,}$ ]] || die "MINIO_ROOT_USER needs at least 3 characters, without spaces and : / , ="
[[ $MINIO_ROOT_PASSWORD =~ ^[^[:space:]]{8,}$ ]] || die "MINIO_ROOT_PASSWORD needs at least 8 characters, without spaces."
FLURRTY_S3_USERS=${FLURRTY_S3_USERS:-}
read -r -a users <<<"${FLURRTY_S3_USERS//,/ }"
for user in "${users[@]}"; do
  [[ $user =~ ^[a-z0-9-]+:[a-z0-9-]+=[^=]{8,}$ ]] ||
    die "each entry of FLURRTY_S3_USERS is account:user=secret: names of a-z, 0-9 and -, a secret of at least 8 characters without '='."
done
export FLURRTY_S3_PORT FLURRTY_S3_USERS

mkdir -p "$directory"
if [ ${#run_as[@]} -gt 0 ]; then
  find "$directory" \! -user store -exec chown store: {} +
  exec "${run_as[@]}" "$BASH_SOURCE" "${original[@]}"
fi
hold_directory "$directory"
exec /usr/bin/python3 /usr/local/lib/flurrty/store.py "$directory"
