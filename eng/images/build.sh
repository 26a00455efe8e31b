#!/usr/bin/env bash
# Builds the stand-in images from packages of the machine's own Debian mirror; those that are there and up to date are left alone.
# Usage: eng/images/build.sh [postgres] [rabbitmq] [s3]
set -euo pipefail
# shellcheck source=images.sh
. "$(dirname "${BASH_SOURCE[0]}")/images.sh"
here=$repository/eng/images
native=$repository/eng/native

names=("$@")
[ ${#names[@]} -gt 0 ] || names=(postgres rabbitmq s3)
for name in "${names[@]}"; do
  [[ $name =~ ^(postgres|rabbitmq|s3)$ ]] || die "usage: eng/images/build.sh [postgres] [rabbitmq] [s3]"
done
need_podman

image_of() {
  case $1 in
    postgres) echo "$POSTGRES_IMAGE" ;;
    rabbitmq) echo "$RABBITMQ_IMAGE" ;;
    s3) echo "$S3_IMAGE" ;;
    base) echo "$BASE_IMAGE" ;;
  esac
}

# What goes into an image: its folder, and for the store the scripts that serve it natively.
files_of() {
  find "$here/$1" -maxdepth 1 -type f | LC_ALL=C sort
  [ "$1" != s3 ] || printf '%s\n' "$native/foreground.sh" "$native/s3_swift.py"
}

# What an image is made of, and how.
key_of() {
  local files=()
  if [ "$1" != base ]; then mapfile -t files < <(files_of "$1"); fi
  {
    declare -f build_base
    [ "$1" = base ] || declare -f build_image
    printf '%s\n' "$SUITE" "$(image_of "$1")"
    [ ${#files[@]} = 0 ] || cat "${files[@]}"
  } | sha256sum | head -c 16
}

has() { # image, key
  [ "$(podman image inspect --format '{{index .Labels "flurrty.content"}}' "$1" 2>/dev/null)" = "$2" ]
}

up_to_date() {
  local name
  for name in "${names[@]}"; do
    has "$(image_of "$name")" "$(key_of "$name")" || return 1
  done
}

fail() {
  tail -n 30 "$log" >&2
  die "$1; all of it is in $log"
}

# The mirrors of this machine's Debian and of its security updates: they carry every release.
mirror_of() { # label
  apt-get indextargets --format '$(LABEL)|$(COMPONENT)|$(RELEASE)|$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' |
    awk -F '|' -v label="$1" '$1 == label && $2 == "main" && $3 !~ /-(updates|backports|proposed-updates)/ && !found++ { print $4 }'
}

# A proxy that only apt knows is told to apt in the image by the environment, which podman build passes on.
use_proxy() {
  local scheme proxy variable
  command -v apt-config >/dev/null || return 0
  for scheme in http https; do
    proxy=
    variable=${scheme}_proxy
    eval "$(apt-config shell proxy "Acquire::$scheme::Proxy")"
    if [ -n "$proxy" ] && [ "$proxy" != DIRECT ] && [ -z "${!variable:-}" ]; then export "$variable=$proxy"; fi
  done
}

build_base() {
  local mirror security keyring=/usr/share/keyrings/debian-archive-keyring.gpg signed="" key certificates=""
  key=$(key_of base)
  ! has "$BASE_IMAGE" "$key" || return 0
  command -v apt-get >/dev/null || die "the stand-in images are made of Debian packages, and there is no apt-get here to say where they come from."
  mirror=$(mirror_of Debian)
  [ -n "$mirror" ] || die "apt has no Debian mirror configured to take the stand-in images from."
  security=$(mirror_of Debian-Security)
  [ ! -e "$keyring" ] || signed="[signed-by=$keyring] "
  [[ $mirror$security != *https:* ]] || certificates=,ca-certificates
  say "making the base, Debian $SUITE (about half a minute)"
  {
    printf 'deb %s%s %s main\n' "$signed" "$mirror" "$SUITE"
    [ -z "$security" ] || printf 'deb %s%s %s-security main\n' "$signed" "$security" "$SUITE"
  } >"$work/sources.list"
  # Services of the packages must not start while an image is built; documentation is left out.
  mmdebstrap --variant=minbase --include="tini$certificates" \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --customize-hook='printf "#!/bin/sh\nexit 101\n" >"$1/usr/sbin/policy-rc.d"; chmod 755 "$1/usr/sbin/policy-rc.d"' \
    "$SUITE" "$work/base.tar" "$work/sources.list" >>"$log" 2>&1 || fail "the base could not be made"
  podman import --change "LABEL flurrty.content=$key" "$work/base.tar" "$BASE_IMAGE" >>"$log" 2>&1 || fail "the base could not be stored"
  rm "$work/base.tar"
}

build_image() {
  local name=$1 image key files start=$SECONDS
  image=$(image_of "$name")
  key=$(key_of "$name")
  ! has "$image" "$key" || return 0
  say "building $image"
  mkdir "$work/$name"
  mapfile -t files < <(files_of "$name")
  cp "${files[@]}" "$work/$name/"
  # Only apt runs in there, so it needs neither a network nor cgroups of its own.
  podman build --isolation=chroot --network=host --pull=never --layers=false --label "flurrty.content=$key" \
    --build-arg "BASE=$BASE_IMAGE" --build-arg "VERSION=$2" --tag "$image" "$work/$name" >>"$log" 2>&1 || fail "$image could not be built"
  say "$image is built ($((SECONDS - start)) s, $(($(podman image inspect --format '{{.Size}}' "$image") / 1000000)) MB with its base)"
}

if up_to_date; then exit 0; fi
exec 9>>"$store/build.lock"
flock -n 9 || {
  say "waiting for another build"
  flock 9
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
log=$store/build.log
: >"$log"

use_proxy
build_base
for name in "${names[@]}"; do
  case $name in
    postgres) build_image postgres "$POSTGRES_MAJOR" ;;
    rabbitmq) build_image rabbitmq "$RABBITMQ_VERSION" ;;
    s3) build_image s3 "$SWIFT_VERSION" ;;
  esac
done
# What they replace; the store holds nothing but these images.
podman image prune --force >>"$log" 2>&1 || true
