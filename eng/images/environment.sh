#!/usr/bin/env bash
# Says by which container engine, with which settings and from which images the infrastructure runs, as NAME=value lines for the AppHost's environment.
#
#   while IFS= read -r line; do export "$line"; done < <(eng/images/environment.sh)
#
# Usage: eng/images/environment.sh [--stand-ins]
# The person's own Docker or Podman, untouched, where it answers and has all the images that the AppHost starts, or a registry gives them: then only
# ASPIRE_CONTAINER_RUNTIME is printed. Else, and always with --stand-ins, Podman with settings of ours and the images that build.sh makes:
#   ASPIRE_CONTAINER_RUNTIME   podman
#   CONTAINERS_CONF, CONTAINERS_STORAGE_CONF
#   PATH                       with /usr/sbin, where iptables is
#   Images__postgres, Images__rabbitmq, Images__s3   read by the AppHost as configuration
# Exit code 1, with sentences on standard error, when neither can be had.
set -euo pipefail
# shellcheck source=images.sh
. "$(dirname "${BASH_SOURCE[0]}")/images.sh"
# shellcheck source=../engines.sh
. "$repository/eng/engines.sh"

stand_ins=
for argument in "$@"; do
  case $argument in
    --stand-ins) stand_ins=1 ;;
    *) die "usage: eng/images/environment.sh [--stand-ins]" ;;
  esac
done
mapfile -t images < <(started_images)

has_images() {
  local engine=$1 image
  for image in "${images[@]}"; do
    "$engine" image inspect "$image" >/dev/null 2>&1 || timeout 15 "$engine" manifest inspect "$image" >/dev/null 2>&1 || return 1
  done
}

if [ -z "$stand_ins" ]; then
  for engine in "${engines[@]}"; do
    if answers "$engine" && has_images "$engine"; then
      echo "ASPIRE_CONTAINER_RUNTIME=$engine"
      exit 0
    fi
  done
fi

need_podman
cat <<LINES
ASPIRE_CONTAINER_RUNTIME=podman
CONTAINERS_CONF=$CONTAINERS_CONF
CONTAINERS_STORAGE_CONF=$CONTAINERS_STORAGE_CONF
PATH=$PATH
Images__postgres=$POSTGRES_IMAGE
Images__rabbitmq=$RABBITMQ_IMAGE
Images__s3=$S3_IMAGE
LINES
